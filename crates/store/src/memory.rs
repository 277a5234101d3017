//! The store in memory: the same semantics as SQLite, for the tests of roles and the simulation.
//!
//! Nothing survives the process, and nothing here is fast on purpose. It is deterministic: no thread, no clock.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ramz_domain::Moment;

use crate::rows::{broken_head, head_before, in_batch_order, in_row_order};
use crate::{
    Change, Head, JournalEntry, Key, OutboxRow, Outcome, Row, Store, StoreFault, Swap, Table, Version,
};

/// A [`Store`] that lives as long as the value.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    shared: bool,
    clock: Mutex<Option<Moment>>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<(Table, Key), Held>,
    journal: BTreeMap<(Key, u64), JournalEntry>,
    outbox: BTreeMap<(Key, [u8; 16]), OutboxRow>,
}

#[derive(Clone)]
struct Held {
    version: Version,
    body: Vec<u8>,
    sealed: BTreeMap<String, Vec<u8>>,
    head: Head,
    due: Option<Moment>,
    forget_after: Option<Moment>,
}

/// What puts a half-done batch back, last first.
enum Undo {
    Row(Table, Key, Option<Held>),
    Entry(Key, u64),
    Message(Key, [u8; 16], Option<OutboxRow>),
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// An empty store that says that other nodes may have the same rows.
    pub fn shared() -> MemoryStore {
        MemoryStore { shared: true, ..MemoryStore::default() }
    }

    /// From now on it has a clock of its own, which stands still.
    pub fn set_clock(&self, now: Moment) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn row(&self) -> Row {
        Row {
            version: self.version,
            body: self.body.clone(),
            sealed: self.sealed.iter().map(|(name, bytes)| (name.clone(), bytes.clone())).collect(),
            head: self.head,
        }
    }
}

impl State {
    fn apply(&mut self, change: &Change, undo: &mut Vec<Undo>) -> Result<Outcome, StoreFault> {
        match change {
            Change::Swap(swap) => self.swap(swap, undo),
            Change::Lease { owner, id, expected, until } => {
                let Some(message) = self.outbox.get_mut(&(owner.clone(), *id)) else {
                    return Ok(Outcome::Lost);
                };
                if message.leased_until != *expected {
                    return Ok(Outcome::Lost);
                }
                undo.push(Undo::Message(owner.clone(), *id, Some(message.clone())));
                message.leased_until = *until;
                message.attempts += 1;
                Ok(Outcome::Won)
            }
            Change::Settle { owner, id } => match self.outbox.remove(&(owner.clone(), *id)) {
                Some(message) => {
                    undo.push(Undo::Message(owner.clone(), *id, Some(message)));
                    Ok(Outcome::Won)
                }
                None => Ok(Outcome::Lost),
            },
        }
    }

    fn swap(&mut self, swap: &Swap, undo: &mut Vec<Undo>) -> Result<Outcome, StoreFault> {
        let at = (swap.table, swap.key.clone());
        let old = self.rows.get(&at);
        if old.map(|held| held.version) != swap.expected {
            return Ok(Outcome::Lost);
        }
        let head = old.map_or(Head::EMPTY, |held| held.head);
        if head.seq != head_before(swap) || (swap.journal.is_empty() && head != swap.head) {
            return Err(broken_head(swap.table));
        }
        let mut sealed = old.map(|held| held.sealed.clone()).unwrap_or_default();
        for column in &swap.sealed {
            match &column.bytes {
                Some(bytes) => sealed.insert(column.column.to_owned(), bytes.clone()),
                None => sealed.remove(column.column),
            };
        }
        let new = Held {
            version: swap.expected.unwrap_or(0) + 1,
            body: swap.body.clone(),
            sealed,
            head: swap.head,
            due: swap.due,
            forget_after: swap.forget_after,
        };
        undo.push(Undo::Row(swap.table, swap.key.clone(), self.rows.insert(at, new)));
        self.write_beside(swap, undo)?;
        Ok(Outcome::Won)
    }

