//! A store whose readers wait for ever at chosen places: card work that begins there keeps its slot. So the places for card
//! work are taken without a store that is slow for those who are measured.

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_store::{Change, JournalEntry, Key, OutboxRow, Outcome, Row, Store, StoreFault, Table};

/// Holds nothing until it is told what.
pub(crate) struct Held {
    inner: Arc<dyn Store>,
    places: Mutex<HashSet<Key>>,
    waiting: AtomicUsize,
}

impl Held {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Arc<Held> {
        Arc::new(Held { inner, places: Mutex::default(), waiting: AtomicUsize::new(0) })
    }

    /// From now on, who looks for a card at this place in the index waits.
    pub(crate) fn hold(&self, place: Key) {
        self.places.lock().unwrap().insert(place);
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Held {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        if table == Table::CardIndex && self.places.lock().unwrap().contains(key) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            pending::<()>().await;
        }
        self.inner.read(table, key).await
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        self.inner.commit(batch).await
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        self.inner.journal(owner, after, limit).await
    }

    async fn entries(&self) -> Result<u64, StoreFault> {
        self.inner.entries().await
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
