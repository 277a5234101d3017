//! PINs by texting: "1234" from the card's phone to the short code, and a PIN comes back.

use std::sync::Arc;

use ramz_store::MemoryStore;
use ramz_store::faults::{Failing, FaultyStore};

use crate::bank::{Bank, Build, CARD, NO_PHONE, Node, OTHER_CARD, Told, on_both_stores, same, tried, until};
use crate::messages::{EXPIRY, Wish, pan, phone, refusal};
use crate::terminal::served;

on_both_stores! {
    four_digits_in_any_script_bring_a_pin_that_pays_anything_under_the_ceiling,
    a_repeated_delivery_is_answered_once,
    a_text_that_nobody_waits_for_any_more_is_not_taken,
    the_old_phone_is_not_served,
    help_says_what_to_do,
    two_cards_that_end_alike_are_told_apart_by_six_digits,
    a_stranger_gets_no_answer,
    too_many_texts_are_told_once,
    a_text_that_was_taken_survives_a_crash,
}

fn last(n: u32, digits: usize) -> String {
    let pan = pan(n);
    pan[pan.len() - digits..].to_owned()
}

async fn activated(bank: &Bank, node: &Node, n: u32) -> Told {
    let before = bank.operator.texts(&phone(n)).len();
    same(served(bank, node, n, "911000").await?, "00".into(), "the service is switched on")?;
    bank.text_after(n, before).await.map(|_| ())
}

async fn four_digits_in_any_script_bring_a_pin_that_pays_anything_under_the_ceiling(
    bank: &Bank,
    node: Node,
) -> Told {
    activated(bank, &node, CARD).await?;
    let persian: String =
        last(CARD, 4).chars().map(|c| char::from_u32(u32::from(c) - 0x30 + 0x6F0).unwrap()).collect();
    for (words, wish) in [
        (last(CARD, 4), Wish::purchase(10_000_000)),
        (format!("\u{200f}کارت {persian} لطفا"), Wish::purchase(7).of("transfer")),
    ] {
        let sms = bank.text(CARD, &words).await?;
        same(sms.pin().len(), 7, "digits")?;
        same(bank.pay(&node, CARD, &wish, &sms.pin()).await?, "00".into(), "it pays")?;
        same(bank.pay(&node, CARD, &wish, &sms.pin()).await?, "55".into(), "once")?;
        bank.advance(31);
    }
    let sms = bank.text(CARD, &last(CARD, 4)).await?;
    let much = bank.payment(CARD, &Wish::purchase(10_000_001), &sms.pin());
    same(refusal(&node.ask(&much).await?), ("61".into(), "over_ceiling".into()), "above the ceiling")?;
    bank.advance(31);
    let late = bank.text(CARD, &last(CARD, 4)).await?;
    bank.advance(120);
    same(bank.pay(&node, CARD, &Wish::purchase(7), &late.pin()).await?, "55".into(), "after 120 s")?;
    same(bank.state(CARD).await.failures(), 0, "nothing was a guess")
}

pub(crate) async fn a_repeated_delivery_is_answered_once(bank: &Bank, node: Node) -> Told {
    activated(bank, &node, CARD).await?;
    let sms = bank.text(CARD, &last(CARD, 4)).await?;
    for _ in 0..3 {
        same(bank.operator.text(&phone(CARD), &last(CARD, 4), None).await, true, "it is taken again")?;
    }
    bank.nothing_more_than(CARD, 2).await?;
    same(bank.pay(&node, CARD, &Wish::purchase(7), &sms.pin()).await?, "00".into(), "the PIN still pays")?;
    // With a reference, a second wish is told from a repeat at once.
    for reference in [7, 8, 8] {
        same(bank.operator.text(&phone(CARD), &last(CARD, 4), Some(reference)).await, true, "taken")?;
        bank.settled().await?;
    }
    bank.nothing_more_than(CARD, 4).await
}

