//! A bank with router and gateway beside it, each a process, and key files made by the commands an operator would use, or quickly.

use serde_json::{Value, json};

use crate::processes::bank::{ASKER, Bank, HOST_ZONE_KEY, IIN, ROUTER, ZONE_KEY, start};
use crate::processes::process::{Process, Said, free_ports, run};
use crate::processes::surroundings::TlsClient;
use crate::processes::wires::Site;

/// The key that the gateway takes payments under.
pub(crate) const API_KEY: &str = "0123456789abcdef0123456789abcdef";

/// Router and gateway beside a bank.
pub(crate) struct House {
    pub(crate) bank: Bank,
    pub(crate) issuer: Process,
    pub(crate) router: Process,
    pub(crate) gateway: Process,
    pub(crate) router_port: u16,
    pub(crate) gateway_port: u16,
}

impl House {
    /// With key files as an operator makes them.
    pub(crate) async fn open() -> House {
        let bank = Bank::open().await;
        keys(&bank, "issuer.keys", &[("switch", &ZONE_KEY), ("host", &HOST_ZONE_KEY)]);
        keys(&bank, "gateway.keys", &[("mellat", &ZONE_KEY)]);
        House::of(bank).await
    }

    /// With key files whose passphrase is stretched for a moment only.
    pub(crate) async fn quick() -> House {
        let bank = Bank::open().await;
        bank.quick_keys();
        bank.quick_key_file("gateway.keys", &[("mellat", &ZONE_KEY)]);
        House::of(bank).await
    }

    async fn of(bank: Bank) -> House {
        let (router_port, gateway_port) = (free_ports(2), free_ports(2));
        bank.authority.certify("gateway.test");
        bank.write("api-key", &format!("{API_KEY}\n"));
        bank.settings("router.toml", &router(&bank, router_port));
        bank.settings("gateway.toml", &gateway(&bank, router_port, gateway_port));
        let issuer = bank.start();
        let mut router = start("router", &bank.file("router.toml"), &bank.file("router.log"));
        assert_eq!(router.line(), format!("router ready: api 127.0.0.1:{router_port}"));
        let mut gateway = start("gateway", &bank.file("gateway.toml"), &bank.file("gateway.log"));
        assert_eq!(gateway.line(), format!("gateway ready: page 127.0.0.1:{gateway_port}"));
        bank.ready().await;
        House { bank, issuer, router, gateway, router_port, gateway_port }
    }

    pub(crate) fn router(&self, name: &str) -> Site {
        let url = format!("https://localhost:{}", self.router_port);
        Site::new(TlsClient::with(&self.bank.tls(name)), &url)
    }
}

/// A key file as an operator makes it.
fn keys(bank: &Bank, name: &str, zones: &[(&str, &[u8])]) {
    let path = |name: &str| bank.file(name).to_str().unwrap().to_owned();
    let (file, passphrase) = (path(name), path("passphrase"));
    let of = ["--file", &file, "--passphrase-file", &passphrase];
    let made = good(run([&["keys", "init"][..], &of].concat(), ""));
    assert!(made.starts_with(&file), "{made}");
    for (zone, key) in zones {
        let hex = bank.write(&format!("{zone}.hex"), &hex::encode(key));
        let more = [zone, "--cipher", "tdea", "--key-file-hex", hex.to_str().unwrap()];
        let added = good(run([&["keys", "zone"][..], &of, &more].concat(), ""));
        assert!(added.starts_with(&format!("zone {zone} added, check value ")), "{added}");
        assert!(!added.contains(&hex::encode_upper(key)) && !added.contains(&hex::encode(key)), "{added}");
    }
    let shown = good(run([&["keys", "show"][..], &of].concat(), ""));
    for (zone, _) in zones {
        assert!(shown.contains(&format!("zone     {zone} Tdea check value ")), "{shown}");
    }
    let again = run([&["keys", "init"][..], &of].concat(), "");
    assert!(again.code == Some(1) && again.err.contains("is there already"), "{}", again.err);
}

fn router(bank: &Bank, port: u16) -> Value {
    let asker = |name: &str| json!({ "name": name, "acquirers": ["581672061"], "kinds": ["purchase"], "origins": ["pay.example"] });
    json!({ "router": {
        "listen": { "api": format!("127.0.0.1:{port}"), "directory": "", "metrics": format!("127.0.0.1:{}", port + 1) },
        "tls": bank.tls(ROUTER).settings(),
        "harim": {
            "banks": [{ "id": "mellat", "url": bank.at("https", 0) }],
            "askers": [asker(ASKER), asker("gateway.test")],
        },
    } })
}

fn gateway(bank: &Bank, router_port: u16, port: u16) -> Value {
    let merchant = json!({
        "id": "shop", "name_fa": "فروشگاه نمونه", "name_en": "Sample Shop", "merchant": "000000140332124",
        "terminal": "14033212", "api_key_file": bank.file("api-key"), "callbacks": ["http://localhost:1"],
    });
    let link = json!({
        "name": "bank mellat", "iins": [IIN], "address": format!("127.0.0.1:{}", bank.port + 1), "layout": "ascii",
        "zone": "mellat", "pin_block_format": 0, "sign_on": true,
    });
    json!({ "gateway": {
        "listen": { "page": format!("127.0.0.1:{port}"), "metrics": format!("127.0.0.1:{}", port + 1) },
        "tls": bank.tls("gateway.test").settings(),
        "store": bank.kept.settings("gateway"),
        "keys": { "file": bank.file("gateway.keys"), "passphrase_file": bank.file("passphrase") },
        "page": {
            "public_url": format!("http://localhost:{port}"),
            "origin": "pay.example",
            "acquirer": "581672061",
            "router": format!("https://localhost:{router_port}"),
            "merchants": [merchant],
            "links": [link],
        },
    } })
}

pub(crate) fn good(said: Said) -> String {
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.out
}
