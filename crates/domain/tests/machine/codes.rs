//! Codes that a phone computes: which minutes and amounts they are good for, what a wrong one costs, and what never comes back.

use ramz_domain::card::{
    AppCommand, AppPolicy, CardStatus, ClockHint, Command, Entry, Notice, Purpose, Service, Slot,
};
use ramz_domain::{Rial, limits};

use crate::cards::{Card, Code, Pay, details, device, mark, token};

const MINUTE: u64 = 60;

fn card() -> Card {
    let mut card = Card::active();
    assert_eq!(card.add_token("phone"), "done");
    card.notices.clear();
    card
}

fn with_first_pin() -> Card {
    let mut card = card();
    assert_eq!(card.switch(Service::FirstPinOn), "done");
    card.notices.clear();
    card
}

fn drift(card: &Card) -> i64 {
    card.state().token(token("phone")).unwrap().drift_steps()
}

fn control(minute: i64) -> [Code; 1] {
    [Code::control("phone", minute)]
}

#[test]
fn a_code_pays_once_and_no_step_before_it_pays_afterwards() {
    let mut card = card();
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "ask host");
    assert_eq!(card.pay(Pay::code("t2", 0, 0), 2), "55 stale_pin");
    assert_eq!(card.pay(Pay::code("t3", 0, 2), 2), "55 stale_pin", "another ceiling of the same minute");
    assert_eq!(card.pay(Pay::code("t4", -1, 0), 2), "55 stale_pin", "the minute before");
    assert_eq!(card.failures(), 0, "what was used is no guess");
    assert_eq!(card.pay(Pay::code("t5", 1, 0), MINUTE), "ask host");
}

#[test]
fn a_reversal_never_revives_a_code() {
    let mut card = card();
    card.pay(Pay::code("t1", 0, 0), 1);
    card.reverse("t1", 2);
    assert_eq!(card.pay(Pay::code("t2", 0, 0), 3), "55 stale_pin");
}

#[test]
fn a_repeat_of_a_payment_with_a_code_spends_nothing() {
    let mut card = card();
    card.pay(Pay::code("t1", 0, 0), 1);
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 2), "ask host again");
    card.host("t1", "00");
    assert_eq!(card.pay(Pay::code("t1", 1, 0), MINUTE), "00 as before");
    assert_eq!(
        card.pay(Pay::code("t2", 1, 0), MINUTE),
        "ask host",
        "its minute is not used up by the repeat"
    );
}

#[test]
fn one_minute_to_either_side_is_good_and_two_are_not() {
    for (minute, answer) in
        [(-2, "55 clock_off"), (-1, "ask host"), (0, "ask host"), (1, "ask host"), (2, "55 clock_off")]
    {
        assert_eq!(card().pay(Pay::code("t1", minute, 0), 1), answer, "{minute}");
    }
}

#[test]
fn a_lower_ceiling_is_61_and_its_step_is_used_up() {
    let mut card = card();
    let much = 1_000_001;
    assert_eq!(card.pay(Pay::code("t1", 0, 1).of_rial(much), 1), "61 over_ceiling");
    assert_eq!(card.failures(), 0, "it was no guess");
    assert_eq!(card.pay(Pay::code("t1", 0, 1).of_rial(much), 1), "61 over_ceiling", "a repeat");
    assert_eq!(card.pay(Pay::code("t2", 0, 1).of_rial(1000), 2), "55 stale_pin", "61 is no second chance");
    assert_eq!(card.pay(Pay::code("t3", 0, 2).of_rial(much), 2), "55 stale_pin");
    assert_eq!(card.pay(Pay::code("t4", 1, 2).of_rial(much), MINUTE), "ask host");
    assert_eq!(
        card.pay(Pay::code("t5", 2, 1).of_rial(1_000_000), 2 * MINUTE),
        "ask host",
        "up to the last rial"
    );
}

