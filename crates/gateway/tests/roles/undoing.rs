//! What has no clear answer, and what nobody verified, goes back: until the bank has said so.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use crate::rig::{PAN, Rig, Will, rig, until};

/// A payment whose authorisation got lost on the way.
pub(crate) async fn lost(rig: &Rig) -> String {
    *rig.bank.purchases.lock().unwrap() = Will::Silence;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let paying = tokio::spawn(async move { browser.pay(PAN).await });
    rig.bank.wait_for("0200", 1).await;
    rig.switch.cut();
    let answer = paying.await.unwrap().json;
    assert_eq!(answer["result"], "unknown", "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("will be returned"));
    id
}

#[tokio::test]
async fn an_approval_in_another_way_is_reversed_and_no_refusal() {
    for code in ["08", "10", "11", "16", "68"] {
        let rig = rig().await;
        *rig.bank.purchases.lock().unwrap() = Will::Refuse(code, "");
        let id = rig.payment().await;
        let answer = rig.browse(&id).await.pay(PAN).await.json;
        assert_eq!(answer["result"], "unknown", "{code}: {answer}");
        until("it is reversed", async || {
            rig.pass(6);
            !rig.bank.seen("0420").is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_reversed_and_repeated_until_acknowledged() {
    let rig = rig().await;
    *rig.bank.reversals.lock().unwrap() = Will::Refuse("96", "malfunction");
    let id = lost(&rig).await;
    // The first asking may fall into the time without a connection: it was then not sent, and stays the first.
    until("0420", async || {
        rig.pass(6);
        !rig.bank.seen("0420").is_empty()
    })
    .await;
    assert_eq!(rig.look(&id).await["state"], "reversed");
    assert_eq!(rig.look(&id).await["reversal"], "pending");
    for repeats in 1..4 {
        rig.until_repeated(repeats).await;
    }
    *rig.bank.reversals.lock().unwrap() = Will::Approve;
    rig.until_acknowledged(&id).await;

    let (purchase, first) = (&rig.bank.seen("0200")[0], &rig.bank.seen("0420")[0]);
    assert_eq!(rig.bank.seen("0420").len(), 1);
    for repeat in rig.bank.seen("0421") {
        for field in [2, 4, 11, 12, 13, 14, 32, 37, 41, 42, 49, 90] {
            assert_eq!(repeat.get(field), first.get(field), "field {field}");
        }
    }
    for field in [2, 4, 12, 13, 14, 32, 37, 41, 42, 49] {
        assert_eq!(first.get(field), purchase.get(field), "field {field}");
    }
    let original =
        format!("0200{}{}00581672061{:0>11}", purchase.get(11).unwrap(), purchase.get(7).unwrap(), "");
    assert_eq!(first.get(90), Some(original.as_str()));
    assert_ne!(first.get(11), purchase.get(11));

    let asked = rig.bank.seen("0421").len();
    rig.pass(86_400);
    rig.stop().await;
    assert!(asked >= 3);
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_reversed() {
    let rig = rig().await;
    *rig.bank.purchases.lock().unwrap() = Will::OtherAmount;
    let id = rig.payment().await;
    assert_eq!(rig.browse(&id).await.pay(PAN).await.json["result"], "unknown");
    rig.bank.wait_for("0420", 1).await;
    rig.until_state(&id, "reversal", "acknowledged").await;
}

#[tokio::test]
async fn a_payment_found_authorising_after_a_crash_is_reversed() {
    let rig = rig().await;
    let never = Arc::new(Notify::new());
    *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&never));
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let paying = tokio::spawn({
        let browser = browser.clone();
        async move { browser.pay(PAN).await }
    });
    rig.bank.wait_for("0200", 1).await;
    // Another process on the same store, once the first would long have given up.
    let restarted = rig.another().await;
    restarted.running.sweep();
    assert_eq!(browser.state().await["state"], "authorising");
    rig.clock.advance(26);
    restarted.running.sweep();
    rig.bank.wait_for("0420", 1).await;
    rig.until_state(&id, "reversal", "acknowledged").await;
    // The first process was only slow: its late approval changes nothing, and the payer is not told that it is paid.
    never.notify_one();
    assert_eq!(paying.await.unwrap().json["result"], "unknown");
    assert_eq!(rig.look(&id).await["state"], "reversed");
}

#[tokio::test]
async fn a_payment_that_nobody_verifies_is_reversed_after_twenty_minutes() {
    let rig = rig().await;
    let id = rig.paid().await;
    rig.pass(1199);
    assert_eq!(rig.look(&id).await["state"], "paid");
    rig.pass(1);
    rig.until_state(&id, "reversal", "acknowledged").await;
    assert_eq!(rig.look(&id).await["state"], "reversed");
    let (purchase, reversal) = (&rig.bank.seen("0200")[0], &rig.bank.seen("0420")[0]);
    assert_eq!(purchase.get(37), reversal.get(37));
    let verify = format!("/v1/payments/{id}/verify");
    let late = rig.shop(axum::http::Method::POST, &verify, &json!({ "amount": 1_250_000 })).await;
    assert_eq!((late.problem(), &late.json["state"]), ("wrong-state", &json!("reversed")));
}

#[tokio::test]
async fn two_nodes_reverse_once() {
    let rig = rig().await;
    let id = rig.paid().await;
    let other = rig.another().await;
    rig.clock.advance(1200);
    for _ in 0..5 {
        rig.running.sweep();
        other.running.sweep();
    }
    rig.until_state(&id, "reversal", "acknowledged").await;
    assert_eq!(rig.bank.seen("0420").len() + rig.bank.seen("0421").len(), 1);
}
