//! The documented metrics are the ones that running roles show, name by name, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use ramz_domain::Phone;
use ramz_sms::port::SmsText;
use serde_json::{Value, json};

use crate::house::House;
use crate::page::Page;
use crate::processes::bank::{ASKER, EXPIRY, FIRST_PIN, IIN, OPERATOR, SHORT_CODE, card, payee};
use crate::processes::until;
use crate::processes::wires::{Site, fresh_key, pan};

const DOCUMENTED: &str = include_str!("../../../../docs/reference/metrics.md");
const PHONE: &str = "09120001101";

/// What a short run does not bring about: their labels are left to the tests of the role.
const SELDOM: [&str; 1] = ["ramz_reversals_total"];

/// Type and labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// A role's table.
fn documented(role: &str) -> Metrics {
    let (_, section) = DOCUMENTED.split_once(&format!("\n## {role}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut metrics = Metrics::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{row}");
        let bare = |text: &str| text.trim().trim_matches('`').to_owned();
        let mut labels: BTreeSet<_> =
            cells[2].split(',').map(bare).filter(|label| !label.is_empty()).collect();
        if SELDOM.contains(&bare(cells[0]).as_str()) {
            assert!(!labels.is_empty(), "{row}");
            labels.clear();
        }
        assert!(!cells[3].is_empty(), "{row}");
        let twice = metrics.insert(bare(cells[0]), (cells[1].to_owned(), labels));
        assert!(twice.is_none(), "{row}: documented twice");
    }
    metrics
}

/// What a role shows: each family once, with all its samples under it.
async fn shown(port: u16) -> Metrics {
    let page = Site::plain(&format!("http://localhost:{port}")).get("/metrics").await;
    assert_eq!(page.status, 200);
    let mut metrics = Metrics::new();
    let mut now = String::new();
    for line in page.text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            let twice = metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            assert!(twice.is_none(), "{name} begins twice");
            now = name.to_owned();
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"].iter().any(|end| name == format!("{now}{end}"));
            assert!(name == now || of_histogram, "{line} stands under {now}");
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
            let names = labels
                .split("\",")
                .filter_map(|label| label.split_once('='))
                .map(|(name, _)| name.to_owned());
            metrics.get_mut(&now).unwrap().1.extend(names.filter(|name| name != "le"));
        }
    }
    metrics
}

/// A PIN to be verified that nobody was sent.
fn verification(pan: &str) -> Value {
    let payee = payee();
    let paid = json!({ "acquirer": payee.acquirer, "merchant": payee.merchant });
    json!({
        "pan": pan, "expiry": EXPIRY, "slot": "second", "pin": "0000000",
        "payment": { "kind": "purchase", "amount": crate::page::AMOUNT, "payee": paid },
        "transaction": { "stan": "000900", "rrn": "406100000900", "acquirer": payee.acquirer,
                         "terminal": payee.terminal, "local_time": "2026-11-24T05:22:44" },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_metrics_are_the_ones_that_roles_show() {
    let house = House::quick().await;
    let (bank, pan) = (&house.bank, pan(IIN, 1));
    bank.account(&pan);
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    // One payment, so that every counter has something to tell.
    let page = Page::open(&house).await;
    assert_eq!(page.press(pan.expose(), fresh_key()).await.status, 202);
    let pin = bank.pin_comes(PHONE, crate::page::AMOUNT).await;
    let switch = bank.switch();
    switch.link.came_up().await;
    let payment = payee().payment(pan.expose(), EXPIRY, crate::page::AMOUNT, 1);
    assert_eq!(switch.pay(switch.with_pin(payment, &pin)).await, "00");
    // Asked for twice at once: the second is not sent.
    for _ in 0..2 {
        assert_eq!(Page::open(&house).await.press(pan.expose(), fresh_key()).await.status, 202);
    }
    let service = payee().service(pan.expose(), "910000", 2);
    assert_eq!(switch.pay(switch.with_pin(service, FIRST_PIN)).await, "00");
    bank.smsc.text(&Phone::parse(PHONE).unwrap(), SHORT_CODE, &SmsText::new("0000".into())).unwrap();
    let verified = bank.site(0, ASKER).post("/v1/verifications", &verification(pan.expose())).await;
    assert_eq!(verified.status, 200, "{}", verified.text);
    for (role, port) in
        [("issuer", bank.port + 3), ("router", house.router_port + 1), ("gateway", house.gateway_port + 1)]
    {
        until("every counter has a sample", async || {
            let shown = shown(port).await;
            let bare = |name: &String| {
                !shown[name].1.is_empty() || documented(role).get(name).is_none_or(|d| d.1.is_empty())
            };
            shown.keys().all(bare).then_some(())
        })
        .await;
        assert_eq!(
            shown(port).await,
            documented(role),
            "{role}: left is shown, right is in docs/reference/metrics.md"
        );
    }
}
