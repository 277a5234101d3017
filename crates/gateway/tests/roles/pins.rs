//! The PIN button: what goes to the router, who must wait, and that nothing tells one card from another.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use ramz_api::problem::Problem;
use serde_json::json;

use crate::rig::{AMOUNT, OTHER_PAN, PAN, rig, solve};

#[tokio::test]
async fn the_router_is_asked_for_this_payment() {
    let rig = rig().await;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let sent = browser.ask("۶۱۰۴ 3370 0000 0016", 7).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    assert_eq!((&sent.json["ask_again_after_s"], &sent.json["asks_left"]), (&json!(120), &json!(4)));
    let asked = rig.asked.requests.lock().unwrap().clone();
    let expect = json!({ "pan": PAN, "payment": { "kind": "purchase", "amount": AMOUNT, "origin": "pay.example",
        "payee": { "acquirer": "581672061", "merchant": "000000140332124", "terminal": "14033212",
                   "name": "فروشگاه <نمونه>" } } });
    assert_eq!(asked, [(uuid::Uuid::from_u128(7).to_string(), expect)]);
}

#[tokio::test]
async fn the_same_card_waits_another_may_ask_at_once_and_five_are_all() {
    let rig = rig().await;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    assert_eq!(browser.ask(PAN, 1).await.status, StatusCode::ACCEPTED);
    rig.clock.advance(100);
    let soon = browser.ask(PAN, 2).await;
    assert_eq!((soon.status, soon.problem()), (StatusCode::TOO_MANY_REQUESTS, "ask-again-later"));
    assert_eq!(
        (&soon.json["retry_after_s"], &soon.headers["retry-after"]),
        (&json!(20), &"20".parse().unwrap())
    );
    // A page that was loaded again knows how long, by the server's time.
    let reloaded = rig.browse(&id).await;
    let left = reloaded.seen["ask_again_at_ms"].as_u64().unwrap() - reloaded.seen["now_ms"].as_u64().unwrap();
    assert_eq!(left, 20_000);
    assert_eq!(browser.ask(OTHER_PAN, 3).await.status, StatusCode::ACCEPTED);
    for press in 4..7 {
        rig.clock.advance(120);
        assert_eq!(browser.ask(PAN, press).await.status, StatusCode::ACCEPTED, "{press}");
    }
    rig.clock.advance(120);
    assert_eq!(browser.ask(PAN, 8).await.problem(), "no-more-asks");
    assert_eq!(rig.asked.requests.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_press_that_is_repeated_keeps_its_key_and_counts_once() {
    let rig = rig().await;
    let browser = rig.browse(&rig.payment().await).await;
    let proof = solve(browser.seen["challenge"].as_str().unwrap());
    rig.asked.drop_next.store(1, Ordering::SeqCst);
    for _ in 0..3 {
        let sent = browser.press(PAN, 1, &proof).await;
        assert_eq!(
            (sent.status, &sent.json["asks_left"]),
            (StatusCode::ACCEPTED, &json!(4)),
            "{}",
            sent.text
        );
    }
    let asked = rig.asked.requests.lock().unwrap().clone();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|request| *request == asked[0]));
}

#[tokio::test]
async fn a_bank_that_cannot_be_asked_is_told_and_costs_no_press() {
    let rig = rig().await;
    let browser = rig.browse(&rig.payment().await).await;
    for (problem, expect) in [
        (Problem::issuer_unavailable(3), "bank-unavailable"),
        (Problem::unknown_issuer(), "unknown-issuer"),
        (Problem::too_many_requests(3), "bank-unavailable"),
        (Problem::unknown_asker(), "fault"),
    ] {
        *rig.asked.refuse.lock().unwrap() = Some(problem);
        assert_eq!(browser.ask(PAN, 1).await.problem(), expect);
    }
    *rig.asked.refuse.lock().unwrap() = None;
    let sent = browser.ask(PAN, 2).await;
    assert_eq!((sent.status, &sent.json["asks_left"]), (StatusCode::ACCEPTED, &json!(4)));
}

#[tokio::test]
async fn the_bot_check_is_good_once() {
    let rig = rig().await;
    let browser = rig.browse(&rig.payment().await).await;
    for bad in ["", "0", "x"] {
        let no = browser.press(PAN, 1, bad).await;
        assert_eq!((no.status, no.problem()), (StatusCode::FORBIDDEN, "proof-needed"));
        assert_eq!(no.json["challenge"], browser.seen["challenge"]);
    }
    let proof = solve(browser.seen["challenge"].as_str().unwrap());
    assert_eq!(browser.press(PAN, 1, &proof).await.status, StatusCode::ACCEPTED);
    assert_eq!(browser.press(OTHER_PAN, 2, &proof).await.problem(), "proof-needed");
    let elsewhere = rig.browse(&rig.payment().await).await;
    assert_eq!(elsewhere.press(PAN, 3, &proof).await.problem(), "proof-needed");
    assert_eq!(rig.asked.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn pressing_many_times_at_once_asks_once() {
    let rig = rig().await;
    let browser = rig.browse(&rig.payment().await).await;
    let proof = solve(browser.seen["challenge"].as_str().unwrap());
    let mut presses = tokio::task::JoinSet::new();
    for press in 0..8 {
        let (browser, proof) = (browser.clone(), proof.clone());
        presses.spawn(async move { browser.press(PAN, press, &proof).await.status });
    }
    let statuses = presses.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::ACCEPTED).count(), 1);
    assert_eq!(rig.asked.requests.lock().unwrap().len(), 1);
}
