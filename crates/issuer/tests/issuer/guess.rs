//! Wrong PINs: all of them count, also in parallel and on two nodes, and nothing is compared once the tries are used up.

use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same};
use crate::messages::Wish;
use crate::spend::{codes, of};

on_both_stores! {
    three_wrong_pins_lock,
    of_64_wrong_pins_at_once_three_are_compared,
    of_64_wrong_pins_on_two_nodes_two_are_answered_55,
    the_end_of_a_lock_does_not_reset_the_count,
    the_right_pin_resets_the_count,
    without_an_open_pin_there_is_nothing_to_guess,
}

/// A PIN that is not this one.
pub(crate) fn wrong(pin: &str) -> String {
    let (body, last) = pin.split_at(pin.len() - 1);
    format!("{body}{}", (last.parse::<u8>().unwrap() + 1) % 10)
}

pub(crate) async fn three_wrong_pins_lock(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(2_000_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    (bank.build.attack)();
    for expected in ["55", "55", "75", "75"] {
        same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, expected.into(), "a wrong PIN")?;
    }
    same(bank.pay(&node, CARD, &wish, &pin).await?, "75".into(), "the right PIN of a locked card")?;
    same(bank.keys.compared(), 3, "comparisons")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")?;
    let story =
        ["Created", "PinIssued", "Refused", "Refused", "Refused", "Locked"].map(String::from).to_vec();
    same(bank.story(CARD).await, story, "story")
}

pub(crate) async fn of_64_wrong_pins_at_once_three_are_compared(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(3_000_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let guesses = (0..64).map(|_| bank.payment(CARD, &wish, &wrong(&pin))).collect();
    (bank.build.attack)();
    same(codes(&[&node], guesses).await?, of(&[(2, "55"), (62, "75")]), "answers")?;
    same(bank.keys.compared(), 3, "comparisons")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "75".into(), "the right PIN then")?;
    same(bank.keys.compared(), 3, "comparisons, after the right PIN")?;
    same(bank.state(CARD).await.failures(), 3, "failures")
}

pub(crate) async fn of_64_wrong_pins_on_two_nodes_two_are_answered_55(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    let wish = Wish::purchase(3_000_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let guesses = (0..64).map(|_| bank.payment(CARD, &wish, &wrong(&pin))).collect();
    (bank.build.attack)();
    same(codes(&[&node, &second], guesses).await?, of(&[(2, "55"), (62, "75")]), "answers")?;
    // A comparison made on a row that had changed meanwhile was thrown away, unanswered; none is made any more.
    let compared = bank.keys.compared();
    for node in [&node, &second] {
        same(bank.pay(node, CARD, &wish, &pin).await?, "75".into(), "the right PIN then")?;
    }
    same(bank.keys.compared(), compared, "comparisons after the lock")?;
    same(bank.state(CARD).await.failures(), 3, "failures")
}

async fn the_end_of_a_lock_does_not_reset_the_count(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(4_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for expected in ["55", "55", "75"] {
        same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, expected.into(), "a wrong PIN")?;
    }
    bank.advance(900);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, "75".into(), "one more wrong PIN")?;
    bank.advance(900);
    same(bank.pay(&node, CARD, &wish, &pin).await?, "75".into(), "the second lock is longer")?;
    bank.advance(900);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the right PIN, after the second lock")?;
    same(bank.state(CARD).await.failures(), 0, "failures")
}

async fn the_right_pin_resets_the_count(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(5_000);
    for _ in 0..2 {
        let pin = bank.pin(&node, CARD, &wish).await?;
        for _ in 0..2 {
            same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, "55".into(), "a wrong PIN")?;
        }
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the right PIN")?;
        same(bank.state(CARD).await.failures(), 0, "failures")?;
    }
    Ok(())
}

async fn without_an_open_pin_there_is_nothing_to_guess(bank: &Bank, node: Node) -> Told {
    for _ in 0..5 {
        same(bank.pay(&node, CARD, &Wish::purchase(1), "0000000").await?, "55".into(), "a guess at nothing")?;
    }
    same(bank.keys.compared(), 0, "comparisons")?;
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(bank.story(CARD).await, vec!["Created".to_owned()], "story")
}
