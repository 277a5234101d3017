//! One fold: the commands that wait for a card, decided one after the other on one row.
//!
//! The row may be one that is kept (`kept`): the guard finds out if it is not the card's any more. A fold that writes
//! nothing has no guard, and is decided on a freshly read row.

use std::sync::Arc;

use ramz_domain::card::{Answer, CardState, Command, Mark, Notice};
use ramz_domain::{CardId, ChallengeId, Moment, Phone, limits};
use ramz_store::{Change, Head, OutboxNew, Outcome, Sealed, StoreFault, Swap, Table, Version};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::evidence::Columns;
use super::kept::{Beside, Known, Swapped};
use super::turns::Waiting;
use super::{Dispatch, Engine, EngineFault, JournalRecord, Outgoing, row};

/// How often an unknown outcome is read back before the callers are told of a fault.
const UNKNOWN_ATTEMPTS: usize = 3;

/// What a fold has come to, before it is committed.
struct Folded {
    answers: Vec<Result<Answer, EngineFault>>,
    /// The card behind the commands so far.
    state: Arc<CardState>,
    /// Whether any of them writes.
    writes: bool,
    entries: Vec<JournalRecord>,
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

/// A swap of which it is not known whether it was written, and what it would have told.
struct InDoubt {
    version: Version,
    head: Head,
    state: Arc<CardState>,
    answers: Vec<Result<Answer, EngineFault>>,
    dispatches: Vec<Dispatch>,
}

impl InDoubt {
    /// Whether this row is what it would have left. The head has the MAC of all entries, with their instants, behind all that were
    /// there before: another swap with the same one decided the same of the same card in the same millisecond.
    fn left(&self, row: &Known) -> bool {
        (row.beside.version, row.beside.head) == (self.version, self.head) && row.state == self.state
    }
}

impl Engine {
    /// Decides and commits all that waits, then answers. A lost swap is decided again from the fresh row; so is an
    /// unknown commit, where repeats are recognised by identity. Commands without one have been decided if the row is what their swap
    /// would have left.
    pub(super) async fn fold(&self, card: CardId, waiting: Vec<Waiting>) {
        let results = match self.fold_until_committed(card, &waiting).await {
            Ok(results) => results,
            Err(fault) => waiting.iter().map(|_| Err(fault.clone())).collect(),
        };
        for (Waiting { answer, .. }, result) in waiting.into_iter().zip(results) {
            // A caller that went away has no use for the answer; the decision stands.
            let _ = answer.send(result);
        }
    }

