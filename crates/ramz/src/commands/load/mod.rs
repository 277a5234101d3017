//! `ramz load`: measures from a second process, in a closed loop: ask for a PIN over HTTP, read its SMS, pay with it over
//! ISO 8583. So many workers, each with cards of its own, each waiting for its answer. With a rate the loop is open: pairs begin when they
//! are due, and what is late counts from then. Pairs that were due and never begun are told: the times of the others are too good by them.
//!
//! Two things can be measured: a running lab ([`lab`]), with router, trace and portal on the way, and one issuer alone
//! ([`issuer`]), which is started as a process of its own while switch, card host and SMSC run in this one.

mod issuer;
mod lab;
mod pair;
mod phones;
mod plain;
mod processor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::say;
use pair::{Pace, Target};
use processor::Processor;

const TIMEOUT: Duration = Duration::from_secs(15);
/// More than that many only measure this process.
const WORKERS_MAX: u64 = 10_000;
/// A pair each microsecond: times are told no finer.
const RATE_MAX: i64 = 1_000_000;
/// An hour, in microseconds: nothing that takes longer is told apart.
const LONGEST: u64 = 3_600_000_000;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The lab's portal; start the lab with `--measured-cards`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8700")]
    lab: String,
    /// Measure one issuer alone instead: it is started from this binary, with a store of its own in a temporary folder
    #[arg(long, conflicts_with = "lab")]
    issuer: bool,
    /// Let that issuer keep its rows in this PostgreSQL database, which must be new: postgresql://user@host/database?sslmode=disable
    #[arg(long, value_name = "URL", requires = "issuer", conflicts_with = "lab")]
    database: Option<String>,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..=WORKERS_MAX))]
    workers: usize,
    /// Begin so many pairs a second, each when it is due, and not as soon as the one before is done; times count from when it was due,
    /// but the payment's, which counts from when it is sent
    #[arg(long, value_name = "PAIRS", value_parser = clap::value_parser!(u32).range(1..=RATE_MAX))]
    rate: Option<u32>,
    /// How long, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Cards to use, one for each worker at least: as many as the lab was started with (`ramz lab --measured-cards`)
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    cards: usize,
}

/// Microseconds of each step of one pair.
struct Steps {
    request: u64,
    sms: u64,
    payment: u64,
    whole: u64,
}

/// Microseconds of each step, of all pairs. One for the whole run: a histogram has 200 KiB, and one for each worker would be filled with
/// zeros, and read, at the cost of the processor that is measured.
struct Times {
    request: Histogram<u64>,
    sms: Histogram<u64>,
    payment: Histogram<u64>,
    whole: Histogram<u64>,
}

impl Times {
    fn new() -> anyhow::Result<Times> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST, 3);
        Ok(Times { request: histogram()?, sms: histogram()?, payment: histogram()?, whole: histogram()? })
    }

    /// A time beyond the range counts as its end: an open loop that falls behind is to be reported, and not ended.
    fn record(&mut self, pair: &Steps) {
        self.request.saturating_record(pair.request);
        self.sms.saturating_record(pair.sms);
        self.payment.saturating_record(pair.payment);
        self.whole.saturating_record(pair.whole);
    }

    /// A row for each step; `open` if pairs were due at a rate.
    fn tell(&self, open: bool) {
        let whole = if open { "whole pair, from when it was due" } else { "whole pair" };
        say::line(format!("{:<32}      p50      p90      p99    p99.9      max", "milliseconds"));
        for (name, times) in [
            ("PIN request (202)", &self.request),
            ("SMS at handset", &self.sms),
            ("payment (0210)", &self.payment),
            (whole, &self.whole),
        ] {
            let at = |q: f64| {
                format!("{:9.2}", Duration::from_micros(times.value_at_quantile(q)).as_secs_f64() * 1e3)
            };
            let row: String = [0.5, 0.9, 0.99, 0.999, 1.0].map(at).concat();
            say::line(format!("{name:<32}{row}"));
        }
    }
}

