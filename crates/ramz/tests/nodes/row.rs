//! A card's row as every node's store told it: a place with a version, changed by compare-and-swap. Recorded by a store that passes
//! everything on, and held against the same checker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_store::{Change, JournalEntry, Key, OutboxRow, Outcome, Row, Store, StoreFault, Table};

use crate::history::Ticks;
use crate::linear::{Call, Model, check};

/// What a node does with a row.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Read,
    /// From this version to that body (a hash of it).
    Swap(u64, u64),
}

/// What its store said.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Answer {
    /// This version, with that body.
    Is(u64, u64),
    Won,
    Lost,
}

/// A row of a card.
pub(crate) struct Register;

impl Model for Register {
    type Op = Op;
    type Answer = Answer;
    type State = (u64, u64);

    fn step(state: &(u64, u64), op: &Op, answer: Option<&Answer>) -> Vec<(u64, u64)> {
        let (does, after) = match op {
            Op::Read => (Answer::Is(state.0, state.1), *state),
            Op::Swap(expected, body) if *expected == state.0 => (Answer::Won, (state.0 + 1, *body)),
            Op::Swap(..) => (Answer::Lost, *state),
        };
        if answer.is_none_or(|answer| *answer == does) { vec![after] } else { Vec::new() }
    }
}

/// What was done with every card's row, by all nodes.
#[derive(Default)]
pub(crate) struct Rows(Mutex<HashMap<Key, Vec<Call<Op, Answer>>>>);

impl Rows {
    /// Rows of which no order gives what the stores said. Each history begins with the first read.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let rows = self.0.lock().unwrap();
        let wrong = rows.values().filter_map(|history| {
            let first = history.iter().filter_map(|call| match &call.answered {
                Some((when, Answer::Is(version, body))) => Some((*version, *when, *body)),
                _ => None,
            });
            let (version, _, body) = first.min()?;
            check::<Register>((version, body), history).err()
        });
        wrong.map(|why| format!("a row: {why}")).collect()
    }

    fn push(&self, key: &[u8], call: Call<Op, Answer>) {
        self.0.lock().unwrap().entry(key.to_vec()).or_default().push(call);
    }
}

/// A node's store, and what it was asked and said.
pub(crate) struct Recorded {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) rows: Arc<Rows>,
    pub(crate) ticks: Ticks,
}

#[async_trait]
impl Store for Recorded {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        let called = self.ticks.next();
        let row = self.inner.read(table, key).await;
        if let (Table::Card, Ok(Some(row))) = (table, &row) {
            let answer = Answer::Is(row.version, hash(&row.body));
            self.rows.push(key, Call { op: Op::Read, called, answered: Some((self.ticks.next(), answer)) });
        }
        row
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        let swaps: Vec<Option<(Key, Op)>> = batch.iter().map(swap_of).collect();
        let called = self.ticks.next();
        let outcomes = self.inner.commit(batch).await;
        let unwritten = matches!(outcomes, Err(StoreFault::Statement(_) | StoreFault::Unavailable(_)));
        for (at, swap) in swaps.into_iter().enumerate() {
            let Some((key, op)) = swap.filter(|_| !unwritten) else { continue };
            let answer = outcomes.as_ref().ok().map(|outcomes| match outcomes[at] {
                Outcome::Won => Answer::Won,
                Outcome::Lost => Answer::Lost,
            });
            self.rows.push(&key, Call { op, called, answered: answer.map(|said| (self.ticks.next(), said)) });
        }
        outcomes
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        self.inner.journal(owner, after, limit).await
    }

    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
        self.inner.keys_after(table, after, limit).await
    }

    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
        self.inner.due(table, now, limit).await
    }

    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
        self.inner.outbox_due(now, limit).await
    }

    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
        self.inner.forget(table, now, limit).await
    }
}

fn swap_of(change: &Change) -> Option<(Key, Op)> {
    match change {
        Change::Swap(swap) if swap.table == Table::Card => {
            Some((swap.key.clone(), Op::Swap(swap.expected?, hash(&swap.body))))
        }
        _ => None,
    }
}

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_turn(steps: &[(Op, Answer)]) -> bool {
        let call = |(at, (op, answer)): (u64, &(Op, Answer))| Call {
            op: op.clone(),
            called: at * 2,
            answered: Some((at * 2 + 1, answer.clone())),
        };
        check::<Register>((1, 0), &(0..).zip(steps).map(call).collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn what_no_row_would_say_is_refused() {
        assert!(in_turn(&[(Op::Swap(1, 5), Answer::Won), (Op::Read, Answer::Is(2, 5))]));
        assert!(!in_turn(&[(Op::Swap(1, 5), Answer::Lost)]), "lost to nobody");
        assert!(!in_turn(&[(Op::Swap(1, 5), Answer::Won), (Op::Swap(1, 6), Answer::Won)]), "won twice");
        assert!(
            !in_turn(&[(Op::Swap(1, 5), Answer::Won), (Op::Read, Answer::Is(1, 0))]),
            "won, and not there"
        );
    }
}
