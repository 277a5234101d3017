//! The button «درخواست رمز پویا»: the page asks, through the router, that the card's bank sends its payer a PIN.
//!
//! The answer is the same for every card; only faults of the asking itself are told. One press is one idempotency key,
//! kept in the payment's row together with the moment from which the same card may ask again.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use ramz_api::{
    client::{AskError, CallError},
    hop,
    pin_request::{Checked, PinRequested},
    problem,
    serve::JsonBody,
    tap::Fact,
};
use ramz_domain::ambient::random_bytes;
use ramz_domain::{Digest, Language, Moment, Pan, PaymentId};
use ramz_keys::IndexPurpose;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    about::Payee,
    body::{self, Secret},
    gateway::Gateway,
    payee, payer,
    payment::{ASKS_MAX, NoAsk, Payment},
    problem::{Kind, No},
    proof,
    rows::Column,
    token,
};

/// Until the bank says otherwise, the same card waits this long.
const WAIT: Duration = Duration::from_secs(120);
/// Tries to reach the router within one press, with the same key.
const ATTEMPTS: usize = 2;
/// Between them, and up to as long again: pages that lost one router together do not come back together.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    pan: Secret,
    press: Uuid,
    #[serde(default)]
    proof: String,
    /// Where a transfer goes to, if the payer says so.
    payee_pan: Option<Secret>,
}

/// One press of the button.
struct Press {
    /// The page's name of it: the idempotency key.
    key: Uuid,
    /// The keyed hash of the destination, if the payer typed one.
    to: Option<Digest>,
    /// The keyed hash of where it came from, if the operator lets payers be told apart.
    payer: Option<Digest>,
    proof: String,
}

/// The answer: nothing in it depends on the card.
#[derive(Serialize)]
pub(crate) struct Waiting {
    ask_again_after_s: u64,
    ask_again_at_ms: u64,
    now_ms: u64,
    asks_left: usize,
    challenge: String,
}

enum NotNow {
    Ask(NoAsk),
    Proof(String),
}

/// `POST /pay/{payment}/pin` `{ pan, press, proof, [payee_pan] }` → 202.
pub(crate) async fn pin(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(bytes): JsonBody,
) -> Result<(StatusCode, Json<Waiting>), No> {
    let (id, payment) = gateway.read(&id).await?;
    token::check(&payment, &headers)?;
    gateway.may_begin()?;
    let asked: Asked = body::read(&bytes, "{ pan, press, proof, [payee_pan] }")?;
    drop(bytes);
    let pan = Pan::parse_typed(asked.pan.as_str())
        .map_err(|error| No::malformed(&[("/pan", error.to_string().as_str())]))?;
    let to = payee::typed(&payment, asked.payee_pan.as_ref())?;
    if gateway.bank(pan.iin()).is_none() {
        return Err(No::new(Kind::UnknownIssuer));
    }
    let payer = payer::payer(&*gateway.keys, &gateway.config.payer_header, &headers, gateway.now());
    let payer = payer.map_err(|fault| gateway.fault(&fault))?;
    let key = asked.press;
    let press = Press { key, to: gateway.destination_tag(to.as_ref())?, payer, proof: asked.proof };
    let payee = gateway.payee(id, &payment, &pan, to).await?;
    let working = Arc::clone(&gateway);
    // A browser that goes away must not leave a press half done.
    let pressed = async move { working.press(id, pan, &payee, &press).await };
    let work = gateway.work.spawn(pressed.instrument(hop::span(key)));
    let waiting = work.await.map_err(|error| gateway.fault(&error))??;
    Ok((StatusCode::ACCEPTED, Json(waiting)))
}

impl Gateway {
    /// One press, told in one line.
    async fn press(&self, id: PaymentId, pan: Pan, payee: &Payee, press: &Press) -> Result<Waiting, No> {
        let began = Instant::now();
        let answer = self.ask(id, pan, payee, press).await;
        let outcome = answer.as_ref().map_or_else(|no| no.slug(), |_| "accepted");
        self.presses.count(outcome);
        tracing::info!(payment = %id, outcome, ms = hop::ms_since(began), "the PIN button was pressed");
        answer
    }

