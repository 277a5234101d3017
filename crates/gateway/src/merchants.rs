//! The merchant API: open a payment, look at it, verify it. Programs call it with an API key.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ramz_api::serve::JsonBody;
use ramz_domain::{Bill, Pan, PaymentId, PaymentKind, Phone, Rial, ambient::random_bytes};
use ramz_keys::Place;
use serde::{Deserialize, Serialize};

use crate::{
    about::{About, Operator, Payee},
    body::{self, Secret},
    config::Merchant,
    gateway::Gateway,
    payee::PAYEE_COLUMN,
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
    /// Where a transfer goes to; without it the payer says so on the page.
    payee_pan: Option<Secret>,
    bill: Option<WantedBill>,
    top_up: Option<WantedTopUp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedBill {
    bill: Secret,
    payment: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedTopUp {
    phone: Secret,
    operator: String,
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
    kind: &'static str,
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
    /// The destination, bill id or telephone, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    payee: Option<String>,
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
    gateway.may_begin()?;
    let wanted: Wanted =
        body::read(&bytes, "{ amount, kind, order, description, callback, [payee_pan | bill | top_up] }")?;
    let mut errors = Vec::new();
    let kind = PaymentKind::parse(&wanted.kind);
    if kind.is_none() {
        errors.push(("/kind", "write purchase, transfer, bill, top_up or balance"));
    }
    let none = kind == Some(PaymentKind::Balance);
    let amount = Rial::new(wanted.amount).ok().filter(|amount| (*amount == Rial::ZERO) == none);
    if amount.is_none() {
        let what =
            if none { "write 0: a balance has no amount" } else { "write whole rial, 1 to 999999999999" };
        errors.push(("/amount", what));
    }
    let payee = kind.and_then(|kind| payee(kind, amount, &wanted, &mut errors));
    if !shown(&wanted.order, 1, ORDER_CHARS_MAX) {
        errors.push(("/order", "write 1 to 64 characters, no control characters"));
    }
    if !shown(&wanted.description, 0, DESCRIPTION_CHARS_MAX) {
        errors.push(("/description", "write at most 200 characters, no control characters"));
    }
    if !merchant.may_call_back(&wanted.callback) {
        errors.push(("/callback", "write an absolute URL of an origin that is registered for this merchant"));
    }
    let (Some(kind), Some(amount), true) = (kind, amount, errors.is_empty()) else {
        return Err(No::malformed(&errors));
    };
    let order = Order {
        merchant: merchant.id.clone(),
        amount,
        order: wanted.order,
        description: wanted.description,
        callback: wanted.callback,
        about: payee.as_ref().map_or_else(|| About::plain(kind), |payee| About::of(kind, payee)),
    };
    let id = PaymentId::random(&*gateway.entropy);
    let secret = random_bytes(&*gateway.entropy);
    let payment = Payment::new(order, gateway.now(), gateway.config.open_for(), secret);
    let place = Place { row: &id.0, column: PAYEE_COLUMN };
    let sealed = payee.map(|payee| gateway.keys.seal(place, &payee.encode())).transpose();
    let sealed = sealed.map_err(|fault| gateway.fault(&fault))?;
    gateway.payments.insert(id, &payment, sealed).await.map_err(|fault| gateway.row_fault(&fault))?;
    let opened = Opened {
        payment: id.to_string(),
        page: format!("{}/pay/{id}", gateway.config.public_url),
        expires_ms: payment.expires.unix_ms(),
    };
    let location = HeaderValue::from_str(&format!("/v1/payments/{id}")).map_err(|e| gateway.fault(&e))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(opened)).into_response())
}

