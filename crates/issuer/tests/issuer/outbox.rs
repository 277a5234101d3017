//! What goes to the operator: the same PIN each time, at least once, and never after its expiry.

use std::time::Duration;

use ramz_domain::{Clock as _, limits};
use ramz_keys::{Keys as _, PinSource};

use crate::bank::{Bank, CARD, NO_PHONE, Node, Told, on_both_stores, same, until};
use crate::doubles::Mood;
use crate::guess::wrong;
use crate::messages::{Wish, phone};

on_both_stores! {
    the_same_pin_is_sent_again_at_most_twice_with_its_first_expiry,
    nothing_is_sent_to_who_may_not_pay,
    nothing_is_sent_after_the_expiry,
    a_busy_operator_gets_it_later,
    an_answer_that_was_lost_means_the_same_pin_again,
    an_operator_whose_answers_never_come_sends_it_twice,
    and_twice_over_all_its_leases_too,
    an_attempt_outlives_no_lease,
    what_the_operator_has_of_it_is_not_sent_again,
    what_the_operator_refuses_is_not_sent_again,
    a_crash_between_commit_and_sending_sends_it_once_more,
    a_spent_pin_is_not_sent,
    what_waits_for_a_place_keeps_its_lease,
    what_ran_out_needs_no_place,
}

/// Texts that a node hands over at once in these tests: its operator has no lines that say more.
const AT_ONCE: usize = 64;

/// The operator has so many texts in hand as a node hands over at once, and one more waits, to [`CARD`].
pub(crate) async fn one_more_than_the_operator_takes(bank: &Bank, node: &Node) -> Told {
    bank.operator.is_in(Mood::Held);
    for n in 100..100 + AT_ONCE as u32 / 2 {
        bank.add(node, n, Some(n)).await;
        for amount in [71_800, 71_900] {
            same(bank.ask_pin(node, n, &Wish::purchase(amount)).await.status, 202, "a request")?;
        }
    }
    until("the operator has its hands full", async || bank.operator.attempts() == AT_ONCE).await?;
    same(bank.ask_pin(node, CARD, &Wish::purchase(71_950)).await.status, 202, "one more request")?;
    until("its text waits", async || bank.state(CARD).await.open(bank.clock.now()).next().is_some()).await
}

async fn the_same_pin_is_sent_again_at_most_twice_with_its_first_expiry(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(71_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    // Seconds that pass before the next request, and how many texts there are then.
    for (pass, texts) in [(10, 1), (19, 1), (1, 2), (29, 2), (1, 3), (30, 3), (20, 3)] {
        bank.advance(pass);
        same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "a request")?;
        bank.settled().await?;
        same(bank.operator.texts(&phone(CARD)).len(), texts, "texts")?;
    }
    let texts = bank.operator.texts(&phone(CARD));
    for sms in &texts {
        same(sms, &texts[0], "a text")?;
    }
    bank.advance(9);
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "within its first validity")
}

async fn an_attempt_outlives_no_lease(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Throttled);
    bank.ask_pin(&node, CARD, &Wish::purchase(71_500)).await;
    until("the operator was tried", async || bank.operator.attempts() > 0).await?;
    bank.advance(11);
    let before = bank.operator.attempts();
    bank.operator.is_in(Mood::Held);
    until("it was tried again", async || bank.operator.attempts() > before).await?;
    bank.advance(5);
    let due = bank.store().outbox_due(bank.clock.now(), 10).await.map_err(|fault| fault.to_string())?;
    same(due.len(), 0, "messages that others would send meanwhile")?;
    bank.operator.is_in(Mood::Up);
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 1, "texts")
}

/// The node's own queue comes to it before anybody else does.
async fn what_waits_for_a_place_keeps_its_lease(bank: &Bank, node: Node) -> Told {
    one_more_than_the_operator_takes(bank, &node).await?;
    bank.advance(16);
    tokio::time::sleep(limits::SWEEP_EVERY + Duration::from_millis(500)).await;
    // The clock stands still: no lease runs out any more.
    bank.operator.is_in(Mood::Up);
    bank.text_after(CARD, 0).await?;
    bank.nothing_more_than(CARD, 1).await
}

/// While the operator is away there are no places.
async fn what_ran_out_needs_no_place(bank: &Bank, node: Node) -> Told {
    one_more_than_the_operator_takes(bank, &node).await?;
    bank.advance(120);
    bank.settled().await?;
    same(bank.operator.attempts(), AT_ONCE, "attempts")
}

