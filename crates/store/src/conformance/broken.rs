//! Stores that break a promise: test doubles that the suite, and the tests of roles, must catch.

use std::sync::Arc;

use async_trait::async_trait;
use ramz_domain::Moment;
use tokio::sync::Mutex;

use crate::{Change, Head, JournalEntry, Key, OutboxRow, Outcome, Row, Store, StoreFault, Swap, Table};

/// A store that changes only how a batch is committed, and reads as the one inside.
#[async_trait]
trait Breaks: Send + Sync + 'static {
    fn inner(&self) -> &dyn Store;
    async fn break_commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault>;
}

/// Commits without the version guard: each swap is made to expect whatever version the row has.
pub struct NoGuard {
    inner: Arc<dyn Store>,
    one_at_a_time: Mutex<()>,
}

impl NoGuard {
    /// Breaks this store.
    pub fn new(inner: Arc<dyn Store>) -> NoGuard {
        NoGuard { inner, one_at_a_time: Mutex::new(()) }
    }
}

#[async_trait]
impl Breaks for NoGuard {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn break_commit(&self, mut batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        let _alone = self.one_at_a_time.lock().await;
        for change in &mut batch {
            if let Change::Swap(swap) = change
                && let Some(row) = self.inner.read(swap.table, &swap.key).await?
            {
                fit(swap, &row);
            }
        }
        self.inner.commit(batch).await
    }
}

/// Writes the journal entries of swaps that lost.
pub struct JournalsLost {
    inner: Arc<dyn Store>,
    one_at_a_time: Mutex<()>,
}

impl JournalsLost {
    /// Breaks this store.
    pub fn new(inner: Arc<dyn Store>) -> JournalsLost {
        JournalsLost { inner, one_at_a_time: Mutex::new(()) }
    }
}

#[async_trait]
impl Breaks for JournalsLost {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn break_commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        let _alone = self.one_at_a_time.lock().await;
        let outcomes = self.inner.commit(batch.clone()).await?;
        for (change, outcome) in batch.into_iter().zip(&outcomes) {
            if let Change::Swap(mut swap) = change
                && *outcome == Outcome::Lost
                && !swap.journal.is_empty()
                && let Some(row) = self.inner.read(swap.table, &swap.key).await?
            {
                fit(&mut swap, &row);
                let entries_only = Swap { body: row.body, sealed: Vec::new(), outbox: Vec::new(), ..swap };
                self.inner.commit(vec![Change::Swap(entries_only)]).await?;
            }
        }
        Ok(outcomes)
    }
}

/// Answers before it commits: every change has won at once, and is written when the next batch comes.
pub struct AnswersFirst {
    inner: Arc<dyn Store>,
    held_back: Mutex<Vec<Change>>,
}

impl AnswersFirst {
    /// Breaks this store.
    pub fn new(inner: Arc<dyn Store>) -> AnswersFirst {
        AnswersFirst { inner, held_back: Mutex::new(Vec::new()) }
    }
}

#[async_trait]
impl Breaks for AnswersFirst {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn break_commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        let mut held_back = self.held_back.lock().await;
        let before = std::mem::replace(&mut *held_back, batch);
        if !before.is_empty() {
            // Whatever became of it: it was answered long ago.
            drop(self.inner.commit(before).await);
        }
        Ok(vec![Outcome::Won; held_back.len()])
    }
}

/// Lets a swap pass the guard of the row as it is.
fn fit(swap: &mut Swap, row: &Row) {
    swap.expected = Some(row.version);
    let mut head = row.head;
    for entry in &mut swap.journal {
        entry.seq = head.seq + 1;
        head = Head { seq: entry.seq, mac: entry.mac };
    }
    swap.head = head;
}

macro_rules! broken_store {
    ($($name:ident),*) => {$(
        #[async_trait]
        impl Store for $name {
            async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
                self.inner().read(table, key).await
            }

            async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
                self.break_commit(batch).await
            }

            async fn journal(
                &self,
                owner: &[u8],
                after: u64,
                limit: usize,
            ) -> Result<Vec<JournalEntry>, StoreFault> {
                self.inner().journal(owner, after, limit).await
            }

            async fn entries(&self) -> Result<u64, StoreFault> {
                self.inner().entries().await
            }

            async fn keys_after(
                &self,
                table: Table,
                after: &[u8],
                limit: usize,
            ) -> Result<Vec<Key>, StoreFault> {
                self.inner().keys_after(table, after, limit).await
            }

            async fn due(
                &self,
                table: Table,
                now: Moment,
                limit: usize,
            ) -> Result<Vec<(Key, Row)>, StoreFault> {
                self.inner().due(table, now, limit).await
            }

            async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
                self.inner().outbox_due(now, limit).await
            }

            async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
                self.inner().forget(table, now, limit).await
            }
        }
    )*};
}

broken_store!(NoGuard, JournalsLost, AnswersFirst);