    fn write_beside(&mut self, swap: &Swap, undo: &mut Vec<Undo>) -> Result<(), StoreFault> {
        for entry in &swap.journal {
            let at = (swap.key.clone(), entry.seq);
            if self.journal.contains_key(&at) {
                return Err(StoreFault::Statement("journal: an entry with this number exists".into()));
            }
            self.journal.insert(at, entry.clone());
            undo.push(Undo::Entry(swap.key.clone(), entry.seq));
        }
        for message in &swap.outbox {
            let at = (swap.key.clone(), message.id);
            if self.outbox.contains_key(&at) {
                return Err(StoreFault::Statement("outbox: a message with this id exists".into()));
            }
            let row = OutboxRow {
                owner: swap.key.clone(),
                id: message.id,
                body: message.body.clone(),
                expires: message.expires,
                leased_until: message.leased_until,
                attempts: 1,
            };
            self.outbox.insert(at, row);
            undo.push(Undo::Message(swap.key.clone(), message.id, None));
        }
        Ok(())
    }

    fn roll_back(&mut self, undo: Vec<Undo>) {
        for step in undo.into_iter().rev() {
            match step {
                Undo::Row(table, key, Some(held)) => drop(self.rows.insert((table, key), held)),
                Undo::Row(table, key, None) => drop(self.rows.remove(&(table, key))),
                Undo::Entry(owner, seq) => drop(self.journal.remove(&(owner, seq))),
                Undo::Message(owner, id, Some(message)) => drop(self.outbox.insert((owner, id), message)),
                Undo::Message(owner, id, None) => drop(self.outbox.remove(&(owner, id))),
            }
        }
    }

    fn table(&self, table: Table) -> impl Iterator<Item = (&Key, &Held)> {
        self.rows
            .range((table, Vec::new())..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|((_, key), held)| (key, held))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        Ok(self.state().rows.get(&(table, key.to_vec())).map(Held::row))
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        let order = in_row_order(&batch)?;
        let mut state = self.state();
        let mut undo = Vec::new();
        let mut found = Vec::with_capacity(batch.len());
        for at in &order {
            match state.apply(&batch[*at], &mut undo) {
                Ok(outcome) => found.push(outcome),
                Err(fault) => {
                    state.roll_back(undo);
                    return Err(fault);
                }
            }
        }
        Ok(in_batch_order(&order, &found))
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    async fn clock(&self) -> Result<Option<Moment>, StoreFault> {
        Ok(*self.clock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        let from = (Bound::Excluded((owner.to_vec(), after)), Bound::Unbounded);
        let state = self.state();
        let entries = state.journal.range(from).take_while(|((of, _), _)| of == owner);
        Ok(entries.take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn entries(&self) -> Result<u64, StoreFault> {
        Ok(self.state().journal.len() as u64)
    }

    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
        let from = (Bound::Excluded((table, after.to_vec())), Bound::Unbounded);
        let state = self.state();
        let rows = state.rows.range(from).take_while(|((of, _), _)| *of == table);
        Ok(rows.take(limit).map(|((_, key), _)| key.clone()).collect())
    }

    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
        let state = self.state();
        let mut due: Vec<_> = state
            .table(table)
            .filter_map(|(key, held)| held.due.filter(|due| *due <= now).map(|due| (due, key, held)))
            .collect();
        due.sort_by_key(|(due, key, _)| (*due, *key));
        Ok(due.into_iter().take(limit).map(|(_, key, held)| (key.clone(), held.row())).collect())
    }

    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
        let state = self.state();
        let mut due: Vec<_> = state.outbox.values().filter(|row| row.leased_until <= now).collect();
        due.sort_by_key(|row| (row.leased_until, &row.owner, row.id));
        Ok(due.into_iter().take(limit).cloned().collect())
    }

    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
        let mut state = self.state();
        let mut old: Vec<_> = state
            .table(table)
            .filter_map(|(key, held)| held.forget_after.filter(|at| *at <= now).map(|at| (at, key.clone())))
            .collect();
        old.sort();
        old.truncate(limit);
        for (_, key) in &old {
            state.rows.remove(&(table, key.clone()));
            state.journal.retain(|(owner, _), _| owner != key);
        }
        Ok(old.len())
    }
}
