//! What the server does not know that a client has gone, or a standby has: transactions in doubt, and reads that a standby confirms.

use std::time::Duration;

use ramz_domain::limits;
use ramz_store::{Change, Head, Outcome, PostgresConfig, PostgresStore, Store as _, StoreFault, Swap, Table};
use tokio::time::{Instant, sleep};

use crate::line::Line;
use crate::server::Server;
use crate::{config, rules};

const CARD: &[u8] = b"a card's own name";
const LOOK_EVERY: Duration = Duration::from_millis(10);

fn swap(expected: Option<u64>, body: &[u8]) -> Change {
    Change::Swap(Swap {
        table: Table::Card,
        key: CARD.to_vec(),
        expected,
        body: body.to_vec(),
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    })
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(LOOK_EVERY).await;
    }
}

async fn found(store: &PostgresStore) -> (u64, Vec<u8>) {
    let row = store.read(Table::Card, CARD).await.unwrap().unwrap();
    (row.version, row.body)
}

/// The commit waits for a lock when its connection is cut: its process at the server has all of it, has not noticed, and would commit
/// once the lock is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_doubt_is_over_before_its_caller_is_told() {
    let server = Server::start();
    let line = Line::to(server.port).await;
    let url = server.schema("doubt").replace(&server.port.to_string(), &line.port.to_string());
    let store = std::sync::Arc::new(PostgresStore::open(&config(url)).await.unwrap());
    assert_eq!(store.commit(vec![swap(None, b"before")]).await.unwrap(), [Outcome::Won]);
    let other = rules::client(&server, "doubt").await;
    other.batch_execute("BEGIN; SELECT FROM card FOR UPDATE").await.unwrap();
    let waiting =
        || server.sql("ramz", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    let committing = tokio::spawn({
        let store = std::sync::Arc::clone(&store);
        async move { store.commit(vec![swap(Some(1), b"in doubt")]).await }
    });
    until("the commit waits", || waiting() == "1").await;
    line.cut();
    let told = committing.await.unwrap();
    assert!(matches!(told, Err(StoreFault::Unknown(_))), "{told:?}");
    assert_eq!(waiting(), "0", "it still runs at the server");
    assert_eq!(found(&store).await, (1, b"before".to_vec()));
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(store.commit(vec![swap(Some(1), b"after")]).await.unwrap(), [Outcome::Won]);
    assert_eq!(found(&store).await, (2, b"after".to_vec()));
}

/// What another session has committed without waiting for the standby is visible at the primary, and a fail-over would take it back.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_standby_has_is_not_read() {
    let primary = Server::start();
    let mut standby = primary.standby("one");
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'one'");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    let of = |high_availability| PostgresConfig { high_availability, ..config(primary.url("")) };
    let store = PostgresStore::open(&of(true)).await.unwrap();
    assert_eq!(store.commit(vec![swap(None, b"before")]).await.unwrap(), [Outcome::Won]);
    standby.kill();
    let cut_short = "SET synchronous_commit = local; UPDATE card SET body = 'ahead', version = version + 1";
    primary.sql("ramz", cut_short);
    let began = Instant::now();
    let read = store.read(Table::Card, CARD).await;
    assert!(matches!(read, Err(StoreFault::Unavailable(_))), "{read:?}");
    assert!(began.elapsed() >= limits::STORE_WAIT_MAX, "it did not wait for the standby");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    assert_eq!(primary.sql("ramz", waiting), "0", "a session stays behind");
    // Who does not ask for it sees what is there.
    let without = PostgresStore::open(&of(false)).await.unwrap();
    assert_eq!(found(&without).await, (2, b"ahead".to_vec()));
    standby.again();
    let mut read = store.read(Table::Card, CARD).await;
    while read.is_err() && began.elapsed() < Duration::from_secs(60) {
        read = store.read(Table::Card, CARD).await;
    }
    assert_eq!(read.unwrap().unwrap().version, 2);
}

