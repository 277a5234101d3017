//! A transaction that comes again gets the answer given before and spends nothing; and what the card host's bad days
//! leave behind: silence, never an approval that nobody undoes.

use ramz_domain::{Rial, limits};
use ramz_iso8583::{Message, Mti};

use crate::bank::{Bank, CARD, FIRST_PIN, Node, Told, on_both_stores, same, until};
use crate::guess::wrong;
use crate::messages::{Wish, code, pan, refusal, repeated, reversal};

on_both_stores! {
    a_repeat_waits_for_the_one_in_flight,
    a_repeat_on_another_node_debits_once,
    a_repeat_gets_the_answer_given_before,
    a_repeat_of_an_approval_in_part_says_how_much,
    a_repeat_of_a_balance_is_silence,
    a_repeat_that_says_less_than_its_first_gets_the_same_answer,
    a_repeat_that_says_less_of_a_payment_in_doubt_is_silence,
    a_repeat_of_a_wrong_pin_counts_once,
    the_same_identity_with_another_amount_is_94,
    a_lost_connection_in_flight_is_silence,
    nothing_is_spent_while_the_host_is_away,
    nothing_is_spent_while_the_host_is_behind,
    what_passes_through_leaves_room_for_reversals,
    the_same_message_beside_itself_is_no_decline,
    a_crash_in_flight_loses_nothing,
}

/// What a repeat must have the same of.
fn given(answer: &Message) -> [Option<String>; 3] {
    [37, 38, 39].map(|field| answer.get(field).map(str::to_owned))
}

