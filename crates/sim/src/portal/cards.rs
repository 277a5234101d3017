//! The test cards: the lab as it was laid out, and what the cards are now.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Json, Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use serde_json::{Value, json};

/// What may have changed about a test card since the lab began. Test cards are no secret; no other card comes here.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct CardNow {
    /// The test card's number, as in `lab.json`.
    pub pan: String,
    /// Rial.
    pub balance: u64,
    /// The words of `lab.json`: `active`, `locked`, …
    pub state: String,
}

/// Whoever knows the test cards' balances and states: the card host and the issuers, asked by the binary.
#[async_trait]
pub trait Cards: Send + Sync + 'static {
    /// The test cards as they are now, in any order; one that cannot be read is left out.
    async fn now(&self) -> Vec<CardNow>;
}

/// The routes `/lab.json` and `/lab/cards`.
pub(super) fn router(lab: Arc<Value>, cards: Option<Arc<dyn Cards>>) -> Router {
    let laid_out = lab.clone();
    Router::new()
        .route("/lab.json", get(async move || fresh(laid_out.as_ref().clone())))
        .route("/lab/cards", get(async move || fresh(now(&lab, cards.as_deref()).await)))
}

fn fresh(json: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(json)).into_response()
}

async fn now(lab: &Value, cards: Option<&dyn Cards>) -> Value {
    match cards {
        Some(cards) => json!({ "cards": cards.now().await }),
        None => json!({ "cards": lab.get("cards").and_then(Value::as_array).map_or(Vec::new(), |cards| {
            cards.iter().map(|c| json!({ "pan": c["pan"], "balance": c["balance"], "state": c["state"] })).collect()
        }) }),
    }
}
