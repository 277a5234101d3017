//! An issuer's configuration, as in the `[issuer]` table of `ramz.default.toml`. Unknown keys are refused.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::HeaderName;
use ramz_api::pin_request::is_host_name;
use ramz_domain::card::{Alerts, AppPolicy, Policy, PolicyError, SendLimits, StaticPolicy, StaticRule};
use ramz_domain::{PaymentKind, Rial};
use ramz_keys::PinBlockFormat;
use serde::Deserialize;

use crate::limits::Rates;
use crate::windows::Rate;

/// One bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Short name, for logs and the trace: `mellat`.
    pub id: String,
    /// The bank as its Persian SMS calls it.
    pub name_fa: String,
    /// The bank as its English SMS calls it.
    pub name_en: String,
    /// Where cardholders text the last digits of their card to; empty: nowhere.
    #[serde(default)]
    pub short_code: String,
    /// First six digits of its cards.
    pub iins: Vec<String>,
    /// Certificate names of the routers whose `Ramz-Asker` is believed.
    pub routers: Vec<String>,
    /// Askers that come without a router.
    #[serde(default)]
    pub askers: Vec<AskerConfig>,
    /// Certificates that may have PINs verified over HTTP.
    #[serde(default)]
    pub verifiers: Vec<VerifierConfig>,
    /// Certificate names that may use the back office.
    pub operators: Vec<String>,
    /// What the bank chooses about PINs.
    pub policy: PolicyConfig,
    /// Where a static second PIN may be used.
    pub static_pin: StaticPinConfig,
    /// Codes that a phone computes.
    pub app: AppConfig,
    /// What cardholders are told unasked.
    pub alerts: AlertsConfig,
    /// How many PINs go out at most.
    pub limits: LimitsConfig,
    /// The door for the switch.
    pub switch: SwitchConfig,
    /// The way to the card host.
    pub host: HostConfig,
}

/// An asker and what it may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskerConfig {
    /// The name in its certificate.
    pub name: String,
    /// Acquirer codes (DE32) it may name.
    pub acquirers: Vec<String>,
    /// Kinds of payment.
    pub kinds: Vec<String>,
    /// Pages where its PINs are typed.
    pub origins: Vec<String>,
}

/// A verifier: the bank's own switch, where it calls a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierConfig {
    /// The name in its certificate.
    pub name: String,
    /// The zone PIN key that its PIN blocks come under.
    pub zone: String,
    /// 0 (TDEA) or 4 (AES).
    pub pin_block_format: u8,
}

/// What the bank chooses, in whole seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Digits of a PIN.
    pub digits: u8,
    /// How long a PIN is good.
    pub valid_for_s: u32,
    /// What the page counts down.
    pub ask_again_after_s: u32,
    /// Between two SMS with the same PIN.
    pub resend_after_s: u32,
    /// How often the same PIN goes out again.
    pub resends: u8,
    /// Wrong PINs in a row that lock.
    pub failures_until_locked: u32,
    /// The first lock.
    pub lock_first_s: u32,
    /// The longest lock.
    pub lock_longest_s: u32,
    /// Wrong PINs in a row after which only an ATM or the bank unlocks.
    pub failures_until_closed: u32,
    /// What one texted PIN may pay at most, in rial; 0: the bank sends none.
    pub sms_pin_max: u64,
    /// What may be debited beside the amount of a payment with a second PIN, in rial.
    pub fees_max: u64,
}

/// The rule for static second PINs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticPinConfig {
    /// `never`, `total_24h` or `per_payment`.
    pub rule: StaticPinRule,
    /// In rial: the total of a card in 24 hours, or each time.
    pub max: u64,
    /// Kinds of payment it may be used for.
    pub kinds: Vec<String>,
    /// Products that may be used with it without consent and up to any amount.
    pub exempt_products: Vec<String>,
}

/// How the amounts count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaticPinRule {
    /// No static second PIN.
    Never,
    /// Together, in a sliding day.
    #[serde(rename = "total_24h")]
    Total24h,
    /// Each for itself.
    PerPayment,
}

