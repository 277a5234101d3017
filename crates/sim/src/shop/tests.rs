//! The shop as a browser meets it, against a gateway of this test that speaks the merchant API over a real socket.

use std::{
    io,
    sync::{Mutex, atomic::AtomicU8, atomic::Ordering::SeqCst},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use ramz_api::{
    net::{BoxStream, Connector},
    tap::{Fact, Tap},
};
use ramz_domain::Moment;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::*;
use crate::portal::tests::StillClock;

const KEY: &str = "lab-key";
const PAYMENT: &str = "00000000000000000000000000000001";

struct Loopback;

#[async_trait]
impl Connector for Loopback {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(TcpStream::connect((host, port)).await?))
    }
}

struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, SeqCst));
    }
}

/// What the gateway was asked, in order, and what it will tell.
#[derive(Default)]
struct Gateway {
    page: String,
    asked: Vec<(String, Value)>,
    payment: Value,
    verify_status: u16,
}

type Shared = Arc<Mutex<Gateway>>;

async fn make(State(gateway): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {KEY}"));
    let mut gateway = gateway.lock().unwrap();
    gateway.payment = json!({ "payment": PAYMENT, "state": "paid", "amount": body["amount"],
        "order": body["order"], "rrn": "409812345678" });
    gateway.asked.push(("make".into(), body));
    (StatusCode::CREATED, Json(json!({ "payment": PAYMENT, "page": gateway.page }))).into_response()
}

async fn read(State(gateway): State<Shared>, Path(id): Path<String>) -> Response {
    let mut gateway = gateway.lock().unwrap();
    gateway.asked.push(("read".into(), id.into()));
    Json(gateway.payment.clone()).into_response()
}

async fn verify(State(gateway): State<Shared>, Path(id): Path<String>, Json(body): Json<Value>) -> Response {
    let mut gateway = gateway.lock().unwrap();
    gateway.asked.push((format!("verify {id}"), body));
    let status = StatusCode::from_u16(gateway.verify_status).unwrap();
    (status, Json(gateway.payment.clone())).into_response()
}

#[derive(Default)]
struct Heard(Mutex<Vec<Fact>>);

impl Tap for Heard {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

struct Street {
    shop: Router,
    gateway: Shared,
    heard: Arc<Heard>,
}

/// A shop and the gateway it uses; without one, an address where nobody listens.
async fn street(gateway_is_up: bool) -> Street {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway: Shared = Arc::new(Mutex::new(Gateway {
        page: format!("{url}/pay/x"),
        verify_status: 200,
        ..Gateway::default()
    }));
    if gateway_is_up {
        let app = Router::new()
            .route("/v1/payments", post(make))
            .route("/v1/payments/{id}", get(read))
            .route("/v1/payments/{id}/verify", post(verify))
            .with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
    } else {
        drop(listener);
    }
    let heard = Arc::new(Heard::default());
    let config = ShopConfig {
        gateway_url: url.clone(),
        api_key: Zeroizing::new(KEY.into()),
        public_url: "http://localhost:8701".into(),
        names: Names { persian: "فروشگاه نمونه".into(), english: "Sample Shop".into() },
        frame_ancestors: vec!["http://localhost:8700".into()],
        page_opens: PageOpens::InPlace,
        tap: heard.clone(),
    };
    let http = Http::new(Arc::new(Loopback), &url, Duration::from_secs(5)).unwrap();
    let clock = Arc::new(StillClock(Moment::from_unix_ms(0)));
    let shop = router(config, http, Arc::new(Counting(AtomicU8::new(1))), clock);
    Street { shop, gateway, heard }
}

impl Street {
    async fn get(&self, path: &str, cookie: &str) -> Response {
        let request = Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap();
        self.shop.clone().oneshot(request).await.unwrap()
    }

    async fn post(&self, path: &str, cookie: &str, form: &str) -> Response {
        let request = Request::post(path)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.shop.clone().oneshot(request).await.unwrap()
    }

