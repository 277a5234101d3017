//! `POST /v1/verifications` and its outcome: the card's part of an authorisation, for a bank whose switch calls a service.
//!
//! The same commands to the same card as over ISO 8583, so the same holds: spent before it is answered, a repeat gets the
//! same answer, guesses count. What is approved awaits its outcome instead of a host's answer. `static`:
//! no dynamic PIN matched and the static one may be tried, by who asks. Second PINs only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Extension, Json, Router};
use minicbor::{Decode, Encode};
use ramz_api::net::Peer;
use ramz_api::problem::{FieldError, Problem};
use ramz_api::serve::JsonBody;
use ramz_api::verification::{
    OUTCOME_PATH, PATH, Payee as Paid, PaymentOutcome, Presented as Pin, Verdict, Verification, Verified,
};
use ramz_domain::card::{Answer, Authorisation, Command, HostAnswer, Mark, PinKind, Reversal, Slot};
use ramz_domain::{CardId, Digest, Entropy, Payee, Payment, Refusal, is_approval, limits};
use ramz_keys::{IndexPurpose, KeyFault, Keys, PinBlock};
use ramz_store::{Change, Head, Swap, Table};
use serde_json::json;
use uuid::Uuid;

use super::{certified, fault};
use crate::admission;
use crate::counts::Counts;
use crate::engine::{Engine, EngineFault, Found, Job, Presented};
use crate::inline::Zone;

/// What the door needs.
pub struct VerificationDoor {
    /// What decides.
    pub engine: Arc<Engine>,
    /// Names incidents.
    pub entropy: Arc<dyn Entropy>,
    /// What was answered.
    pub counts: Arc<Counts>,
    /// This bank's IINs.
    pub iins: BTreeSet<String>,
    /// Certificates that may come in, each with the zone its PIN blocks are under.
    pub verifiers: BTreeMap<String, Verifier>,
}

/// Under which key a verifier's PIN blocks are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    /// The zone.
    pub zone: Zone,
    /// Its format as a number.
    pub format: u8,
}

/// Where an approved verification is found by its id: its verifier is part of the row's key, so that no other reaches it.
#[derive(Encode, Decode)]
struct Record {
    #[n(0)]
    card: CardId,
    #[n(1)]
    identity: Mark,
}

type Shared = State<Arc<VerificationDoor>>;

/// The routes.
pub fn routes(door: Arc<VerificationDoor>) -> Router {
    Router::new().route(PATH, post(verify)).route(OUTCOME_PATH, post(outcome)).with_state(door)
}

async fn verify(
    State(door): Shared,
    Extension(peer): Extension<Peer>,
    body: Result<JsonBody, Problem>,
) -> Result<Json<Verified>, Problem> {
    let (name, verifier) = door.verifier(&peer)?;
    let JsonBody(bytes) = body?;
    let verification = Verification::parse(&bytes)?;
    if !door.iins.contains(verification.pan.iin().as_str()) {
        return Err(Problem::unknown_issuer());
    }
    let verified = door.verify(name, verifier, verification).await?;
    door.counts.verified(&verified.response_code);
    Ok(Json(verified))
}

async fn outcome(
    State(door): Shared,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    body: Result<JsonBody, Problem>,
) -> Result<Json<serde_json::Value>, Problem> {
    let (verifier, _) = door.verifier(&peer)?;
    let JsonBody(bytes) = body?;
    let outcome = PaymentOutcome::parse(&bytes)?;
    let id = Uuid::try_parse(&id).map_err(|_| no_such_verification())?;
    let record = door.find(verifier, id).await.map_err(|f| door.problem(&f))?;
    let Record { card, identity } = record.ok_or_else(no_such_verification)?;
    let host = |code: &str| Command::HostAnswered { identity, answer: HostAnswer::of(code) };
    let command = match outcome {
        PaymentOutcome::Approved => host("00"),
        PaymentOutcome::Declined => host("05"),
        PaymentOutcome::WrongPin => host("55"),
        PaymentOutcome::Reversed => {
            let original = reversal(identity);
            Command::Reverse(Reversal { original, trace: None, reference: None, itself: None })
        }
    };
    match door.engine.tell(card, command).await.map_err(|f| door.problem(&f))? {
        // Again: it was the last try, and is noted as such.
        Answer::Done | Answer::Again(_) | Answer::Reversed { .. } => {
            Ok(Json(json!({ "verification": id, "outcome": outcome.to_string() })))
        }
        _ => Err(Problem::already_exists(
            "Another outcome of this verification was reported before, or it is older than ten minutes. Only \
             reversed may follow another outcome.",
        )),
    }
}

