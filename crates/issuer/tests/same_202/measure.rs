//! How long the 202 takes for cards of each class, under one condition: requests in random order, over real sockets, at an
//! issuer over SQLite.
//!
//! Each request's class is drawn by one shuffle of all of them. So whatever the machine does meanwhile meets every class
//! alike, and a difference between classes is the issuer's. (Not in blocks with one of each class: there a known card would
//! never follow a known one, and what a request leaves behind would count as a property of the next.)

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ramz_domain::Entropy as _;
use ramz_domain::limits::ADMISSION_WORK_MAX;
use ramz_issuer::config::LimitsConfig;
use ramz_keys::{IndexPurpose, Keys as _};
use ramz_store::Store;
use tokio::task::JoinSet;

use crate::bank::{Bank, Build, Node, Told, same, until};
use crate::doubles::{Logs, Mood, Seeded};
use crate::held::Held;
use crate::leaky;
use crate::line::{Line, request};
use crate::messages::{Wish, pan, phone};
use crate::rank::{Ranked, compare, median};
use crate::settings::limits;

/// What may not be told from the answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// Its PIN goes out.
    Known,
    /// The bank does not have it.
    Unknown,
    /// After three wrong PINs.
    Locked,
    /// No phone is registered for it.
    NoPhone,
    /// Asked for too often.
    Limited,
}

pub(crate) const CLASSES: [Class; 5] =
    [Class::Known, Class::Unknown, Class::Locked, Class::NoPhone, Class::Limited];

/// What goes on beside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Condition {
    /// One asker, nothing beside it.
    Calm,
    /// Parallel askers, load on the same cards and on others, and no line to the operator.
    Contention,
    /// More load than there are places for card work.
    Overload,
}

/// How much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) condition: Condition,
    /// Measured requests of each class.
    pub(crate) per_class: u32,
    /// Parallel askers that are measured.
    pub(crate) askers: usize,
    /// Parallel askers beside them.
    pub(crate) load: usize,
    /// Whether they come through a door that looks at the card before it answers.
    pub(crate) leaky: bool,
    pub(crate) seed: u64,
}

/// Cards of a class that may be asked for again and again without a change of class.
const OF_A_CLASS: u32 = 8;
/// Cards that only the load asks for.
const OTHERS: u32 = 128;
/// Cards that are not there, and whose work is stuck.
const STUCK: u32 = 900_000;
/// What stuck work leaves of the places for card work: few enough to be taken and free in turns.
const PLACES_LEFT: usize = 8;

impl Class {
    /// The `n`th request's card. A known card and an unknown one is asked for once by those who are measured.
    fn card(self, n: u32) -> u32 {
        match self {
            Class::Known => 100_000 + n,
            Class::Unknown => 500_000 + n,
            Class::Locked => 1_000 + n % OF_A_CLASS,
            Class::NoPhone => 2_000 + n % OF_A_CLASS,
            Class::Limited => 3_000 + n % OF_A_CLASS,
        }
    }
}

fn other(n: u32) -> u32 {
    4_000 + n % OTHERS
}

/// One measured request.
#[derive(Clone, Copy)]
struct Taken {
    class: Class,
    /// What the same connection asked for before.
    before: Option<Class>,
    nanos: u64,
}

/// What was measured under one condition.
pub(crate) struct Measured {
    plan: Plan,
    taken: Vec<Taken>,
    /// Requests of the load that were answered meanwhile.
    loaded: u64,
    /// Requests for whose card work there was no room.
    left_to_the_sweeper: usize,
    took: Duration,
}

impl Measured {
    /// Each class beside the known cards, by the time of its own answer.
    pub(crate) fn pairs(&self) -> Vec<(Class, Ranked)> {
        pairs(&self.by(|taken| Some(taken.class)))
    }

    /// Says which class can be told from a known card: more than `sigma` standard errors away from one half.
    pub(crate) fn same_within(&self, sigma: f64) -> Told {
        let told = |(class, ranked): (Class, Ranked)| {
            let apart = ranked.z().abs() > sigma;
            apart.then(|| format!("{class:?} is told from Known: {ranked:?}, {:.1} errors away", ranked.z()))
        };
        let all: Vec<String> = self.pairs().into_iter().filter_map(told).collect();
        if all.is_empty() { Ok(()) } else { Err(format!("{:?}: {}", self.plan.condition, all.join("; "))) }
    }

    fn by(&self, class: impl Fn(&Taken) -> Option<Class>) -> BTreeMap<Class, Vec<u64>> {
        let mut times: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for taken in &self.taken {
            if let Some(class) = class(taken) {
                times.entry(class).or_default().push(taken.nanos);
            }
        }
        times
    }

