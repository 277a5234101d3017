//! A store's file copied into PostgreSQL: all of it, checked, gone on with after an interruption, and refused where it would not be
//! a copy.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "postgres/server.rs"]
#[expect(dead_code, reason = "this target uses a part of it")]
mod server;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ramz_domain::Moment;
use ramz_store::copy::{Chains, Copy, CopyError};
use ramz_store::{
    Change, Head, JournalEntry, OutboxNew, PostgresConfig, PostgresStore, Sealed, SqliteStore, Store, Swap,
    Table,
};
use server::Server;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Later than everything.
const LATER: Moment = Moment::from_unix_ms(1 << 50);

/// A database of a test's own, and its schema's name.
fn fresh() -> (PostgresConfig, String) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("c{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let url = SERVER.schema(&name);
    let config = PostgresConfig::new(url, [7; 8]);
    (config, name)
}

fn sql(schema: &str, sql: &str) -> String {
    SERVER.sql("ramz", &format!("SET search_path = {schema}; {sql}"))
}

fn at(ms: u64) -> Moment {
    Moment::from_unix_ms(ms)
}

/// A key as the roles have them: 16 or 32 bytes that nobody can guess.
fn key(table: Table, number: u64) -> Vec<u8> {
    let hash = Sha256::digest(format!("{table} {number}"));
    hash[..if number.is_multiple_of(2) { 16 } else { 32 }].to_vec()
}

fn mac(key: &[u8], previous: &[u8; 32], entry: &JournalEntry) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [key, previous, &entry.entry, &entry.seq.to_be_bytes()] {
        hash.update(part);
    }
    hash.finalize().into()
}

fn chained(key: &[u8], head: Head, count: u64) -> (Vec<JournalEntry>, Head) {
    let (mut head, mut entries) = (head, Vec::new());
    for seq in head.seq + 1..=head.seq + count {
        let bytes = format!("entry {seq}").into_bytes();
        let mut entry = JournalEntry { seq, at: at(7 + seq), entry: bytes, key_version: 3, mac: [0; 32] };
        entry.mac = mac(key, &head.mac, &entry);
        head = Head { seq, mac: entry.mac };
        entries.push(entry);
    }
    (entries, head)
}

/// A change of the row with this number behind this head, and the head that it makes.
fn swap(table: Table, number: u64, expected: Option<u64>, head: Head) -> (Change, Head) {
    let key = key(table, number);
    let (journal, head) =
        if table == Table::Card { chained(&key, head, number % 4) } else { (Vec::new(), head) };
    let sealed = |column, bytes: &[u8]| Sealed { column, bytes: Some(bytes.to_vec()) };
    let message = OutboxNew {
        id: [number as u8; 16],
        body: b"ids".to_vec(),
        expires: at(900 + number),
        leased_until: at(500 + number),
    };
    let change = Change::Swap(Swap {
        table,
        expected,
        body: vec![b'b'; (number % 7) as usize],
        sealed: if number.is_multiple_of(3) {
            vec![sealed("pan", &key), sealed("Phone", b""), sealed("_x", b"\0")]
        } else {
            vec![]
        },
        head,
        journal,
        outbox: if table == Table::Card && number.is_multiple_of(5) && expected.is_none() {
            vec![message]
        } else {
            vec![]
        },
        due: number.is_multiple_of(2).then(|| at(100 + number)),
        forget_after: (table != Table::Card && number % 3 == 1).then(|| at(200 + number)),
        key,
    });
    (change, head)
}

/// A file with rows of every kind, some of them changed since, some of their messages leased.
async fn filled(rows: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let store = SqliteStore::open(&path).unwrap();
    for table in Table::ALL {
        let (first, heads): (Vec<Change>, Vec<Head>) =
            (0..rows).map(|number| swap(table, number, None, Head::EMPTY)).unzip();
        store.commit(first).await.unwrap();
        let again = (0..rows).zip(heads).filter(|(number, _)| number.is_multiple_of(3));
        store
            .commit(again.map(|(number, head)| swap(table, number, Some(1), head).0).collect())
            .await
            .unwrap();
    }
    let leases = (0..rows).filter(|number| number.is_multiple_of(10)).map(|number| Change::Lease {
        owner: key(Table::Card, number),
        id: [number as u8; 16],
        expected: at(500 + number),
        until: at(700 + number),
    });
    store.commit(leases.collect()).await.unwrap();
    (folder, path)
}