    async fn fold_until_committed(
        &self,
        card: CardId,
        waiting: &[Waiting],
    ) -> Result<Vec<Result<Answer, EngineFault>>, EngineFault> {
        let mut unknown = 0;
        let mut in_doubt: Vec<InDoubt> = Vec::new();
        let mut kept = self.kept.take(card);
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            let (known, fresh) = match kept.take() {
                Some(known) => (known, false),
                None => (self.read(card).await?, true),
            };
            if let Some(at) = in_doubt.iter().position(|swap| swap.left(&known)) {
                return Ok(self.was_written(card, known, in_doubt, at));
            }
            let Known { state, beside } = known;
            // No swap would find out that a kept row is not the card's any more: what writes nothing is decided on a fresh one.
            let Some(folded) = self.decide_all(card, &beside, state, fresh, waiting) else { continue };
            if !folded.writes {
                if fresh {
                    self.kept.put(card, Known { state: folded.state, beside });
                    return Ok(folded.answers);
                }
                continue;
            }
            let (swap, dispatches) = self.swap(card, &beside, &folded)?;
            let head = swap.head;
            let (swapped, writes_entries) = (Swapped::by(&swap), !swap.journal.is_empty());
            match self.committer.commit(Change::Swap(swap)).await {
                Ok(Outcome::Won) => {
                    self.kept.put(card, beside.after(swapped, folded.state));
                    dispatches.into_iter().for_each(|dispatch| self.dispatch(dispatch));
                    return Ok(folded.answers);
                }
                Ok(Outcome::Lost) => {}
                Err(StoreFault::Unknown(why)) if unknown < UNKNOWN_ATTEMPTS => {
                    unknown += 1;
                    tracing::warn!(%card, %why, "the outcome of a commit is unknown; deciding again");
                    if writes_entries && !waiting.iter().any(|Waiting { job, .. }| knows_itself(&job.command))
                    {
                        let (version, head) = (beside.version + 1, head);
                        let Folded { answers, state, .. } = folded;
                        in_doubt.push(InDoubt { version, head, state, answers, dispatches });
                    }
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
    }

    /// A swap that nobody knew of has won, and this row is what it left.
    fn was_written(
        &self,
        card: CardId,
        row: Known,
        mut in_doubt: Vec<InDoubt>,
        at: usize,
    ) -> Vec<Result<Answer, EngineFault>> {
        tracing::info!(%card, "a commit whose outcome was unknown was written");
        // Of two that decided the same nobody knows which one it was, and whose messages are there: the sweeper finds them.
        let one = in_doubt.iter().filter(|swap| swap.left(&row)).count() == 1;
        let InDoubt { answers, dispatches, .. } = in_doubt.swap_remove(at);
        self.kept.put(card, row);
        if one {
            dispatches.into_iter().for_each(|dispatch| self.dispatch(dispatch));
        }
        answers
    }

    /// The row as the store has it now.
    async fn read(&self, card: CardId) -> Result<Known, EngineFault> {
        Known::of(self.store.read(Table::Card, &card.0).await?.ok_or(EngineFault::NoCard)?)
    }

    /// `None`: a command wrote nothing, and the state it was decided on is spent. A kept row's state is not copied for the first
    /// command, which nearly always writes; a fresh one's is, for it is kept when nothing is written.
    fn decide_all(
        &self,
        card: CardId,
        beside: &Beside,
        state: Arc<CardState>,
        fresh: bool,
        waiting: &[Waiting],
    ) -> Option<Folded> {
        let mut state = Some(state);
        let mut writes = false;
        let mut answers = Vec::with_capacity(waiting.len());
        let (mut entries, mut sends, mut undos, mut notices) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut sealed: Vec<Sealed> = Vec::new();
        for Waiting { job, .. } in waiting {
            if job.made_from.is_some_and(|version| version != beside.version || writes) {
                answers.push(Err(EngineFault::Changed));
                continue;
            }
            if job.issue.is_some_and(|issue| state.as_ref().is_some_and(|state| issue != state.issue())) {
                answers.push(Err(EngineFault::NoCard));
                continue;
            }
            let clock = self.clock.now();
            let at = if fresh || writes {
                state.as_ref()?.at(clock)
            } else {
                Arc::unwrap_or_clone(state.take()?).into_at(clock)
            };
            let now = at.now();
            let columns = Columns { stored: &beside.sealed, folded: &sealed };
            let evidence = match self.evidence(card, &at, job, &columns) {
                Ok(evidence) => evidence,
                Err(fault) => {
                    answers.push(Err(fault));
                    continue;
                }
            };
            let decided = self.rules.decide(at, &job.command, &evidence, &self.policy);
            let undo = decided.undo.map(|identity| Some((identity, job.reversal.clone()?)));
            if undo == Some(None) {
                // Never a 91 whose reversal could not be made.
                answers.push(Err(EngineFault::Row("a reversal has no data".into())));
                continue;
            }
            undos.extend(undo.flatten());
            notices.extend(decided.notices.iter().filter_map(|notice| match notice {
                Notice::PhoneWasOld => Some((*notice, Some(job.old_phone.clone()?))),
                _ => Some((*notice, None)),
            }));
            let record = |entry| JournalRecord { at: now, entry, by: job.by.as_deref().map(str::to_owned) };
            entries.extend(decided.entries.into_iter().map(record));
            if let Some(next) = decided.next {
                if let Some((challenge, pin)) = decided.send.and_then(|id| Some((id, next.to_send(id, now)?)))
                {
                    let expires = pin.expires();
                    sends.push(Send { challenge, request: job.request, expires });
                }
                sealed.retain(|old: &Sealed| job.sealed.iter().all(|new| new.column != old.column));
                sealed.extend(job.sealed.iter().cloned());
                (state, writes) = (Some(Arc::new(next)), true);
            }
            answers.push(Ok(decided.answer));
        }
        Some(Folded { answers, state: state?, writes, entries, sends, undos, notices, sealed })
    }

    fn swap(
        &self,
        card: CardId,
        beside: &Beside,
        folded: &Folded,
    ) -> Result<(Swap, Vec<Dispatch>), EngineFault> {
        let (journal, head) = row::chain(self.keys.as_ref(), card, beside.head, &folded.entries)?;
        let leased_until = self.clock.now().plus(limits::LEASE);
        let outbox = self.outbox_rows(card, folded, leased_until)?;
        let dispatches = outbox.iter().map(|new| Dispatch::of(card, new)).collect();
        let swap = Swap {
            table: Table::Card,
            key: card.0.to_vec(),
            expected: Some(beside.version),
            body: row::body(&folded.state)?,
            sealed: sealed(beside, folded),
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
        let now = self.clock.now();
        let fresh = || ramz_domain::ambient::name_in_order(now, self.entropy.as_ref());
        let count = folded.sends.len() + folded.undos.len() + folded.notices.len();
        let mut rows = Vec::with_capacity(count);
        for Send { challenge, request, expires } in &folded.sends {
            let body = Outgoing::pin(*challenge, *request).encode()?;
            rows.push(OutboxNew { id: fresh(), body, expires: *expires, leased_until });
        }
        for (identity, clear) in &folded.undos {
            let id = fresh();
            let body = Outgoing::reversal(self.keys.as_ref(), card, id, *identity, clear)?.encode()?;
            let expires = now.plus(limits::REVERSAL_KEPT);
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

/// Whether a command finds what it has written by an identity of its own, and says so in its answer: a payment that is decided again
/// asks the host as a repeat. Two nodes that are brought the same one in the same millisecond would each find the other's swap.
fn knows_itself(command: &Command) -> bool {
    matches!(
        command,
        Command::Authorise(_)
            | Command::Prove { .. }
            | Command::Request(_)
            | Command::Text(_)
            | Command::HostAnswered { .. }
            | Command::GiveUp { .. }
            | Command::Reverse { .. }
            | Command::Reissue { .. }
    )
}

/// The columns that change; a seed that no token has any more goes.
fn sealed(beside: &Beside, folded: &Folded) -> Vec<Sealed> {
    let mut sealed = folded.sealed.clone();
    for (number, column) in row::SEED_COLUMNS.into_iter().enumerate() {
        let used = folded.state.tokens().iter().any(|token| usize::from(token.column) == number);
        let is_there = beside.sealed.iter().any(|(name, _)| name == column)
            || sealed.iter().any(|sealed| sealed.column == column);
        if !used && is_there {
            sealed.retain(|sealed| sealed.column != column);
            sealed.push(Sealed { column, bytes: None });
        }
    }
    sealed
}
