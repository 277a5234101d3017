//! A disk that takes no more, for real: COMMIT fails, the outcome is unknown, the store opens its file again, and goes on
//! when there is room. The limit on a file's size stands in for the disk; a process of its own keeps it from other tests.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::process::Command;

use ramz_store::{Change, Head, Outcome, SqliteStore, Store, StoreFault, Swap, Table};

/// Set in the process that runs out of space: the store's file.
const CHILD: &str = "RAMZ_STORE_FULL_DISK";

fn swap(number: u64) -> Change {
    Change::Swap(Swap {
        table: Table::Card,
        key: number.to_be_bytes().to_vec(),
        expected: None,
        body: vec![7; 5000],
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    })
}

fn limit_files(bytes: &str) {
    // The soft limit only, so that it can be lifted again.
    let status = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string(), &format!("--fsize={bytes}:")])
        .status()
        .expect("prlimit is missing: apt-get install util-linux");
    assert!(status.success());
}

async fn present(store: &SqliteStore) -> Vec<u64> {
    let keys = store.keys_after(Table::Card, b"", 10_000).await.unwrap();
    keys.into_iter().map(|key| u64::from_be_bytes(key.try_into().unwrap())).collect()
}

async fn run_out_of_space(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    limit_files("1000000");
    let mut acknowledged = Vec::new();
    let mut number = 0;
    let fault = loop {
        match store.commit(vec![swap(number)]).await {
            Ok(outcomes) => assert_eq!(outcomes, [Outcome::Won]),
            Err(fault) => break fault,
        }
        acknowledged.push(number);
        number += 1;
        assert!(number < 1000, "the limit was not met");
    };
    assert!(number > 10, "it was met too early: {fault}");
    assert!(matches!(&fault, StoreFault::Unknown(text) if text.contains("look at its space")), "{fault}");

    // With room again, whoever comes first finds the file opened afresh, also a reader: every acknowledged row is
    // there, the last one is or is not.
    limit_files("unlimited");
    let mut found = present(&store).await;
    if found.last() == Some(&number) {
        found.pop();
    }
    assert_eq!(found, acknowledged);

    // Deciding again by identity is right either way.
    let again = store.commit(vec![swap(number)]).await.unwrap();
    assert!(again == [Outcome::Won] || again == [Outcome::Lost]);
    for next in number + 1..number + 20 {
        assert_eq!(store.commit(vec![swap(next)]).await.unwrap(), [Outcome::Won]);
    }
    assert_eq!(present(&store).await, (0..number + 20).collect::<Vec<_>>());
}

/// The log is larger than any file may be: the file can neither be written nor opened again.
async fn run_out_of_all_space(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    for number in 0..60 {
        assert_eq!(store.commit(vec![swap(number)]).await.unwrap(), [Outcome::Won]);
    }
    limit_files("200000");
    let fault = store.commit(vec![swap(60)]).await.unwrap_err();
    assert!(matches!(fault, StoreFault::Unknown(_)), "{fault}");
    // In doubt, nobody reads and nobody writes.
    let read = store.read(Table::Card, &0_u64.to_be_bytes()).await.unwrap_err();
    assert!(matches!(&read, StoreFault::Unavailable(text) if text.contains("opened again")), "{read}");
    let write = store.commit(vec![swap(61)]).await.unwrap_err();
    assert!(matches!(&write, StoreFault::Unavailable(_)), "{write}");

    limit_files("unlimited");
    let found = present(&store).await;
    assert_eq!(found[..60], (0..60).collect::<Vec<_>>());
    assert!(found.len() <= 61 && !found.contains(&61));
    for number in found.len() as u64..80 {
        assert_eq!(store.commit(vec![swap(number)]).await.unwrap(), [Outcome::Won]);
    }
}

/// Runs this test once more in a process of its own, where `child` is told the store's file.
async fn in_a_process_of_its_own(name: &str, child: impl AsyncFn(&Path)) {
    if let Some(path) = std::env::var_os(CHILD) {
        return child(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    // The signal that such a write raises is ignored, so that the write fails, as on a full disk.
    let child = Command::new("env")
        .arg("--ignore-signal=XFSZ")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, &path)
        .output()
        .expect("env is missing: apt-get install coreutils");
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    // And the file it left is whole.
    let store = SqliteStore::open(&path).unwrap();
    let all = present(&store).await;
    assert_eq!(all, (0..all.len() as u64).collect::<Vec<_>>());
    assert!(all.len() > 30);
}

#[tokio::test]
async fn a_full_disk_is_told_and_outlived() {
    in_a_process_of_its_own("a_full_disk_is_told_and_outlived", run_out_of_space).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_again_is_read_by_nobody_until_it_can() {
    let name = "a_file_that_cannot_be_opened_again_is_read_by_nobody_until_it_can";
    in_a_process_of_its_own(name, run_out_of_all_space).await;
}