#[test]
fn the_tokens_own_ceiling_and_the_first_day_bound_every_code() {
    let mut card = card();
    card.policy.app.first_day_max = Rial::new(700_000).unwrap();
    assert_eq!(card.pay(Pay::code("t1", 0, 0).of_rial(700_001), 1), "61 over_ceiling");
    assert_eq!(card.pay(Pay::code("t2", 1, 0).of_rial(700_000), MINUTE), "ask host");
    card.advance(24 * 3600);
    card.app(AppCommand::Ceiling(token("phone"), Slot::Second, 2), &[]);
    for (n, code, rial, answer) in [
        (0, 0, 5_000_001, "61 over_ceiling"),
        (1, 4, 5_000_001, "61 over_ceiling"),
        (2, 4, 5_000_000, "ask host"),
        (3, 1, 5_000_000, "61 over_ceiling"),
    ] {
        let at = 24 * 60 + n;
        let pay = Pay::code(&format!("u{n}"), i64::try_from(at).unwrap(), code).of_rial(rial);
        assert_eq!(card.pay(pay, at * MINUTE), answer, "{n}");
    }
}

#[test]
fn a_control_code_never_pays() {
    let mut card = with_first_pin();
    let pay = Pay::wrong("A", "t1").with_code(Code::control("phone", 0));
    assert_eq!(card.pay(pay.clone(), 1), "55 wrong_pin");
    assert_eq!(card.pay(pay.first().with_code(Code::control("phone", 0)), 1), "55 wrong_pin");
}

#[test]
fn a_code_of_one_slot_does_not_pay_in_the_other() {
    let mut card = with_first_pin();
    let second = Code { token: "phone", purpose: Purpose::SecondPin, minute: 0, ceiling: 0 };
    let first = Code { purpose: Purpose::FirstPin, ..second };
    assert_eq!(card.pay(Pay::wrong("A", "t1").first().with_code(second), 1), "55 wrong_pin");
    assert_eq!(card.pay(Pay::wrong("A", "t2").with_code(first), 1), "55 wrong_pin");
    assert_eq!(card.pay(Pay::code("t3", 0, 0).first(), 1), "ask host");
    assert_eq!(card.pay(Pay::code("t4", 0, 0), 1), "ask host", "each slot has its own mark");
}

#[test]
fn wrong_codes_count_by_slot_and_lock_only_theirs() {
    let mut card = with_first_pin();
    for n in 0..2 {
        assert_eq!(card.pay(Pay::wrong("A", &format!("f{n}")).first(), 1), "55 wrong_pin");
    }
    assert_eq!(card.pay(Pay::wrong("A", "f2").first(), 1), "75 tries_exceeded");
    assert!(matches!(card.notices[..], [Notice::FirstPinLocked(Some(_))]), "{:?}", card.notices);
    assert_eq!(card.pay(Pay::code("f3", 0, 0).first(), 1), "75 tries_exceeded", "the right one too");
    assert_eq!((card.failures(), card.state().failures_of(Purpose::FirstPin)), (0, 3));
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "ask host");
    for n in 0..3 {
        card.pay(Pay::wrong("A", &format!("w{n}")), 2);
    }
    assert_eq!(card.pay(Pay::code("t2", 1, 0), MINUTE), "75 tries_exceeded");
    card.switch(Service::FirstPinOff);
    assert_eq!(card.pay(Pay::wrong("A", "t3").first(), MINUTE), "the host's matter");
    assert!(card.is_locked(), "the web is locked still");
}

#[test]
fn the_banks_lock_is_for_every_use_of_a_pin_and_so_is_its_end() {
    let mut card = with_first_pin();
    card.tell(&Command::Lock);
    assert_eq!(card.pay(Pay::code("t1", 0, 0).first(), 1), "75 tries_exceeded");
    assert_eq!(card.pay(Pay::code("t2", 0, 0), 1), "75 tries_exceeded");
    assert_eq!(card.app(AppCommand::Check(token("phone")), &control(0)), "75 tries_exceeded");
    card.tell(&Command::Unlock { by: ramz_domain::card::UnlockedBy::Bank });
    assert_eq!(card.pay(Pay::code("t3", 0, 0).first(), 1), "ask host");
    assert_eq!(card.pay(Pay::code("t4", 0, 0), 1), "ask host");
}

#[test]
fn taking_the_card_off_its_last_phone_does_not_end_the_banks_lock() {
    let mut card = with_first_pin();
    card.tell(&Command::Lock);
    assert_eq!(card.app(AppCommand::Remove(token("phone")), &[]), "done");
    let (state, policy, now) = (card.state(), ramz_domain::card::Policy::default(), card.clock());
    for purpose in [Purpose::FirstPin, Purpose::SecondPin, Purpose::Control] {
        assert_eq!(state.locked_for(purpose, &policy, now), Some(None), "{purpose:?}");
    }
}