async fn a_repeat_waits_for_the_one_in_flight(bank: &Bank, node: Node) -> Told {
    for as_repeat in [true, false] {
        let wish = Wish::purchase(11_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let payment = bank.payment(CARD, &wish, &pin);
        let again = if as_repeat { repeated(&payment) } else { payment.clone() };
        let asked_before = bank.host.asked_in_all().times;
        bank.host.hold();
        let first = node.asking(0, &payment);
        bank.host_was_asked(asked_before + 1).await?;
        let second = node.asking(1, &again);
        let trace = payment.get(11).unwrap().to_owned();
        let arrived = async || {
            let facts = bank.trace.facts();
            let of_it = |fact: &&ramz_api::tap::Fact| {
                fact.to == "bank mellat"
                    && crate::doubles::shown(fact, 11) == Some(&trace)
                    && fact.title.starts_with("020")
            };
            facts.iter().filter(of_it).count() == 2
        };
        until("the repeat has arrived", arrived).await?;
        bank.host.release();
        let (first, second) = (first.await?, second.await?);
        same(code(&first), "00".into(), "the first")?;
        same(given(&second), given(&first), "the repeat's answer")?;
        let asked = bank.host.asked(&payment);
        same((asked.times, asked.debits), (1, 1), "asked of the host, and debited")?;
    }
    same(bank.spent(CARD), 22_000, "debited")
}

async fn a_repeat_on_another_node_debits_once(bank: &Bank, node: Node) -> Told {
    let other = bank.node().await;
    let wish = Wish::purchase(11_500);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.hold();
    let first = node.asking(0, &payment);
    bank.host_was_asked(1).await?;
    let second = other.asking(0, &repeated(&payment));
    bank.host_was_asked(2).await?;
    bank.host.release();
    let (first, second) = (first.await?, second.await?);
    same(code(&first), "00".into(), "the first")?;
    same(given(&second), given(&first), "the repeat's answer")?;
    same(bank.host.asked(&payment).debits, 1, "debits")
}

async fn a_repeat_gets_the_answer_given_before(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(12_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    let first = node.ask(&payment).await?;
    same(code(&first), "00".into(), "the first")?;
    bank.advance(599);
    for again in [repeated(&payment), payment.clone()] {
        same(given(&node.ask(&again).await?), given(&first), "the repeat's answer")?;
    }
    let mut other_pin = repeated(&payment);
    crate::messages::set_pin(&mut other_pin, &wrong(&pin), &bank.soft);
    same(given(&node.ask(&other_pin).await?), given(&first), "a repeat's PIN is not compared; its answer")?;
    same(bank.host.asked(&payment).times, 1, "asked of the host")?;
    same(bank.spent(CARD), 12_000, "debited")
}

async fn a_repeat_of_an_approval_in_part_says_how_much(bank: &Bank, node: Node) -> Told {
    bank.host.approve_at_most(Rial::new(5_000).unwrap());
    let wish = Wish::purchase(12_050);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    let told = ("10".to_owned(), Some("000000005000"));
    for again in [payment.clone(), repeated(&payment)] {
        let answer = node.ask(&again).await?;
        same((code(&answer), answer.get(4)), told.clone(), "what was approved, and of how much")?;
    }
    same(bank.spent(CARD), 5_000, "debited")
}

/// It is not kept in the card's row, and 00 without it would be another answer.
async fn a_repeat_of_a_balance_is_silence(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(0).of("balance");
    let pin = bank.pin(&node, CARD, &wish).await?;
    let inquiry = bank.payment(CARD, &wish, &pin);
    let answer = node.ask(&inquiry).await?;
    same((code(&answer), answer.has(54)), ("00".into(), true), "the balance")?;
    drop(node.asking(1, &repeated(&inquiry)));
    node.was_silent(1).await
}

/// A switch may keep no PIN block, and not all of the rest.
async fn a_repeat_that_says_less_than_its_first_gets_the_same_answer(bank: &Bank, node: Node) -> Told {
    let without = |payment: &Message, field: u8| {
        let mut less = repeated(payment);
        less.remove(field);
        less
    };
    let wish = Wish::purchase(12_100);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    let first = node.ask(&payment).await?;
    same(code(&first), "00".into(), "the first")?;
    for field in [4, 7, 14, 22, 42, 49, 52] {
        let again = node.ask(&without(&payment, field)).await?;
        same(given(&again), given(&first), &format!("a repeat without field {field}"))?;
    }
    let bill = Wish::purchase(12_200).of("bill");
    let pin = bank.pin(&node, CARD, &bill).await?;
    let payment_of_a_bill = bank.payment(CARD, &bill, &pin);
    let first = node.ask(&payment_of_a_bill).await?;
    let mut garbled = repeated(&payment_of_a_bill);
    garbled.set(48, "03001x03001y");
    for less in [without(&payment_of_a_bill, 48), garbled] {
        same(given(&node.ask(&less).await?), given(&first), "a repeat without the bill")?;
    }
    let mut other = without(&payment, 52);
    other.set(4, "000000012101");
    same(refusal(&node.ask(&other).await?), ("94".into(), "duplicate_other".into()), "of another amount")?;
    let strange = bank.payment(CARD, &wish, &pin);
    let refused = refusal(&node.ask(&without(&strange, 52)).await?).1;
    same(refused, "not_permitted".into(), "of what is not known")?;
    // Its first may be another than can be read here.
    for (silent, field) in (1..).zip([14, 42, 2, 12, 41]) {
        drop(node.asking(0, &without(&bank.payment(CARD, &wish, &pin), field)));
        node.was_silent(silent).await?;
    }
    same(bank.host.asked(&payment).times, 1, "asked of the host")
}

async fn a_repeat_that_says_less_of_a_payment_in_doubt_is_silence(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(12_300);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.in_doubt(&node, &payment).await?;
    let mut less = repeated(&payment);
    less.remove(52);
    drop(node.asking(1, &less));
    node.was_silent(2).await?;
    let other = bank.node().await;
    same(code(&other.ask(&repeated(&payment)).await?), "00".into(), "the repeat that says all of it")?;
    same(code(&other.ask(&less).await?), "00".into(), "and then the one that does not")
}

async fn a_repeat_of_a_wrong_pin_counts_once(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(13_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let guess = bank.payment(CARD, &wish, &wrong(&pin));
    for _ in 0..5 {
        same(code(&node.ask(&repeated(&guess)).await?), "55".into(), "a wrong PIN, again and again")?;
    }
    same(bank.state(CARD).await.failures(), 1, "failures")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the right PIN")
}

async fn the_same_identity_with_another_amount_is_94(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(14_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&payment).await?), "00".into(), "the first")?;
    for (field, value) in [(4, "000000014001"), (3, "510000"), (42, "000000140332125")] {
        let mut other = repeated(&payment);
        other.set(field, value);
        let expected = ("94".to_owned(), "duplicate_other".to_owned());
        same(refusal(&node.ask(&other).await?), expected, "other content")?;
    }
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(bank.spent(CARD), 14_000, "debited")
}

async fn a_lost_connection_in_flight_is_silence(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(15_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.in_doubt(&node, &payment).await?;
    let again = node.ask_over(1, &repeated(&payment)).await?;
    same(code(&again), "00".into(), "the repeat, forwarded as one")?;
    let forwarded = bank.host_trace.last("host", "0201");
    same(forwarded.is_some(), true, "a 0201 came to the host")?;
    same(bank.host.asked(&payment).debits, 1, "debits")?;
    same(code(&node.ask_over(1, &reversal(&payment)).await?), "00".into(), "the reversal")?;
    same(bank.spent(CARD), 0, "debited after the reversal")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the PIN again")
}

#[tokio::test]
async fn a_silent_host_is_silence_to_the_switch() {
    let told = crate::bank::tried(crate::bank::Build::default(), async |bank, node| {
        let wish = Wish::purchase(15_500);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let payment = bank.payment(CARD, &wish, &pin);
        bank.host.silence_next(1);
        drop(node.asking(0, &payment));
        node.was_silent(1).await?;
        let undo = reversal(&payment);
        same(undo.mti(), Mti::REVERSAL_ADVICE, "a 0420")?;
        same(code(&node.ask_over(1, &undo).await?), "00".into(), "the reversal")?;
        same(bank.spent(CARD), 0, "debited after the reversal")?;
        let again = refusal(&node.ask_over(1, &repeated(&payment)).await?);
        same(again, ("12".into(), "reversed_before".into()), "the original once more")?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the PIN again")
    });
    assert_eq!(told.await, Ok(()));
}

async fn nothing_is_spent_while_the_host_is_away(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(16_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let paid = bank.payment(CARD, &wish, &pin);
    let first = node.ask(&paid).await?;
    same(code(&first), "00".into(), "before")?;
    let wish = Wish::purchase(16_500);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.cut_off(&node).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    let away = ("91".to_owned(), "issuer_inoperative".to_owned());
    same(refusal(&node.ask(&payment).await?), away.clone(), "while the host is away")?;
    same(
        bank.pay(&node, CARD, &wish, &wrong(&pin)).await?,
        "91".into(),
        "a wrong PIN while the host is away",
    )?;
    same(given(&node.ask(&repeated(&paid)).await?), given(&first), "a repeat while the host is away")?;
    let state = bank.state(CARD).await;
    same(state.failures(), 0, "failures")?;
    bank.reconnect(&node).await?;
    same(code(&node.ask(&repeated(&payment)).await?), "00".into(), "the same payment, after it is back")?;
    same(bank.spent(CARD), 32_500, "debited")
}

/// A line with more unanswered than there may be takes no payment; what was spent for it first would be burnt.
async fn nothing_is_spent_while_the_host_is_behind(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(18_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let waiting = fill_the_line(bank, &node, PAYMENTS_MAX).await?;
    let behind = ("91".to_owned(), "issuer_inoperative".to_owned());
    same(refusal(&node.ask(&bank.payment(CARD, &wish, &pin)).await?), behind, "while the host is behind")?;
    same(bank.story(CARD).await.last().map(String::as_str), Some("PinIssued"), "the last entry")?;
    bank.host.release();
    for answer in waiting {
        answer.await?;
    }
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "after it has caught up")
}

/// Something that is the host's own matter: another bank's card at a till.
pub(crate) fn at_a_till(amount: u64) -> Message {
    let mut message = Wish::purchase(amount).message(&pan(900));
    message.set(22, "051");
    message
}

/// What payments may be at once on the line to the host.
pub(crate) const PAYMENTS_MAX: usize = limits::LINK_IN_FLIGHT_MAX - limits::LINK_ROOM_KEPT;

/// So many of these wait for the host; what they are answered, once it is released.
pub(crate) async fn fill_the_line(
    bank: &Bank,
    node: &Node,
    with: usize,
) -> Result<Vec<impl Future<Output = Result<Message, String>>>, String> {
    bank.host.hold();
    let waiting = (0..with).map(|_| node.asking(1, &at_a_till(1))).collect();
    bank.host_was_asked(u32::try_from(with).unwrap()).await?;
    Ok(waiting)
}

/// What only passes takes no more places than what is decided here.
async fn what_passes_through_leaves_room_for_reversals(bank: &Bank, node: Node) -> Told {
    let payment = at_a_till(2);
    let waiting = fill_the_line(bank, &node, PAYMENTS_MAX).await?;
    let behind = ("91".to_owned(), "issuer_inoperative".to_owned());
    same(refusal(&node.ask(&payment).await?), behind, "one more")?;
    drop(node.asking(0, &repeated(&payment)));
    node.was_silent(1).await?;
    let undone = node.asking(1, &reversal(&payment));
    let arrived = async || bank.host_trace.last("host", "0420").is_some();
    until("a reversal is at the host", arrived).await?;
    bank.host.release();
    same(code(&undone.await?), "00".into(), "the reversal")?;
    for answer in waiting {
        answer.await?;
    }
    same(code(&node.ask(&at_a_till(3)).await?), "14".into(), "once the host has caught up")
}

/// Over another line of the switch. The first is at the host, and may be approved.
async fn the_same_message_beside_itself_is_no_decline(bank: &Bank, node: Node) -> Told {
    let mut payment = Wish::purchase(18_500).message(&pan(CARD));
    payment.set(22, "051");
    crate::messages::set_pin(&mut payment, FIRST_PIN, &bank.soft);
    bank.host.hold();
    let first = node.asking(0, &payment);
    bank.host_was_asked(1).await?;
    drop(node.asking(1, &payment));
    node.was_silent(1).await?;
    bank.host.release();
    same(code(&first.await?), "00".into(), "the first")?;
    same((bank.spent(CARD), bank.host.asked(&payment).times), (18_500, 1), "debited, and asked")
}

pub(crate) async fn a_crash_in_flight_loses_nothing(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(17_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.hold();
    drop(node.asking(0, &payment));
    bank.host_was_asked(1).await?;
    bank.crash(node);
    bank.host.release();
    let node = bank.node().await;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the PIN in another payment")?;
    same(code(&node.ask(&repeated(&payment)).await?), "00".into(), "the repeat")?;
    let asked = bank.host.asked(&payment);
    same((asked.times, asked.debits), (2, 1), "asked of the host, and debited")?;
    same(bank.spent(CARD), 17_000, "debited")
}