/// The app: its door, and what its codes are good for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// Where phones reach the door, as they write it: `https://app.bank.example`. Empty: the bank has no app.
    pub public_url: String,
    /// The header in which the proxy in front says where a request is from; empty: nothing stands in front.
    pub address_header: String,
    /// Origins that may show the app in a frame: a lab's, or the bank's own portal.
    pub framed_by: Vec<String>,
    /// Digits of a code: 7 or 8.
    pub digits: u8,
    /// The table of ceilings, in rial: at most four, each larger than the one before.
    pub ceilings: Vec<u64>,
    /// What a device may pay at most in the first 24 hours after a card was put on it, in rial; 0: as later.
    pub first_day_max: u64,
}

/// Which alerts go out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    /// When the dynamic PIN is locked or unlocked.
    pub lock: bool,
    /// When a service is switched.
    pub service: bool,
    /// When the phone or the number of a card changes.
    pub change: bool,
}

/// How many PINs go out at most: settings of `ramz_domain::limits`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// SMS with unspent PINs to one card in two minutes.
    pub card_in_2_min: u32,
    /// In an hour.
    pub card_in_hour: u32,
    /// In a day.
    pub card_in_day: u32,
    /// SMS to one phone in two minutes.
    pub phone_in_2_min: u32,
    /// In an hour.
    pub phone_in_hour: u32,
    /// In a day.
    pub phone_in_day: u32,
    /// Alerts to one phone in a day, apart from the others.
    pub alerts_in_day: u32,
    /// Requests of one payer in an hour.
    pub payer_in_hour: u32,
    /// Requests for one payee in an hour.
    pub payee_in_hour: u32,
    /// Requests for one IIN in a second.
    pub iin_per_s: u32,
    /// Requests of one asker in a second.
    pub asker_per_s: u32,
    /// Wrong tries at activation codes from one IPv6 network in an hour; an IPv4 address has ten times as many.
    pub activation_address_in_hour: u32,
    /// Wrong tries at activation codes in a second, from all addresses.
    pub activation_per_s: u32,
}

/// What is done when the card host was asked and is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnSilence {
    /// Silence: the switch reverses.
    Silence,
    /// 91, and our own reversal until it is acknowledged.
    Reverse,
}

/// How the switch speaks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchConfig {
    /// `ascii`, `bcd`, or the path of a layout file.
    pub layout: String,
    /// Hexadecimal bytes between length and message; mostly empty.
    #[serde(default)]
    pub header: String,
    /// The zone PIN key that PIN blocks come under.
    pub zone: String,
    /// 0 or 3 (TDEA), or 4 (AES).
    pub pin_block_format: u8,
}

/// How the card host is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// `host:port`.
    pub address: String,
    /// `ascii`, `bcd`, or the path of a layout file.
    pub layout: String,
    /// Hexadecimal bytes between length and message; mostly empty.
    #[serde(default)]
    pub header: String,
    /// Whether it wants a sign-on.
    pub sign_on: bool,
    /// `silence` or `reverse`: what the switch is told when this host was asked and is silent.
    pub on_silence: OnSilence,
    /// The zone PIN key that PIN blocks go on under.
    pub zone: String,
    /// 0 or 3 (TDEA), or 4 (AES).
    pub pin_block_format: u8,
}

/// A setting that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("issuer: bank.{place}: {what}")]
pub struct ConfigError {
    /// The setting, below `[issuer.bank]`.
    pub place: &'static str,
    /// What about it, and what to write.
    pub what: String,
}