#[test]
fn a_drift_of_one_step_is_learned_and_no_more() {
    let mut card = card();
    for n in 0..6u64 {
        let at = i64::try_from(n).unwrap();
        assert_eq!(card.pay(Pay::code(&format!("t{n}"), at + 1, 0), n * MINUTE), "ask host");
        assert_eq!(drift(&card), 1);
    }
    // It goes on to drift: now two ahead, and there it stops.
    for n in 6..9u64 {
        let at = i64::try_from(n).unwrap();
        assert_eq!(card.pay(Pay::code(&format!("t{n}"), at + 2, 0), n * MINUTE), "ask host", "{n}");
        assert_eq!(drift(&card), 1);
    }
    assert_eq!(card.pay(Pay::code("t9", 9 + 3, 0), 9 * MINUTE), "55 clock_off");
}

/// Typed late, twice, by a clock that is right: that must not make the next one, typed at once, a code of a wrong minute.
#[test]
fn whoever_types_late_may_type_at_once_too() {
    for late in [1, 2] {
        let mut card = card();
        assert_eq!(card.pay(Pay::code("t1", 9, 0), 10 * MINUTE), "ask host");
        assert_eq!(card.pay(Pay::code("t2", 20 - late, 0), 20 * MINUTE), "ask host");
        assert_eq!(card.pay(Pay::code("t3", 30, 0), 30 * MINUTE), "ask host", "{late} minutes late before");
    }
}

/// Nobody types a control code: what typing teaches of the clock must not take the app's own codes for guesses, up to the lock.
#[test]
fn payments_that_are_typed_late_or_early_move_no_control_codes() {
    let check = AppCommand::Check(token("phone"));
    for typed in [-1, 1] {
        let mut card = card();
        for minute in [10, 20, 30, 40] {
            let at = u64::try_from(minute).unwrap() * MINUTE;
            assert_eq!(card.pay(Pay::code(&format!("t{minute}"), minute + typed, 0), at), "ask host");
            assert_eq!(drift(&card), typed);
            // By a clock that is a little ahead, or long on its way.
            assert_eq!(card.app(check, &control(minute - typed)), "done", "{typed} {minute}");
            let state = card.state();
            assert_eq!((state.failures_of(Purpose::Control), drift(&card)), (0, 0));
        }
        // They are three, as a payment's are.
        let (now, command) = (card.clock(), Command::App(check));
        let codes = card.state().clone().at(now).codes(&command, true, &ramz_domain::card::Policy::default());
        let steps = codes.iter().map(|range| range.steps.clone().count());
        assert_eq!(steps.collect::<Vec<_>>(), [3]);
    }
}

/// A phone that shows another minute, and has told so, is believed for its control codes, whatever is typed since.
#[test]
fn control_codes_go_by_what_two_of_them_have_shown() {
    let mut card = card();
    let phone = token("phone");
    let two = [Code::control("phone", 4), Code::control("phone", 5)];
    assert_eq!(card.app(AppCommand::Resync(phone), &two), "done");
    assert_eq!(card.pay(Pay::code("t1", 14, 0), 10 * MINUTE), "ask host", "typed a minute late");
    let known = card.state().token(phone).unwrap();
    assert_eq!((known.drift_steps(), known.control_steps()), (4, 5));
    assert_eq!(card.app(AppCommand::Check(phone), &control(16)), "done");
    assert_eq!(card.app(AppCommand::Check(phone), &control(10)), "55 wrong_pin");
}

#[test]
fn ten_minutes_off_is_refused_with_a_hint_and_that_code_is_used_up() {
    for (ahead, hint) in [(10, ClockHint::Fast), (-10, ClockHint::Slow)] {
        let mut card = card();
        assert_eq!(card.pay(Pay::code("t1", ahead, 0), 1), "55 clock_off");
        assert_eq!(card.failures(), 1, "it counts: who guesses is not told for nothing");
        let known = |card: &Card| card.state().token(token("phone")).unwrap().clock_hint();
        assert_eq!(known(&card), hint);
        if ahead > 0 {
            // Whoever was told that it is one waits for its minute in vain.
            assert_eq!(card.pay(Pay::code("t2", ahead, 0), 600), "55 stale_pin");
            assert_eq!(card.pay(Pay::code("t3", ahead + 1, 0), 600), "ask host");
            assert_eq!(known(&card), ClockHint::Right);
        }
    }
}

