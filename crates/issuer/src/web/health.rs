//! Health, on a port of its own: is the process alive, can it do its work, what has it done.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use ramz_api::metrics::{self, Page, Show};
use ramz_api::serve::DoorTimes;
use ramz_domain::limits;
use ramz_link::Link;
use ramz_sms::port::Sender;
use ramz_store::ClockOff;
use tokio_util::sync::CancellationToken;

use super::lines;
use crate::counts::Counts;
use crate::engine::Engine;

/// What is looked at.
pub struct Health {
    /// Has the store and the clock.
    pub engine: Arc<Engine>,
    /// To the card host.
    pub host: Arc<Link>,
    /// To the operator.
    pub sender: Arc<dyn Sender>,
    /// What was done.
    pub counts: Arc<Counts>,
    /// The doors for HTTP.
    pub doors: Vec<Arc<DoorTimes>>,
    /// What else has metrics to show.
    pub watched: Vec<Arc<dyn Show>>,
    /// Cancelled when the issuer stops: it is not ready from then on, and answers what it has read.
    pub shutdown: CancellationToken,
}

/// The routes.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(exposition))
        .with_state(health)
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    if health.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".to_owned());
    }
    let (host, sms) = (health.host.is_up(), health.sender.is_up());
    let word = |up: bool| if up { "up" } else { "down" };
    let (store, store_is) = store(&health.engine).await;
    let status = if host && sms && store { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let binds = lines::readiness(&health.sender.lines());
    (status, format!("card host {}\nSMS {}\n{binds}store {store_is}\n", word(host), word(sms)))
}

/// Whether the store serves rows, and agrees on the time: what one node decides by its clock, another must find right.
async fn store(engine: &Engine) -> (bool, String) {
    if let Err(fault) = ramz_store::ready(engine.store.as_ref()).await {
        return (false, format!("down: {fault}"));
    }
    // Until then nothing is decided here.
    if let Err(off @ ClockOff::Unasked) = engine.agreed.hold() {
        return (false, format!("up: {off}"));
    }
    match engine.store.clock().await {
        Ok(None) => (true, "up".into()),
        Ok(Some(theirs)) => {
            let ours = engine.agreed.ours();
            let apart = ours.since(theirs).max(theirs.since(ours));
            let ms = apart.as_millis();
            if apart <= limits::CLOCKS_APART_MAX {
                (true, "up".into())
            } else {
                (false, format!("up, and its clock is {ms} ms from ours: set them"))
            }
        }
        Err(fault) => (false, format!("down: {fault}")),
    }
}

async fn exposition(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let links = [("host", health.host.is_up()), ("sms", health.sender.is_up())];
    let mut page = Page::default();
    health.counts.show(&mut page);
    DoorTimes::show(&health.doors, &mut page);
    page.gauge("ramz_link_up", "Whether a link is up.");
    for (name, up) in links {
        page.sample("ramz_link_up", &[("link", name)], u8::from(up));
    }
    lines::show(&health.sender.lines(), &mut page);
    health.watched.iter().for_each(|watched| watched.show(&mut page));
    ([("content-type", metrics::MEDIA_TYPE)], page.into_text())
}