/// The path is right: another verifier's is as unknown as none.
fn no_such_verification() -> Problem {
    Problem::no_such(
        "No verification of yours that takes an outcome has this id. Check it; one that was refused takes none.",
    )
}

impl VerificationDoor {
    fn verifier(&self, peer: &Peer) -> Result<(&str, &Verifier), Problem> {
        let known = certified(peer).and_then(|name| self.verifiers.get_key_value(name));
        known.map(|(name, verifier)| (name.as_str(), verifier)).ok_or_else(Problem::unknown_asker)
    }

    async fn verify(
        &self,
        name: &str,
        verifier: &Verifier,
        asked: Verification,
    ) -> Result<Verified, Problem> {
        let keys = self.engine.keys.as_ref();
        let identity = identity(name, &asked);
        let card = self.engine.find(&asked.pan).await.map_err(|f| self.problem(&f))?;
        let Some(Found { card, issue }) = card else {
            return Ok(refused(id(name, CardId([0; 16]), identity), Refusal::NoSuchCard));
        };
        let authorisation = authorisation(keys, identity, &asked).map_err(|f| self.problem(&f.into()))?;
        let pin_block = self.pin_block(verifier, &asked)?;
        let Verification { pan, expiry, .. } = asked;
        let presented = Presented { pan, expiry, pin_block, zone: verifier.zone.name.clone() };
        let job = Job {
            presented: Some(presented),
            issue: Some(issue),
            ..Job::from(Command::Authorise(authorisation))
        };
        let id = id(name, card, identity);
        match self.engine.tell(card, job).await {
            // It may be the static one, and it fits: who asks checks it, and tells the outcome.
            Ok(Answer::AskHost { pin: PinKind::Static, .. }) => {
                self.keep(name, id, Record { card, identity }).await.map_err(|f| self.problem(&f))?;
                Ok(static_pin(id))
            }
            Err(EngineFault::NoCard) => Ok(refused(id, Refusal::NoSuchCard)),
            // Its outcome is known by now, and it was no dynamic PIN.
            Ok(Answer::Again(told))
                if !self.was_dynamic(card, identity).await.map_err(|f| self.problem(&f))? =>
            {
                Ok(static_again(id, &told))
            }
            // Approved now, before, or before and with an outcome by now: what was said of the PIN stays said.
            Ok(Answer::AskHost { .. } | Answer::Again(_)) => {
                self.keep(name, id, Record { card, identity }).await.map_err(|f| self.problem(&f))?;
                let response_code = "00".to_owned();
                Ok(Verified { verification: id, verdict: Verdict::Approved, refusal: None, response_code })
            }
            Ok(Answer::Refused(refusal)) => Ok(refused(id, refusal)),
            Ok(other) => {
                Err(self.problem(&EngineFault::Row(format!("a verification was answered {other:?}"))))
            }
            Err(EngineFault::PinBlock(_)) => Err(Problem::malformed(vec![FieldError::new(
                "/pin_block/hex",
                "write a PIN block under the key of your zone",
            )])),
            Err(failure) => Err(self.problem(&failure)),
        }
    }

    /// A PIN in the clear goes no further than this: from here on it is a block as any other.
    fn pin_block(&self, verifier: &Verifier, asked: &Verification) -> Result<PinBlock, Problem> {
        let zone = &verifier.zone;
        match &asked.pin {
            Pin::Pin(pin) => {
                let made = self.engine.keys.make_pin_block(pin, &asked.pan, &zone.name, zone.format);
                made.map_err(|f| self.problem(&f.into()))
            }
            Pin::Block { format, zone: named, bytes } => {
                let mut errors = Vec::new();
                if *named != zone.name {
                    errors.push(FieldError::new(
                        "/pin_block/zone",
                        "write the zone that is registered for you",
                    ));
                }
                if *format != verifier.format {
                    let detail = "write the format that is registered for your zone";
                    errors.push(FieldError::new("/pin_block/format", detail));
                }
                if !errors.is_empty() {
                    return Err(Problem::malformed(errors));
                }
                Ok(PinBlock { format: zone.format, bytes: bytes.clone() })
            }
        }
    }

    /// Whether a transaction was made with a dynamic PIN. One that is forgotten was not, as far as anybody knows.
    async fn was_dynamic(&self, card: CardId, identity: Mark) -> Result<bool, EngineFault> {
        let state = self.engine.look(card).await?;
        Ok(state.and_then(|state| state.tried_with(identity)) == Some(PinKind::Dynamic))
    }

