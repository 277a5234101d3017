//! PostgreSQL: one database for many nodes, and the same schema on an engine that distributes it.
//!
//! Changes go as whole batches in one trip ([`apply`]), reads are gathered into batches of their own ([`query`]). Nothing is kept
//! here that correctness needs: the guard is in the statements ([`sql`]), so any number of nodes may share a database. Two sets of
//! connections, one that commits and one that reads, each bounded ([`pool`]).

mod apply;
pub(crate) mod fault;
mod hosts;
mod in_line;
pub(crate) mod migrate;
pub(crate) mod place;
mod pool;
mod query;
mod sql;
mod steps;

use std::sync::Arc;

use async_trait::async_trait;
use ramz_domain::Moment;
use tokio::sync::{Mutex, mpsc, oneshot};

use self::apply::Care;
pub use self::migrate::Schema;
use self::place::Place;
pub use self::place::{PostgresConfig, PostgresError};
use self::pool::Pool;
use self::query::{Reading, Wanted};
use self::sql::Form;
use crate::{Change, JournalEntry, Key, Lanes, OutboxRow, Outcome, Row, Store, StoreFault, Table};

/// Reads that wait for a connection; beyond it their callers wait in turn.
const READS_WAITING_MAX: usize = 4096;

/// A [`Store`] in a PostgreSQL database, for any number of nodes.
pub struct PostgresStore {
    writers: Pool,
    care: Care,
    readers: Arc<Pool>,
    wanted: mpsc::Sender<Wanted>,
    how: Reading,
    lanes: usize,
}

impl PostgresStore {
    /// Connects, and looks whether the schema is this release's; brings it up if the configuration says so.
    ///
    /// # Errors
    /// [`PostgresError`]: unreachable, unsafe, a schema of another release.
    pub async fn open(config: &PostgresConfig) -> Result<PostgresStore, PostgresError> {
        let place = Arc::new(Place::new(config)?);
        migrate::bring_up(&place, config.migrate).await?;
        let doubt = Arc::default();
        let lanes = config.connections / 2;
        let how = Reading { form: place.form, confirmed: place.is_highly_available() };
        let writers = Pool::new(Arc::clone(&place), Arc::clone(&doubt), lanes);
        let reading = config.connections - lanes;
        let readers = Arc::new(Pool::new(place, doubt, reading));
        let (wanted, waiting) = mpsc::channel(READS_WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..reading {
            // Ends when the store is dropped, and with it whoever could ask.
            tokio::spawn(query::run(Arc::clone(&readers), how, Arc::clone(&waiting)));
        }
        Ok(PostgresStore { writers, care: Care::default(), readers, wanted, how, lanes })
    }

    /// Looks whether a configuration could be used, without connecting. What is in `ca` is not looked at.
    ///
    /// # Errors
    /// [`PostgresError::Config`].
    pub fn check(config: &PostgresConfig) -> Result<(), PostgresError> {
        place::read(config).map(drop)
    }

    /// What schema a database has, without changing anything.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn look(config: &PostgresConfig) -> Result<Schema, PostgresError> {
        migrate::schema(&Place::new(config)?).await
    }

    /// Every statement on rows, and whether a payment may wait for it: to hold them to the rules of a distributed engine.
    pub fn statements(sharded: bool) -> Vec<(&'static str, bool)> {
        sql::list(if sharded { Form::Sharded } else { Form::Whole })
    }

    /// What every connection is told first: to look at those statements' plans as they are made.
    pub fn session() -> &'static str {
        place::SESSION
    }

    /// Brings a database's schema up to this release, and says what it is.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn migrate(config: &PostgresConfig) -> Result<Schema, PostgresError> {
        migrate::bring_up(&Place::new(config)?, true).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        let closed = |_| StoreFault::Unavailable("the store is closed".into());
        let (reply, answer) = oneshot::channel();
        self.wanted.send(Wanted { table, key: key.to_vec(), reply }).await.map_err(|_| closed(()))?;
        answer.await.map_err(|_| closed(()))?
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        apply::batch(&self.writers, &self.care, self.how.form, &batch).await
    }

    async fn commit_kept(&self, batch: Arc<Vec<Change>>) -> Result<Vec<Outcome>, StoreFault> {
        apply::batch(&self.writers, &self.care, self.how.form, &batch).await
    }

    fn lanes(&self) -> Lanes {
        Lanes { count: self.lanes, by_shard: self.how.form == Form::Sharded }
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn clock(&self) -> Result<Option<Moment>, StoreFault> {
        query::clock(&self.readers).await.map(Some)
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        query::journal(&self.readers, self.how.form, owner, after, limit).await
    }

    async fn entries(&self) -> Result<u64, StoreFault> {
        query::entries(&self.readers).await
    }

    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
        query::keys(&self.readers, table, after, limit).await
    }

    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
        query::due(&self.readers, table, now, limit).await
    }

    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
        query::messages_due(&self.readers, now, limit).await
    }

    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
        query::forget(&self.writers, self.how.form, table, now, limit).await
    }
}
