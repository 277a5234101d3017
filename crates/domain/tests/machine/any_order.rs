//! Any commands in any order at any time: what must hold after each of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use ramz_domain::card::{AppCommand, Entry, Purpose, Service, step_at};
use ramz_domain::{Refusal, limits};

use crate::cards::{Card, Code, Pay, second, token};

#[derive(Clone, Debug)]
enum Step {
    Ask(u8),
    Right(u8, u8),
    Wrong(u8, u8),
    OfAnother(u8, u8, u8),
    WrongExpiry(u8, u8),
    Host(u8),
    Reverse(u8),
    GiveUp(u8),
    Withhold(u8),
    AskAt(u8, u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8).prop_map(Step::Ask),
        4 => (0..6u8, any::<u8>()).prop_map(|(p, t)| Step::Right(p, t)),
        2 => (0..6u8, any::<u8>()).prop_map(|(p, t)| Step::Wrong(p, t)),
        1 => (0..6u8, any::<u8>(), 0..6u8).prop_map(|(p, t, q)| Step::OfAnother(p, t, q)),
        1 => (0..6u8, any::<u8>()).prop_map(|(p, t)| Step::WrongExpiry(p, t)),
        1 => any::<u8>().prop_map(Step::Host),
        1 => any::<u8>().prop_map(Step::Reverse),
        1 => any::<u8>().prop_map(Step::GiveUp),
        1 => (0..6u8).prop_map(Step::Withhold),
        2 => (0..6u8, 0..4u8).prop_map(|(p, door)| Step::AskAt(p, door)),
        2 => (0..400u16).prop_map(Step::Wait),
    ]
}

