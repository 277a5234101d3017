//! Admission: one durable record per (asker, idempotency key), the same work for any card, known or not.
//!
//! The 202 depends on this record alone. It is written once, and with it the card's work, as a message of the outbox: the
//! request, sealed, until it is worked on. That happens in a task of its own and never changes the answer. Work that was cut off is
//! taken up again by the sweeper, until its PIN would be out of date.

use std::fmt;
use std::sync::Arc;

use minicbor::{Decode, Encode};
use ramz_api::hop;
use ramz_api::pin_request::{Checked, PayeeChecked, PinRequest};
use ramz_domain::ambient::{name_in_order, random_bytes};
use ramz_domain::card::{Answer, Command, Mark, PinRequest as Ask, Requested};
use ramz_domain::{
    AdmissionId, ChallengeId, Digest, Moment, Payee, PayeeName, Payment, bill_ids, limits, masked_bill_id,
};
use ramz_keys::{IndexPurpose, KeyFault, Keys, Place};
use ramz_store::{Change, Head, OutboxNew, OutboxRow, Outcome, Row, Swap, Table};
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::counts::Counts;
use crate::engine::{Engine, EngineFault, Job, Outgoing};
use crate::limits::Limits;

/// The associated data of a sealed request.
const REQUEST_COLUMN: &str = "admission.request";

/// The admissions' door and their work.
pub struct Admissions {
    engine: Arc<Engine>,
    limits: Arc<Limits>,
    counts: Arc<Counts>,
    work: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// A record, as stored: what a repeat is compared with.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
struct Record {
    #[n(0)]
    id: AdmissionId,
    /// Keyed: a request contains a PAN, and a plain hash of it could be searched for.
    #[n(1)]
    key_version: u32,
    #[cbor(n(2), with = "minicbor::bytes")]
    digest: [u8; 32],
}

/// A card's work that is to be done, and the message that says so.
struct Open {
    /// The record's key: the message's owner.
    key: Vec<u8>,
    /// The record's, and the message's.
    id: AdmissionId,
    /// The idempotency key: logs know the request by it, also when its work is taken up after a crash.
    asked: Uuid,
    /// The payer as its asker calls it, keyed.
    payer: Option<Mark>,
    not_after: Moment,
}

/// What an asker is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admitted {
    /// It is recorded, now or before.
    Yes(Uuid),
    /// The key was used for another request.
    Conflict,
}

impl Admissions {
    /// Admissions in front of an engine.
    pub fn new(engine: Arc<Engine>, limits: Arc<Limits>, counts: Arc<Counts>) -> Arc<Admissions> {
        let work = Arc::new(Semaphore::new(limits::ADMISSION_WORK_MAX));
        Arc::new(Admissions { engine, limits, counts, work, tasks: TaskTracker::new() })
    }

    /// The time it is.
    pub(crate) fn now(&self) -> Moment {
        self.engine.clock.now()
    }

    /// Counts an answer.
    pub(crate) fn count(&self, outcome: &str) {
        self.engine.counts.asked(outcome);
    }

    /// Records a request; when it returns, the record is durable. An asker that goes away meanwhile takes nothing along:
    /// what is recorded is worked on.
    pub async fn admit(
        self: &Arc<Self>,
        asker: &str,
        key: Uuid,
        request: &Checked,
    ) -> Result<Admitted, EngineFault> {
        let (this, asker, request) = (Arc::clone(self), asker.to_owned(), request.clone());
        let (answer, answered) = oneshot::channel();
        // One task for the record and for the work that follows it.
        self.tasks.spawn(async move {
            let (admitted, open) = match this.record(&asker, key, &request).await {
                Ok((admitted, open)) => (Ok(admitted), open),
                Err(fault) => (Err(fault), None),
            };
            // An asker that went away hears nothing.
            let _ = answer.send(admitted);
            if let Some(open) = open
                && let Some(slot) = this.place_for_work()
            {
                this.work(open, request, slot).await;
            }
        });
        answered.await.unwrap_or(Err(EngineFault::Stopping))
    }

