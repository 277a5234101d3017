//! The lab's terminals over HTTP, for their page and for outside programs.
//!
//! | | |
//! |---|---|
//! | `GET /terminal/menu` | the services, and what response codes say, in Persian and English |
//! | `POST /terminal/services` | `{"pan","expiry"?,"pin","service","choice"?,"terminal"}` → what the bank answered |
//! | `POST /terminal/payments` | `{"pan","expiry"?,"pin","payment","amount"?,"terminal"}` → what became of it |
//!
//! The PIN comes in a body, goes into a PIN block, and is nowhere else: no address, no log, no cache.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
    routing::{get, post},
};
use ramz_api::{
    problem::{FieldError, Problem, incident},
    serve::JsonBody,
};
use ramz_domain::Entropy;
use serde::Deserialize;

use super::{
    Answer, Machine, Paid, Paying, Payment, Service, Session, Terminal, Typed, Unanswered, Wanted, services,
};

/// Seconds after which a bank that did not answer is worth another try.
const TRY_AGAIN_S: u32 = 5;

/// The lab's terminals.
pub struct Terminals {
    /// The cash machine.
    pub atm: Terminal,
    /// The one at a branch's counter.
    pub cashless: Terminal,
    /// The one in a shop.
    pub pos: Terminal,
    /// Names incidents.
    pub entropy: Arc<dyn Entropy>,
}

impl Terminals {
    fn at(&self, machine: Machine) -> &Terminal {
        match machine {
            Machine::Atm => &self.atm,
            Machine::Cashless => &self.cashless,
            Machine::Pos => &self.pos,
        }
    }
}

/// The routes. Nothing of them is kept by a browser.
pub fn router(terminals: Arc<Terminals>) -> Router {
    Router::new()
        .route("/terminal/menu", get(async || Json(services::as_json())))
        .route("/terminal/services", post(serve))
        .route("/terminal/payments", post(pay))
        .with_state(terminals)
        .layer(axum::middleware::map_response(async |mut response: Response| {
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            response
        }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    pan: String,
    #[serde(default)]
    expiry: Option<String>,
    pin: String,
    service: String,
    #[serde(default)]
    choice: Option<String>,
    terminal: String,
}

async fn serve(
    State(terminals): State<Arc<Terminals>>,
    JsonBody(body): JsonBody,
) -> Result<Json<Answer>, Problem> {
    let (session, wanted, machine) = read(&body)?;
    drop(body);
    let served = terminals.at(machine).serve(&session, &wanted).await;
    served.map(Json).map_err(|why| problem(&why, &*terminals.entropy))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaymentBody {
    pan: String,
    #[serde(default)]
    expiry: Option<String>,
    pin: String,
    payment: String,
    #[serde(default)]
    amount: Option<u64>,
    terminal: String,
}

async fn pay(
    State(terminals): State<Arc<Terminals>>,
    JsonBody(body): JsonBody,
) -> Result<Json<Paid>, Problem> {
    let (session, paying, machine) = read_payment(&body)?;
    drop(body);
    let paid = terminals.at(machine).pay(&session, paying).await;
    paid.map(Json).map_err(|why| problem(&why, &*terminals.entropy))
}

/// All errors at once. What was typed is moved, not copied, so that it is wiped.
fn read(bytes: &[u8]) -> Result<(Session, Wanted, Machine), Problem> {
    let Ok(Body { pan, expiry, pin, service, choice, terminal }) = serde_json::from_slice(bytes) else {
        let what =
            "send { pan, expiry (YYMM, may be left out), pin, service, choice (951000 only), terminal }";
        return Err(Problem::malformed(vec![FieldError::new("", what)]));
    };
    let mut errors = Vec::new();
    let session = Session::read(&Typed { pan, expiry, pin }).map_err(|wrong| errors.extend(wrong));
    let wanted = match Service::of(&service) {
        Some(service) => Wanted::new(service, choice.as_deref()),
        None => {
            let codes: Vec<&str> = Service::ALL.iter().map(|service| service.code()).collect();
            Err(FieldError::new("/service", format!("write one of {}", codes.join(", "))))
        }
    };
    let wanted = wanted.map_err(|wrong| errors.push(wrong));
    let machine = Machine::of(&terminal).filter(|machine| machine.has_services()).ok_or_else(|| {
        errors.push(FieldError::new("/terminal", "write atm or cashless"));
    });
    match (session, wanted, machine) {
        (Ok(session), Ok(wanted), Ok(machine)) => Ok((session, wanted, machine)),
        _ => Err(Problem::malformed(errors)),
    }
}

/// The same of a payment.
fn read_payment(bytes: &[u8]) -> Result<(Session, Paying, Machine), Problem> {
    let Ok(PaymentBody { pan, expiry, pin, payment, amount, terminal }) = serde_json::from_slice(bytes)
    else {
        let what = "send { pan, expiry (YYMM, may be left out), pin, payment, amount (rial; a balance has none), terminal }";
        return Err(Problem::malformed(vec![FieldError::new("", what)]));
    };
    let mut errors = Vec::new();
    let session = Session::read(&Typed { pan, expiry, pin }).map_err(|wrong| errors.extend(wrong));
    let mut one_of =
        |pointer: &str, words: &str| errors.push(FieldError::new(pointer, format!("write {words}")));
    let payment = Payment::of(&payment)
        .ok_or_else(|| one_of("/payment", "withdrawal or balance (atm), or purchase (pos)"));
    let machine = Machine::of(&terminal)
        .filter(|machine| Payment::ALL.iter().any(|payment| payment.machine() == *machine))
        .ok_or_else(|| one_of("/terminal", "atm or pos"));
    let (Ok(payment), Ok(machine)) = (payment, machine) else { return Err(Problem::malformed(errors)) };
    let paying = Paying::new(machine, payment, amount).map_err(|wrong| errors.push(wrong));
    match (session, paying) {
        (Ok(session), Ok(paying)) => Ok((session, paying, machine)),
        _ => Err(Problem::malformed(errors)),
    }
}

fn problem(why: &Unanswered, entropy: &dyn Entropy) -> Problem {
    let detail = why.to_string();
    match why {
        Unanswered::UnknownBank => {
            let detail = "No bank of the lab has this card; lab.json lists the banks and their IINs.";
            Problem { detail: detail.into(), ..Problem::unknown_issuer() }
        }
        Unanswered::NotAsked(_) | Unanswered::NoAnswer(_) | Unanswered::Unreadable(_) => {
            tracing::warn!(reason = %why, "a terminal has no answer");
            Problem { detail, ..Problem::issuer_unavailable(TRY_AGAIN_S) }
        }
        // Of a payment a 503 says that nothing was taken, and here the bank may have been asked.
        Unanswered::Ended => Problem { detail, ..Problem::fault(incident(entropy)) },
        Unanswered::Key(_) | Unanswered::Tags(_) => {
            let incident = incident(entropy);
            tracing::error!(%incident, cause = %why, "a terminal cannot make its request");
            Problem { detail: "Tell the lab's operator the incident.".into(), ..Problem::fault(incident) }
        }
    }
}
