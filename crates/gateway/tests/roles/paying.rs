//! From the order to the verified payment, and everything the bank may say in between.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::rig::{AMOUNT, OTHER_PAN, PAN, Will, card, order, rig, until};

#[tokio::test]
async fn a_payment_is_opened_paid_and_verified() {
    let rig = rig().await;
    let id = rig.payment().await;
    assert_eq!(rig.look(&id).await["state"], "created");
    let browser = rig.browse(&id).await;
    let paid = browser.pay(PAN).await;
    assert_eq!(paid.status, StatusCode::OK, "{}", paid.text);
    assert_eq!(paid.json["result"], "paid");
    assert_eq!(paid.json["receipt"]["card"], "610433******0016");
    assert_eq!(paid.json["receipt"]["amount"], AMOUNT);
    assert_eq!(paid.json["redirect"], format!("https://shop.example/back?basket=7&payment={id}"));

    let sent = rig.bank.seen("0200");
    let [sent] = sent.as_slice() else { panic!("{} authorisations", sent.len()) };
    for (field, value) in [
        (2, PAN),
        (3, "000000"),
        (4, "000001250000"),
        (14, "2807"),
        (22, "812"),
        (25, "59"),
        (32, "581672061"),
        (41, "14033212"),
        (42, "000000140332124"),
        (48, "010049371"),
        (49, "364"),
    ] {
        assert_eq!(sent.get(field), Some(value), "field {field}");
    }
    assert_eq!(sent.bytes(52).map(<[u8]>::len), Some(8));
    assert_eq!(paid.json["receipt"]["rrn"], sent.get(37).unwrap());

    let told = rig.look(&id).await;
    assert_eq!(
        (&told["state"], &told["verified"], &told["rrn"]),
        (&json!("paid"), &json!(false), &paid.json["receipt"]["rrn"])
    );
    let verify = format!("/v1/payments/{id}/verify");
    for _ in 0..2 {
        let verified = rig.shop(Method::POST, &verify, &json!({ "amount": AMOUNT })).await;
        assert_eq!(verified.status, StatusCode::OK);
        assert_eq!((&verified.json["state"], &verified.json["verified"]), (&json!("paid"), &json!(true)));
    }
    rig.pass(86_400);
    assert_eq!(rig.look(&id).await["state"], "paid");
    assert!(rig.bank.seen("0420").is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn another_amount_is_not_verified() {
    let rig = rig().await;
    let id = rig.paid().await;
    let verify = format!("/v1/payments/{id}/verify");
    for amount in [AMOUNT - 1, AMOUNT + 1, 1] {
        let no = rig.shop(Method::POST, &verify, &json!({ "amount": amount })).await;
        assert_eq!((no.status, no.problem()), (StatusCode::CONFLICT, "amount-mismatch"));
    }
    assert_eq!(rig.look(&id).await["verified"], false);
    let yes = rig.shop(Method::POST, &verify, &json!({ "amount": AMOUNT })).await;
    assert_eq!(yes.json["verified"], true);
}

#[tokio::test]
async fn what_is_not_paid_is_not_verified() {
    let rig = rig().await;
    let id = rig.payment().await;
    let no = rig.shop(Method::POST, &format!("/v1/payments/{id}/verify"), &json!({ "amount": AMOUNT })).await;
    assert_eq!(
        (no.status, no.problem(), &no.json["state"]),
        (StatusCode::CONFLICT, "wrong-state", &json!("created"))
    );
}

#[tokio::test]
async fn many_submits_at_once_are_one_authorisation() {
    let rig = rig().await;
    let go = Arc::new(Notify::new());
    *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&go));
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let other = rig.another().await;
    let mut submits = tokio::task::JoinSet::new();
    for n in 0..16 {
        // Half of them reach another node on the same store.
        let address = if n % 2 == 0 { rig.address } else { other.address };
        let browser = crate::rig::Browser { address, ..browser.clone() };
        submits.spawn(async move { browser.pay(if n % 3 == 0 { OTHER_PAN } else { PAN }).await });
    }
    rig.bank.wait_for("0200", 1).await;
    let mut refused = 0;
    while refused < 15 {
        let answer = submits.join_next().await.unwrap().unwrap();
        assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "in-progress"));
        refused += 1;
    }
    go.notify_one();
    let paid = submits.join_next().await.unwrap().unwrap();
    assert_eq!(paid.json["result"], "paid");
    assert_eq!(rig.bank.seen("0200").len(), 1);
    let again = browser.pay(PAN).await;
    assert_eq!((again.problem(), &again.json["state"]), ("wrong-state", &json!("paid")));
    assert_eq!(rig.bank.seen("0200").len(), 1);
}