    /// The answer, and the work if it was recorded now.
    async fn record(
        &self,
        asker: &str,
        asked: Uuid,
        request: &Checked,
    ) -> Result<(Admitted, Option<Open>), EngineFault> {
        let engine = &self.engine;
        engine.may_decide()?;
        let key = row_key(asker, asked);
        let now = engine.clock.now();
        let tag = index_of(request, |parts| engine.keys.index(IndexPurpose::Admission, parts))?;
        let id = AdmissionId(name_in_order(now, engine.entropy.as_ref()));
        let (payer, not_after) =
            (payer(engine.keys.as_ref(), asker, request)?, now.plus(engine.policy.valid_for));
        let sealed = engine.keys.seal(Place { row: &id.0, column: REQUEST_COLUMN }, &request.to_json())?;
        let work = Outgoing::Request { asked: asked.into_bytes().into(), payer, sealed: sealed.into() };
        let message = OutboxNew {
            id: id.0,
            body: work.encode()?,
            expires: not_after,
            leased_until: now.plus(limits::LEASE),
        };
        let record = Record { id, key_version: tag.version, digest: tag.bytes };
        let swap = Swap {
            table: Table::Admission,
            key: key.clone(),
            expected: None,
            body: minicbor::to_vec(&record).map_err(|error| EngineFault::Row(error.to_string()))?,
            sealed: Vec::new(),
            head: Head::EMPTY,
            journal: Vec::new(),
            outbox: vec![message],
            due: None,
            forget_after: Some(now.plus(limits::ADMISSION_KEPT)),
        };
        if engine.committer.commit(Change::Swap(swap)).await? == Outcome::Won {
            let open = Open { key, id, asked, payer, not_after };
            return Ok((Admitted::Yes(Uuid::from_bytes(id.0)), Some(open)));
        }
        let row = engine.store.read(Table::Admission, &key).await?;
        let known = record_of(&row.ok_or(EngineFault::NoCard)?)?;
        let again = index_of(request, |parts| {
            engine.keys.index_at(known.key_version, IndexPurpose::Admission, parts)
        })?;
        let same = bool::from(again.bytes.ct_eq(&known.digest));
        Ok((if same { Admitted::Yes(Uuid::from_bytes(known.id.0)) } else { Admitted::Conflict }, None))
    }

    /// Takes up work that was cut off: for the sweeper. False if it is too late for it, if another node was first, if there is no place for it here, or if it is no
    /// request's. One that cannot be taken up must not hold up the others.
    pub(crate) async fn take_up(self: &Arc<Self>, row: OutboxRow) -> bool {
        self.try_to_take_up(row).await.unwrap_or_else(|fault| {
            tracing::error!(%fault, "a request could not be taken up; trying again");
            false
        })
    }

    async fn try_to_take_up(self: &Arc<Self>, row: OutboxRow) -> Result<bool, EngineFault> {
        let OutboxRow { owner: key, id, body, expires: not_after, leased_until: expected, .. } = row;
        let Outgoing::Request { asked, payer, sealed } = Outgoing::decode(&body)? else { return Ok(false) };
        let now = self.engine.clock.now();
        let open = Open { key, id: AdmissionId(id), asked: Uuid::from_bytes(asked.into()), payer, not_after };
        if not_after < now {
            self.finish(open).await?;
            return Ok(false);
        }
        // Not leased without a place: another node may have one.
        let Ok(slot) = Arc::clone(&self.work).try_acquire_owned() else { return Ok(false) };
        let lease = Change::Lease { owner: open.key.clone(), id, expected, until: now.plus(limits::LEASE) };
        if self.engine.committer.commit(lease).await? == Outcome::Lost {
            return Ok(false);
        }
        let json = self.engine.keys.open(Place { row: &id, column: REQUEST_COLUMN }, &sealed)?;
        let unreadable = |_| EngineFault::Row("a sealed request does not read back".into());
        let request = PinRequest::parse(&json).map_err(unreadable)?;
        let this = Arc::clone(self);
        self.tasks.spawn(async move { this.work(open, request, slot).await });
        Ok(true)
    }

    /// Waits until the work in hand is done: at shutdown.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// On an idle bank a known card's answer took longer than others' (`docs/performance.md`). That the work beside it is why is
    /// likely and not shown. So it begins when the answer is long written, and at no fixed time.
    async fn let_the_answer_go_first(&self) {
        let [byte] = random_bytes(self.engine.entropy.as_ref());
        let spread = limits::CARD_WORK_SPREAD * u32::from(byte) / 256;
        tokio::time::sleep(limits::CARD_WORK_AFTER + spread).await;
    }

