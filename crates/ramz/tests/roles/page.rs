//! A payer's browser, as far as the PIN button.

use axum::http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::house::{API_KEY, House};
use crate::processes::wires::{Reply, Site, with_json};

/// What is paid.
pub(crate) const AMOUNT: u64 = 1_375_000;

/// A payer's browser with the page of one payment open.
pub(crate) struct Page {
    site: Site,
    path: String,
    cookie: String,
    token: String,
}

impl Page {
    pub(crate) async fn open(house: &House) -> Page {
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
    pub(crate) async fn press(&self, pan: &str, press: Uuid) -> Reply {
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
