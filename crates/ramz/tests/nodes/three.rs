//! A bad day of three nodes: killed, cut off from their database, and left hanging.

use std::sync::Arc;
use std::time::Duration;

use ramz_keys::SoftKeys;
use ramz_store::{PostgresConfig, PostgresStore};
use serde_json::json;
use tokio::time::timeout;

use crate::books;
use crate::day::{lines, plague};
use crate::load::Load;
use crate::node::{Mortal as _, Node};
use crate::processes::bank::Bank;
use crate::processes::process::run;
use crate::processes::server::Server;
use crate::processes::surroundings::Random;
use crate::seeded::Seeded;

const LASTS: Duration = Duration::from_secs(20);
/// Time-outs, leases and sweeps: by then everybody has an answer.
const DONE_WITHIN: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_on_one_database_are_one_clerk() {
    let seeded = Seeded::from_environment();
    let lasts = std::env::var("NODES_S").map_or(LASTS, |s| Duration::from_secs(s.parse().unwrap()));
    let server = Server::start();
    let bank = Bank::open().await;
    bank.quick_keys();
    let lines = lines(&server).await;
    let mut nodes = Vec::new();
    for (name, (_, url)) in ["one", "two", "three"].into_iter().zip(&lines) {
        let mut node = Node::new(&bank, name, &json!({ "url": url }), |_| {});
        node.begin(&bank);
        node.up();
        nodes.push(node);
    }
    for node in &nodes {
        node.ready().await;
    }
    let ends = nodes.iter().map(|node| node.ends(&bank, &bank.shutdown)).collect();
    // More than are used up in that time.
    let cards = 100 + usize::try_from(lasts.as_secs()).unwrap() * 15;
    let load = Load::new(bank, ends, cards, seeded.clone()).await;
    let mut clients = load.begin();
    let hardship = plague(&mut nodes, &lines, &server, &load, lasts, &seeded).await;
    load.end();
    let finished = timeout(DONE_WITHIN, async { while clients.join_next().await.is_some() {} }).await;
    let said: String = nodes.iter_mut().map(|node| node.process().complaints()).collect();
    assert!(finished.is_ok(), "not answered to the end ({seeded}) {said}");
    let all: String = nodes.iter_mut().map(|node| node.process().said()).collect();
    assert!(!all.contains("panicked"), "{all}");
    let wrong = wrong_in(&load, server.url("")).await;
    assert_eq!(wrong, Vec::<String>::new(), "({seeded})\n{}", wrong.join("\n"));
    let settings = load.bank.file("one.toml");
    for node in &mut nodes {
        node.supervise(&load.bank);
        node.ready().await;
        let process = node.process();
        let (ended, after) = process.terminate();
        assert_eq!(ended.code(), Some(0), "after {after:?} ({seeded}) {}", process.complaints());
    }
    let verified = run(["journal", "verify", "--config", settings.to_str().unwrap()], "");
    assert!(verified.out.ends_with(", 0 broken chains\n"), "{}{} ({seeded})", verified.out, verified.err);
    assert!(load.approved() > 20, "only {} payments ({seeded})", load.approved());
    let (calls, open) = load.history.counts();
    // Shown with `--nocapture`: how hard it was.
    println!(
        "{hardship}; {calls} calls, {open} unanswered, {} approved, {} refused; {}",
        load.approved(),
        load.refused.load(std::sync::atomic::Ordering::SeqCst),
        verified.out.trim()
    );
}

/// Everything that is wrong in the end, with the database at this address.
pub(crate) async fn wrong_in(load: &Load, url: String) -> Vec<String> {
    let config = PostgresConfig { connections: 2, migrate: false, ..PostgresConfig::new(url, [7; 8]) };
    let store = PostgresStore::open(&config).await.unwrap();
    let passphrase = std::fs::read_to_string(load.bank.file("passphrase")).unwrap();
    let sealed = std::fs::read(load.bank.file("issuer.keys")).unwrap();
    let keys = SoftKeys::open(&sealed, passphrase.trim().as_bytes(), Arc::new(Random)).unwrap();
    books::wrong(load, &store, &keys).await
}
