//! A reversal takes a payment back and never revives its PIN; one that comes first refuses its original.

use ramz_iso8583::{Message, Mti};

use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same, until};
use crate::messages::{Wish, code, refusal, repeated, reversal, reversal_by_reference};

on_both_stores! {
    a_reversal_by_original_data_never_revives_the_pin,
    a_reversal_by_reference_never_revives_the_pin,
    a_reversal_that_comes_first_refuses_its_original,
    a_reversal_by_reference_that_comes_first_refuses_its_original,
    a_reversal_that_names_a_repeats_time_is_the_payments,
    a_partial_reversal_that_names_a_repeats_time_is_the_payments,
    of_tries_with_one_reference_the_approved_one_is_reversed,
    a_reversal_by_reference_that_comes_again_is_of_the_same_try,
    a_partial_reversal_leaves_the_answer,
    a_reversal_of_nothing_that_is_known_passes,
    a_reversal_of_either_type_is_silence_while_the_host_is_away,
    a_reversal_that_overtakes_its_payment_on_the_way_to_the_host_comes_again,
    a_host_that_does_not_find_a_payment_is_believed_after_ten_minutes,
    a_repeated_reversal_is_answered_as_its_first,
}

/// The host does not find the payment, forgets that, and approves it when it comes.
async fn a_reversal_that_overtakes_its_payment_on_the_way_to_the_host_comes_again(
    bank: &Bank,
    node: Node,
) -> Told {
    let wish = Wish::purchase(23_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.forget_reversals_of_nothing();
    bank.host.let_reversals_overtake();
    drop(node.asking(0, &payment));
    until("the payment is at the host", async || bank.host.overtaken() == 1).await?;
    let undo = reversal(&payment);
    drop(node.asking(1, &undo));
    node.was_silent(1).await?;
    bank.host.release();
    node.was_silent(2).await?;
    same(bank.spent(CARD), 23_000, "debited before the reversal comes again")?;
    same(code(&node.ask(&repeated(&undo)).await?), "00".into(), "the reversal once more")?;
    same(bank.spent(CARD), 0, "debited in the end")?;
    same(code(&node.ask_over(1, &repeated(&payment)).await?), "12".into(), "the payment, repeated")?;
    let unknown = reversal(&bank.payment(CARD, &wish, &pin));
    same(code(&node.ask(&unknown).await?), "25".into(), "of nothing that is known")
}

/// The payment never reached it.
async fn a_host_that_does_not_find_a_payment_is_believed_after_ten_minutes(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(24_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.forget_reversals_of_nothing();
    bank.host.let_reversals_overtake();
    drop(node.asking(0, &payment));
    until("the payment is at the host", async || bank.host.overtaken() == 1).await?;
    bank.cut_off(&node).await?;
    node.was_silent(1).await?;
    bank.reconnect(&node).await?;
    let undo = reversal(&payment);
    drop(node.asking(0, &undo));
    node.was_silent(2).await?;
    bank.advance(600);
    same(code(&node.ask_over(1, &repeated(&undo)).await?), "25".into(), "ten minutes later")?;
    same(bank.host.asked_in_all().debits, 0, "debits")
}

/// A host that has lost the payment does not find it, however often it is asked.
async fn a_repeated_reversal_is_answered_as_its_first(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(28_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
    bank.host.forget_reversals_of_nothing();
    bank.host.forget_everything();
    let undo = reversal(&payment);
    for again in [undo.clone(), repeated(&undo)] {
        same(code(&node.ask(&again).await?), "25".into(), "its reversal")?;
    }
    Ok(())
}

async fn a_reversal_by_original_data_never_revives_the_pin(bank: &Bank, node: Node) -> Told {
    never_revives(bank, &node, reversal).await
}

async fn a_reversal_by_reference_never_revives_the_pin(bank: &Bank, node: Node) -> Told {
    never_revives(bank, &node, reversal_by_reference).await
}

async fn never_revives(bank: &Bank, node: &Node, undo: fn(&Message) -> Message) -> Told {
    let wish = Wish::purchase(21_000);
    let pin = bank.pin(node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
    let undo = undo(&payment);
    for again in [undo.clone(), repeated(&undo), undo] {
        same(code(&node.ask(&again).await?), "00".into(), "the reversal")?;
        same(bank.spent(CARD), 0, "debited after the reversal")?;
    }
    same(bank.host.asked_in_all().credits, 1, "credits")?;
    same(bank.pay(node, CARD, &wish, &pin).await?, "55".into(), "the PIN again")?;
    let original = refusal(&node.ask(&repeated(&payment)).await?);
    same(original, ("12".into(), "reversed_before".into()), "the original again")?;
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    let story = ["Created", "PinIssued", "PinSpent", "HostAnswered", "Reversed"].map(String::from).to_vec();
    same(bank.story(CARD).await, story, "story")
}

async fn a_reversal_that_comes_first_refuses_its_original(bank: &Bank, node: Node) -> Told {
    comes_first(bank, &node, reversal).await
}

async fn a_reversal_by_reference_that_comes_first_refuses_its_original(bank: &Bank, node: Node) -> Told {
    comes_first(bank, &node, reversal_by_reference).await
}

async fn comes_first(bank: &Bank, node: &Node, undo: fn(&Message) -> Message) -> Told {
    let wish = Wish::purchase(22_000);
    let pin = bank.pin(node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&undo(&payment)).await?), "00".into(), "the reversal")?;
    // A repeat may have a transmission time of its own, and be all that comes.
    let mut again = repeated(&payment);
    again.set(7, "1124015250");
    for original in [again, payment.clone(), repeated(&payment)] {
        let refused = refusal(&node.ask(&original).await?);
        same(refused, ("12".into(), "reversed_before".into()), "the original")?;
    }
    same(bank.host.asked(&payment).debits, 0, "debits")?;
    same(bank.keys.compared(), 0, "comparisons")?;
    same(bank.pay(node, CARD, &wish, &pin).await?, "00".into(), "the unspent PIN in a payment of its own")
}

/// A repeat may be sent with a transmission time of its own, and be what the switch reverses.
async fn a_reversal_that_names_a_repeats_time_is_the_payments(bank: &Bank, node: Node) -> Told {
    let (payment, again) = paid_and_repeated(bank, &node, 25_000).await?;
    let undo = reversal(&again);
    let answer = node.ask(&undo).await?;
    same(code(&answer), "00".into(), "the reversal of that")?;
    same(answer.get(90), undo.get(90), "the original, as the switch called it")?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "debited, and credited")?;
    let original = refusal(&node.ask(&repeated(&payment)).await?);
    same(original, ("12".into(), "reversed_before".into()), "the payment again")
}

async fn a_partial_reversal_that_names_a_repeats_time_is_the_payments(bank: &Bank, node: Node) -> Told {
    let (payment, again) = paid_and_repeated(bank, &node, 25_500).await?;
    let mut partial = reversal(&again);
    partial.set(95, format!("{:012}{:0>30}", 5_000, ""));
    let answer = node.ask(&partial).await?;
    same(code(&answer), "00".into(), "the partial reversal")?;
    same(answer.get(90), partial.get(90), "the original, as the switch called it")?;
    same(bank.spent(CARD), 5_000, "debited after it")?;
    same(code(&node.ask(&repeated(&payment)).await?), "00".into(), "the payment, as it was answered")?;
    // Whatever else it is called by is between switch and host.
    let mut nameless = partial.clone();
    nameless.remove(90);
    nameless.set(11, "900001");
    nameless.set(37, payment.bytes(37).unwrap());
    same(code(&node.ask(&nameless).await?), "00".into(), "by its reference")
}

/// A payment that was approved, and its repeat under another transmission time.
async fn paid_and_repeated(bank: &Bank, node: &Node, amount: u64) -> Result<(Message, Message), String> {
    let wish = Wish::purchase(amount);
    let pin = bank.pin(node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
    let mut again = repeated(&payment);
    again.set(7, "1124015250");
    same(code(&node.ask(&again).await?), "00".into(), "its repeat")?;
    Ok((payment, again))
}

async fn of_tries_with_one_reference_the_approved_one_is_reversed(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(26_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mistyped = bank.payment(CARD, &wish, &crate::guess::wrong(&pin));
    let mut payment = bank.payment(CARD, &wish, &pin);
    payment.set(37, mistyped.bytes(37).unwrap());
    same(code(&node.ask(&mistyped).await?), "55".into(), "mistyped")?;
    same(code(&node.ask(&payment).await?), "00".into(), "the second try, under the same reference")?;
    same(code(&node.ask(&reversal_by_reference(&payment)).await?), "00".into(), "the reversal")?;
    same(bank.spent(CARD), 0, "debited")?;
    let original = refusal(&node.ask(&repeated(&payment)).await?);
    same(original, ("12".into(), "reversed_before".into()), "the second try again")?;
    same(code(&node.ask(&repeated(&mistyped)).await?), "55".into(), "the first one again")
}

/// The host had declined the first try.
async fn a_reversal_by_reference_that_comes_again_is_of_the_same_try(bank: &Bank, node: Node) -> Told {
    let (dear, wish) = (Wish::purchase(crate::bank::BALANCE + 1), Wish::purchase(26_500));
    let declined = bank.payment(CARD, &dear, &bank.pin(&node, CARD, &dear).await?);
    same(code(&node.ask(&declined).await?), "51".into(), "too dear")?;
    let mut payment = bank.payment(CARD, &wish, &bank.pin(&node, CARD, &wish).await?);
    payment.set(37, declined.bytes(37).unwrap());
    same(code(&node.ask(&payment).await?), "00".into(), "the second try, under the same reference")?;
    let undo = reversal_by_reference(&payment);
    let mut again = repeated(&undo);
    again.set(7, "1124015410");
    for undo in [undo, again.clone(), again] {
        same(code(&node.ask(&undo).await?), "00".into(), "the reversal")?;
    }
    same(code(&node.ask(&repeated(&declined)).await?), "51".into(), "the first try again")?;
    let original = refusal(&node.ask(&repeated(&payment)).await?);
    same(original, ("12".into(), "reversed_before".into()), "the second try again")
}

async fn a_partial_reversal_leaves_the_answer(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(23_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    let first = node.ask(&payment).await?;
    same(code(&first), "00".into(), "the payment")?;
    let mut partial = reversal(&payment);
    partial.set(95, format!("{:012}{:0>30}", 3_000, ""));
    same(code(&node.ask(&partial).await?), "00".into(), "the partial reversal")?;
    same(bank.spent(CARD), 3_000, "debited after it")?;
    let again = node.ask(&repeated(&payment)).await?;
    same((code(&again), again.get(38)), ("00".into(), first.get(38)), "the original's answer")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the PIN again")
}

async fn a_reversal_of_nothing_that_is_known_passes(_: &Bank, node: Node) -> Told {
    let strange = Wish::purchase(24_000).message(&crate::messages::pan(crate::bank::UNKNOWN));
    same(code(&node.ask(&reversal(&strange)).await?), "00".into(), "of an unknown card: the host's to say")?;
    let mut nameless = reversal(&Wish::purchase(24_000).message(&crate::messages::pan(CARD)));
    nameless.remove(90);
    drop(node.asking(0, &nameless));
    node.was_silent(1).await?;
    let mut garbled = reversal(&strange);
    garbled.remove(2);
    drop(node.asking(0, &garbled));
    node.was_silent(2).await
}

/// Noted, but the host does not know: an answer would acknowledge it.
async fn a_reversal_of_either_type_is_silence_while_the_host_is_away(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(27_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&payment).await?), "00".into(), "the payment")?;
    bank.cut_off(&node).await?;
    for (mti, silent) in [(Mti::REVERSAL_ADVICE, 1), (Mti::REVERSAL, 2), (Mti::REVERSAL.repeat(), 3)] {
        let mut undo = reversal(&payment);
        undo.set_mti(mti);
        drop(node.asking(0, &undo));
        node.was_silent(silent).await?;
    }
    bank.reconnect(&node).await?;
    same(code(&node.ask(&reversal(&payment)).await?), "00".into(), "once the host is back")?;
    same(bank.spent(CARD), 0, "debited in the end")
}
