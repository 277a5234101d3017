//! Stores that mislead their node about the database behind them, each in one way: for `teeth`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_store::{
    Change, Head, JournalEntry, Key, Lanes, OutboxRow, Outcome, Row, Store, StoreFault, Swap, Table,
};
use tokio::sync::Mutex;

/// How a node's store misleads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Breaks {
    Nothing,
    /// It keeps the card rows that it has read and written, and writes from them whatever the database has meanwhile.
    TrustsStale,
    /// Of a commit whose outcome is unknown it says that it won.
    GuessesWon,
    /// Of a swap that lost, the entries are written all the same.
    KeepsLosersEntries,
}

/// A store between a node and its database.
pub(crate) struct Misled {
    inner: Arc<dyn Store>,
    breaks: Breaks,
    kept: Mutex<HashMap<Key, Row>>,
}

impl Misled {
    pub(crate) fn new(inner: Arc<dyn Store>, breaks: Breaks) -> Misled {
        Misled { inner, breaks, kept: Mutex::default() }
    }

    /// Writes a card's swap over whatever is there, and remembers it as its node believes it to be.
    async fn overwrite(&self, swap: Swap, version: u64) -> Result<Outcome, StoreFault> {
        let believed = Row {
            version: version + 1,
            body: swap.body.clone(),
            sealed: self.kept.lock().await.get(&swap.key).map(|row| row.sealed.clone()).unwrap_or_default(),
            head: swap.head,
        };
        loop {
            let Some(row) = self.inner.read(swap.table, &swap.key).await? else { return Ok(Outcome::Lost) };
            let mut fitted = swap.clone();
            fit(&mut fitted, &row);
            if self.inner.commit(vec![Change::Swap(fitted)]).await? == [Outcome::Won] {
                self.kept.lock().await.insert(swap.key, believed);
                return Ok(Outcome::Won);
            }
        }
    }

    /// Writes what a swap that lost would have put into the journal.
    async fn keep_entries(&self, mut swap: Swap) -> Result<(), StoreFault> {
        let Some(row) = self.inner.read(swap.table, &swap.key).await? else { return Ok(()) };
        fit(&mut swap, &row);
        let entries_only = Swap { body: row.body, sealed: Vec::new(), outbox: Vec::new(), due: None, ..swap };
        self.inner.commit(vec![Change::Swap(entries_only)]).await.map(drop)
    }

    async fn commit_trusting(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for change in batch {
            outcomes.push(match change {
                Change::Swap(swap @ Swap { table: Table::Card, expected: Some(version), .. }) => {
                    self.overwrite(swap, version).await?
                }
                change => self.inner.commit(vec![change]).await?[0],
            });
        }
        Ok(outcomes)
    }
}

#[async_trait]
impl Store for Misled {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        if self.breaks != Breaks::TrustsStale || table != Table::Card {
            return self.inner.read(table, key).await;
        }
        if let Some(kept) = self.kept.lock().await.get(key) {
            return Ok(Some(kept.clone()));
        }
        let row = self.inner.read(table, key).await?;
        if let Some(row) = &row {
            self.kept.lock().await.insert(key.to_vec(), row.clone());
        }
        Ok(row)
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        match self.breaks {
            Breaks::Nothing => self.inner.commit(batch).await,
            Breaks::TrustsStale => self.commit_trusting(batch).await,
            Breaks::GuessesWon => {
                let count = batch.len();
                match self.inner.commit(batch).await {
                    Err(StoreFault::Unknown(_)) => Ok(vec![Outcome::Won; count]),
                    known => known,
                }
            }
            Breaks::KeepsLosersEntries => {
                let outcomes = self.inner.commit(batch.clone()).await?;
                for (change, outcome) in batch.into_iter().zip(&outcomes) {
                    if let (Change::Swap(swap), Outcome::Lost) = (change, outcome)
                        && !swap.journal.is_empty()
                    {
                        self.keep_entries(swap).await?;
                    }
                }
                Ok(outcomes)
            }
        }
    }

    fn lanes(&self) -> Lanes {
        self.inner.lanes()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn clock(&self) -> Result<Option<Moment>, StoreFault> {
        self.inner.clock().await
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