async fn nothing_is_sent_to_who_may_not_pay(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(72_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for _ in 0..3 {
        bank.pay(&node, CARD, &wish, &wrong(&pin)).await?;
    }
    bank.settled().await?;
    let attempts = bank.operator.attempts();
    bank.advance(40);
    for n in [CARD, NO_PHONE, crate::bank::CLOSED, crate::bank::UNKNOWN] {
        for wish in [wish.clone(), Wish::purchase(72_500)] {
            same(bank.ask_pin(&node, n, &wish).await.status, 202, "a request")?;
        }
    }
    bank.settled().await?;
    same(bank.operator.attempts(), attempts, "SMS")?;
    same(
        bank.story(NO_PHONE).await,
        ["Created", "PinNotSent", "PinNotSent"].map(String::from).to_vec(),
        "story",
    )
}

async fn nothing_is_sent_after_the_expiry(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Down);
    bank.ask_pin(&node, CARD, &Wish::purchase(73_000)).await;
    until("the operator was tried", async || bank.operator.attempts() > 0).await?;
    bank.advance(120);
    bank.operator.is_in(Mood::Up);
    bank.settled().await?;
    same(bank.operator.offered_late(), 0, "texts offered after their expiry")?;
    same(bank.operator.texts(&phone(CARD)).len(), 0, "texts")
}

async fn a_busy_operator_gets_it_later(bank: &Bank, node: Node) -> Told {
    for mood in [Mood::Throttled, Mood::Down] {
        let before = bank.operator.texts(&phone(CARD)).len();
        let attempts = bank.operator.attempts();
        bank.operator.is_in(mood);
        let wish = Wish::purchase(74_000 + before as u64);
        bank.ask_pin(&node, CARD, &wish).await;
        until("the operator was tried", async || bank.operator.attempts() > attempts).await?;
        bank.operator.is_in(Mood::Up);
        let sms = bank.text_after(CARD, before).await?;
        bank.settled().await?;
        same(bank.operator.texts(&phone(CARD)).len(), before + 1, "texts")?;
        same(bank.pay(&node, CARD, &wish, &sms.pin()).await?, "00".into(), "the PIN")?;
    }
    Ok(())
}

async fn an_answer_that_was_lost_means_the_same_pin_again(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Unknown);
    let wish = Wish::purchase(75_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.operator.is_in(Mood::Up);
    let again = bank.text_after(CARD, 1).await?;
    same(again.pin(), pin.clone(), "the PIN of the second text")?;
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 2, "texts")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN")
}

/// It takes each and answers too late: two are what a phone may get of one PIN, not as many as fit into its time.
async fn an_operator_whose_answers_never_come_sends_it_twice(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Unknown);
    bank.ask_pin(&node, CARD, &Wish::purchase(75_500)).await;
    bank.settled().await?;
    bank.advance(16);
    bank.settled().await?;
    same(bank.operator.attempts(), 2, "attempts")
}

async fn and_twice_over_all_its_leases_too(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Unknown);
    bank.ask_pin(&node, CARD, &Wish::purchase(75_700)).await;
    for lease in 1..=3 {
        until("it was tried", async || bank.operator.attempts() >= lease.min(2)).await?;
        // Before it is tried again in this lease.
        bank.advance(16);
    }
    bank.settled().await?;
    same(bank.operator.attempts(), 2, "attempts")
}

async fn what_the_operator_has_of_it_is_not_sent_again(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::InParts);
    bank.ask_pin(&node, CARD, &Wish::purchase(75_800)).await;
    until("its first part was taken", async || bank.operator.attempts() == 1).await?;
    bank.operator.is_in(Mood::Down);
    until("it was tried again", async || bank.operator.attempts() >= 2).await?;
    bank.operator.is_in(Mood::Up);
    bank.text_after(CARD, 0).await?;
    bank.settled().await?;
    same(bank.operator.parts()[..2].to_vec(), vec![0, 1], "parts that the operator has before each try")
}

async fn what_the_operator_refuses_is_not_sent_again(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Refused);
    bank.ask_pin(&node, CARD, &Wish::purchase(76_000)).await;
    bank.settled().await?;
    same(bank.operator.attempts(), 1, "attempts")
}

async fn a_crash_between_commit_and_sending_sends_it_once_more(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Held);
    let wish = Wish::purchase(77_000);
    bank.ask_pin(&node, CARD, &wish).await;
    until("the operator has it in hand", async || bank.operator.attempts() == 1).await?;
    let state = bank.state(CARD).await;
    let open = state.open(bank.clock.now()).next().ok_or("no PIN is open")?;
    let source = PinSource {
        version: open.key_version,
        digits: open.digits,
        card: bank.card(CARD),
        challenge: open.id,
        payment: open.payment,
    };
    let pin = bank.soft.pin(&source).unwrap().expose().to_owned();
    bank.crash(node);
    bank.operator.is_in(Mood::Up);
    bank.advance(16);
    let node = bank.node().await;
    let sms = bank.text_after(CARD, 0).await?;
    same((sms.pin(), sms.not_after), (pin.clone(), open.expires), "the PIN and its expiry")?;
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 1, "texts")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN")
}

async fn a_spent_pin_is_not_sent(bank: &Bank, node: Node) -> Told {
    bank.operator.is_in(Mood::Unknown);
    let wish = Wish::purchase(78_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN, before the operator's answer")?;
    bank.settled().await?;
    let attempts = bank.operator.attempts();
    same(attempts <= 2, true, "a spent PIN is sent again and again")
}
