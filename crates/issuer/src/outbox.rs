//! The outbox: committed messages go out. A row holds ids; text and PIN are made here, at sending, and go nowhere else.
//!
//! At least once, always the same PIN, never after its expiry: that is looked at right before `submit_sm`.

use std::sync::Arc;
use std::time::Duration;

use ramz_api::hop;
use ramz_domain::card::Challenge;
use ramz_domain::{CardId, ChallengeId, limits};
use ramz_keys::PinSource;
use ramz_sms::port::{Outgoing, SendError, Sender, SmsText};
use ramz_sms::texts::{PinText, pin_text};
use ramz_store::{Change, Outcome};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::engine::{Dispatch, Engine, EngineFault};

/// Messages that wait for a sender on this node; more are left to the sweeper.
pub(crate) const QUEUE: usize = 4096;
/// Messages in the making or with the operator at once: a few windows' worth.
const IN_HAND: usize = limits::SMPP_WINDOW * 4;
/// Between attempts while the line is down: its own reconnecting is quicker or slower, this only looks again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Sends what the engine committed.
pub struct Outbox {
    engine: Arc<Engine>,
    sender: Arc<dyn Sender>,
    bank_name: BankName,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
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

/// An outbox row's body: the PIN's name, then the request's, if one asked for it.
pub(crate) fn body(challenge: ChallengeId, request: Option<Uuid>) -> Vec<u8> {
    [&challenge.0[..], request.as_ref().map_or(&[], |request| request.as_bytes())].concat()
}

/// Its parts again. Rows of the first release end after the PIN's name.
fn parts(body: &[u8]) -> Option<(ChallengeId, Option<Uuid>)> {
    let (challenge, request) = body.split_first_chunk::<16>()?;
    let request = if request.is_empty() { None } else { Some(Uuid::from_slice(request).ok()?) };
    Some((ChallengeId(*challenge), request))
}

impl Outbox {
    /// An outbox over a line to the operator.
    pub fn new(engine: Arc<Engine>, sender: Arc<dyn Sender>, bank_name: BankName) -> Arc<Outbox> {
        let slots = Arc::new(Semaphore::new(IN_HAND));
        Arc::new(Outbox { engine, sender, bank_name, slots, tasks: TaskTracker::new() })
    }

