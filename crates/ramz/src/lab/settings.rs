//! The lab's configuration files: the same that a role would be started from on its own.

use ramz_domain::PaymentKind;
use serde_json::json;

use super::certificates::{ASKER, GATEWAY, OPERATOR, ROUTER};
use super::folder::Folder;
use super::pinned::{
    ACQUIRER, ATM, BANKS, BRANCH, BankPort, GROCERY, MERCHANT, MERCHANT_EN, MERCHANT_FA, ORIGIN, POS,
    PinnedBank, Ports, TERMINAL,
};

/// Writes `<bank>.toml`, `<bank>-operator.toml`, `<bank>-terminal.toml`, `<bank>-pos.toml`, `router.toml` and `gateway.toml`. Every ISO 8583 link speaks
/// `layout`. Rows are kept in files, or in `database`, where `{}` stands for whose they are.
pub(crate) fn write(
    folder: &Folder,
    ports: &Ports,
    layout: &str,
    database: Option<&str>,
) -> anyhow::Result<()> {
    let store = |of: &str| match database {
        Some(url) => json!({ "url": url.replace("{}", of) }),
        None => json!({ "path": folder.file(&format!("{of}.db")) }),
    };
    for (number, bank) in BANKS.iter().enumerate() {
        let mut settings = issuer(folder, ports, number, bank, layout);
        settings["store"] = store(bank.id);
        put(folder, &format!("{}.toml", bank.id), &json!({ "issuer": settings }))?;
        let url = format!("https://localhost:{}", ports.bank(number, BankPort::Admin));
        let operator = json!({ "operator": { "url": url, "tls": tls(folder, OPERATOR) } });
        put(folder, &format!("{}-operator.toml", bank.id), &operator)?;
        for (name, machine, number_of_it, place) in
            [("terminal", "atm", ATM, BRANCH), ("pos", "pos", POS, GROCERY)]
        {
            let mut settings = terminal(folder, ports, number, bank, layout);
            settings["machine"] = json!(machine);
            settings["terminal"] = json!(number_of_it);
            settings["merchant"] = json!(place);
            put(folder, &format!("{}-{name}.toml", bank.id), &json!({ "terminal": settings }))?;
        }
    }
    put(folder, "router.toml", &json!({ "router": router(folder, ports) }))?;
    let mut settings = gateway(folder, ports, layout);
    settings["store"] = store("gateway");
    put(folder, "gateway.toml", &json!({ "gateway": settings }))
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
    json!({ "name": name, "acquirers": [ACQUIRER], "kinds": PaymentKind::ALL.map(PaymentKind::code), "origins": [ORIGIN] })
}

fn issuer(
    folder: &Folder,
    ports: &Ports,
    number: usize,
    bank: &PinnedBank,
    layout: &str,
) -> serde_json::Value {
    let port = |of| at(ports.bank(number, of));
    json!({
        "listen": {
            "api": port(BankPort::Api),
            "switch": port(BankPort::Switch),
            "admin": port(BankPort::Admin),
            "app": port(BankPort::App),
            "metrics": port(BankPort::Metrics),
        },
        "tls": tls(folder, bank.id),
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
            "short_code": bank.short_code,
            "iins": bank.iins,
            "routers": [ROUTER],
            "askers": [asker(ASKER)],
            "verifiers": [{ "name": ASKER, "zone": "switch", "pin_block_format": 0 }],
            "operators": [OPERATOR],
            "static_pin": { "rule": "total_24h" },
            "app": {
                "public_url": format!("http://localhost:{}", ports.bank(number, BankPort::App)),
                "framed_by": [format!("http://localhost:{}", ports.portal())],
            },
            "limits": limits(),
            "switch": { "layout": layout, "zone": "switch" },
            "host": { "address": port(BankPort::Host), "layout": layout, "zone": "host" },
        },
    })
}

/// Wide: whoever tries the lab pays again and again with few cards, and measures. The card's own still bounds what a button
/// can do to a phone.
fn limits() -> serde_json::Value {
    json!({
        "card_in_2_min": 40,
        "card_in_hour": 80,
        "card_in_day": 80,
        "phone_in_2_min": 1_000_000,
        "phone_in_hour": 1_000_000,
        "phone_in_day": 1_000_000,
        "alerts_in_day": 1_000_000,
        "payer_in_hour": 1_000_000,
        "payee_in_hour": 1_000_000,
        "iin_per_s": 1_000_000,
        "asker_per_s": 20_000,
        "activation_address_in_hour": 1_000_000,
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
        "listen": {
            "api": at(ports.router()),
            "directory": at(ports.directory()),
            "metrics": at(ports.router_metrics()),
        },
        "tls": tls(folder, ROUTER),
        // Nobody balances the lab's load.
        "harim": { "banks": banks, "askers": [paced(GATEWAY), paced(ASKER)], "leave_after_s": 0 },
    })
}

fn gateway(folder: &Folder, ports: &Ports, layout: &str) -> serde_json::Value {
    let links: Vec<_> = BANKS
        .iter()
        .enumerate()
        .map(|(n, bank)| {
            json!({
                "name": format!("bank {}", bank.id),
                "iins": bank.iins,
                "address": at(ports.bank(n, BankPort::Switch)),
                "layout": layout,
                "zone": bank.id,
                "pin_block_format": 0,
                "sign_on": true,
            })
        })
        .collect();
    json!({
        "listen": { "page": at(ports.gateway()), "metrics": at(ports.gateway_metrics()) },
        "tls": tls(folder, GATEWAY),
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

/// What every machine at this bank has; which it is, is added.
fn terminal(
    folder: &Folder,
    ports: &Ports,
    number: usize,
    bank: &PinnedBank,
    layout: &str,
) -> serde_json::Value {
    json!({
        "address": at(ports.bank(number, BankPort::Switch)),
        "layout": layout,
        "zone": bank.id,
        "pin_block_format": 0,
        "acquirer": ACQUIRER,
        "keys": { "file": folder.file("terminal.keys"), "passphrase_file": folder.file("passphrase") },
    })
}
