//! The group commit on top of a store: who shares a batch, who fails with whom, and that nothing is lost or doubled.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_domain::limits::{COMMIT_BATCH_MAX, COMMIT_QUEUE_MAX};
use ramz_store::faults::{Failing, FaultyStore};
use ramz_store::{
    Change, Committer, Head, JournalEntry, Key, MemoryStore, OutboxNew, OutboxRow, Outcome, Row, SqliteStore,
    Store, StoreFault, Swap, Table,
};
use tokio::sync::Semaphore;

fn swap(key: impl AsRef<[u8]>, expected: Option<u64>) -> Change {
    Change::Swap(Swap {
        table: Table::Card,
        key: key.as_ref().to_vec(),
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

fn inserts(count: usize) -> Vec<Change> {
    (0..count).map(|at| swap(format!("{at:05}"), None)).collect()
}

async fn version(store: &dyn Store, key: &str) -> Option<u64> {
    store.read(Table::Card, key.as_bytes()).await.unwrap().map(|row| row.version)
}

/// A store whose commits wait until they are let through: what gathers meanwhile is one batch.
struct Gated {
    inner: Arc<dyn Store>,
    gate: Semaphore,
    arrived: AtomicUsize,
}

impl Gated {
    fn new(inner: Arc<dyn Store>) -> Arc<Gated> {
        Arc::new(Gated { inner, gate: Semaphore::new(0), arrived: AtomicUsize::new(0) })
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Waits until a commit stands before the gate.
    async fn arrived(&self, count: usize) {
        while self.arrived.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Store for Gated {
    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.inner.commit(batch).await
    }
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
        self.inner.read(table, key).await
    }
    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
        self.inner.journal(owner, after, limit).await
    }
    async fn entries(&self) -> Result<u64, StoreFault> {
        self.inner.entries().await
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

/// A committer whose first change stands in the store, so that what follows gathers.
async fn held(inner: Arc<dyn Store>) -> (Arc<Committer>, Arc<Gated>) {
    let gated = Gated::new(inner);
    let committer = Arc::new(Committer::start(gated.clone()));
    let first = committer.clone();
    tokio::spawn(async move { first.commit(swap("first", None)).await });
    gated.arrived(1).await;
    (committer, gated)
}

/// Fails the test rather than wait for ever.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it waits instead of answering")
}

/// Polls a future once, so that it has handed in what it has.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.poll(&mut context).is_pending());
}

#[tokio::test]
async fn what_waits_is_one_batch() {
    let faulty = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let (committer, gated) = held(faulty.clone()).await;
    let mut rest = pin!(committer.commit_all(inserts(COMMIT_BATCH_MAX + 10)));
    poll_once(rest.as_mut());
    gated.open();
    let outcomes = rest.await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Won))));
    assert_eq!(faulty.batches(), [1, COMMIT_BATCH_MAX, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_callers_with_one_version_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path().join("s.db")).unwrap());
    let committer = Arc::new(Committer::start(store.clone()));
    assert_eq!(committer.commit(swap("card", None)).await.unwrap(), Outcome::Won);
    for round in 1..=10 {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let committer = committer.clone();
                tokio::spawn(async move { committer.commit(swap("card", Some(round))).await.unwrap() })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += usize::from(task.await.unwrap() == Outcome::Won);
        }
        assert_eq!(won, 1);
        assert_eq!(version(&*store, "card").await, Some(round + 1));
    }
}

#[tokio::test]
async fn changes_of_one_row_keep_their_order() {
    let store = Arc::new(MemoryStore::new());
    let committer = Committer::start(store.clone());
    let changes = (0..50).map(|version: u64| swap("card", (version > 0).then_some(version))).collect();
    let outcomes = committer.commit_all(changes).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Won))), "{outcomes:?}");
    assert_eq!(version(&*store, "card").await, Some(50));
}

#[tokio::test]
async fn a_poisoned_change_faults_alone() {
    let store = Arc::new(MemoryStore::new());
    let faulty = Arc::new(FaultyStore::new(store.clone()));
    faulty.poison(Table::Card, b"00077");
    faulty.poison(Table::Card, b"00078");
    let (committer, gated) = held(faulty.clone()).await;
    let mut rest = pin!(committer.commit_all(inserts(200)));
    poll_once(rest.as_mut());
    gated.open();
    for (at, outcome) in rest.await.into_iter().enumerate() {
        if at == 77 || at == 78 {
            assert!(matches!(outcome, Err(StoreFault::Statement(_))), "{at}: {outcome:?}");
        } else {
            assert!(matches!(outcome, Ok(Outcome::Won)), "{at}: {outcome:?}");
        }
        let expected = if at == 77 || at == 78 { None } else { Some(1) };
        assert_eq!(version(&*store, &format!("{at:05}")).await, expected);
    }
}