    /// The figures, as a table.
    pub(crate) fn table(&self) -> String {
        let Plan { condition, askers, load, .. } = self.plan;
        let mut text = format!(
            "{condition:?}: {} requests by {askers} askers in {:.1} s; beside them {load} others with {} requests; card work \
             left to the sweeper {} times\n",
            self.taken.len(),
            self.took.as_secs_f64(),
            self.loaded,
            self.left_to_the_sweeper
        );
        rows(&mut text, "the card's own answer", &self.by(|taken| Some(taken.class)));
        if askers == 1 {
            rows(&mut text, "the answer after the card's", &self.by(|taken| taken.before));
        }
        text
    }
}

fn pairs(times: &BTreeMap<Class, Vec<u64>>) -> Vec<(Class, Ranked)> {
    let known = &times[&Class::Known];
    let others = times.iter().filter(|(class, _)| **class != Class::Known);
    others.map(|(class, series)| (*class, compare(series, known))).collect()
}

fn rows(text: &mut String, what: &str, times: &BTreeMap<Class, Vec<u64>>) {
    let known = &times[&Class::Known];
    #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
    let ms = |series: &[u64]| median(series) as f64 / 1e6;
    writeln!(text, "  {what}; Known: n {}, median {:.3} ms", known.len(), ms(known)).unwrap();
    for (class, ranked) in pairs(times) {
        let Ranked { superiority, error, p } = ranked;
        let series = &times[&class];
        writeln!(
            text,
            "    {:<8} n {:>5}, median {:>7.3} ms, superiority {superiority:.4} ± {error:.4} ({:+.1}), p {p:.4}",
            format!("{class:?}"),
            series.len(),
            ms(series),
            ranked.z()
        )
        .unwrap();
    }
}

/// Measures, at a bank of its own.
pub(crate) async fn measure(plan: Plan) -> Result<Measured, String> {
    // All that is asked here comes within one second of a clock that stands; the card's own limits are the defaults.
    const NONE: u32 = 1_000_000;
    let limits = LimitsConfig { payee_in_hour: NONE, iin_per_s: NONE, asker_per_s: NONE, ..limits() };
    let durable = Build::durable();
    let held = Held::new(Arc::clone(&durable.store));
    let store: Arc<dyn Store> = held.clone();
    let bank = Bank::without_cards(Build { limits, store, ..durable }).await;
    let node = bank.node().await;
    furnish(&bank, &node, plan).await?;
    if plan.condition == Condition::Contention {
        bank.operator.is_in(Mood::Down);
    }
    let address = match plan.leaky {
        true => leaky::door(&bank, Arc::clone(&node.running.engine), node.running.api).await,
        false => node.running.api,
    };
    if plan.condition == Condition::Overload {
        fill(&bank, &node, &held).await?;
    }
    let overflowed =
        || String::from_utf8_lossy(&Logs::all().bytes()).matches("too much card work in hand").count();
    let (overflowed_before, began) = (overflowed(), Instant::now());
    let (taken, loaded) = ask_all(plan, address, node.running.api).await?;
    let (took, left_to_the_sweeper) = (began.elapsed(), overflowed() - overflowed_before);
    if plan.condition == Condition::Calm && !plan.leaky {
        // The classes are what they are called.
        bank.settled().await?;
        for (class, expected) in [(Class::Known, 1), (Class::Locked, 1), (Class::NoPhone, 0)] {
            let texts = bank.operator.texts(&phone(class.card(0))).len();
            same(texts, expected, &format!("SMS to a card: {class:?}"))?;
        }
        same(bank.operator.texts(&phone(Class::Limited.card(0))).len(), 2, "SMS to a limited card")?;
    }
    let expected = plan.condition == Condition::Overload;
    same(left_to_the_sweeper > 0, expected, "card work had no place")?;
    Ok(Measured { plan, taken, loaded, left_to_the_sweeper, took })
}

/// The cards of every class, as they are when the measurement begins.
async fn furnish(bank: &Bank, node: &Node, plan: Plan) -> Told {
    let mut cards: Vec<u32> = (0..plan.per_class).map(|n| Class::Known.card(n)).collect();
    cards.extend((0..if plan.load > 0 { OTHERS } else { 0 }).map(other));
    // A few at once: the store writes them together.
    for four in cards.chunks(4) {
        let add = async |at: usize| {
            if let Some(card) = four.get(at) {
                bank.add(node, *card, Some(*card)).await;
            }
        };
        tokio::join!(add(0), add(1), add(2), add(3));
    }
    let wish = Wish::purchase(41_000);
    for n in 0..OF_A_CLASS {
        bank.add(node, Class::NoPhone.card(n), None).await;
        let locked = Class::Locked.card(n);
        bank.add(node, locked, Some(locked)).await;
        let pin = bank.pin(node, locked, &wish).await?;
        let wrong = if pin == "0000000" { "0000001" } else { "0000000" };
        for _ in 0..3 {
            bank.pay(node, locked, &wish, wrong).await?;
        }
        same(node.running.locked(bank.card(locked)).await, true, "a card is locked")?;
        let limited = Class::Limited.card(n);
        bank.add(node, limited, Some(limited)).await;
        for times in 0..4 {
            same(
                bank.ask_pin(node, limited, &Wish::purchase(42_000 + times)).await.status,
                202,
                "a request",
            )?;
        }
    }
    bank.settled().await
}

