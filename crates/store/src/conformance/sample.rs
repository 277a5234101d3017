//! Rows to try a store with, and the case of a store that is opened again.

use std::sync::Arc;

use ramz_domain::Moment;

use super::{Wrong, same};
use crate::{Change, Head, JournalEntry, OutboxNew, Outcome, Row, Sealed, Store, StoreFault, Swap, Table};

/// An instant in the middle of what the cases use.
pub(super) fn at(ms: u64) -> Moment {
    Moment::from_unix_ms(1_700_000_000_000 + ms)
}

/// A bare swap of a row.
pub(super) fn swap(table: Table, key: &[u8], expected: Option<u64>, body: &str) -> Swap {
    Swap {
        table,
        key: key.to_vec(),
        expected,
        body: body.as_bytes().to_vec(),
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    }
}

/// An entry with a MAC of its own (the store does not verify it).
pub(super) fn entry(seq: u64, text: &str) -> JournalEntry {
    let mut mac = [0xa5; 32];
    mac[..8].copy_from_slice(&seq.to_be_bytes());
    JournalEntry { seq, at: at(seq), entry: text.as_bytes().to_vec(), key_version: 3, mac }
}

/// A message.
pub(super) fn message(id: u8, leased_until: Moment) -> OutboxNew {
    OutboxNew { id: [id; 16], body: vec![0xb0, id], expires: at(120_000), leased_until }
}

impl Swap {
    /// This swap with entries: head and numbers follow from them.
    pub(super) fn with_journal(mut self, entries: Vec<JournalEntry>) -> Swap {
        if let Some(last) = entries.last() {
            self.head = Head { seq: last.seq, mac: last.mac };
        }
        self.journal = entries;
        self
    }

    pub(super) fn with_head(mut self, head: Head) -> Swap {
        self.head = head;
        self
    }

    pub(super) fn with_sealed(mut self, column: &'static str, bytes: Option<&[u8]>) -> Swap {
        self.sealed.push(Sealed { column, bytes: bytes.map(<[u8]>::to_vec) });
        self
    }

    pub(super) fn with_message(mut self, message: OutboxNew) -> Swap {
        self.outbox.push(message);
        self
    }
}

/// Commits one swap.
pub(super) async fn commit(store: &dyn Store, swap: Swap) -> Result<Outcome, StoreFault> {
    one(store, Change::Swap(swap)).await
}

/// Commits one change.
pub(super) async fn one(store: &dyn Store, change: Change) -> Result<Outcome, StoreFault> {
    let outcomes = store.commit(vec![change]).await?;
    match outcomes.as_slice() {
        [outcome] => Ok(*outcome),
        _ => Err(StoreFault::Unavailable(format!("{} outcomes for one change", outcomes.len()))),
    }
}

/// A store that is closed and opened again has everything that it had. `open` opens the same place each time.
///
/// # Errors
/// What was gone.
pub async fn reopened(open: impl AsyncFn() -> Arc<dyn Store>) -> Result<(), Wrong> {
    let store = open().await;
    let entries = vec![entry(1, "one"), entry(2, "two")];
    let head = Head { seq: 2, mac: entries[1].mac };
    let first = swap(Table::Card, b"card", None, "state")
        .with_journal(entries.clone())
        .with_sealed("pan", Some(b"ciphertext"))
        .with_message(message(7, at(50)));
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    let mut unfinished = swap(Table::Admission, b"admission", None, "asked");
    (unfinished.due, unfinished.forget_after) = (Some(at(10)), Some(at(1000)));
    same("insert", commit(&*store, unfinished).await?, Outcome::Won)?;
    drop(store);

    let store = open().await;
    let row = Row {
        version: 1,
        body: b"state".to_vec(),
        sealed: vec![("pan".into(), b"ciphertext".to_vec())],
        head,
    };
    same("the card", store.read(Table::Card, b"card").await?, Some(row))?;
    same("its journal", store.journal(b"card", 0, 10).await?, entries)?;
    let due = store.outbox_due(at(50), 10).await?;
    same("its message", due.iter().map(|row| (row.id, row.attempts)).collect(), vec![([7; 16], 1)])?;
    let due = store.due(Table::Admission, at(10), 10).await?;
    same("the due row", due.iter().map(|(key, _)| key.clone()).collect(), vec![b"admission".to_vec()])?;
    let next = swap(Table::Card, b"card", Some(1), "next").with_head(head);
    same("the next swap", commit(&*store, next).await?, Outcome::Won)?;
    same("forgotten", store.forget(Table::Admission, at(1000), 10).await?, 1)?;
    drop(store);

    let store = open().await;
    let row = store.read(Table::Card, b"card").await?;
    same("the version", row.map(|row| (row.version, row.body)), Some((2, b"next".to_vec())))?;
    same("the forgotten row", store.read(Table::Admission, b"admission").await?, None)
}
