//! The configuration of the bank in these tests.

use std::net::SocketAddr;

use ramz_issuer::Config;
use ramz_issuer::config::{
    AlertsConfig, AppConfig, AskerConfig, HostConfig, LimitsConfig, PolicyConfig, SwitchConfig,
    VerifierConfig,
};

use crate::bank::Build;
use crate::doubles::SHORT_CODE;
use crate::messages::{ACQUIRER, IIN};

/// Where phones reach the app's door.
pub(crate) const APP: &str = "https://app.mellat.example";

/// The defaults.
pub(crate) fn limits() -> LimitsConfig {
    LimitsConfig {
        card_in_2_min: 6,
        card_in_hour: 15,
        card_in_day: 40,
        phone_in_2_min: 12,
        phone_in_hour: 40,
        phone_in_day: 120,
        alerts_in_day: 40,
        payer_in_hour: 30,
        payee_in_hour: 7200,
        iin_per_s: 500,
        asker_per_s: 500,
        activation_address_in_hour: 30,
        activation_per_s: 50,
    }
}

/// A bank's configuration, with its card host there.
pub(crate) fn config(host: SocketAddr, build: &Build) -> Config {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let [to_switch, to_host] = build.wires.clone();
    Config {
        id: "mellat".into(),
        name_fa: "بانک ملت".into(),
        name_en: "Bank Mellat".into(),
        short_code: SHORT_CODE.into(),
        iins: texts(&[IIN]),
        routers: texts(&["router"]),
        askers: vec![AskerConfig {
            name: "page".into(),
            acquirers: texts(&[ACQUIRER]),
            kinds: texts(&["purchase"]),
            origins: texts(&["pay.example"]),
        }],
        verifiers: ["core", "other core"]
            .map(|name| VerifierConfig {
                name: name.into(),
                zone: "switch".into(),
                pin_block_format: to_switch.format,
            })
            .to_vec(),
        operators: texts(&["operator"]),
        policy: PolicyConfig {
            digits: 7,
            valid_for_s: 120,
            ask_again_after_s: 120,
            resend_after_s: 30,
            resends: 2,
            failures_until_locked: 3,
            lock_first_s: 900,
            lock_longest_s: 86_400,
            failures_until_closed: 20,
            sms_pin_max: 10_000_000,
            fees_max: build.fees_max,
        },
        static_pin: build.static_pin.clone(),
        app: AppConfig {
            public_url: build.app.as_ref().map_or("", |_| APP).into(),
            address_header: build.address_header.into(),
            framed_by: build.app.clone().unwrap_or_default(),
            digits: 7,
            ceilings: vec![1_000_000, 5_000_000, 20_000_000, 100_000_000],
            first_day_max: 0,
        },
        alerts: AlertsConfig { lock: build.alerts, service: build.alerts, change: build.alerts },
        limits: build.limits,
        switch: SwitchConfig {
            layout: to_switch.layout,
            header: to_switch.header,
            zone: "switch".into(),
            pin_block_format: to_switch.format,
        },
        host: HostConfig {
            address: host.to_string(),
            layout: to_host.layout,
            header: to_host.header,
            sign_on: true,
            on_silence: build.on_silence,
            zone: "host".into(),
            pin_block_format: to_host.format,
        },
    }
}
