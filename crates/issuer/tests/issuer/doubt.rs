//! While it is not known what the host did, nothing is said that could be taken for a decline: only silence lets the
//! switch reverse. And what was reversed is not approved afterwards.

use ramz_iso8583::Message;

use crate::bank::{Bank, CARD, FIRST_PIN, Node, Told, on_both_stores, same, until};
use crate::guess::wrong;
use crate::messages::{Wish, code, pan, repeated, reversal, set_pin};

on_both_stores! {
    a_repeat_of_a_payment_in_doubt_is_silence_while_the_host_is_away,
    a_repeat_with_a_first_pin_is_silence_while_the_host_is_away,
    a_host_that_has_a_repeat_already_has_not_declined_it,
    a_repeat_of_what_the_row_does_not_know_is_silence_while_the_host_is_away,
    an_advice_passes_and_is_no_guess,
    an_approval_does_not_follow_its_reversal,
    a_reversal_with_zeros_for_the_amount_that_stays_is_full,
    two_pins_for_one_payment_differ,
}

async fn a_repeat_of_a_payment_in_doubt_is_silence_while_the_host_is_away(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(31_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    silent_until_the_host_is_back(bank, &node, &bank.payment(CARD, &wish, &pin), 31_000).await
}

/// What only passes through may stand at the host as well.
async fn a_repeat_with_a_first_pin_is_silence_while_the_host_is_away(bank: &Bank, node: Node) -> Told {
    let mut payment = Wish::purchase(31_500).message(&pan(CARD));
    payment.set(22, "051");
    set_pin(&mut payment, FIRST_PIN, &bank.soft);
    silent_until_the_host_is_back(bank, &node, &payment, 31_500).await
}

/// Its first message may be on its way at another node, whose host answers. A first message while the host is away is 91, for nothing
/// was asked.
async fn a_repeat_of_what_the_row_does_not_know_is_silence_while_the_host_is_away(
    bank: &Bank,
    node: Node,
) -> Told {
    let (first, second) = (Wish::purchase(31_600), Wish::purchase(31_700));
    let pin = bank.pin(&node, CARD, &first).await?;
    let other_pin = bank.pin(&node, CARD, &second).await?;
    bank.cut_off(&node).await?;
    let (payment, other) = (bank.payment(CARD, &first, &pin), bank.payment(CARD, &second, &other_pin));
    drop(node.asking(0, &repeated(&payment)));
    node.was_silent(1).await?;
    same(code(&node.ask_over(1, &other).await?), "91".into(), "a first message, while the host is away")?;
    // A spend that came back as a repeat with the wrong PIN counts nothing, and says nothing.
    drop(node.asking(1, &repeated(&bank.payment(CARD, &Wish::purchase(31_800), &wrong(&pin)))));
    node.was_silent(2).await?;
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(bank.spent(CARD), 0, "debited")?;
    bank.reconnect(&node).await?;
    let elsewhere = bank.node().await;
    same(code(&elsewhere.ask(&repeated(&payment)).await?), "00".into(), "the repeat, once the host is back")?;
    same(bank.host.asked(&payment).debits, 1, "debits")
}

/// The host debits and its answer is lost; while it is away a repeat is silence, and then the answer is had.
async fn silent_until_the_host_is_back(bank: &Bank, node: &Node, payment: &Message, amount: u64) -> Told {
    bank.host.silence_next(1);
    drop(node.asking(0, payment));
    bank.host_was_asked(1).await?;
    same(bank.spent(CARD), amount, "debited, and nobody was told")?;
    bank.cut_off(node).await?;
    node.was_silent(1).await?;
    drop(node.asking(1, &repeated(payment)));
    node.was_silent(2).await?;
    bank.reconnect(node).await?;
    // Both connections of this node's switch still wait for an answer to this trace number.
    let other = bank.node().await;
    same(code(&other.ask(&repeated(payment)).await?), "00".into(), "the repeat, once the host is back")?;
    same(bank.host.asked(payment).debits, 1, "debits")
}

/// 94 and 09 are of the repeat: the payment itself may have been approved.
async fn a_host_that_has_a_repeat_already_has_not_declined_it(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(31_300);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.in_doubt(&node, &payment).await?;
    for said in ["94", "09"] {
        bank.host.say_of_repeats(Some(said));
        // This node's switch still waits for its first answer.
        let other = bank.node().await;
        drop(other.asking(0, &repeated(&payment)));
        other.was_silent(1).await?;
    }
    bank.host.say_of_repeats(None);
    same(code(&node.ask_over(1, &repeated(&payment)).await?), "00".into(), "once the host says what it was")?;
    same(bank.host.asked(&payment).debits, 1, "debits")
}

/// What has happened cannot be refused: it is the host's to book, and its PIN is none that is tried.
async fn an_advice_passes_and_is_no_guess(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(31_900);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for kind in ["0120", "0220"] {
        let mut advice = bank.payment(CARD, &wish, &wrong(&pin));
        advice.set_mti(ramz_iso8583::Mti::new(kind).unwrap());
        let answer = node.ask(&advice).await?;
        same(crate::messages::refusal(&answer).1, String::new(), "a refusal of ours")?;
        same(bank.host_trace.last("host", kind).is_some(), true, "the host has it")?;
    }
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    bank.cut_off(&node).await?;
    let mut advice = Wish::purchase(31_950).message(&pan(CARD));
    advice.set_mti(ramz_iso8583::Mti::new("0220").unwrap());
    drop(node.asking(0, &advice));
    node.was_silent(1).await
}

async fn an_approval_does_not_follow_its_reversal(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(32_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.hold();
    drop(node.asking(0, &payment));
    bank.host_was_asked(1).await?;
    let undone = node.asking(1, &reversal(&payment));
    until("the host has the reversal", async || bank.host.asked_in_all().credits == 1).await?;
    bank.host.release();
    same(code(&undone.await?), "00".into(), "the reversal")?;
    node.was_silent(1).await?;
    same(bank.spent(CARD), 0, "debited in the end")?;
    same(code(&node.ask_over(1, &repeated(&payment)).await?), "12".into(), "the payment, repeated")
}

async fn a_reversal_with_zeros_for_the_amount_that_stays_is_full(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(33_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
    let mut full = reversal(&payment);
    full.set(95, "0".repeat(42));
    same(code(&node.ask(&full).await?), "00".into(), "the reversal")?;
    same(bank.spent(CARD), 0, "debited after it")?;
    same(code(&node.ask(&repeated(&payment)).await?), "12".into(), "the payment, repeated")
}

async fn two_pins_for_one_payment_differ(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(34_000);
    let mut pins = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let pin = bank.pin(&node, CARD, &wish).await?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "its payment")?;
        pins.insert(pin);
    }
    same(pins.len(), 3, "different PINs")
}
