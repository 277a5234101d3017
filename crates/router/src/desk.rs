//! The desk where payment pages ask: admission, the card's bank, forwarding.
//!
//! The order of the checks, first to last; each looks at no more than it needs:
//!
//! 0. whether there is room at all: 503
//! 1. the certificate's name: 401
//! 2. the asker's rate, for good requests and bad: 429
//! 3. media type, size, idempotency key: 415, 413, 422
//! 4. the body, every error at once: 400
//! 5. kind, acquirer and origin against the asker: 403
//! 6. the IIN: 404; the way to its bank (`ways`): 503
//!
//! Up to 5 nothing depends on the card but the form of its number, and 6 depends on the first six digits alone.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{FromRequest as _, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ramz_api::{
    deadline::Deadline,
    directory::{self, Bank, Banks},
    hop,
    net::Peer,
    openapi,
    pin_request::{self, Checked, PayeeChecked, PinRequest, PinRequested},
    problem::Problem,
    serve::{DoorTimes, JsonBody},
    tap::{Fact, SharedTap},
};
use ramz_domain::{Clock, masked_bill_id};
use tokio::{sync::Semaphore, time::Instant};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    askers::{Asker, Askers},
    counts::Counts,
    current::Current,
    ways::{self, Way},
};

/// What the tap calls the asker's side.
const PAGE: &str = "page";
/// What the tap calls us.
const ROUTER: &str = "router";

/// All that a request needs. Nothing here outlives the process or is needed by another copy.
pub(crate) struct Desk {
    pub(crate) askers: Askers,
    pub(crate) current: Arc<Current>,
    pub(crate) ways: HashMap<String, Way>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tap: SharedTap,
    pub(crate) counts: Counts,
    pub(crate) room: Room,
    pub(crate) doors: [Arc<DoorTimes>; 2],
}

/// How much the router takes on at once. What is beyond it is turned away at once: an answer that comes after the payer
/// has gone is work for nobody.
pub(crate) struct Room {
    most: usize,
    places: Semaphore,
    /// Turned away since the start.
    pub(crate) shed: AtomicU64,
}

impl Room {
    /// Room for so many.
    pub(crate) fn with(most: usize) -> Room {
        Room { most, places: Semaphore::new(most), shed: AtomicU64::new(0) }
    }

    /// Requests in hand.
    pub(crate) fn in_flight(&self) -> usize {
        self.most - self.places.available_permits()
    }
}

/// The public resources.
pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route(pin_request::PATH, post(ask))
        .route(directory::PATH, get(banks))
        .with_state(desk)
        .merge(openapi::route(openapi::of_a_router()))
}