    /// Orders two teas, and comes back.
    async fn order_and_return(&self) -> (StatusCode, String) {
        let response = self.post("/checkout", "", "tea=2").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        html(self.get(&format!("/paid?payment={PAYMENT}"), "ramz_shop_lang=en").await).await
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.gateway.lock().unwrap().asked.clone()
    }

    fn was_asked_to_verify(&self) -> bool {
        self.asked().iter().any(|(what, _)| what.starts_with("verify"))
    }
}

async fn html(response: Response) -> (StatusCode, String) {
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_basket_is_paid_and_settled_for_what_it_costs() {
    let street = street(true).await;
    let response = street.post("/basket", "", "product=saffron&do=add").await;
    assert_eq!(response.headers()["location"], "/");
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let (_, window) = html(street.get("/", &cookie).await).await;
    assert!(window.contains("۱٬۲۵۰٬۰۰۰") && window.contains("dir=\"rtl\""));

    let response = street.post("/checkout", &cookie, "").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert!(response.headers()["location"].to_str().unwrap().ends_with("/pay/x"));
    let made = street.asked()[0].1.clone();
    assert_eq!((&made["amount"], &made["kind"]), (&json!(1_250_000), &json!("purchase")));
    assert_eq!(made["callback"], "http://localhost:8701/paid");

    let response = street.get(&format!("/paid?payment={PAYMENT}"), &cookie).await;
    assert_eq!(
        response.headers()["set-cookie"].to_str().unwrap().split(';').next(),
        Some("ramz_shop_basket=")
    );
    let (status, receipt) = html(response).await;
    assert_eq!(status, StatusCode::OK);
    for shown in ["پرداخت شد", "۱٬۲۵۰٬۰۰۰", "409812345678", "۰۳:۳۰:۰۰"] {
        assert!(receipt.contains(shown), "{shown}");
    }
    assert_eq!(street.asked()[2], (format!("verify {PAYMENT}"), json!({ "amount": 1_250_000 })));
    // A reload shows the same receipt and asks nobody; the next basket stays.
    let reload = street.get(&format!("/paid?payment={PAYMENT}"), "").await;
    assert!(!reload.headers().contains_key("set-cookie"));
    let (_, again) = html(reload).await;
    assert!(again.contains("409812345678"));
    assert_eq!(street.asked().len(), 3);
}

#[tokio::test]
async fn a_gift_card_may_cost_any_amount() {
    let street = street(true).await;
    street.post("/checkout", "", "amount=%DB%B5%D9%AC%DB%B0%DB%B0%DB%B0").await;
    assert_eq!(street.asked()[0].1["amount"], 5000);
}

#[tokio::test]
async fn each_service_makes_a_payment_of_its_kind_and_the_trace_hears_no_number() {
    let (bill, payment) = SAMPLE_BILLS[0];
    let ids = format!("bill={bill}&payment={payment}");
    for (service, form, amount, extra) in [
        ("transfer", "amount=%DB%B5%D9%AC%DB%B0%DB%B0%DB%B0", 5_000, None),
        ("bill", ids.as_str(), 1_150_000, Some(("bill", json!({ "bill": bill, "payment": payment })))),
        (
            "top_up",
            "phone=0912+123+4567&operator=mci&amount=200000",
            200_000,
            Some(("top_up", json!({ "phone": "989121234567", "operator": "mci" }))),
        ),
        ("balance", "", 0, None),
    ] {
        let street = street(true).await;
        let response = street.post(&format!("/services/{service}"), "", form).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{service}");
        let made = street.asked()[0].1.clone();
        assert_eq!((&made["kind"], &made["amount"]), (&json!(service), &json!(amount)));
        for member in ["payee_pan", "bill", "top_up"] {
            let expect = extra.as_ref().filter(|(name, _)| *name == member).map(|(_, value)| value);
            assert_eq!(made.get(member), expect, "{service}: {member}");
        }
        let (status, receipt) =
            html(street.get(&format!("/paid?payment={PAYMENT}"), "ramz_shop_lang=en").await).await;
        assert!(
            status == StatusCode::OK && receipt.contains("href=\"/services\">To the services"),
            "{service}"
        );
        assert_eq!(street.asked()[2].1, json!({ "amount": amount }), "{service}: settled for what it costs");
        let heard = serde_json::to_string(&*street.heard.0.lock().unwrap()).unwrap();
        assert!(!heard.contains(bill) && !heard.contains("9121234567"), "{heard}");
    }
}

#[tokio::test]
async fn a_service_that_is_mistyped_says_so_and_makes_no_payment() {
    let street = street(true).await;
    for (service, form, said) in [
        ("transfer", "amount=x", "Write the amount"),
        ("bill", "bill=4012735804122&payment=115050403", "do not fit"),
        ("top_up", "phone=021&operator=mci&amount=200000", "Write the number"),
        ("top_up", "phone=09121234567&operator=mci&amount=1", "Write the number"),
    ] {
        let (status, page) =
            html(street.post(&format!("/services/{service}"), "ramz_shop_lang=en", form).await).await;
        assert!(status == StatusCode::BAD_REQUEST && page.contains(said), "{service} {form}");
    }
    let again = street.post("/services/bill", "ramz_shop_lang=en", "bill=%22%3E%3Cscript%3E&payment=1").await;
    let (_, page) = html(again).await;
    assert!(
        !page.contains("<script") && page.contains("&#60;script&#62;"),
        "what was typed comes back escaped"
    );
    assert_eq!(street.post("/services/gold", "", "").await.status(), StatusCode::BAD_REQUEST);
    assert!(street.asked().is_empty());
}

#[tokio::test]
async fn prices_are_the_shops_and_a_garbled_order_makes_no_payment() {
    let street = street(true).await;
    for form in
        ["tea=1&price=1", "tea=10", "tea=-1", "gold=1", "amount=0", "amount=1.5e3", "amount=", "tea=x"]
    {
        assert_eq!(html(street.post("/checkout", "", form).await).await.0, StatusCode::BAD_REQUEST, "{form}");
    }
    assert_eq!(html(street.post("/checkout", "", "").await).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        html(street.post("/basket", "", "product=gold&do=add").await).await.0,
        StatusCode::BAD_REQUEST
    );
    assert!(street.asked().is_empty());
}

#[tokio::test]
async fn a_forged_return_shows_no_receipt_and_asks_nobody() {
    let street = street(true).await;
    street.post("/checkout", "", "tea=2").await;
    for query in [
        "?payment=00000000000000000000000000000002",
        "?payment=../v1",
        "?payment=%3Cscript%3E",
        "?payment=",
        "",
        "?x=1",
    ] {
        let (status, page) = html(street.get(&format!("/paid{query}"), "").await).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{query}");
        assert!(!page.contains("script"));
    }
    assert_eq!(street.asked().len(), 1);
}

#[tokio::test]
async fn the_payment_page_speaks_the_customers_language() {
    for (cookie, end) in
        [("", "/pay/x"), ("ramz_shop_lang=fa", "/pay/x"), ("ramz_shop_lang=en", "/pay/x?lang=en")]
    {
        let street = street(true).await;
        let response = street.post("/checkout", cookie, "tea=2").await;
        assert!(response.headers()["location"].to_str().unwrap().ends_with(end), "{cookie}");
    }
}

#[tokio::test]
async fn what_did_not_come_from_the_basket_leaves_it_full() {
    let street = street(true).await;
    street.gateway.lock().unwrap().payment["amount"] = json!(0);
    street.post("/services/balance", "ramz_shop_basket=tea.2", "").await;
    let response = street.get(&format!("/paid?payment={PAYMENT}"), "ramz_shop_basket=tea.2").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn a_return_before_the_payment_is_no_receipt() {
    for (state, said) in [
        ("created", "Not paid yet"),
        ("failed", "Not paid"),
        ("expired", "The time to pay ran out"),
        ("reversed", "The payment was not completed"),
    ] {
        let street = street(true).await;
        street.post("/checkout", "", "tea=2").await;
        street.gateway.lock().unwrap().payment["state"] = state.into();
        let (status, page) =
            html(street.get(&format!("/paid?payment={PAYMENT}"), "ramz_shop_lang=en").await).await;
        assert!(status == StatusCode::OK && page.contains(said), "{state}");
        // Where money may be on its way, nobody is told to pay once more, or that it is back.
        let may_be_taken = matches!(state, "created" | "reversed");
        assert!(!may_be_taken || !(page.contains("order again") || page.contains("is back")), "{state}");
        assert!(!street.was_asked_to_verify());
    }
}

#[tokio::test]
async fn a_payment_of_another_amount_or_order_is_not_settled() {
    for (member, value) in [("amount", json!(1)), ("order", json!("00000000"))] {
        let street = street(true).await;
        street.post("/checkout", "", "tea=2").await;
        street.gateway.lock().unwrap().payment[member] = value;
        let (status, page) =
            html(street.get(&format!("/paid?payment={PAYMENT}"), "ramz_shop_lang=en").await).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(page.contains("not what was ordered"));
        assert!(!street.was_asked_to_verify());
    }
}

#[tokio::test]
async fn a_payment_the_gateway_does_not_settle_is_no_receipt() {
    for (answer, expect) in [(422, 409), (409, 409), (401, 502), (503, 502)] {
        let street = street(true).await;
        street.gateway.lock().unwrap().verify_status = answer;
        let (status, page) = street.order_and_return().await;
        assert_eq!(status.as_u16(), expect, "{answer}");
        assert!(!page.contains("Thank you"));
    }
}

#[tokio::test]
async fn a_gateway_that_is_away_is_said_plainly() {
    let street = street(false).await;
    let (status, page) = html(street.post("/checkout", "ramz_shop_lang=en", "tea=1").await).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(page.contains("The payment gateway does not answer") && page.contains("Try again"));
}

#[tokio::test]
async fn a_payer_is_sent_to_the_gateway_and_nowhere_else() {
    for page in ["https://evil.example/pay", "//evil.example", "/pay", "javascript:alert(1)"] {
        let street = street(true).await;
        street.gateway.lock().unwrap().page = page.into();
        assert_eq!(street.post("/checkout", "", "tea=1").await.status(), StatusCode::BAD_GATEWAY, "{page}");
    }
}

#[tokio::test]
async fn the_trace_hears_of_the_calls_but_not_of_the_key_or_the_page() {
    let street = street(true).await;
    street.order_and_return().await;
    let heard = street.heard.0.lock().unwrap();
    let titles: Vec<&str> = heard.iter().map(|fact| fact.title.as_str()).collect();
    let expect = [
        "POST /v1/payments",
        "201 created",
        "GET /v1/payments/…",
        "200 payment",
        "POST /v1/payments/…/verify",
        "200 settled",
    ];
    assert_eq!(titles, expect);
    let all = serde_json::to_string(&*heard).unwrap();
    assert!(all.contains("500000") && !all.contains(KEY) && !all.contains("/pay/x"), "{all}");
}

#[tokio::test]
async fn the_portal_alone_may_frame_the_shop_and_its_forms_lead_to_the_gateway() {
    let street = street(true).await;
    let response = street.get("/?lang=en", "").await;
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("frame-ancestors http://localhost:8700"), "{policy}");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:"), "{policy}");
    let (_, page) = html(response).await;
    assert!(page.contains("dir=\"ltr\"") && page.contains("Lahijan tea") && !page.contains("<script"));
    assert_eq!(html(street.get("/nothing", "").await).await.0, StatusCode::NOT_FOUND);
}
