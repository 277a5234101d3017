//! What is pinned about the lab: its line, its ports, `lab.json`, its cards, its health.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::known::Lab;
use crate::processes::wires::Site;

/// Members that outside programs rely on. More may be there.
#[track_caller]
fn has(value: &Value, members: &[&str]) {
    for member in members {
        assert!(value.get(member).is_some(), "no {member:?} in {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_json_has_the_pinned_shape() {
    let mut lab = Lab::open("warn").await;
    let json = &lab.json;
    assert_eq!(json["version"], 1);
    has(json, &["portal", "gateway", "router", "tls", "asker", "banks", "cards", "handsets", "bills"]);
    has(&json["terminals"], &["atm", "cashless", "pos", "services", "payments"]);
    has(&json["gateway"], &["url", "merchant", "api_key"]);
    has(&json["asker"], &["acquirer", "merchant", "terminal", "merchant_name", "origin"]);
    let port = lab.port;
    let at = |scheme: &str, more: u16| format!("{scheme}://localhost:{}", port + more);
    assert_eq!(lab.text("/portal"), at("http", 0));
    assert_eq!(lab.text("/gateway/url"), at("http", 2));
    assert_eq!(lab.text("/router/url"), at("https", 10));
    assert_eq!(lab.text("/handsets"), format!("{}/handsets", at("http", 0)));
    let tls = lab.tls();
    for file in [&tls.ca, &tls.cert, &tls.key] {
        assert!(std::fs::read_to_string(file).unwrap().starts_with("-----BEGIN"), "{}", file.display());
    }
    let banks = json["banks"].as_array().unwrap();
    assert!(banks.len() >= 2);
    for (n, bank) in banks.iter().enumerate() {
        has(bank, &["id", "name", "iins", "api", "admin", "app", "short_code", "iso8583", "smpp", "zone"]);
        has(&bank["iso8583"], &["address", "layout", "header"]);
        has(&bank["smpp"], &["address", "system_id", "password"]);
        has(&bank["zone"], &["id", "cipher", "key", "pin_block_format"]);
        let base = 20 + 10 * u16::try_from(n).unwrap();
        assert_eq!(bank["api"], at("https", base));
        assert_eq!(bank["admin"], at("https", base + 2));
        assert_eq!(bank["app"], at("http", base + 3));
        assert_eq!(bank["iso8583"]["address"], format!("localhost:{}", port + base + 1));
        assert_eq!(bank["smpp"]["address"], format!("localhost:{}", port + base + 4));
        assert_eq!((&bank["zone"]["cipher"], &bank["zone"]["pin_block_format"]), (&"tdea".into(), &0.into()));
        assert_eq!(hex::decode(bank["zone"]["key"].as_str().unwrap()).unwrap().len(), 16);
        cards(&lab, n, bank);
    }
    assert_eq!(lab.process.more_lines(), Vec::<String>::new(), "one line, and no more");
    health(&lab).await;
    // The file in the data folder is the same, for programs on this machine.
    let file = std::fs::read_to_string(lab.folder.path().join("data/lab.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap()["banks"], json["banks"]);
    let (status, after) = lab.process.terminate();
    assert_eq!(status.code(), Some(0), "{}", lab.process.said());
    assert!(after.as_secs() < 5, "it took {after:?} to end");
}

fn cards(lab: &Lab, n: usize, bank: &Value) {
    let cards = lab.cards(n);
    assert!(cards.len() >= 5, "bank {n} has {} cards", cards.len());
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let mut phones: BTreeMap<&str, usize> = BTreeMap::new();
    let mut pans = BTreeSet::new();
    for card in &cards {
        has(
            card,
            &[
                "bank",
                "pan",
                "expiry",
                "cvv2",
                "static_first_pin",
                "static_second_pin",
                "phone",
                "balance",
                "state",
            ],
        );
        *states.entry(card["state"].as_str().unwrap()).or_default() += 1;
        if let Some(phone) = card["phone"].as_str() {
            assert!(phone.starts_with("09") && phone.len() == 11, "{phone}");
            *phones.entry(phone).or_default() += 1;
        }
        let pan = card["pan"].as_str().unwrap();
        ramz_domain::Pan::parse(pan).unwrap();
        assert!(bank["iins"].as_array().unwrap().iter().any(|iin| pan.starts_with(iin.as_str().unwrap())));
        assert!(pans.insert(pan.to_owned()));
        assert!(card["balance"].as_u64().unwrap() > 0);
    }
    assert!(states.get("locked") >= Some(&1) && states.get("active") >= Some(&1), "{states:?}");
    assert!(cards.iter().any(|card| card["phone"].is_null()), "none without a phone");
    assert!(phones.values().any(|count| *count >= 2), "no two share a phone");
}

async fn health(lab: &Lab) {
    for (more, metric) in
        [(19, "ramz_"), (29, "ramz_link_up{link=\"host\"} 1"), (39, "ramz_link_up{link=\"sms\"} 1")]
    {
        let site = Site::plain(&format!("http://localhost:{}", lab.port + more));
        for path in ["/healthz", "/readyz"] {
            let reply = site.get(path).await;
            assert_eq!(reply.status, 200, "{more} {path}: {}", reply.text);
        }
        let reply = site.get("/metrics").await;
        assert!(reply.status == 200 && reply.text.contains(metric), "{more}: {}", reply.text);
        assert!(reply.headers.iter().any(|h| h.starts_with("content-type: text/plain; version=0.0.4")));
        for line in reply.text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
        }
    }
}
