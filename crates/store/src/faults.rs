//! A store that fails when it is told to: for tests of everybody who must do the right thing then.
//!
//! Faults are what [`StoreFault`] promises and no more: a poisoned change writes nothing of its batch, an unknown commit has
//! happened or has not. The fault that kills the process is not here; that is tried with real processes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ramz_domain::Moment;
use tokio::sync::Notify;

use crate::{Change, JournalEntry, Key, Lanes, OutboxRow, Outcome, Row, Store, StoreFault, Table};

/// How a commit fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failing {
    /// A statement fails: nothing of the batch is written.
    Statement,
    /// A row is held by somebody else: nothing of the batch is written.
    Held,
    /// The outcome is unknown, and the batch *is* written.
    UnknownWritten,
    /// The outcome is unknown, and nothing is written.
    UnknownNotWritten,
    /// The store is closed or full: nothing is written.
    Unavailable,
}

/// Any store, with faults on demand.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    /// For each coming commit, whether and how it fails; when it is used up, commits succeed.
    next: VecDeque<Option<Failing>>,
    poisoned: Vec<(Table, Key)>,
    reads_fail: bool,
    late: Option<Arc<Notify>>,
    time_takes: Duration,
    batches: Vec<usize>,
}

impl FaultyStore {
    /// Passes everything on, until told otherwise.
    pub fn new(inner: Arc<dyn Store>) -> FaultyStore {
        FaultyStore { inner, plan: Mutex::default() }
    }

    /// Plans the coming commits, one each, after those planned already. `None` succeeds.
    pub fn next_commits(&self, plan: impl IntoIterator<Item = Option<Failing>>) {
        self.plan().next.extend(plan);
    }

    /// From now on every batch with a change of this aggregate fails with [`StoreFault::Statement`]. A card's messages
    /// are of its aggregate.
    pub fn poison(&self, table: Table, key: &[u8]) {
        self.plan().poisoned.push((table, key.to_vec()));
    }

    /// The next commit is written at once, and answered when `go` says so: a process that stands still meanwhile.
    pub fn answer_late(&self, go: Arc<Notify>) {
        self.plan().late = Some(go);
    }

    /// From now on reads fail, or no longer, with [`StoreFault::Unavailable`].
    pub fn fail_reads(&self, failing: bool) {
        self.plan().reads_fail = failing;
    }

    /// From now on [`Store::clock`] answers only so long after it was asked.
    pub fn tell_the_time_after(&self, time: Duration) {
        self.plan().time_takes = time;
    }

    /// No more faults: forgets the plan, the poison and the failing reads.
    pub fn heal(&self) {
        let mut plan = self.plan();
        *plan = Plan { batches: std::mem::take(&mut plan.batches), ..Plan::default() };
    }

    /// How many changes each commit so far had, failed ones too.
    pub fn batches(&self) -> Vec<usize> {
        self.plan().batches.clone()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, batch: &[Change]) -> Option<Failing> {
        let mut plan = self.plan();
        plan.batches.push(batch.len());
        if let Some(Some(failing)) = plan.next.pop_front() {
            return Some(failing);
        }
        let poisoned = |change: &Change| {
            let (table, key) = change.aggregate();
            plan.poisoned.iter().any(|(in_table, of_key)| *in_table == table && of_key == key)
        };
        batch.iter().any(poisoned).then_some(Failing::Statement)
    }

    fn may_read(&self) -> Result<(), StoreFault> {
        if self.plan().reads_fail {
            return Err(StoreFault::Unavailable("reads fail on demand".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        self.may_read()?;
        self.inner.read(table, key).await
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        match self.next(&batch) {
            None => {
                let late = self.plan().late.take();
                let done = self.inner.commit(batch).await;
                if let Some(go) = late {
                    go.notified().await;
                }
                done
            }
            Some(Failing::Statement) => Err(StoreFault::Statement("fails on demand".into())),
            Some(Failing::Held) => Err(StoreFault::Held("fails on demand".into())),
            Some(Failing::UnknownWritten) => {
                self.inner.commit(batch).await?;
                Err(StoreFault::Unknown("fails on demand".into()))
            }
            Some(Failing::UnknownNotWritten) => Err(StoreFault::Unknown("fails on demand".into())),
            Some(Failing::Unavailable) => Err(StoreFault::Unavailable("fails on demand".into())),
        }
    }

    fn lanes(&self) -> Lanes {
        self.inner.lanes()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn clock(&self) -> Result<Option<Moment>, StoreFault> {
        self.may_read()?;
        let takes = self.plan().time_takes;
        tokio::time::sleep(takes).await;
        self.inner.clock().await
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        self.may_read()?;
        self.inner.journal(owner, after, limit).await
    }

    async fn entries(&self) -> Result<u64, StoreFault> {
        self.may_read()?;
        self.inner.entries().await
    }

    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
        self.may_read()?;
        self.inner.keys_after(table, after, limit).await
    }

    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
        self.may_read()?;
        self.inner.due(table, now, limit).await
    }

    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
        self.may_read()?;
        self.inner.outbox_due(now, limit).await
    }

    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
        self.inner.forget(table, now, limit).await
    }
}
