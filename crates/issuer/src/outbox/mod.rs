//! The outbox: committed messages go out. A row holds ids; text and PIN are made here, at sending, and go nowhere else.
//! Reversals are handed to `undo`, requests that were cut off to `admission`.
//!
//! At least once, or written twice by a node without an answer; always the same PIN, never after its expiry: that is looked at right before
//! `submit_sm`.

mod words;

pub(crate) use words::activation_code;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use minicbor::bytes::{ByteArray, ByteVec};
use ramz_api::hop;
use ramz_domain::card::{Command, NotSent, Notice};
use ramz_domain::{CardId, ChallengeId, Moment, limits};
use ramz_sms::port::{Given, Outgoing as Sms, SendError, Sender};
use ramz_store::{Change, OutboxRow, Outcome};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::admission::Admissions;
use crate::counts::Counts;
use crate::engine::{Dispatch, Engine, EngineFault, Outgoing};
use crate::limits::Limits;
use crate::receipts::Receipts;
use crate::undo::Undo;

/// Messages that wait for a sender on this node; more are left to the sweeper.
pub(crate) const QUEUE: usize = 4096;
/// Messages in the making or with the operators at once: as many as the windows take, and at least so many.
const IN_HAND_MIN: usize = limits::SMPP_WINDOW * 4;
/// Rows that wait to be settled at once.
const SETTLING_MAX: usize = 1024;
/// Messages that are remembered as tried: 17 bytes each.
const TRIED_MAX: usize = 65_536;
/// A notice that the operator did not take is tried again this much later at the latest.
const NOTICE_AGAIN_LAST: Duration = Duration::from_secs(600);
/// What has so long left is handed over.
const LIVES: Duration = Duration::from_secs(1);
/// Between attempts while the line is down: its own reconnecting is quicker or slower, this only looks again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Sends what the engine committed.
pub struct Outbox {
    engine: Arc<Engine>,
    sender: Arc<dyn Sender>,
    bank_name: BankName,
    receipts: Arc<Receipts>,
    others: Others,
    limits: Arc<Limits>,
    counts: Arc<Counts>,
    slots: Arc<Semaphore>,
    settling: Semaphore,
    /// Texts that the last sweep found: nobody works on them, and they wait for a place here. Still anybody's.
    found: Mutex<VecDeque<OutboxRow>>,
    found_some: Notify,
    /// Messages that this node has held against their phone's limit, or is done with, and that are not settled.
    tried: Mutex<HashMap<[u8; 16], Tried>>,
    tasks: TaskTracker,
}

/// Who works on the messages that are no texts.
pub(crate) struct Others {
    /// On reversals of our own.
    pub(crate) undo: Arc<Undo>,
    /// On requests that were cut off.
    pub(crate) admissions: Arc<Admissions>,
}

/// The bank as its SMS calls it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BankName {
    /// As logs call it.
    pub id: String,
    /// In Persian.
    pub fa: String,
    /// In English.
    pub en: String,
    /// Where cardholders text to; empty if there is none.
    pub short_code: String,
    /// Where the app is; empty if there is none.
    pub app_address: String,
}

/// A row that is for an SMS.
struct Text {
    dispatch: Dispatch,
    what: What,
    request: Option<ByteArray<16>>,
}

/// What its text is about.
enum What {
    /// The PIN of this name.
    Pin(ChallengeId),
    /// A notice to the card's phone, or to the one that it had.
    Notice(Notice, Option<ByteVec>),
    /// Help for a phone that texted: the row is the phone's.
    Help(NotSent),
}

/// What is remembered of a message over its leases: what says more stays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Tried {
    /// The operator has not taken it.
    InVain,
    /// It was written, and no answer came.
    MayHaveGone,
    /// The operator has it, or is not to get it: only its row is still there.
    Done,
}

/// What is to become of an outbox row.
enum Fate {
    Settle {
        outcome: &'static str,
        /// Short messages that the operator took.
        parts: usize,
    },
    /// Left: the sweeper takes it when the lease is over.
    Leave(String),
}

