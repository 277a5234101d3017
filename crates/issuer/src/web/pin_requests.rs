//! `POST /v1/pin-requests` at the bank: the same resource as at the router, for routers and for askers of its own.
//!
//! The answer depends on the admission record alone. There is one path for every card: what happens to the card comes
//! after the answer, in `admission`. Work that its asker no longer waits for is refused before it is admitted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use ramz_api::deadline::Deadline;
use ramz_api::hop;
use ramz_api::net::Peer;
use ramz_api::pin_request::{
    Checked, PATH, PayeeChecked, PinRequest, PinRequested, RAMZ_ASKER, idempotency_key,
};
use ramz_api::problem::{FieldError, Problem};
use ramz_api::serve::JsonBody;
use ramz_api::tap::{Fact, SharedTap};
use ramz_domain::Entropy;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{certified, fault};
use crate::admission::{Admissions, Admitted};
use crate::config::AskerConfig;
use crate::limits::Limits;

/// What the door needs.
pub struct PinRequestDoor {
    /// The record and what follows.
    pub admissions: Arc<Admissions>,
    /// How fast each asker may ask.
    pub limits: Arc<Limits>,
    /// Names incidents.
    pub entropy: Arc<dyn Entropy>,
    /// Who watches.
    pub tap: SharedTap,
    /// What logs call this bank.
    pub bank: String,
    /// What the trace calls it.
    pub name: String,
    /// This bank's IINs.
    pub iins: BTreeSet<String>,
    /// Certificates whose `Ramz-Asker` is believed.
    pub routers: BTreeSet<String>,
    /// Certificates that ask for themselves.
    pub askers: BTreeMap<String, AskerConfig>,
    /// How long a PIN is good.
    pub valid_for_s: u32,
    /// How long the page counts down.
    pub ask_again_after_s: u32,
}

/// The routes.
pub fn routes(door: Arc<PinRequestDoor>) -> Router {
    Router::new().route(PATH, post(ask)).with_state(door)
}

async fn ask(
    State(door): State<Arc<PinRequestDoor>>,
    Extension(peer): Extension<Peer>,
    deadline: Deadline,
    headers: HeaderMap,
    body: Result<JsonBody, Problem>,
) -> Response {
    let asker = match door.asker(&peer, &headers) {
        Ok(asker) => asker,
        Err(problem) => return problem.into_response(),
    };
    match door.ask(&asker, deadline, &headers, body).await {
        Ok(requested) => {
            asker.tell(&door, "202", &[("valid_for_s", requested.valid_for_s.to_string())]);
            (StatusCode::ACCEPTED, Json(requested)).into_response()
        }
        Err(problem) => {
            asker.tell(&door, &problem.kind.code().to_string(), &[("type", problem.kind.uri())]);
            problem.into_response()
        }
    }
}

impl PinRequestDoor {
    async fn ask(
        &self,
        asker: &Asker<'_>,
        deadline: Deadline,
        headers: &HeaderMap,
        body: Result<JsonBody, Problem>,
    ) -> Result<PinRequested, Problem> {
        // Good requests and bad: a flood of either is one. Counted, and told in no line each: that would be one more flood.
        let now = self.admissions.now();
        let may_ask = self.limits.asker(&asker.name, now).map_err(Problem::too_many_requests);
        let key = may_ask.and_then(|()| idempotency_key(headers)).inspect_err(|problem| {
            self.admissions.count(problem.kind.slug());
        })?;
        let named = async {
            let began = Instant::now();
            let answer = self.ask_by(asker, key, deadline, body).await;
            let outcome = answer.as_ref().map_or_else(|problem| problem.kind.slug(), |_| "accepted");
            self.admissions.count(outcome);
            let (bank, ms) = (self.bank.as_str(), hop::ms_since(began));
            tracing::info!(asker = asker.name, bank, outcome, ms, "PIN request admitted or refused");
            answer
        };
        named.instrument(hop::span(key)).await
    }

