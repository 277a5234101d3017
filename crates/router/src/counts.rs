//! What an operator watches: counters by hand, in the text form that Prometheus reads, on a port of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    http::{StatusCode, header},
    routing::get,
};
use ramz_api::{
    metrics::{self, Page, Show},
    problem::Kind,
    serve::DoorTimes,
};
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
pub(crate) fn routes(desk: Arc<Desk>, watched: Vec<Arc<dyn Show>>, shutdown: CancellationToken) -> Router {
    let ready = async move || match shutdown.is_cancelled() {
        false => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n"),
    };
    let metrics = async move || {
        let mut page = Page::default();
        desk.show(&mut page);
        watched.iter().for_each(|watched| watched.show(&mut page));
        ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], page.into_text())
    };
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

impl Show for Desk {
    fn show(&self, page: &mut Page) {
        let name = "ramz_router_pin_requests_total";
        page.counter(name, "PIN requests answered, by outcome.");
        for (outcome, count) in self.counts.outcomes() {
            page.sample(name, &[("outcome", outcome)], count);
        }
        let name = "ramz_router_bank_in_flight";
        page.gauge(name, "Requests that wait for a bank.");
        for way in self.ways() {
            page.sample(name, &[("bank", &way.id)], way.in_flight());
        }
        let name = "ramz_router_bank_available";
        page.gauge(name, "Whether the bank answered when it was last asked.");
        for way in self.ways() {
            page.sample(name, &[("bank", &way.id)], u8::from(way.is_available()));
        }
        let name = "ramz_router_bank_seconds";
        page.histogram(name, "From asking a bank to its answer, or to giving up.");
        for way in self.ways() {
            way.seconds.show(page, name, &[("bank", &way.id)]);
        }
        DoorTimes::show(&self.doors, page);
    }
}