#[tokio::test]
async fn a_change_that_sqlite_refuses_faults_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path().join("s.db")).unwrap());
    let message = OutboxNew {
        id: [1; 16],
        body: vec![],
        expires: Moment::from_unix_ms(1),
        leased_until: Moment::from_unix_ms(1),
    };
    let with_message = |expected| match swap("00002", expected) {
        Change::Swap(swap) => Change::Swap(Swap { outbox: vec![message.clone()], ..swap }),
        other => other,
    };
    store.commit(vec![with_message(None)]).await.unwrap();
    let mut changes = inserts(9);
    changes[2] = with_message(Some(1));
    changes[5] = swap([1; 65], None);
    let (committer, gated) = held(store.clone()).await;
    let mut rest = pin!(committer.commit_all(changes));
    poll_once(rest.as_mut());
    gated.open();
    for (at, outcome) in rest.await.into_iter().enumerate() {
        match (at, outcome) {
            (2, Err(StoreFault::Statement(text))) => assert!(text.contains("outbox"), "{text}"),
            (5, Err(StoreFault::Statement(text))) => assert!(text.contains("65"), "{text}"),
            (_, Ok(Outcome::Won)) => assert_eq!(version(&*store, &format!("{at:05}")).await, Some(1)),
            (_, other) => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(version(&*store, "00002").await, Some(1));
}

#[tokio::test]
async fn an_unknown_commit_is_unknown_to_its_batch_and_to_nobody_else() {
    for (failing, written) in [(Failing::UnknownWritten, Some(1)), (Failing::UnknownNotWritten, None)] {
        let store = Arc::new(MemoryStore::new());
        let faulty = Arc::new(FaultyStore::new(store.clone()));
        faulty.next_commits([None, Some(failing)]);
        let (committer, gated) = held(faulty.clone()).await;
        let mut rest = pin!(committer.commit_all(inserts(COMMIT_BATCH_MAX + 20)));
        poll_once(rest.as_mut());
        gated.open();
        let outcomes = rest.await;
        let (unknown, known) = outcomes.split_at(COMMIT_BATCH_MAX);
        assert!(unknown.iter().all(|outcome| matches!(outcome, Err(StoreFault::Unknown(_)))));
        assert!(known.iter().all(|outcome| matches!(outcome, Ok(Outcome::Won))));
        assert_eq!(version(&*store, "00000").await, written);
        assert_eq!(faulty.batches(), [1, COMMIT_BATCH_MAX, 20], "an unknown commit is not tried again");
    }
}

#[tokio::test]
async fn a_part_that_is_unknown_while_bisecting_is_unknown_alone() {
    let faulty = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    faulty.next_commits([None, Some(Failing::Statement), Some(Failing::UnknownWritten)]);
    let (committer, gated) = held(faulty.clone()).await;
    let mut rest = pin!(committer.commit_all(inserts(10)));
    poll_once(rest.as_mut());
    gated.open();
    let outcomes = rest.await;
    assert!(outcomes[..5].iter().all(|outcome| matches!(outcome, Err(StoreFault::Unknown(_)))));
    assert!(outcomes[5..].iter().all(|outcome| matches!(outcome, Ok(Outcome::Won))));
    assert_eq!(faulty.batches(), [1, 10, 5, 5]);
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_told_to_its_change_alone() {
    let faulty = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let held_row = [Some(Failing::Held), None, Some(Failing::Held), Some(Failing::Held), None];
    faulty.next_commits(std::iter::once(None).chain(held_row));
    let (committer, gated) = held(faulty.clone()).await;
    let mut rest = pin!(committer.commit_all(inserts(4)));
    poll_once(rest.as_mut());
    gated.open();
    let outcomes = rest.await;
    assert_eq!(faulty.batches(), [1, 4, 2, 2, 1, 1]);
    for at in [0, 1, 3] {
        assert!(matches!(outcomes[at], Ok(Outcome::Won)), "{at}: {outcomes:?}");
    }
    // Nothing is wrong with it: it may be tried again later.
    assert!(matches!(outcomes[2], Err(StoreFault::Unavailable(_))), "{outcomes:?}");
}

#[tokio::test]
async fn a_full_store_is_told_to_the_batch_and_is_not_bisected() {
    let faulty = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    faulty.next_commits([None, Some(Failing::Unavailable)]);
    let (committer, gated) = held(faulty.clone()).await;
    let mut rest = pin!(committer.commit_all(inserts(10)));
    poll_once(rest.as_mut());
    gated.open();
    assert!(rest.await.iter().all(|outcome| matches!(outcome, Err(StoreFault::Unavailable(_)))));
    assert_eq!(faulty.batches(), [1, 10]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let store = Arc::new(MemoryStore::new());
    let (committer, gated) = held(store.clone()).await;
    let mut waiting = pin!(committer.commit_all(inserts(COMMIT_QUEUE_MAX - 1)));
    poll_once(waiting.as_mut());
    let two = soon(committer.commit_all(vec![swap("x", None), swap("y", None)])).await;
    assert!(matches!(&two[..], [Err(StoreFault::Unavailable(_)), Err(StoreFault::Unavailable(_))]));
    let mut last = pin!(committer.commit(swap("last", None)));
    poll_once(last.as_mut());
    let refused = soon(committer.commit(swap("z", None))).await.unwrap_err();
    assert!(refused.to_string().contains("4096 changes wait"), "{refused}");
    gated.open();
    assert!(waiting.await.iter().all(|outcome| matches!(outcome, Ok(Outcome::Won))));
    assert_eq!(last.await.unwrap(), Outcome::Won);
    for refused in ["x", "y", "z"] {
        assert_eq!(version(&*store, refused).await, None);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_loses_and_doubles_nothing() {
    let store = Arc::new(MemoryStore::new());
    let (committer, gated) = held(store.clone()).await;
    for change in inserts(100) {
        let mut gone = Box::pin(committer.commit(change));
        poll_once(gone.as_mut());
    }
    // A future that was never polled has handed in nothing.
    drop(committer.commit(swap("never", None)));
    gated.open();
    committer.shutdown().await;
    for at in 0..100 {
        assert_eq!(version(&*store, &format!("{at:05}")).await, Some(1));
    }
    assert_eq!(version(&*store, "never").await, None);
}

#[tokio::test]
async fn shutting_down_drains() {
    let store = Arc::new(MemoryStore::new());
    let (committer, gated) = held(store.clone()).await;
    let mut waiting = pin!(committer.commit_all(inserts(1000)));
    poll_once(waiting.as_mut());
    let mut down = pin!(committer.shutdown());
    poll_once(down.as_mut());
    let late = soon(committer.commit(swap("late", None))).await;
    assert!(matches!(late, Err(StoreFault::Unavailable(_))));
    gated.open();
    down.await;
    for at in 0..1000 {
        assert_eq!(version(&*store, &format!("{at:05}")).await, Some(1));
    }
    assert!(waiting.await.iter().all(|outcome| matches!(outcome, Ok(Outcome::Won))));
}

#[tokio::test]
async fn a_dropped_committer_drains() {
    let store = Arc::new(MemoryStore::new());
    let gated = Gated::new(store.clone());
    let committer = Committer::start(gated.clone());
    for change in inserts(300) {
        poll_once(Box::pin(committer.commit(change)).as_mut());
    }
    drop(committer);
    gated.open();
    let all = async {
        while store.keys_after(Table::Card, b"", 1000).await.unwrap().len() < 300 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.unwrap();
}

#[tokio::test]
async fn a_store_that_panics_leaves_nobody_waiting() {
    struct Panics;
    #[async_trait]
    impl Store for Panics {
        async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
            panic!("with {} changes", batch.len());
        }
        async fn read(&self, _: Table, _: &[u8]) -> Result<Option<Row>, StoreFault> {
            Ok(None)
        }
        async fn journal(&self, _: &[u8], _: u64, _: usize) -> Result<Vec<JournalEntry>, StoreFault> {
            Ok(Vec::new())
        }
        async fn entries(&self) -> Result<u64, StoreFault> {
            Ok(0)
        }
        async fn keys_after(&self, _: Table, _: &[u8], _: usize) -> Result<Vec<Key>, StoreFault> {
            Ok(Vec::new())
        }
        async fn due(&self, _: Table, _: Moment, _: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
            Ok(Vec::new())
        }
        async fn outbox_due(&self, _: Moment, _: usize) -> Result<Vec<OutboxRow>, StoreFault> {
            Ok(Vec::new())
        }
        async fn forget(&self, _: Table, _: Moment, _: usize) -> Result<usize, StoreFault> {
            Ok(0)
        }
    }
    let committer = Committer::start(Arc::new(Panics));
    let outcomes = soon(committer.commit_all(inserts(COMMIT_BATCH_MAX + 1))).await;
    let (tried, left) = outcomes.split_at(COMMIT_BATCH_MAX);
    assert!(tried.iter().all(|outcome| matches!(outcome, Err(StoreFault::Unknown(_)))));
    assert!(matches!(left, [Err(StoreFault::Unavailable(_))]));
    let late = soon(committer.commit(swap("late", None))).await;
    assert!(matches!(late, Err(StoreFault::Unavailable(_))));
    soon(committer.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_and_every_change_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path().join("s.db")).unwrap());
    let committer = Arc::new(Committer::start(store.clone()));
    let mut tasks = Vec::new();
    for caller in 0..64 {
        let committer = committer.clone();
        tasks.push(tokio::spawn(async move {
            // Half of the rows are the caller's own, half are shared with another caller.
            let (mine, ours) = (format!("own {caller}"), format!("shared {}", caller / 2));
            let mut won = Vec::new();
            for round in 0..20_u64 {
                let expected = (round > 0).then_some(round);
                assert_eq!(committer.commit(swap(&mine, expected)).await.unwrap(), Outcome::Won);
                if committer.commit(swap(&ours, expected)).await.unwrap() == Outcome::Won {
                    won.push((ours.clone(), round));
                }
            }
            won
        }));
    }
    let mut won = HashSet::new();
    for task in tasks {
        for win in task.await.unwrap() {
            assert!(won.insert(win), "two callers won the same version");
        }
    }
    for caller in 0..64 {
        assert_eq!(version(&*store, &format!("own {caller}")).await, Some(20));
        let shared = format!("shared {}", caller / 2);
        let wins = won.iter().filter(|(key, _)| *key == shared).count() as u64;
        assert_eq!(version(&*store, &shared).await, Some(wins));
    }
}
