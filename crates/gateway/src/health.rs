//! Health and metrics, on a port of their own: is the process alive, can it take payments, what has it done.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::{StatusCode, header},
    routing::get,
};
use ramz_api::{
    metrics::{self, Page, Show},
    serve::DoorTimes,
};
use ramz_store::ClockOff;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;

/// How presses of the PIN button ended.
#[derive(Debug, Default)]
pub(crate) struct Presses(Mutex<BTreeMap<&'static str, u64>>);

impl Presses {
    /// One more with this outcome: a problem's type, or `accepted`.
    pub(crate) fn count(&self, outcome: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }
}

/// What is looked at.
pub(crate) struct Watched {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) doors: [Arc<DoorTimes>; 1],
    pub(crate) others: Vec<Arc<dyn Show>>,
}

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn routes(watched: Arc<Watched>, shutdown: CancellationToken) -> Router {
    let gateway = Arc::clone(&watched.gateway);
    let ready = async move || {
        let links = gateway.banks.iter().map(|bank| bank.link.is_up());
        let no = if shutdown.is_cancelled() {
            "shutting down\n"
        } else if links.len() > 0 && !links.clone().any(|up| up) {
            // One bank that is away is no reason to send the other banks' payers elsewhere.
            "no link to any bank\n"
        } else if ramz_store::ready(gateway.payments.store()).await.is_err() {
            "store down\n"
        } else {
            match gateway.agreed.hold() {
                Ok(()) => return (StatusCode::OK, "ready\n"),
                Err(ClockOff::Unasked) => "its store has not said yet what time it is\n",
                Err(ClockOff::Apart(_)) => "its clock is not the store's: set them\n",
            }
        };
        (StatusCode::SERVICE_UNAVAILABLE, no)
    };
    let metrics = async move || {
        let mut page = Page::default();
        watched.show(&mut page);
        watched.others.iter().for_each(|other| other.show(&mut page));
        ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], page.into_text())
    };
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

impl Show for Watched {
    fn show(&self, page: &mut Page) {
        let name = "ramz_gateway_presses_total";
        page.counter(name, "Presses of the PIN button, by outcome.");
        for (outcome, count) in self.gateway.presses.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            page.sample(name, &[("outcome", outcome)], count);
        }
        let name = "ramz_gateway_link_up";
        page.gauge(name, "Whether the link to a bank is up.");
        for bank in &self.gateway.banks {
            page.sample(name, &[("link", &bank.config.name)], u8::from(bank.link.is_up()));
        }
        DoorTimes::show(&self.doors, page);
    }
}
