//! A bad day of three nodes: killed, cut off from their database, and left hanging.

use std::sync::Arc;
use std::time::Duration;

use ramz_keys::SoftKeys;
use ramz_store::{PostgresConfig, PostgresStore};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::books;
use crate::line::Line;
use crate::load::Load;
use crate::node::Node;
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
    let (mut lines, mut nodes) = (Vec::new(), Vec::new());
    for name in ["one", "two", "three"] {
        let line = Line::to(server.port).await;
        let url = format!("postgresql://ramz@127.0.0.1:{}/ramz?sslmode=disable", line.port);
        let mut node = Node::new(&bank, name, &json!({ "url": url }), |_| {});
        node.begin(&bank);
        node.up();
        lines.push(line);
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
    let until = Instant::now() + lasts;
    let [mut kills, mut cuts, mut hangs, mut ended] = [0; 4];
    while Instant::now() < until {
        sleep(Duration::from_millis(100 + seeded.below(700))).await;
        let at = usize::try_from(seeded.below(3)).unwrap();
        match seeded.below(10) {
            0..=2 => {
                nodes[at].kill();
                sleep(Duration::from_millis(seeded.below(300))).await;
                nodes[at].begin(&load.bank);
                kills += 1;
            }
            3..=6 => {
                lines[at].cut();
                cuts += 1;
            }
            7 => {
                lines[at].hang();
                sleep(Duration::from_millis(seeded.below(1_500))).await;
                lines[at].cut();
                hangs += 1;
            }
            _ => {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                           WHERE application_name LIKE 'ramz %' AND random() < 0.5";
                server.sql("ramz", sql);
                ended += 1;
            }
        }
    }
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
        assert_eq!(node.process().terminate().0.code(), Some(0));
    }
    let verified = run(["journal", "verify", "--config", settings.to_str().unwrap()], "");
    assert!(verified.out.ends_with(", 0 broken chains\n"), "{}{} ({seeded})", verified.out, verified.err);
    assert!(load.approved() > 20, "only {} payments ({seeded})", load.approved());
    let (calls, open) = load.history.counts();
    // Shown with `--nocapture`: how hard it was.
    println!(
        "{kills} kills, {cuts} cuts, {hangs} hangs, {ended} ended sessions; {calls} calls, {open} unanswered, {} approved, {} refused; {}",
        load.approved(),
        load.refused.load(std::sync::atomic::Ordering::SeqCst),
        verified.out.trim()
    );
}

/// Everything that is wrong in the end, with the database at this address.
pub(crate) async fn wrong_in(load: &Load, url: String) -> Vec<String> {
    let config = PostgresConfig {
        url,
        password: None,
        ca: None,
        connections: 2,
        migrate: false,
        sharded: false,
        high_availability: false,
    };
    let store = PostgresStore::open(&config).await.unwrap();
    let passphrase = std::fs::read_to_string(load.bank.file("passphrase")).unwrap();
    let sealed = std::fs::read(load.bank.file("issuer.keys")).unwrap();
    let keys = SoftKeys::open(&sealed, passphrase.trim().as_bytes(), Arc::new(Random)).unwrap();
    books::wrong(load, &store, &keys).await
}