/// Takes nearly all places for card work, as a store would in which work is stuck.
async fn fill(bank: &Bank, node: &Node, held: &Held) -> Told {
    let stuck = ADMISSION_WORK_MAX - PLACES_LEFT;
    let cards: Vec<String> = (0..u32::try_from(stuck).unwrap()).map(|n| pan(STUCK + n)).collect();
    for card in &cards {
        let tag =
            bank.soft.index(IndexPurpose::Pan, &[card.as_bytes()]).map_err(|fault| fault.to_string())?;
        held.hold([&tag.version.to_be_bytes()[..], &tag.bytes].concat());
    }
    let mut asking = JoinSet::new();
    for cards in cards.chunks(stuck / 16) {
        let (cards, door) = (cards.to_vec(), node.running.api);
        asking.spawn(async move {
            let mut line = Line::to(door).await;
            for card in cards {
                let status = line.ask(&request(&Wish::purchase(300_000).json(&card))).await?;
                same(status, 202, "the answer to a request whose work is stuck")?;
            }
            Ok(())
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap().map_err(|why: String| why)?;
    }
    until("the work is stuck", async || held.waiting() == stuck).await
}

/// Asks for everything, in one shuffled order, with the load beside it.
async fn ask_all(plan: Plan, door: SocketAddr, past: SocketAddr) -> Result<(Vec<Taken>, u64), String> {
    let dice = Seeded::new(plan.seed);
    let mut order: Vec<(Class, u32)> = Vec::new();
    for class in CLASSES {
        order.extend((0..plan.per_class).map(|n| (class, class.card(n))));
    }
    for last in (1..order.len()).rev() {
        order.swap(last, below(&dice, last + 1));
    }
    let cards: Vec<u32> = order.iter().map(|(_, card)| *card).collect();
    let load = Arc::new(Load { cards, stop: AtomicBool::new(false), asked: AtomicU64::new(0) });
    let mut loading = JoinSet::new();
    for n in 0..plan.load {
        loading.spawn(Arc::clone(&load).ask(n, past));
    }
    let (order, mut asking) = (Arc::new(Mutex::new(order.into_iter())), JoinSet::new());
    for _ in 0..plan.askers {
        let order = Arc::clone(&order);
        asking.spawn(async move {
            let (mut line, mut taken, mut before) = (Line::to(door).await, Vec::new(), None);
            loop {
                let Some((class, card)) = order.lock().unwrap().next() else { return Ok(taken) };
                let request = request(&Wish::purchase(100_000).json(&pan(card)));
                let began = Instant::now();
                let status = line.ask(&request).await?;
                let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap();
                same(status, 202, &format!("the answer for a card: {class:?}"))?;
                taken.push(Taken { class, before, nanos });
                before = Some(class);
            }
        });
    }
    let mut all = Vec::new();
    while let Some(taken) = asking.join_next().await {
        all.extend(taken.unwrap().map_err(|why: String| why)?);
    }
    load.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = loading.join_next().await {
        ended.unwrap()?;
    }
    Ok((all, load.asked.load(Ordering::SeqCst)))
}

/// Less than `bound`.
fn below(dice: &Seeded, bound: usize) -> usize {
    let mut bytes = [0; 8];
    dice.fill(&mut bytes);
    usize::try_from(u64::from_be_bytes(bytes) % u64::try_from(bound).unwrap()).unwrap()
}

/// What is asked beside those who are measured.
struct Load {
    cards: Vec<u32>,
    stop: AtomicBool,
    asked: AtomicU64,
}

impl Load {
    /// In turns for a card of its own and for one that is measured, until it is stopped.
    async fn ask(self: Arc<Self>, seed: usize, door: SocketAddr) -> Told {
        let (dice, mut line) = (Seeded::new(u64::try_from(seed).unwrap() << 32), Line::to(door).await);
        let mut own = false;
        while !self.stop.load(Ordering::SeqCst) {
            own = !own;
            let n = below(&dice, self.cards.len());
            let card = if own { other(u32::try_from(n).unwrap()) } else { self.cards[n] };
            // A payer of its own: it takes nothing of what the measured requests may have of a card.
            let body =
                Wish::purchase(200_000).json(&pan(card)).replacen('{', r#"{"payer":"payer-of-the-load","#, 1);
            let status = line.ask(&request(&body)).await?;
            // Too much at once may be said to anybody; it depends on no card.
            same([202, 503].contains(&status), true, &format!("an answer to the load is {status}"))?;
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}
