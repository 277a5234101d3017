//! Teeth: parts that are broken on purpose, and the same scenarios as elsewhere. Each must fail, and say why; over the
//! whole part, in the same surroundings, each must hold.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ramz_domain::Moment;
use ramz_domain::card::{
    Answer, Candidate, CardAt, CardState, Command, Decided, Evidence, Policy, Requested,
};
use ramz_issuer::engine::{Rules, TheRules};
use ramz_store::conformance::broken::{AnswersFirst, NoGuard};
use ramz_store::{Change, JournalEntry, Key, MemoryStore, OutboxRow, Outcome, Row, Store, StoreFault, Table};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::bank::{Bank, Build, CARD, Node, Told, same, tried};
use crate::guess::{self, wrong};
use crate::messages::Wish;
use crate::spend;

/// Runs a scenario that must fail with these words in what it says.
async fn caught(build: Build, scenario: impl AsyncFn(&Bank, Node) -> Told, words: &str) {
    let told = tried(build, scenario).await;
    assert!(told.as_ref().is_err_and(|why| why.contains(words)), "{told:?}, expected {words:?}");
}

fn over(store: Arc<dyn Store>, attack: Arc<AtomicBool>) -> Build {
    Build { attack: Box::new(move || attack.store(true, Ordering::SeqCst)), ..Build::over(store) }
}

fn under(rules: impl Rules) -> Build {
    Build { rules: Arc::new(rules), ..Build::default() }
}

#[tokio::test]
async fn a_commit_without_the_version_guard_is_caught() {
    let whole: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let meet = Arc::new(Meet::new(whole));
    let told = tried(over(meet.clone(), meet.attacked.clone()), spend::of_64_on_two_nodes_one_pays).await;
    assert_eq!(told, Ok(()));
    let broken: Arc<dyn Store> = Arc::new(NoGuard::new(Arc::new(MemoryStore::new())));
    let meet = Arc::new(Meet::new(broken));
    caught(over(meet.clone(), meet.attacked.clone()), spend::of_64_on_two_nodes_one_pays, "answers:").await;
}

#[tokio::test]
async fn a_stale_attempt_counter_is_caught() {
    let store = Arc::new(StaleBodies::new(Arc::new(MemoryStore::new())));
    caught(over(store.clone(), store.attacked.clone()), guess::three_wrong_pins_lock, "a wrong PIN: \"55\"")
        .await;
    let store = Arc::new(StaleBodies::new(Arc::new(MemoryStore::new())));
    let scenario = guess::of_64_wrong_pins_on_two_nodes_two_are_answered_55;
    caught(over(store.clone(), store.attacked.clone()), scenario, "answers:").await;
}

#[tokio::test]
async fn an_answer_before_the_commit_is_caught() {
    let whole = tried(Build::default(), a_guess_is_counted_though_the_node_crashes).await;
    assert_eq!(whole, Ok(()));
    let durable: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let broken = Arc::new(Deferred { durable: durable.clone(), early: AtomicArc::default() });
    let attack = broken.clone();
    let build = Build {
        after_crash: Some(durable.clone()),
        attack: Box::new(move || attack.early.set(Arc::new(AnswersFirst::new(attack.durable.clone())))),
        ..Build::over(broken)
    };
    caught(build, a_guess_is_counted_though_the_node_crashes, "after the crash").await;
}

/// What was answered is never forgotten: a guess that was answered counts.
async fn a_guess_is_counted_though_the_node_crashes(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(91_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.settled().await?;
    (bank.build.attack)();
    same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, "55".into(), "a wrong PIN")?;
    bank.crash(node);
    let node = bank.node().await;
    same(bank.state(CARD).await.failures(), 1, "failures after the crash")?;
    for expected in ["55", "75"] {
        same(
            bank.pay(&node, CARD, &wish, &wrong(&pin)).await?,
            expected.into(),
            "a wrong PIN after the crash",
        )?;
    }
    Ok(())
}