/// Whoever was told that it is a code waits for its minute in vain, whatever its holder does meanwhile.
#[test]
fn a_code_that_was_told_to_be_one_never_pays() {
    let told = |card: &mut Card| assert_eq!(card.pay(Pay::code("t1", 10, 0), 1), "55 clock_off");
    // Its holder resyncs, as the app says.
    let mut card = card();
    told(&mut card);
    let two = [Code::control("phone", 10), Code::control("phone", 11)];
    assert_eq!(card.app(AppCommand::Resync(token("phone")), &two), "done");
    assert_eq!(card.pay(Pay::code("t2", 10, 0), 2), "55 stale_pin");
    assert_eq!(card.pay(Pay::code("t3", 11, 0), 2), "ask host");
    // Its holder sets the clock and pays.
    let mut card = self::card();
    told(&mut card);
    assert_eq!(card.pay(Pay::code("t2", 1, 0), 60), "ask host");
    assert_eq!(card.pay(Pay::code("t3", 10, 0), 600), "55 stale_pin");
    // Another one is told after it.
    let mut card = self::card();
    told(&mut card);
    assert_eq!(card.pay(Pay::code("t2", 11, 0), 1), "55 clock_off");
    assert_eq!(card.pay(Pay::code("t3", 10, 0), 600), "55 stale_pin");
    assert_eq!(card.pay(Pay::code("t4", 11, 0), 660), "55 stale_pin");
    assert_eq!(card.pay(Pay::code("t5", 12, 0), 660), "ask host");
}

#[test]
fn a_code_that_was_used_is_no_guess_however_late() {
    let mut card = card();
    card.pay(Pay::code("t1", 0, 0), 1);
    for n in 1..9 {
        assert_eq!(card.pay(Pay::code(&format!("u{n}"), 0, 0), n * MINUTE), "55 stale_pin", "{n}");
    }
    assert_eq!(card.failures(), 0);
}

#[test]
fn a_reference_that_was_taken_off_does_not_come_back() {
    let mut card = card();
    card.pay(Pay::code("t1", 0, 0), 1);
    assert_eq!(card.app(AppCommand::Remove(token("phone")), &[]), "done");
    assert_eq!(card.add_token("phone"), "57 other_seed", "nor do its used codes");
}

#[test]
fn at_a_bank_without_the_app_no_code_counts() {
    let mut card = with_first_pin();
    card.policy.app.offered = false;
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "55 no_open_pin");
    assert_eq!(card.pay(Pay::code("t2", 0, 0).first(), 1), "the host's matter");
    assert_eq!(card.failures(), 0);
}

#[test]
fn a_table_that_became_shorter_allows_nothing_more() {
    let mut card = card();
    card.app(AppCommand::Ceiling(token("phone"), Slot::Second, 3), &[]);
    card.policy.app.ceilings.truncate(1);
    assert_eq!(card.pay(Pay::code("t1", 0, 2).of_rial(1), 1), "61 over_ceiling", "a step that is gone");
    assert_eq!(card.pay(Pay::code("t2", 1, 0).of_rial(1_000_001), MINUTE), "61 over_ceiling");
    assert_eq!(card.pay(Pay::code("t3", 2, 1).of_rial(1_000_000), 2 * MINUTE), "ask host");
    assert_eq!(card.failures(), 0);
}

#[test]
fn taking_the_app_off_takes_it_from_whom_it_was_about_to_be_given() {
    let mut card = Card::active();
    assert_eq!(card.app(AppCommand::Activated(device("phone")), &[]), "done");
    assert_eq!(card.switch(Service::AppOff), "done");
    assert_eq!(card.add_token("phone"), "57 device_revoked");
    let mut card = self::card();
    card.update(details(CardStatus::Active, true), true);
    assert_eq!(card.add_token("phone"), "57 device_revoked", "as a new phone does");
}