    /// So that the outcome finds its card. There already: a repeat.
    async fn keep(&self, verifier: &str, id: Uuid, record: Record) -> Result<(), EngineFault> {
        let body = minicbor::to_vec(&record).map_err(|error| EngineFault::Row(error.to_string()))?;
        let swap = Swap {
            table: Table::Admission,
            key: row_key(verifier, id),
            expected: None,
            body,
            sealed: Vec::new(),
            head: Head::EMPTY,
            journal: Vec::new(),
            outbox: Vec::new(),
            due: None,
            forget_after: Some(self.engine.clock.now().plus(limits::ADMISSION_KEPT)),
        };
        self.engine.committer.commit(Change::Swap(swap)).await?;
        Ok(())
    }

    async fn find(&self, verifier: &str, id: Uuid) -> Result<Option<Record>, EngineFault> {
        let row = self.engine.store.read(Table::Admission, &row_key(verifier, id)).await?;
        let read = |body: &[u8]| {
            minicbor::decode(body).map_err(|error| EngineFault::Row(format!("verification: {error}")))
        };
        row.map(|row| read(&row.body)).transpose()
    }

    fn problem(&self, failure: &EngineFault) -> Problem {
        fault(self.entropy.as_ref(), failure)
    }
}

fn row_key(verifier: &str, id: Uuid) -> Vec<u8> {
    Digest::of(&[b"verification", verifier.as_bytes(), id.as_bytes()]).0.to_vec()
}

/// The same for a repeat, on every node.
fn id(verifier: &str, card: CardId, identity: Mark) -> Uuid {
    let Mark(bytes) = Mark::of(&[b"verification id", verifier.as_bytes(), &card.0, &identity.0]);
    // Version 8 (RFC 9562): made of what it names.
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Its response code is a refusal: who does not know the verdict must not take it for an approval.
fn static_pin(verification: Uuid) -> Verified {
    let response_code = Refusal::WrongPin.response_code().to_owned();
    Verified { verification, verdict: Verdict::Static, refusal: None, response_code }
}

/// It was paid, or it is over: whoever presents another PIN for the same transaction would otherwise have it tried, and not counted.
fn static_again(verification: Uuid, told: &HostAnswer) -> Verified {
    let locked = told.response_code == Refusal::TriesExceeded.response_code();
    match is_approval(&told.response_code) {
        true => static_pin(verification),
        false if locked => refused(verification, Refusal::TriesExceeded),
        false => refused(verification, Refusal::WrongPin),
    }
}

fn refused(verification: Uuid, why: Refusal) -> Verified {
    Verified {
        verification,
        verdict: Verdict::Refused,
        refusal: Some(why.code().to_owned()),
        response_code: why.response_code().to_owned(),
    }
}

/// Apart from what comes over ISO 8583, and from other verifiers.
fn identity(verifier: &str, asked: &Verification) -> Mark {
    let transaction = &asked.transaction;
    let parts = [
        "verification",
        verifier,
        &transaction.stan,
        &transaction.local_time,
        transaction.acquirer.trim_start_matches('0'),
        &transaction.terminal,
    ];
    Mark::of(&parts.map(str::as_bytes))
}

/// What a reversal finds its verification by.
fn reversal(identity: Mark) -> Mark {
    Mark::of(&[b"verification reversal", &identity.0])
}

fn authorisation(keys: &dyn Keys, identity: Mark, asked: &Verification) -> Result<Authorisation, KeyFault> {
    let payees = match &asked.payee {
        Paid::Merchant { acquirer, merchant } => {
            let acquirer = acquirer.trim_start_matches('0').to_owned();
            vec![Payee::Merchant { acquirer, merchant: merchant.clone() }]
        }
        Paid::Card { pan } => {
            let tags = keys.index_all(IndexPurpose::PayeePan, &[pan.expose().as_bytes()])?;
            tags.into_iter().map(|tag| Payee::Card(tag.bytes)).collect()
        }
        Paid::Bill { bill, payment } => admission::bills(keys, bill, payment)?,
    };
    let (kind, amount) = (asked.kind, asked.amount);
    let payments: Vec<_> = payees.into_iter().map(|payee| Payment { kind, amount, payee }.digest()).collect();
    let transaction = &asked.transaction;
    let acquirer = transaction.acquirer.trim_start_matches('0');
    Ok(Authorisation {
        identity,
        contents: payments.iter().map(|payment| Mark::of(&[b"verification content", &payment.0])).collect(),
        reversal: reversal(identity),
        trace: None,
        reference: None,
        payments,
        slot: Slot::Second,
        kind: Some(kind),
        amount,
        // The door that ISO 8583 knows too: wrong expiries shut it on either way.
        door: Mark::of(&[acquirer.as_bytes(), transaction.terminal.as_bytes()]),
        transmitted: None,
    })
}
