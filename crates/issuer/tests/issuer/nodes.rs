//! Several nodes over one store: what one lets through counts at the others, and a node whose clock is wrong is not ready and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use ramz_domain::{Clock as _, limits as bounds};
use ramz_issuer::config::LimitsConfig;
use ramz_store::MemoryStore;

use crate::bank::{Bank, Build, CARD, Node, until};
use crate::doubles::{Hand, Mood, Operator};
use crate::messages::{Wish, code, pan, phone, reversal};
use crate::outbox::one_more_than_the_operator_takes;
use crate::settings::limits;
use crate::wires::http;

/// Status of a request of one asker, to this node. The clock stands still, so what was taken stays taken.
async fn ask(bank: &Bank, node: &Node, amount: u64) -> u16 {
    node.pin_request("page", &bank.key(), &Wish::purchase(amount).json(&pan(CARD))).await.status
}

/// A number that a node shows among its metrics.
async fn metric(node: &Node, name: &str) -> u64 {
    let page = http(node.metrics, "GET", "/metrics", &[], "").await.body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_lets_through_counts_at_another() {
    let limits = LimitsConfig { asker_per_s: 8, ..limits() };
    let shared = Build { limits, ..Build::over(Arc::new(MemoryStore::shared())) };
    let (bank, first) = Bank::open(shared).await;
    let second = bank.node().await;
    for amount in 1..=8 {
        assert_eq!(ask(&bank, &first, amount).await, 202);
    }
    assert_eq!(ask(&bank, &first, 9).await, 429);
    let heard = async || metric(&second, "ramz_node_tells_total{way=\"heard\"}").await > 0;
    until("the second node hears of it", heard).await.unwrap();
    assert_eq!(ask(&bank, &second, 10).await, 429, "the asker has had eight, wherever");
    assert_eq!(metric(&second, "ramz_other_nodes").await, 1);

    // Over a store that is one node's, two would let through eight each: it is the exchange that counts.
    let (bank, first) = Bank::open(Build { limits, ..Build::default() }).await;
    let second = bank.node().await;
    for amount in 1..=8 {
        assert_eq!(ask(&bank, &first, amount).await, 202);
    }
    assert_eq!(ask(&bank, &second, 10).await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_goes_out_by_the_node_that_has_a_line() {
    let (bank, first) = Bank::open(Build::over(Arc::new(MemoryStore::shared()))).await;
    let line = Operator::new(bank.clock.clone());
    let _second = bank.node_with(&line).await;
    bank.operator.is_in(Mood::Down);
    // The clock stands still: no lease runs out, so it is the first node that gives the text away.
    assert_eq!(bank.ask_pin(&first, CARD, &Wish::purchase(70_000)).await.status, 202);
    until("the second node sends it", async || line.texts(&phone(CARD)).len() == 1).await.unwrap();
    assert_eq!(bank.operator.texts(&phone(CARD)).len(), 0);
    bank.settled().await.unwrap();
    assert_eq!((line.offered_late(), line.texts(&phone(CARD)).len()), (0, 1));
}

/// One node has more texts than its operator takes: it must not take over what another could send.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_place_at_one_node_goes_out_by_another() {
    let (bank, first) = Bank::open(Build::over(Arc::new(MemoryStore::shared()))).await;
    one_more_than_the_operator_takes(&bank, &first).await.unwrap();
    bank.advance(16);
    // The first node has swept. From here on the clock stands still: what it has leased would stay its own.
    tokio::time::sleep(bounds::SWEEP_EVERY + Duration::from_millis(500)).await;
    let line = Operator::new(bank.clock.clone());
    let _second = bank.node_with(&line).await;
    until("the second node sends it", async || line.texts(&phone(CARD)).len() == 1).await.unwrap();
    assert_eq!(bank.operator.texts(&phone(CARD)).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_off_the_stores_clock_is_not_ready() {
    let store = Arc::new(MemoryStore::shared());
    let (bank, node) = Bank::open(Build::over(store.clone())).await;
    let ready = async || http(node.metrics, "GET", "/readyz", &[], "").await;
    let now = bank.clock.now();
    store.set_clock(now.plus(Duration::from_secs(2)));
    let reply = ready().await;
    assert!(reply.status == 200 && reply.body.contains("store up"), "{}", reply.body);
    store.set_clock(now.plus(Duration::from_millis(2_001)));
    let reply = ready().await;
    assert!(reply.status == 503 && reply.body.contains("2001 ms from ours"), "{}", reply.body);
    bank.advance(5);
    assert!(ready().await.body.contains("2999 ms from ours"));
}

/// An hour ahead for a moment: had one payment been decided by it, the card's time would stand still for an hour everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_off_the_stores_clock_decides_nothing() {
    let store = Arc::new(MemoryStore::shared());
    let (bank, node) = Bank::open(Build::over(store.clone())).await;
    let right = bank.clock.now();
    store.set_clock(right);
    bank.clock.shows_the_worlds_time();
    let wish = Wish::purchase(90_000);
    let pin = bank.pin(&node, CARD, &wish).await.unwrap();
    let asked = bank.ask_pin(&node, CARD, &Wish::purchase(91_000)).await;
    assert_eq!(asked.status, 202);
    bank.settled().await.unwrap();
    tokio::time::sleep(bounds::CLOCKS_COMPARED_EVERY * 2).await;
    let payment = bank.payment(CARD, &Wish::purchase(91_000), "0000000");
    let (rows, story) = (bank.state(CARD).await, bank.story(CARD).await);

    // Found out at once, not when the store is asked again.
    bank.advance(3_600);
    let asked = bank.ask_pin(&node, CARD, &Wish::purchase(92_000)).await;
    assert_eq!((asked.status, asked.problem().as_str()), (503, "issuer-unavailable"));
    assert_eq!(bank.pay(&node, CARD, &wish, &pin).await.unwrap(), "91");
    assert_eq!((bank.state(CARD).await, bank.story(CARD).await), (rows, story));

    // What must get through is written by the store's time: else the PIN would run out with it, and its time never go back.
    assert_eq!(code(&node.ask(&reversal(&payment)).await.unwrap()), "00");
    assert_eq!(bank.story(CARD).await.last().unwrap(), "Reversed");

    bank.clock.set(right);
    assert_eq!(bank.pay(&node, CARD, &wish, &pin).await.unwrap(), "00");
    bank.host_was_asked(1).await.unwrap();
}

/// The line to the operator goes by its node's own clock: what ran out by that has its time at another node.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_ran_out_by_a_clock_that_is_off_goes_out_by_another_node() {
    let store = Arc::new(MemoryStore::shared());
    let (bank, first) = Bank::open(Build::over(store.clone())).await;
    let right = bank.clock.now();
    store.set_clock(right);
    bank.clock.shows_the_worlds_time();
    bank.operator.is_in(Mood::Held);
    assert_eq!(bank.ask_pin(&first, CARD, &Wish::purchase(93_000)).await.status, 202);
    until("its line has it", async || bank.operator.attempts() == 1).await.unwrap();
    tokio::time::sleep(bounds::CLOCKS_COMPARED_EVERY * 2).await;
    bank.advance(3_600);
    let clock = Hand::new();
    // The store's stands still, but is reckoned on for a second.
    clock.set(right.plus(Duration::from_millis(1_500)));
    clock.shows_the_worlds_time();
    let line = Operator::new(clock.clone());
    let second = bank.node_at(&line, clock).await;
    bank.operator.is_in(Mood::Up);
    // No lease runs out: it is the first node that gives the text away.
    until("the second node sends it", async || line.texts(&phone(CARD)).len() == 1).await.unwrap();
    assert_eq!((bank.operator.texts(&phone(CARD)).len(), bank.operator.attempts()), (0, 1));
    let pin = line.texts(&phone(CARD))[0].pin();
    assert_eq!(bank.pay(&second, CARD, &Wish::purchase(93_000), &pin).await.unwrap(), "00");
}
