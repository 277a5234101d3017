//! How many SMS a card is sent: counted whether two ask or one, given back by a payment, never one door's alone.

use ramz_domain::card::{Command, NotSent, UnlockedBy};

use crate::cards::{Card, Pay};

/// Asks for many payments, each at a door of its own, one every so many seconds; how many were sent.
fn sent(card: &mut Card, from: u64, every: u64, times: u64) -> usize {
    (0..times).filter(|n| card.ask(&format!("S{n}-{from}"), from + n * every).starts_with("sent")).count()
}

#[test]
fn no_request_ends_an_open_pin() {
    let mut card = Card::active();
    card.ask("A", 0);
    for n in 1..50 {
        card.ask(&format!("A+{n}"), n);
        card.ask(&format!("A+{n}@stranger {n}"), n);
    }
    assert_eq!(card.pay(Pay::right("A", "t1"), 119), "ask host");
}

#[test]
fn one_door_leaves_room_for_another() {
    let mut card = Card::active();
    for n in 0..600 {
        // A stranger who asks every minute, all day, at whatever payee.
        card.ask(&format!("X{n}@stranger"), n * 60);
        if n % 60 == 59 {
            let at = n * 60 + 1;
            let name = format!("H{n}@holder");
            assert!(card.ask(&name, at).starts_with("sent"), "the holder asks in hour {}", n / 60);
            assert_eq!(card.pay(Pay::right(&name, &format!("t{n}")), at + 1), "ask host");
        }
    }
    assert_eq!(card.state().unspent_sends(card.clock()), 10, "a quarter of a day's went to the stranger");
}

#[test]
fn a_card_is_sent_no_more_than_its_limits() {
    let mut card = Card::active();
    assert_eq!(sent(&mut card, 0, 41, 3), 3, "in two minutes, while three are open");
    let mut card = Card::active();
    // Three minutes apart: nothing is open any more. Every door is new, so the hour lets each pass.
    assert_eq!(sent(&mut card, 0, 180, 480), 40, "in a day");
    assert_eq!(card.ask("holder", 86_399), "not sent: CardLimit");
    assert!(card.ask("holder", 86_400).starts_with("sent"), "a day after the first");
    let mut card = Card::active();
    let known: usize = (0..4)
        .map(|round| {
            (0..6u64)
                .filter(|n| card.ask(&format!("B+{round}@d{n}"), round * 720 + n * 120).starts_with("sent"))
                .count()
        })
        .sum();
    assert_eq!(known, 15, "in an hour, from six doors that have asked before");
}

#[test]
fn a_pin_that_is_spent_is_given_back() {
    let mut card = Card::active();
    for n in 0..200 {
        let name = format!("A+{n}");
        assert!(card.ask(&name, n * 20).starts_with("sent"), "payment {n}");
        assert_eq!(card.pay(Pay::right(&name, &format!("t{n}")), n * 20 + 1), "ask host");
        assert_eq!(card.state().unspent_sends(card.clock()), 0);
    }
}

#[test]
fn a_wrong_pin_or_a_burnt_one_gives_nothing_back() {
    let mut card = Card::active();
    card.ask("A", 0);
    card.ask("B", 0);
    card.pay(Pay::wrong("A", "w1"), 1);
    card.pay(Pay::with("B", "w2", "A"), 1);
    assert_eq!(card.state().unspent_sends(card.clock()), 2);
}

#[test]
fn a_resend_counts_as_an_sms() {
    let mut card = Card::active();
    for n in 0..3 {
        card.ask("A", n * 30);
    }
    assert_eq!(card.state().unspent_sends(card.clock()), 3);
    assert_eq!(card.ask("A+1", 90), "not sent: DoorLimit");
}

#[test]
fn what_holds_is_shown_and_the_bank_lifts_it() {
    let mut card = Card::active();
    sent(&mut card, 0, 180, 41);
    let policy = ramz_domain::card::Policy::default();
    let until = card.state().sends_held_until(&policy, card.clock()).unwrap();
    assert_eq!(until.unix_ms() - card.clock().unix_ms(), (86_400 - 40 * 180) * 1000);
    card.tell(&Command::Unlock { by: UnlockedBy::Bank });
    assert_eq!(card.state().sends_held_until(&policy, card.clock()), None);
    assert!(card.ask_now("holder").starts_with("sent"));
}

#[test]
fn a_first_sms_that_is_withheld_leaves_nothing_open_and_counts_nothing() {
    let mut card = Card::active();
    card.ask("A", 0);
    assert_eq!(card.withhold("A"), "done");
    assert_eq!(card.pay(Pay::right("A", "t1"), 1), "55 stale_pin");
    assert_eq!((card.failures(), card.state().unspent_sends(card.clock())), (0, 0));
    assert_eq!(card.withhold("A"), "not awaited");
    card.ask("A", 2);
    card.ask("A", 40);
    assert_eq!(card.withhold("A"), "done", "a resend: the first is known to the phone");
    assert_eq!(card.state().unspent_sends(card.clock()), 1);
    assert_eq!(card.pay(Pay::right("A", "t2"), 41), "ask host");
}

#[test]
fn every_reason_has_its_own_word() {
    let mut words: Vec<_> = NotSent::ALL.iter().map(|why| why.code()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), NotSent::ALL.len());
}