/// What the rate came to: a pair that was due and never begun has no time in any row.
fn missed(rate: u32, due: u128, begun: u64) -> String {
    let missed = due.saturating_sub(begun.into());
    format!("at {rate} a second {due} were due, {missed} of them never begun")
}

/// A quarter of the cores: the others are for what is measured, and threads that wake each other cost this process an eighth more.
pub(super) fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.div_ceil(4)
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let (workers, cards) = (options.workers, options.cards);
    anyhow::ensure!(workers <= cards, "{workers} workers need a card each, and there are {cards} (--cards)");
    let shutdown = CancellationToken::new();
    if options.issuer {
        return issuer::measure(&options, &shutdown).await;
    }
    let target = Arc::new(lab::target(&options.lab, options.cards, &shutdown).await?);
    closed_loop(target, &options, &[]).await?;
    shutdown.cancel();
    Ok(())
}

/// What a loop has done.
struct Done {
    /// Pairs that were counted; each worker had one more before them.
    pairs: u64,
    /// Pairs a second.
    rate: f64,
}

/// Works the target for as long as was asked, and reports, with the processor time of these processes a pair.
async fn closed_loop(
    target: Arc<Target>,
    options: &Options,
    processes: &[(&str, Option<u32>)],
) -> anyhow::Result<Done> {
    let (ready, time) = (Arc::new(Barrier::new(options.workers + 1)), Duration::from_secs(options.seconds));
    let mut workers = JoinSet::new();
    for worker in 0..options.workers {
        let cards: Vec<usize> = (worker..options.cards).step_by(options.workers).collect();
        let pace = options.rate.map(|rate| Pace::of(rate, worker, options.workers));
        workers.spawn(pair::work(Arc::clone(&target), cards, Arc::clone(&ready), time, pace));
    }
    tokio::select! {
        _ = ready.wait() => {}
        // Before the time began: then it did not get so far.
        Some(ended) = workers.join_next() => { ended??; }
    }
    let processors: Vec<_> = processes.iter().map(|(name, id)| (name, Processor::of(*id))).collect();
    let began = Instant::now();
    let mut all = Times::new()?;
    while let Some(worked) = workers.join_next().await {
        worked??.iter().for_each(|pair| all.record(pair));
    }
    let took = began.elapsed().as_secs_f64();
    let pairs = all.payment.len();
    #[expect(clippy::cast_precision_loss, reason = "a count of seconds' work is far below 2^52")]
    let rate = pairs as f64 / took;
    say::line(format!(
        "{pairs} pairs of request and payment in {took:.1} s with {} workers: {rate:.0}/s",
        options.workers
    ));
    if let Some(rate) = options.rate {
        let each =
            (0..options.workers).map(|worker| Pace::of(rate, worker, options.workers).due_within(time));
        say::line(missed(rate, each.sum(), pairs));
    }
    all.tell(options.rate.is_some());
    for (name, processor) in processors {
        let Some(used) = processor.used() else { continue };
        #[expect(clippy::cast_precision_loss, reason = "a count of seconds' work is far below 2^52")]
        let each = used.as_secs_f64() * 1e6 / pairs.max(1) as f64;
        say::line(format!("processor time of {name}: {each:.0} µs a pair"));
    }
    Ok(Done { pairs, rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An open loop is behind by as much as it likes, and its report is what shows that.
    #[test]
    fn times_beyond_the_range_are_told_as_its_end() {
        let mut all = Times::new().unwrap();
        for micros in [1, 61_000_000, LONGEST * 3] {
            all.record(&Steps { request: micros, sms: micros, payment: micros, whole: micros });
        }
        for times in [&all.request, &all.sms, &all.payment, &all.whole] {
            let told = [0.0, 0.5, 1.0].map(|q| times.value_at_quantile(q) / 1_000_000);
            assert!(times.len() == 3 && told[1] == 61 && told[2] >= 3_600, "{told:?}");
        }
    }
}
