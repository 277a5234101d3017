//! A payer's browser: the page's cookie and token, and its calls.

use std::net::SocketAddr;

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::rig::{Answered, CVV2, PIN, call};

/// A browser with the page of one payment open.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) address: SocketAddr,
    pub(crate) id: String,
    pub(crate) cookie: String,
    pub(crate) token: String,
    pub(crate) seen: Value,
}

pub(crate) async fn browse(address: SocketAddr, id: &str) -> Browser {
    let page = call(address, Method::GET, &format!("/pay/{id}"), &[], &Value::Null).await;
    assert_eq!(page.status, StatusCode::OK);
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let token = attribute(&page.text, "data-token");
    let seen = serde_json::from_str(&attribute(&page.text, "data-seen")).unwrap();
    Browser { address, id: id.to_owned(), cookie, token, seen }
}

/// An attribute's value, unescaped as a browser does.
pub(crate) fn attribute(html: &str, name: &str) -> String {
    let value = html.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0;
    value
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}

pub(crate) fn card(pan: &str) -> Value {
    json!({ "pan": pan, "expiry": "07/28", "cvv2": CVV2, "pin": PIN, "lang": "en" })
}

impl Browser {
    pub(crate) async fn call(&self, method: Method, action: &str, body: &Value) -> Answered {
        self.call_with(method, action, body, &[]).await
    }

    /// With what the proxy in front adds.
    async fn call_with(
        &self,
        method: Method,
        action: &str,
        body: &Value,
        added: &[(&str, &str)],
    ) -> Answered {
        let own = [("cookie", self.cookie.as_str()), ("ramz-page", self.token.as_str())];
        let headers = [&own, added].concat();
        call(self.address, method, &format!("/pay/{}/{action}", self.id), &headers, body).await
    }

    pub(crate) async fn pay(&self, pan: &str) -> Answered {
        self.call(Method::POST, "authorise", &card(pan)).await
    }

    pub(crate) async fn state(&self) -> Value {
        self.call(Method::GET, "state", &Value::Null).await.json
    }

    /// A press of the PIN button, with the bot check solved.
    pub(crate) async fn ask(&self, pan: &str, press: u128) -> Answered {
        let state = self.state().await;
        let proof = solve(state["challenge"].as_str().unwrap());
        self.press(pan, press, &proof).await
    }

    /// A press that comes through a proxy which adds these headers.
    pub(crate) async fn ask_from(&self, pan: &str, press: u128, added: &[(&str, &str)]) -> Answered {
        let proof = solve(self.state().await["challenge"].as_str().unwrap());
        let press = uuid::Uuid::from_u128(press);
        let body = json!({ "pan": pan, "press": press, "proof": proof });
        self.call_with(Method::POST, "pin", &body, added).await
    }

    /// A press for a transfer to this card.
    pub(crate) async fn ask_to(&self, pan: &str, press: u128, to: Option<&str>) -> Answered {
        let proof = solve(self.state().await["challenge"].as_str().unwrap());
        let mut body = json!({ "pan": pan, "press": uuid::Uuid::from_u128(press), "proof": proof });
        if let Some(to) = to {
            body["payee_pan"] = json!(to);
        }
        self.call(Method::POST, "pin", &body).await
    }

    pub(crate) async fn press(&self, pan: &str, press: u128, proof: &str) -> Answered {
        let press = uuid::Uuid::from_u128(press);
        self.call(Method::POST, "pin", &json!({ "pan": pan, "press": press, "proof": proof })).await
    }
}

pub(crate) fn solve(challenge: &str) -> String {
    let solves = |n: &String| {
        let hash = Sha256::digest(format!("{challenge}:{n}").as_bytes());
        u16::from_be_bytes([hash[0], hash[1]]) >> 1 == 0
    };
    (0_u32..).map(|n| n.to_string()).find(solves).unwrap()
}