#[tokio::test]
async fn a_comparison_after_the_lock_is_caught() {
    caught(under(ComparesLocked), guess::three_wrong_pins_lock, "comparisons").await;
    caught(under(ComparesLocked), guess::of_64_wrong_pins_at_once_three_are_compared, "comparisons").await;
}

#[tokio::test]
async fn a_pin_accepted_for_another_payment_is_caught() {
    caught(under(AnyPayment), spend::another_amount_burns_the_pin, "for another payment: \"00\"").await;
    assert_eq!(tried(under(AnyPayment), spend::a_pin_pays_once).await, Ok(()), "only the binding is broken");
}

#[tokio::test]
async fn a_resend_that_extends_the_expiry_is_caught() {
    assert_eq!(tried(Build::default(), a_resend_keeps_the_first_expiry).await, Ok(()));
    caught(under(ExtendsOnResend), a_resend_keeps_the_first_expiry, "after its first expiry").await;
}

/// A PIN that was sent again is over when it was to be over.
async fn a_resend_keeps_the_first_expiry(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(92_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.advance(60);
    same(bank.pin(&node, CARD, &wish).await?, pin.clone(), "the PIN sent again")?;
    bank.advance(60);
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "after its first expiry")
}

/// Compares what was presented although the card is locked.
struct ComparesLocked;

impl Rules for ComparesLocked {
    fn candidates(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<Candidate> {
        let candidates = TheRules.candidates(card, command, expiry_matches, policy);
        if !candidates.is_empty() {
            return candidates;
        }
        let open = card.state().open(card.now());
        open.map(|c| Candidate { id: c.id, digits: c.digits, key_version: c.key_version, payment: c.payment })
            .collect()
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        TheRules.decide(card, command, evidence, policy)
    }
}

/// Takes a PIN that matches for whatever payment it is presented with.
struct AnyPayment;

impl Rules for AnyPayment {
    fn candidates(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<Candidate> {
        TheRules.candidates(card, command, expiry_matches, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut command = command.clone();
        if let Command::Authorise(authorisation) = &mut command {
            let matched = card.state().open(card.now()).filter(|open| evidence.matched.contains(&open.id));
            authorisation.payments.extend(matched.map(|open| open.payment));
        }
        TheRules.decide(card, &command, evidence, policy)
    }
}

/// Gives a PIN that is sent again its whole validity anew.
struct ExtendsOnResend;

impl Rules for ExtendsOnResend {
    fn candidates(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<Candidate> {
        TheRules.candidates(card, command, expiry_matches, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let now = card.now();
        let mut decided = TheRules.decide(card, command, evidence, policy);
        if let (Answer::Requested(Requested::Sent(id)), Some(next)) = (&decided.answer, &decided.next) {
            let first = next.to_send(*id, now).unwrap().expires;
            decided.next = Some(with_instant(next, first, now.plus(policy.valid_for)));
        }
        decided
    }
}

/// A state with one instant put in place of another wherever it stands: its fields are nobody's to write.
fn with_instant(state: &CardState, from: Moment, to: Moment) -> CardState {
    // An unsigned integer of eight bytes in CBOR.
    let written = |moment: Moment| [&[0x1B][..], &moment.unix_ms().to_be_bytes()].concat();
    let (from, to, mut bytes) = (written(from), written(to), state.encode().unwrap());
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(&from) {
            bytes[at..at + to.len()].copy_from_slice(&to);
        }
    }
    CardState::decode(&bytes).unwrap()
}

/// A whole store, but that the first two that change a card, once attacked, have decided from the same row: each waits for
/// the other before it is let through.
struct Meet {
    inner: Arc<dyn Store>,
    attacked: Arc<AtomicBool>,
    waiting: Mutex<u32>,
    met: Notify,
}

impl Meet {
    fn new(inner: Arc<dyn Store>) -> Meet {
        Meet { inner, attacked: Arc::default(), waiting: Mutex::new(0), met: Notify::new() }
    }
}

#[async_trait]
trait Twists: Send + Sync + 'static {
    fn inner(&self) -> Arc<dyn Store>;

    /// What is read.
    async fn twist(&self, _: Table, _: &[u8], row: Option<Row>) -> Option<Row> {
        row
    }

    /// Whether a change is told that somebody else was first, and is not written.
    async fn loses(&self, _: &Change) -> bool {
        false
    }
}

/// The card that a change gives a new state.
fn card_of(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Swap(swap) if swap.table == Table::Card => Some(&swap.key),
        _ => None,
    }
}

#[async_trait]
impl Twists for Meet {
    fn inner(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    async fn loses(&self, change: &Change) -> bool {
        if card_of(change).is_some() && self.attacked.load(Ordering::SeqCst) {
            let came = {
                let mut waiting = self.waiting.lock().unwrap();
                *waiting += 1;
                *waiting
            };
            match came {
                // Bounded, in case the second node has nothing to change.
                1 => drop(timeout(Duration::from_secs(10), self.met.notified()).await),
                2 => self.met.notify_one(),
                _ => {}
            }
        }
        false
    }
}

/// Once attacked, gives every card's body as it was then, under its present version; and sees to it that every change was
/// decided from a body that it gave.
struct StaleBodies {
    inner: Arc<dyn Store>,
    attacked: Arc<AtomicBool>,
    frozen: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Cards that were read since they were last changed.
    read: Mutex<HashSet<Vec<u8>>>,
}

impl StaleBodies {
    fn new(inner: Arc<dyn Store>) -> StaleBodies {
        StaleBodies { inner, attacked: Arc::default(), frozen: Mutex::default(), read: Mutex::default() }
    }
}

#[async_trait]
impl Twists for StaleBodies {
    fn inner(&self) -> Arc<dyn Store> {
        self.inner.clone()
    }

