//! One pair: a PIN asked for, read and paid with, from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ramz_api::client::PinRequests;
use ramz_api::pin_request::{Checked, PayeeChecked};
use ramz_domain::ambient::{name_in_order, random_bytes};
use ramz_domain::{Clock as _, Entropy, Moment, Pan, PayeeName, PaymentKind, Phone, Pin, Rial};
use ramz_iso8583::{Message, Mti};
use ramz_keys::{KeyRing, Keys as _, PinBlockFormat, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::{Link, LinkConfig, Names, Shape};
use tokio::sync::Barrier;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::phones::Phones;
use super::{Steps, TIMEOUT, say};
use crate::lab::measured;
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;
use crate::system::tcp::TcpConnector;

/// Trace numbers that there are, and seconds of a day.
const TRACES: u64 = 1_000_000;
const DAY_S: u64 = 86_400;

/// Everything a worker needs.
pub(super) struct Target {
    requests: PinRequests,
    phones: Phones,
    link: Arc<Link>,
    keys: SoftKeys,
    payee: Payee,
    name: PayeeName,
    trace: AtomicU64,
}

/// Who is paid.
pub(super) struct Payee {
    pub(super) acquirer: String,
    pub(super) merchant: String,
    pub(super) terminal: String,
    pub(super) name: String,
    pub(super) origin: String,
}

/// One of a worker's cards.
struct Card {
    number: usize,
    pan: Pan,
    phone: Phone,
}

/// What makes payments of one card others, by the number of the pair: the trace number, and where that begins anew another time of day.
/// The day is always the same.
fn time_of_day(trace: u64) -> String {
    let second = trace / TRACES % DAY_S;
    format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Where a run's traces begin: at a time of day of its own, since a bank that has just been measured still knows that run's payments. Its
/// trace numbers follow the clock, so that the same card is not soon asked for the same amount, by which its SMS is known.
fn first_trace(now: Moment, entropy: &dyn Entropy) -> u64 {
    let drawn = u64::from_be_bytes(random_bytes(entropy));
    drawn % DAY_S * TRACES + now.unix_ms() % TRACES
}

/// A switch's link to a bank's ISO 8583 port, signed on.
pub(super) async fn switch(
    address: &str,
    shape: Shape,
    shutdown: &CancellationToken,
) -> anyhow::Result<Arc<Link>> {
    let link = LinkConfig {
        name: "load → bank".into(),
        address: address.to_owned(),
        layout: shape.layout,
        header: shape.header,
        sign_on: true,
        echo_every: Duration::from_secs(20),
        answer_timeout: TIMEOUT,
    };
    let names = Names { ours: "load".into(), theirs: "bank".into() };
    let (connector, clock, entropy) =
        (Arc::new(TcpConnector), Arc::new(SystemClock), Arc::new(SystemEntropy));
    let tap = Arc::new(ramz_api::tap::NoTap);
    let link = Link::start(link, connector, clock, entropy, tap, names, shutdown.child_token());
    timeout(TIMEOUT, link.came_up()).await.context("the bank's ISO 8583 port does not take a sign-on")?;
    Ok(link)
}

/// When a worker's pairs are due, from the beginning on.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    first: Duration,
    every: Duration,
}

impl Pace {
    /// The share of one of so many workers in so many pairs a second: they take turns.
    pub(super) fn of(rate: u32, worker: usize, workers: usize) -> Pace {
        let turn = Duration::from_secs(1) / rate;
        let turns = |count: usize| turn * u32::try_from(count).unwrap_or(u32::MAX);
        Pace { first: turns(worker), every: turns(workers) }
    }

    /// When the pair after so many is due.
    fn due(self, began: Instant, pairs: usize) -> Instant {
        began + self.first + self.every * u32::try_from(pairs).unwrap_or(u32::MAX)
    }

    /// How many pairs are due before so much time is over, whether they can be begun or not.
    pub(super) fn due_within(self, time: Duration) -> u128 {
        time.saturating_sub(self.first).as_nanos().div_ceil(self.every.as_nanos().max(1))
    }
}

/// One worker: its cards in turn, each used at most as often as a card remembers answers for. The first pair opens its connections
/// and is not counted; the time begins when every worker has had one.
pub(super) async fn work(
    target: Arc<Target>,
    cards: Vec<usize>,
    ready: Arc<Barrier>,
    time: Duration,
    pace: Option<Pace>,
) -> anyhow::Result<Vec<Steps>> {
    let mut pairs = Vec::new();
    let mut began: Option<Instant> = None;
    let of =
        |number: &usize| measured::card(*number).map(|(pan, phone)| Card { number: *number, pan, phone });
    let cards: Vec<Card> = cards.iter().map(of).collect::<anyhow::Result<_>>()?;
    for round in 1..=measured::USES {
        for card in &cards {
            let due = match (began, pace) {
                (Some(began), Some(pace)) => Some(pace.due(began, pairs.len())),
                _ => None,
            };
            if let Some(began) = began
                && !is_begun(due, began + time).await
            {
                return Ok(pairs);
            }
            let paired = target.pair(card, round, due.unwrap_or_else(Instant::now)).await;
            let steps = paired.with_context(|| format!("measured card {}, use {round}", card.number))?;
            if began.is_some() {
                pairs.push(steps);
            } else {
                ready.wait().await;
                began = Some(Instant::now());
            }
        }
    }
    say::line("the cards are used up; give more of them (--cards)");
    Ok(pairs)
}

/// Waits until a pair is due, or until time is up: whether it is to begin. What was waited for begins, however late the timer is; who is
/// behind when time is up does not. Nothing waits for what is due later, and nothing ends before: a rate is of the time that was asked for.
async fn is_begun(due: Option<Instant>, end: Instant) -> bool {
    if Instant::now() >= end {
        return false;
    }
    let Some(due) = due else { return true };
    sleep_until(due.min(end).into()).await;
    due < end
}

impl Target {
    /// A target over these ways.
    pub(super) fn new(
        requests: PinRequests,
        phones: Phones,
        link: Arc<Link>,
        zone_key: &str,
        payee: Payee,
    ) -> anyhow::Result<Target> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let mut ring = KeyRing::generate(entropy.as_ref());
        ring.add_zone("bank", ZoneKey::new(ZoneCipher::Tdea, &hex::decode(zone_key)?)?)?;
        let trace = AtomicU64::new(first_trace(SystemClock.now(), entropy.as_ref()));
        let keys = SoftKeys::new(ring, entropy);
        let name = PayeeName::parse(&payee.name)?;
        Ok(Target { requests, phones, link, keys, payee, name, trace })
    }

    /// One PIN asked for, read, and paid with; the payment counts from when it is sent, all else from when the pair was due.
    async fn pair(
        &self,
        Card { pan, phone, .. }: &Card,
        round: usize,
        due: Instant,
    ) -> anyhow::Result<Steps> {
        let trace = self.trace.fetch_add(1, Ordering::Relaxed);
        let amount = Rial::new(1_000 + trace % TRACES)?;
        let texted = self.phones.expect(phone, amount);
        self.ask(pan, amount).await?;
        let request = micros(due);
        let pin = texted.pin(phone, amount).await?;
        let sms = micros(due);
        let began = Instant::now();
        let answer = self.link.ask(self.payment(pan, amount, &pin, trace)?, TIMEOUT).await?;
        let (payment, whole) = (micros(began), micros(due));
        match answer.get(39) {
            Some("00") => Ok(Steps { request, sms, payment, whole }),
            code => bail!(
                "answered {code:?} in round {round}; was the lab started with --measured-cards, and afresh?"
            ),
        }
    }

    async fn ask(&self, pan: &Pan, amount: Rial) -> anyhow::Result<()> {
        let request = Checked {
            pan: pan.clone(),
            kind: PaymentKind::Purchase,
            amount,
            payee: PayeeChecked::Merchant {
                acquirer: self.payee.acquirer.clone(),
                merchant: self.payee.merchant.clone(),
                terminal: self.payee.terminal.clone(),
                name: self.name.clone(),
            },
            origin: self.payee.origin.clone(),
            payer: None,
        };
        let key = Uuid::from_bytes(name_in_order(SystemClock.now(), &SystemEntropy));
        self.requests.ask(key, None, &request.to_json()).await?;
        Ok(())
    }

    fn payment(&self, pan: &Pan, amount: Rial, pin: &Pin, trace: u64) -> anyhow::Result<Message> {
        let (stan, time) = (format!("{:06}", trace % TRACES), time_of_day(trace));
        let mut message = Message::new(Mti::FINANCIAL);
        for (field, value) in [
            (2, pan.expose()),
            (3, "000000"),
            (4, &amount.de4()),
            (7, &format!("1124{time}")),
            (11, &stan),
            (12, &time),
            (13, "1124"),
            (14, measured::EXPIRY),
            (22, "812"),
            (25, "59"),
            (32, &self.payee.acquirer),
            (37, &format!("{:012}", trace % 1_000_000_000_000)),
            (41, &self.payee.terminal),
            (42, &self.payee.merchant),
            (49, "364"),
        ] {
            message.set(field, value);
        }
        let block = self.keys.make_pin_block(pin, pan, "bank", PinBlockFormat::Iso0)?;
        message.set(52, block.bytes.to_vec());
        Ok(message)
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// 100 pairs a second over four workers: one is due each 10 ms, of each worker in turn.
    #[test]
    fn workers_take_turns_at_a_rate() {
        let began = Instant::now();
        let mut due: Vec<(Duration, usize)> = (0..4)
            .flat_map(|worker| (0..25).map(move |pairs| (worker, pairs)))
            .map(|(worker, pairs)| (Pace::of(100, worker, 4).due(began, pairs) - began, worker))
            .collect();
        due.sort();
        let wanted: Vec<(Duration, usize)> =
            (0..100_u32).map(|pair| (Duration::from_millis(10) * pair, pair as usize % 4)).collect();
        assert_eq!(due, wanted);
    }

    /// Together as many as the rate says, also where a worker's turn comes after the end or just at it.
    #[test]
    fn as_many_are_due_as_the_rate_says() {
        for (rate, workers, ms, wanted) in [
            (100, 4, 1_000, 100),
            (4_000, 256, 6_000, 24_000),
            (1, 4, 1_000, 1),
            (1, 4, 2_001, 3),
            (7, 3, 1, 1),
        ] {
            let due = (0..workers)
                .map(|worker| Pace::of(rate, worker, workers).due_within(Duration::from_millis(ms)));
            assert_eq!(due.sum::<u128>(), wanted, "{rate}/s, {workers} workers, {ms} ms");
        }
    }

    /// A rate is of the time that was asked for: nothing waits for a turn after it, and nothing ends before it.
    #[tokio::test]
    async fn nobody_waits_for_a_turn_after_the_end() {
        let (time, long) = (Duration::from_millis(50), Duration::from_secs(60));
        let began = Instant::now();
        for after in [time, time + long] {
            let end = Instant::now() + time;
            assert!(!is_begun(Some(end - time + after), end).await);
            assert!(Instant::now() >= end && began.elapsed() < long / 2, "{after:?}");
        }
        // What is due begins; with time up, what is late does not.
        assert!(is_begun(Some(began), Instant::now() + long).await);
        assert!(is_begun(None, Instant::now() + long).await);
        assert!(!is_begun(Some(began), Instant::now()).await);
        assert!(!is_begun(None, Instant::now()).await);
    }

    /// A bank knows a payment of a card by trace number and time of day, for the ten minutes after it.
    #[test]
    fn a_run_that_follows_another_at_once_repeats_none_of_its_payments() {
        let now = Moment::from_unix_ms(1_800_000_999_990);
        let runs: Vec<u64> = (0..8).map(|_| first_trace(now, &SystemEntropy)).collect();
        let names = |first: u64| (first..first + 20).map(|trace| (trace % TRACES, time_of_day(trace)));
        let all: HashSet<_> = runs.iter().flat_map(|first| names(*first)).collect();
        // Eight draws of 86,400 fall together once in 3,000 times; all but one of them, never.
        assert!(all.len() >= 7 * 20, "{} of {runs:?}", all.len());
        // Where trace numbers begin anew it is another time, and a time of day always.
        assert_eq!(
            [TRACES - 1, TRACES, DAY_S * TRACES - 1, DAY_S * TRACES].map(time_of_day),
            ["000000", "000001", "235959", "000000"]
        );
    }
}
