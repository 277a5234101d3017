//! Harim from end to end, as an outside integrator does it: the request by HTTPS, the SMS at a handset, the payment by ISO 8583.

use serde_json::{Value, json};

use crate::known::Lab;
use crate::processes::wires::{Site, fresh_key};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_pays_with_what_lab_json_says() {
    let lab = Lab::open("warn").await;
    let router = lab.secured("/router/url");
    for bank in 0..2 {
        let api = lab.secured(&format!("/banks/{bank}/api"));
        let switch = lab.switch(bank).await;
        let card = lab.card(bank, "active");
        let balance = lab.balance(&card).await;
        for (door, amount) in [(&router, 1_250_000), (&api, 480_000)] {
            let (text, pin) = lab.pin(door, &card, amount).await;
            assert!(text.contains(lab.text("/asker/merchant_name")), "{text}");
            assert!(text.lines().last().unwrap() == format!("@localhost #{pin}"), "{text}");
            assert_eq!(lab.pay(&switch, &card, amount, &pin).await, "00");
            assert_eq!(lab.pay(&switch, &card, amount, &pin).await, "55", "spent");
        }
        assert_eq!(balance - lab.balance(&card).await, 1_250_000 + 480_000);
        // For this payment only: another amount burns it.
        let (_, pin) = lab.pin(&router, &card, 9_000).await;
        assert_eq!(lab.pay(&switch, &card, 9_001, &pin).await, "59");
        assert_eq!(lab.pay(&switch, &card, 9_000, &pin).await, "55");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labs_clock_ends_a_pin() {
    let lab = Lab::open("warn").await;
    let (router, switch, card) = (lab.secured("/router/url"), lab.switch(0).await, lab.card(0, "active"));
    let (_, late) = lab.pin(&router, &card, 7_000).await;
    lab.advance(121).await;
    assert_eq!(lab.pay(&switch, &card, 7_000, &late).await, "55");
    let (_, in_time) = lab.pin(&router, &card, 8_000).await;
    lab.advance(60).await;
    assert_eq!(lab.pay(&switch, &card, 8_000, &in_time).await, "00");
    for wrong in [json!({ "advance_s": -1 }), json!({ "advance_s": 1e12 }), json!({}), json!([])] {
        assert_eq!(lab.portal.post("/lab/clock", &wrong).await.status, 400, "{wrong}");
    }
}

/// Nothing but the id tells one card from another: not the status, not a header, not a byte.
#[tokio::test(flavor = "multi_thread")]
async fn every_card_has_the_same_answer() {
    let lab = Lab::open("warn").await;
    let cards = lab.cards(0);
    let of = |found: &dyn Fn(&Value) -> bool| cards.iter().find(|card| found(card)).unwrap()["pan"].clone();
    let unknown = crate::processes::wires::pan(lab.text("/banks/0/iins/0"), 99_999_999);
    let kinds = [
        ("active", of(&|card| card["state"] == "active")),
        ("locked", of(&|card| card["state"] == "locked")),
        ("without a phone", of(&|card| card["phone"].is_null())),
        ("unknown", json!(unknown.expose())),
    ];
    for door in ["/router/url", "/banks/0/api"] {
        let site = lab.secured(door);
        let mut first: Option<(Vec<String>, String)> = None;
        // Twice each: a card that was asked too often is no different.
        for (kind, pan) in kinds.iter().chain(&kinds) {
            let reply =
                site.ask(fresh_key(), &lab.payee.request(pan.as_str().unwrap(), 5_000)).await.unwrap();
            assert_eq!(reply.status, 202, "{door}: {kind}: {}", reply.text);
            let id = reply.json()["request"].as_str().unwrap().to_owned();
            assert_eq!(id.len(), 36);
            let told = (reply.headers, reply.text.replace(&id, "…"));
            assert_eq!(*first.get_or_insert(told.clone()), told, "{door}: {kind}");
        }
    }
    // A repeat has the same answer, id included; another body under its key is a conflict.
    let (site, key) = (lab.secured("/router/url"), fresh_key());
    let body = lab.payee.request(kinds[0].1.as_str().unwrap(), 6_000);
    let [one, two] = [site.ask(key, &body).await.unwrap(), site.ask(key, &body).await.unwrap()];
    assert_eq!((one.status.as_u16(), one.text), (202, two.text));
    let other = site.ask(key, &lab.payee.request(kinds[0].1.as_str().unwrap(), 6_001)).await.unwrap();
    assert_eq!(other.status, 409, "{}", other.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_a_pin_verified() {
    let lab = Lab::open("debug").await;
    let (api, card) = (lab.secured("/banks/0/api"), lab.card(0, "active"));
    let (_, pin) = lab.pin(&api, &card, 310_000).await;
    let mut body = lab.payee.request(card["pan"].as_str().unwrap(), 310_000);
    body["expiry"] = card["expiry"].clone();
    body["slot"] = json!("second");
    body["pin"] = json!(pin);
    let of = |stan: &str| {
        let mut body = body.clone();
        body["transaction"] = json!({
            "stan": stan, "rrn": "406100000001", "acquirer": body["payment"]["payee"]["acquirer"],
            "terminal": body["payment"]["payee"]["terminal"], "local_time": "2026-11-24T05:22:44",
        });
        body
    };
    let first = api.post("/v1/verifications", &of("000001")).await;
    assert_eq!(first.json()["verdict"], "approved", "{}", first.text);
    assert_eq!(api.post("/v1/verifications", &of("000001")).await.text, first.text, "repeated");
    assert_eq!(api.post("/v1/verifications", &of("000002")).await.json()["refusal"], "stale_pin");
    let outcome = format!("/v1/verifications/{}/outcome", first.json()["verification"].as_str().unwrap());
    for (said, status) in [("approved", 200), ("declined", 409), ("reversed", 200)] {
        let reply = api.post(&outcome, &json!({ "outcome": said })).await;
        assert_eq!(reply.status, status, "{said}: {}", reply.text);
    }
    let log = std::fs::read_to_string(lab.folder.path().join("lab.log")).unwrap();
    assert!(!log.contains(&pin), "the PIN is in the log");
}

/// Ever other amounts at one shop: a few SMS, and none of them ends the PIN that came first.
#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_is_pressed_a_hundred_times_sends_a_few_sms() {
    let lab = Lab::open("warn").await;
    let (router, switch, card) = (lab.secured("/router/url"), lab.switch(0).await, lab.card(0, "active"));
    let (_, first) = lab.pin(&router, &card, 1_000).await;
    for amount in 2_000..2_100 {
        let body = lab.payee.request(card["pan"].as_str().unwrap(), amount);
        assert_eq!(router.ask(fresh_key(), &body).await.unwrap().status, 202);
    }
    assert_eq!(lab.pay(&switch, &card, 1_000, &first).await, "00");
    // Two wait to be spent at most. What was paid with gives its place back, and the last of the hundred may still take it.
    let texts = lab.texts(card["phone"].as_str().unwrap()).await.len();
    assert!((2..=3).contains(&texts), "{texts} SMS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_opens_a_payment() {
    let lab = Lab::open("warn").await;
    let gateway = Site::plain(lab.text("/gateway/url"));
    let body = json!({
        "amount": 250_000, "kind": "purchase", "order": "42",
        "callback": format!("http://localhost:{}/back", lab.port + 1),
    });
    let mut request = crate::processes::wires::with_json(axum::http::Method::POST, "/v1/payments", &body);
    let key = format!("Bearer {}", lab.text("/gateway/api_key"));
    request.headers_mut().insert("authorization", key.parse().unwrap());
    let opened = gateway.call(request).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.text);
    let page = opened.json()["page"].as_str().unwrap().replace(lab.text("/gateway/url"), "");
    assert_eq!(gateway.get(&page).await.status, 200);
}
