//! One fold: the commands that wait for a card, decided one after the other on one row.
//!
//! The row may be one that is kept (`kept`): the guard finds out if it is not the card's any more. A fold that writes
//! nothing has no guard, and is decided on a freshly read row.

use ramz_domain::card::{Answer, CardAt, CardState, Command, Entry, Evidence, Mark, Notice};
use ramz_domain::{CardId, ChallengeId, Moment, Phone, limits};
use ramz_keys::{IndexPurpose, PinSource, Sources};
use ramz_store::{Change, OutboxNew, Outcome, Sealed, StoreFault, Swap, Table};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::kept::{Known, Swapped};
use super::turns::Waiting;
use super::{Dispatch, Engine, EngineFault, Job, Outgoing, Presented, row};

/// How often an unknown outcome is read back before the callers are told of a fault.
const UNKNOWN_ATTEMPTS: usize = 3;

/// What a fold has come to, before it is committed.
struct Folded {
    answers: Vec<Result<Answer, EngineFault>>,
    /// The new state, if any command writes.
    next: Option<CardState>,
    entries: Vec<(Moment, Entry)>,
    sends: Vec<Send>,
    undos: Vec<(Mark, Zeroizing<Vec<u8>>)>,
    /// What the cardholder is told, and the phone that the card had, for who is told there.
    notices: Vec<(Notice, Option<Phone>)>,
    sealed: Vec<Sealed>,
}

/// A message that a decision sends: which PIN, for which request, until when.
struct Send {
    challenge: ChallengeId,
    request: Option<Uuid>,
    expires: Moment,
}

impl Engine {
    /// Decides and commits all that waits, then answers. A lost swap is decided again from the fresh row; so is an
    /// unknown commit, where repeats are recognised by identity.
    pub(super) async fn fold(&self, card: CardId, waiting: Vec<Waiting>) {
        let (jobs, answers): (Vec<Job>, Vec<_>) = waiting.into_iter().map(|w| (w.job, w.answer)).unzip();
        let results = match self.fold_until_committed(card, &jobs).await {
            Ok(results) => results,
            Err(fault) => jobs.iter().map(|_| Err(fault.clone())).collect(),
        };
        for (sender, result) in answers.into_iter().zip(results) {
            // A caller that went away has no use for the answer; the decision stands.
            let _ = sender.send(result);
        }
    }

