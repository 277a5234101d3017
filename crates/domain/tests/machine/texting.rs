//! PINs that are texted back: any one payment up to a ceiling, the newest only.

use ramz_domain::card::{CardLimits, CardStatus, Entry, NotSent, Notice, Service};
use ramz_domain::{PaymentKind, Rial};

use crate::cards::{Card, Pay, details};

fn rial(rial: u64) -> Rial {
    Rial::new(rial).unwrap()
}

fn activated() -> Card {
    let mut card = Card::active();
    assert_eq!(card.switch(Service::SmsOn), "done");
    card
}

#[test]
fn a_texted_pin_pays_any_one_payment_up_to_the_ceiling() {
    for (amount, kind) in [(1, PaymentKind::Purchase), (10_000_000, PaymentKind::Transfer)] {
        let mut card = activated();
        assert!(card.text("first", 0).starts_with("sent"));
        assert_eq!(card.pay(Pay::texted("first", "t1").of_rial(amount).for_a(kind), 1), "ask host");
        assert_eq!(card.pay(Pay::texted("first", "t2"), 2), "55 stale_pin");
        assert_eq!(card.pay(Pay::texted("first", "t1").of_rial(amount).for_a(kind), 3), "ask host again");
        assert_eq!(card.failures(), 0);
    }
}

#[test]
fn above_the_ceiling_it_is_used_up_and_not_counted() {
    let mut card = activated();
    card.text("first", 0);
    let much = || Pay::texted("first", "t1").of_rial(10_000_001);
    assert_eq!(card.pay(much(), 1), "61 over_ceiling");
    assert_eq!(card.pay(much(), 2), "61 over_ceiling", "a repeat gets the answer given before");
    assert_eq!(card.pay(Pay::texted("first", "t2"), 3), "55 stale_pin", "no second chance for less");
    assert_eq!(card.failures(), 0);
    assert!(matches!(card.entries.last(), Some(Entry::Refused { failures: 0, .. })));
}

#[test]
fn the_ceiling_is_the_cards_own_if_that_is_lower() {
    let own = |sms_pin_max| CardLimits { sms_pin_max: Some(rial(sms_pin_max)), static_max: None };
    for (limit, answer) in [(5_000, "61 over_ceiling"), (6_000, "ask host"), (99_000_000, "ask host")] {
        let mut card = activated();
        card.update(
            ramz_domain::card::CardDetails { limits: own(limit), ..details(CardStatus::Active, true) },
            false,
        );
        card.text("first", 0);
        assert_eq!(card.pay(Pay::texted("first", "t").of_rial(6_000), 1), answer, "{limit}");
    }
}

#[test]
fn the_newest_replaces_the_one_before() {
    let mut card = activated();
    card.text("first", 0);
    card.text("second", 60);
    assert_eq!(card.pay(Pay::texted("first", "t1"), 61), "55 stale_pin");
    assert_eq!(card.failures(), 0, "an old PIN is no guess");
    assert_eq!(card.pay(Pay::texted("second", "t2"), 62), "ask host");
}

#[test]
fn it_runs_out_after_120_seconds() {
    let mut card = activated();
    card.text("first", 0);
    assert_eq!(card.pay(Pay::texted("first", "t1"), 120), "55 stale_pin");
    card.text("second", 200);
    assert_eq!(card.pay(Pay::texted("second", "t2"), 319), "ask host");
}

#[test]
fn a_repeated_delivery_is_answered_once() {
    let mut card = activated();
    assert!(card.text("first", 0).starts_with("sent"));
    assert_eq!(card.text("first", 1), "already served");
    card.pay(Pay::texted("first", "t1"), 2);
    assert_eq!(card.text("first", 3), "already served", "also once it is spent");
    card.text("second", 4);
    assert_eq!(card.text("first", 5), "already served", "and once it is replaced");
}

#[test]
fn why_nothing_comes_is_said() {
    let not_activated = Card::active();
    let mut locked = activated();
    locked.tell(&ramz_domain::card::Command::Lock);
    let mut blocked = activated();
    blocked.set_status(CardStatus::HotListed, false);
    let mut not_offered = activated();
    not_offered.policy.sms_pin_max = Rial::ZERO;
    for (mut card, why) in [
        (not_activated, NotSent::NotActivated),
        (locked, NotSent::Locked),
        (blocked, NotSent::NotActive),
        (not_offered, NotSent::NotOffered),
    ] {
        assert_eq!(card.text("first", 1), format!("not sent: {why:?}"));
        assert_eq!(card.notices.last(), Some(&Notice::Help(why)));
    }
}

#[test]
fn a_new_phone_or_number_ends_it() {
    let mut card = activated();
    card.text("first", 0);
    card.set_status(CardStatus::Active, true);
    assert_eq!(card.pay(Pay::texted("first", "t1"), 1), "55 stale_pin");
    assert_eq!(card.text("second", 2), "not sent: NotActivated");
    assert!(card.entries.contains(&Entry::Switched { service: Service::SmsOff }));
    let told: Vec<_> =
        card.notices.iter().filter(|n| matches!(n, Notice::PhoneWasOld | Notice::PhoneIsNew)).collect();
    assert_eq!(told, [&Notice::PhoneWasOld, &Notice::PhoneIsNew], "both phones are told");
}

#[test]
fn wrong_pins_beside_a_texted_one_count_and_lock() {
    let mut card = activated();
    card.text("first", 0);
    for (t, answer) in [("w1", "55 wrong_pin"), ("w2", "55 wrong_pin"), ("w3", "75 tries_exceeded")] {
        assert_eq!(card.pay(Pay::wrong("A", t), 1), answer);
    }
    assert_eq!(card.pay(Pay::texted("first", "t1"), 2), "75 tries_exceeded");
    assert!(matches!(card.notices.last(), Some(Notice::Locked(Some(_)))), "and its holder is told");
}

#[test]
fn a_texted_pin_that_was_not_handed_over_is_over() {
    let mut card = activated();
    card.text("first", 0);
    assert_eq!(card.withhold_texted("first"), "done");
    assert_eq!(card.pay(Pay::texted("first", "t1"), 1), "55 stale_pin");
    assert!(matches!(card.entries.last(), Some(Entry::PinNotSent { why: NotSent::PhoneLimit, .. })));
}
