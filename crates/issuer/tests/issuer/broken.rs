//! Stores that are broken on purpose, or strange in a way that a whole part must bear: for `teeth`.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_store::{Change, JournalEntry, Key, OutboxRow, Outcome, Row, Store, StoreFault, Table};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A whole store, but that the first two that change a card, once attacked, have decided from the same row: each waits for
/// the other before it is let through.
pub(crate) struct Meet {
    inner: Arc<dyn Store>,
    pub(crate) attacked: Arc<AtomicBool>,
    waiting: Mutex<u32>,
    met: Notify,
}

impl Meet {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Meet {
        Meet { inner, attacked: Arc::default(), waiting: Mutex::new(0), met: Notify::new() }
    }
}

#[async_trait]
trait Twists: Send + Sync + 'static {
    fn inner(&self) -> Arc<dyn Store>;

    /// What is read.
    async fn twist(&self, _: Table, _: &[u8], row: Option<Row>) -> Option<Row> {
        row
    }

    /// Whether a change is told that somebody else was first, and is not written.
    async fn loses(&self, _: &Change) -> bool {
        false
    }

    fn changes(&self, batch: Vec<Change>) -> Vec<Change> {
        batch
    }

    fn messages(&self, rows: Vec<OutboxRow>) -> Vec<OutboxRow> {
        rows
    }
}

/// The card that a change gives a new state.
fn card_of(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Swap(swap) if swap.table == Table::Card => Some(&swap.key),
        _ => None,
    }
}

#[async_trait]
impl Twists for Meet {
    fn inner(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    async fn loses(&self, change: &Change) -> bool {
        if card_of(change).is_some() && self.attacked.load(Ordering::SeqCst) {
            let came = {
                let mut waiting = self.waiting.lock().unwrap();
                *waiting += 1;
                *waiting
            };
            match came {
                // Bounded, in case the second node has nothing to change.
                1 => drop(timeout(Duration::from_secs(10), self.met.notified()).await),
                2 => self.met.notify_one(),
                _ => {}
            }
        }
        false
    }
}

/// Once attacked, gives every card's body as it was then, under its present version; and sees to it that every change was
/// decided from a body that it gave.
pub(crate) struct StaleBodies {
    inner: Arc<dyn Store>,
    pub(crate) attacked: Arc<AtomicBool>,
    frozen: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Cards that were read since they were last changed.
    read: Mutex<HashSet<Vec<u8>>>,
}

impl StaleBodies {
    pub(crate) fn new(inner: Arc<dyn Store>) -> StaleBodies {
        StaleBodies { inner, attacked: Arc::default(), frozen: Mutex::default(), read: Mutex::default() }
    }
}

#[async_trait]
impl Twists for StaleBodies {
    fn inner(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    async fn twist(&self, table: Table, key: &[u8], row: Option<Row>) -> Option<Row> {
        if table != Table::Card || !self.attacked.load(Ordering::SeqCst) {
            return row;
        }
        self.read.lock().unwrap().insert(key.to_vec());
        row.map(|row| {
            let body = self.frozen.lock().unwrap().entry(key.to_vec()).or_insert(row.body.clone()).clone();
            Row { body, ..row }
        })
    }

    async fn loses(&self, change: &Change) -> bool {
        let attacked = self.attacked.load(Ordering::SeqCst);
        card_of(change).is_some_and(|card| attacked && !self.read.lock().unwrap().remove(card))
    }
}

/// Whole until it is attacked; then it answers before it commits.
pub(crate) struct Deferred {
    pub(crate) durable: Arc<dyn Store>,
    pub(crate) early: AtomicArc,
}

#[derive(Default)]
pub(crate) struct AtomicArc(Mutex<Option<Arc<dyn Store>>>);

impl AtomicArc {
    pub(crate) fn set(&self, store: Arc<dyn Store>) {
        *self.0.lock().unwrap() = Some(store);
    }
}

#[async_trait]
impl Twists for Deferred {
    fn inner(&self) -> Arc<dyn Store> {
        self.early.0.lock().unwrap().clone().unwrap_or_else(|| self.durable.clone())
    }
}

/// Once attacked, swaps leave their messages out, as if those were to be written later: a node that dies never does.
pub(crate) struct MessagesLater {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) attacked: Arc<AtomicBool>,
}

impl Twists for MessagesLater {
    fn inner(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    fn changes(&self, mut batch: Vec<Change>) -> Vec<Change> {
        if self.attacked.load(Ordering::SeqCst) {
            for change in &mut batch {
                if let Change::Swap(swap) = change {
                    swap.outbox.clear();
                }
            }
        }
        batch
    }
}

/// Once attacked, finds no message that was left behind.
pub(crate) struct ForgetsMessages {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) attacked: Arc<AtomicBool>,
}

impl Twists for ForgetsMessages {
    fn inner(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    fn messages(&self, rows: Vec<OutboxRow>) -> Vec<OutboxRow> {
        if self.attacked.load(Ordering::SeqCst) { Vec::new() } else { rows }
    }
}

macro_rules! twisted_store {
    ($($name:ident),*) => {$(
        #[async_trait]
        impl Store for $name {
            async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
                let row = self.inner().read(table, key).await?;
                Ok(self.twist(table, key, row).await)
            }

            async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
                let (mut lost, mut through) = (Vec::new(), Vec::new());
                for change in batch {
                    lost.push(self.loses(&change).await);
                    if lost.last() == Some(&false) {
                        through.push(change);
                    }
                }
                let mut told = self.inner().commit(self.changes(through)).await?.into_iter();
                Ok(lost.into_iter().filter_map(|lost| if lost { Some(Outcome::Lost) } else { told.next() }).collect())
            }

            async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
                self.inner().journal(owner, after, limit).await
            }

            async fn entries(&self) -> Result<u64, StoreFault> {
                self.inner().entries().await
            }

            async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
                self.inner().keys_after(table, after, limit).await
            }

            async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
                self.inner().due(table, now, limit).await
            }

            async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
                Ok(self.messages(self.inner().outbox_due(now, limit).await?))
            }

            async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
                self.inner().forget(table, now, limit).await
            }
        }
    )*};
}

twisted_store!(Meet, StaleBodies, Deferred, MessagesLater, ForgetsMessages);