    /// A place for a card's work, if there is one. With too much in hand it is left to the sweeper.
    fn place_for_work(&self) -> Option<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.work).try_acquire_owned().ok();
        if slot.is_none() {
            tracing::warn!("too much card work in hand; the sweeper will take this request up");
        }
        slot
    }

    /// The card's work, after the answer.
    async fn work(&self, open: Open, request: Checked, slot: OwnedSemaphorePermit) {
        let span = hop::span(open.asked);
        let work = async {
            self.let_the_answer_go_first().await;
            let (id, began) = (open.id, Instant::now());
            let worked = async {
                let outcome = self.work_on(&open, &request).await?;
                self.finish(open).await.map(|()| outcome)
            };
            match worked.await {
                Ok(outcome) => {
                    self.engine.counts.worked(outcome.word());
                    tracing::info!(admission = %id, %outcome, ms = hop::ms_since(began), "card work done");
                }
                Err(fault) => {
                    tracing::error!(admission = %id, %fault, "card work failed; it will be taken up again");
                }
            }
        };
        work.instrument(span).await;
        drop(slot);
    }

    /// What became of it: for the log, no asker is told.
    async fn work_on(&self, open: &Open, request: &Checked) -> Result<Worked, EngineFault> {
        let engine = &self.engine;
        let payee = payee(engine.keys.as_ref(), &request.payee)?;
        let payment = Payment { kind: request.kind, amount: request.amount, payee };
        let digest = payment.payee.digest();
        // Before the card is looked for: what is counted tells nothing of it.
        let withheld = self.limits.request(open.payer, digest, request.pan.iin(), engine.clock.now());
        let Some(found) = engine.find(&request.pan).await? else { return Ok(Worked::NoCard) };
        let ask = Ask {
            admission: open.id,
            payment: payment.digest(),
            payee: digest,
            kind: request.kind,
            amount: request.amount,
            payee_name: name(&request.payee),
            origin: Some(request.origin.clone()),
            // Never the name of an earlier try: the PIN that it issued may have been spent, and forgotten since.
            fresh: ChallengeId::random(engine.entropy.as_ref()),
            key_version: engine.keys.pin_version(),
            not_after: open.not_after,
            door: open.payer.unwrap_or_else(|| door(request, &digest)),
            withheld,
        };
        let job =
            Job { request: Some(open.asked), issue: Some(found.issue), ..Job::from(Command::Request(ask)) };
        match engine.tell(found.card, job).await {
            Ok(Answer::Requested(requested)) => {
                if let Requested::NotSent(why) = requested {
                    self.counts.not_sent(why);
                }
                Ok(Worked::Answered(requested))
            }
            Ok(_) => Err(EngineFault::Row("a request was answered as something else".into())),
            Err(EngineFault::NoCard) => Ok(Worked::NoCard),
            Err(fault) => Err(fault),
        }
    }

    /// Nobody needs the sealed request any more.
    async fn finish(&self, open: Open) -> Result<(), EngineFault> {
        self.engine.committer.commit(Change::Settle { owner: open.key, id: open.id.0 }).await?;
        Ok(())
    }
}

/// A record's key: the idempotency key first, so that where askers write UUIDs that sort by their time, records of one moment lie side
/// by side in the store's index. What follows ties it to its asker, and spreads records over shards.
fn row_key(asker: &str, asked: Uuid) -> Vec<u8> {
    let Digest(tie) = Digest::of(&[b"admission", asker.as_bytes(), asked.as_bytes()]);
    [asked.as_bytes(), &tie[..16]].concat()
}

/// What became of a request at its card.
enum Worked {
    NoCard,
    Answered(Requested),
}

impl Worked {
    /// For metrics: without the reason.
    fn word(&self) -> &'static str {
        match self {
            Worked::NoCard => "no_card",
            Worked::Answered(Requested::Sent(_)) => "sent",
            Worked::Answered(Requested::AlreadyServed) => "served_before",
            Worked::Answered(Requested::NotSent(_)) => "not_sent",
        }
    }
}

impl fmt::Display for Worked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Worked::NoCard => f.write_str("no such card"),
            Worked::Answered(Requested::Sent(_)) => f.write_str("sent"),
            Worked::Answered(Requested::AlreadyServed) => f.write_str("served before"),
            Worked::Answered(Requested::NotSent(why)) => write!(f, "not sent: {why:?}"),
        }
    }
}

