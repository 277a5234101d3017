//! Transfers, bills, top-ups and balances: what the merchant may order, what the router and the bank are told, what is kept.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::rig::{CVV2, OTHER_PAN, PAN, PIN, Rig, Will, card, order, rig, until};

const TO: &str = "6037997000000019";
const BILL: (&str, &str) = ("7748317800142", "1770160");
const PHONE: &str = "09351234567";

/// An order of a kind that names its payee.
pub(crate) fn of(kind: &str) -> Value {
    let mut wanted = order();
    wanted["kind"] = json!(kind);
    match kind {
        "transfer" => wanted["payee_pan"] = json!(TO),
        "bill" => {
            wanted["bill"] = json!({ "bill": BILL.0, "payment": BILL.1 });
            wanted["amount"] = json!(17_000);
        }
        "top_up" => wanted["top_up"] = json!({ "phone": PHONE, "operator": "irancell" }),
        "balance" => wanted["amount"] = json!(0),
        _ => {}
    }
    wanted
}

pub(crate) async fn opened(rig: &Rig, wanted: &Value) -> String {
    let opened = rig.shop(Method::POST, "/v1/payments", wanted).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.json);
    opened.json["payment"].as_str().unwrap().to_owned()
}

/// A transfer whose destination the payer types.
async fn open_transfer(rig: &Rig) -> Browser {
    let mut wanted = of("transfer");
    wanted.as_object_mut().unwrap().remove("payee_pan");
    rig.browse(&opened(rig, &wanted).await).await
}

async fn pay_to(browser: &Browser, to: Option<&str>) -> crate::rig::Answered {
    let mut body = card(PAN);
    if let Some(to) = to {
        body["payee_pan"] = json!(to);
    }
    browser.call(Method::POST, "authorise", &body).await
}

#[tokio::test]
async fn each_kind_is_asked_for_and_paid_with_its_payee() {
    let merchant = json!({ "acquirer": "581672061", "merchant": "000000140332124", "terminal": "14033212",
                           "name": "فروشگاه <نمونه>" });
    let bill = json!({ "bill": BILL.0, "payment": BILL.1 });
    for (kind, payee, code, to, field_48, shown) in [
        ("transfer", json!({ "pan": TO }), "400000", Some(TO), "010049371", Some("603799******0019")),
        ("bill", bill, "500000", None, "030137748317800142040071770160010049371", Some("77*****800142")),
        (
            "top_up",
            merchant.clone(),
            "510000",
            None,
            "8001298935123456781008irancell010049371",
            Some("0935***4567"),
        ),
        ("balance", merchant, "310000", None, "010049371", None),
    ] {
        let rig = rig().await;
        let wanted = of(kind);
        let id = opened(&rig, &wanted).await;
        let browser = rig.browse(&id).await;
        assert_eq!(browser.ask(PAN, 1).await.status, StatusCode::ACCEPTED, "{kind}");
        let (_, asked) = rig.asked.requests.lock().unwrap()[0].clone();
        assert_eq!(asked["payment"]["payee"], payee, "{kind}");
        assert_eq!(
            (&asked["payment"]["kind"], &asked["payment"]["amount"]),
            (&json!(kind), &wanted["amount"])
        );
        if kind == "balance" {
            *rig.bank.purchases.lock().unwrap() = Will::Balance(TOLD);
        }
        let paid = browser.pay(PAN).await.json;
        assert_eq!(paid["result"], "paid", "{kind}: {paid}");
        assert_eq!(paid["receipt"]["payee"].as_str(), shown, "{kind}");
        let sent = rig.bank.seen("0200")[0].clone();
        assert_eq!((sent.get(3), sent.get(103), sent.get(48)), (Some(code), to, Some(field_48)), "{kind}");
        assert_eq!(
            sent.get(4).unwrap().parse::<u64>().unwrap(),
            wanted["amount"].as_u64().unwrap(),
            "{kind}"
        );
        let told = rig.look(&id).await;
        assert_eq!((&told["kind"], told["payee"].as_str()), (&json!(kind), shown));
        let verify = json!({ "amount": wanted["amount"] });
        let verified = rig.shop(Method::POST, &format!("/v1/payments/{id}/verify"), &verify).await;
        assert_eq!(verified.json["verified"], true, "{kind}");
    }
}

