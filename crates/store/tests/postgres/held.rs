//! One row that somebody else holds, or that is damaged, is its own card's trouble and nobody else's.

use std::sync::Arc;
use std::time::Duration;

use ramz_domain::limits;
use ramz_store::{
    Change, Committer, Head, Outcome, PostgresConfig, PostgresStore, Store as _, StoreFault, Swap, Table,
};
use tokio::time::Instant;

use crate::server::Server;
use crate::{SERVER, config, rules};

const CARDS: usize = 64;
/// The one in trouble.
const ONE: usize = 13;

fn key(at: usize) -> Vec<u8> {
    format!("card {at:05}").into_bytes()
}

fn swap(table: Table, key: Vec<u8>, expected: Option<u64>) -> Change {
    Change::Swap(Swap {
        table,
        key,
        expected,
        body: b"state".to_vec(),
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    })
}

fn cards(expected: Option<u64>) -> Vec<Change> {
    (0..CARDS).map(|at| swap(Table::Card, key(at), expected)).collect()
}

/// With one connection that commits, as a node has: everything waits for the same batch.
async fn opened(url: String) -> Arc<PostgresStore> {
    let config = PostgresConfig { connections: 2, ..config(url) };
    Arc::new(PostgresStore::open(&config).await.unwrap())
}

/// A store in a schema of this name, with its cards at version 1.
async fn filled(server: &Server, schema: &str) -> (Arc<PostgresStore>, Committer) {
    let store = opened(server.schema(schema)).await;
    let committer = Committer::start(store.clone());
    won(&committer.commit_all(cards(None)).await, 0..CARDS);
    (store, committer)
}

fn won(outcomes: &[Result<Outcome, StoreFault>], which: impl IntoIterator<Item = usize>) {
    for at in which {
        assert!(matches!(outcomes[at], Ok(Outcome::Won)), "{at}: {:?}", outcomes[at]);
    }
}

fn others() -> impl Iterator<Item = usize> {
    (0..CARDS).filter(|at| *at != ONE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_somebody_holds_stops_no_other() {
    let (store, committer) = filled(&SERVER, "held").await;
    let other = rules::client(&SERVER, "held").await;
    let hold = format!("BEGIN; SELECT FROM card WHERE key = 'card {ONE:05}' FOR UPDATE");
    other.batch_execute(&hold).await.unwrap();
    for (version, within) in [(1, 5), (2, 3)] {
        let began = Instant::now();
        let mut all = cards(Some(version));
        all[ONE] = swap(Table::Card, key(ONE), Some(1));
        let outcomes = committer.commit_all(all).await;
        assert!(began.elapsed() < Duration::from_secs(within), "{:?}", began.elapsed());
        won(&outcomes, others());
        assert!(matches!(outcomes[ONE], Err(StoreFault::Unavailable(_))), "{:?}", outcomes[ONE]);
    }
    other.batch_execute("COMMIT").await.unwrap();
    let outcome = committer.commit(swap(Table::Card, key(ONE), Some(1))).await;
    assert_eq!(outcome.unwrap(), Outcome::Won);
    assert_eq!(store.read(Table::Card, &key(ONE)).await.unwrap().unwrap().version, 2);
}

/// Each of them would be waited for alone, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_table_that_somebody_holds_is_not_waited_for_row_by_row() {
    // Of its own: others analyse every table that there is.
    let server = Server::start();
    let (_, committer) = filled(&server, "held_whole").await;
    let other = rules::client(&server, "held_whole").await;
    // Once, so that the statement is known: else it is that which waits.
    won(&committer.commit_all(cards(Some(1))).await, 0..CARDS);
    other.batch_execute("BEGIN; LOCK TABLE card").await.unwrap();
    let began = Instant::now();
    let outcomes = committer.commit_all(cards(Some(2))).await;
    assert!(began.elapsed() < 2 * limits::STORE_WAIT_MAX, "{:?}", began.elapsed());
    for outcome in &outcomes {
        assert!(matches!(outcome, Err(StoreFault::Unavailable(_))), "{outcome:?}");
    }
    other.batch_execute("COMMIT").await.unwrap();
    won(&committer.commit_all(cards(Some(2))).await, 0..CARDS);
}

const DAMAGED: &str = "CREATE FUNCTION damaged() RETURNS bytea LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a page is damaged' USING ERRCODE = 'XX001'; END $$;";

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_damaged_fails_alone_when_it_is_written() {
    let (store, committer) = filled(&SERVER, "damaged").await;
    let trigger = format!(
        "CREATE FUNCTION on_damaged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM damaged.damaged(); RETURN NULL; END $$;
         CREATE TRIGGER damaged BEFORE UPDATE ON card FOR EACH ROW
         WHEN (OLD.key = 'card {ONE:05}') EXECUTE FUNCTION on_damaged()"
    );
    let other = rules::client(&SERVER, "damaged").await;
    other.batch_execute(&format!("{DAMAGED} {trigger}")).await.unwrap();
    // The first statement fails, and a COMMIT comes behind it.
    let mut all = cards(Some(1));
    all.push(swap(Table::Admission, b"an admission".to_vec(), None));
    let outcomes = committer.commit_all(all).await;
    won(&outcomes, others().chain([CARDS]));
    assert!(matches!(outcomes[ONE], Err(StoreFault::Statement(_))), "{:?}", outcomes[ONE]);
    assert_eq!(store.read(Table::Card, &key(ONE)).await.unwrap().unwrap().version, 1);
    assert_eq!(store.read(Table::Card, &key(0)).await.unwrap().unwrap().version, 2);
    // Another node has not met it yet: its statement commits by itself, so what became of it nobody says. The next one has a COMMIT.
    let committer = Committer::start(opened(SERVER.url("&options=-csearch_path%3Ddamaged")).await);
    let mut all = cards(Some(2));
    all[ONE] = swap(Table::Card, key(ONE), Some(1));
    for outcome in committer.commit_all(all.clone()).await {
        assert!(matches!(outcome, Err(StoreFault::Unknown(_))), "{outcome:?}");
    }
    let outcomes = committer.commit_all(all).await;
    won(&outcomes, others());
    assert!(matches!(outcomes[ONE], Err(StoreFault::Statement(_))), "{:?}", outcomes[ONE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_damaged_fails_alone_when_it_is_read() {
    let (store, _) = filled(&SERVER, "unreadable").await;
    drop(store);
    let columns = "shard, key, version, head_seq, head_mac, due, forget_after, last_entry";
    let other = rules::client(&SERVER, "unreadable").await;
    let view = format!(
        "{DAMAGED} ALTER TABLE card RENAME TO damaged_card;
         CREATE VIEW card AS SELECT {columns},
         CASE WHEN key = 'card {ONE:05}' THEN unreadable.damaged() ELSE body END AS body FROM damaged_card"
    );
    other.batch_execute(&view).await.unwrap();
    let store = opened(SERVER.url("&options=-csearch_path%3Dunreadable")).await;
    for _ in 0..3 {
        let reads: Vec<_> = (0..CARDS)
            .map(|at| {
                let store = store.clone();
                tokio::spawn(async move { store.read(Table::Card, &key(at)).await })
            })
            .collect();
        for (at, read) in reads.into_iter().enumerate() {
            match read.await.unwrap() {
                Ok(row) => assert!(at != ONE && row.is_some(), "{at}"),
                Err(fault) => {
                    assert!(at == ONE && matches!(fault, StoreFault::Unavailable(_)), "{at}: {fault}");
                }
            }
        }
    }
}