async fn a_text_that_nobody_waits_for_any_more_is_not_taken(bank: &Bank, node: Node) -> Told {
    activated(bank, &node, CARD).await?;
    bank.operator.text_and_leave(&phone(CARD), &last(CARD, 4)).await;
    node.shows("ramz_texts_total{outcome=\"too_late\"} 1").await?;
    // After so long it would be another one, and bring another PIN.
    bank.advance(31);
    let sms = bank.text(CARD, &last(CARD, 4)).await?;
    bank.nothing_more_than(CARD, 2).await?;
    same(bank.pay(&node, CARD, &Wish::purchase(7), &sms.pin()).await?, "00".into(), "it pays")
}

pub(crate) async fn the_old_phone_is_not_served(bank: &Bank, node: Node) -> Told {
    activated(bank, &node, CARD).await?;
    let sms = bank.text(CARD, &last(CARD, 4)).await?;
    (bank.build.attack)();
    let new = format!(r#"{{"phone":"+{}"}}"#, phone(500));
    same(node.admin("PUT", &format!("/{}", bank.card(CARD)), &new).await.status, 200, "a new phone")?;
    same(bank.pay(&node, CARD, &Wish::purchase(7), &sms.pin()).await?, "55".into(), "the old phone's PIN")?;
    bank.advance(31);
    let before = bank.operator.texts(&phone(CARD)).len();
    same(bank.operator.text(&phone(CARD), &last(CARD, 4), None).await, true, "the old phone texts")?;
    bank.settled().await?;
    let pins =
        |phone: &str| bank.operator.texts(phone).iter().skip(before).any(|sms| sms.text.contains("رمز:"));
    same(pins(&phone(CARD)), false, "a PIN for the old phone")?;
    same(bank.operator.text(&phone(500), &last(CARD, 4), None).await, true, "the new phone texts")?;
    until("the new phone is told how", async || !bank.operator.texts(&phone(500)).is_empty()).await?;
    let told = bank.operator.texts(&phone(500)).remove(0);
    same(told.text.contains("رمز:"), false, "the service ended with the old phone")
}

async fn help_says_what_to_do(bank: &Bank, node: Node) -> Told {
    let not_activated = bank.text(CARD, &last(CARD, 4)).await?;
    same(not_activated.text.contains("رمز:"), false, "not activated")?;
    activated(bank, &node, CARD).await?;
    for words in ["0000", "سلام"] {
        let help = bank.text(CARD, words).await?;
        same(help.text.contains("رمز:"), false, words)?;
    }
    let locked = node.admin("POST", &format!("/{}/lock", bank.card(CARD)), "").await;
    same(locked.status, 200, "locked")?;
    bank.advance(31);
    let help = bank.text(CARD, &last(CARD, 4)).await?;
    same(help.text.contains("رمز:"), false, "locked")?;
    same(bank.state(CARD).await.texted(bank.now()).is_some(), false, "no PIN was made")
}

/// Two cards of one phone, made so that their last four digits are the same.
async fn two_cards_that_end_alike_are_told_apart_by_six_digits(bank: &Bank, node: Node) -> Told {
    let alike =
        (1000..90_000).find(|n| last(*n, 4) == last(CARD, 4) && last(*n, 6) != last(CARD, 6)).unwrap();
    let added = format!(r#"{{"pan":"{}","expiry":"{EXPIRY}","phone":"+{}"}}"#, pan(alike), phone(CARD));
    same(node.admin("POST", "", &added).await.status, 201, "a card that ends alike")?;
    activated(bank, &node, CARD).await?;
    let which = bank.text(CARD, &last(CARD, 4)).await?;
    same(which.text.contains("رمز:"), false, "which one is not known")?;
    let sms = bank.text(CARD, &last(CARD, 6)).await?;
    same(bank.pay(&node, CARD, &Wish::purchase(7), &sms.pin()).await?, "00".into(), "with six digits")
}

async fn a_stranger_gets_no_answer(bank: &Bank, node: Node) -> Told {
    activated(bank, &node, CARD).await?;
    for stranger in [phone(700), phone(NO_PHONE)] {
        same(bank.operator.text(&stranger, &last(CARD, 4), None).await, true, "taken, or it comes again")?;
        bank.settled().await?;
        same(bank.operator.texts(&stranger).len(), 0, "SMS to a stranger")?;
    }
    // Another card's phone is told that it has no such card, and nothing of whose it is.
    let help = bank.text(OTHER_CARD, &last(CARD, 4)).await?;
    same(help.text.contains("رمز:"), false, "another's card")
}

async fn too_many_texts_are_told_once(bank: &Bank, node: Node) -> Told {
    activated(bank, &node, CARD).await?;
    for n in 0..14 {
        same(bank.operator.text(&phone(CARD), &last(CARD, 4), Some(n)).await, true, "taken")?;
        // A PIN that another one has replaced before it was sent is not sent.
        bank.settled().await?;
    }
    // The guide, ten PINs, and one that says that it is too often.
    bank.nothing_more_than(CARD, 12).await
}

async fn a_text_that_was_taken_survives_a_crash(bank: &Bank, node: Node) -> Told {
    activated(bank, &node, CARD).await?;
    bank.operator.is_in(crate::doubles::Mood::Held);
    same(bank.operator.text(&phone(CARD), &last(CARD, 4), None).await, true, "taken")?;
    bank.crash(node);
    bank.operator.is_in(crate::doubles::Mood::Up);
    let node = bank.node().await;
    bank.advance(16);
    let sms = bank.text_after(CARD, 1).await?;
    same(bank.pay(&node, CARD, &Wish::purchase(7), &sms.pin()).await?, "00".into(), "it pays")?;
    bank.nothing_more_than(CARD, 2).await
}

#[tokio::test]
async fn a_store_that_is_away_lets_the_operator_deliver_again() {
    for failing in [Failing::Unavailable, Failing::UnknownWritten, Failing::UnknownNotWritten] {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let scenario = async |bank: &Bank, node: Node| {
            activated(bank, &node, CARD).await?;
            bank.settled().await?;
            store.next_commits([Some(failing)]);
            same(bank.operator.text(&phone(CARD), &last(CARD, 4), None).await, false, "not taken")?;
            same(bank.operator.text(&phone(CARD), &last(CARD, 4), None).await, true, "delivered again")?;
            // What was written without anybody's knowing is taken up by the sweeper.
            bank.advance(16);
            let sms = bank.text_after(CARD, 1).await?;
            same(bank.pay(&node, CARD, &Wish::purchase(7), &sms.pin()).await?, "00".into(), "it pays")?;
            bank.nothing_more_than(CARD, 2).await
        };
        assert_eq!(tried(Build::over(store.clone()), scenario).await, Ok(()), "{failing:?}");
    }
}

/// Where a bank allows fees, a ceiling is for both together.
#[tokio::test]
async fn a_fee_that_the_bank_allows_counts_towards_the_ceiling() {
    let build = Build { fees_max: 1_000, ..Build::default() };
    let told = tried(build, async |bank, node| {
        activated(bank, &node, CARD).await?;
        for (amount, fee, expected) in [
            (7, "D00001001", ("13", "more_than_amount")),
            (9_999_001, "D00001000", ("61", "over_ceiling")),
            (9_999_000, "D00001000", ("00", "")),
        ] {
            let sms = bank.text(CARD, &last(CARD, 4)).await?;
            let mut payment = bank.payment(CARD, &Wish::purchase(amount), &sms.pin());
            payment.set(28, fee);
            let answer = node.ask(&payment).await?;
            let expected = (expected.0.to_owned(), expected.1.to_owned());
            same(refusal(&answer), expected, &format!("{amount} and {fee}"))?;
            bank.advance(31);
        }
        Ok(())
    })
    .await;
    assert_eq!(told, Ok(()));
}
