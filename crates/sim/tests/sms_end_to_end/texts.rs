//! Texts from handsets, up to whoever takes them up at the bank.

use std::time::Duration;

use ramz_domain::Phone;
use ramz_sim::smsc::Smsc;
use ramz_sms::{
    port::{Sender as _, SmsText, Texted},
    texts::{Asked, asked},
};
use tokio::{sync::mpsc, time::timeout};

use crate::lab::{Bank, Lab, PHONE, until};

const SHORT_CODE: &str = "30003303";

fn text(smsc: &Smsc, words: &str) {
    smsc.text(&Phone::parse(PHONE).unwrap(), SHORT_CODE, &SmsText::new(words.into())).unwrap();
}

async fn next(texts: &mut mpsc::Receiver<Texted>) -> Texted {
    timeout(Duration::from_secs(20), texts.recv()).await.expect("a text").expect("the sender is there")
}

fn counted(bank: &Bank, word: &str) -> u64 {
    bank.sender.lines().iter().map(|line| line.texts[word]).sum()
}

#[tokio::test]
async fn a_text_in_any_script_is_taken_when_the_bank_says_so() {
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut texts = bank.sender.texts().unwrap();
    for (words, count) in [("1234", 1), ("کارت ۱۲۳۴ لطفا", 2), ("١٢ ٣٤ 😀", 3)] {
        text(&smsc, words);
        let texted = next(&mut texts).await;
        assert_eq!(texted.words.expose(), words);
        assert_eq!((&texted.from, &*texted.to), (&Phone::parse(PHONE).unwrap(), SHORT_CODE));
        assert_eq!(asked(&texted.words), Some(Asked::Four(*b"1234")));
        assert_eq!(smsc.texts_told(), (count - 1, 0));
        texted.taken.accept();
        until("the operator knows", || smsc.texts_told() == (count, 0)).await;
        assert_eq!(counted(&bank, "taken"), count);
    }
    assert_eq!(smsc.deliver_again(), 0);
}

#[tokio::test]
async fn what_is_put_off_comes_again_under_the_same_reference() {
    let (_lab, smsc, bank) = Lab::bound().await;
    text(&smsc, "1234");
    until("nobody takes it up", || smsc.texts_told() == (0, 1)).await;
    let mut texts = bank.sender.texts().unwrap();
    assert_eq!(smsc.deliver_again(), 1);
    let first = next(&mut texts).await;
    first.taken.later();
    until("it was put off again", || smsc.texts_told() == (0, 2)).await;
    assert_eq!(smsc.deliver_again(), 1);
    let second = next(&mut texts).await;
    assert_eq!((second.reference, second.words.expose()), (first.reference, "1234"));
    assert!(second.reference.is_some());
    second.taken.accept();
    until("it is taken", || smsc.texts_told() == (1, 2)).await;
    text(&smsc, "1234");
    assert_ne!(next(&mut texts).await.reference, first.reference, "another text");
}

#[tokio::test]
async fn what_was_taken_over_a_lost_line_comes_again() {
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut texts = bank.sender.texts().unwrap();
    text(&smsc, "1234");
    let lost = next(&mut texts).await;
    smsc.drop_connections();
    until("the line is lost", || !bank.sender.is_up()).await;
    lost.taken.accept();
    until("the bank is bound again", || bank.sender.is_up()).await;
    assert_eq!((smsc.texts_told(), counted(&bank, "taken")), ((0, 0), 0));
    assert_eq!(smsc.deliver_again(), 1);
    let again = next(&mut texts).await;
    assert_eq!(again.reference, lost.reference);
    again.taken.accept();
    until("it is taken", || smsc.texts_told() == (1, 0)).await;
}

#[tokio::test]
async fn texts_of_two_operators_come_to_one_receiver() {
    let (first, second) = (Lab::new().await, Lab::new().await);
    let (a, b) = (first.open(), second.open());
    let bank = first.bank_with(vec![first.config(), second.config()]);
    until("both are bound", || bank.sender.lines().iter().all(|line| line.down.is_none())).await;
    let mut texts = bank.sender.texts().unwrap();
    for (smsc, words) in [(&a, "1111"), (&b, "2222")] {
        text(smsc, words);
        let texted = next(&mut texts).await;
        assert_eq!(texted.words.expose(), words);
        texted.taken.accept();
        until("its operator knows", || smsc.texts_told() == (1, 0)).await;
    }
    let each: Vec<u64> = bank.sender.lines().iter().map(|line| line.texts["taken"]).collect();
    assert_eq!(each, [1, 1]);
}

#[tokio::test]
async fn a_text_in_parts_is_no_request_and_does_not_come_again() {
    let (_lab, smsc, bank) = Lab::bound().await;
    let mut texts = bank.sender.texts().unwrap();
    text(&smsc, &"سلام ۱۲۳۴ ".repeat(10));
    until("its parts are acknowledged", || smsc.texts_told() == (2, 0)).await;
    assert_eq!(counted(&bank, "unreadable"), 2);
    assert!(texts.try_recv().is_err());
}
