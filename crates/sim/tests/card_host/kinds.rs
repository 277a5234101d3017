//! What each kind of payment books.

use ramz_domain::Pan;
use ramz_iso8583::Message;

use crate::bench::{BALANCE, Bench, CARD, CLOSED_CARD, OTHER_CARD, purchase, repeat, reversal};

/// A card of another bank.
const FOREIGN_CARD: &str = "6037997000000019";

fn of(code: &str, trace: u32, amount: u64) -> Message {
    let mut message = purchase(trace, amount);
    message.set(3, code);
    message
}

fn transfer(trace: u32, amount: u64, to: &str) -> Message {
    let mut message = of("400000", trace, amount);
    message.set(103, to);
    message
}

fn on(bench: &Bench, card: &str) -> u64 {
    bench.host.balance(&Pan::parse(card).unwrap()).unwrap().get()
}

#[tokio::test]
async fn a_transfer_moves_money_between_two_cards_and_back() {
    let bench = Bench::new().await;
    let sent = transfer(1, 1_000_000, OTHER_CARD);
    for message in [sent.clone(), repeat(&sent)] {
        bench.check(&message, "00", BALANCE - 1_000_000).await;
        assert_eq!(on(&bench, OTHER_CARD), BALANCE + 1_000_000, "once");
    }
    for _ in 0..2 {
        bench.check(&reversal(&sent), "00", BALANCE).await;
        assert_eq!(on(&bench, OTHER_CARD), BALANCE);
    }
}

#[tokio::test]
async fn a_transfer_to_another_bank_is_debited() {
    let bench = Bench::new().await;
    let sent = transfer(1, 1_000_000, FOREIGN_CARD);
    bench.check(&sent, "00", BALANCE - 1_000_000).await;
    bench.check(&reversal(&sent), "00", BALANCE).await;
    assert_eq!(on(&bench, OTHER_CARD), BALANCE);
}

#[tokio::test]
async fn a_transfer_to_nobody_who_may_have_it_books_nothing() {
    let bench = Bench::new().await;
    for (trace, to) in [(1, CLOSED_CARD), (2, CARD)] {
        let answer = bench.ask(&transfer(trace, 1, to)).await;
        assert_eq!((answer.get(39), answer.get(48)), (Some("14"), Some("15013no_such_payee")));
    }
    bench.check(&of("400000", 3, 1), "14", BALANCE).await;
    let too_much = transfer(4, BALANCE + 1, OTHER_CARD);
    bench.check(&too_much, "51", BALANCE).await;
    assert_eq!((on(&bench, CLOSED_CARD), on(&bench, OTHER_CARD)), (BALANCE, BALANCE));
}

#[tokio::test]
async fn what_the_payee_spent_before_a_reversal_is_owed_and_no_money_is_made() {
    let bench = Bench::new().await;
    let sent = transfer(1, 1_000_000, OTHER_CARD);
    bench.check(&sent, "00", BALANCE - 1_000_000).await;
    let mut spent = purchase(2, BALANCE + 600_000);
    spent.set(2, OTHER_CARD);
    assert_eq!(bench.ask(&spent).await.get(39), Some("00"));
    assert_eq!(on(&bench, OTHER_CARD), 400_000);
    bench.check(&reversal(&sent), "00", BALANCE).await;
    assert_eq!(on(&bench, OTHER_CARD), 0, "600,000 are owed");
    bench.check(&transfer(3, 250_000, OTHER_CARD), "00", BALANCE - 250_000).await;
    assert_eq!(on(&bench, OTHER_CARD), 0, "350,000 are owed");
    bench.check(&transfer(4, 500_000, OTHER_CARD), "00", BALANCE - 750_000).await;
    assert_eq!(on(&bench, OTHER_CARD), 150_000);
}

#[tokio::test]
async fn bills_and_top_ups_are_debited_and_given_back() {
    let bench = Bench::new().await;
    for (trace, code) in [(1, "500000"), (2, "510000")] {
        let paid = of(code, trace, 120_000);
        bench.check(&paid, "00", BALANCE - 120_000).await;
        bench.check(&reversal(&paid), "00", BALANCE).await;
    }
}

#[tokio::test]
async fn a_balance_is_two_amounts_in_the_standards_form() {
    let bench = Bench::new().await;
    let inquiry = of("310000", 1, 0);
    let answer = bench.ask(&inquiry).await;
    let told = "0001364C000010000000".to_owned() + "0002364C000010000000";
    assert_eq!((answer.get(39), answer.get(54)), (Some("00"), Some(told.as_str())));
    bench.check(&reversal(&inquiry), "00", BALANCE).await;
}