/// A tool that does not replicate strictly empties the names when standbys go: what is open must not go on as if there were one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_without_a_standby_is_not_taken_for_done() {
    let primary = Server::start();
    let _standby = primary.standby("one");
    let named = async |names: &str| {
        primary.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        primary.sql("postgres", "SELECT pg_reload_conf()");
        // Each session takes the file's settings when it next hears of it.
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    named("one").await;
    let of = PostgresConfig { high_availability: true, ..config(primary.url("")) };
    let store = PostgresStore::open(&of).await.unwrap();
    assert_eq!(store.commit(vec![swap(None, b"before")]).await.unwrap(), [Outcome::Won]);
    assert_eq!(found(&store).await, (1, b"before".to_vec()));
    named("").await;
    let read = store.read(Table::Card, CARD).await;
    assert!(matches!(read, Err(StoreFault::Unavailable(_))), "{read:?}");
    let told = store.commit(vec![swap(Some(1), b"alone")]).await;
    assert!(matches!(told, Err(StoreFault::Unknown(_))), "{told:?}");
    let told = store.commit(vec![swap(Some(2), b"refused")]).await;
    assert!(matches!(told, Err(StoreFault::Unavailable(_))), "{told:?}");
    named("one").await;
    // It was written, and now it is on the standby too.
    assert_eq!(found(&store).await, (2, b"alone".to_vec()));
    assert_eq!(store.commit(vec![swap(Some(2), b"after")]).await.unwrap(), [Outcome::Won]);
}

/// Rows of a standby that lags are old, and it takes no writes.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_the_one_that_takes_writes_is_used() {
    let primary = Server::start();
    let standby = primary.standby("one");
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", standby.port, primary.port);
    let own = format!("127.0.0.1:{}", primary.port);
    let url = primary.url("&target_session_attrs=any").replace(&own, &hosts);
    let store = PostgresStore::open(&config(url)).await.unwrap();
    assert_eq!(store.commit(vec![swap(None, b"before")]).await.unwrap(), [Outcome::Won]);
    standby.sql("postgres", "SELECT pg_wal_replay_pause()");
    assert_eq!(store.commit(vec![swap(Some(1), b"after")]).await.unwrap(), [Outcome::Won]);
    assert_eq!(found(&store).await, (2, b"after".to_vec()));
}

/// A frozen machine, or a proxy before one, takes connections and answers nothing. It must not keep anybody from the primary.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_takes_connections_and_is_silent_is_passed_over() {
    let server = Server::start();
    let (silent, line) = (Line::to(server.port).await, Line::to(server.port).await);
    silent.hang();
    let own = format!("127.0.0.1:{}", server.port);
    // What a whole connection may take; that there are two hosts makes it less.
    for (schema, timeout) in [("silent", ""), ("patient", "&connect_timeout=5")] {
        let hosts = format!("127.0.0.1:{},127.0.0.1:{}", silent.port, line.port);
        let config = config(format!("{}{timeout}", server.schema(schema).replace(&own, &hosts)));
        let opening = tokio::time::timeout(limits::STORE_WAIT_MAX, PostgresStore::open(&config));
        let store = opening.await.expect("it hangs").unwrap();
        assert_eq!(store.commit(vec![swap(None, b"before")]).await.unwrap(), [Outcome::Won]);
        assert_eq!(found(&store).await, (1, b"before".to_vec()));
        line.cut();
        // Whose connection was cut may have an outcome that nobody knows; the next one has not.
        drop(store.commit(vec![swap(Some(7), b"cut")]).await);
        let began = Instant::now();
        assert_eq!(store.commit(vec![swap(Some(1), b"after")]).await.unwrap(), [Outcome::Won]);
        assert_eq!(found(&store).await, (2, b"after".to_vec()));
        assert!(began.elapsed() < Duration::from_secs(2), "the silent one was asked first again");
    }
}

/// The one that was of use falls silent, and another is: every host is asked within the time that a caller waits.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_first_falls_silent_the_others_are_asked() {
    let server = Server::start();
    let (one, two) = (Line::to(server.port).await, Line::to(server.port).await);
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", one.port, two.port);
    let url = server.schema("turns").replace(&format!("127.0.0.1:{}", server.port), &hosts);
    let store = PostgresStore::open(&config(url)).await.unwrap();
    assert_eq!(store.commit(vec![swap(None, b"before")]).await.unwrap(), [Outcome::Won]);
    one.hang();
    let told = store.commit(vec![swap(Some(1), b"lost on its way")]).await;
    assert!(matches!(told, Err(StoreFault::Unknown(_))), "{told:?}");
    assert_eq!(found(&store).await, (1, b"before".to_vec()));
    assert_eq!(store.commit(vec![swap(Some(1), b"after")]).await.unwrap(), [Outcome::Won]);
}
