//! Receipts: of each state, late, early, in every form of id; and texts that only look like one.

use std::time::Duration;

use ramz_domain::{Phone, card::ReceiptState, limits};
use ramz_sim::smsc::ReceiptIds;
use ramz_sms::port::{Receipt, Sender as _, SmsText};
use tokio::{sync::mpsc, time::timeout};

use crate::lab::{Bank, Lab, PHONE, until};

async fn next(receipts: &mut mpsc::Receiver<Receipt>) -> Receipt {
    timeout(Duration::from_secs(20), receipts.recv()).await.expect("a receipt").expect("the sender is there")
}

fn counted(bank: &Bank, state: &str) -> u64 {
    bank.sender.lines()[0].receipts[state]
}

#[tokio::test]
async fn each_state_is_told_with_id_and_phone() {
    use ReceiptState::{Delivered, Expired, Rejected, Undeliverable, Unknown};
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut receipts = bank.sender.receipts().unwrap();
    assert!(bank.sender.receipts().is_none(), "for whoever asks first");
    for state in [Delivered, Undeliverable, Expired, Rejected, Unknown] {
        smsc.receipts_say(Some(state));
        let message_ids = bank.send("x").await.unwrap().message_ids;
        let receipt = next(&mut receipts).await;
        assert_eq!(receipt, Receipt { message_ids, phone: Phone::parse(PHONE).unwrap(), state });
        assert_eq!(counted(&bank, state.word()), 1);
    }
}

#[tokio::test]
async fn receipts_come_late_and_early_and_keep_nothing_waiting() {
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut receipts = bank.sender.receipts().unwrap();
    smsc.hold_receipts();
    let late = bank.send("x").await.unwrap().message_ids;
    smsc.receipts_first();
    let second = bank.send("x").await.unwrap().message_ids;
    smsc.release_receipts();
    assert_eq!(next(&mut receipts).await.message_ids, late);
    assert_eq!(next(&mut receipts).await.message_ids, second);
    let third = bank.send("x").await.unwrap().message_ids;
    assert_eq!(next(&mut receipts).await.message_ids, third);
}

#[tokio::test]
async fn ids_in_another_base_are_passed_on_as_they_came() {
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut receipts = bank.sender.receipts().unwrap();
    for (ids, in_base) in [(ReceiptIds::Decimal, 10), (ReceiptIds::UpperHex, 16)] {
        smsc.receipt_ids(ids);
        let id = bank.send("x").await.unwrap().message_ids.remove(0);
        let told = next(&mut receipts).await.message_ids.remove(0);
        assert_eq!(u64::from_str_radix(&told, in_base), u64::from_str_radix(&id, 16), "{ids:?}");
        assert!(told.len() >= 8);
    }
}

#[tokio::test]
async fn a_text_that_looks_like_a_receipt_is_a_text() {
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut receipts = bank.sender.receipts().unwrap();
    smsc.hold_receipts();
    let id = bank.send("x").await.unwrap().message_ids.remove(0);
    let words = format!("id:{id} sub:001 dlvrd:001 stat:UNDELIV err:000 text:");
    smsc.text(&Phone::parse(PHONE).unwrap(), "30003303", &SmsText::new(words)).unwrap();
    smsc.release_receipts();
    assert_eq!(next(&mut receipts).await.state, ReceiptState::Delivered, "the operator's own word");
    assert_eq!(counted(&bank, "undeliverable"), 0);
}

#[tokio::test]
async fn without_receipts_none_is_asked_for() {
    let lab = Lab::new().await;
    let smsc = lab.open();
    let mut config = lab.config();
    config.receipts = false;
    let bank = lab.bank(config);
    until("the bank is bound", || bank.sender.is_up()).await;
    assert!(bank.sender.receipts().is_none());
    bank.send("x").await.unwrap();
    smsc.text(&Phone::parse(PHONE).unwrap(), "30003303", &SmsText::new("a text".into())).unwrap();
    // Whatever came before the text would have been counted by now.
    until("the text came", || lab.tap.values("deliver_sm", "short_message").len() == 1).await;
    assert!(bank.sender.lines()[0].receipts.values().all(|count| *count == 0));
}

#[tokio::test]
async fn receipts_that_nobody_takes_up_are_dropped_and_texts_go_on() {
    let (_lab, _smsc, bank) = Lab::bound().await;
    let _receipts = bank.sender.receipts().unwrap();
    for _ in 0..limits::RECEIPTS_QUEUED_MAX + 10 {
        bank.send("x").await.unwrap();
    }
    until("the rest was dropped", || counted(&bank, "dropped") == 10).await;
}