#[test]
fn codes_of_an_hour_ago_are_wrong_codes() {
    assert_eq!(card().pay(Pay::code("t1", -60, 0), 1), "55 wrong_pin");
    let beyond = i64::try_from(limits::TOKEN_WINDOW_STEPS + limits::TOKEN_FAR_STEPS).unwrap() + 1;
    assert_eq!(card().pay(Pay::code("t1", beyond, 0), 1), "55 wrong_pin");
    assert_eq!(card().pay(Pay::code("t1", 1 - beyond, 0), 1), "55 clock_off");
}

#[test]
fn a_clock_that_is_set_back_revives_nothing() {
    let mut card = card();
    assert_eq!(card.pay(Pay::code("t1", 5, 0), 5 * MINUTE), "ask host");
    // The node's clock is set back; the row's is not.
    assert_eq!(card.pay(Pay::code("t2", 0, 0), 1), "55 stale_pin");
    assert_eq!(card.pay(Pay::code("t3", 5, 0), 1), "55 stale_pin");
    assert_eq!(card.failures(), 0);
    // The phone's is set back after a resync that had followed it.
    let mut card = self::card();
    let two = [Code::control("phone", 10), Code::control("phone", 11)];
    assert_eq!(card.app(AppCommand::Resync(token("phone")), &two), "done");
    assert_eq!(card.pay(Pay::code("t4", 11, 0), 1), "ask host");
    let two = [Code::control("phone", 0), Code::control("phone", 1)];
    assert_eq!(card.app(AppCommand::Resync(token("phone")), &two), "55 stale_pin");
    assert_eq!(card.state().failures_of(Purpose::Control), 0, "and counts nothing");
    assert_eq!(card.pay(Pay::code("t5", 10, 0), 1), "55 stale_pin");
}

#[test]
fn two_codes_in_a_row_resync_and_pay_nothing() {
    let mut card = card();
    let resync = AppCommand::Resync(token("phone"));
    let codes = |a, b| [Code::control("phone", a), Code::control("phone", b)];
    assert_eq!(card.app(resync, &codes(20, 22)), "55 no_consecutive_codes");
    assert_eq!(card.app(resync, &codes(21, 20)), "55 no_consecutive_codes");
    assert_eq!(card.app(resync, &codes(20, 21)), "done");
    assert_eq!((drift(&card), card.state().failures_of(Purpose::Control)), (21, 0));
    assert!(card.entries.iter().all(|entry| !matches!(entry, Entry::CodeSpent { .. })), "nothing was paid");
    assert_eq!(card.app(resync, &codes(20, 21)), "55 stale_pin", "they are used up, and no guess");
    assert_eq!(card.pay(Pay::code("t1", 21, 0), 1), "ask host", "and the clock is known");
    assert_eq!(card.pay(Pay::wrong("A", "t2").with_code(Code::control("phone", 22)), MINUTE), "55 wrong_pin");
    let beyond = i64::try_from(limits::TOKEN_RESYNC_STEPS).unwrap();
    assert_eq!(card.app(resync, &codes(beyond + 2, beyond + 3)), "55 no_consecutive_codes");
}

#[test]
fn what_a_thief_would_want_needs_a_control_code() {
    let phone = token("phone");
    for (command, needs) in [
        (AppCommand::Check(phone), true),
        (AppCommand::FirstPin(phone, true), true),
        (AppCommand::FirstPin(phone, false), true),
        (AppCommand::SecondPin(phone, false), false),
        (AppCommand::Ceiling(phone, Slot::Second, 2), false),
        (AppCommand::Ceiling(phone, Slot::First, 0), false),
        (AppCommand::Remove(phone), false),
    ] {
        let mut card = card();
        assert_eq!(card.app(command, &[]), if needs { "55 control_code" } else { "done" }, "{command:?}");
        assert_eq!(card.state().failures_of(Purpose::Control), 0, "nothing shown is no guess");
    }
    let mut card = card();
    card.app(AppCommand::Ceiling(phone, Slot::Second, 2), &[]);
    for higher in [3, 0] {
        assert_eq!(card.app(AppCommand::Ceiling(phone, Slot::Second, higher), &[]), "55 control_code");
    }
    assert_eq!(card.app(AppCommand::Ceiling(phone, Slot::Second, 1), &[]), "done");
    assert_eq!(card.app(AppCommand::Ceiling(phone, Slot::Second, 0), &control(0)), "done");
    assert_eq!(card.app(AppCommand::Ceiling(phone, Slot::Second, 5), &control(1)), "12 invalid_transaction");
    card.app(AppCommand::SecondPin(phone, false), &[]);
    assert_eq!(card.pay(Pay::code("t1", 1, 0), 1), "55 no_open_pin", "its codes do not pay on the web");
    assert_eq!(card.app(AppCommand::SecondPin(phone, true), &[]), "55 control_code");
    assert_eq!(card.app(AppCommand::SecondPin(phone, true), &control(1)), "done");
    let told = [
        Notice::Ceiling(Slot::Second, 2),
        Notice::Ceiling(Slot::Second, 1),
        Notice::Ceiling(Slot::Second, 0),
        Notice::SecondPinOff,
        Notice::SecondPinOn,
    ];
    assert_eq!(card.notices, told);
}