    async fn twist(&self, table: Table, key: &[u8], row: Option<Row>) -> Option<Row> {
        if table != Table::Card || !self.attacked.load(Ordering::SeqCst) {
            return row;
        }
        self.read.lock().unwrap().insert(key.to_vec());
        row.map(|row| {
            let body = self.frozen.lock().unwrap().entry(key.to_vec()).or_insert(row.body.clone()).clone();
            Row { body, ..row }
        })
    }

    async fn loses(&self, change: &Change) -> bool {
        let attacked = self.attacked.load(Ordering::SeqCst);
        card_of(change).is_some_and(|card| attacked && !self.read.lock().unwrap().remove(card))
    }
}

/// Whole until it is attacked; then it answers before it commits.
struct Deferred {
    durable: Arc<dyn Store>,
    early: AtomicArc,
}

#[derive(Default)]
struct AtomicArc(Mutex<Option<Arc<dyn Store>>>);

impl AtomicArc {
    fn set(&self, store: Arc<dyn Store>) {
        *self.0.lock().unwrap() = Some(store);
    }
}

#[async_trait]
impl Twists for Deferred {
    fn inner(&self) -> Arc<dyn Store> {
        self.early.0.lock().unwrap().clone().unwrap_or_else(|| self.durable.clone())
    }
}

macro_rules! twisted_store {
    ($($name:ident),*) => {$(
        #[async_trait]
        impl Store for $name {
            async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault> {
                let row = self.inner().read(table, key).await?;
                Ok(self.twist(table, key, row).await)
            }

            async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault> {
                let (mut lost, mut through) = (Vec::new(), Vec::new());
                for change in batch {
                    lost.push(self.loses(&change).await);
                    if lost.last() == Some(&false) {
                        through.push(change);
                    }
                }
                let mut told = self.inner().commit(through).await?.into_iter();
                Ok(lost.into_iter().filter_map(|lost| if lost { Some(Outcome::Lost) } else { told.next() }).collect())
            }

            async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault> {
                self.inner().journal(owner, after, limit).await
            }

            async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault> {
                self.inner().keys_after(table, after, limit).await
            }

            async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault> {
                self.inner().due(table, now, limit).await
            }

            async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault> {
                self.inner().outbox_due(now, limit).await
            }

            async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault> {
                self.inner().forget(table, now, limit).await
            }
        }
    )*};
}

twisted_store!(Meet, StaleBodies, Deferred);
