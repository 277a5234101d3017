//! What a dead bank costs the other bank's askers: the 99th percentile of the healthy bank's answers at the router, in
//! rounds in which both banks live and rounds in which one is dead, in turns, in one run.
//!
//!     cargo run --release -p ramz-router --example dead_bank [rounds] [seconds a round] [requests a second a bank]
//!
//! The router is the real one, over loopback sockets and real HTTP; the banks are small servers that answer at once, so that
//! what is measured is the router. Requests are sent at a fixed rate whatever the answers do, and each is timed from when
//! it was due. A round with a dead bank begins with its breaker closed: all of the outage is in it, from the first request
//! that waits in vain over the full bulkhead to the open breaker.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops where it cannot go on, and prints"
)]

#[path = "../tests/role/proxy.rs"]
#[expect(dead_code, reason = "a measurement uses another part of the surroundings than the tests")]
mod proxy;
#[path = "../tests/role/world.rs"]
#[expect(dead_code, reason = "a measurement uses another part of the surroundings than the tests")]
mod world;

use std::{sync::Arc, time::Duration};

use ramz_api::client::PinRequests;
use tokio::{task::JoinSet, time};
use uuid::Uuid;

use crate::{
    proxy::{Fault, Proxy},
    world::{Bank, Dial, MELLAT, MELLI, World, bytes, config, purchase, router_over},
};

/// The answers of the healthy bank in rounds of one kind.
#[derive(Default)]
struct Series {
    pooled: Vec<Duration>,
    rounds: Vec<Duration>,
    failed: usize,
}

impl Series {
    fn add(&mut self, mut round: Vec<Duration>, failed: usize) {
        round.sort_unstable();
        self.rounds.push(at(&round, 99));
        self.pooled.extend(round);
        self.failed += failed;
    }

    /// Prints, and returns both forms of the p99 in milliseconds.
    fn tell(&mut self, name: &str) -> (f64, f64) {
        self.pooled.sort_unstable();
        self.rounds.sort_unstable();
        let ms = |span: Duration| span.as_secs_f64() * 1e3;
        let (pooled, median) = (ms(at(&self.pooled, 99)), ms(at(&self.rounds, 50)));
        println!(
            "  {name:<16} {} answers, {} failed; p50 {:.3} ms, p99 {pooled:.3} ms; median of the rounds' p99 {median:.3} ms",
            self.pooled.len(),
            self.failed,
            ms(at(&self.pooled, 50)),
        );
        (pooled, median)
    }
}

/// The percentile of sorted values.
fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let rounds = arguments.next().unwrap_or(8);
    let span = Duration::from_secs(arguments.next().unwrap_or(8));
    let rate = arguments.next().unwrap_or(500);
    let (first, second) = (Bank::fine().await, Bank::fine().await);
    let proxy = Proxy::before(first.address).await;
    let mut config = config(&[("mellat", proxy.address), ("melli", second.address)]);
    for asker in &mut config.askers {
        (asker.rate_per_s, asker.burst) = (1_000_000, 1_000_000);
    }
    let world = router_over(Arc::new(Dial), config).await;
    println!("{rounds} pairs of rounds of {} s, {rate} requests a second for each bank", span.as_secs());
    for fault in [Fault::Silence, Fault::Refuse] {
        let (mut alive, mut dead) = (Series::default(), Series::default());
        round(&world, Duration::from_secs(1), rate).await;
        for pair in 0..rounds {
            // In turns, each pair the other way round: what drifts on the machine drifts through both.
            for is_dead in [pair % 2 == 1, pair % 2 == 0] {
                proxy.is(if is_dead { fault } else { Fault::None });
                let (answers, failed) = round(&world, span, rate).await;
                let series = if is_dead { &mut dead } else { &mut alive };
                series.add(answers, failed);
                heal(&world, &proxy).await;
                // What the banks remember for tests would only grow here.
                for bank in [&first, &second] {
                    bank.sent.lock().unwrap().clear();
                    bank.deadlines.lock().unwrap().clear();
                }
            }
        }
        println!("one bank of two, dead by {fault:?}; the other:");
        let (a, a_median) = alive.tell("while both live");
        let (b, b_median) = dead.tell("while one is dead");
        println!("  ratio of the p99 {:.3}, of the medians {:.3}", b / a, b_median / a_median);
    }
}

/// Sends to both banks at this rate; the times of the second bank's answers, and how many were no 202.
async fn round(world: &World, span: Duration, rate: u64) -> (Vec<Duration>, usize) {
    let (healthy, other) = (world.asking(), world.asking());
    let (for_healthy, for_other) = (bytes(&purchase(MELLI)), bytes(&purchase(MELLAT)));
    let mut ticks = time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Burst);
    let (mut asked, mut beside) = (JoinSet::new(), JoinSet::new());
    for n in 0..u128::from(span.as_secs() * rate) {
        let due = ticks.tick().await;
        beside.spawn(ask(other.clone(), n, for_other.clone(), due));
        asked.spawn(ask(healthy.clone(), n, for_healthy.clone(), due));
    }
    let answers = asked.join_all().await;
    beside.join_all().await;
    let failed = answers.iter().filter(|(_, good)| !good).count();
    (answers.into_iter().map(|(took, _)| took).collect(), failed)
}

async fn ask(asking: PinRequests, n: u128, body: Vec<u8>, due: time::Instant) -> (Duration, bool) {
    let answer = asking.ask(Uuid::from_u128(n), None, &body).await;
    (due.elapsed(), answer.is_ok())
}

/// The dead bank lives again, and its breaker is closed: the clock moves by hand, and one probe goes through.
async fn heal(world: &World, proxy: &Proxy) {
    proxy.is(Fault::None);
    loop {
        world.clock.advance(Duration::from_secs(120));
        if world.asking().ask(Uuid::from_u128(1), None, &bytes(&purchase(MELLAT))).await.is_ok() {
            return;
        }
    }
}
