//! Stores that survive: a file, or with `RAMZ_TEST_STORE=postgres` a schema of its own on one PostgreSQL server of the test's own. So
//! every scenario that runs over a file is one of both.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_store::{
    Change, JournalEntry, Key, Lanes, OutboxRow, Outcome, PostgresConfig, PostgresStore, Row, SqliteStore,
    Store, StoreFault, Table,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::server::Server;

/// One server for all banks of the test's process.
static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start_with(&["max_connections=400"]));
/// Nodes come and go with their runtimes; the store's connections stay.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// A store as the environment says, and the folder of its file.
pub(crate) fn open() -> (Arc<dyn Store>, Option<TempDir>) {
    match std::env::var("RAMZ_TEST_STORE").as_deref() {
        Ok("postgres") => (Arc::new(Database::open()), None),
        Ok(other) if other != "sqlite" => panic!("RAMZ_TEST_STORE is sqlite or postgres, not {other}"),
        _ => {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(folder.path().join("bank.db")).unwrap();
            (Arc::new(store), Some(folder))
        }
    }
}

/// A PostgreSQL store in a runtime that outlives whoever asks it. It has no clock of its own: the test's is moved by hand.
struct Database(Arc<PostgresStore>);

impl Database {
    fn open() -> Database {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let url = SERVER.schema(&format!("bank{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let config = PostgresConfig::new(url, [7; 8]);
        let (tell, opened) = std::sync::mpsc::channel();
        RUNTIME.spawn(async move { tell.send(PostgresStore::open(&config).await.unwrap()).unwrap() });
        Database(Arc::new(opened.recv().unwrap()))
    }

    /// Also if whoever asked goes away meanwhile.
    async fn there<T, F>(&self, ask: impl FnOnce(Arc<PostgresStore>) -> F) -> Result<T, StoreFault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreFault>> + Send + 'static,
    {
        RUNTIME.spawn(ask(Arc::clone(&self.0))).await.unwrap()
    }
}

#[async_trait]
impl Store for Database {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        let key = key.to_vec();
        self.there(|store| async move { store.read(table, &key).await }).await
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        self.there(|store| async move { store.commit(batch).await }).await
    }

    fn lanes(&self) -> Lanes {
        self.0.lanes()
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        let owner = owner.to_vec();
        self.there(move |store| async move { store.journal(&owner, after, limit).await }).await
    }

    async fn entries(&self) -> Result<u64, StoreFault> {
        self.there(move |store| async move { store.entries().await }).await
    }

    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
        let after = after.to_vec();
        self.there(move |store| async move { store.keys_after(table, &after, limit).await }).await
    }

    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
        self.there(move |store| async move { store.due(table, now, limit).await }).await
    }

    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
        self.there(move |store| async move { store.outbox_due(now, limit).await }).await
    }

    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
        self.there(move |store| async move { store.forget(table, now, limit).await }).await
    }
}
