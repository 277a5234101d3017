//! What an operator watches: counters by hand, in the text form that Prometheus reads, on a port of its own.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use ramz_api::problem::Kind;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;

/// Answers to PIN requests, by outcome.
#[derive(Default)]
pub(crate) struct Counts {
    accepted: AtomicU64,
    refused: [AtomicU64; Kind::ALL.len()],
}

impl Counts {
    /// Counts an answer: accepted, or a problem of this kind.
    pub(crate) fn count(&self, problem: Option<Kind>) {
        let counter = match problem {
            None => Some(&self.accepted),
            Some(kind) => {
                Kind::ALL.iter().zip(&self.refused).find(|(k, _)| **k == kind).map(|(_, counter)| counter)
            }
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let refused = Kind::ALL.iter().zip(&self.refused).map(|(kind, counter)| (kind.slug(), counter));
        let all = std::iter::once(("accepted", &self.accepted)).chain(refused);
        all.map(|(outcome, counter)| (outcome, counter.load(Ordering::Relaxed)))
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes(desk: Arc<Desk>, shutdown: CancellationToken) -> Router {
    let ready = async move || match shutdown.is_cancelled() {
        false => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n"),
    };
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(desk)
}

async fn metrics(State(desk): State<Arc<Desk>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], exposition(&desk))
}

fn exposition(desk: &Desk) -> String {
    let mut text = String::from(
        "# HELP ramz_router_pin_requests_total PIN requests answered, by outcome.\n\
         # TYPE ramz_router_pin_requests_total counter\n",
    );
    // Writing into a String cannot fail.
    for (outcome, count) in desk.counts.outcomes() {
        let _ = writeln!(text, "ramz_router_pin_requests_total{{outcome=\"{outcome}\"}} {count}");
    }
    text.push_str(
        "# HELP ramz_router_bank_in_flight Requests that wait for a bank.\n\
         # TYPE ramz_router_bank_in_flight gauge\n",
    );
    for way in desk.ways() {
        let _ = writeln!(text, "ramz_router_bank_in_flight{{bank=\"{}\"}} {}", way.id, way.in_flight());
    }
    text.push_str(
        "# HELP ramz_router_bank_available Whether the bank answered when it was last asked.\n\
         # TYPE ramz_router_bank_available gauge\n",
    );
    for way in desk.ways() {
        let available = u8::from(way.is_available());
        let _ = writeln!(text, "ramz_router_bank_available{{bank=\"{}\"}} {available}", way.id);
    }
    text
}