impl Outbox {
    /// An outbox over a line to the operator.
    pub(crate) fn new(
        engine: Arc<Engine>,
        sender: Arc<dyn Sender>,
        bank_name: BankName,
        receipts: Arc<Receipts>,
        others: Others,
        limits: Arc<Limits>,
        counts: Arc<Counts>,
    ) -> Arc<Outbox> {
        let windows: usize = sender.lines().iter().map(|line| line.window).sum();
        let slots = Arc::new(Semaphore::new(windows.max(IN_HAND_MIN)));
        let (settling, tasks) = (Semaphore::new(SETTLING_MAX), TaskTracker::new());
        let (found, found_some, tried) = (Mutex::default(), Notify::new(), Mutex::default());
        Arc::new(Outbox {
            engine,
            sender,
            bank_name,
            receipts,
            others,
            limits,
            counts,
            slots,
            settling,
            found,
            found_some,
            tried,
            tasks,
        })
    }

    /// Sends until `shutdown`; then finishes what is in hand.
    pub async fn run(self: Arc<Self>, mut queue: mpsc::Receiver<Dispatch>, shutdown: CancellationToken) {
        let mut texts: VecDeque<Text> = VecDeque::new();
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned();
            let waiting = !texts.is_empty() || !self.found().is_empty();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Ok(slot) = slot, if waiting => {
                    if let Some(text) = texts.pop_front() {
                        self.start(text, slot);
                    } else if let Some(row) = self.next_found() {
                        self.start_found(row, slot);
                    }
                }
                () = self.found_some.notified(), if !waiting => {}
                dispatch = queue.recv(), if texts.len() < QUEUE => match dispatch {
                    Some(dispatch) => texts.extend(self.text_of(dispatch)),
                    None => break,
                },
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
        self.others.undo.drain().await;
    }

