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

use crate::{desk::Desk, ways::Way};

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
    let ready = async move |State(desk): State<Arc<Desk>>| {
        if shutdown.is_cancelled() {
            return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".to_owned());
        }
        // Requests are answered as before: the copy is ready, and somebody has a file to mend.
        let fault = desk.current.fault().map(|fault| format!("directory of banks refused: {fault}\n"));
        (StatusCode::OK, format!("ready\n{}", fault.unwrap_or_default()))
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
    let mut text = Exposition::default();
    text.family("ramz_router_pin_requests_total", "counter", "PIN requests answered, by outcome.");
    for (outcome, count) in desk.counts.outcomes() {
        text.value(&format!("outcome=\"{outcome}\""), count);
    }
    text.family("ramz_router_in_flight", "gauge", "PIN requests in hand.");
    text.value("", desk.room.in_flight() as u64);
    text.family(
        "ramz_router_shed_total",
        "counter",
        "PIN requests turned away because the router had too much in hand.",
    );
    text.value("", desk.room.shed.load(Ordering::Relaxed));
    let current = &desk.current;
    text.family("ramz_router_directory_banks", "gauge", "Banks of the directory in use.");
    text.value("", current.get().banks().len() as u64);
    text.family(
        "ramz_router_directory_current",
        "gauge",
        "Whether the directory in use is what its file says now: 0 while a file is refused.",
    );
    text.value("", u64::from(current.fault().is_none()));
    text.family(
        "ramz_router_directory_reads_total",
        "counter",
        "Changed files of the directory, by outcome.",
    );
    for (outcome, count) in [("used", &current.replaced), ("refused", &current.refused)] {
        text.value(&format!("outcome=\"{outcome}\""), count.load(Ordering::Relaxed));
    }
    let ways = desk.ways();
    text.family("ramz_router_bank_in_flight", "gauge", "Requests that wait for a bank.");
    for way in &ways {
        text.value(&of(way), way.in_flight() as u64);
    }
    text.family(
        "ramz_router_bank_available",
        "gauge",
        "Whether a request would be sent: the bank is not cut off.",
    );
    for way in &ways {
        text.value(&of(way), u64::from(way.is_available()));
    }
    text.family("ramz_router_bank_breaker", "gauge", "The bank's breaker: 0 closed, 1 half-open, 2 open.");
    for way in &ways {
        text.value(&of(way), way.standing().0 as u64);
    }
    text.family("ramz_router_bank_opened_total", "counter", "How often a bank was cut off.");
    for way in &ways {
        text.value(&of(way), way.standing().1);
    }
    text.family(
        "ramz_router_bank_retries_total",
        "counter",
        "Requests tried once more after a connection that broke.",
    );
    for way in &ways {
        text.value(&of(way), way.counts.retried.load(Ordering::Relaxed));
    }
    text.family("ramz_router_bank_turned_away_total", "counter", "Requests not sent to a bank, by reason.");
    for way in &ways {
        for (why, count) in
            [("cut_off", &way.counts.cut_off), ("full", &way.counts.full), ("late", &way.counts.late)]
        {
            text.value(&format!("{},why=\"{why}\"", of(way)), count.load(Ordering::Relaxed));
        }
    }
    text.0
}

fn of(way: &Way) -> String {
    format!("bank=\"{}\"", way.id)
}

/// The text form, family by family.
#[derive(Default)]
struct Exposition(String, &'static str);

impl Exposition {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.1 = name;
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, labels: &str, value: u64) {
        let _ = match labels {
            "" => writeln!(self.0, "{} {value}", self.1),
            labels => writeln!(self.0, "{}{{{labels}}} {value}", self.1),
        };
    }
}