/// The payee in the form that binds.
pub(crate) fn payee(keys: &dyn Keys, payee: &PayeeChecked) -> Result<Payee, KeyFault> {
    Ok(match payee {
        PayeeChecked::Merchant { acquirer, merchant, .. } => {
            Payee::Merchant { acquirer: acquirer.clone(), merchant: merchant.clone() }
        }
        PayeeChecked::Card { pan } => {
            Payee::Card(keys.index(IndexPurpose::PayeePan, &[pan.expose().as_bytes()])?.bytes)
        }
        PayeeChecked::Bill { bill, payment } => {
            let ids = bill_ids(bill, payment);
            Payee::Bill(keys.index(IndexPurpose::Bill, &ids.map(str::as_bytes))?.bytes)
        }
    })
}

/// A bill as a payment names it: once under each live key, and as the release before bound its PINs.
pub(crate) fn bills(keys: &dyn Keys, bill: &str, payment: &str) -> Result<Vec<Payee>, KeyFault> {
    let tags = keys.index_all(IndexPurpose::Bill, &bill_ids(bill, payment).map(str::as_bytes))?;
    let unkeyed = Payee::BillUnkeyed { bill: bill.to_owned(), payment: payment.to_owned() };
    Ok(tags.into_iter().map(|tag| Payee::Bill(tag.bytes)).chain([unkeyed]).collect())
}

/// Where a request comes from, if its asker does not tell its payers apart: the merchant; or the page, if whoever asks chooses
/// the payee, and could make a door of every card and bill.
fn door(request: &Checked, payee: &Digest) -> Mark {
    match request.payee {
        PayeeChecked::Merchant { .. } => Mark::of(&[b"payee", &payee.0]),
        PayeeChecked::Card { .. } | PayeeChecked::Bill { .. } => {
            Mark::of(&[b"origin", request.origin.as_bytes()])
        }
    }
}

/// Keyed: should an asker send what says who the payer is, nobody finds it here by trying.
fn payer(keys: &dyn Keys, asker: &str, request: &Checked) -> Result<Option<Mark>, KeyFault> {
    let Some(payer) = &request.payer else { return Ok(None) };
    let tag = keys.index(IndexPurpose::Admission, &[b"payer", asker.as_bytes(), payer.as_bytes()])?;
    Ok(Some(Mark::of(&[&tag.bytes])))
}

/// What the payer is shown of the payee. A card and a bill are named by what may be seen of their numbers: the name is kept in
/// the card's row.
fn name(payee: &PayeeChecked) -> Option<PayeeName> {
    match payee {
        PayeeChecked::Merchant { name, .. } => Some(name.clone()),
        PayeeChecked::Card { pan } => PayeeName::parse(&pan.masked()).ok(),
        PayeeChecked::Bill { bill, .. } => {
            PayeeName::parse(&masked_bill_id(bill.trim_start_matches('0'))).ok()
        }
    }
}

/// Everything of a request, part by part: two bodies that mean the same are the same request.
fn index_of<T>(request: &Checked, index: impl FnOnce(&[&[u8]]) -> T) -> T {
    let amount = request.amount.get().to_be_bytes();
    let mut parts: Vec<&[u8]> = Vec::with_capacity(9);
    parts.push(request.pan.expose().as_bytes());
    parts.extend([request.kind.code().as_bytes(), &amount, request.origin.as_bytes()]);
    match &request.payee {
        PayeeChecked::Merchant { acquirer, merchant, terminal, name } => {
            parts.extend([acquirer, merchant, terminal].map(|text| text.as_bytes()));
            parts.push(name.as_str().as_bytes());
        }
        PayeeChecked::Card { pan } => parts.push(pan.expose().as_bytes()),
        PayeeChecked::Bill { bill, payment } => parts.extend([bill, payment].map(|text| text.as_bytes())),
    }
    // Only if it is there: a request without one has the digest that earlier releases gave it.
    parts.extend(request.payer.as_ref().map(|payer| payer.as_bytes()));
    index(&parts)
}

fn record_of(row: &Row) -> Result<Record, EngineFault> {
    minicbor::decode(&row.body).map_err(|error| EngineFault::Row(format!("admission: {error}")))
}