    async fn ask(&self, id: PaymentId, pan: Pan, payee: &Payee, press: &Press) -> Result<Waiting, No> {
        let key = press.key;
        let now = self.now();
        let tag = self.keys.index(IndexPurpose::Pan, &[pan.expose().as_bytes()]);
        let card = tag.map_err(|fault| self.fault(&fault))?.bytes;
        let claimed = self.payments.change(id, |payment| {
            let challenge = proof::challenge(id, payment);
            let repeat = payment.ask(card, key, press.to, press.payer, WAIT, now).map_err(NotNow::Ask)?;
            if !repeat && !proof::solves(&challenge, &press.proof) {
                return Err(NotNow::Proof(challenge));
            }
            Ok((repeat, Column::Keep))
        });
        let (repeat, payment) = claimed.await.map_err(|not| {
            self.refuse(not, |why| match why {
                NotNow::Ask(NoAsk::Standing(standing)) => No::standing(standing),
                NotNow::Ask(NoAsk::Wait(until)) => {
                    No::later(Kind::AskAgainLater, until.since(now).as_millis().div_ceil(1000) as u64)
                }
                NotNow::Ask(NoAsk::NoMore) => No::new(Kind::NoMoreAsks),
                NotNow::Ask(NoAsk::NewPress) => {
                    No::malformed(&[("/press", "make a new id for each press of the button")])
                }
                NotNow::Proof(challenge) => No::proof(challenge),
            })
        })?;
        match self.ask_router(&pan, payee, key, &payment).await {
            Ok(requested) => {
                let again_at = self.now().plus(Duration::from_secs(requested.ask_again_after_s.into()));
                let kept = self.payments.change(id, |payment| {
                    payment.asked(key, again_at);
                    Ok::<_, NoAsk>(((), Column::Keep))
                });
                // The PIN is on its way whether or not this was kept: the claim's own wait stands then.
                let payment = kept.await.map_or(payment, |(_, payment)| payment);
                Ok(self.waiting(id, &payment, again_at))
            }
            // A repeat that fails takes nothing back: its press was taken before.
            Err(no) if repeat => Err(no),
            Err(no) => {
                let taken_back = self.payments.change(id, |payment| {
                    payment.not_asked(key);
                    Ok::<_, NoAsk>(((), Column::Keep))
                });
                if let Err(not) = taken_back.await {
                    tracing::warn!(?not, "a press that came to nothing stays counted");
                }
                Err(no)
            }
        }
    }

    fn waiting(&self, id: PaymentId, payment: &Payment, again_at: Moment) -> Waiting {
        let now = self.now();
        Waiting {
            ask_again_after_s: again_at.since(now).as_millis().div_ceil(1000) as u64,
            ask_again_at_ms: again_at.unix_ms(),
            now_ms: now.unix_ms(),
            asks_left: ASKS_MAX.saturating_sub(payment.asks.len()),
            challenge: proof::challenge(id, payment),
        }
    }

    async fn ask_router(
        &self,
        pan: &Pan,
        payee: &Payee,
        press: Uuid,
        payment: &Payment,
    ) -> Result<PinRequested, No> {
        let merchant = self.merchant_of(payment)?;
        let asked_for =
            payee.asked_for(&self.config.acquirer, merchant).map_err(|error| self.fault(&error))?;
        let request = Checked {
            pan: pan.clone(),
            kind: payment.kind(),
            amount: payment.amount,
            payee: asked_for,
            origin: self.config.origin.clone(),
            payer: payment.payer(press).map(|Digest(hash)| hex::encode(hash)),
        };
        let body = request.to_json();
        let shown = payee.masked().unwrap_or_else(|| merchant.name_fa.clone());
        self.tap.tell(asked_fact(pan, payment, &shown, &self.config.origin));
        for attempt in 1..=ATTEMPTS {
            let why = match self.router.ask(press, None, &body).await {
                Ok(requested) => {
                    self.tap.tell(answered_fact("202"));
                    return Ok(requested);
                }
                // Not after a time-out: the router is at its limit, or the payer has waited long enough.
                Err(AskError::Call(why)) if attempt < ATTEMPTS && why != CallError::TimedOut => {
                    tracing::warn!(%why, "the router; asking again with the same key");
                    let [byte] = random_bytes(&*self.entropy);
                    tokio::time::sleep(AGAIN_AFTER + AGAIN_AFTER * u32::from(byte) / 256).await;
                    continue;
                }
                Err(why) => why,
            };
            self.tap.tell(answered_fact(match &why {
                AskError::Problem(problem) => problem.kind.slug(),
                AskError::Call(_) => "no answer",
            }));
            tracing::warn!(%why, "a PIN request was not taken");
            return Err(match why {
                AskError::Problem(problem) => match problem.kind {
                    problem::Kind::UnknownIssuer => No::new(Kind::UnknownIssuer),
                    problem::Kind::TooManyRequests | problem::Kind::IssuerUnavailable => {
                        No::later(Kind::BankUnavailable, problem.retry_after_s.unwrap_or(5).into())
                    }
                    // The page chooses the press, and has used it for another payment.
                    problem::Kind::IdempotencyConflict => No::malformed(&[("/press", "write a fresh UUID")]),
                    // The router does not take what we send: a fault of ours, and no payer can mend it.
                    _ => self.fault(&problem),
                },
                AskError::Call(_) => No::later(Kind::BankUnavailable, 5),
            });
        }
        Err(No::later(Kind::BankUnavailable, 5))
    }
}

fn asked_fact(pan: &Pan, payment: &Payment, payee: &str, origin: &str) -> Fact {
    let fields = [
        ("pan", pan.masked()),
        ("kind", payment.kind().text(Language::English).to_owned()),
        ("amount", payment.amount.with_commas()),
        ("payee", payee.to_owned()),
        ("origin", origin.to_owned()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Fact {
        from: "page".into(),
        to: "router".into(),
        wire: "HTTP",
        title: "POST /v1/pin-requests".into(),
        fields,
    }
}

fn answered_fact(answer: &str) -> Fact {
    Fact {
        from: "router".into(),
        to: "page".into(),
        wire: "HTTP",
        title: answer.to_owned(),
        fields: Vec::new(),
    }
}
