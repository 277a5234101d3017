//! The embedded store: one SQLite file, one writer, a few readers.
//!
//! The writer is a thread that owns the only write connection and commits one batch after another. Readers are threads
//! with a connection each; in write-ahead-log mode a read sees every transaction that was committed before it began,
//! and waits for none. When a COMMIT fails, *all* connections are closed and opened again before anything is answered
//! or read: only a fresh recovery of the log says what is on the disk.

mod apply;
mod fault;
mod inspect;
mod migrate;
pub(crate) mod place;
mod query;
mod statements;
mod threads;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use ramz_domain::Moment;

pub use self::inspect::{Inspected, inspect};
pub use self::place::OpenError;
use self::threads::{Job, Threads};
use crate::{Change, JournalEntry, Key, OutboxRow, Outcome, Row, Store, StoreFault, Table};

/// A [`Store`] in one SQLite file, for one machine.
///
/// Beside `<file>` lie `<file>-wal` and `<file>-shm` (SQLite's: they belong to the file, also in a copy of a live store)
/// and `<file>.lock`. Dropping the store waits for the batch in work, and closes the file.
pub struct SqliteStore {
    threads: Threads,
}

impl SqliteStore {
    /// Opens the store at this path, creates the file if there is none, and brings it to this release's schema.
    /// Blocks for as long as that takes; the folder must exist.
    ///
    /// # Errors
    /// [`OpenError`]: in use by another process, unreadable, damaged, of a newer release.
    pub fn open(path: impl AsRef<Path>) -> Result<SqliteStore, OpenError> {
        Ok(SqliteStore { threads: Threads::start(place::Place::take(path.as_ref())?)? })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        let key = key.to_vec();
        self.threads.read("reading a row", move |file| query::row(file, table, &key)).await
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        self.commit_kept(Arc::new(batch)).await
    }

    async fn commit_kept(&self, batch: Arc<Vec<Change>>) -> Result<Vec<Outcome>, StoreFault> {
        self.threads.write(|reply| Job::Commit { batch, reply }).await
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        let owner = owner.to_vec();
        self.threads.read("reading a journal", move |file| query::journal(file, &owner, after, limit)).await
    }

    async fn entries(&self) -> Result<u64, StoreFault> {
        self.threads.read("counting a journal", query::entries).await
    }

    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
        let after = after.to_vec();
        self.threads.read("listing keys", move |file| query::keys(file, table, &after, limit)).await
    }

    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
        self.threads.read("finding due rows", move |file| query::due(file, table, now, limit)).await
    }

    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
        self.threads.read("finding messages", move |file| query::messages_due(file, now, limit)).await
    }

    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
        self.threads.write(|reply| Job::Forget { table, now, limit, reply }).await
    }
}