async fn chains(copy: &Copy) -> Chains {
    let mac = |key: &[u8], previous: &[u8; 32], entry: &JournalEntry| Ok(Some(mac(key, previous, entry)));
    copy.chains(&mac, |_| ()).await.unwrap()
}

/// The tables that differ.
async fn different(copy: &Copy) -> Vec<String> {
    let compared = copy.check(|_| ()).await.unwrap();
    compared.into_iter().filter(|table| !table.equal()).map(|table| table.table).collect()
}

async fn open(path: &Path, config: &PostgresConfig) -> Copy {
    taken(path, config).await.unwrap()
}

async fn refused(path: &Path, config: &PostgresConfig) -> CopyError {
    taken(path, config).await.err().expect("it is refused")
}

/// A copy that was dropped in its middle holds the file until its reader has come along; and see [`soon`].
async fn taken(path: &Path, config: &PostgresConfig) -> Result<Copy, CopyError> {
    for _ in 0..100 {
        match Copy::open(path, config).await {
            Err(error) if error.to_string().contains(HELD) => {}
            opened => return opened,
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Copy::open(path, config).await
}

/// What is said of a file that this process has open still.
const HELD: &str = "already open in process";

/// Opens a file that was closed just now. A program that another test starts at that moment has its lock until it runs: both come from
/// one process.
fn soon<T, E: std::fmt::Display>(open: impl Fn() -> Result<T, E>) -> Result<T, E> {
    for _ in 0..100 {
        match open() {
            Err(error) if error.to_string().contains(HELD) => {}
            opened => return opened,
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    open()
}

/// What the port says of a store: everything but what only a change shows.
async fn told(store: &dyn Store) -> String {
    let mut text = format!("{:?}", store.outbox_due(LATER, 10_000).await.unwrap());
    for table in Table::ALL {
        text += &format!("{:?}", store.due(table, LATER, 10_000).await.unwrap());
        for key in store.keys_after(table, b"", 10_000).await.unwrap() {
            text += &format!("{key:?}{:?}", store.read(table, &key).await.unwrap());
            text += &format!("{:?}", store.journal(&key, 0, 100).await.unwrap());
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_carried_over_as_it_is() {
    let (_folder, path) = filled(60).await;
    let (config, schema) = fresh();
    let mut copy = open(&path, &config).await;
    let held = SqliteStore::open(&path).err().expect("no role starts on the file meanwhile").to_string();
    assert!(held.contains("already open in process"), "{held}");
    let written = copy.write(|_| ()).await.unwrap();
    assert_eq!(different(&copy).await, [""; 0]);
    let journals = chains(&copy).await;
    assert_eq!((journals.rows, journals.broken), (45, 0), "{journals:?}");
    drop(copy);
    let left =
        soon(|| SqliteStore::open(&path)).err().expect("no role starts on the file any more").to_string();
    assert!(left.contains("were copied into"), "{left}");
    assert!(soon(|| ramz_store::copy::reopen_without_database(&path)).unwrap());

    let file = soon(|| SqliteStore::open(&path)).unwrap();
    let database = PostgresStore::open(&config).await.unwrap();
    let (mine, theirs) = (told(&file).await, told(&database).await);
    assert!(mine.len() > 50_000 && mine == theirs, "{mine}\n{theirs}");
    for table in Table::ALL {
        for later in [at(200), at(230), LATER] {
            let forgotten = [file.forget(table, later, 100).await, database.forget(table, later, 100).await];
            assert_eq!(forgotten[0].as_ref().unwrap(), forgotten[1].as_ref().unwrap(), "{table}");
        }
    }
    // What is written goes on from there, in the row's own place.
    let head = file.read(Table::Card, &key(Table::Card, 3)).await.unwrap().unwrap().head;
    let (change, _) = swap(Table::Card, 3, Some(2), head);
    assert_eq!(format!("{:?}", database.commit(vec![change]).await), "Ok([Won])");
    assert!(written > 420 && sql(&schema, "SELECT count(*) FROM migration WHERE number = 0") == "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_goes_on_where_it_stopped() {
    let (_folder, path) = filled(1500).await;
    let (config, schema) = fresh();
    let mut copy = open(&path, &config).await;
    // Gone in the middle of a table, and once more later on, without a word.
    for until in [1000, 5000] {
        let (stop, gone) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        tokio::select! {
            _ = copy.write(|at| if at.rows >= until { drop(stop.take()) }) => panic!("it came to its end"),
            _ = gone => {}
        }
        drop(copy);
        let unfinished = PostgresStore::open(&config).await.err().expect("no node starts on it").to_string();
        assert!(unfinished.contains("not come to its end: run `ramz store copy` again"), "{unfinished}");
        assert!(PostgresStore::look(&config).await.is_err());
        copy = open(&path, &config).await;
        assert!(copy.there() >= until, "{}", copy.there());
    }
    let there = copy.there();
    let rest = copy.write(|_| ()).await.unwrap();
    let whole: u64 = copy.check(|_| ()).await.unwrap().iter().map(|table| table.file.0).sum();
    assert_eq!((there + rest, different(&copy).await), (whole, vec![]));
    assert!(rest > 1000);
    PostgresStore::open(&config).await.unwrap();
    drop(copy);
    // And when it is done it is done.
    let left = refused(&path, &config).await.to_string();
    assert!(left.contains("were copied into"), "{left}");
    // Killed between the two last steps, neither side is open; the copy goes on.
    sql(
        &schema,
        "INSERT INTO migration (number, checksum, works_with) VALUES (0, 'copy', 9223372036854775807)",
    );
    assert!(PostgresStore::open(&config).await.is_err());
    assert_eq!(different(&open(&path, &config).await).await, [""; 0]);
    PostgresStore::open(&config).await.unwrap();
    assert!(ramz_store::copy::reopen_without_database(&path).unwrap());
    let again = refused(&path, &config).await;
    assert!(matches!(&again, CopyError::NotEmpty(table) if table == "card"), "{again}");
    assert_eq!(sql(&schema, "SELECT count(*) FROM card"), "1500");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_another_state_of_the_file_is_not_gone_on_with() {
    for change in [
        "UPDATE card SET version = version + 1 WHERE key = (SELECT min(key) FROM card)",
        "UPDATE admission SET due = 5 WHERE key = (SELECT max(key) FROM admission)",
        "DELETE FROM card_sealed WHERE key = (SELECT min(key) FROM card_sealed)",
        "DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox)",
    ] {
        let (_folder, path) = filled(40).await;
        let (config, _) = fresh();
        let mut copy = open(&path, &config).await;
        copy.write(|_| ()).await.unwrap();
        drop(copy);
        rusqlite::Connection::open(&path).unwrap().execute(change, []).unwrap();
        let differs = refused(&path, &config).await;
        assert!(matches!(differs, CopyError::Differs(_)), "{change}: {differs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_damaged_is_found() {
    let (_folder, path) = filled(60).await;
    for (table, damage) in [
        (
            "card",
            "UPDATE card SET version = version + 1 WHERE key = (SELECT key FROM card ORDER BY key DESC LIMIT 1)",
        ),
        (
            "card",
            "UPDATE card SET body = body || 'x' WHERE key = (SELECT key FROM card ORDER BY key DESC LIMIT 1)",
        ),
        ("card", "UPDATE card SET due = NULL WHERE due = 100"),
        ("card", "UPDATE card SET head_seq = 9 WHERE head_seq = 0 AND version = 2"),
        ("phone", "UPDATE phone SET forget_after = forget_after + 1 WHERE forget_after = 201"),
        ("device", "DELETE FROM device WHERE due = 102"),
        (
            "activation",
            "INSERT INTO activation SELECT shard, 'another' || substr(key, 16), 1, '', 0, head_mac FROM activation LIMIT 1",
        ),
        (
            "card_sealed",
            "UPDATE card_sealed SET name = 'PAN' WHERE name = 'pan' AND key = (SELECT key FROM card_sealed ORDER BY key DESC LIMIT 1)",
        ),
        ("payment_sealed", "UPDATE payment_sealed SET shard = 255 - shard WHERE name = '_x'"),
        ("admission_sealed", "UPDATE admission_sealed SET bytes = '' WHERE name = '_x'"),
        ("journal", "UPDATE journal SET at = at + 1 WHERE seq = 2"),
        ("journal", "UPDATE journal SET key_version = 4 WHERE seq = 3"),
        ("journal", "UPDATE journal SET shard = 255 - shard WHERE seq = 3"),
        ("outbox", "UPDATE outbox SET attempts = 1 WHERE attempts = 2"),
        ("outbox", "UPDATE outbox SET leased_until = leased_until - 1 WHERE expires = 900"),
        ("outbox", "DELETE FROM outbox WHERE expires = 905"),
    ] {
        let (config, schema) = fresh();
        let mut copy = open(&path, &config).await;
        copy.write(|_| ()).await.unwrap();
        let before =
            sql(&schema, &format!("SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t"));
        sql(&schema, damage);
        let after =
            sql(&schema, &format!("SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t"));
        assert_ne!(before, after, "{damage}: it damages nothing");
        assert_eq!(different(&copy).await, [table], "{damage}");
        assert!(PostgresStore::open(&config).await.is_err(), "{damage}: a node starts on it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_database_does_not_take_are_missed() {
    let (_folder, path) = filled(20).await;
    let (config, schema) = fresh();
    PostgresStore::migrate(&config).await.unwrap();
    sql(
        &schema,
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER lose BEFORE INSERT ON journal FOR EACH ROW WHEN (NEW.seq = 2) EXECUTE FUNCTION lose()",
    );
    let mut copy = open(&path, &config).await;
    let lost = copy.write(|_| ()).await.unwrap_err();
    assert!(matches!(&lost, CopyError::Written { relation } if relation == "journal"), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_altered_in_the_file_is_told() {
    for (damage, says) in [
        ("DELETE FROM journal WHERE seq = 1", "entry 1: "),
        ("UPDATE journal SET entry = x'00' WHERE seq = 2", "entry 2: it, or the one before"),
        ("UPDATE card SET head_seq = head_seq - 1 WHERE head_seq = 3", "beyond the row's head"),
        ("UPDATE card SET head_seq = head_seq + 1 WHERE head_seq = 3", "cut off"),
        ("UPDATE card SET head_mac = zeroblob(32) WHERE head_seq = 3", "does not name it"),
        ("DELETE FROM card WHERE head_seq = 2", "entry 1: it stands beyond"),
    ] {
        let (_folder, path) = filled(20).await;
        let file = rusqlite::Connection::open(&path).unwrap();
        let damaged = file.execute(damage, []).unwrap();
        drop(file);
        let (config, _) = fresh();
        let mut copy = open(&path, &config).await;
        copy.write(|_| ()).await.unwrap();
        assert_eq!(different(&copy).await, [""; 0], "it is a copy of what the file was");
        let chains = chains(&copy).await;
        assert_eq!((chains.broken as usize, chains.told.len()), (damaged, damaged), "{damage}: {chains:?}");
        assert!(chains.told.iter().all(|told| told.contains(says)), "{damage}: {chains:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_release_before_is_given_up_like_any() {
    let (_folder, path) = filled(4).await;
    let (config, schema) = fresh();
    let mut copy = open(&path, &config).await;
    copy.write(|_| ()).await.unwrap();
    assert_eq!(different(&copy).await, [""; 0]);
    drop(copy);
    sql(&schema, "DROP TABLE journal_in_line; DELETE FROM migration WHERE number = 4");
    assert!(ramz_store::copy::reopen(&path, &config).await.unwrap());
    soon(|| SqliteStore::open(&path)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_place_for_a_copy_is_refused() {
    let (folder, path) = filled(4).await;
    // One message would be enough to be sent by another bank.
    let (config, schema) = fresh();
    PostgresStore::migrate(&config).await.unwrap();
    sql(&schema, "INSERT INTO outbox VALUES (65, 'A', decode(repeat('00', 16), 'hex'), '', 1, 1, 1)");
    let full = refused(&path, &config).await;
    assert!(matches!(&full, CopyError::NotEmpty(table) if table == "outbox"), "{full}");
    PostgresStore::open(&config).await.unwrap();
    // Nor would a journal that only nodes on a database have be overlooked.
    let (config, schema) = fresh();
    PostgresStore::migrate(&config).await.unwrap();
    let entry = "INSERT INTO journal_in_line VALUES (65, decode(repeat('00', 16), 'hex'), NULL, 'A', 1, 1, '', 1, sha256(''))";
    sql(&schema, entry);
    let full = refused(&path, &config).await;
    assert!(matches!(&full, CopyError::NotEmpty(table) if table == "journal_in_line"), "{full}");

    let (config, _) = fresh();
    let running = SqliteStore::open(&path).unwrap();
    let held = refused(&path, &config).await.to_string();
    assert!(held.contains("already open in process"), "{held}");
    drop(running);
    let nowhere = folder.path().join("none.db");
    assert!(matches!(refused(&nowhere, &config).await, CopyError::NoFile(_)));
    assert!(!nowhere.exists(), "nor is one made");
    let schema = PostgresConfig { migrate: false, ..config };
    assert!(refused(&path, &schema).await.to_string().contains("run `ramz store migrate`"));
}