#[tokio::test]
async fn a_wrong_payee_is_refused_by_its_member() {
    let rig = rig().await;
    for (kind, pointer, value, place) in [
        ("transfer", "/payee_pan", json!("6037997000000018"), "/payee_pan"),
        ("transfer", "/payee_pan", json!("603799"), "/payee_pan"),
        ("bill", "/bill/bill", json!("7748317800143"), "/bill/bill"),
        ("bill", "/bill/bill", json!("1"), "/bill/bill"),
        ("bill", "/bill/payment", json!("1770161"), "/bill/payment"),
        ("bill", "/amount", json!(18_000), "/amount"),
        ("bill", "/bill", Value::Null, "/bill"),
        ("top_up", "/top_up/phone", json!("02112345678"), "/top_up/phone"),
        ("top_up", "/top_up/phone", json!("0935"), "/top_up/phone"),
        ("top_up", "/top_up/operator", json!("hamrah"), "/top_up/operator"),
        ("top_up", "/top_up", Value::Null, "/top_up"),
        ("balance", "/amount", json!(1), "/amount"),
        ("transfer", "/amount", json!(0), "/amount"),
        ("bill", "/kind", json!("purchase"), "/bill"),
        ("transfer", "/kind", json!("top_up"), "/payee_pan"),
        ("top_up", "/kind", json!("balance"), "/amount"),
    ] {
        let mut wrong = of(kind);
        *wrong.pointer_mut(pointer).unwrap() = value;
        let no = rig.shop(Method::POST, "/v1/payments", &wrong).await;
        assert_eq!(
            (no.status, &no.json["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!(place)),
            "{wrong}"
        );
        for secret in [TO, BILL.0, PHONE] {
            assert!(!no.text.contains(secret), "{}", no.text);
        }
    }
    let persian = json!({ "phone": "۰۹۳۵ ۱۲۳ ۴۵۶۷", "operator": "rightel" });
    let mut right = of("top_up");
    right["top_up"] = persian;
    opened(&rig, &right).await;
}

#[tokio::test]
async fn a_destination_that_the_payer_types_must_be_there_and_right_and_another_card() {
    let rig = rig().await;
    let browser = open_transfer(&rig).await;
    for to in [None, Some("6037997000000018"), Some("6037"), Some(PAN)] {
        let no = pay_to(&browser, to).await;
        assert_eq!(
            (no.status, &no.json["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!("/payee_pan"))
        );
        assert_eq!(browser.ask_to(PAN, 1, to).await.json["errors"][0]["pointer"], "/payee_pan", "{to:?}");
    }
    let named = rig.browse(&opened(&rig, &of("transfer")).await).await;
    assert_eq!(pay_to(&named, Some(TO)).await.json["errors"][0]["pointer"], "/payee_pan", "it is known");
    let purchase = rig.browse(&rig.payment().await).await;
    assert_eq!(pay_to(&purchase, Some(TO)).await.json["errors"][0]["pointer"], "/payee_pan", "there is none");
    assert!(rig.bank.seen("0200").is_empty() && rig.asked.requests.lock().unwrap().is_empty());

    let paid = pay_to(&browser, Some("۶۰۳۷ ۹۹۷۰ ۰۰۰۰ ۰۰۱۹")).await;
    assert_eq!(
        (&paid.json["result"], &paid.json["receipt"]["payee"]),
        (&json!("paid"), &json!("603799******0019"))
    );
    assert_eq!(rig.bank.seen("0200")[0].get(103), Some(TO));
}

#[tokio::test]
async fn a_press_is_for_one_destination() {
    let rig = rig().await;
    let browser = open_transfer(&rig).await;
    assert_eq!(browser.ask_to(PAN, 1, Some(TO)).await.status, StatusCode::ACCEPTED);
    assert_eq!(browser.ask_to(PAN, 1, Some(TO)).await.status, StatusCode::ACCEPTED, "a repeat");
    let other = browser.ask_to(PAN, 1, Some(OTHER_PAN)).await;
    assert_eq!(
        (other.status, &other.json["errors"][0]["pointer"]),
        (StatusCode::BAD_REQUEST, &json!("/press"))
    );
    // Another destination is no way around the wait of the card.
    assert_eq!(browser.ask_to(PAN, 2, Some(OTHER_PAN)).await.problem(), "ask-again-later");
    rig.clock.advance(120);
    assert_eq!(browser.ask_to(PAN, 3, Some(OTHER_PAN)).await.status, StatusCode::ACCEPTED);
    let to: Vec<_> =
        rig.asked.requests.lock().unwrap().iter().map(|(_, body)| body["payment"]["payee"].clone()).collect();
    assert_eq!(to, [json!({ "pan": TO }), json!({ "pan": TO }), json!({ "pan": OTHER_PAN })]);
}

#[tokio::test]
async fn a_balance_is_told_once_and_to_the_payer_only() {
    let rig = rig().await;
    *rig.bank.purchases.lock().unwrap() = Will::Balance("0001364C0000200000000002364D000000000007");
    let id = opened(&rig, &of("balance")).await;
    let browser = rig.browse(&id).await;
    let paid = browser.pay(PAN).await.json;
    assert_eq!(paid["balance"], json!({ "available": -7, "ledger": 20_000_000 }));
    for told in [browser.state().await, rig.look(&id).await, rig.browse(&id).await.seen] {
        assert!(!told.to_string().contains("20000000") && told.get("balance").is_none(), "{told}");
    }
    assert_eq!(rig.look(&id).await["state"], "paid");
    rig.pass(86_400);
    assert_eq!(
        (&rig.look(&id).await["state"], &rig.look(&id).await["verified"]),
        (&json!("paid"), &json!(true))
    );
    assert!(rig.bank.seen("0420").is_empty());
}

#[tokio::test]
async fn a_balance_in_doubt_is_asked_again_and_never_reversed() {
    let rig = rig().await;
    *rig.bank.purchases.lock().unwrap() = Will::Silence;
    let id = opened(&rig, &of("balance")).await;
    let browser = rig.browse(&id).await;
    let asking = tokio::spawn({
        let browser = browser.clone();
        async move { browser.pay(PAN).await.json }
    });
    rig.bank.wait_for("0200", 1).await;
    rig.switch.cut();
    let no = asking.await.unwrap();
    assert_eq!((&no["result"], &no["code"]), (&json!("refused"), &json!("91")), "{no}");
    assert_eq!(rig.look(&id).await["state"], "created");
    rig.pass(600);
    *rig.bank.purchases.lock().unwrap() = Will::Balance(TOLD);
    // A payment takes ten tries: none is wasted on a link that is down.
    until("the balance", async || {
        rig.running.links_up().await;
        browser.pay(PAN).await.json["result"] == "paid"
    })
    .await;
    rig.pass(86_400);
    assert!(rig.bank.seen("0420").is_empty() && rig.bank.seen("0421").is_empty());
}

/// A balance in rial, field 54.
const TOLD: &str = "0002364C000010000000";

#[tokio::test]
async fn a_balance_that_was_not_told_may_be_asked_again() {
    let rig = rig().await;
    let id = opened(&rig, &of("balance")).await;
    let browser = rig.browse(&id).await;
    for untold in [Will::Approve, Will::Balance(""), Will::Balance("0002840C000010000000")] {
        *rig.bank.purchases.lock().unwrap() = untold;
        let no = browser.pay(PAN).await.json;
        assert_eq!((&no["result"], &no["next"]), (&json!("refused"), &json!("ask")), "{no}");
        assert_eq!(rig.look(&id).await["state"], "created");
    }
    *rig.bank.purchases.lock().unwrap() = Will::Balance(TOLD);
    let told = browser.pay(PAN).await.json;
    assert_eq!(
        (&told["result"], &told["balance"]["available"]),
        (&json!("paid"), &json!(10_000_000)),
        "{told}"
    );
    assert_eq!(rig.look(&id).await["state"], "paid");
}

#[tokio::test]
async fn a_bank_that_does_not_know_the_destination_sends_the_payer_there() {
    let rig = rig().await;
    *rig.bank.purchases.lock().unwrap() = Will::Refuse("14", "no_such_payee");
    let browser = open_transfer(&rig).await;
    let no = pay_to(&browser, Some(TO)).await.json;
    assert_eq!((&no["next"], &no["code"]), (&json!("payee"), &json!("14")));
}

#[tokio::test]
async fn the_page_shows_what_is_paid_masked() {
    let rig = rig().await;
    for (kind, shown) in [
        (
            "transfer",
            vec!["id=\"to-shown\" dir=\"ltr\">603799 •••••• 0019<", "data-payee=\"603799******0019\""],
        ),
        ("bill", vec![">Phone bill</h1>", "77 ••••• 800142", "seventeen thousand rials"]),
        ("top_up", vec![">Irancell</h1>", "0935 ••• 4567"]),
        ("balance", vec![">Show balance</button>"]),
    ] {
        let id = opened(&rig, &of(kind)).await;
        let page = rig.call(Method::GET, &format!("/pay/{id}?lang=en"), &[], &Value::Null).await.text;
        for text in shown {
            assert!(page.contains(text), "{kind}: {text}");
        }
        assert_eq!(page.contains("id=\"amount\""), kind != "balance");
        assert!(!page.contains("id=\"to-pan\""), "{kind}: nothing to type");
        for secret in [TO, BILL.0, BILL.1, &PHONE[1..]] {
            assert!(!page.contains(secret), "{kind}: {secret}");
        }
        // So few digits may stand by chance in what is random, such as the payment's id.
        for secret in [CVV2, PIN] {
            let words = page.split(|c: char| !c.is_ascii_alphanumeric());
            assert!(!words.into_iter().any(|word| word == secret), "{kind}: {secret}");
        }
    }
    let typed = open_transfer(&rig).await;
    let page = rig.call(Method::GET, &format!("/pay/{}", typed.id), &[], &Value::Null).await.text;
    assert!(page.contains("id=\"to-pan\"") && page.contains("data-payee=\"\""));
}

/// The sealed columns of a payment's row.
async fn sealed(rig: &Rig, id: &str) -> Vec<String> {
    let key = ramz_domain::PaymentId::parse(id).unwrap().0;
    let row = rig.store.read(ramz_store::Table::Payment, &key).await.unwrap().unwrap();
    row.sealed.into_iter().map(|(column, _)| column.to_string()).collect()
}

#[tokio::test]
async fn a_named_payee_is_kept_while_it_may_be_paid_and_no_longer() {
    let rig = rig().await;
    for kind in ["transfer", "bill", "top_up"] {
        let id = opened(&rig, &of(kind)).await;
        let browser = rig.browse(&id).await;
        assert_eq!(sealed(&rig, &id).await, ["payee"], "{kind}");
        *rig.bank.purchases.lock().unwrap() = Will::Refuse("51", "");
        assert_eq!(browser.pay(PAN).await.json["result"], "refused");
        assert_eq!(sealed(&rig, &id).await, ["payee"], "{kind}: it may be tried again");
        *rig.bank.purchases.lock().unwrap() = Will::Approve;
        assert_eq!(browser.pay(PAN).await.json["result"], "paid");
        assert_eq!(sealed(&rig, &id).await, ["reversal"], "{kind}: paid, and not verified");
        let verify = json!({ "amount": of(kind)["amount"] });
        rig.shop(Method::POST, &format!("/v1/payments/{id}/verify"), &verify).await;
        assert!(sealed(&rig, &id).await.is_empty(), "{kind}: verified");

        let cancelled = opened(&rig, &of(kind)).await;
        rig.browse(&cancelled).await.call(Method::POST, "cancel", &json!({})).await;
        assert!(sealed(&rig, &cancelled).await.is_empty(), "{kind}: cancelled");
    }
    let balance = opened(&rig, &of("balance")).await;
    *rig.bank.purchases.lock().unwrap() = Will::Balance(TOLD);
    assert_eq!(rig.browse(&balance).await.pay(PAN).await.json["result"], "paid");
    assert!(sealed(&rig, &balance).await.is_empty(), "nothing is to be reversed");
    let abandoned = opened(&rig, &of("transfer")).await;
    rig.pass(3_600);
    until("its payee goes", async || sealed(&rig, &abandoned).await.is_empty()).await;
    assert_eq!(rig.look(&abandoned).await["state"], "expired");
}
