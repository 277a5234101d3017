//! The primary is killed under load, and its standby takes its place: nothing that was answered is lost, and the nodes go on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::load::Load;
use crate::node::{Mortal as _, Node};
use crate::processes::bank::Bank;
use crate::processes::server::Server;
use crate::processes::until;
use crate::seeded::Seeded;
use crate::three::wrong_in;

const CARDS: usize = 90;
/// The primary without a standby, before it dies.
const ALONE: Duration = Duration::from_millis(500);
/// By then what was under way when it was killed has failed.
const SETTLED_WITHIN: Duration = Duration::from_millis(700);
/// Without a primary for so long.
const WITHOUT: Duration = Duration::from_secs(2);
/// After the promotion nodes pay again by then.
const AGAIN_WITHIN: Duration = Duration::from_secs(15);
const DONE_WITHIN: Duration = Duration::from_secs(90);

fn follows(server: &Server, name: &str) {
    server.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
    server.sql("postgres", "SELECT pg_reload_conf()");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fail_over_loses_nothing_that_was_answered() {
    let seeded = Seeded::from_environment();
    let mut first = Server::start();
    let second = first.standby("second");
    let third = second.standby("third");
    follows(&first, "second");
    // In force once it is the primary.
    follows(&second, "third");
    let bank = Bank::open().await;
    bank.quick_keys();
    let (one, other) = (first.port, second.port);
    let url = format!("postgresql://ramz@127.0.0.1:{one},127.0.0.1:{other}/ramz?sslmode=disable");
    let store = json!({ "url": url, "high_availability": true });
    let mut nodes: Vec<Node> = ["one", "two"].map(|name| Node::new(&bank, name, &store, |_| {})).into();
    for node in &mut nodes {
        node.begin(&bank);
        node.up();
    }
    for node in &nodes {
        node.ready().await;
    }
    let ends = nodes.iter().map(|node| node.ends(&bank, &bank.shutdown)).collect();
    let load = Load::new(bank, ends, CARDS, seeded.clone()).await;
    let mut clients = load.begin();
    let some = async {
        while load.approved() < 20 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DONE_WITHIN, some).await.unwrap();
    // Its line to the standby fails first, and a moment later all of it: what is committed in between no other machine has.
    second.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
    second.sql("postgres", "SELECT pg_reload_conf()");
    sleep(ALONE).await;
    first.kill();
    sleep(SETTLED_WITHIN).await;
    let (approved, refused) = (load.approved(), load.refused.load(Ordering::SeqCst));
    load.away.store(true, Ordering::SeqCst);
    sleep(WITHOUT).await;
    load.away.store(false, Ordering::SeqCst);
    let (without, turned_away) = (load.approved(), load.refused.load(Ordering::SeqCst) - refused);
    second.promote();
    let promoted = Instant::now();
    let again = async {
        while load.approved() < without + 5 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let again = timeout(AGAIN_WITHIN, again).await;
    let after = promoted.elapsed();
    load.end();
    let finished = timeout(DONE_WITHIN, async { while clients.join_next().await.is_some() {} }).await;
    let said: String = nodes.iter_mut().map(|node| node.process().complaints()).collect();
    assert!(again.is_ok() && finished.is_ok(), "the nodes do not go on ({seeded}) {said}");
    assert_eq!(without, approved, "approved without a database ({seeded})");
    assert!(turned_away > 0, "nobody was told that there is no database ({seeded})");
    let wrong = wrong_in(&load, second.url("")).await;
    assert_eq!(wrong, Vec::<String>::new(), "({seeded})\n{}", wrong.join("\n"));
    let (calls, open) = load.history.counts();
    println!(
        "{calls} calls, {open} unanswered, {} approved, {turned_away} turned away; again after {after:.1?}",
        load.approved()
    );
    drop(third);
}

/// It tells the time as ever, and can serve nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_last_standby_went_is_not_ready() {
    let first = Server::start();
    let mut second = first.standby("second");
    follows(&first, "second");
    let bank = Bank::open().await;
    bank.quick_keys();
    let store = json!({ "url": first.url(""), "high_availability": true });
    let mut node = Node::new(&bank, "one", &store, |_| {});
    node.begin(&bank);
    node.up();
    node.ready().await;
    second.kill();
    let said = until("it is not ready", async || {
        let reply = node.readiness().await?;
        (reply.status == 503).then_some(reply.text)
    });
    let said = said.await;
    assert!(said.contains("store down: "), "{said}");
    second.again();
    node.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_synchronous_standbys_no_node_starts_in_high_availability() {
    let server = Server::start();
    let bank = Bank::open().await;
    bank.quick_keys();
    let store = json!({ "url": server.url(""), "high_availability": true });
    let mut node = Node::new(&bank, "one", &store, |_| {});
    node.begin(&bank);
    assert!(!node.process().ends().success());
    let said = node.process().said();
    assert!(said.contains("the server has no synchronous standbys"), "{said}");
}