impl Config {
    /// Everything that is wrong with the bank's names, its app's header, and those who come to it. A start refuses the first.
    pub fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut ensure = |holds: bool, place: &'static str, what: String| {
            if !holds {
                errors.push(ConfigError { place, what });
            }
        };
        for (place, name) in [("id", &self.id), ("name_fa", &self.name_fa), ("name_en", &self.name_en)] {
            ensure(!name.trim().is_empty(), place, "is empty: write the bank's own".into());
        }
        ensure(is_digits(&self.short_code), "short_code", "write digits only, or leave it empty".into());
        let header = &self.app.address_header;
        let is_header = header.is_empty() || HeaderName::try_from(header).is_ok();
        let what = "write the name of a request header, as X-Real-IP, or leave it empty";
        ensure(is_header, "app.address_header", what.into());
        let mut names = BTreeSet::new();
        for asker in &self.askers {
            let name = &asker.name;
            ensure(is_name(name), "askers", format!("{name:?}: write the name as in its certificate"));
            ensure(names.insert(name), "askers", format!("{name:?} is there twice; keep one"));
            for kind in asker.kinds.iter().filter(|kind| PaymentKind::parse(kind).is_none()) {
                ensure(false, "askers", format!("{name:?}: {kind:?} is no kind of payment"));
            }
            for acquirer in &asker.acquirers {
                let fits = (1..=11).contains(&acquirer.len()) && is_digits(acquirer);
                let what = format!("{name:?}: write the acquirer {acquirer:?} as 1 to 11 digits");
                ensure(fits, "askers", what);
            }
            for origin in asker.origins.iter().filter(|origin| !is_host_name(origin)) {
                let what = "as a host name in lower case, without scheme or port";
                ensure(false, "askers", format!("{name:?}: write the origin {origin:?} {what}"));
            }
        }
        let mut names = BTreeSet::new();
        for VerifierConfig { name, pin_block_format, .. } in &self.verifiers {
            ensure(is_name(name), "verifiers", format!("{name:?}: write the name as in its certificate"));
            ensure(names.insert(name), "verifiers", format!("{name:?} is there twice; keep one"));
            let what = format!(
                "{name:?}: there is no PIN block format {pin_block_format}; write 0, 3 (TDEA) or 4 (AES)"
            );
            ensure(PinBlockFormat::numbered(*pin_block_format).is_some(), "verifiers", what);
        }
        errors
    }

    /// What the bank chose, checked.
    ///
    /// # Errors
    /// What a start would refuse.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        self.app.check()?;
        self.policy.policy(&self.static_pin, &self.app, self.alerts, &self.limits)
    }
}

impl PolicyConfig {
    /// The policy, checked.
    pub fn policy(
        &self,
        static_pin: &StaticPinConfig,
        app: &AppConfig,
        alerts: AlertsConfig,
        limits: &LimitsConfig,
    ) -> Result<Policy, PolicyError> {
        let AlertsConfig { lock, service, change } = alerts;
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        let policy = Policy {
            digits: self.digits,
            valid_for: seconds(self.valid_for_s),
            ask_again_after: seconds(self.ask_again_after_s),
            resend_after: seconds(self.resend_after_s),
            resends: self.resends,
            failures_until_locked: self.failures_until_locked,
            lock_first: seconds(self.lock_first_s),
            lock_longest: seconds(self.lock_longest_s),
            failures_until_closed: self.failures_until_closed,
            sends: SendLimits {
                in_2_min: limits.card_in_2_min,
                in_hour: limits.card_in_hour,
                in_day: limits.card_in_day,
            },
            sms_pin_max: rial(self.sms_pin_max)?,
            fees_max: rial(self.fees_max)?,
            static_pin: static_pin.policy()?,
            app: app.policy()?,
            alerts: Alerts { lock, service, change },
        };
        policy.check().map(|()| policy)
    }
}

impl AppConfig {
    fn policy(&self) -> Result<AppPolicy, PolicyError> {
        let ceilings: Result<Vec<_>, _> = self.ceilings.iter().map(|amount| rial(*amount)).collect();
        Ok(AppPolicy {
            offered: !self.public_url.is_empty(),
            digits: self.digits,
            ceilings: ceilings?,
            first_day_max: rial(self.first_day_max)?,
        })
    }

    /// Its public address is what each request is signed for, so it must be as a browser writes it; and pages and service worker stand at
    /// the top of it. What may frame it stands in a header as it is.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let url = self.public_url.as_str();
        if !(url.is_empty() || is_origin(url) && !names_the_usual_port(url)) {
            return Err(PolicyError::Range(
                "app.public_url: write an origin, as https://app.bank.example: scheme and host as browsers write them, no path (http:// for localhost only)",
            ));
        }
        if !self.framed_by.iter().all(|origin| is_origin(origin)) {
            return Err(PolicyError::Range(
                "app.framed_by: write origins, as https://portal.bank.example: scheme and host, no path, no * (http:// for localhost only)",
            ));
        }
        Ok(())
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// A name that a certificate and a header can carry.
fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

/// Scheme, host and port, and nothing that could mean more in a header: no wildcard, no path, no second source.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let host_is_plain = host.bytes().all(plain) && host.starts_with(|c: char| c.is_ascii_alphanumeric());
    let port_is_one = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (scheme == "https" || (scheme == "http" && host == "localhost")) && host_is_plain && port_is_one
}

/// Whether it has the port that its scheme has anyway: a browser leaves it out.
fn names_the_usual_port(origin: &str) -> bool {
    let usual = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.ends_with(usual)
}