#[test]
fn wrong_control_codes_count_and_lock_the_app_only() {
    let mut card = card();
    let check = AppCommand::Check(token("phone"));
    assert_eq!(card.app(check, &control(0)), "done");
    assert_eq!(card.app(check, &control(0)), "55 stale_pin");
    // A code for a payment is none for control.
    let payable = Code { purpose: Purpose::SecondPin, ..Code::control("phone", 1) };
    assert_eq!(card.app(check, &[payable]), "55 wrong_pin");
    assert_eq!(card.app(check, &control(30)), "55 wrong_pin");
    assert_eq!(card.app(check, &control(31)), "75 tries_exceeded");
    assert_eq!(card.app(check, &control(1)), "75 tries_exceeded", "the right one too");
    assert_eq!(card.app(AppCommand::Resync(token("phone")), &control(1)), "75 tries_exceeded");
    assert_eq!(card.notices, [Notice::AppLocked]);
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "ask host");
}

#[test]
fn a_seed_is_never_overwritten() {
    let mut card = card();
    let before = card.state().token(token("phone")).cloned();
    assert_eq!(card.add_token("phone"), "done", "told again");
    assert_eq!(card.add_token_with("phone", "another seed"), "57 other_seed");
    let new = ramz_domain::card::NewToken {
        id: token("more"),
        device: device("phone"),
        column: 1,
        seed: mark("x"),
    };
    assert_eq!(card.app(AppCommand::Add(new), &[]), "57 other_seed", "the same device, another reference");
    let new = ramz_domain::card::NewToken { id: token("tablet"), device: device("tablet"), column: 0, ..new };
    assert_eq!(card.app(AppCommand::Add(new), &[]), "57 other_seed", "a column that is used");
    assert_eq!(card.state().token(token("phone")).cloned(), before);
    assert!(card.notices.is_empty());
}

#[test]
fn a_card_is_on_two_devices_at_most_and_each_has_its_own_minutes() {
    let mut card = card();
    assert_eq!(card.add_token("tablet"), "done");
    assert_eq!(card.add_token("third"), "57 device_limit");
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "ask host");
    let tablet = Code { token: "tablet", purpose: Purpose::SecondPin, minute: 0, ceiling: 0 };
    assert_eq!(card.pay(Pay::wrong("A", "t2").with_code(tablet), 1), "ask host");
    assert_eq!(card.app(AppCommand::Remove(token("tablet")), &[]), "done");
    assert_eq!(card.pay(Pay::wrong("A", "t3").with_code(Code { minute: 1, ..tablet }), 1), "55 wrong_pin");
    assert_eq!(card.add_token("third"), "done");
}

#[test]
fn what_may_not_be_added_says_why() {
    let no_phone = || Card::new(CardStatus::Active, false);
    let mut not_offered = Card::active();
    not_offered.policy.app = AppPolicy { offered: false, ..AppPolicy::default() };
    for (mut card, answer) in [
        (no_phone(), "57 no_phone"),
        (Card::new(CardStatus::Blocked, true), "57 not_permitted"),
        (not_offered, "57 not_offered"),
    ] {
        assert_eq!(card.add_token("phone"), answer);
    }
    let mut card = card();
    card.policy.app.offered = false;
    assert_eq!(card.switch(Service::AppOn), "57 not_offered");
}

