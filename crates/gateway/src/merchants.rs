//! The merchant API: open a payment, look at it, verify it. Programs call it with an API key.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ramz_api::serve::JsonBody;
use ramz_domain::{PaymentId, PaymentKind, Rial, ambient::random_bytes};
use serde::{Deserialize, Serialize};

use crate::{
    body,
    config::Merchant,
    gateway::Gateway,
    payment::{NoVerify, Order, Payment, State as Stands},
    problem::{Kind, No},
    rows::Column,
};

/// `GET /v1/openapi.json` (OpenAPI 3.1).
pub(crate) const DOCUMENT: &str = include_str!("../openapi.json");

const ORDER_CHARS_MAX: usize = 64;
const DESCRIPTION_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    amount: u64,
    kind: String,
    order: String,
    #[serde(default)]
    description: String,
    callback: String,
}

#[derive(Serialize)]
struct Opened {
    payment: String,
    page: String,
    expires_ms: u64,
}

/// A payment as its merchant sees it.
#[derive(Serialize)]
struct Told {
    payment: String,
    state: &'static str,
    verified: bool,
    amount: u64,
    order: String,
    created_ms: u64,
    expires_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rrn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_ms: Option<u64>,
    /// `pending` until the bank has acknowledged the reversal, then `acknowledged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reversal: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verified {
    amount: u64,
}

/// The merchant whose key the request carries.
fn caller<'a>(gateway: &'a Gateway, headers: &HeaderMap) -> Result<&'a Merchant, No> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .ok_or_else(|| No::new(Kind::WrongKey))?;
    // Every key is compared, so the time does not tell which merchants there are.
    let mut known = None;
    for merchant in &gateway.config.merchants {
        if merchant.api_key.as_ref().is_some_and(|own| own.is(key)) {
            known = Some(merchant);
        }
    }
    known.ok_or_else(|| No::new(Kind::WrongKey))
}

/// `POST /v1/payments` → 201 `{ payment, page, expires_ms }`.
pub(crate) async fn open(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    JsonBody(bytes): JsonBody,
) -> Result<Response, No> {
    let merchant = caller(&gateway, &headers)?;
    let wanted: Wanted = body::read(&bytes, "{ amount, kind, order, description, callback }")?;
    let mut errors = Vec::new();
    let kind = PaymentKind::parse(&wanted.kind);
    if kind.is_none() {
        errors.push(("/kind", "write purchase"));
    }
    let amount = Rial::new(wanted.amount).ok().filter(|amount| *amount > Rial::ZERO);
    if amount.is_none() {
        errors.push(("/amount", "write whole rial, 1 to 999999999999"));
    }
    if !shown(&wanted.order, 1, ORDER_CHARS_MAX) {
        errors.push(("/order", "write 1 to 64 characters, no control characters"));
    }
    if !shown(&wanted.description, 0, DESCRIPTION_CHARS_MAX) {
        errors.push(("/description", "write at most 200 characters, no control characters"));
    }
    if !merchant.may_call_back(&wanted.callback) {
        errors.push(("/callback", "write an absolute URL of an origin that is registered for this merchant"));
    }
    let Some(amount) = amount.filter(|_| errors.is_empty()) else { return Err(No::malformed(&errors)) };
    if kind != Some(PaymentKind::Purchase) {
        return Err(No::new(Kind::NotSupportedYet));
    }
    let order = Order {
        merchant: merchant.id.clone(),
        amount,
        order: wanted.order,
        description: wanted.description,
        callback: wanted.callback,
    };
    let id = PaymentId::random(&*gateway.entropy);
    let secret = random_bytes(&*gateway.entropy);
    let payment = Payment::new(order, gateway.now(), gateway.config.open_for(), secret);
    gateway.payments.insert(id, &payment).await.map_err(|fault| gateway.row_fault(&fault))?;
    let opened = Opened {
        payment: id.to_string(),
        page: format!("{}/pay/{id}", gateway.config.public_url),
        expires_ms: payment.expires.unix_ms(),
    };
    let location = HeaderValue::from_str(&format!("/v1/payments/{id}")).map_err(|e| gateway.fault(&e))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(opened)).into_response())
}

