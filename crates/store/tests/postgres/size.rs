//! What a change costs does not grow with the table: with few cards and with ten times as many, in turns, the pages that the server
//! touches for it, which are the same on a busy machine, and the processor time of its sessions, by the median of the turns.
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
use crate::fill::{cards, fill};
use crate::server::Server;

/// Of each table, one after the other.
const TURNS: u64 = 16;
/// Reads and changes of a turn.
const CHANGES: u64 = 1_000;
const AT_ONCE: u64 = 50;
/// An index that is ten times as large is at most one level higher: a page more for each of those that a read and a change descend
/// (card and sealed columns twice, journal), and splits. A table that is read through costs thousands.
const PAGES_MORE_MAX: f64 = 6.0;
/// What processor time may grow by from a million cards on. Between fewer it says more of the processor's own caches, which the smaller
/// table fits into and the larger does not, than of the database: 10 to 21 per cent were measured from 20,000 to 200,000 (and 8 from a
/// million to ten).
const TIME_GROWS_MAX: f64 = 1.1;
const TIME_GROWS_MAX_WITH_FEW: f64 = 1.4;
const NOT_FEW: u64 = 1_000_000;

/// The key of a card by its number, spread like random ids. The server makes the same ([`fill`]).
fn key(number: u64) -> Vec<u8> {
    Sha256::digest(number.to_string())[..16].to_vec()
}

/// What an authorisation writes: a new state, an entry, a message.
fn change(number: u64) -> Change {
    let at = Moment::from_unix_ms(1_700_000_000_000 + number);
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

/// By then a session that was closed has ended.
const SETTLED_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

/// Pages of a schema that the server has touched so far, as sessions that have ended have told.
fn pages(server: &Server, schema: &str) -> u64 {
    let sql = format!(
        "SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)
         FROM pg_statio_user_tables WHERE schemaname = '{schema}'"
    );
    server.sql("ramz", &sql).parse().unwrap()
}

/// A table of cards, and how far it was gone through.
struct Filled<'s> {
    server: &'s Server,
    schema: &'static str,
    cards: u64,
    store: Arc<PostgresStore>,
    committer: Committer,
    pages_before: u64,
    next: u64,
    micros: Vec<f64>,
}

impl<'s> Filled<'s> {
    async fn new(server: &'s Server, schema: &'static str, cards: u64) -> Filled<'s> {
        let url = server.schema(schema);
        drop(PostgresStore::open(&config(url.clone())).await.unwrap());
        fill(server, schema, cards);
        let pages_before = pages(server, schema);
        let store = Arc::new(PostgresStore::open(&config(url)).await.unwrap());
        let committer = Committer::start(store.clone());
        Filled { server, schema, cards, store, committer, pages_before, next: 0, micros: Vec::new() }
    }

    /// Reads and changes cards far apart, each once.
    async fn turn(&mut self) {
        let before = self.server.sessions_ns();
        for _ in 0..CHANGES / AT_ONCE {
            let numbers = self.next..self.next + AT_ONCE;
            let all = numbers.map(|nth| self.one(1 + nth * (self.cards / ((TURNS + 1) * CHANGES))));
            join_all(all).await;
            self.next += AT_ONCE;
        }
        self.micros.push((self.server.sessions_ns() - before) as f64 / 1e3 / CHANGES as f64);
    }

    async fn one(&self, number: u64) {
        let read = self.store.read(Table::Card, &key(number)).await.unwrap().unwrap();
        assert_eq!((read.version, read.sealed.len()), (1, 1));
        assert_eq!(self.committer.commit(change(number)).await.unwrap(), Outcome::Won);
    }

    /// What a read and a change cost the server.
    async fn cost(self) -> Cost {
        self.committer.shutdown().await;
        drop((self.committer, self.store));
        // The first turn opened the connections and prepared their statements.
        let mut micros = self.micros[1..].to_vec();
        micros.sort_by(f64::total_cmp);
        let changes = self.next as f64;
        // A session's numbers are told when it ends.
        let mut last = 0;
        let mut told = pages(self.server, self.schema);
        while last != told {
            tokio::time::sleep(SETTLED_WITHIN).await;
            (last, told) = (told, pages(self.server, self.schema));
        }
        let pages = (told - self.pages_before) as f64 / changes;
        Cost { pages, micros: micros[micros.len() / 2], cards: self.cards }
    }
}

/// What a read and a change cost the server, with so many cards.
struct Cost {
    pages: f64,
    micros: f64,
    cards: u64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} pages and {:.1} µs with {} cards", self.pages, self.micros, self.cards)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_costs_the_same_with_ten_times_as_many_cards() {
    let server = Server::start_with(&["autovacuum=off", "shared_buffers=256MB", "max_wal_size=4GB"]);
    let mut few = Filled::new(&server, "few", cards()).await;
    let mut many = Filled::new(&server, "many", cards() * 10).await;
    for _ in 0..=TURNS {
        few.turn().await;
        many.turn().await;
    }
    let (few, many) = (few.cost().await, many.cost().await);
    let told = format!("a read and a change: {few}, {many}");
    println!("{told}");
    assert!(many.pages <= few.pages + PAGES_MORE_MAX, "{told}");
    let grows = if cards() < NOT_FEW { TIME_GROWS_MAX_WITH_FEW } else { TIME_GROWS_MAX };
    assert!(many.micros <= few.micros * grows, "{told}");
    assert!(few.pages > 5.0 && few.micros > 1.0, "the server has not told what it did: {told}");
}
