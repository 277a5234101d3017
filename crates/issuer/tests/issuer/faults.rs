//! When the store fails: the one that is hit gets 96 and others pass; an unknown commit is decided again by identity,
//! so that nothing is approved twice and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use ramz_api::app::{self, of_card};
use ramz_domain::card::{Answer, Command, Purpose, UnlockedBy, step_at};
use ramz_domain::{Clock as _, limits};
use ramz_store::faults::{Failing, FaultyStore};
use ramz_store::{MemoryStore, Table};
use tokio::sync::Notify;

use crate::bank::{Bank, Build, CARD, Node, OTHER_CARD, Told, same, tried, until};
use crate::doubles::Mood;
use crate::guess::wrong;
use crate::messages::{Wish, code, repeated, reversal};
use crate::phone::Phone;
use crate::repeat::{PAYMENTS_MAX, at_a_till, fill_the_line};

async fn faulty(scenario: impl AsyncFn(&Bank, Node, &FaultyStore) -> Told) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let build = Build { alerts: true, ..Build::over(store.clone()) };
    let told = tried(build, async |bank, node| scenario(bank, node, &store).await);
    assert_eq!(told.await, Ok(()));
}

/// How often an entry stands in a card's journal.
async fn times(bank: &Bank, word: &str) -> usize {
    bank.story(CARD).await.iter().filter(|entry| *entry == word).count()
}

#[tokio::test]
async fn a_poisoned_card_faults_alone() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(61_000);
        let (pin, other_pin) =
            (bank.pin(&node, CARD, &wish).await?, bank.pin(&node, OTHER_CARD, &wish).await?);
        bank.settled().await?;
        store.poison(Table::Card, &bank.card(CARD).0);
        let poisoned = node.asking(0, &bank.payment(CARD, &wish, &pin));
        let other = node.asking(0, &bank.payment(OTHER_CARD, &wish, &other_pin));
        same(code(&poisoned.await?), "96".into(), "the poisoned card")?;
        same(code(&other.await?), "00".into(), "the card beside it")?;
        store.heal();
        same(bank.state(CARD).await.failures(), 0, "a fault is no try; failures")?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN, healed")?;
        same((bank.spent(CARD), bank.spent(OTHER_CARD)), (61_000, 61_000), "debited")
    })
    .await;
}

#[tokio::test]
async fn a_spend_of_unknown_outcome_is_decided_again() {
    for failing in [Failing::UnknownWritten, Failing::UnknownNotWritten] {
        for faults in 1..=3 {
            faulty(async |bank, node, store| {
                let wish = Wish::purchase(62_000);
                let pin = bank.pin(&node, CARD, &wish).await?;
                bank.settled().await?;
                store.next_commits(vec![Some(failing); faults]);
                same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the right PIN")?;
                same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the same PIN again")?;
                let asked = bank.host.asked_in_all();
                same((asked.times, asked.debits), (1, 1), "asked of the host, and debited")
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_guess_of_unknown_outcome_counts_once() {
    for failing in [Failing::UnknownWritten, Failing::UnknownNotWritten] {
        faulty(async |bank, node, store| {
            let wish = Wish::purchase(63_000);
            let pin = bank.pin(&node, CARD, &wish).await?;
            bank.settled().await?;
            store.next_commits([Some(failing)]);
            same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, "55".into(), "a wrong PIN")?;
            same(bank.state(CARD).await.failures(), 1, "failures")
        })
        .await;
    }
}

#[tokio::test]
async fn a_spend_that_stays_unknown_is_96_and_a_repeat_finds_out() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(64_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        let payment = bank.payment(CARD, &wish, &pin);
        store.next_commits([Some(Failing::UnknownNotWritten); 4]);
        same(code(&node.ask(&payment).await?), "96".into(), "the payment")?;
        same(bank.host.asked_in_all().times, 0, "asked of the host")?;
        same(code(&node.ask(&repeated(&payment)).await?), "00".into(), "the repeat")?;
        same(bank.host.asked(&payment).debits, 1, "debits")
    })
    .await;
}

/// While the store takes its time, others take all places that are left; not the one of a payment that is being spent for.
#[tokio::test]
async fn what_is_spent_while_the_store_stalls_is_asked_about() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(64_500);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        let go = Arc::new(Notify::new());
        store.answer_late(Arc::clone(&go));
        let payment = node.asking(0, &bank.payment(CARD, &wish, &pin));
        until("the PIN is spent", async || times(bank, "PinSpent").await == 1).await?;
        let waiting = fill_the_line(bank, &node, PAYMENTS_MAX - 1).await?;
        same(code(&node.ask_over(1, &at_a_till(2)).await?), "91".into(), "one more than there are places")?;
        go.notify_one();
        bank.host_was_asked(u32::try_from(PAYMENTS_MAX).unwrap()).await?;
        bank.host.release();
        same(code(&payment.await?), "00".into(), "the payment")?;
        for answer in waiting {
            answer.await?;
        }
        same(bank.spent(CARD), 64_500, "debited")
    })
    .await;
}

