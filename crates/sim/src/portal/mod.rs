//! The lab's portal: shop, phone and ATM side by side, with the live trace of every message.
//!
//! The page itself is in `web/lab/` and is compiled in, and so is the page of the ATM, the cashless terminal and the POS terminal. Beside them
//! this room serves what the page and outside programs read: `/lab.json`, the cards as they are now, the lab's clock, and the
//! trace.
//!
//! Not here: the making of cards and ports (the binary hands `lab.json` in), and the handsets and terminals, whose routes the
//! binary merges into this router. Body limits and problems for unknown paths are `ramz_api::serve`'s.

pub(crate) mod assets;
mod cards;
mod clock;
pub(crate) mod headers;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::{Value, json};

pub use self::{
    cards::{CardNow, Cards},
    clock::{ADVANCE_S_MAX, LabClock},
};
use crate::trace::{self, Trace};

/// What the portal shows.
pub struct PortalState {
    /// The lab, as outside programs read it (the shape is pinned). The portal adds `shop.url`, nothing else.
    pub lab_json: Value,
    /// The messages.
    pub trace: Arc<Trace>,
    /// The lab's clock.
    pub clock: Arc<dyn LabClock>,
    /// Balances and states as they are now; without it the page shows those of `lab.json`.
    pub cards: Option<Arc<dyn Cards>>,
    /// Where the shop answers, `http://localhost:8701`.
    pub shop_url: String,
}

/// The portal's routes: `GET /`, `/atm`, `/cashless-terminal`, `/pos`, `/assets/…`, `/lab.json`, `/lab/cards`, `/lab/clock`, `/trace`, `/trace/stream`, and
/// `POST /lab/clock`. What is refused is `application/problem+json`.
pub fn router(mut state: PortalState) -> Router {
    let policy = headers::policy(&framed(&state.shop_url, &state.lab_json));
    if let Value::Object(lab) = &mut state.lab_json {
        lab.entry("shop").or_insert_with(|| json!({ "url": state.shop_url }));
    }
    let PortalState { lab_json, trace, clock, cards, .. } = state;
    Router::new()
        .merge(assets::router())
        .merge(cards::router(Arc::new(lab_json), cards))
        .route("/lab/clock", get(clock::now).merge(post(clock::advance)).with_state(clock))
        .merge(trace::router(trace))
        .layer(axum::middleware::map_response(move |response| headers::add(policy.clone(), response)))
}

/// What the page shows in frames: the shop, the payment page, and each bank's app.
fn framed<'a>(shop_url: &'a str, lab_json: &'a Value) -> Vec<&'a str> {
    let gateway = lab_json.pointer("/gateway/url").and_then(Value::as_str);
    let banks = lab_json.get("banks").and_then(Value::as_array).into_iter().flatten();
    let apps = banks.filter_map(|bank| bank.get("app")?.as_str());
    [shop_url].into_iter().chain(gateway).chain(apps).collect()
}

#[cfg(test)]
pub(crate) mod tests;
