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
pub(crate) fn routes(desk: Arc<Desk>, watched: Vec<Arc<dyn Show>>, shutdown: CancellationToken) -> Router {
    let current = Arc::clone(&desk.current);
    let ready = async move || {
        if shutdown.is_cancelled() {
            return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".to_owned());
        }
        // Requests are answered as before: the copy is ready, and somebody has a file to mend.
        let fault = current.fault().map(|fault| format!("directory of banks refused: {fault}\n"));
        (StatusCode::OK, format!("ready\n{}", fault.unwrap_or_default()))
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

/// A metric of each bank: its name, its help, and its value.
type Each<T> = (&'static str, &'static str, fn(&Way) -> T);

impl Show for Desk {
    fn show(&self, page: &mut Page) {
        let name = "ramz_router_pin_requests_total";
        page.counter(name, "PIN requests answered, by outcome.");
        for (outcome, count) in self.counts.outcomes() {
            page.sample(name, &[("outcome", outcome)], count);
        }
        page.gauge("ramz_router_in_flight", "PIN requests in hand.");
        page.sample("ramz_router_in_flight", &[], self.room.in_flight());
        let name = "ramz_router_shed_total";
        page.counter(name, "PIN requests turned away because the router had too much in hand.");
        page.sample(name, &[], self.room.shed.load(Ordering::Relaxed));
        self.show_directory(page);
        self.show_ways(page);
        DoorTimes::show(&self.doors, page);
    }
}

impl Desk {
    fn show_directory(&self, page: &mut Page) {
        let current = &self.current;
        page.gauge("ramz_router_directory_banks", "Banks of the directory in use.");
        page.sample("ramz_router_directory_banks", &[], current.get().banks().len());
        let name = "ramz_router_directory_current";
        page.gauge(
            name,
            "Whether the directory in use is what its file says now: 0 while a file is refused.",
        );
        page.sample(name, &[], u8::from(current.fault().is_none()));
        let name = "ramz_router_directory_reads_total";
        page.counter(name, "Changed files of the directory, by outcome.");
        for (outcome, count) in [("used", &current.replaced), ("refused", &current.refused)] {
            page.sample(name, &[("outcome", outcome)], count.load(Ordering::Relaxed));
        }
    }

    fn show_ways(&self, page: &mut Page) {
        let ways = self.ways();
        let gauges: [Each<usize>; 3] = [
            ("ramz_router_bank_in_flight", "Requests that wait for a bank.", Way::in_flight),
            (
                "ramz_router_bank_available",
                "Whether a request would be sent: the bank is not cut off.",
                |way| usize::from(way.is_available()),
            ),
            ("ramz_router_bank_breaker", "The bank's breaker: 0 closed, 1 half-open, 2 open.", |way| {
                way.standing().0 as usize
            }),
        ];
        for (name, help, value) in gauges {
            page.gauge(name, help);
            for way in &ways {
                page.sample(name, &[("bank", &way.id)], value(way));
            }
        }
        let counters: [Each<u64>; 2] = [
            ("ramz_router_bank_opened_total", "How often a bank was cut off.", |way| way.standing().1),
            (
                "ramz_router_bank_retries_total",
                "Requests tried once more after a connection that broke.",
                |way| way.counts.retried.load(Ordering::Relaxed),
            ),
        ];
        for (name, help, value) in counters {
            page.counter(name, help);
            for way in &ways {
                page.sample(name, &[("bank", &way.id)], value(way));
            }
        }
        let name = "ramz_router_bank_turned_away_total";
        page.counter(name, "Requests not sent to a bank, by reason.");
        for way in &ways {
            let counts = &way.counts;
            for (why, count) in [("cut_off", &counts.cut_off), ("full", &counts.full), ("late", &counts.late)]
            {
                page.sample(name, &[("bank", &way.id), ("why", why)], count.load(Ordering::Relaxed));
            }
        }
        let name = "ramz_router_bank_seconds";
        page.histogram(name, "From asking a bank to its answer, or to giving up.");
        for way in &ways {
            way.seconds.show(page, name, &[("bank", &way.id)]);
        }
    }
}
