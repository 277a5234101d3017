//! What a pair of request and payment costs does not grow with the tables: with few cards and with ten times as many, in turns, the pages
//! that the server touches for it, which are the same on a busy machine, and the processor time of its sessions and of the store's side in
//! the node, by the median of the turns. (What a node does beside its store, which is as much again, does not know how many cards there
//! are.)
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
/// Pairs of a turn.
const PAIRS: u64 = 1_000;
const AT_ONCE: u64 = 50;
/// An index that is ten times as large is at most one level higher: a page more each time that a pair goes down one (a card's four times,
/// that of its sealed columns), and splits. A table that is read through costs thousands.
const PAGES_MORE_MAX: f64 = 7.0;
/// What processor time may grow by from a million cards on, and the server's part of it. Between fewer it says more of the processor's
/// own caches, which the smaller table fits into and the larger does not, than of the database.
const GROWS_MAX: (f64, f64) = (1.1, 1.15);
const GROWS_MAX_WITH_FEW: (f64, f64) = (1.4, 1.5);
const NOT_FEW: u64 = 1_000_000;

/// The key of a card by its number, spread like random ids. The server makes the same ([`fill`]).
fn key(number: u64) -> Vec<u8> {
    Sha256::digest(number.to_string())[..16].to_vec()
}

fn at(number: u64) -> Moment {
    Moment::from_unix_ms(1_700_000_000_000 + number)
}

/// What a row of a pair is named by, and its message: in the order in which they are written.
fn name(number: u64) -> [u8; 16] {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&number.to_be_bytes());
    name[15] = number.to_le_bytes()[0];
    name
}

fn message(number: u64, bytes: usize) -> Vec<OutboxNew> {
    let at = at(number);
    vec![OutboxNew { id: name(number), body: vec![1; bytes], expires: at, leased_until: at }]
}

fn swap(table: Table, key: Vec<u8>, expected: Option<u64>, bytes: usize) -> Swap {
    Swap {
        table,
        key,
        expected,
        body: vec![0xc4; bytes],
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    }
}

fn admission(number: u64) -> Change {
    let forget_after = Some(Moment::from_unix_ms(1_800_000_000_000));
    let swap = swap(Table::Admission, name(number).to_vec(), None, 56);
    Change::Swap(Swap { outbox: message(number, 350), forget_after, ..swap })
}

/// A card's next state, with an entry.
fn change(number: u64, version: u64, outbox: Vec<OutboxNew>) -> Change {
    let (seq, mac) = (version + 1, [7; 32]);
    let journal = vec![JournalEntry { seq, at: at(number), entry: vec![0x5a; 80], key_version: 1, mac }];
    let swap = swap(Table::Card, key(number), Some(version), 400);
    Change::Swap(Swap { head: Head { seq, mac }, journal, outbox, ..swap })
}

