//! One id through the logs of page, router, issuer and SMS, and no secret beside it.

use std::fs;

use axum::http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::house::{API_KEY, House};
use crate::processes::bank::{IIN, OPERATOR, card};
use crate::processes::until;
use crate::processes::wires::{Reply, Site, fresh_key, pan, with_json};

const PHONE: &str = "09120001101";
const AMOUNT: u64 = 1_375_000;

/// A payer's browser with the page of one payment open.
struct Page {
    site: Site,
    path: String,
    cookie: String,
    token: String,
}

impl Page {
    async fn open(house: &House) -> Page {
        let site = Site::plain(&format!("http://localhost:{}", house.gateway_port));
        let wanted = json!({ "amount": AMOUNT, "kind": "purchase", "order": "7", "callback": "http://localhost:1/back" });
        let mut request = with_json(Method::POST, "/v1/payments", &wanted);
        request.headers_mut().insert("authorization", format!("Bearer {API_KEY}").parse().unwrap());
        let opened = site.call(request).await.unwrap();
        assert_eq!(opened.status, 201, "{}", opened.text);
        let page = opened.json()["page"].as_str().unwrap().to_owned();
        let path = page[page.find("/pay/").unwrap()..].to_owned();
        let shown = site.get(&path).await;
        let cookie = shown.headers.iter().find_map(|header| header.strip_prefix("set-cookie: ")).unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let (_, token) = shown.text.split_once("data-token=\"").unwrap();
        let token = token.split('"').next().unwrap().to_owned();
        Page { site, path, cookie, token }
    }

    async fn call(&self, method: Method, action: &str, body: &Value) -> Reply {
        let (mut parts, body) = with_json(method, &format!("{}/{action}", self.path), body).into_parts();
        parts.headers.insert("cookie", self.cookie.parse().unwrap());
        parts.headers.insert("ramz-page", self.token.parse().unwrap());
        self.site.call(Request::from_parts(parts, body)).await.unwrap()
    }

    /// A press of the PIN button, with the bot check solved.
    async fn press(&self, pan: &str, press: Uuid) -> Reply {
        let state = self.call(Method::GET, "state", &Value::Null).await.json();
        let challenge = state["challenge"].as_str().unwrap();
        let solves = |number: &String| {
            let hash = Sha256::digest(format!("{challenge}:{number}").as_bytes());
            u16::from_be_bytes([hash[0], hash[1]]) >> 1 == 0
        };
        let proof = (0_u32..).map(|number| number.to_string()).find(solves).unwrap();
        self.call(Method::POST, "pin", &json!({ "pan": pan, "press": press, "proof": proof })).await
    }
}

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