    /// Takes over messages whose owner left them: for the sweeper. Says how many. Texts are not leased before they have a place: one that
    /// waits for a place here may find one at another node, or be what this node's own queue comes to next.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<usize, EngineFault> {
        let (mut taken, mut most) = (0, limits::SWEEP_ROWS);
        // What comes due meanwhile is for the next time: this one ends.
        let now = self.engine.clock.now();
        loop {
            let mut rows = self.engine.store.outbox_due(now, most).await?;
            let page = rows.len();
            // Texts last: the others wait for no slot, and must not wait for the operator either.
            rows.sort_by_key(is_text);
            let (before, mut texts) = (taken, VecDeque::new());
            for row in rows {
                if is_request(&row) {
                    taken += usize::from(self.others.admissions.take_up(row).await);
                } else if !is_text(&row) {
                    if let Some(dispatch) = self.take_over(row).await {
                        taken += 1;
                        drop(self.text_of(dispatch));
                    }
                } else if self.needs_no_operator(&row, now) {
                    taken += usize::from(self.let_go(&row).await);
                } else if texts.len() < QUEUE {
                    texts.push_back(row);
                }
            }
            *self.found() = texts;
            self.found_some.notify_one();
            if page < most {
                return Ok(taken);
            }
            // A full page hides others. One that gave nothing would give nothing again, and a reversal may stand behind it.
            if taken == before {
                if most >= limits::SWEEP_ROWS_MAX {
                    return Ok(taken);
                }
                most *= 4;
            }
        }
    }

    fn found(&self) -> MutexGuard<'_, VecDeque<OutboxRow>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another node may have a line to the operator, and a clock that is right: texts are left to it, while they are of use.
    fn leaves_texts(&self) -> bool {
        self.engine.store.is_shared() && (!self.sender.is_up() || self.engine.may_decide().is_err())
    }

    fn next_found(&self) -> Option<OutboxRow> {
        let mut found = self.found();
        if self.leaves_texts() {
            found.clear();
        }
        found.pop_front()
    }

    /// A text that a sweep found, and a place for it.
    fn start_found(self: &Arc<Self>, row: OutboxRow, slot: OwnedSemaphorePermit) {
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let Some(dispatch) = this.take_over(row).await else { return };
            if let Some(text) = this.text_of(dispatch) {
                this.start(text, slot);
            }
        });
    }

    /// What nobody needs any more takes no place: while the operator is away there are none, and rows would hide the ones behind them.
    fn needs_no_operator(&self, row: &OutboxRow, now: Moment) -> bool {
        (row.expires <= now && Outgoing::decode(&row.body).is_ok()) || self.is_done_with(row.id)
    }

    async fn let_go(&self, row: &OutboxRow) -> bool {
        let told = self.is_done_with(row.id);
        let gone = self.settle(&row.owner, row.id).await;
        if gone && !told {
            self.engine.counts.sent("of_no_use", Duration::ZERO);
            tracing::info!(sms = %hex::encode(row.id), "an SMS ran out before it was handed over");
        }
        gone
    }

    async fn take_over(&self, row: OutboxRow) -> Option<Dispatch> {
        let OutboxRow { owner, id, body, expires, leased_until: expected, attempts } = row;
        let card = <[u8; 16]>::try_from(owner.as_slice()).map(CardId).ok()?;
        let now = self.engine.clock.now();
        let leased_until = now.plus(lease(&body, attempts, expires.since(now)));
        let lease = Change::Lease { owner, id, expected, until: leased_until };
        match self.engine.committer.commit(lease).await {
            Ok(Outcome::Won) => {
                let attempts = attempts.saturating_add(1);
                Some(Dispatch { card, id, body, expires, leased_until, attempts })
            }
            Ok(Outcome::Lost) => None,
            Err(fault) => {
                tracing::error!(%card, %fault, "a message could not be taken over; trying again");
                None
            }
        }
    }

    /// The text that a row is for. A reversal is started at once: it needs no place with the operator, and waits for none.
    fn text_of(&self, dispatch: Dispatch) -> Option<Text> {
        match Outgoing::decode(&dispatch.body) {
            Ok(Outgoing::Pin { challenge, request }) => {
                Some(Text { dispatch, what: What::Pin(challenge), request })
            }
            Ok(Outgoing::Notice { notice, old_phone }) => {
                Some(Text { dispatch, what: What::Notice(notice, old_phone), request: None })
            }
            Ok(Outgoing::Help { why }) => Some(Text { dispatch, what: What::Help(why), request: None }),
            Ok(Outgoing::Reversal { identity, sealed }) => {
                self.others.undo.start(dispatch, identity, sealed);
                None
            }
            // `admission` has them, from the first lease on.
            Ok(Outgoing::Request { .. }) => None,
            Err(fault) => {
                tracing::error!(card = %dispatch.card, %fault, "a message cannot be read; it stays");
                None
            }
        }
    }

    fn start(self: &Arc<Self>, text: Text, slot: OwnedSemaphorePermit) {
        let Text { dispatch, what, request } = text;
        let this = Arc::clone(self);
        let sending = async move { this.hand_over(dispatch, what, slot).await };
        match request {
            Some(request) => {
                self.tasks.spawn(sending.instrument(hop::span(Uuid::from_bytes(request.into()))))
            }
            None => self.tasks.spawn(sending),
        };
    }

    async fn hand_over(&self, mut dispatch: Dispatch, what: What, slot: OwnedSemaphorePermit) {
        let Dispatch { card, id, .. } = dispatch;
        // Its row was taken over while it was being settled, or because it could not be.
        if self.is_done_with(id) {
            self.settle(&card.0, id).await;
            return;
        }
        let (bank, began) = (self.bank_name.id.as_str(), Instant::now());
        let fate = match self.try_to_send(&mut dispatch, &what).await {
            Ok(fate) => fate,
            Err(fault) => Fate::Leave(fault.to_string()),
        };
        if matches!(fate, Fate::Settle { .. }) {
            self.remember(id, Tried::Done);
        }
        // The operator takes the next one while this one is settled. That many settle at once and no more: they fill the store's queue.
        let Ok(_settling) = self.settling.acquire().await else { return };
        drop(slot);
        match fate {
            Fate::Leave(why) => {
                tracing::warn!(%card, bank, sms = %hex::encode(id), %why, "SMS not sent yet");
                self.give_back(&dispatch).await;
            }
            Fate::Settle { outcome, parts } => {
                self.engine.counts.sent(outcome, began.elapsed());
                let ms = hop::ms_since(began);
                tracing::info!(%card, bank, sms = %hex::encode(id), outcome, parts, ms, "SMS handed over");
                self.settle(&card.0, id).await;
            }
        }
    }

    /// The row goes. Whether it was there. While it may be there still, what became of the message is remembered.
    async fn settle(&self, owner: &[u8], id: [u8; 16]) -> bool {
        match self.engine.committer.commit(Change::Settle { owner: owner.to_vec(), id }).await {
            Ok(outcome) => {
                self.tried().remove(&id);
                outcome == Outcome::Won
            }
            Err(fault) => {
                tracing::warn!(sms = %hex::encode(id), %fault, "SMS not settled; trying again when its lease is over");
                false
            }
        }
    }

    /// Where other nodes could send it, a message that this one cannot is theirs at once, and not when its lease is over.
    async fn give_back(&self, dispatch: &Dispatch) {
        let now = self.engine.clock.now();
        if !self.leaves_texts() || now >= dispatch.leased_until {
            return;
        }
        let Dispatch { card, id, leased_until: expected, .. } = *dispatch;
        let lease = Change::Lease { owner: card.0.to_vec(), id, expected, until: now };
        if let Err(fault) = self.engine.committer.commit(lease).await {
            tracing::warn!(%card, sms = %hex::encode(id), %fault, "an SMS was not given back; others take it when its lease is over");
        }
    }

    /// Another lease, if the present one could end during an attempt: whoever took the row over then would send it too. False if somebody
    /// has.
    async fn outlasts_an_attempt(&self, dispatch: &mut Dispatch) -> Result<bool, EngineFault> {
        let now = self.engine.clock.now();
        if now.plus(self.sender.longest()) <= dispatch.leased_until {
            return Ok(true);
        }
        let Dispatch { card, id, leased_until: expected, .. } = *dispatch;
        let until = now.plus(limits::LEASE);
        let lease = Change::Lease { owner: card.0.to_vec(), id, expected, until };
        let won = self.engine.committer.commit(lease).await? == Outcome::Won;
        if won {
            dispatch.leased_until = until;
        }
        Ok(won)
    }

    async fn try_to_send(&self, dispatch: &mut Dispatch, what: &What) -> Result<Fate, EngineFault> {
        let mut given = Given::default();
        for attempt in 0..limits::SMS_ATTEMPTS_MAX {
            if attempt > 0 {
                tokio::time::sleep(AGAIN_AFTER * 2u32.pow(attempt)).await;
            }
            if !self.outlasts_an_attempt(dispatch).await? {
                return Ok(Fate::Leave("its lease is over".into()));
            }
            let Some(outgoing) = self.make(dispatch, what, attempt).await? else {
                return Ok(Fate::Settle { outcome: "of_no_use", parts: 0 });
            };
            // Once at each node: what waited for its first try longer than a lease is one more all the same.
            if self.is_first_try(dispatch.id) {
                let held = self.held_back(dispatch, what, &outgoing).await.inspect_err(|_| {
                    // Not noted: the next try asks again.
                    self.tried().remove(&dispatch.id);
                })?;
                if held {
                    return Ok(Fate::Settle { outcome: "withheld", parts: 0 });
                }
            }
            let (to, not_after) = (outgoing.to.clone(), outgoing.not_after);
            match self.sender.send(outgoing, &mut given).await {
                Ok(accepted) => {
                    if let What::Pin(challenge) = *what {
                        self.receipts.expect(dispatch.card, challenge, &to, &accepted);
                    }
                    return Ok(Fate::Settle { outcome: "accepted", parts: accepted.parts });
                }
                // The line goes by this node's clock. If that is off, there is time left at another node.
                Err(SendError::Expired) if not_after.since(self.engine.clock.now()) >= LIVES => {
                    return Ok(Fate::Leave(
                        "it ran out by this node's clock, which is not the store's".into(),
                    ));
                }
                Err(SendError::Expired) => return Ok(Fate::Settle { outcome: "expired", parts: 0 }),
                Err(SendError::Refused { status }) => {
                    tracing::warn!(card = %dispatch.card, %status, "the operator refused an SMS");
                    return Ok(Fate::Settle { outcome: "refused", parts: 0 });
                }
                Err(SendError::Failed { status }) => {
                    tracing::warn!(card = %dispatch.card, %status, "the operator could not take an SMS; trying again");
                }
                // An operator that takes them all and answers too late would send every one of them.
                Err(SendError::Unknown) => {
                    if self.remember(dispatch.id, Tried::MayHaveGone) == Some(Tried::MayHaveGone) {
                        return Ok(Fate::Settle { outcome: "unknown", parts: 0 });
                    }
                }
                Err(SendError::Down(_) | SendError::Throttled) => {}
            }
        }
        Ok(Fate::Leave("the operator did not take it".into()))
    }

    fn tried(&self) -> MutexGuard<'_, HashMap<[u8; 16], Tried>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_done_with(&self, id: [u8; 16]) -> bool {
        self.tried().get(&id) == Some(&Tried::Done)
    }

    fn is_first_try(&self, id: [u8; 16]) -> bool {
        self.remember(id, Tried::InVain).is_none()
    }

    /// What was known of it.
    fn remember(&self, id: [u8; 16], what: Tried) -> Option<Tried> {
        let mut tried = self.tried();
        // What other nodes took over stays here: forgotten all at once, but for what would go out again. Then the limit may count one
        // twice, and one that may have gone go twice more.
        if tried.len() >= TRIED_MAX && !tried.contains_key(&id) {
            tried.retain(|_, known| *known == Tried::Done);
            if tried.len() >= TRIED_MAX {
                tried.clear();
            }
        }
        let known = tried.get(&id).copied();
        tried.insert(id, known.map_or(what, |known| known.max(what)));
        known
    }

    /// Whether it is more than its phone takes; noted at the card.
    async fn held_back(&self, dispatch: &Dispatch, what: &What, outgoing: &Sms) -> Result<bool, EngineFault> {
        if self.phone_takes(what, outgoing)? {
            return Ok(false);
        }
        let why = NotSent::PhoneLimit;
        if let What::Pin(challenge) = *what {
            self.engine.tell(dispatch.card, Command::Withhold { challenge, why }).await?;
            self.counts.not_sent(why);
        }
        Ok(true)
    }

    /// Alerts have a limit of their own: what is asked for at a page must not keep them back.
    fn phone_takes(&self, what: &What, outgoing: &Sms) -> Result<bool, EngineFault> {
        let (engine, to) = (&self.engine, &outgoing.to);
        let (keys, now) = (engine.keys.as_ref(), engine.clock.now());
        Ok(match what {
            What::Notice(notice, _) if notice.is_alert() => self.limits.alert(keys, to, now)?,
            _ => self.limits.phone(keys, to, now)?,
        })
    }
}

