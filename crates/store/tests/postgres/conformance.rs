//! The one suite, on PostgreSQL: as one server has it, sharded, and with reads that a standby confirms.

use std::sync::Arc;

use ramz_store::conformance::{self, Wrong, reopened};
use ramz_store::{PostgresConfig, PostgresStore, Store};

use crate::server::Server;
use crate::{config, fresh};

#[track_caller]
fn none(failures: &[(&'static str, Wrong)]) {
    let text: Vec<_> = failures.iter().map(|(name, wrong)| format!("{name}: {wrong}")).collect();
    assert!(text.is_empty(), "{}", text.join("\n"));
}

async fn open(config: PostgresConfig) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(&config).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_a_store() {
    none(&conformance::run(async || open(fresh()).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_sharded_form_it_is_a_store() {
    none(&conformance::run(async || open(PostgresConfig { sharded: true, ..fresh() }).await).await);
}

#[tokio::test]
async fn it_has_everything_when_it_is_opened_again() {
    let config = fresh();
    reopened(async || open(config.clone()).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_synchronous_standby_it_is_a_store() {
    let primary = Server::start();
    let standby = primary.standby("one");
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'one'");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    let next = std::sync::atomic::AtomicUsize::new(0);
    let fresh = async || {
        let name = format!("s{}", next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        open(PostgresConfig { high_availability: true, ..config(primary.schema(&name)) }).await
    };
    none(&conformance::run(fresh).await);
    drop(standby);
}
