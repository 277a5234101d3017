//! The lab's configuration files: the same that a role would be started from on its own.

use serde_json::json;

use super::certificates::{ASKER, GATEWAY, OPERATOR, ROUTER};
use super::folder::Folder;
use super::pinned::{
    ACQUIRER, BANKS, BankPort, MERCHANT, MERCHANT_EN, MERCHANT_FA, ORIGIN, PinnedBank, Ports, TERMINAL,
};

/// Writes `<bank>.toml`, `<bank>-operator.toml`, `router.toml` and `gateway.toml`.
pub(crate) fn write(folder: &Folder, ports: &Ports) -> anyhow::Result<()> {
    for (number, bank) in BANKS.iter().enumerate() {
        put(folder, &format!("{}.toml", bank.id), &json!({ "issuer": issuer(folder, ports, number, bank) }))?;
        let url = format!("https://localhost:{}", ports.bank(number, BankPort::Admin));
        let operator = json!({ "operator": { "url": url, "tls": tls(folder, OPERATOR) } });
        put(folder, &format!("{}-operator.toml", bank.id), &operator)?;
    }
    put(folder, "router.toml", &json!({ "router": router(folder, ports) }))?;
    put(folder, "gateway.toml", &json!({ "gateway": gateway(folder, ports) }))
}

fn put(folder: &Folder, name: &str, value: &serde_json::Value) -> anyhow::Result<()> {
    let about =
        "# Written by `ramz lab`. Start the role alone with it: `ramz <role> --config <this file>`.\n\n";
    std::fs::write(folder.file(name), format!("{about}{}", toml::to_string_pretty(value)?))?;
    Ok(())
}

fn tls(folder: &Folder, name: &str) -> serde_json::Value {
    json!({
        "cert_file": folder.file(&format!("{name}.pem")),
        "key_file": folder.file(&format!("{name}.key")),
        "ca_file": folder.file("ca.pem"),
    })
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn asker(name: &str) -> serde_json::Value {
    json!({ "name": name, "acquirers": [ACQUIRER], "kinds": ["purchase"], "origins": [ORIGIN] })
}

fn issuer(folder: &Folder, ports: &Ports, number: usize, bank: &PinnedBank) -> serde_json::Value {
    let port = |of| at(ports.bank(number, of));
    json!({
        "listen": {
            "api": port(BankPort::Api),
            "switch": port(BankPort::Switch),
            "admin": port(BankPort::Admin),
            "metrics": port(BankPort::Metrics),
        },
        "tls": tls(folder, bank.id),
        "store": { "path": folder.file(&format!("{}.db", bank.id)) },
        "keys": { "file": folder.file(&format!("{}.keys", bank.id)), "passphrase_file": folder.file("passphrase") },
        "sms": {
            "address": port(BankPort::Smpp),
            "system_id": bank.id,
            "password_file": folder.file("smpp-password"),
            "sender": bank.sender,
        },
        "bank": {
            "id": bank.id,
            "name_fa": bank.name_fa,
            "name_en": bank.name_en,
            "iins": bank.iins,
            "routers": [ROUTER],
            "askers": [asker(ASKER)],
            "operators": [OPERATOR],
            "switch": { "zone": "switch" },
            "host": { "address": port(BankPort::Host), "zone": "host" },
        },
    })
}

fn router(folder: &Folder, ports: &Ports) -> serde_json::Value {
    let banks: Vec<_> = BANKS
        .iter()
        .enumerate()
        .map(|(n, bank)| json!({ "id": bank.id, "url": format!("https://localhost:{}", ports.bank(n, BankPort::Api)) }))
        .collect();
    let paced = |name| {
        let mut asker = asker(name);
        asker["rate_per_s"] = json!(20_000);
        asker["burst"] = json!(40_000);
        asker
    };
    json!({
        "listen": { "api": at(ports.router()), "metrics": at(ports.router_metrics()) },
        "tls": tls(folder, ROUTER),
        "harim": { "banks": banks, "askers": [paced(GATEWAY), paced(ASKER)] },
    })
}

fn gateway(folder: &Folder, ports: &Ports) -> serde_json::Value {
    let links: Vec<_> = BANKS
        .iter()
        .enumerate()
        .map(|(n, bank)| {
            json!({
                "name": format!("bank {}", bank.id),
                "iins": bank.iins,
                "address": at(ports.bank(n, BankPort::Switch)),
                "layout": "ascii",
                "zone": bank.id,
                "pin_block_format": 0,
                "sign_on": true,
            })
        })
        .collect();
    json!({
        "listen": { "page": at(ports.gateway()), "metrics": at(ports.gateway_metrics()) },
        "tls": tls(folder, GATEWAY),
        "store": { "path": folder.file("gateway.db") },
        "keys": { "file": folder.file("gateway.keys"), "passphrase_file": folder.file("passphrase") },
        "page": {
            "public_url": format!("http://localhost:{}", ports.gateway()),
            "origin": ORIGIN,
            "acquirer": ACQUIRER,
            "router": format!("https://localhost:{}", ports.router()),
            "frame_ancestors": [format!("http://localhost:{}", ports.portal())],
            "merchants": [{
                "id": "shop",
                "name_fa": MERCHANT_FA,
                "name_en": MERCHANT_EN,
                "merchant": MERCHANT,
                "terminal": TERMINAL,
                "api_key_file": folder.file("api-key"),
                "callbacks": [format!("http://localhost:{}", ports.shop())],
            }],
            "links": links,
        },
    })
}
