//! The SQLite file: what is acknowledged is in it, who may open it, and what is said of a file that is no store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ramz_domain::Moment;
use ramz_store::{
    Change, Committer, Head, OpenError, OutboxNew, Outcome, Sealed, SqliteStore, Store, StoreFault, Swap,
    Table,
};
use tempfile::TempDir;

fn swap(key: &str, expected: Option<u64>, body: Vec<u8>) -> Change {
    Change::Swap(Swap {
        table: Table::Card,
        key: key.as_bytes().to_vec(),
        expected,
        body,
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    })
}

/// The files as a power cut would leave them: copied while the store is open, never closed.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(name(from), name(to)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_a_copy_of_the_files() {
    let folder = TempDir::new().unwrap();
    let live = folder.path().join("live.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&live).unwrap());
    let committer = Committer::start(store.clone());
    // Enough rounds of large enough rows that the log is moved into the file in between.
    for round in 0..40_u64 {
        let changes = (0..100)
            .map(|card| {
                let expected = (round > 0).then_some(round);
                swap(&format!("{card}"), expected, vec![u8::try_from(round).unwrap(); 1000])
            })
            .collect();
        for outcome in committer.commit_all(changes).await {
            assert_eq!(outcome.unwrap(), Outcome::Won);
        }
        let dead = folder.path().join(format!("copy-{round}.db"));
        copy(&live, &dead);
        let opened = SqliteStore::open(&dead).unwrap();
        let log = fs::metadata(format!("{}-wal", dead.display())).unwrap().len();
        assert_eq!(log, 0, "what was found in the log is synced into the file before anybody reads it");
        for card in 0..100 {
            let row = opened.read(Table::Card, format!("{card}").as_bytes()).await.unwrap().unwrap();
            assert_eq!((row.version, u64::from(row.body[999])), (round + 1, round));
        }
    }
}

#[tokio::test]
async fn half_a_transaction_at_the_end_of_the_log_is_no_transaction() {
    let folder = TempDir::new().unwrap();
    let live = folder.path().join("live.db");
    let store = SqliteStore::open(&live).unwrap();
    store.commit(vec![swap("first", None, vec![1; 100])]).await.unwrap();
    let whole = fs::metadata(folder.path().join("live.db-wal")).unwrap().len();
    let batch = (0..50).map(|card| swap(&format!("{card}"), None, vec![2; 3000])).collect();
    store.commit(batch).await.unwrap();
    let dead = folder.path().join("dead.db");
    copy(&live, &dead);
    let log = fs::OpenOptions::new().write(true).open(folder.path().join("dead.db-wal")).unwrap();
    let length = log.metadata().unwrap().len();
    assert!(length > whole + 100_000);
    log.set_len(length - 2000).unwrap();
    drop(log);
    let opened = SqliteStore::open(&dead).unwrap();
    assert_eq!(opened.keys_after(Table::Card, b"", 100).await.unwrap(), vec![b"first".to_vec()]);
}

fn wait() -> bool {
    std::thread::sleep(std::time::Duration::from_millis(20));
    false
}

