//! Any commands in any order at any time: what must hold after each of them.

use std::collections::HashSet;

use proptest::prelude::*;
use ramz_domain::card::Entry;
use ramz_domain::limits;

use crate::cards::{Card, Pay};

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