    /// Sends until `shutdown`; then finishes what is in hand.
    pub async fn run(self: Arc<Self>, mut queue: mpsc::Receiver<Dispatch>, shutdown: CancellationToken) {
        while let Some(Some(dispatch)) = shutdown.run_until_cancelled(queue.recv()).await {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { break };
            let this = Arc::clone(&self);
            self.tasks.spawn(async move {
                this.send(dispatch).await;
                drop(slot);
            });
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Takes over messages whose owner left them: for the sweeper. Says how many.
    pub async fn resume(self: &Arc<Self>) -> Result<usize, EngineFault> {
        let engine = &self.engine;
        let now = engine.clock.now();
        let mut taken = 0;
        for row in engine.store.outbox_due(now, limits::SWEEP_ROWS).await? {
            let Ok(card) = <[u8; 16]>::try_from(row.owner.as_slice()).map(CardId) else { continue };
            let until = now.plus(limits::LEASE);
            let lease = Change::Lease { owner: row.owner, id: row.id, expected: row.leased_until, until };
            match engine.committer.commit(lease).await {
                Ok(Outcome::Won) => {}
                Ok(Outcome::Lost) => continue,
                Err(fault) => {
                    tracing::error!(%card, %fault, "a message could not be taken over; trying again");
                    continue;
                }
            }
            taken += 1;
            let dispatch =
                Dispatch { card, id: row.id, body: row.body, expires: row.expires, leased_until: until };
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { break };
            let this = Arc::clone(self);
            self.tasks.spawn(async move {
                this.send(dispatch).await;
                drop(slot);
            });
        }
        Ok(taken)
    }

    async fn send(&self, dispatch: Dispatch) {
        match parts(&dispatch.body) {
            Some((_, Some(request))) => self.hand_over(dispatch).instrument(hop::span(request)).await,
            _ => self.hand_over(dispatch).await,
        }
    }

    async fn hand_over(&self, dispatch: Dispatch) {
        let Dispatch { card, id, .. } = dispatch;
        let (bank, began) = (self.bank_name.id.as_str(), Instant::now());
        let fate = match self.try_to_send(&dispatch).await {
            Ok(fate) => fate,
            Err(fault) => Fate::Leave(fault.to_string()),
        };
        match fate {
            Fate::Leave(why) => {
                tracing::warn!(%card, bank, sms = %hex::encode(id), %why, "SMS not sent yet");
            }
            Fate::Settle { outcome, parts } => {
                self.engine.counts.sent(outcome, began.elapsed());
                let ms = hop::ms_since(began);
                tracing::info!(%card, bank, sms = %hex::encode(id), outcome, parts, ms, "SMS handed over");
                let settle = Change::Settle { owner: card.0.to_vec(), id };
                if let Err(fault) = self.engine.committer.commit(settle).await {
                    tracing::warn!(%card, sms = %hex::encode(id), %fault, "SMS not settled; it may go out again");
                }
            }
        }
    }

    async fn try_to_send(&self, dispatch: &Dispatch) -> Result<Fate, EngineFault> {
        for attempt in 0..limits::SMS_ATTEMPTS_MAX {
            if attempt > 0 {
                tokio::time::sleep(AGAIN_AFTER * 2u32.pow(attempt)).await;
            }
            if self.engine.clock.now() >= dispatch.leased_until {
                return Ok(Fate::Leave("its lease is over".into()));
            }
            let Some(outgoing) = self.make(dispatch).await? else {
                return Ok(Fate::Settle { outcome: "of_no_use", parts: 0 });
            };
            match self.sender.send(outgoing).await {
                Ok(accepted) => {
                    return Ok(Fate::Settle { outcome: "accepted", parts: accepted.parts });
                }
                Err(SendError::Expired) => return Ok(Fate::Settle { outcome: "expired", parts: 0 }),
                Err(SendError::Refused { status }) => {
                    tracing::warn!(card = %dispatch.card, %status, "the operator refused an SMS");
                    return Ok(Fate::Settle { outcome: "refused", parts: 0 });
                }
                Err(SendError::Down(_) | SendError::Throttled | SendError::Unknown) => {}
            }
        }
        Ok(Fate::Leave("the operator did not take it".into()))
    }

    /// The text and its number, from the row as it is now; `None` if its PIN was spent, replaced or ran out.
    async fn make(&self, dispatch: &Dispatch) -> Result<Option<Outgoing>, EngineFault> {
        let Some((challenge, _)) = parts(&dispatch.body) else {
            return Err(EngineFault::Row("an outbox row names no challenge".into()));
        };
        let Some((state, columns)) = self.engine.open(dispatch.card).await? else { return Ok(None) };
        let Some(challenge) = state.to_send(challenge, self.engine.clock.now()) else { return Ok(None) };
        let Some(phone) = columns.phone else { return Ok(None) };
        let text = self.text(dispatch.card, &state, challenge)?;
        Ok(Some(Outgoing { to: phone, text, not_after: challenge.expires }))
    }

    fn text(
        &self,
        card: CardId,
        state: &ramz_domain::card::CardState,
        challenge: &Challenge,
    ) -> Result<SmsText, EngineFault> {
        let pin = self.engine.keys.pin(&PinSource {
            version: challenge.key_version,
            digits: challenge.digits,
            card,
            challenge: challenge.id,
            payment: challenge.payment,
        })?;
        let language = state.language();
        let bank = match language {
            ramz_domain::Language::Persian => &self.bank_name.fa,
            ramz_domain::Language::English => &self.bank_name.en,
        };
        let text = PinText {
            bank,
            kind: challenge.kind,
            payee: challenge.payee_name.as_ref().map_or("", |name| name.as_str()),
            amount: challenge.amount,
            pin: &pin,
            expires: challenge.expires,
            origin: challenge.origin.as_deref(),
        };
        Ok(pin_text(language, &text))
    }
}