#[test]
fn a_second_store_on_one_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let first = SqliteStore::open(&path).unwrap();
    let again = SqliteStore::open(folder.path().join(".").join("s.db"));
    let text = match again {
        Err(error @ OpenError::InUse { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened twice"),
    };
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("s.db"), "{text}");
    drop(first);
    // A program that another test starts at this moment has the lock too, until it runs: both come from one process.
    assert!((0..100).any(|_| SqliteStore::open(&path).is_ok() || wait()));
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_is_the_same_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let _first = SqliteStore::open(&path).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(SqliteStore::open(&link), Err(OpenError::InUse { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn another_process_holds_the_lock_until_it_ends() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    drop(SqliteStore::open(&path).unwrap());
    // flock(1), of util-linux, takes the lock as another process of ours would.
    let mut other = Command::new("flock")
        .arg(folder.path().join("s.db.lock"))
        .args(["sh", "-c", "echo held; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock is missing: apt-get install util-linux");
    let mut held = [0; 4];
    other.stdout.as_mut().unwrap().read_exact(&mut held).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(OpenError::InUse { .. })));
    // Closing the input ends cat; the lock goes with the process.
    drop(other.stdin.take());
    other.wait().unwrap();
    SqliteStore::open(&path).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn our_lock_is_seen_by_another_process() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let lock = folder.path().join("s.db.lock");
    let free = || Command::new("flock").arg("-n").arg(&lock).arg("true").status().unwrap().success();
    let store = SqliteStore::open(&path).unwrap();
    assert!(!free());
    drop(store);
    assert!(free());
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("s.db")).unwrap();
    store.commit(vec![swap("k", None, Vec::new())]).await.unwrap();
    for name in ["s.db", "s.db-wal", "s.db-shm", "s.db.lock"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[track_caller]
fn refused(path: &Path, words: &str) {
    match SqliteStore::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
            let name = path.file_name().unwrap().to_str().unwrap();
            let folder = path.parent().unwrap().to_str().unwrap();
            assert!(text.contains(name) || text.contains(folder), "{text}");
        }
    }
}

#[test]
fn what_is_no_store_is_refused_with_its_path_and_what_to_do() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    refused(&at("missing/s.db"), "look at the folder");
    fs::create_dir(at("folder.db")).unwrap();
    refused(&at("folder.db"), "look at its folder");
    fs::write(at("garbage.db"), vec![0x5a; 10_000]).unwrap();
    refused(&at("garbage.db"), "not a store of ours");
    let theirs = rusqlite::Connection::open(at("theirs.db")).unwrap();
    theirs.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(theirs);
    refused(&at("theirs.db"), "another program");
}

#[tokio::test]
async fn a_damaged_page_is_told_and_not_believed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let store = SqliteStore::open(&path).unwrap();
    let batch = (0..200).map(|card| swap(&format!("{card:03}"), None, vec![1; 3000])).collect();
    store.commit(batch).await.unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    assert!(pages > 150);
    // Every page but the first, which holds the schema.
    for page in 1..pages {
        bytes[page * 4096..][..200].fill(0xee);
    }
    fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
    let store = match SqliteStore::open(&path) {
        Ok(store) => store,
        // The damage was seen while opening, which is as good.
        Err(error) => return assert!(error.to_string().contains("damaged"), "{error}"),
    };
    let read = store.read(Table::Card, b"001").await.unwrap_err();
    assert!(matches!(&read, StoreFault::Unavailable(text) if text.contains("restore a backup")), "{read}");
    let write = store.commit(vec![swap("001", Some(1), vec![])]).await.unwrap_err();
    assert!(matches!(&write, StoreFault::Unavailable(text) if text.contains("restore a backup")), "{write}");
}

#[test]
fn a_file_of_a_newer_release_or_with_an_altered_migration_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let change = |sql: &str| {
        drop(SqliteStore::open(&path));
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    change("INSERT INTO migration VALUES (9999, 'x')");
    refused(&path, "start the newer release");
    change("DELETE FROM migration WHERE number = 9999");
    SqliteStore::open(&path).unwrap();
    change("UPDATE migration SET checksum = 'x' WHERE number = 1");
    refused(&path, "was altered after it landed");
}

#[tokio::test]
async fn a_fault_tells_nothing_of_what_was_to_be_written() {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(folder.path().join("s.db")).unwrap();
    let secret = b"6104337000000016".to_vec();
    let full = |key: &str, expected| match swap(key, expected, secret.clone()) {
        Change::Swap(swap) => Change::Swap(Swap {
            sealed: vec![Sealed { column: "pan", bytes: Some(secret.clone()) }],
            outbox: vec![OutboxNew {
                id: [7; 16],
                body: secret.clone(),
                expires: Moment::from_unix_ms(1),
                leased_until: Moment::from_unix_ms(1),
            }],
            ..swap
        }),
        other => other,
    };
    store.commit(vec![full("card", None)]).await.unwrap();
    // The database refuses the second message, the checks refuse the key.
    for change in [full("card", Some(1)), full(&"6104337000000016".repeat(5), None)] {
        let fault = store.commit(vec![change]).await.unwrap_err();
        let text = format!("{fault} {fault:?}");
        assert!(matches!(fault, StoreFault::Statement(_)));
        assert!(!text.contains("6104337000000016") && !text.contains("54, 49, 48"), "{text}");
    }
}