#[tokio::test]
async fn a_hosts_answer_that_cannot_be_kept_is_silence() {
    for failing in [Failing::Unavailable, Failing::Statement] {
        faulty(async |bank, node, store| {
            let wish = Wish::purchase(65_000);
            let pin = bank.pin(&node, CARD, &wish).await?;
            bank.settled().await?;
            let payment = bank.payment(CARD, &wish, &pin);
            store.next_commits([None, Some(failing)]);
            drop(node.asking(0, &payment));
            node.was_silent(1).await?;
            same(code(&node.ask_over(1, &repeated(&payment)).await?), "00".into(), "the repeat")?;
            let asked = bank.host.asked(&payment);
            same((asked.times, asked.debits), (2, 1), "asked of the host, and debited")
        })
        .await;
    }
}

#[tokio::test]
async fn a_hosts_answer_of_unknown_outcome_is_relayed_once_it_is_known() {
    for failing in [Failing::UnknownWritten, Failing::UnknownNotWritten] {
        faulty(async |bank, node, store| {
            let wish = Wish::purchase(66_000);
            let pin = bank.pin(&node, CARD, &wish).await?;
            bank.settled().await?;
            store.next_commits([None, Some(failing)]);
            let payment = bank.payment(CARD, &wish, &pin);
            same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
            same(code(&node.ask(&repeated(&payment)).await?), "00".into(), "the repeat")?;
            same(bank.host.asked(&payment).times, 1, "asked of the host")
        })
        .await;
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_91_and_no_try() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(67_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        // A node that keeps no rows yet.
        bank.crash(node);
        let node = bank.node().await;
        store.fail_reads(true);
        same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, "91".into(), "a wrong PIN")?;
        same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "a PIN request is admitted all the same")?;
        store.fail_reads(false);
        same(bank.state(CARD).await.failures(), 0, "failures")?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the right PIN")
    })
    .await;
}

/// Any answer acknowledges it: the switch would send it no more, and what it takes back would stand.
#[tokio::test]
async fn a_reversal_is_silence_while_the_store_is_away() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(68_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let payment = bank.payment(CARD, &wish, &pin);
        same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
        bank.settled().await?;
        let plans = [
            vec![Some(Failing::Unavailable)],
            vec![Some(Failing::Statement)],
            vec![Some(Failing::UnknownNotWritten); 4],
        ];
        for (plan, silent) in plans.into_iter().zip(1..) {
            store.next_commits(plan);
            drop(node.asking(0, &reversal(&payment)));
            node.was_silent(silent).await?;
        }
        // A node that keeps no rows yet.
        bank.crash(node);
        let node = bank.node().await;
        store.fail_reads(true);
        drop(node.asking(0, &reversal(&payment)));
        node.was_silent(1).await?;
        store.fail_reads(false);
        same(bank.spent(CARD), 68_000, "debited, as nobody heard otherwise")?;
        same(code(&node.ask(&reversal(&payment)).await?), "00".into(), "the reversal, when it comes again")?;
        same(bank.spent(CARD), 0, "debited in the end")
    })
    .await;
}