fn take(card: &mut Card, step: &Step) -> String {
    let p = |n: &u8| format!("P{n}");
    let t = |n: &u8| format!("t{n}");
    match step {
        Step::Ask(n) => card.ask_now(&p(n)),
        Step::Right(n, at) => card.pay_now(Pay::right(&p(n), &t(at))),
        Step::Wrong(n, at) => card.pay_now(Pay::wrong(&p(n), &t(at))),
        Step::OfAnother(n, at, of) => card.pay_now(Pay::with(&p(n), &t(at), &p(of))),
        Step::WrongExpiry(n, at) => card.pay_now(Pay::right(&p(n), &t(at)).with_wrong_expiry()),
        Step::Host(at) => {
            card.host(&t(at), "00");
            String::new()
        }
        Step::Reverse(at) => card.reverse_now(&t(at)),
        Step::GiveUp(at) => card.give_up(&t(at)),
        Step::Withhold(n) => card.withhold(&p(n)),
        Step::AskAt(n, door) => card.ask_now(&format!("P{n}@d{door}")),
        Step::Wait(s) => {
            card.advance_by(u64::from(*s));
            String::new()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_commands_spends_twice_or_grows_a_row(steps in proptest::collection::vec(step(), 1..120)) {
        let mut card = Card::active();
        let (mut spent, mut given_up) = (HashSet::new(), HashSet::new());
        let mut seen = 0;
        for step in &steps {
            let failures = card.failures();
            let locked = card.is_locked();
            let compared = card.compared();
            let answer = take(&mut card, step);
            for entry in card.entries.split_off(0) {
                seen += 1;
                match entry {
                    Entry::PinSpent { challenge, .. } => {
                        prop_assert!(spent.insert(challenge), "spent twice after {seen} entries");
                        prop_assert_eq!(&answer, "ask host");
                    }
                    Entry::GaveUp { identity } => {
                        prop_assert!(given_up.insert((identity, card.now() / 600_000)), "two reversals");
                        prop_assert_eq!(&answer, "91, ours to reverse");
                    }
                    // A request ends no PIN.
                    Entry::PinReplaced { .. } => prop_assert!(false, "a PIN was replaced"),
                    _ => {}
                }
            }
            if locked {
                prop_assert_eq!(card.compared(), compared, "compared while locked");
            }
            match answer.as_str() {
                "ask host" => prop_assert_eq!(card.failures(), 0),
                _ => prop_assert!(card.failures() >= failures, "only success and unlocking reset the count"),
            }
            prop_assert!(card.state().open(card.clock()).count() <= limits::OPEN_CHALLENGES_MAX);
            prop_assert!(card.state().unspent_sends(card.clock()) <= limits::CARD_SENDS_IN_DAY as usize);
            prop_assert!(card.state().encode().unwrap().len() <= limits::CARD_BYTES_MAX / 2);
        }
    }

    #[test]
    fn no_bytes_make_reading_a_row_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = ramz_domain::card::CardState::decode(&bytes);
    }
}

#[derive(Clone, Debug)]
enum CodeStep {
    Second(i64, u8, u8),
    First(i64, u8, u8),
    Check(i64),
    Resync(i64),
    FirstPin(bool),
    Wait(u16),
    SetBack(u16),
}

fn code_step() -> impl Strategy<Value = CodeStep> {
    prop_oneof![
        4 => (-20..20i64, 0..5u8, any::<u8>()).prop_map(|(at, ceiling, t)| CodeStep::Second(at, ceiling, t)),
        4 => (-2..3i64, 0..5u8, any::<u8>()).prop_map(|(at, ceiling, t)| CodeStep::Second(at, ceiling, t)),
        3 => (-2..3i64, 0..5u8, any::<u8>()).prop_map(|(at, ceiling, t)| CodeStep::First(at, ceiling, t)),
        1 => (-3..4i64).prop_map(CodeStep::Check),
        1 => (-35..35i64).prop_map(CodeStep::Resync),
        1 => any::<bool>().prop_map(CodeStep::FirstPin),
        3 => (0..2000u16).prop_map(CodeStep::Wait),
        1 => (0..2000u16).prop_map(CodeStep::SetBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_codes_and_clocks_uses_a_step_twice(steps in proptest::collection::vec(code_step(), 1..120)) {
        let mut card = Card::active();
        card.add_token("phone");
        let phone = token("phone");
        let (mut used, mut told) = (BTreeMap::new(), BTreeSet::new());
        for step in &steps {
            let minute = |off: i64, card: &Card| {
                i64::try_from(step_at(card.clock())).unwrap() - i64::try_from(step_at(second(0))).unwrap() + off
            };
            let failures = [Purpose::FirstPin, Purpose::SecondPin, Purpose::Control].map(|p| card.state().failures_of(p));
            let answer = match step {
                CodeStep::Second(at, ceiling, t) => {
                    let pay = Pay::code(&format!("t{t}"), minute(*at, &card), *ceiling);
                    card.pay_now(pay.of_rial(1_000_001))
                }
                CodeStep::First(at, ceiling, t) => card.pay_now(Pay::code(&format!("f{t}"), minute(*at, &card), *ceiling).first()),
                CodeStep::Check(at) => {
                    let code = Code::control("phone", minute(*at, &card));
                    card.app(AppCommand::Check(phone), &[code])
                }
                CodeStep::Resync(at) => {
                    let codes = [0, 1].map(|n| Code::control("phone", minute(*at, &card) + n));
                    card.app(AppCommand::Resync(phone), &codes)
                }
                CodeStep::FirstPin(on) => {
                    card.switch(if *on { Service::FirstPinOn } else { Service::FirstPinOff })
                }
                CodeStep::Wait(s) => {
                    card.advance_by(u64::from(*s));
                    continue;
                }
                CodeStep::SetBack(s) => {
                    card.set_back_by(u64::from(*s));
                    continue;
                }
            };
            for entry in card.entries.split_off(0) {
                if let (Entry::Refused { why: Refusal::ClockOff, .. }, CodeStep::Second(off, ..)) = (&entry, step) {
                    told.insert((Purpose::SecondPin, step_at(card.clock()).checked_add_signed(*off).unwrap()));
                }
                let (purpose, at) = match entry {
                    Entry::CodeSpent { purpose, step, .. } => (purpose, step),
                    Entry::ControlUsed { step, .. } => (Purpose::Control, step),
                    _ => continue,
                };
                prop_assert_ne!((purpose, &answer), (Purpose::Control, &"ask host".to_owned()));
                prop_assert!(!told.contains(&(purpose, at)), "a code that was told to be one was accepted");
                let before = used.insert(purpose, at);
                prop_assert!(before.is_none_or(|before| before < at), "step {at} after {before:?}");
            }
            for (n, purpose) in [Purpose::FirstPin, Purpose::SecondPin, Purpose::Control].into_iter().enumerate() {
                let failures_now = card.state().failures_of(purpose);
                prop_assert!(failures_now <= failures[n] + 1);
            }
            let learned = card.state().token(phone).unwrap().drift_steps();
            prop_assert!(learned.abs() <= 40);
        }
    }
}
