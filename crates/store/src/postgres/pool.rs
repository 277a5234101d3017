//! A bounded number of connections, each opened when it is needed and again when it was lost.
//!
//! A connection whose transaction has an unknown outcome is not merely dropped: its process at the server is ended and waited for, so
//! that what is read next is what there will be. A transaction left behind would otherwise commit after somebody had looked. As
//! long as one cannot be seen to have ended, nobody gets a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use ramz_domain::limits;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::fault::words;
use super::place::{Backend, Place};
use crate::StoreFault;

/// Longer than a server needs to end a process of its own, and shorter than a caller waits, in milliseconds.
const ENDED_WITHIN_MS: i64 = 3000;

/// Ends the processes of connections that were left in doubt; says of each whether it has ended.
const END: &str =
    "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2";

/// A statement's parameter.
pub(crate) type Parameter<'v> = &'v (dyn ToSql + Sync);

/// A statement and its parameters. The text lives as long as the program, and stands in one place.
pub(crate) struct Question<'v> {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Parameter<'v>>,
}

/// Connections of one kind.
pub(crate) struct Pool {
    place: Arc<Place>,
    doubt: Arc<Doubt>,
    connections: usize,
    free: Semaphore,
    idle: Mutex<Vec<Arc<Connection>>>,
}

/// Connections of both kinds whose last transaction, or read that a standby is to confirm, may still be under way at the server.
#[derive(Default)]
pub(crate) struct Doubt {
    left: AsyncMutex<Vec<Backend>>,
    any: std::sync::atomic::AtomicBool,
}

/// A connection with what it has prepared.
struct Connection {
    client: Client,
    backend: Backend,
    /// By where the text stands: each stands in one place.
    prepared: AsyncMutex<HashMap<usize, Statement>>,
}

/// A connection in use. It goes back when it is dropped, unless it was left.
pub(crate) struct Taken<'p> {
    pool: &'p Pool,
    connection: Arc<Connection>,
    keep: bool,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    /// Opens none yet.
    pub(crate) fn new(place: Arc<Place>, doubt: Arc<Doubt>, connections: usize) -> Pool {
        Pool { place, doubt, connections, free: Semaphore::new(connections), idle: Mutex::default() }
    }

    /// Waits for a connection's turn, and opens it if there is none. For [`limits::STORE_WAIT_MAX`] at most: who waited longer has gone.
    pub(crate) async fn take(&self) -> Result<Taken<'_>, StoreFault> {
        let taking = async {
            let closed = |_| StoreFault::Unavailable("the store is closed".into());
            let permit = self.free.acquire().await.map_err(closed)?;
            self.settle().await?;
            let connection = match self.idle_one() {
                Some(connection) => connection,
                None => Arc::new(self.open().await?),
            };
            Ok(Taken { pool: self, connection, keep: true, _permit: permit })
        };
        let late = || StoreFault::Unavailable("no connection to the database was to be had in time".into());
        tokio::time::timeout(limits::STORE_WAIT_MAX, taking).await.unwrap_or_else(|_| Err(late()))
    }

    fn idle_one(&self) -> Option<Arc<Connection>> {
        let mut idle = self.idle();
        idle.retain(|connection| !connection.client.is_closed());
        idle.pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<Connection, StoreFault> {
        let opened = self.place.open().await.map_err(|error| StoreFault::Unavailable(error.to_string()))?;
        Ok(Connection { client: opened.client, backend: opened.backend, prepared: AsyncMutex::default() })
    }

    /// Sees to it that no transaction in doubt is under way any more.
    async fn settle(&self) -> Result<(), StoreFault> {
        use std::sync::atomic::Ordering;
        if !self.doubt.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut left = self.doubt.left.lock().await;
        if left.is_empty() {
            return Ok(());
        }
        // The server that we come to now is the one that counts: if it is another than before, nothing of ours runs there.
        let connection = self.open().await?;
        while let Some(backend) = left.last() {
            let ended = connection.client.query(END, &[&backend.pid, &backend.name, &ENDED_WITHIN_MS]).await;
            let ended = ended.map_err(|error| StoreFault::Unavailable(words(&error)))?;
            if ended.iter().any(|row| !row.get::<_, bool>(0)) {
                return Err(StoreFault::Unavailable("a transaction of ours still runs at the server".into()));
            }
            left.pop();
        }
        self.doubt.any.store(false, Ordering::Release);
        self.keep(connection);
        Ok(())
    }

    /// For whoever comes next; closed if there are enough, since what another pool left in doubt may have been settled here.
    fn keep(&self, connection: Connection) {
        let in_use = self.connections.saturating_sub(self.free.available_permits());
        let mut idle = self.idle();
        if idle.len() + in_use <= self.connections {
            idle.push(Arc::new(connection));
        }
    }
}

impl Taken<'_> {
    /// Whether a commit counts only with a standby.
    pub(crate) fn needs_a_standby(&self) -> bool {
        self.pool.place.is_highly_available()
    }

    /// Asks everything in one trip: each is sent before the first is answered.
    ///
    /// # Errors
    /// If one could not be prepared; then none of them is sent.
    pub(crate) async fn ask(
        &self,
        questions: &[Question<'_>],
    ) -> Result<Vec<Result<Vec<Row>, Error>>, Error> {
        let mut prepared = Vec::with_capacity(questions.len());
        for question in questions {
            prepared.push(self.prepare(question.sql).await?);
        }
        // Each call sends when it is first polled, and they are polled in order.
        let sent = prepared.iter().zip(questions);
        let sent =
            sent.map(|(statement, question)| self.connection.client.query(statement, &question.values));
        Ok(join_all(sent).await)
    }

    /// A statement, prepared once a connection.
    async fn prepare(&self, sql: &'static str) -> Result<Statement, Error> {
        let mut prepared = self.connection.prepared.lock().await;
        let place = sql.as_ptr().addr();
        if let Some(statement) = prepared.get(&place) {
            return Ok(statement.clone());
        }
        let statement = self.connection.client.prepare(sql).await?;
        prepared.insert(place, statement.clone());
        Ok(statement)
    }

    /// Closes it rather than give it back.
    pub(crate) fn leave(mut self) {
        self.keep = false;
    }

    /// Closes it, and sees to it that nothing of it is still under way at the server before anybody looks. If that cannot be seen to
    /// now, whoever comes next tries again.
    pub(crate) async fn leave_in_doubt(mut self) {
        self.keep = false;
        {
            let mut left = self.pool.doubt.left.lock().await;
            left.push(self.connection.backend.clone());
            self.pool.doubt.any.store(true, std::sync::atomic::Ordering::Release);
        }
        let pool = self.pool;
        drop(self);
        // A server that takes connections and answers nothing must not keep the others from looking for one that does.
        let late = |_| Err(StoreFault::Unavailable("the database did not answer in time".into()));
        let settled = tokio::time::timeout(limits::STORE_WAIT_MAX, pool.settle()).await.unwrap_or_else(late);
        if let Err(fault) = settled {
            tracing::warn!(%fault, "a transaction is in doubt; nothing is read or written until it has ended");
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.keep && !self.connection.client.is_closed() {
            self.pool.idle().push(Arc::clone(&self.connection));
        }
    }
}
