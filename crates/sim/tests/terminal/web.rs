//! The lab's terminals over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use ramz_sim::terminal::{Machine, Patience, Terminals, router};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::issuer::{APP_ADDRESS, BALANCE, Branch, CARD, Counted, Issuer, PIN, RECEIPT_HALF, SHORT};

/// The terminals, each with a bank of its own.
struct Lab {
    app: Router,
    at_the_atm: Arc<Issuer>,
    at_the_counter: Arc<Issuer>,
    at_the_till: Arc<Issuer>,
    _stay: Vec<Box<dyn Send>>,
}

impl Lab {
    async fn open(patience: Patience) -> Lab {
        let atm = Branch::with("ascii", patience, Machine::Atm).await;
        let cashless = Branch::with("bcd", patience, Machine::Cashless).await;
        let pos = Branch::with("bcd", patience, Machine::Pos).await;
        let (at_the_atm, at_the_counter) = (atm.issuer.clone(), cashless.issuer.clone());
        let at_the_till = pos.issuer.clone();
        let (atm, atm_stays) = atm.apart();
        let (cashless, cashless_stays) = cashless.apart();
        let (pos, pos_stays) = pos.apart();
        let entropy = Arc::new(Counted(AtomicU64::new(3)));
        let app = router(Arc::new(Terminals { atm, cashless, pos, entropy }));
        let stay: Vec<Box<dyn Send>> =
            vec![Box::new(atm_stays), Box::new(cashless_stays), Box::new(pos_stays)];
        Lab { app, at_the_atm, at_the_counter, at_the_till, _stay: stay }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn ask(&self, body: &Value) -> (StatusCode, Value) {
        self.post("/terminal/services", body).await
    }

    async fn pay(&self, body: &Value) -> (StatusCode, Value) {
        self.post("/terminal/payments", body).await
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(path).header("content-type", "application/json");
        let (status, headers, text) = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(headers["cache-control"], "no-store", "{text}");
        let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
        assert_eq!(headers["content-type"], kind, "{text}");
        assert!(!text.contains(CARD) && !text.contains("4321"), "{text}");
        (status, serde_json::from_str(&text).unwrap())
    }
}

fn wanted(service: &str) -> Value {
    json!({ "pan": CARD, "expiry": "0712", "pin": PIN, "service": service, "terminal": "atm" })
}

#[tokio::test]
async fn a_service_is_answered_in_the_pinned_shape() {
    let lab = Lab::open(Patience::default()).await;
    let (status, told) = lab.ask(&wanted("910000")).await;
    let expect = json!({ "response_code": "00", "show": "آیا این موبایل شماست؟", "print": null,
        "masked_phone": "0912***1101", "receipt_half": null, "refusal": null, "app_address": null, "qr": null });
    assert_eq!((status, told), (StatusCode::OK, expect));
    let (_, told) = lab.ask(&wanted("900000")).await;
    assert_eq!((&told["receipt_half"], &told["app_address"]), (&json!(RECEIPT_HALF), &json!(APP_ADDRESS)));
    let rows = told["qr"].as_array().unwrap();
    let is_row = |row: &Value| row.as_str().is_some_and(|row| row.len() == rows.len());
    assert!(rows.len() > 21 + 8 && rows.iter().all(is_row), "{told}");
    let mut device = wanted("951000");
    device["choice"] = json!("۲");
    assert_eq!(lab.ask(&device).await.1["response_code"], "00");
}

#[tokio::test]
async fn each_terminal_says_which_it_is() {
    let lab = Lab::open(Patience::default()).await;
    lab.ask(&wanted("940000")).await;
    let mut at_the_counter = wanted("940000");
    at_the_counter["terminal"] = json!("cashless");
    at_the_counter.as_object_mut().unwrap().remove("expiry");
    lab.ask(&at_the_counter).await;
    for (issuer, category, has_expiry) in
        [(&lab.at_the_atm, "6011", true), (&lab.at_the_counter, "6010", false)]
    {
        let seen = issuer.seen.lock().unwrap();
        assert_eq!((seen.len(), seen[0].get(18), seen[0].has(14)), (1, Some(category), has_expiry));
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_no_problem() {
    let lab = Lab::open(Patience::default()).await;
    let mut wrong = wanted("910000");
    wrong["pin"] = json!("4321");
    let (status, told) = lab.ask(&wrong).await;
    assert_eq!(
        (status, &told["response_code"], &told["refusal"]),
        (StatusCode::OK, &json!("55"), &json!("wrong_pin"))
    );
}

#[tokio::test]
async fn what_is_malformed_is_told_at_its_place_and_goes_nowhere() {
    let lab = Lab::open(Patience::default()).await;
    for (member, value, pointer) in [
        ("pan", json!("6104337000000061"), "/pan"),
        ("pin", json!("12"), "/pin"),
        ("expiry", json!("0713"), "/expiry"),
        ("service", json!("910001"), "/service"),
        ("terminal", json!("pos"), "/terminal"),
        ("choice", json!("1"), "/choice"),
        ("pin", json!(1234), ""),
        ("more", json!(1), ""),
    ] {
        let mut body = wanted("910000");
        body[member] = value;
        let (status, told) = lab.ask(&body).await;
        assert_eq!(
            (status, &told["type"]),
            (StatusCode::BAD_REQUEST, &json!("/problems/malformed")),
            "{member}"
        );
        assert_eq!(told["errors"][0]["pointer"], pointer, "{told}");
    }
    let all = json!({ "pan": "1", "pin": "1", "service": "951000", "terminal": "" });
    let errors = lab.ask(&all).await.1["errors"].as_array().unwrap().len();
    assert_eq!(errors, 4, "all errors at once");
    let plain = Request::post("/terminal/services").body(Body::from("{}")).unwrap();
    assert_eq!(lab.send(plain).await.0, 415);
    assert!(lab.at_the_atm.asked().is_empty() && lab.at_the_counter.asked().is_empty());
}

fn payment(terminal: &str, payment: &str, amount: Option<u64>) -> Value {
    let mut body =
        json!({ "pan": CARD, "expiry": "0712", "pin": PIN, "payment": payment, "terminal": terminal });
    if let Some(amount) = amount {
        body["amount"] = json!(amount);
    }
    body
}

#[tokio::test]
async fn a_payment_is_answered_in_the_pinned_shape() {
    let lab = Lab::open(Patience::default()).await;
    let (status, told) = lab.pay(&payment("pos", "purchase", Some(12_345))).await;
    let rrn = lab.at_the_till.seen.lock().unwrap()[0].get(37).unwrap().to_owned();
    let expect = json!({ "response_code": "00", "reason": "Done.", "show": null, "refusal": null, "rrn": rrn,
        "amount": 12345, "balance": null, "reversal": null });
    assert_eq!((status, told), (StatusCode::OK, expect));
    let (_, told) = lab.pay(&payment("atm", "balance", None)).await;
    assert_eq!((&told["response_code"], &told["balance"]), (&json!("00"), &json!(BALANCE)));
    let (_, told) = lab.pay(&payment("atm", "withdrawal", Some(BALANCE + 500_000))).await;
    assert_eq!((&told["response_code"], &told["amount"]), (&json!("51"), &json!(BALANCE + 500_000)));
}

#[tokio::test]
async fn a_payment_that_is_undone_says_so() {
    let lab = Lab::open(SHORT).await;
    lab.at_the_till.silent_for.store(1, Ordering::SeqCst);
    let (status, told) = lab.pay(&payment("pos", "purchase", Some(12_345))).await;
    assert_eq!((status, &told["response_code"]), (StatusCode::OK, &Value::Null));
    assert_eq!(told["reversal"], "acknowledged");
    assert_eq!(lab.at_the_till.asked().len(), 2);
}

#[tokio::test]
async fn a_malformed_payment_is_told_at_its_place_and_goes_nowhere() {
    let lab = Lab::open(Patience::default()).await;
    for (member, value, pointer) in [
        ("pan", json!("6104337000000061"), "/pan"),
        ("pin", json!("12"), "/pin"),
        ("payment", json!("transfer"), "/payment"),
        ("payment", json!("purchase"), "/payment"),
        ("payment", json!("balance"), "/amount"),
        ("terminal", json!("cashless"), "/terminal"),
        ("terminal", json!("pos"), "/payment"),
        ("amount", json!(750_000), "/amount"),
        ("amount", json!(null), "/amount"),
        ("amount", json!("500000"), ""),
        ("amount", json!(-1), ""),
        ("service", json!("900000"), ""),
    ] {
        let mut body = payment("atm", "withdrawal", Some(500_000));
        body[member] = value;
        let (status, told) = lab.pay(&body).await;
        assert_eq!(
            (status, &told["errors"][0]["pointer"]),
            (StatusCode::BAD_REQUEST, &json!(pointer)),
            "{told}"
        );
    }
    let all = json!({ "pan": "1", "pin": "1", "payment": "", "amount": 1, "terminal": "" });
    assert_eq!(lab.pay(&all).await.1["errors"].as_array().unwrap().len(), 4, "all errors at once");
    assert!(lab.at_the_atm.asked().is_empty() && lab.at_the_till.asked().is_empty());
}

#[tokio::test]
async fn no_bank_and_no_answer_are_problems_that_say_so() {
    let lab = Lab::open(SHORT).await;
    let mut other = wanted("910000");
    other["pan"] = json!("6037997000000019");
    let (status, told) = lab.ask(&other).await;
    assert_eq!((status, &told["type"]), (StatusCode::NOT_FOUND, &json!("/problems/unknown-issuer")));
    lab.at_the_atm.silent_for.store(u64::MAX, Ordering::SeqCst);
    let (status, told) = lab.ask(&wanted("910000")).await;
    assert_eq!(
        (status, &told["type"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("/problems/issuer-unavailable"))
    );
    assert!(told["detail"].as_str().unwrap().starts_with("the bank does not answer"), "{told}");
}

#[tokio::test]
async fn the_menu_is_told_in_both_languages() {
    let lab = Lab::open(Patience::default()).await;
    let (status, _, text) = lab.send(Request::get("/terminal/menu").body(Body::empty()).unwrap()).await;
    let menu: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &menu["menu"]["fa"]), (StatusCode::OK, &json!("تغییر رمز و خدمات رمز پویا")));
    let services = menu["services"].as_array().unwrap();
    assert_eq!(services.iter().filter(|service| service["in_menu"] == true).count(), 8);
    assert_eq!(menu["payments"]["each"].as_array().unwrap().len(), 3);
    assert_eq!(menu["payments"]["withdrawal"]["multiple_of"], 500_000);
}
