//! Teeth: parts that are broken on purpose, and the same scenarios as elsewhere. Each must fail, and say why; over the
//! whole part, in the same surroundings, each must hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ramz_domain::Moment;
use ramz_domain::card::{
    Answer, Candidate, CardAt, CardState, Command, Decided, Evidence, Policy, Requested, SendLimits,
};
use ramz_issuer::config::OnSilence;
use ramz_issuer::engine::{Rules, TheRules};
use ramz_store::conformance::broken::{AnswersFirst, NoGuard};
use ramz_store::{MemoryStore, Store};

use crate::bank::{Bank, Build, CARD, Node, Told, same, tried};
use crate::broken::{AtomicArc, Deferred, ForgetsMessages, Meet, MessagesLater, StaleBodies};
use crate::guess::{self, wrong};
use crate::messages::Wish;
use crate::verification::{Ask, verify};
use crate::{limits, spend, undo};

/// Runs a scenario that must fail with these words in what it says.
pub(crate) async fn caught(build: Build, scenario: impl AsyncFn(&Bank, Node) -> Told, words: &str) {
    let told = tried(build, scenario).await;
    assert!(told.as_ref().is_err_and(|why| why.contains(words)), "{told:?}, expected {words:?}");
}

pub(crate) fn over(store: Arc<dyn Store>, attack: Arc<AtomicBool>) -> Build {
    Build { attack: Box::new(move || attack.store(true, Ordering::SeqCst)), ..Build::over(store) }
}

pub(crate) fn under(rules: impl Rules) -> Build {
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
    caught(answers_first(), a_guess_is_counted_though_the_node_crashes, "after the crash").await;
    let whole = tried(Build::default(), a_verification_is_counted_though_the_node_crashes).await;
    assert_eq!(whole, Ok(()));
    caught(answers_first(), a_verification_is_counted_though_the_node_crashes, "after the crash").await;
}

/// Once attacked, everything is answered before it is committed, and a crash takes it along.
fn answers_first() -> Build {
    let durable: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let broken = Arc::new(Deferred { durable: durable.clone(), early: AtomicArc::default() });
    let attack = broken.clone();
    Build {
        after_crash: Some(durable.clone()),
        attack: Box::new(move || attack.early.set(Arc::new(AnswersFirst::new(attack.durable.clone())))),
        ..Build::over(broken)
    }
}

/// The same over HTTP. (An approval is followed by a second commit, which would hide what this breaks.)
async fn a_verification_is_counted_though_the_node_crashes(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(93_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.settled().await?;
    (bank.build.attack)();
    let refused = verify(&node, &Ask::of(CARD, &wish, &wrong(&pin))).await.json();
    same(refused["refusal"].as_str(), Some("wrong_pin"), "a wrong PIN")?;
    bank.crash(node);
    same(bank.state(CARD).await.failures(), 1, "failures after the crash")
}

#[tokio::test]
async fn a_limit_from_a_stale_row_is_caught() {
    let store = Arc::new(StaleBodies::new(Arc::new(MemoryStore::new())));
    caught(over(store.clone(), store.attacked.clone()), limits::a_flood_is_a_few_sms, "PINs issued").await;
    let store = Arc::new(StaleBodies::new(Arc::new(MemoryStore::new())));
    let scenario = limits::a_flood_over_two_nodes_is_a_few_sms;
    caught(over(store.clone(), store.attacked.clone()), scenario, "PINs issued").await;
}

#[tokio::test]
async fn a_limit_that_is_not_looked_at_is_caught() {
    caught(under(NoLimits), limits::a_flood_is_a_few_sms, "PINs issued").await;
}

#[tokio::test]
async fn a_reversal_that_is_written_after_the_answer_is_caught() {
    let attacked: Arc<AtomicBool> = Arc::default();
    let store = MessagesLater { inner: Arc::new(MemoryStore::new()), attacked: attacked.clone() };
    let build = Build { on_silence: OnSilence::Reverse, ..over(Arc::new(store), attacked) };
    caught(
        build,
        undo::a_reversal_outlives_the_node_and_the_hosts_outage,
        "left with the host after the crash",
    )
    .await;
}

#[tokio::test]
async fn a_reversal_that_is_forgotten_at_a_restart_is_caught() {
    let attacked: Arc<AtomicBool> = Arc::default();
    let store = ForgetsMessages { inner: Arc::new(MemoryStore::new()), attacked: attacked.clone() };
    let build = Build { on_silence: OnSilence::Reverse, ..over(Arc::new(store), attacked) };
    caught(
        build,
        undo::a_reversal_outlives_the_node_and_the_hosts_outage,
        "left with the host after the crash",
    )
    .await;
}

/// Decides as if a card could be sent anything.
struct NoLimits;

impl Rules for NoLimits {
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
        let sends = SendLimits { in_2_min: 1000, in_hour: 1000, in_day: 1000 };
        TheRules.decide(card, command, evidence, &Policy { sends, ..policy.clone() })
    }
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
            let first = next.to_send(*id, now).unwrap().expires();
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