/// The payee that this kind names, if it names one beside the merchant. What does not belong to the kind is an error too.
fn payee(
    kind: PaymentKind,
    amount: Option<Rial>,
    wanted: &Wanted,
    errors: &mut Vec<(&'static str, &'static str)>,
) -> Option<Payee> {
    for (given, of, at) in [
        (wanted.payee_pan.is_some(), PaymentKind::Transfer, "/payee_pan"),
        (wanted.bill.is_some(), PaymentKind::Bill, "/bill"),
        (wanted.top_up.is_some(), PaymentKind::TopUp, "/top_up"),
    ] {
        if given && kind != of {
            errors.push((at, "leave it out: it belongs to another kind"));
        }
    }
    match kind {
        PaymentKind::Purchase | PaymentKind::Balance => None,
        PaymentKind::Transfer => {
            let pan = Pan::parse_typed(wanted.payee_pan.as_ref()?.as_str());
            pan.map_err(|_| {
                errors.push(("/payee_pan", "write a card number: 16 to 19 digits, the last a check digit"))
            })
            .ok()
            .map(Payee::Card)
        }
        PaymentKind::Bill => {
            let Some(given) = &wanted.bill else {
                errors.push(("/bill", "send { bill, payment }: the bill id and the payment id"));
                return None;
            };
            match Bill::parse(given.bill.as_str(), given.payment.as_str()) {
                Ok(bill) if amount.is_none_or(|amount| amount == bill.amount()) => Some(Payee::Bill(bill)),
                Ok(_) => {
                    errors.push(("/amount", "write the amount that the payment id names"));
                    None
                }
                Err(error) if error.is_of_the_id() => {
                    errors.push(("/bill/bill", "write the bill id: 6 to 13 digits, the last a check digit"));
                    None
                }
                Err(_) => {
                    let what = "write the payment id of this bill: 6 to 13 digits, the last two check digits";
                    errors.push(("/bill/payment", what));
                    None
                }
            }
        }
        PaymentKind::TopUp => {
            let Some(given) = &wanted.top_up else {
                errors.push(("/top_up", "send { phone, operator }: whose credit is bought"));
                return None;
            };
            let phone = Phone::parse(given.phone.as_str()).ok().filter(Phone::is_iranian_mobile);
            if phone.is_none() {
                errors.push(("/top_up/phone", "write an Iranian mobile number: 09121234567"));
            }
            let operator = Operator::parse(&given.operator);
            if operator.is_none() {
                errors.push(("/top_up/operator", "write mci, irancell, rightel or shatel"));
            }
            Some(Payee::Phone(operator?, phone?))
        }
    }
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
    let malformed = |_| No::malformed(&[("/amount", "write whole rial, 0 to 999999999999")]);
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
            NoVerify::Standing(standing) => No::merchant_standing(standing),
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
        kind: payment.kind().code(),
        amount: payment.amount.get(),
        order: payment.order.clone(),
        created_ms: payment.created.unix_ms(),
        expires_ms: payment.expires.unix_ms(),
        rrn: receipt.map(|receipt| receipt.trace.rrn.clone()),
        card: receipt.map(|receipt| receipt.card.clone()),
        paid_ms: receipt.map(|receipt| receipt.at.unix_ms()),
        payee: receipt.and_then(|receipt| receipt.payee.clone()).or_else(|| payment.about().payee),
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
        let body = |path: &str| {
            let content = &document["paths"][path]["post"]["requestBody"]["content"];
            content["application/json"].clone()
        };
        let verified = body("/v1/payments/{payment}/verify")["example"].clone();
        serde_json::from_value::<Verified>(verified).unwrap();
        // An example of each kind, and each passes the door.
        let mut kinds = std::collections::BTreeSet::new();
        for (name, example) in body("/v1/payments")["examples"].as_object().unwrap() {
            let wanted: Wanted = serde_json::from_value(example["value"].clone()).unwrap();
            let (kind, amount) =
                (PaymentKind::parse(&wanted.kind).unwrap(), Rial::new(wanted.amount).unwrap());
            let mut errors = Vec::new();
            payee(kind, Some(amount), &wanted, &mut errors);
            assert!(errors.is_empty(), "{name}: {errors:?}");
            kinds.insert(kind.code());
        }
        let all = PaymentKind::ALL.map(PaymentKind::code);
        assert_eq!(kinds, all.into());
        let schemas = &document["components"]["schemas"];
        for schema in ["NewPayment", "Payment"] {
            let named = schemas[schema]["properties"]["kind"]["enum"].as_array().unwrap();
            let named: std::collections::BTreeSet<_> = named.iter().filter_map(Value::as_str).collect();
            assert_eq!(named, kinds, "{schema}");
        }
        let problems = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array();
        for uri in problems.unwrap() {
            let slug = uri.as_str().unwrap().strip_prefix("/problems/").unwrap();
            let shared = ramz_api::problem::Kind::ALL.iter().any(|kind| kind.slug() == slug);
            assert!(shared || Kind::has(slug), "{slug}");
        }
    }
}
