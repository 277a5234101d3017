//! How the payment stands, for a page that was reloaded or lost an answer; and giving up.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use ramz_api::serve::JsonBody;
use ramz_domain::PaymentId;
use serde::Serialize;

use crate::{
    gateway::Gateway,
    payment::{ASKS_MAX, Payment, Standing},
    problem::No,
    proof,
    rows::Column,
    token,
};

/// What a payer reads when nobody knows what the bank did.
pub(crate) const UNKNOWN_FA: &str = "وضعیت نامشخص؛ اگر مبلغی کسر شده باشد بازمی‌گردد.";
/// The same in English.
pub(crate) const UNKNOWN_EN: &str = "The outcome is not known; if anything was charged, it will be returned.";

/// What a payer keeps.
#[derive(Serialize)]
pub(crate) struct Receipt {
    pub(crate) rrn: String,
    /// First six and last four digits.
    pub(crate) card: String,
    pub(crate) amount: u64,
    pub(crate) at_ms: u64,
    /// Who or what was paid beside the merchant, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payee: Option<String>,
}

impl Receipt {
    /// Of a payment that is paid.
    pub(crate) fn of(payment: &Payment) -> Option<Receipt> {
        let receipt = payment.receipt()?;
        Some(Receipt {
            rrn: receipt.trace.rrn.clone(),
            card: receipt.card.clone(),
            amount: payment.amount.get(),
            at_ms: receipt.at.unix_ms(),
            payee: receipt.payee.clone(),
        })
    }
}

/// The page's view of its payment.
#[derive(Serialize)]
pub(crate) struct Seen {
    state: &'static str,
    now_ms: u64,
    expires_ms: u64,
    /// A bank was asked, so that nobody can say that nothing was charged.
    tried: bool,
    asks_left: usize,
    /// When the card that was asked for last may be asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_again_at_ms: Option<u64>,
    challenge: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
    /// The way back to the shop, once the payment is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
}

impl Gateway {
    /// The page's view of a payment.
    pub(crate) fn seen(&self, id: PaymentId, payment: &Payment) -> Seen {
        let now = self.now();
        let standing = payment.standing(now);
        let over = !matches!(standing, Standing::Open | Standing::Authorising);
        Seen {
            state: standing.code(),
            now_ms: now.unix_ms(),
            expires_ms: payment.expires.unix_ms(),
            tried: payment.tries > 0,
            asks_left: ASKS_MAX.saturating_sub(payment.asks.len()),
            ask_again_at_ms: payment.asks.last().map(|ask| ask.again_at.unix_ms()),
            challenge: proof::challenge(id, payment),
            receipt: Receipt::of(payment),
            redirect: over.then(|| self.way_back(id, payment)),
        }
    }
}

/// `GET /pay/{payment}/state` → 200.
pub(crate) async fn state(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, No> {
    let (id, payment) = gateway.read(&id).await?;
    token::check(&payment, &headers)?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((no_store, Json(gateway.seen(id, &payment))).into_response())
}

/// `POST /pay/{payment}/cancel` `{}` → 200: the payer goes back unpaid.
pub(crate) async fn cancel(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(_): JsonBody,
) -> Result<Json<Seen>, No> {
    let (id, payment) = gateway.read(&id).await?;
    token::check(&payment, &headers)?;
    let now = gateway.now();
    let cancelled =
        gateway.payments.change(id, |payment| payment.cancel(now).map(|()| ((), Column::Keep))).await;
    let (_, payment) = cancelled.map_err(|not| gateway.refuse(not, No::standing))?;
    Ok(Json(gateway.seen(id, &payment)))
}
