//! Measures durable swaps: the group commit at 1, 64 and 256 callers, and one-row transactions beside it.
//!
//!     cargo run --release -p ramz-store --example commits [folder | postgresql://user@host/database?sslmode=disable]
//!
//! Each change is what an authorisation writes: a new state of 1 KiB, one journal entry, and for every other one an
//! outbox row that is settled at once. The folder (default: a temporary one) says which disk is measured; a database is emptied
//! by nobody, so give it a new one each time.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ramz_domain::Moment;
use ramz_store::{
    Change, Committer, Head, JournalEntry, OutboxNew, Outcome, PostgresConfig, PostgresStore, SqliteStore,
    Store, StoreFault, Swap, Table,
};

const CARDS_PER_CALLER: u64 = 40;
const FOR: Duration = Duration::from_secs(3);

fn key(run: u64, caller: u64, card: u64) -> Vec<u8> {
    // Spread like random ids, so that rows do not lie beside each other by luck.
    let spread = ((run * 1024 + caller) * CARDS_PER_CALLER + card).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [spread.to_be_bytes(), spread.swap_bytes().to_be_bytes()].concat()
}

fn swap(run: u64, caller: u64, card: u64, round: u64) -> Change {
    let at = Moment::from_unix_ms(1_700_000_000_000 + round);
    let mac = [u8::try_from(round % 251).unwrap_or(0); 32];
    let entry = JournalEntry { seq: round + 1, at, entry: vec![0x5a; 120], key_version: 1, mac };
    Change::Swap(Swap {
        table: Table::Card,
        key: key(run, caller, card),
        expected: (round > 0).then_some(round),
        body: vec![0xc3; 1024],
        sealed: Vec::new(),
        head: Head { seq: round + 1, mac },
        journal: vec![entry],
        outbox: if round % 2 == 1 { vec![message(round)] } else { Vec::new() },
        due: None,
        forget_after: None,
    })
}

fn message(round: u64) -> OutboxNew {
    let at = Moment::from_unix_ms(1_700_000_000_000 + round);
    OutboxNew { id: message_id(round), body: vec![1; 40], expires: at, leased_until: at }
}

fn message_id(round: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&round.to_be_bytes());
    id
}

/// One caller's way to commit.
enum Path {
    Group(Arc<Committer>),
    Single(Arc<dyn Store>),
}

impl Path {
    async fn commit(&self, change: Change) -> Result<Outcome, StoreFault> {
        match self {
            Path::Group(committer) => committer.commit(change).await,
            Path::Single(store) => Ok(store.commit(vec![change]).await?[0]),
        }
    }
}

/// Every caller swaps its cards in turn: how long each commit took.
async fn measure(run: u64, callers: u64, path: impl Fn() -> Path) -> io::Result<(Duration, Vec<Duration>)> {
    let begin = Instant::now();
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let path = path();
        tasks.push(tokio::spawn(async move {
            let mut took = Vec::new();
            for round in 0.. {
                for card in 0..CARDS_PER_CALLER {
                    let settle = Change::Settle { owner: key(run, caller, card), id: message_id(round) };
                    let settle = (round % 2 == 1).then_some(settle);
                    for change in std::iter::once(swap(run, caller, card, round)).chain(settle) {
                        let from = Instant::now();
                        let outcome = path.commit(change).await.map_err(io::Error::other)?;
                        if outcome != Outcome::Won {
                            return Err(io::Error::other("a caller's own row was lost"));
                        }
                        took.push(from.elapsed());
                    }
                    if begin.elapsed() > FOR {
                        return Ok(took);
                    }
                }
            }
            Ok(took)
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.map_err(io::Error::other)??);
    }
    all.sort();
    Ok((begin.elapsed(), all))
}

fn report(what: &str, callers: u64, (elapsed, took): (Duration, Vec<Duration>)) -> io::Result<()> {
    let per_second = took.len() as f64 / elapsed.as_secs_f64();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_micros();
    let line = format!(
        "{what:<20} {callers:>4} callers {per_second:>9.0} changes/s   p50 {:>6} µs   p99 {:>6} µs   max {:>7} µs",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    writeln!(io::stdout(), "{line}")
}

/// A store for one measurement. In a database all of them are one store, and the keys differ.
async fn open(place: &str, number: u64) -> io::Result<Arc<dyn Store>> {
    if !place.starts_with("postgres") {
        let path = PathBuf::from(place).join(format!("measure-{}-{number}.db", std::process::id()));
        return SqliteStore::open(path)
            .map(|store| Arc::new(store) as Arc<dyn Store>)
            .map_err(io::Error::other);
    }
    let config = PostgresConfig {
        connections: std::env::var("CONNECTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(4),
        ..PostgresConfig::new(place, [7; 8])
    };
    Ok(Arc::new(PostgresStore::open(&config).await.map_err(io::Error::other)?))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let place = std::env::args().nth(1).unwrap_or_else(|| folder.path().display().to_string());
    let mut number = 0;
    for callers in [1, 64, 256] {
        number += 2;
        let store = open(&place, number).await?;
        report(
            "one row, one COMMIT",
            callers,
            measure(number, callers, || Path::Single(store.clone())).await?,
        )?;
        let committer = Arc::new(Committer::start(open(&place, number + 1).await?));
        let grouped = measure(number + 1, callers, || Path::Group(committer.clone())).await?;
        report("group commit", callers, grouped)?;
        committer.shutdown().await;
    }
    Ok(())
}