/// Its control code is used up by what was written: decided again, it would be wrong.
#[tokio::test]
async fn what_the_app_was_told_of_unknown_outcome_is_done_once() {
    for failing in [Failing::UnknownWritten, Failing::UnknownNotWritten] {
        faulty(async |bank, node, store| {
            let (phone, token) = Phone::with(bank, &node, CARD).await?;
            let fails = async |method: &str, path: &str, body: String| {
                bank.settled().await?;
                // The first writes that the request was made.
                store.next_commits([None, Some(failing)]);
                Ok::<_, String>(phone.call(bank, &node, method, &of_card(path, token), &body).await.status)
            };
            let control =
                |more: &str| format!(r#"{{{more}"control_code":"{}"}}"#, phone.control(bank, token));
            same(fails("PUT", app::FIRST_PIN, control(r#""on":true,"#)).await?, 200, "the first PIN")?;
            same(bank.state(CARD).await.services().first_pin, true, "it is on")?;
            same(times(bank, "ControlUsed").await, 1, "codes used")?;
            bank.advance(60);
            same(fails("POST", app::CHECK, control("")).await?, 204, "a check")?;
            same(times(bank, "ControlUsed").await, 2, "codes used")?;
            bank.advance(60);
            let code = |off: u64| phone.code_at(token, Purpose::Control, 0, step_at(bank.clock.now()) + off);
            let codes = format!(r#"{{"codes":["{}","{}"]}}"#, code(20), code(21));
            same(fails("POST", app::RESYNC, codes).await?, 200, "a resync")?;
            same(times(bank, "Resynced").await, 1, "resyncs")?;
            same(bank.state(CARD).await.failures_of(Purpose::Control), 0, "guesses at control codes")
        })
        .await;
    }
}

#[tokio::test]
async fn a_lock_of_unknown_outcome_is_one_and_told_once() {
    use Failing::{UnknownNotWritten, UnknownWritten};
    for plan in [
        vec![UnknownWritten],
        vec![UnknownNotWritten],
        vec![UnknownWritten, UnknownWritten],
        // Both decide the same in the same millisecond; whose message is there says only the outbox.
        vec![UnknownNotWritten, UnknownWritten],
    ] {
        let of_two = plan.starts_with(&[UnknownNotWritten, UnknownWritten]);
        faulty(async |bank, node, store| {
            let card = bank.card(CARD);
            store.next_commits(plan.iter().copied().map(Some));
            let told = node.running.engine.tell(card, Command::Lock).await;
            same(told.map_err(|fault| fault.to_string()), Ok(Answer::Done), "the lock")?;
            store.heal();
            if of_two {
                bank.advance(16);
            }
            bank.text_after(CARD, 0).await?;
            bank.settled().await?;
            same(bank.operator.attempts(), 1, "alerts")?;
            same(times(bank, "Locked").await, 1, "entries")?;
            // The row that was found is kept.
            same(bank.pay(&node, CARD, &Wish::purchase(69_500), "1234567").await?, "75".into(), "a payment")?;
            let told = node.running.engine.tell(card, Command::Unlock { by: UnlockedBy::Bank }).await;
            same(told.map_err(|fault| fault.to_string()), Ok(Answer::Done), "and unlocked")
        })
        .await;
    }
}

/// The node that handed it over knows that the operator has it.
#[tokio::test]
async fn a_text_that_could_not_be_settled_is_not_sent_again() {
    let settling = async |failing: Failing| {
        faulty(async |bank, node, store| {
            bank.operator.is_in(Mood::Held);
            let wish = Wish::purchase(69_000);
            same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "a request")?;
            until("the operator has it in hand", async || bank.operator.attempts() == 1).await?;
            let end = bank.clock.now().plus(Duration::from_secs(3600));
            let alone = async || bank.store().outbox_due(end, 10).await.is_ok_and(|rows| rows.len() == 1);
            until("nothing else is left to be written", alone).await?;
            // Twice: what settles it later may fail too.
            store.next_commits([Some(failing); 2]);
            bank.operator.is_in(Mood::Up);
            let sms = bank.text_after(CARD, 0).await?;
            for _ in 0..2 {
                tokio::time::sleep(Duration::from_millis(200)).await;
                bank.advance(16);
                tokio::time::sleep(limits::SWEEP_EVERY + Duration::from_millis(200)).await;
            }
            bank.settled().await?;
            same(bank.operator.attempts(), 1, "attempts")?;
            same(bank.pay(&node, CARD, &wish, &sms.pin()).await?, "00".into(), "its PIN")
        })
        .await;
    };
    use Failing::{Unavailable, UnknownNotWritten, UnknownWritten};
    tokio::join!(settling(Unavailable), settling(UnknownNotWritten), settling(UnknownWritten));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_command_is_lost_between_two_turns_of_a_card() {
    use ramz_domain::card::Mark;
    let (bank, node) = Bank::open(Build::default()).await;
    let (card, engine) = (bank.card(CARD), node.running.engine.clone());
    let mut telling = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let engine = engine.clone();
        telling.spawn(async move {
            for _ in 0..10_000 {
                // Awaited by nobody: nothing is written, so that turns are as short as they can be.
                let answer = ramz_domain::card::HostAnswer::of("00");
                let told = engine.tell(card, Command::HostAnswered { identity: Mark([7; 16]), answer }).await;
                assert!(matches!(told, Ok(Answer::NotAwaited)), "{told:?}");
            }
        });
    }
    while let Some(told) = telling.join_next().await {
        told.unwrap();
    }
}
