//! One id through the logs of page, router, issuer and SMS, and no secret beside it.

use std::fs;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{API_KEY, House};
use crate::page::{AMOUNT, Page};
use crate::processes::bank::{IIN, OPERATOR, card};
use crate::processes::until;
use crate::processes::wires::{fresh_key, pan};

const PHONE: &str = "09120001101";

/// The lines of a role's log that bear the id. Every line of the log is one JSON object.
fn lines(house: &House, role: &str, request: Uuid) -> Vec<Value> {
    let text = fs::read_to_string(house.bank.file(&format!("{role}.log"))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let of_it = lines.filter(|line| line["span"]["request"] == request.to_string());
    of_it.collect()
}

/// The one line with this message, its outcome, and that it says how long it took.
#[track_caller]
fn hop<'a>(lines: &'a [Value], message: &str, outcome: &str) -> &'a Value {
    let told: Vec<_> = lines.iter().filter(|line| line["message"] == message).collect();
    let [line] = told[..] else { panic!("{message}: {} lines in {lines:#?}", told.len()) };
    assert_eq!((&line["outcome"], &line["level"]), (&json!(outcome), &json!("INFO")), "{line}");
    assert!(line["ms"].is_u64(), "{line}");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_goes_through_page_router_issuer_and_sms() {
    let mut house = House::quick().await;
    let pan = pan(IIN, 1);
    let added = house.bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let id = added.json()["card"].clone();
    let press = fresh_key();
    let page = Page::open(&house).await;
    let asked = page.press(pan.expose(), press).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let pin = house.bank.pin_comes(PHONE, AMOUNT).await;
    // A card that nobody knows: the payer is told the same, the log knows better.
    let (stranger, unknown) = (crate::processes::wires::pan(IIN, 99), fresh_key());
    assert_eq!(page.press(stranger.expose(), unknown).await.status, 202);
    until("the last line is there", async || {
        let done = |request, message: &str| {
            lines(&house, "issuer", request).iter().any(|l| l["message"] == *message)
        };
        (done(press, "SMS handed over") && done(unknown, "card work done")).then_some(())
    })
    .await;

    let at_page = lines(&house, "gateway", press);
    assert!(
        at_page[0]["span"]["name"] == "pin_request" && at_page[0]["target"] == "ramz_gateway::ask",
        "{at_page:?}"
    );
    hop(&at_page, "the PIN button was pressed", "accepted");
    let at_router = lines(&house, "router", press);
    let line = hop(&at_router, "PIN request answered", "accepted");
    assert_eq!((&line["asker"], &line["bank"]), (&json!("gateway.test"), &json!("mellat")));
    let at_issuer = lines(&house, "issuer", press);
    let line = hop(&at_issuer, "PIN request admitted or refused", "accepted");
    assert_eq!((&line["asker"], &line["bank"]), (&json!("gateway.test"), &json!("mellat")));
    hop(&at_issuer, "card work done", "sent");
    let line = hop(&at_issuer, "SMS handed over", "accepted");
    assert_eq!((&line["bank"], &line["card"]), (&json!("mellat"), &id));
    assert!(line["parts"].as_u64().unwrap() >= 1, "{line}");
    hop(&lines(&house, "issuer", unknown), "card work done", "no such card");

    for process in [&mut house.issuer, &mut house.router, &mut house.gateway] {
        assert_eq!(process.terminate().0.code(), Some(0));
    }
    let secrets = [
        pan.expose(),
        stranger.expose(),
        &PHONE[1..],
        "98912",
        &pin,
        &AMOUNT.to_string(),
        "1,375,000",
        API_KEY,
    ];
    for role in ["issuer", "router", "gateway"] {
        let text = fs::read_to_string(house.bank.file(&format!("{role}.log"))).unwrap();
        for secret in secrets {
            assert!(!text.contains(secret), "{role}.log tells {secret}:\n{text}");
        }
    }
}
