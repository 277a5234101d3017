//! The gateway's merchant API as a merchant calls it: make a payment, read it, settle it.

use axum::http::{Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use ramz_api::{
    client::{CallError, Http},
    tap::{Fact, SharedTap},
};
use ramz_domain::Rial;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::checkout::Ordered;

/// Characters of a payment's id in the trace.
const ID_SHOWN: usize = 8;

/// A client with the shop's key.
pub(super) struct Merchant {
    http: Http,
    authorization: Zeroizing<String>,
    tap: SharedTap,
}

/// A payment as it was made.
#[derive(Deserialize)]
pub(super) struct Made {
    pub(super) payment: String,
    pub(super) page: String,
}

/// A payment as the gateway tells it.
#[derive(Deserialize)]
pub(super) struct Told {
    pub(super) state: State,
    pub(super) amount: u64,
    pub(super) order: String,
    #[serde(default)]
    pub(super) rrn: Option<String>,
}

/// How far a payment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Created,
    Paid,
    Failed,
    Expired,
    Reversed,
}

/// Why there is no such answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum MerchantError {
    /// No answer, or a fault of the gateway: asking again may help.
    #[error("the gateway does not answer: {0}")]
    Away(#[from] CallError),
    /// The gateway says no; the text is its problem's `type`.
    #[error("the gateway refuses with {0}: {1}")]
    Refused(StatusCode, String),
}

impl Merchant {
    pub(super) fn new(http: Http, key: Zeroizing<String>, tap: SharedTap) -> Merchant {
        Merchant { http, authorization: Zeroizing::new(format!("Bearer {}", key.as_str())), tap }
    }

    /// `POST /v1/payments`
    pub(super) async fn make(
        &self,
        ordered: &Ordered,
        order: &str,
        description: &str,
        callback: &str,
    ) -> Result<Made, MerchantError> {
        let mut body = json!({ "amount": ordered.amount.get(), "kind": ordered.kind, "order": order,
            "description": description, "callback": callback });
        if let Some((member, value)) = &ordered.extra {
            body[*member] = value.clone();
        }
        self.call(Method::POST, "/v1/payments", Some(body)).await
    }

    /// `GET /v1/payments/{id}`; `payment` is one the gateway named.
    pub(super) async fn read(&self, payment: &str) -> Result<Told, MerchantError> {
        self.call(Method::GET, &format!("/v1/payments/{payment}"), None).await
    }

    /// `POST /v1/payments/{id}/verify`: settles the payment if it is of this amount. Settling again changes nothing.
    pub(super) async fn verify(&self, payment: &str, amount: Rial) -> Result<(), MerchantError> {
        let path = format!("/v1/payments/{payment}/verify");
        let _: Value = self.call(Method::POST, &path, Some(json!({ "amount": amount.get() }))).await?;
        Ok(())
    }

    async fn call<T: for<'a> Deserialize<'a>>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, MerchantError> {
        self.tell("shop", "page", format!("{method} {}", without_id(path)), body.as_ref());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, self.authorization.as_str())
            .header(header::ACCEPT, "application/json, application/problem+json");
        let request = match &body {
            None => request.body(Bytes::new()),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_string().into_bytes().into()),
        };
        let request = request.map_err(|e| CallError::Unreachable(e.to_string()))?;
        let answer = self.http.send(request).await?;
        let told: Option<Value> = serde_json::from_slice(answer.body()).ok();
        self.tell("page", "shop", answered(answer.status(), path), told.as_ref());
        read(&answer, told)
    }

    /// A payment page's address opens the payment, so it is not shown; nor is the payment's whole id, of which it is made.
    fn tell(&self, from: &str, to: &str, title: String, body: Option<&Value>) {
        let shown = ["amount", "kind", "order", "description", "payment", "state", "rrn", "type", "detail"];
        let members = body.and_then(Value::as_object).into_iter().flatten();
        let fields = members
            .filter(|(name, _)| shown.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), field(name, value)))
            .collect();
        self.tap.tell(Fact { from: from.to_owned(), to: to.to_owned(), wire: "HTTP", title, fields });
    }
}

/// A field as the trace shows it: of a payment's id as much as tells one from another.
fn field(name: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if name == "payment" { text.chars().take(ID_SHOWN).chain(['…']).collect() } else { text }
}

/// `/v1/payments/…/verify`: the id's beginning is among the fields.
fn without_id(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').map(|part| if part.len() > 16 { "…" } else { part }).collect();
    parts.join("/")
}

/// `201 created`, `200 settled`, `422 refused`.
fn answered(status: StatusCode, path: &str) -> String {
    let word = match status {
        StatusCode::CREATED => "created",
        _ if !status.is_success() => "refused",
        _ if path.ends_with("/verify") => "settled",
        _ => "payment",
    };
    format!("{} {word}", status.as_u16())
}

fn read<T: for<'a> Deserialize<'a>>(
    answer: &Response<Bytes>,
    told: Option<Value>,
) -> Result<T, MerchantError> {
    let status = answer.status();
    if status.is_client_error() {
        let kind = told.as_ref().and_then(|told| told["type"].as_str()).unwrap_or_default();
        return Err(MerchantError::Refused(status, kind.chars().take(80).collect()));
    }
    if !status.is_success() {
        return Err(CallError::Unexpected(status).into());
    }
    let read = told.and_then(|told| serde_json::from_value(told).ok());
    read.ok_or_else(|| CallError::Unexpected(status).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_shows_the_beginning_of_a_payments_id() {
        let id = json!("0190f3c27a5b4d6e8f90a1b2c3d4e5f6");
        assert_eq!(field("payment", &id), "0190f3c2…");
        assert_eq!(field("order", &id), id);
        assert_eq!(field("amount", &json!(1_250_000)), "1250000");
    }
}