#[tokio::test]
async fn a_refusal_says_why_and_what_to_do_and_may_be_mended() {
    let rig = rig().await;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    for (code, refusal, next) in [
        ("55", "wrong_pin", "pin"),
        ("55", "stale_pin", "ask"),
        ("59", "other_payment", "ask"),
        ("75", "tries_exceeded", "other_card"),
        ("51", "", "other_card"),
        ("54", "wrong_expiry", "card"),
        ("91", "issuer_inoperative", "later"),
    ] {
        *rig.bank.purchases.lock().unwrap() = Will::Refuse(code, refusal);
        let no = browser.pay(PAN).await.json;
        assert_eq!(
            (&no["result"], &no["code"], &no["next"]),
            (&json!("refused"), &json!(code), &json!(next))
        );
        assert!(no["text"].as_str().unwrap().ends_with('.') && no.get("redirect").is_none());
        assert_eq!(rig.look(&id).await["state"], "created");
    }
    *rig.bank.purchases.lock().unwrap() = Will::Approve;
    assert_eq!(browser.pay(PAN).await.json["result"], "paid");
}

#[tokio::test]
async fn a_payment_takes_ten_tries() {
    let rig = rig().await;
    *rig.bank.purchases.lock().unwrap() = Will::Refuse("51", "");
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let mut last = Value::Null;
    for left in (0..10).rev() {
        last = browser.pay(PAN).await.json;
        assert_eq!(last["tries_left"], left);
    }
    assert!(last["redirect"].is_string());
    assert_eq!(browser.pay(PAN).await.problem(), "wrong-state");
    assert_eq!(rig.look(&id).await["state"], "failed");
    assert_eq!(rig.bank.seen("0200").len(), 10);
}

#[tokio::test]
async fn a_bank_that_cannot_be_reached_is_91_and_nothing_is_reversed() {
    let rig = rig().await;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    rig.switch.hold_down(true);
    rig.switch.cut();
    // Between the cut and its discovery a message may still be taken for sent.
    until("91", async || browser.pay(PAN).await.json["code"] == "91").await;
    assert_eq!(rig.look(&id).await["state"], "created");
    rig.pass(3600);
    assert!(rig.bank.seen("0200").is_empty() && rig.bank.seen("0420").is_empty());
}

#[tokio::test]
async fn mistyped_fields_are_all_named_and_nothing_is_sent() {
    let rig = rig().await;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let body =
        json!({ "pan": "6104337000000061", "expiry": "13/28", "cvv2": "1", "pin": "12x4", "lang": "fa" });
    let no = browser.call(Method::POST, "authorise", &body).await;
    let places: Vec<_> =
        no.json["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(places, ["/pan", "/expiry", "/cvv2", "/pin"]);
    for typed in ["6104337000000061", "13/28", "12x4"] {
        assert!(!no.text.contains(typed), "{}", no.text);
    }
    let strange = browser.call(Method::POST, "authorise", &json!({ "pan": [PAN], "pin": "0472013" })).await;
    assert_eq!(strange.status, StatusCode::BAD_REQUEST);
    assert!(!strange.text.contains(PAN) && !strange.text.contains("0472013"));
    let mut unknown = card("6037990000000014");
    unknown["pan"] = json!(format!("603799000000001{}", ramz_domain::check_digit("603799000000001")));
    assert_eq!(browser.call(Method::POST, "authorise", &unknown).await.problem(), "unknown-issuer");
    assert!(rig.bank.seen("0200").is_empty());
    assert_eq!(rig.look(&id).await["state"], "created");
}

#[tokio::test]
async fn persian_digits_and_spaces_are_as_good() {
    let rig = rig().await;
    let id = rig.payment().await;
    let body = json!({ "pan": "۶۱۰۴ ۳۳۷۰ ۰۰۰۰ ۰۰۱۶", "expiry": "۰۷/۲۸", "cvv2": "٩٣٧١", "pin": "۰۴۷۲۰۱۳" });
    let paid = rig.browse(&id).await.call(Method::POST, "authorise", &body).await;
    assert_eq!(paid.json["result"], "paid", "{}", paid.text);
    assert_eq!(rig.bank.seen("0200")[0].get(2), Some(PAN));
}

#[tokio::test]
async fn an_expired_or_cancelled_payment_takes_no_card() {
    let rig = rig().await;
    let expired = rig.payment().await;
    let browser = rig.browse(&expired).await;
    rig.pass(1200);
    assert_eq!(browser.pay(PAN).await.json["state"], "expired");
    assert_eq!(rig.look(&expired).await["state"], "expired");

    let cancelled = rig.payment().await;
    let browser = rig.browse(&cancelled).await;
    let back = browser.call(Method::POST, "cancel", &json!({})).await;
    assert_eq!(back.json["redirect"], format!("https://shop.example/back?basket=7&payment={cancelled}"));
    assert_eq!(browser.pay(PAN).await.problem(), "wrong-state");
    assert_eq!(rig.look(&cancelled).await["state"], "failed");
    assert!(rig.bank.seen("0200").is_empty());
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_stop_its_payment() {
    let rig = rig().await;
    let go = Arc::new(Notify::new());
    *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&go));
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    let leaving = tokio::spawn({
        let browser = browser.clone();
        async move { browser.pay(PAN).await }
    });
    rig.bank.wait_for("0200", 1).await;
    leaving.abort();
    assert!(leaving.await.is_err());
    assert_eq!(browser.state().await["state"], "authorising");
    go.notify_one();
    rig.until_state(&id, "state", "paid").await;
    assert_eq!(browser.state().await["receipt"]["card"], "610433******0016");
    assert_eq!(order()["amount"], AMOUNT);
}
