//! What is booked, and what is refused.

use ramz_iso8583::Mti;
use ramz_sim::host::Asked;

use crate::bench::{
    BALANCE, Bench, CLOSED_CARD, FIRST_PIN, SECOND_PIN, purchase, repeat, reversal, reversal_by_rrn, with_pin,
};

#[tokio::test]
async fn a_verified_payment_is_debited_if_there_is_enough() {
    let bench = Bench::new().await;
    let answer = bench.ask(&purchase(1, 1_250_000)).await;
    assert_eq!((answer.mti().as_str(), answer.get(39)), ("0210", Some("00")));
    let approval = answer.get(38).unwrap();
    assert!(approval.len() == 6 && approval.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(!answer.has(54) && !answer.has(48));
    assert_eq!(bench.left(), BALANCE - 1_250_000);
    bench.check(&purchase(2, 8_750_001), "51", 8_750_000).await;
    bench.check(&purchase(3, 8_750_000), "00", 0).await;
    let mut authorisation = purchase(4, 1);
    authorisation.set_mti(Mti::AUTHORISATION);
    bench.check(&authorisation, "51", 0).await;
}

#[tokio::test]
async fn what_may_not_be_is_refused_and_books_nothing() {
    let bench = Bench::new().await;
    let changed = |field: u8, value: &str| {
        let mut message = purchase(u32::from(field), 1);
        message.set(field, value);
        message
    };
    bench.check(&changed(2, "6104337000000040"), "14", BALANCE).await;
    bench.check(&changed(2, CLOSED_CARD), "57", BALANCE).await;
    bench.check(&changed(3, "990000"), "12", BALANCE).await;
    bench.check(&changed(48, "02001S"), "57", BALANCE).await;
    let mut bare = purchase(7, 1);
    bare.remove(48);
    bench.check(&bare, "57", BALANCE).await;
    let mut amountless = purchase(8, 1);
    amountless.remove(4);
    let answer = bench.ask(&amountless).await;
    assert_eq!((answer.get(39), answer.get(48)), (Some("30"), Some("15014format_error:4")));
    let mut foreign = purchase(9, 1);
    foreign.set_mti(Mti::ADMINISTRATIVE);
    bench.check(&foreign, "12", BALANCE).await;
}

#[tokio::test]
async fn a_static_pin_is_checked_for_the_way_it_was_entered() {
    let bench = Bench::new().await;
    bench.check(&with_pin(&purchase(1, 1), "021", FIRST_PIN), "00", BALANCE - 1).await;
    bench.check(&with_pin(&purchase(2, 1), "021", SECOND_PIN), "55", BALANCE - 1).await;
    bench.check(&with_pin(&purchase(3, 1), "812", SECOND_PIN), "00", BALANCE - 2).await;
    bench.check(&with_pin(&purchase(4, 1), "812", FIRST_PIN), "55", BALANCE - 2).await;
}

#[tokio::test]
async fn a_card_that_was_read_pays_with_its_first_pin_or_with_a_verified_one_and_never_without() {
    let bench = Bench::new().await;
    let present = |trace: u32, kind: &str| {
        let mut message = purchase(trace, 1_000_000);
        message.set(3, kind);
        message.set(22, "051");
        message.remove(48);
        message
    };
    let mut left = BALANCE;
    for (n, kind) in ["000000", "010000"].into_iter().enumerate() {
        let trace = 10 * u32::try_from(n).unwrap();
        bench.check(&present(trace, kind), "55", left).await;
        left -= 1_000_000;
        bench.check(&with_pin(&present(trace + 1, kind), "051", FIRST_PIN), "00", left).await;
        bench.check(&with_pin(&present(trace + 2, kind), "051", SECOND_PIN), "55", left).await;
        left -= 1_000_000;
        let mut verified = present(trace + 3, kind);
        verified.set(48, "02001D");
        bench.check(&verified, "00", left).await;
        bench.check(&reversal(&verified), "00", left + 1_000_000).await;
        left += 1_000_000;
        let mut other_word = present(trace + 4, kind);
        other_word.set(48, "02001S");
        bench.check(&other_word, "55", left).await;
    }
    let mut inquiry = present(30, "310000");
    inquiry.set(4, "000000000000");
    bench.check(&inquiry, "55", left).await;
    inquiry.set(11, "000031");
    inquiry.set(37, "000000000031");
    inquiry.set(48, "02001D");
    let told = bench.ask(&inquiry).await;
    assert_eq!((told.get(39), told.has(54)), (Some("00"), true));
}

#[tokio::test]
async fn a_balance_is_told_and_not_touched() {
    let bench = Bench::new().await;
    let mut inquiry = purchase(1, 0);
    inquiry.set(3, "310000");
    inquiry.remove(4);
    let answer = bench.ask(&inquiry).await;
    assert_eq!(
        (answer.get(39), answer.get(54)),
        (Some("00"), Some("0001364C0000100000000002364C000010000000"))
    );
    assert_eq!(bench.left(), BALANCE);
    inquiry.set(4, "000000000000");
    bench.check(&reversal(&inquiry), "00", BALANCE).await;
}

#[tokio::test]
async fn a_repeat_is_answered_alike_and_debits_nothing() {
    let bench = Bench::new().await;
    let first = purchase(1, 1_000_000);
    let answer = bench.ask(&first).await;
    let again = bench.ask(&first).await;
    assert_eq!(again, answer);
    let repeated = bench.ask(&repeat(&first)).await;
    assert_eq!([38, 39].map(|field| repeated.get(field)), [38, 39].map(|field| answer.get(field)));
    assert_eq!(bench.left(), BALANCE - 1_000_000);
    assert_eq!(bench.host.asked(&first), Asked { times: 3, debits: 1, credits: 0 });
    bench.check(&purchase(1, 2_000_000), "94", BALANCE - 1_000_000).await;
    assert_eq!(bench.host.asked_in_all(), Asked { times: 4, debits: 1, credits: 0 });
}

#[tokio::test]
async fn a_reversal_gives_back_once_however_it_names_its_original() {
    let bench = Bench::new().await;
    for (trace, name) in [(1, reversal as fn(&_) -> _), (2, reversal_by_rrn), (3, |of| reversal(&repeat(of)))]
    {
        let paid = purchase(trace, 1_000_000);
        bench.check(&paid, "00", BALANCE - 1_000_000).await;
        bench.check(&repeat(&paid), "00", BALANCE - 1_000_000).await;
        let undo = name(&paid);
        bench.check(&undo, "00", BALANCE).await;
        bench.check(&undo, "00", BALANCE).await;
        bench.check(&repeat(&undo), "00", BALANCE).await;
        assert_eq!(bench.host.asked(&undo), Asked { times: 2, debits: 1, credits: 1 });
        bench.check(&repeat(&paid), "12", BALANCE).await;
    }
}

#[tokio::test]
async fn a_reversal_of_another_card_or_terminal_gives_nothing_back() {
    let bench = Bench::new().await;
    let paid = purchase(1, 1_000_000);
    bench.check(&paid, "00", BALANCE - 1_000_000).await;
    for (field, other) in [(2, CLOSED_CARD), (41, "14033213")] {
        let mut undo = reversal(&paid);
        undo.set(field, other);
        bench.check(&undo, "00", BALANCE - 1_000_000).await;
    }
    let mut nameless = reversal_by_rrn(&paid);
    nameless.remove(37);
    bench.check(&nameless, "30", BALANCE - 1_000_000).await;
}

#[tokio::test]
async fn a_partial_reversal_gives_back_the_difference() {
    let bench = Bench::new().await;
    let paid = purchase(1, 1_000_000);
    bench.check(&paid, "00", BALANCE - 1_000_000).await;
    let mut undo = reversal(&paid);
    undo.set(95, format!("{:012}{:0>30}", 400_000, ""));
    bench.check(&undo, "00", BALANCE - 400_000).await;
    bench.check(&undo, "00", BALANCE - 400_000).await;
}

#[tokio::test]
async fn a_reversal_that_comes_first_refuses_its_original() {
    let bench = Bench::new().await;
    for (trace, name) in [(1, reversal as fn(&_) -> _), (2, reversal_by_rrn)] {
        let late = purchase(trace, 1_000_000);
        bench.check(&name(&late), "00", BALANCE).await;
        bench.check(&late, "12", BALANCE).await;
        bench.check(&repeat(&late), "12", BALANCE).await;
    }
    bench.check(&purchase(3, 1), "00", BALANCE - 1).await;
}