fn settled(owner: Vec<u8>, number: u64) -> Change {
    Change::Settle { owner, id: name(number) }
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
    /// Of each turn, a pair: the server's, and the node's.
    micros: Vec<(f64, f64)>,
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

    /// Pairs of cards far apart, each once.
    async fn turn(&mut self) {
        let (server, node) = (self.server.sessions_ns(), node_ns());
        for _ in 0..PAIRS / AT_ONCE {
            let numbers = self.next..self.next + AT_ONCE;
            let all = numbers.map(|nth| self.one(1 + nth * (self.cards / ((TURNS + 1) * PAIRS))));
            join_all(all).await;
            self.next += AT_ONCE;
        }
        let micros = |ns: u64| ns as f64 / 1e3 / PAIRS as f64;
        self.micros
            .push((micros(self.server.sessions_ns() - server), micros(node_ns().saturating_sub(node))));
    }

    /// What a pair reads of a card that no node has had to do with lately, and writes: admitted, issued, sent, spent, answered. (But for the
    /// index of card numbers: with ten million rows of that as well, the tables would not stay in the memory of a machine with 24 GB.)
    async fn one(&self, number: u64) {
        let read = self.store.read(Table::Card, &key(number)).await.unwrap().unwrap();
        assert_eq!((read.version, read.sealed.len()), (1, 1));
        let changes = [
            admission(number),
            change(number, 1, message(number, 16)),
            settled(name(number).to_vec(), number),
            settled(key(number), number),
            change(number, 2, Vec::new()),
            change(number, 3, Vec::new()),
        ];
        for change in changes {
            assert_eq!(self.committer.commit(change).await.unwrap(), Outcome::Won);
        }
    }

    /// What a pair costs.
    async fn cost(self) -> Cost {
        self.committer.shutdown().await;
        drop((self.committer, self.store));
        // The first turn opened the connections and prepared their statements.
        let turns = self.micros[1..].to_vec();
        let (server, node) = turns.iter().copied().unzip();
        let pairs = self.next as f64;
        // A session's numbers are told when it ends.
        let mut last = 0;
        let mut told = pages(self.server, self.schema);
        while last != told {
            tokio::time::sleep(SETTLED_WITHIN).await;
            (last, told) = (told, pages(self.server, self.schema));
        }
        let pages = (told - self.pages_before) as f64 / pairs;
        Cost { pages, turns, server: median(server), node: median(node), cards: self.cards }
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// What the threads of this test's runtime are called: other tests of this process have others.
const NODE: &str = "size-node";

/// Processor time of those threads: proc(5), the first number of `schedstat`.
fn node_ns() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let ns = |thread: std::fs::DirEntry| {
        let read = |name| std::fs::read_to_string(thread.path().join(name)).ok();
        (read("comm")?.trim() == NODE).then_some(())?;
        read("schedstat")?.split(' ').next()?.parse::<u64>().ok()
    };
    threads.filter_map(ns).sum()
}

/// What a pair costs with so many cards, in pages and microseconds.
struct Cost {
    pages: f64,
    /// The server's and the node's, turn by turn.
    turns: Vec<(f64, f64)>,
    server: f64,
    node: f64,
    cards: u64,
}

/// How much one costs more than the other: by the median of turns that came one after the other, as the machine is faster and slower.
fn grows(few: &Cost, many: &Cost, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
    median(few.turns.iter().zip(&many.turns).map(|(few, many)| of(many) / of(few)).collect())
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Cost { pages, server, node, cards, .. } = self;
        write!(
            f,
            "{pages:.1} pages, {server:.1} µs the server's and {node:.1} the node's, with {cards} cards"
        )
    }
}

#[test]
fn a_pair_costs_the_same_with_ten_times_as_many_cards() {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = threads.worker_threads(2).thread_name(NODE).enable_all().build().unwrap();
    let (few, many) = runtime.block_on(async { tokio::spawn(compare()).await.unwrap() });
    let (server, both) = (grows(&few, &many, |turn| turn.0), grows(&few, &many, |turn| turn.0 + turn.1));
    let told = format!("a pair: {few}; {many}: {both:.3} times as much, of the server's {server:.3}");
    println!("{told}");
    assert!(many.pages <= few.pages + PAGES_MORE_MAX, "{told}");
    let most = if cards() < NOT_FEW { GROWS_MAX_WITH_FEW } else { GROWS_MAX };
    assert!(both <= most.0 && server <= most.1, "{told}");
    let all_told = few.pages > 5.0 && few.server > 1.0 && few.node > 1.0;
    assert!(all_told, "somebody has not told what was done: {told}");
}

async fn compare() -> (Cost, Cost) {
    let server = Server::start_with(&["autovacuum=off", "shared_buffers=256MB", "max_wal_size=1GB"]);
    // The larger first: what is filled last is surely in memory still, where both fit (14 GB with ten million cards).
    let mut many = Filled::new(&server, "many", cards() * 10).await;
    let mut few = Filled::new(&server, "few", cards()).await;
    for _ in 0..=TURNS {
        few.turn().await;
        many.turn().await;
    }
    (few.cost().await, many.cost().await)
}