fn is_text(row: &OutboxRow) -> bool {
    !matches!(Outgoing::decode(&row.body), Ok(Outgoing::Reversal { .. } | Outgoing::Request { .. }))
}

fn is_request(row: &OutboxRow) -> bool {
    matches!(Outgoing::decode(&row.body), Ok(Outgoing::Request { .. }))
}

/// How long a row is left alone once it is taken over. Texts that may come late are looked at less and less often: in a long outage
/// they are many. But several times while they are good.
fn lease(body: &[u8], attempts: u32, good_for: Duration) -> Duration {
    match Outgoing::decode(body) {
        Ok(Outgoing::Notice { .. } | Outgoing::Help { .. }) => {
            let doubled = 2u32.checked_pow(attempts).and_then(|times| limits::LEASE.checked_mul(times));
            doubled.unwrap_or(NOTICE_AGAIN_LAST).min(NOTICE_AGAIN_LAST).min(good_for / 4).max(limits::LEASE)
        }
        _ => limits::LEASE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_looked_at_again_several_times_while_it_is_good() {
        let help = Outgoing::Help { why: NotSent::PhoneLimit }.encode().unwrap();
        let seconds = |attempts, good_for| lease(&help, attempts, Duration::from_secs(good_for)).as_secs();
        assert_eq!([1, 3, 5, 9].map(|attempts| seconds(attempts, 7200)), [30, 120, 480, 600]);
        assert_eq!([3, 5, 9].map(|attempts| seconds(attempts, 300)), [75; 3]);
        assert_eq!(seconds(5, 10), 15);
    }
}
