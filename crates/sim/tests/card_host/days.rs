//! Bad days: answers held, lost, late, and cables pulled. What was decided stays decided.

use std::time::Duration;

use ramz_link::AskError;
use ramz_sim::host::Asked;
use tokio::time::{Instant, timeout};

use crate::bench::{BALANCE, Bench, PATIENCE, purchase, repeat};

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}

#[tokio::test]
async fn held_answers_wait_but_the_money_is_booked() {
    let bench = Bench::new().await;
    bench.host.hold();
    let link = bench.link.clone();
    let asking = tokio::spawn(async move { link.ask(purchase(1, 1000), PATIENCE).await });
    until("it is booked", || bench.left() == BALANCE - 1000).await;
    assert!(!asking.is_finished());
    bench.host.release();
    assert_eq!(asking.await.unwrap().unwrap().get(39), Some("00"));
}

#[tokio::test]
async fn a_lost_answer_is_given_to_the_repeat() {
    let bench = Bench::new().await;
    bench.host.silence_next(1);
    let lost = bench.link.ask(purchase(1, 1000), Duration::from_millis(100)).await;
    assert_eq!(lost, Err(AskError::TimedOut));
    bench.check(&repeat(&purchase(1, 1000)), "00", BALANCE - 1000).await;
    assert_eq!(bench.host.asked(&purchase(1, 1000)), Asked { times: 2, debits: 1, credits: 0 });
}

#[tokio::test]
async fn a_pulled_cable_loses_the_answer_and_the_link_comes_back() {
    let bench = Bench::new().await;
    bench.host.hold();
    let link = bench.link.clone();
    let asking = tokio::spawn(async move { link.ask(purchase(1, 1000), PATIENCE).await });
    until("it is booked", || bench.left() == BALANCE - 1000).await;
    bench.host.drop_connections();
    assert_eq!(asking.await.unwrap(), Err(AskError::Lost));
    bench.host.release();
    timeout(PATIENCE, bench.link.came_up()).await.expect("the link comes back");
    bench.check(&repeat(&purchase(1, 1000)), "00", BALANCE - 1000).await;
}

#[tokio::test]
async fn a_slow_host_is_slow() {
    let bench = Bench::new().await;
    let latency = Duration::from_millis(50);
    bench.host.set_latency(latency);
    let start = Instant::now();
    bench.check(&purchase(1, 1000), "00", BALANCE - 1000).await;
    assert!(start.elapsed() >= latency);
}