    async fn ask_by(
        &self,
        asker: &Asker<'_>,
        key: Uuid,
        deadline: Deadline,
        body: Result<JsonBody, Problem>,
    ) -> Result<PinRequested, Problem> {
        let JsonBody(bytes) = body?;
        let request = PinRequest::parse(&bytes)?;
        asker.tell_request(self, &request);
        if let Some(config) = asker.own {
            allowed(config, &request)?;
        }
        if !self.iins.contains(request.pan.iin().as_str()) {
            return Err(Problem::unknown_issuer());
        }
        // The last moment at which nothing has been done. The card has no part in it.
        if deadline.is_over() {
            return Err(Problem::issuer_unavailable(1));
        }
        match self.admissions.admit(&asker.name, key, &request).await {
            Ok(Admitted::Yes(id)) => Ok(PinRequested {
                request: id,
                valid_for_s: self.valid_for_s,
                ask_again_after_s: self.ask_again_after_s,
            }),
            Ok(Admitted::Conflict) => Err(Problem::idempotency_conflict()),
            Err(failure) => Err(fault(self.entropy.as_ref(), &failure)),
        }
    }

    /// Who asks. A router speaks for others and is believed; anybody else speaks for itself.
    fn asker(&self, peer: &Peer, headers: &HeaderMap) -> Result<Asker<'_>, Problem> {
        let name = certified(peer).ok_or_else(Problem::unknown_asker)?;
        if self.routers.contains(name) {
            let passed_on = headers.get(RAMZ_ASKER).and_then(|value| value.to_str().ok());
            let passed_on = passed_on.filter(|asker| (1..=128).contains(&asker.len()));
            let name = passed_on.ok_or_else(Problem::unknown_asker)?.to_owned();
            return Ok(Asker { name, own: None });
        }
        let config = self.askers.get(name).ok_or_else(Problem::unknown_asker)?;
        Ok(Asker { name: name.to_owned(), own: Some(config) })
    }
}

/// Who asks: through a router, or on its own with what is registered for it.
struct Asker<'a> {
    name: String,
    own: Option<&'a AskerConfig>,
}

impl Asker<'_> {
    fn tell_request(&self, door: &PinRequestDoor, request: &Checked) {
        if !door.tap.watches() {
            return;
        }
        let amount = format!("{} rial", request.amount.with_commas());
        let fields =
            [("pan", request.pan.masked()), ("kind", request.kind.code().to_owned()), ("amount", amount)];
        self.tell_from(door, true, "POST /v1/pin-requests", &fields);
    }

    fn tell(&self, door: &PinRequestDoor, answer: &str, fields: &[(&str, String)]) {
        self.tell_from(door, false, answer, fields);
    }

    /// The router tells what goes over its own wires; who comes without one is told here.
    fn tell_from(&self, door: &PinRequestDoor, asked: bool, title: &str, fields: &[(&str, String)]) {
        if self.own.is_none() || !door.tap.watches() {
            return;
        }
        let (us, them) = (door.name.clone(), self.name.clone());
        let (from, to) = if asked { (them, us) } else { (us, them) };
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        door.tap.tell(Fact { from, to, wire: "HTTP", title: title.to_owned(), fields });
    }
}

fn allowed(config: &AskerConfig, request: &Checked) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if !config.kinds.iter().any(|kind| kind == request.kind.code()) {
        errors.push(FieldError::new("/payment/kind", "use a kind that is registered for this asker"));
    }
    if let PayeeChecked::Merchant { acquirer, .. } = &request.payee
        && !config.acquirers.contains(acquirer)
    {
        errors.push(FieldError::new(
            "/payment/payee/acquirer",
            "use an acquirer that is registered for this asker",
        ));
    }
    if !config.origins.contains(&request.origin) {
        errors.push(FieldError::new("/payment/origin", "use an origin that is registered for this asker"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::not_allowed(errors)) }
}
