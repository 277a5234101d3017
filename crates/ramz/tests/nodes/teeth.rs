//! Teeth: the same bad day and the same books as in `three`, with issuer nodes whose store breaks a promise. Each must be caught; over
//! the store as it is, nobody is accused.
//!
//! Not here: a node that guesses that a commit in doubt has lost. It decides again from the row, and the guard tells it the truth; the
//! books find nothing wrong with it, as they should.

use std::sync::Arc;
use std::time::Duration;

use ramz_store::Store;
use tokio::time::timeout;

use crate::day::{lines, plague};
use crate::inside::{Between, Inside};
use crate::load::Load;
use crate::misled::{Breaks, Misled};
use crate::node::Mortal as _;
use crate::processes::bank::Bank;
use crate::processes::server::Server;
use crate::seeded::Seeded;
use crate::three::wrong_in;

const LASTS: Duration = Duration::from_secs(5);
/// What has no answer by then gets none: nodes that are misled may never give one.
const DONE_WITHIN: Duration = Duration::from_secs(3);
/// More than are used up in that time.
const CARDS: usize = 150;

/// Chance may spare a node that is misled for a day, not for so many.
const DAYS: usize = 3;

/// What the books say after a bad day of nodes so misled.
#[expect(clippy::print_stdout, reason = "with `--nocapture` it says how hard the day was")]
async fn told(breaks: Breaks, seeded: &Seeded) -> Vec<String> {
    let server = Server::start();
    let bank = Bank::open().await;
    bank.quick_keys();
    let lines = lines(&server).await;
    let between: Between = Arc::new(move |inner| Arc::new(Misled::new(inner, breaks)) as Arc<dyn Store>);
    let mut nodes: Vec<Inside> =
        lines.iter().map(|(_, url)| Inside::new(url.clone(), Arc::clone(&between))).collect();
    for node in &mut nodes {
        node.begin(&bank);
        node.ready().await;
    }
    let ends = nodes.iter().map(|node| node.ends(&bank.shutdown)).collect();
    let load = Load::new(bank, ends, CARDS, seeded.clone()).await;
    let mut clients = load.begin();
    let hardship = plague(&mut nodes, &lines, &server, &load, LASTS, seeded).await;
    load.end();
    let _ = timeout(DONE_WITHIN, async { while clients.join_next().await.is_some() {} }).await;
    load.break_off();
    while clients.join_next().await.is_some() {}
    let wrong = wrong_in(&load, server.url("")).await;
    let (calls, open) = load.history.counts();
    println!(
        "{breaks:?}: {hardship}; {calls} calls, {open} unanswered, {} approved, {} cards left; {} wrong ({seeded})",
        load.approved(),
        load.left.lock().unwrap().len(),
        wrong.len()
    );
    assert!(load.approved() > 20, "only {} payments ({seeded})", load.approved());
    wrong
}

/// What the books say after the first day of which they say anything.
async fn found(breaks: Breaks) -> Vec<String> {
    let seeded = Seeded::from_environment();
    for _ in 0..DAYS {
        let wrong = told(breaks, &seeded).await;
        if !wrong.is_empty() {
            return wrong;
        }
    }
    panic!("{DAYS} days of {breaks:?}, and nobody noticed ({seeded})");
}

/// The books name this among what is wrong.
#[track_caller]
fn caught(wrong: &[String], by: &str) {
    assert!(wrong.iter().any(|what| what.contains(by)), "nothing of {by:?} in:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_are_told_the_truth_are_not_accused() {
    assert_eq!(told(Breaks::Nothing, &Seeded::from_environment()).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_trusts_a_stale_row_is_caught() {
    let wrong = found(Breaks::TrustsStale).await;
    caught(&wrong, "was debited");
    caught(&wrong, "no order gives these answers");
}

/// What gives it away is not always the same: a PIN debited twice, an answer that changes, a request that is forgotten, a broken chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_guess_at_the_outcome_of_a_commit_is_caught() {
    found(Breaks::GuessesWon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn journal_rows_of_a_lost_swap_are_caught() {
    caught(&found(Breaks::KeepsLosersEntries).await, "the journal breaks at entry");
}