#[test]
fn a_revoked_device_is_off_for_what_was_on_its_way_too() {
    let mut card = card();
    assert_eq!(card.app(AppCommand::Revoke(device("phone")), &[]), "done");
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "55 no_open_pin");
    assert_eq!(card.add_token("phone"), "57 device_revoked");
    let mut fresh = Card::active();
    assert_eq!(fresh.app(AppCommand::Revoke(device("phone")), &[]), "done", "a card that it is not on yet");
    assert_eq!(fresh.add_token("phone"), "57 device_revoked");
    assert!(fresh.notices.is_empty(), "and nobody is told of nothing");
    fresh.advance(3600);
    assert_eq!(fresh.add_token("phone"), "done", "nothing is on its way for an hour");
}

#[test]
fn with_the_last_device_the_first_pin_is_static_again() {
    for end in [
        |card: &mut Card| card.app(AppCommand::Remove(token("phone")), &[]),
        |card: &mut Card| card.app(AppCommand::Revoke(device("phone")), &[]),
        |card: &mut Card| card.switch(Service::AppOff),
        |card: &mut Card| card.update(details(CardStatus::Active, true), true),
        |card: &mut Card| card.set_status(CardStatus::Closed, false),
    ] {
        let mut card = with_first_pin();
        assert_eq!(end(&mut card), "done");
        assert!(card.state().tokens().is_empty() && !card.state().first_pin_is_dynamic(&card.policy));
        let ended = Entry::Switched { service: Service::FirstPinOff };
        assert_eq!(card.entries.iter().filter(|entry| **entry == ended).count(), 1);
        assert_eq!(card.pay(Pay::code("t1", 0, 0).first(), 1), "the host's matter");
    }
}

#[test]
fn a_terminal_service_takes_a_code_and_where_it_must_the_static_pin_too() {
    let mut card = with_first_pin();
    assert_eq!(card.prove(Pay::code("s1", 0, 0).first(), false, 1), "done");
    assert_eq!(card.prove(Pay::code("s1", 0, 0).first(), false, 2), "done", "its repeat");
    assert_eq!(card.prove(Pay::code("s2", 0, 0).first(), false, 2), "55 stale_pin", "the code is used up");
    assert_eq!(card.pay(Pay::code("t1", 0, 0).first(), 2), "55 stale_pin", "for a payment too");
    assert_eq!(card.prove(Pay::wrong("A", "s3").first(), false, 2), "55 wrong_pin");
    assert_eq!(card.prove(Pay::wrong("A", "s4").first(), true, 2), "the host's matter");
    assert_eq!(card.state().failures_of(Purpose::FirstPin), 2, "counted until the host has said so");
    assert_eq!(card.prove(Pay::wrong("A", "s5").first(), false, 2), "75 tries_exceeded");
    assert_eq!(
        card.prove(Pay::wrong("A", "s6").first(), true, 2),
        "the host's matter",
        "a lock is no dead end"
    );
    assert_eq!(card.prove(Pay::wrong("A", "s7").first().with_wrong_expiry(), true, 2), "54 wrong_expiry");
    card.switch(Service::FirstPinOff);
    assert_eq!(card.prove(Pay::wrong("A", "s8").first(), false, 2), "the host's matter");
}

#[test]
fn an_sms_pin_and_a_code_are_both_good_and_wrong_ones_count_together() {
    let mut card = card();
    card.ask("A", 0);
    assert_eq!(card.pay(Pay::wrong("A", "w1"), 1), "55 wrong_pin");
    assert_eq!(card.pay(Pay::wrong("A", "w2"), 1), "55 wrong_pin");
    assert_eq!(card.pay(Pay::code("t1", 0, 0), 1), "ask host");
    assert_eq!(card.failures(), 0);
    assert_eq!(card.pay(Pay::right("A", "t2"), 2), "ask host");
}

#[test]
fn a_card_without_codes_in_a_slot_has_nothing_to_guess_there() {
    let mut card = card();
    card.app(AppCommand::SecondPin(token("phone"), false), &[]);
    assert_eq!(card.pay(Pay::wrong("A", "t1"), 1), "55 no_open_pin");
    assert_eq!(card.failures(), 0);
}