    async fn fold_until_committed(
        &self,
        card: CardId,
        jobs: &[Job],
    ) -> Result<Vec<Result<Answer, EngineFault>>, EngineFault> {
        let mut unknown = 0;
        let mut kept = self.kept.take(card);
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            let (known, fresh) = match kept.take() {
                Some(known) => (known, false),
                None => (self.read(card).await?, true),
            };
            let mut folded = self.decide_all(card, &known, jobs);
            let Some(next) = folded.next.take() else {
                if !fresh {
                    // No swap would find out that this row is not the card's any more.
                    continue;
                }
                self.kept.put(card, known);
                return Ok(folded.answers);
            };
            let (swap, dispatches) = self.swap(card, &known, &next, &folded)?;
            let swapped = Swapped::by(&swap);
            match self.committer.commit(Change::Swap(swap)).await {
                Ok(Outcome::Won) => {
                    self.kept.put(card, known.after(swapped, next));
                    dispatches.into_iter().for_each(|dispatch| self.dispatch(dispatch));
                    return Ok(folded.answers);
                }
                Ok(Outcome::Lost) => {}
                Err(StoreFault::Unknown(why)) if unknown < UNKNOWN_ATTEMPTS => {
                    unknown += 1;
                    tracing::warn!(%card, %why, "the outcome of a commit is unknown; deciding again");
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
    }

    /// The row as the store has it now.
    async fn read(&self, card: CardId) -> Result<Known, EngineFault> {
        Known::of(self.store.read(Table::Card, &card.0).await?.ok_or(EngineFault::NoCard)?)
    }

    fn decide_all(&self, card: CardId, known: &Known, jobs: &[Job]) -> Folded {
        let mut folded = Folded {
            answers: Vec::new(),
            next: None,
            entries: Vec::new(),
            sends: Vec::new(),
            undos: Vec::new(),
            notices: Vec::new(),
            sealed: Vec::new(),
        };
        for job in jobs {
            if job.made_from.is_some_and(|version| version != known.version || folded.next.is_some()) {
                folded.answers.push(Err(EngineFault::Changed));
                continue;
            }
            let state = folded.next.as_ref().unwrap_or(&known.state);
            if job.issue.is_some_and(|issue| issue != state.issue()) {
                folded.answers.push(Err(EngineFault::NoCard));
                continue;
            }
            let at = state.at(self.clock.now());
            let now = at.now();
            let evidence = match self.evidence(card, &at, job) {
                Ok(evidence) => evidence,
                Err(fault) => {
                    folded.answers.push(Err(fault));
                    continue;
                }
            };
            let decided = self.rules.decide(at, &job.command, &evidence, &self.policy);
            let undo = decided.undo.map(|identity| Some((identity, job.reversal.clone()?)));
            if undo == Some(None) {
                // Never a 91 whose reversal could not be made.
                folded.answers.push(Err(EngineFault::Row("a reversal has no data".into())));
                continue;
            }
            folded.undos.extend(undo.flatten());
            folded.notices.extend(decided.notices.iter().filter_map(|notice| match notice {
                Notice::PhoneWasOld => Some((*notice, Some(job.old_phone.clone()?))),
                _ => Some((*notice, None)),
            }));
            folded.entries.extend(decided.entries.into_iter().map(|entry| (now, entry)));
            if let Some(next) = decided.next {
                if let Some((challenge, pin)) = decided.send.and_then(|id| Some((id, next.to_send(id, now)?)))
                {
                    let expires = pin.expires();
                    folded.sends.push(Send { challenge, request: job.request, expires });
                }
                folded.sealed.retain(|old: &Sealed| job.sealed.iter().all(|new| new.column != old.column));
                folded.sealed.extend(job.sealed.iter().cloned());
                folded.next = Some(next);
            }
            folded.answers.push(Ok(decided.answer));
        }
        folded
    }

    /// What the keys say: expiry first, and the PIN only if there is something to compare it with.
    fn evidence(&self, card: CardId, at: &CardAt, job: &Job) -> Result<Evidence, EngineFault> {
        let (Command::Authorise(_), Some(presented)) = (&job.command, &job.presented) else {
            return Ok(Evidence::default());
        };
        let Presented { pan, expiry, pin_block, zone } = presented;
        let stored = at.state().expiry();
        let tag = self.keys.index_at(stored.version, IndexPurpose::Expiry, &[&card.0, expiry])?;
        let expiry_matches = bool::from(tag.bytes.ct_eq(&stored.bytes));
        let candidates = self.rules.candidates(at, &job.command, expiry_matches, &self.policy);
        // Where the static PIN may be tried the block must open before anything is taken: a garbled one is no try.
        let static_next = || at.static_may_be_tried(&job.command, expiry_matches, &self.policy);
        if candidates.is_empty() && !static_next() {
            return Ok(Evidence { expiry_matches, matched: Vec::new() });
        }
        let sources: Vec<PinSource> = candidates
            .iter()
            .map(|c| PinSource {
                version: c.key_version,
                digits: c.digits,
                card,
                challenge: c.id,
                payment: c.payment,
            })
            .collect();
        let sources = Sources { pins: &sources, codes: &[] };
        let matches = self.keys.pin_block_matches(pin_block, zone, pan, &sources)?;
        let matched = matches.pins.into_iter().filter_map(|at| candidates.get(at)).map(|c| c.id).collect();
        Ok(Evidence { expiry_matches, matched })
    }

    fn swap(
        &self,
        card: CardId,
        known: &Known,
        next: &CardState,
        folded: &Folded,
    ) -> Result<(Swap, Vec<Dispatch>), EngineFault> {
        let (journal, head) = row::chain(self.keys.as_ref(), card, known.head, &folded.entries)?;
        let leased_until = self.clock.now().plus(limits::LEASE);
        let outbox = self.outbox_rows(card, folded, leased_until)?;
        let dispatches = outbox.iter().map(|new| Dispatch::of(card, new)).collect();
        let swap = Swap {
            table: Table::Card,
            key: card.0.to_vec(),
            expected: Some(known.version),
            body: row::body(next)?,
            sealed: folded.sealed.clone(),
            head,
            journal,
            outbox,
            due: None,
            forget_after: None,
        };
        Ok((swap, dispatches))
    }

    fn outbox_rows(
        &self,
        card: CardId,
        folded: &Folded,
        leased_until: Moment,
    ) -> Result<Vec<OutboxNew>, EngineFault> {
        let fresh = || ramz_domain::ambient::random_bytes(self.entropy.as_ref());
        let count = folded.sends.len() + folded.undos.len() + folded.notices.len();
        let mut rows = Vec::with_capacity(count);
        for Send { challenge, request, expires } in &folded.sends {
            let body = Outgoing::pin(*challenge, *request).encode()?;
            rows.push(OutboxNew { id: fresh(), body, expires: *expires, leased_until });
        }
        for (identity, clear) in &folded.undos {
            let id = fresh();
            let body = Outgoing::reversal(self.keys.as_ref(), card, id, *identity, clear)?.encode()?;
            let expires = self.clock.now().plus(limits::REVERSAL_KEPT);
            rows.push(OutboxNew { id, body, expires, leased_until });
        }
        for (notice, old_phone) in &folded.notices {
            let id = fresh();
            let notice_row = Outgoing::notice(self.keys.as_ref(), card, id, *notice, old_phone.as_ref())?;
            let expires = self.clock.now().plus(notice.kept());
            rows.push(OutboxNew { id, body: notice_row.encode()?, expires, leased_until });
        }
        Ok(rows)
    }

    /// Hands a committed message to the sender. If its queue is full, the sweeper takes the row when the lease is over.
    pub(crate) fn dispatch(&self, dispatch: Dispatch) {
        if self.outbox.try_send(dispatch).is_err() {
            tracing::warn!("the outbox queue is full; the sweeper will send this message");
        }
    }
}
