//! What the operator says of an SMS stands in the card's journal, and changes nothing else.

use ramz_domain::card::{Entry, ReceiptState};
use ramz_domain::{Clock as _, limits};
use ramz_issuer::engine::JournalRecord;

use crate::bank::{Bank, CARD, Node, OTHER_CARD, Told, on_both_stores, same, until};
use crate::doubles::Operator;
use crate::messages::{Wish, phone};

on_both_stores! {
    a_receipt_stands_in_the_journal,
    that_an_sms_arrived_is_written_with_what_comes_next,
    a_receipt_changes_nothing_that_a_card_may_spend,
    receipts_of_nothing_and_of_others_are_in_no_journal,
    a_flood_of_receipts_delays_no_payment,
    a_restart_forgets_which_sms_a_receipt_is_about,
}

/// The receipts in a card's journal.
async fn receipts(bank: &Bank, n: u32) -> Vec<Entry> {
    let entries = bank.store().journal(&bank.card(n).0, 0, 10_000).await.unwrap();
    let entries = entries.iter().map(|row| minicbor::decode::<JournalRecord>(&row.entry).unwrap().entry);
    entries.filter(|entry| matches!(entry, Entry::Receipt { .. })).collect()
}

/// Until a card's journal has so many. That an SMS arrived waits for the card's next turn, or for the clock, which is moved only
/// when a receipt has had all the time it needs to be noted.
async fn journalled(bank: &Bank, n: u32, count: usize) -> Told {
    let polls = std::cell::Cell::new(0u32);
    until("it is journalled", async || {
        polls.set(polls.get() + 1);
        if polls.get() == 100 {
            bank.advance(limits::RECEIPT_WAITS.as_secs());
        }
        receipts(bank, n).await.len() == count
    })
    .await
}

async fn that_an_sms_arrived_is_written_with_what_comes_next(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(80_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.pin(&node, OTHER_CARD, &wish).await?;
    bank.settled().await?;
    bank.operator.receipt(&Operator::id(1), &phone(CARD), ReceiptState::Delivered);
    // They are noted in turn, and what did not arrive is written at once.
    bank.operator.receipt(&Operator::id(2), &phone(OTHER_CARD), ReceiptState::Undeliverable);
    until("the second is journalled", async || receipts(bank, OTHER_CARD).await.len() == 1).await?;
    same(receipts(bank, CARD).await.len(), 0, "the first, which waits")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the payment")?;
    let story = ["Created", "PinIssued", "PinSpent", "Receipt", "HostAnswered"].map(String::from).to_vec();
    same(bank.story(CARD).await, story, "written in the turn of the payment")
}

async fn a_receipt_stands_in_the_journal(bank: &Bank, node: Node) -> Told {
    use ReceiptState::{Delivered, Expired, Rejected, Undeliverable, Unknown};
    for (n, state) in [Delivered, Undeliverable, Expired, Rejected, Unknown].into_iter().enumerate() {
        bank.pin(&node, CARD, &Wish::purchase(81_000 + n as u64)).await?;
        bank.settled().await?;
        let open = bank.state(CARD).await.open(bank.clock.now()).map(|open| open.id).last();
        let challenge = open.ok_or("no PIN is open")?;
        bank.advance(30);
        bank.operator.receipt(&Operator::id(n + 1).to_uppercase(), &phone(CARD), state);
        journalled(bank, CARD, n + 1).await?;
        let last = receipts(bank, CARD).await.pop();
        same(last, Some(Entry::Receipt { challenge, state, after_ms: 30_000 }), "the entry")?;
        bank.advance(120);
    }
    Ok(())
}

async fn a_receipt_changes_nothing_that_a_card_may_spend(bank: &Bank, node: Node) -> Told {
    for (n, state) in [ReceiptState::Delivered, ReceiptState::Undeliverable].into_iter().enumerate() {
        let wish = Wish::purchase(82_000 + n as u64);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        bank.operator.receipt(&Operator::id(n + 1), &phone(CARD), state);
        journalled(bank, CARD, n + 1).await?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN")?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the PIN again")?;
        bank.advance(40);
    }
    Ok(())
}

async fn receipts_of_nothing_and_of_others_are_in_no_journal(bank: &Bank, node: Node) -> Told {
    bank.pin(&node, CARD, &Wish::purchase(83_000)).await?;
    bank.settled().await?;
    bank.operator.receipt("beef", &phone(CARD), ReceiptState::Delivered);
    bank.operator.receipt(&Operator::id(1), &phone(OTHER_CARD), ReceiptState::Delivered);
    // Twice the right one: it is noted once, and those before it were looked at before.
    bank.operator.receipt(&Operator::id(1), &phone(CARD), ReceiptState::Delivered);
    bank.operator.receipt(&Operator::id(1), &phone(CARD), ReceiptState::Rejected);
    bank.pin(&node, OTHER_CARD, &Wish::purchase(83_001)).await?;
    bank.settled().await?;
    bank.operator.receipt(&Operator::id(2), &phone(OTHER_CARD), ReceiptState::Delivered);
    journalled(bank, OTHER_CARD, 1).await?;
    journalled(bank, CARD, 1).await?;
    same(bank.story(CARD).await.last().cloned(), Some("Receipt".into()), "the last entry")
}

async fn a_flood_of_receipts_delays_no_payment(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(84_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.settled().await?;
    // All the queue and more, of this very card, and nobody has taken up any of them yet when the payment comes.
    let taken = (0..100_000)
        .filter(|n| bank.operator.receipt(&format!("{n:x}"), &phone(CARD), ReceiptState::Delivered))
        .count();
    let paid = bank.pay(&node, CARD, &wish, &pin).await?;
    same(paid, "00".into(), "the payment")?;
    same(taken < 100_000, true, "the queue is bounded")?;
    same(receipts(bank, CARD).await.len() <= 1, true, "none but its own is journalled")
}

async fn a_restart_forgets_which_sms_a_receipt_is_about(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(85_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.settled().await?;
    bank.crash(node);
    let node = bank.node().await;
    bank.operator.receipt(&Operator::id(1), &phone(CARD), ReceiptState::Delivered);
    // One that this node sent comes through after it.
    bank.pin(&node, OTHER_CARD, &Wish::purchase(85_001)).await?;
    bank.settled().await?;
    bank.operator.receipt(&Operator::id(2), &phone(OTHER_CARD), ReceiptState::Delivered);
    journalled(bank, OTHER_CARD, 1).await?;
    same(receipts(bank, CARD).await.len(), 0, "receipts of the card")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN")
}
