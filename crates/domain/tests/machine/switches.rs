//! What a cardholder switches at a terminal.

use ramz_domain::card::{Alerts, CardStatus, Command, Entry, ExpiryTag, Notice, Service, UnlockedBy};
use ramz_domain::{ActivationId, Rial};

use crate::cards::{Card, Pay, second};

#[test]
fn switching_twice_tells_once() {
    let mut card = Card::active();
    for _ in 0..2 {
        assert_eq!(card.switch(Service::SmsOn), "done");
    }
    for _ in 0..2 {
        assert_eq!(card.switch(Service::SmsOff), "done");
    }
    assert_eq!(card.notices, [Notice::SmsOn, Notice::SmsOff]);
}

#[test]
fn what_cannot_be_switched_on_says_why_and_off_always_goes() {
    let no_phone = || Card::new(CardStatus::Active, false);
    let mut not_offered = Card::active();
    not_offered.policy.sms_pin_max = Rial::ZERO;
    for (mut card, service, answer) in [
        (no_phone(), Service::SmsOn, "57 no_phone"),
        (no_phone(), Service::AppOn, "57 no_phone"),
        (Card::new(CardStatus::Blocked, true), Service::SmsOn, "57 not_permitted"),
        (not_offered, Service::SmsOn, "57 not_offered"),
        (Card::active(), Service::FirstPinOn, "57 no_device"),
        (no_phone(), Service::SmsOff, "done"),
        (Card::new(CardStatus::Closed, false), Service::FirstPinOff, "done"),
        (Card::active(), Service::AppOff, "done"),
    ] {
        assert_eq!(card.switch(service), answer, "{service:?}");
        assert!(card.notices.is_empty());
    }
}

#[test]
fn an_activation_of_the_app_sends_its_code_once() {
    let mut card = Card::active();
    card.switch(Service::AppOn);
    card.switch(Service::AppOn);
    assert_eq!(card.notices, [Notice::AppCode(ActivationId([3; 16]))]);
    assert_eq!(card.state().services().activation.map(|begun| begun.at), Some(second(0)));
}

#[test]
fn switching_off_ends_the_texted_pin() {
    let mut card = Card::active();
    card.switch(Service::SmsOn);
    card.text("first", 0);
    card.switch(Service::SmsOff);
    assert_eq!(card.pay(Pay::texted("first", "t1"), 1), "55 stale_pin");
}

#[test]
fn a_reissued_card_keeps_its_services_and_loses_its_open_pins() {
    let mut card = Card::active();
    card.switch(Service::SmsOn);
    card.ask("A", 0);
    card.text("first", 1);
    let reissue = Command::Reissue { expiry: ExpiryTag { version: 1, bytes: [8; 32] }, issue: 1 };
    assert_eq!(card.tell(&reissue), "done");
    assert_eq!(card.tell(&reissue), "done");
    assert_eq!(card.state().issue(), 1);
    assert_eq!(card.pay(Pay::right("A", "t1"), 2), "55 stale_pin");
    assert_eq!(card.pay(Pay::texted("first", "t2"), 2), "55 stale_pin");
    assert!(card.text("second", 3).starts_with("sent"));
    let told = card.notices.iter().filter(|notice| **notice == Notice::Reissued).count();
    assert_eq!(told, 1);
}

#[test]
fn alerts_are_the_banks_choice_and_answers_are_not() {
    let mut card = Card::active();
    card.policy.alerts = Alerts { lock: false, service: false, change: false };
    card.tell(&Command::Lock);
    card.tell(&Command::Unlock { by: UnlockedBy::Terminal });
    card.switch(Service::SmsOn);
    card.switch(Service::SmsOff);
    card.text("first", 1);
    card.set_status(CardStatus::Active, true);
    assert_eq!(card.notices, [Notice::SmsOn, Notice::Help(ramz_domain::card::NotSent::NotActivated)]);
}

#[test]
fn who_unlocks_what_was_not_locked_bothers_nobody() {
    let mut card = Card::active();
    card.tell(&Command::Unlock { by: UnlockedBy::Terminal });
    assert!(card.notices.is_empty());
}

/// A card that is hot-listed is a blocked one to earlier releases; in the journal it is another.
#[test]
fn each_change_of_the_status_is_in_the_journal() {
    let mut card = Card::active();
    for (status, expected) in [
        (CardStatus::Blocked, "Some({status})"),
        (CardStatus::HotListed, "Some({status})"),
        (CardStatus::HotListed, "Some({})"),
        (CardStatus::Blocked, "Some({status})"),
        (CardStatus::Active, "Some({status})"),
        (CardStatus::Closed, "Some({status})"),
        (CardStatus::HotListed, "Some({})"),
    ] {
        card.set_status(status, false);
        let Some(Entry::Updated { changed, .. }) = card.entries.last() else { panic!("it is journalled") };
        assert_eq!(format!("{changed:?}"), expected, "{status:?}");
    }
    assert_eq!(card.state().status(), CardStatus::Closed, "what is closed stays closed");
}