/// `GET /v1/payments/{payment}` → 200.
pub(crate) async fn look(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, No> {
    let merchant = caller(&gateway, &headers)?;
    let (id, payment) = own(&gateway, merchant, &id).await?;
    Ok(told(&gateway, id, &payment))
}

/// `POST /v1/payments/{payment}/verify` `{ amount }` → 200: the money is the merchant's. Again: the same.
pub(crate) async fn verify(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(bytes): JsonBody,
) -> Result<Response, No> {
    let merchant = caller(&gateway, &headers)?;
    let (id, _) = own(&gateway, merchant, &id).await?;
    let verified: Verified = body::read(&bytes, "{ amount }")?;
    let malformed = |_| No::malformed(&[("/amount", "write whole rial, 1 to 999999999999")]);
    let amount = Rial::new(verified.amount).map_err(malformed)?;
    let now = gateway.now();
    // A verified payment is never reversed by us: what its reversal needed goes, once.
    let changed = gateway.payments.change(id, |payment| {
        let before = payment.state.clone();
        payment.verify(amount, now)?;
        Ok(((), if payment.state == before { Column::Keep } else { Column::Remove }))
    });
    let (_, payment) = changed.await.map_err(|not| {
        gateway.refuse(not, |why| match why {
            NoVerify::Amount => No::new(Kind::AmountMismatch),
            NoVerify::Standing(standing) => No::standing(standing),
        })
    })?;
    Ok(told(&gateway, id, &payment))
}

/// A payment of this merchant; another's is not found.
async fn own(gateway: &Gateway, merchant: &Merchant, id: &str) -> Result<(PaymentId, Payment), No> {
    let (id, payment) = gateway.read(id).await?;
    if payment.merchant == merchant.id { Ok((id, payment)) } else { Err(No::new(Kind::NoSuchPayment)) }
}

fn told(gateway: &Gateway, id: PaymentId, payment: &Payment) -> Response {
    let receipt = payment.receipt();
    let told = Told {
        payment: id.to_string(),
        state: payment.standing(gateway.now()).merchant(),
        verified: matches!(payment.state, Stands::Verified { .. }),
        amount: payment.amount.get(),
        order: payment.order.clone(),
        created_ms: payment.created.unix_ms(),
        expires_ms: payment.expires.unix_ms(),
        rrn: receipt.map(|receipt| receipt.trace.rrn.clone()),
        card: receipt.map(|receipt| receipt.card.clone()),
        paid_ms: receipt.map(|receipt| receipt.at.unix_ms()),
        reversal: match payment.state {
            Stands::Reversing { .. } => Some("pending"),
            Stands::Reversed { .. } => Some("acknowledged"),
            _ => None,
        },
    };
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(told)).into_response()
}

/// Text that may be shown on the page.
fn shown(text: &str, min: usize, max: usize) -> bool {
    text.len() <= max * 4
        && (min..=max).contains(&text.chars().count())
        && !text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_is_of_the_code() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        let code = [
            ramz_api::openapi::PATH,
            "/v1/payments",
            "/v1/payments/{payment}",
            "/v1/payments/{payment}/verify",
        ];
        assert_eq!(paths, code);
        let example = |path: &str| {
            let content = &document["paths"][path]["post"]["requestBody"]["content"];
            serde_json::to_vec(&content["application/json"]["example"]).unwrap()
        };
        serde_json::from_slice::<Wanted>(&example("/v1/payments")).unwrap();
        serde_json::from_slice::<Verified>(&example("/v1/payments/{payment}/verify")).unwrap();
        let problems = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array();
        for uri in problems.unwrap() {
            let slug = uri.as_str().unwrap().strip_prefix("/problems/").unwrap();
            let shared = ramz_api::problem::Kind::ALL.iter().any(|kind| kind.slug() == slug);
            assert!(shared || Kind::has(slug), "{slug}");
        }
    }
}
