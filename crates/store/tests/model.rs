//! Random batches on memory and on SQLite side by side, and on memory and PostgreSQL: the same outcomes, faults and contents, step by
//! step.
//!
//! The suite says what a store must do; this says that tests on memory tell what the others would have done.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "postgres/server.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod server;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use ramz_domain::Moment;
use ramz_store::{
    Change, Head, JournalEntry, MemoryStore, OutboxNew, PostgresConfig, PostgresStore, Sealed, SqliteStore,
    Store, StoreFault, Swap, Table,
};
use server::Server;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>),
    Forget(Table, Moment, usize),
}

fn moment() -> impl Strategy<Value = Moment> {
    // Few instants, so that leases and dues meet; now and then one that no store can hold.
    prop_oneof![30 => 0..6_u64, 1 => Just(u64::MAX)].prop_map(Moment::from_unix_ms)
}

fn table() -> impl Strategy<Value = Table> {
    (0..Table::ALL.len()).prop_map(|at| Table::ALL[at])
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![30 => (0..4_u8).prop_map(|byte| vec![byte]), 1 => Just(vec![]), 1 => Just(vec![9; 65])]
}

fn id() -> impl Strategy<Value = [u8; 16]> {
    (0..3_u8).prop_map(|byte| [byte; 16])
}

fn sealed() -> impl Strategy<Value = Sealed> {
    let column = prop_oneof![Just("pan"), Just("phone")];
    (column, option::of(vec(any::<u8>(), 0..3))).prop_map(|(column, bytes)| Sealed { column, bytes })
}

fn outbox() -> impl Strategy<Value = OutboxNew> {
    (id(), moment(), moment()).prop_map(|(id, expires, leased_until)| OutboxNew {
        id,
        body: vec![1],
        expires,
        leased_until,
    })
}

fn swap() -> impl Strategy<Value = Change> {
    let version = prop_oneof![2 => Just(None), 5 => (1..5_u64).prop_map(Some)];
    let entries = (0..4_u64, 0..3_u64);
    let columns = (vec(sealed(), 0..2), vec(outbox(), 0..2));
    let times = (option::of(moment()), option::weighted(0.2, moment()));
    (table(), key(), version, any::<u8>(), entries, columns, times).prop_map(
        |(table, mut key, expected, body, (before, count), (sealed, outbox), (due, forget_after))| {
            // A journal is found by the row's key alone, so no two tables have one in common.
            let tables = Table::ALL.iter().take_while(|other| **other != table).count();
            key.iter_mut().for_each(|byte| *byte += 4 * u8::try_from(tables).unwrap());
            // A MAC that follows from the number, so that heads meet by chance.
            let mac = |seq: u64| if seq == 0 { [0; 32] } else { [u8::try_from(seq).unwrap(); 32] };
            let entry = |seq| JournalEntry {
                seq,
                at: Moment::from_unix_ms(seq),
                entry: vec![body],
                key_version: 1,
                mac: mac(seq),
            };
            Change::Swap(Swap {
                table,
                key,
                expected,
                body: vec![body],
                sealed,
                head: Head { seq: before + count, mac: mac(before + count) },
                journal: (before + 1..=before + count).map(entry).collect(),
                outbox,
                due,
                forget_after,
            })
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => swap(),
        1 => (key(), id(), moment(), moment())
            .prop_map(|(owner, id, expected, until)| Change::Lease { owner, id, expected, until }),
        1 => (key(), id()).prop_map(|(owner, id)| Change::Settle { owner, id }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => vec(change(), 0..4).prop_map(Step::Commit),
        1 => (table(), moment(), 0..3_usize).prop_map(|(table, now, limit)| Step::Forget(table, now, limit)),
    ]
}

/// An answer without a fault's text, which may differ.
fn bare<T>(answer: Result<T, StoreFault>) -> Result<T, &'static str> {
    answer.map_err(|fault| match fault {
        StoreFault::Statement(_) => "statement",
        StoreFault::Held(_) => "held",
        StoreFault::Unknown(_) => "unknown",
        StoreFault::Unavailable(_) => "unavailable",
    })
}

/// Everything that can be read, as text.
async fn contents(store: &dyn Store) -> String {
    let mut all = Vec::new();
    for table in Table::ALL {
        for key in store.keys_after(table, b"", 100).await.unwrap() {
            all.push(format!("{table} {key:?} {:?}", store.read(table, &key).await.unwrap()));
        }
        for now in [2, 4, u64::MAX] {
            all.push(format!("due {:?}", store.due(table, Moment::from_unix_ms(now), 3).await.unwrap()));
        }
    }
    for owner in 0..4 * u8::try_from(Table::ALL.len()).unwrap() {
        all.push(format!("journal {owner} {:?}", store.journal(&[owner], 0, 100).await.unwrap()));
    }
    for now in [2, u64::MAX] {
        all.push(format!("outbox {:?}", store.outbox_due(Moment::from_unix_ms(now), 5).await.unwrap()));
    }
    all.join("\n")
}

/// Holds a store to what memory says.
async fn run(store: &dyn Store, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let memory = MemoryStore::new();
    for step in steps {
        match step {
            Step::Commit(batch) => {
                let expected = bare(memory.commit(batch.clone()).await);
                prop_assert_eq!(bare(store.commit(batch.clone()).await), expected, "{:?}", batch);
            }
            Step::Forget(table, now, limit) => {
                let expected = bare(memory.forget(table, now, limit).await);
                prop_assert_eq!(bare(store.forget(table, now, limit).await), expected);
            }
        }
        prop_assert_eq!(contents(store).await, contents(&memory).await);
    }
    Ok(())
}

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// A store in a schema of its own.
async fn postgres(sharded: bool) -> PostgresStore {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let url = SERVER.schema(&format!("m{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let config = PostgresConfig { connections: 2, sharded, ..PostgresConfig::new(url, [7; 8]) };
    PostgresStore::open(&config).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_say_the_same(steps in vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(folder.path().join("s.db")).unwrap();
        runtime().block_on(run(&sqlite, steps))?;
    }
}

// Fewer, and in a schema each: every step asks the server for everything.
proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn memory_and_postgres_say_the_same(sharded in any::<bool>(), steps in vec(step(), 1..30)) {
        runtime().block_on(async { run(&postgres(sharded).await, steps).await })?;
    }
}