async fn ask(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let answer = desk.ask(request).await;
    desk.counts.count(answer.as_ref().err().map(|problem| problem.kind));
    desk.tell(ROUTER, PAGE, answer_title(&answer), answer_fields(&answer));
    match answer {
        Ok(requested) => {
            let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::ACCEPTED, [no_store], Json(requested)).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// `GET /v1/banks`, for askers and for the public.
pub(crate) async fn banks(State(desk): State<Arc<Desk>>) -> Json<Banks> {
    Json(desk.current.get().list(|bank| {
        let way = desk.way(bank);
        (way.is_some(), way.is_some_and(Way::is_available))
    }))
}

impl Desk {
    /// The way to whoever answers for this bank's cards: the bank, or the one that it was merged into.
    pub(crate) fn way(&self, bank: &Bank) -> Option<&Way> {
        let own = self.ways.get(&bank.id);
        own.or_else(|| bank.merged_into.as_ref().and_then(|into| self.ways.get(into)))
    }

    /// All ways, in the order of their names.
    pub(crate) fn ways(&self) -> Vec<&Way> {
        let mut ways: Vec<_> = self.ways.values().collect();
        ways.sort_by(|a, b| a.id.cmp(&b.id));
        ways
    }

    async fn ask(&self, request: Request) -> Result<PinRequested, Problem> {
        let deadline = Deadline::read(request.headers());
        let asker = self.asker(&request).ok_or_else(Problem::unknown_asker)?;
        asker.take(self.clock.now())?;
        let key = pin_request::idempotency_key(request.headers());
        let JsonBody(body) = JsonBody::from_request(request, &()).await?;
        let key = key?;
        // Not before its body is here: who sends none would hold a place.
        let Ok(_place) = self.room.places.try_acquire() else {
            self.room.shed.fetch_add(1, Ordering::Relaxed);
            return Err(ways::overloaded());
        };
        self.pass_on(asker, key, deadline, &body).instrument(hop::span(key)).await
    }

    /// A request that has a name: from its body to its answer, told in one line.
    async fn pass_on(
        &self,
        asker: &Asker,
        key: Uuid,
        deadline: Deadline,
        body: &[u8],
    ) -> Result<PinRequested, Problem> {
        let began = Instant::now();
        let mut bank = None;
        let answer = self.forward(asker, key, deadline, body, &mut bank).await;
        let outcome = answer.as_ref().map_or_else(|problem| problem.kind.slug(), |_| "accepted");
        tracing::info!(asker = asker.name, bank, outcome, ms = hop::ms_since(began), "PIN request answered");
        answer
    }

    async fn forward<'a>(
        &'a self,
        asker: &Asker,
        key: Uuid,
        deadline: Deadline,
        body: &[u8],
        to: &mut Option<&'a str>,
    ) -> Result<PinRequested, Problem> {
        let parsed = PinRequest::parse(body);
        self.tell(
            PAGE,
            ROUTER,
            "POST /v1/pin-requests".to_owned(),
            request_fields(asker, parsed.as_ref().ok()),
        );
        let checked = parsed?;
        asker.may_ask(&checked)?;
        let directory = self.current.get();
        let bank = directory.issuer(checked.pan.iin()).ok_or_else(Problem::unknown_issuer)?;
        let way = self.way(bank).ok_or_else(ways::no_way)?;
        *to = Some(&way.id);
        let there = format!("bank {}", way.id);
        self.tell(ROUTER, &there, "POST /v1/pin-requests".to_owned(), request_fields(asker, Some(&checked)));
        let answer = way.forward(deadline, key, &asker.name, body).await;
        self.tell(&there, ROUTER, answer_title(&answer), answer_fields(&answer));
        answer
    }

    fn asker(&self, request: &Request) -> Option<&Asker> {
        let name = request.extensions().get::<Peer>()?.name.as_deref()?;
        self.askers.get(name)
    }

    fn tell(&self, from: &str, to: &str, title: String, fields: Vec<(String, String)>) {
        self.tap.tell(Fact { from: from.to_owned(), to: to.to_owned(), wire: "HTTP", title, fields });
    }
}

/// Masked: the first six and last four digits of a card number, a bill's id without its middle, and nothing of one that was not understood.
fn request_fields(asker: &Asker, request: Option<&Checked>) -> Vec<(String, String)> {
    let mut fields = vec![("asker".to_owned(), asker.name.clone())];
    let Some(request) = request else { return fields };
    let payee = match &request.payee {
        PayeeChecked::Merchant { name, .. } => name.as_str().to_owned(),
        PayeeChecked::Card { pan } => pan.masked(),
        // A telephone's bill names the telephone.
        PayeeChecked::Bill { bill, .. } => masked_bill_id(bill),
    };
    fields.extend([
        ("pan".to_owned(), request.pan.masked()),
        ("kind".to_owned(), request.kind.code().to_owned()),
        ("amount".to_owned(), request.amount.with_commas()),
        ("payee".to_owned(), payee),
    ]);
    fields
}

fn answer_title(answer: &Result<PinRequested, Problem>) -> String {
    match answer {
        Ok(_) => "202 accepted".to_owned(),
        Err(problem) => format!("{} {}", problem.kind.code(), problem.kind.slug()),
    }
}

fn answer_fields(answer: &Result<PinRequested, Problem>) -> Vec<(String, String)> {
    match answer {
        Ok(requested) => vec![
            ("request".to_owned(), requested.request.to_string()),
            ("valid_for_s".to_owned(), requested.valid_for_s.to_string()),
            ("ask_again_after_s".to_owned(), requested.ask_again_after_s.to_string()),
        ],
        Err(problem) => {
            let pointers = problem.errors.iter().map(|error| ("error".to_owned(), error.pointer.clone()));
            std::iter::once(("detail".to_owned(), problem.detail.clone())).chain(pointers).collect()
        }
    }
}
