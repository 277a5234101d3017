//! Every store passes the one suite; the stores that break a promise do not.

use std::sync::Arc;

use ramz_store::conformance::{self, Wrong, broken, reopened};
use ramz_store::{MemoryStore, SqliteStore, Store};
use tempfile::TempDir;

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

#[track_caller]
fn none(failures: &[(&'static str, Wrong)]) {
    let text: Vec<_> = failures.iter().map(|(name, wrong)| format!("{name}: {wrong}")).collect();
    assert!(text.is_empty(), "{}", text.join("\n"));
}

/// The broken store fails these cases among others.
#[track_caller]
fn caught(failures: &[(&'static str, Wrong)], by: &[&str]) {
    for case in by {
        assert!(failures.iter().any(|(name, _)| name == case), "{case} did not notice: {failures:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_a_store() {
    none(&conformance::run(async || memory()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_a_store() {
    let folder = TempDir::new().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let fresh = async || {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let store = SqliteStore::open(folder.path().join(format!("{number}.db"))).unwrap();
        Arc::new(store) as Arc<dyn Store>
    };
    none(&conformance::run(fresh).await);
}

#[tokio::test]
async fn sqlite_has_everything_when_it_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let open = async || Arc::new(SqliteStore::open(folder.path().join("s.db")).unwrap()) as Arc<dyn Store>;
    reopened(open).await.unwrap();
}

#[tokio::test]
async fn a_store_that_forgets_when_it_is_closed_is_caught() {
    let wrong = reopened(async || memory()).await.unwrap_err();
    assert!(wrong.0.starts_with("the card:"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_the_guard_is_caught() {
    let failures =
        conformance::run(async || Arc::new(broken::NoGuard::new(memory())) as Arc<dyn Store>).await;
    let by = [
        "swaps::an_insert_wins_once",
        "swaps::a_swap_of_another_version_loses",
        "swaps::of_64_swaps_of_one_version_one_wins",
        "swaps::of_64_inserts_one_wins",
        "swaps::a_lost_swap_writes_nothing_beside",
        "swaps::a_batch_has_winners_and_losers",
    ];
    caught(&failures, &by);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_writes_entries_of_lost_swaps_is_caught() {
    let fresh = async || Arc::new(broken::JournalsLost::new(memory())) as Arc<dyn Store>;
    caught(&conformance::run(fresh).await, &["swaps::a_lost_swap_writes_nothing_beside"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_answers_before_it_commits_is_caught() {
    let fresh = async || Arc::new(broken::AnswersFirst::new(memory())) as Arc<dyn Store>;
    let by = ["swaps::an_insert_wins_once", "swaps::a_commit_is_read_at_once"];
    caught(&conformance::run(fresh).await, &by);
}