impl StaticPinConfig {
    fn policy(&self) -> Result<StaticPolicy, PolicyError> {
        let max = rial(self.max)?;
        let kind = |word: &String| PaymentKind::parse(word);
        let kinds: Option<Vec<_>> = self.kinds.iter().map(kind).collect();
        Ok(StaticPolicy {
            rule: match self.rule {
                StaticPinRule::Never => StaticRule::Never,
                StaticPinRule::Total24h => StaticRule::Total24h(max),
                StaticPinRule::PerPayment => StaticRule::PerPayment(max),
            },
            kinds: kinds.ok_or(PolicyError::Range(
                "static_pin.kinds: write purchase, transfer, bill, top_up or balance",
            ))?,
            exempt: self.exempt_products.clone(),
        })
    }
}

fn rial(amount: u64) -> Result<Rial, PolicyError> {
    Rial::new(amount).map_err(|_| PolicyError::Range("an amount is 0 to 999999999999 rial"))
}

impl LimitsConfig {
    /// What one node lets through.
    pub fn rates(&self) -> Result<Rates, PolicyError> {
        let rate = |most: u32, within_s: u64| Rate { most, within: Duration::from_secs(within_s) };
        let phone = [(self.phone_in_2_min, 120), (self.phone_in_hour, 3600), (self.phone_in_day, 86_400)];
        let rates = Rates {
            asker: rate(self.asker_per_s, 1),
            phone: phone.map(|(most, within_s)| rate(most, within_s)),
            alert: rate(self.alerts_in_day, 86_400),
            payer: rate(self.payer_in_hour, 3600),
            payee: rate(self.payee_in_hour, 3600),
            iin: rate(self.iin_per_s, 1),
            activation_address: rate(self.activation_address_in_hour, 3600),
            activation: rate(self.activation_per_s, 1),
        };
        // A bucket fills by whole microseconds.
        let within = |rate: &Rate| (1..=1_000_000).contains(&rate.most);
        let others = [&rates.alert, &rates.asker, &rates.payer, &rates.payee, &rates.iin];
        let others = others.into_iter().chain([&rates.activation_address, &rates.activation]);
        let all = rates.phone.iter().chain(others);
        if all.into_iter().all(within) {
            Ok(rates)
        } else {
            Err(PolicyError::Range("each limit of phone, payer, payee, IIN and asker must be 1 to 1000000"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_may_frame_the_app() {
        for (text, expect) in [
            ("https://portal.bank.example", true),
            ("https://portal.bank.example:8443", true),
            ("http://localhost:8700", true),
            ("http://localhost.elsewhere.example", false),
            ("http://portal.bank.example", false),
            ("https://*.bank.example", false),
            ("https://portal.bank.example/", false),
            ("https://portal.bank.example; script-src *", false),
            ("https://a.example https://b.example", false),
            ("https://a.example\r\nx: y", false),
            ("https://", false),
            ("https://a.example:", false),
            ("https://a.example:99999", false),
            ("*", false),
            ("https:", false),
            ("'self'", false),
            ("", false),
        ] {
            assert_eq!(is_origin(text), expect, "{text:?}");
        }
    }

    #[test]
    fn the_apps_address_is_an_origin_as_browsers_write_it() {
        for (public_url, expect) in [
            ("", true),
            ("https://app.bank.example", true),
            ("https://app.bank.example:8443", true),
            ("http://localhost:8709", true),
            ("https://app.bank.example/", false),
            ("https://bank.example/app", false),
            ("https://App.bank.example", false),
            ("https://app.bank.example:443", false),
            ("http://localhost:80", false),
            ("http://localhost.elsewhere.example", false),
            ("http://app.bank.example", false),
        ] {
            let config = AppConfig {
                public_url: public_url.into(),
                address_header: String::new(),
                framed_by: Vec::new(),
                digits: 7,
                ceilings: Vec::new(),
                first_day_max: 0,
            };
            assert_eq!(config.check().is_ok(), expect, "{public_url:?}");
        }
    }

    #[test]
    fn no_limit_may_be_switched_off() {
        let limits = LimitsConfig {
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
        };
        assert!(limits.rates().is_ok());
        for bad in [
            LimitsConfig { asker_per_s: 0, ..limits },
            LimitsConfig { phone_in_day: 0, ..limits },
            LimitsConfig { iin_per_s: 1_000_001, ..limits },
        ] {
            assert!(bad.rates().is_err(), "{bad:?}");
        }
    }
}
