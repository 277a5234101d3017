//! What a change costs does not grow with the table: with few cards and with ten times as many, the pages that the server touches for
//! it, which are the same on a busy machine, and its processor time, which is not quite.
//!
//! `RAMZ_CARDS` says how many cards the smaller table has: 20,000, and a million in `./check long`.

use std::sync::Arc;

use futures_util::future::join_all;
use ramz_domain::Moment;
use ramz_store::{
    Change, Committer, Head, JournalEntry, OutboxNew, Outcome, PostgresStore, Store as _, Swap, Table,
};
use sha2::{Digest as _, Sha256};

use crate::config;
use crate::server::Server;

const CHANGES: u64 = 16_000;
const AT_ONCE: u64 = 64;
/// An index that is ten times as large is at most one level higher: a page more for each of those that a read and a change descend
/// (card and sealed columns twice, journal), and splits. A table that is read through costs thousands.
const PAGES_MORE_MAX: f64 = 6.0;
/// What processor time may differ by: the goal is a tenth, and a busy machine adds its own.
const TIME_GROWS_MAX: f64 = 1.5;

fn cards() -> u64 {
    std::env::var("RAMZ_CARDS").map_or(20_000, |text| text.parse().unwrap())
}

/// The key of a card by its number, spread like random ids. The server makes the same ([`fill`]).
fn key(number: u64) -> Vec<u8> {
    Sha256::digest(number.to_string())[..16].to_vec()
}

/// Cards as they are when they have paid once, made at the server.
fn fill(server: &Server, schema: &str, cards: u64) {
    let keys =
        format!("SELECT substr(sha256(n::text::bytea), 1, 16) AS key FROM generate_series(1, {cards}) AS n");
    let shard = "get_byte(key, 15)";
    server.sql(
        "ramz",
        &format!(
            "SET search_path = {schema}; SET synchronous_commit = off;
             INSERT INTO card SELECT {shard}, key, 1, decode(repeat('c3', 400), 'hex'), 1, sha256('1'), NULL, NULL FROM ({keys}) AS k;
             INSERT INTO card_sealed SELECT {shard}, key, 'card.pan', decode(repeat('5e', 60), 'hex') FROM ({keys}) AS k;
             INSERT INTO journal SELECT {shard}, key, 1, 1, decode(repeat('5a', 80), 'hex'), 1, sha256('1') FROM ({keys}) AS k"
        ),
    );
    server.sql("ramz", &format!("VACUUM ANALYZE {schema}.card; "));
    server.sql("ramz", "CHECKPOINT");
}

/// What an authorisation writes: a new state, an entry, a message.
fn change(number: u64) -> Change {
    let at = Moment::from_unix_ms(1_700_000_000_000);
    let mac = [7; 32];
    let entry = JournalEntry { seq: 2, at, entry: vec![0x5a; 80], key_version: 1, mac };
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Change::Swap(Swap {
        table: Table::Card,
        key: key(number),
        expected: Some(1),
        body: vec![0xc4; 400],
        sealed: Vec::new(),
        head: Head { seq: 2, mac },
        journal: vec![entry],
        outbox: vec![OutboxNew { id, body: vec![1; 40], expires: at, leased_until: at }],
        due: None,
        forget_after: None,
    })
}

/// Pages that the server has touched in this database so far.
fn pages(server: &Server) -> u64 {
    let sql = "SELECT pg_stat_force_next_flush(); SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = 'ramz'";
    server.sql("ramz", sql).lines().last().unwrap().parse().unwrap()
}

/// What a read and a change cost the server.
struct Cost {
    pages: f64,
    micros: f64,
}

async fn cost(server: &Server, schema: &str, cards: u64) -> Cost {
    let url = server.schema(schema);
    drop(PostgresStore::open(&config(url.clone())).await.unwrap());
    fill(server, schema, cards);
    let store = Arc::new(PostgresStore::open(&config(url)).await.unwrap());
    let committer = Committer::start(store.clone());
    // Far apart, each once. The first few open the connections and prepare their statements.
    let number = |nth: u64| 1 + nth * (cards / (CHANGES + AT_ONCE));
    let batches = (0..(CHANGES + AT_ONCE)).collect::<Vec<_>>();
    let mut before = (0, 0.0);
    for (nth, batch) in batches.chunks(usize::try_from(AT_ONCE).unwrap()).enumerate() {
        if nth == 1 {
            before = (pages(server), server.processor_s());
        }
        let all = batch.iter().map(|nth| async {
            let read = store.read(Table::Card, &key(number(*nth))).await.unwrap().unwrap();
            assert_eq!((read.version, read.sealed.len()), (1, 1));
            assert_eq!(committer.commit(change(number(*nth))).await.unwrap(), Outcome::Won);
        });
        join_all(all).await;
    }
    committer.shutdown().await;
    let micros = (server.processor_s() - before.1) * 1e6 / CHANGES as f64;
    drop(store);
    Cost { pages: (pages(server) - before.0) as f64 / CHANGES as f64, micros }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_costs_the_same_with_ten_times_as_many_cards() {
    // Statistics are written when a connection ends or is idle; nothing else runs here.
    let server = Server::start_with(&["autovacuum=off", "shared_buffers=256MB", "max_wal_size=4GB"]);
    let few = cost(&server, "few", cards()).await;
    let many = cost(&server, "many", cards() * 10).await;
    let told =
        |cost: &Cost, cards| format!("{:.1} pages and {:.0} µs with {cards} cards", cost.pages, cost.micros);
    let told = format!("a read and a change: {}, {}", told(&few, cards()), told(&many, cards() * 10));
    println!("{told}");
    assert!(many.pages <= few.pages + PAGES_MORE_MAX, "{told}");
    assert!(many.micros <= few.micros * TIME_GROWS_MAX, "{told}");
    assert!(few.pages > 5.0 && few.micros > 1.0, "the server has not told what it did: {told}");
}
