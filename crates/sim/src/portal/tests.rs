//! The portal as a browser and as an outside program meet it.

use std::{
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    response::Response,
};
use ramz_api::serve::App;
use ramz_domain::{Clock, Entropy, Moment};
use tower::ServiceExt;

use super::*;

/// A clock that stands.
pub(crate) struct StillClock(pub(crate) Moment);

impl Clock for StillClock {
    fn now(&self) -> Moment {
        self.0
    }
}

/// Only faults would ask for it.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

struct HandClock(AtomicU64);

impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(SeqCst))
    }
}

impl LabClock for HandClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), SeqCst);
    }
}

struct Balance(Mutex<u64>);

#[async_trait::async_trait]
impl Cards for Balance {
    async fn now(&self) -> Vec<CardNow> {
        vec![CardNow {
            pan: "6104337000000016".into(),
            balance: *self.0.lock().unwrap(),
            state: "locked".into(),
        }]
    }
}

/// As a door serves it.
fn guarded(routes: Router) -> Router {
    let app = Arc::new(App::from(routes));
    Router::new().fallback(async move |request| app.answer(request, &NoEntropy).await)
}

/// One request to a router.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Response {
    router.clone().oneshot(request).await.unwrap()
}

/// The JSON under a path, with the status.
pub(crate) async fn get_json(router: &Router, path: &str) -> (StatusCode, Value) {
    json_of(send(router, Request::get(path).body(Body::empty()).unwrap()).await).await
}

async fn json_of(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    if status.is_client_error() {
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    (status, serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap())
}

fn portal(cards: Option<Arc<dyn Cards>>) -> Router {
    let clock = Arc::new(HandClock(AtomicU64::new(1_767_225_599_000)));
    let lab_json = json!({ "version": 1, "gateway": { "url": "http://localhost:8702" },
        "banks": [{ "id": "mellat", "app": "http://localhost:8723" }, { "id": "none" }, { "id": "odd", "app": "x" }],
        "cards": [{ "bank": "mellat", "pan": "6104337000000016", "balance": 50, "state": "active" }] });
    let trace = Trace::new(clock.clone());
    let state = PortalState { lab_json, trace, clock, cards, shop_url: "http://localhost:8701".into() };
    guarded(router(state))
}

async fn post_clock(portal: &Router, kind: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/lab/clock").header("content-type", kind).body(body.into()).unwrap();
    json_of(send(portal, request).await).await
}

#[tokio::test]
async fn the_page_may_frame_the_shop_the_payment_page_and_the_apps_only() {
    let response = send(&portal(None), Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with("frame-src http://localhost:8701 http://localhost:8702 http://localhost:8723"),
        "{policy}"
    );
    assert!(policy.contains("script-src 'self';"));
}

#[tokio::test]
async fn the_page_and_all_it_asks_for_are_there_and_hold_no_inline_script() {
    let portal = portal(None);
    let mut texts = vec![text(&portal, "/").await, text(&portal, "/atm").await];
    for page in &texts {
        assert!(!page.contains("<script>") && !page.contains("style=") && !page.contains("onclick"));
    }
    for name in [
        "main.js",
        "phone.js",
        "terminal.js",
        "keypad.js",
        "receipt.js",
        "payments.js",
        "apps.js",
        "frame.css",
    ] {
        texts.push(text(&portal, &format!("/assets/{name}")).await);
    }
    for text in &texts {
        for part in text.split("/assets/").skip(1) {
            let end = part.find(['"', '\'', ')', '#']).unwrap();
            let path = format!("/assets/{}", &part[..end]);
            let response = send(&portal, Request::get(&path).body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn the_three_machines_are_one_page_that_nobody_keeps() {
    let portal = portal(None);
    for path in ["/atm", "/cashless-terminal", "/pos", "/atm?card=3"] {
        let response = send(&portal, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (response.status(), &response.headers()["cache-control"]),
            (StatusCode::OK, &"no-store".parse().unwrap())
        );
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("form-action 'none'"), "{policy}");
    }
    assert_eq!(text(&portal, "/atm").await, text(&portal, "/cashless-terminal").await);
    let index = text(&portal, "/").await;
    for machine in ["/atm", "/cashless-terminal", "/pos"] {
        assert!(index.contains(&format!("href=\"{machine}\"")), "{machine}");
    }
}

async fn text(portal: &Router, path: &str) -> String {
    let response = send(portal, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 200, "{path}");
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn the_lab_is_told_as_it_was_laid_out() {
    let (status, lab) = get_json(&portal(None), "/lab.json").await;
    assert_eq!((status, &lab["version"]), (StatusCode::OK, &json!(1)));
    assert_eq!(lab["shop"]["url"], "http://localhost:8701");
    assert_eq!(lab["cards"][0]["pan"], "6104337000000016");
}

#[tokio::test]
async fn cards_are_shown_as_they_are_now() {
    let cards = json!({ "cards": [{ "pan": "6104337000000016", "balance": 50, "state": "active" }] });
    assert_eq!(get_json(&portal(None), "/lab/cards").await, (StatusCode::OK, cards));
    let (_, now) = get_json(&portal(Some(Arc::new(Balance(Mutex::new(7))))), "/lab/cards").await;
    assert_eq!(now["cards"], json!([{ "pan": "6104337000000016", "balance": 7, "state": "locked" }]));
}

#[tokio::test]
async fn the_clock_moves_forward_and_stays_there() {
    let portal = portal(None);
    let (status, json) = post_clock(&portal, "application/json", r#"{"advance_s":121}"#).await;
    assert_eq!((status, json), (StatusCode::OK, json!({ "now": "2026-01-01T00:02:00.000Z" })));
    let (_, json) = get_json(&portal, "/lab/clock").await;
    assert_eq!(json, json!({ "now": "2026-01-01T00:02:00.000Z" }));
    let (status, _) = post_clock(&portal, "application/json", r#"{"advance_s":2678400}"#).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_bad_clock_request_says_what_to_send_and_moves_nothing() {
    let portal = portal(None);
    for body in [
        r#"{"advance_s":-1}"#,
        r#"{"advance_s":2678401}"#,
        r#"{"advance_s":1.5}"#,
        r#"{"advance_s":"1"}"#,
        r#"{"advance_s":1,"x":2}"#,
        "{}",
        "[",
        "",
    ] {
        let (status, json) = post_clock(&portal, "application/json", body).await;
        assert_eq!(
            (status, &json["type"]),
            (StatusCode::BAD_REQUEST, &json!("/problems/malformed")),
            "{body}"
        );
        assert_eq!(json["errors"][0]["pointer"], "/advance_s");
    }
    assert_eq!(post_clock(&portal, "text/plain", r#"{"advance_s":1}"#).await.0, 415);
    assert_eq!(post_clock(&portal, "application/json", vec![b' '; 9000]).await.0, 413);
    assert_eq!(get_json(&portal, "/lab/clock").await.1, json!({ "now": "2025-12-31T23:59:59.000Z" }));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let portal = portal(None);
    for path in ["/nothing", "/assets/../lab.json", "/assets/none.js"] {
        assert_eq!(get_json(&portal, path).await.0, 404, "{path}");
    }
    let request = Request::delete("/lab/clock").body(Body::empty()).unwrap();
    assert_eq!(json_of(send(&portal, request).await).await.0, 405);
}
