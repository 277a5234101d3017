//! A node's memory does not grow with the bank: it is started beside very many cards, and works.
//!
//! `RAMZ_CARDS` says how many there are, in tens: 20,000, and a million in `./check long`.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::fill::{cards, fill};
use crate::load::Load;
use crate::node::{Mortal as _, Node};
use crate::processes::bank::Bank;
use crate::processes::server::Server;
use crate::seeded::Seeded;

/// Cards that work, beside those that lie there.
const BUSY: usize = 600;
const LASTS: Duration = Duration::from_secs(8);
const DONE_WITHIN: Duration = Duration::from_secs(90);
const MEMORY_MAX_KIB: u64 = 300 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_is_small_beside_very_many_cards() {
    let server = Server::start_with(&["autovacuum=off", "max_wal_size=4GB"]);
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut node = Node::new(&bank, "one", &json!({ "url": server.url("") }), |_| {});
    node.begin(&bank);
    node.up();
    // Beside one that runs: these rows are under nobody's keys, and none would start on them.
    fill(&server, "public", cards() * 10);
    node.ready().await;
    let ends = vec![node.ends(&bank, &bank.shutdown)];
    let load = Load::new(bank, ends, BUSY, Seeded::from_environment()).await;
    let mut clients = load.begin();
    sleep(LASTS).await;
    load.end();
    timeout(DONE_WITHIN, async { while clients.join_next().await.is_some() {} }).await.unwrap();
    let (peak, approved) = (node.process().peak_memory_kib(), load.approved());
    let there = server.sql("ramz", "SELECT count(*) FROM card");
    println!("a node beside {there} cards, after {approved} payments: at most {} MiB", peak / 1024);
    assert!(peak < MEMORY_MAX_KIB, "{peak} KiB beside {there} cards");
    assert!(approved > 100, "only {approved} payments");
    assert_eq!(there, (cards() * 10 + BUSY as u64).to_string());
}
