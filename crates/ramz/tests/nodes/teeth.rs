//! Teeth: nodes over stores that break a promise, and the checker that must see it. A node here is a loop that reads a card's row,
//! decides, and swaps: what it is told is all that matters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_store::conformance::broken::{JournalsLost, NoGuard};
use ramz_store::{
    Change, Head, JournalEntry, Key, MemoryStore, OutboxRow, Outcome, Row, Store, StoreFault, Swap, Table,
};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::history::Ticks;
use crate::row::{Recorded, Rows};

const NODES: usize = 3;
const TURNS: usize = 12;
const CARD: &[u8] = b"a card's own name";

/// How a node's store misleads it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Nothing,
    /// It keeps the first row that it read.
    ReadsStale,
    /// Of a commit that was cut off it says that it won.
    GuessesWon,
    /// Of a commit that was cut off it says that it lost.
    GuessesLost,
}

struct Misled {
    inner: Arc<dyn Store>,
    breaks: Breaks,
    kept: Mutex<Option<Row>>,
    commits: AtomicUsize,
}

#[async_trait]
impl Store for Misled {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        let mut kept = self.kept.lock().await;
        if self.breaks == Breaks::ReadsStale && kept.is_some() {
            return Ok(kept.clone());
        }
        kept.clone_from(&self.inner.read(table, key).await?);
        Ok(kept.clone())
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        // Every other commit is cut off, half of those before they were read.
        let at = self.commits.fetch_add(1, Ordering::SeqCst);
        let count = batch.len();
        let cut = at % 2 == 1;
        if !cut || at % 4 == 1 {
            let outcomes = self.inner.commit(batch).await?;
            if !cut {
                return Ok(outcomes);
            }
        }
        match self.breaks {
            Breaks::Nothing | Breaks::ReadsStale => Err(StoreFault::Unknown("cut off".into())),
            Breaks::GuessesWon => Ok(vec![Outcome::Won; count]),
            Breaks::GuessesLost => Ok(vec![Outcome::Lost; count]),
        }
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

/// A MAC that any change of what came before changes.
fn mac(previous: &[u8; 32], entry: &JournalEntry) -> Result<[u8; 32], String> {
    let mut mac = *previous;
    mac[usize::try_from(entry.seq).unwrap() % 32] ^= entry.entry[0];
    mac[31] = mac[31].wrapping_add(entry.entry[1]);
    Ok(mac)
}

fn swap(expected: Option<u64>, head: Head, body: [u8; 2]) -> Change {
    let mut entry = JournalEntry {
        seq: head.seq + 1,
        at: Moment::default(),
        entry: body.to_vec(),
        key_version: 1,
        mac: [0; 32],
    };
    entry.mac = mac(&head.mac, &entry).unwrap();
    Change::Swap(Swap {
        table: Table::Card,
        key: CARD.to_vec(),
        expected,
        body: body.to_vec(),
        sealed: Vec::new(),
        head: Head { seq: entry.seq, mac: entry.mac },
        journal: vec![entry],
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    })
}

/// What the checkers say of nodes over these stores: of the row, and of its journal.
async fn told(shared: Arc<dyn Store>, breaks: Breaks) -> (Vec<String>, bool) {
    shared.commit(vec![swap(None, Head::EMPTY, [0, 0])]).await.unwrap();
    let (rows, ticks) = (Arc::new(Rows::default()), Ticks::default());
    let mut nodes = JoinSet::new();
    for node in 1..=NODES {
        let inner: Arc<dyn Store> = Arc::new(Misled {
            inner: shared.clone(),
            breaks,
            kept: Mutex::default(),
            commits: AtomicUsize::new(node),
        });
        let store = Recorded { inner, rows: rows.clone(), ticks: ticks.clone() };
        nodes.spawn(async move {
            for turn in 1..=TURNS {
                let row = store.read(Table::Card, CARD).await.unwrap().unwrap();
                tokio::task::yield_now().await;
                let body = [u8::try_from(node).unwrap(), u8::try_from(turn).unwrap()];
                drop(store.commit(vec![swap(Some(row.version), row.head, body)]).await);
                tokio::task::yield_now().await;
            }
        });
    }
    while let Some(node) = nodes.join_next().await {
        node.unwrap();
    }
    let whole = ramz_store::journal::verify_row(shared.as_ref(), Table::Card, CARD, mac).await.is_ok();
    (rows.wrong(), whole)
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

#[tokio::test]
async fn nodes_that_are_told_the_truth_are_not_accused() {
    assert_eq!(told(memory(), Breaks::Nothing).await, (Vec::new(), true));
}

#[tokio::test]
async fn a_node_that_trusts_a_stale_row_is_caught() {
    assert!(!told(memory(), Breaks::ReadsStale).await.0.is_empty());
    let unguarded = Arc::new(NoGuard::new(memory()));
    assert!(!told(unguarded, Breaks::Nothing).await.0.is_empty());
}

#[tokio::test]
async fn a_guess_at_the_outcome_of_a_commit_is_caught() {
    assert!(!told(memory(), Breaks::GuessesWon).await.0.is_empty());
    assert!(!told(memory(), Breaks::GuessesLost).await.0.is_empty());
}

#[tokio::test]
async fn journal_rows_of_a_lost_swap_are_caught() {
    let (_, whole) = told(Arc::new(JournalsLost::new(memory())), Breaks::Nothing).await;
    assert!(!whole);
}
