//! Health, on a port of its own: is the process alive, can it do its work, what has it done.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use ramz_link::Link;
use ramz_sms::port::Sender;

use super::lines;
use crate::counts::Counts;

/// What is looked at.
pub struct Health {
    /// To the card host.
    pub host: Arc<Link>,
    /// To the operator.
    pub sender: Arc<dyn Sender>,
    /// What was done.
    pub counts: Arc<Counts>,
}

/// The routes.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let (host, sms) = (health.host.is_up(), health.sender.is_up());
    let word = |up: bool| if up { "up" } else { "down" };
    let status = if host && sms { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let binds = lines::readiness(&health.sender.lines());
    (status, format!("card host {}\nSMS {}\n{binds}", word(host), word(sms)))
}

async fn metrics(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let links = [("host", health.host.is_up()), ("sms", health.sender.is_up())];
    let mut text = health.counts.prometheus();
    text.push_str("# HELP ramz_link_up Whether a link is up.\n# TYPE ramz_link_up gauge\n");
    for (name, up) in links {
        text.push_str(&format!("ramz_link_up{{link=\"{name}\"}} {}\n", u8::from(up)));
    }
    text.push_str(&lines::prometheus(&health.sender.lines()));
    ([("content-type", "text/plain; version=0.0.4")], text)
}
