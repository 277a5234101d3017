//! The whole machine: every state a card can be in × every command, as one table. Its diff *is* the policy change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod any_order;
mod cards;
mod codes;
mod full;
mod reversals;
mod sends;
mod static_pin;
mod stored;
mod switches;
mod texting;

use std::fmt::Write as _;

use cards::{Card, Code, Pay, second};
use ramz_domain::ChallengeId;
use ramz_domain::card::{AppCommand, CardStatus, Command, HostAnswer, ReceiptState, Service, UnlockedBy};

#[expect(clippy::too_many_lines, reason = "one table, read as one")]
/// A card brought into each state that is told apart, at second 0 … 200.
fn states() -> Vec<(&'static str, Card)> {
    let with = |steps: &dyn Fn(&mut Card)| {
        let mut card = Card::active();
        steps(&mut card);
        card
    };
    vec![
        ("nothing open", Card::active()),
        ("open for A", with(&|c| _ = c.ask("A", 0))),
        ("open for A, sent 3 times", with(&|c| (0..3).for_each(|n| _ = c.ask("A", n * 30)))),
        (
            "open for A and A's other amount",
            with(&|c| {
                c.ask("A", 0);
                c.ask("A+1", 1);
            }),
        ),
        ("A's door had its share", with(&|c| (0..3).for_each(|n| _ = c.ask(&format!("A+{n}"), n * 60)))),
        (
            "open for A, B, C, each sent twice",
            with(&|c| [0, 30].iter().for_each(|s| ["A", "B", "C"].iter().for_each(|p| _ = c.ask(p, *s)))),
        ),
        ("open for A, B, C", with(&|c| ["A", "B", "C"].iter().for_each(|p| _ = c.ask(p, 0)))),
        (
            "A spent, awaiting host",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::right("A", "t1"), 1);
            }),
        ),
        (
            "A given up",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::right("A", "t1"), 1);
                c.give_up("t1");
            }),
        ),
        (
            "A given up and reversed",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::right("A", "t1"), 1);
                c.give_up("t1");
                c.reverse("t1", 3);
            }),
        ),
        (
            "A paid",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::right("A", "t1"), 1);
                c.host("t1", "00");
            }),
        ),
        (
            "A paid and reversed",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::right("A", "t1"), 1);
                c.host("t1", "00");
                c.reverse("t1", 3);
            }),
        ),
        (
            "t1 reversed before it came",
            with(&|c| {
                c.ask("A", 0);
                c.reverse("t1", 1);
            }),
        ),
        (
            "A expired",
            with(&|c| {
                c.ask("A", 0);
                c.advance(121);
            }),
        ),
        (
            "open for A, one failure",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::wrong("A", "w1"), 1);
            }),
        ),
        (
            "open for A, two failures",
            with(&|c| {
                c.ask("A", 0);
                c.pay(Pay::wrong("A", "w1"), 1);
                c.pay(Pay::wrong("A", "w2"), 1);
            }),
        ),
        (
            "locked, A open",
            with(&|c| {
                c.ask("A", 0);
                ["w1", "w2", "w3"].iter().for_each(|t| _ = c.pay(Pay::wrong("A", t), 1));
            }),
        ),
        (
            "lock over, open for A",
            with(&|c| {
                c.ask("A", 0);
                ["w1", "w2", "w3"].iter().for_each(|t| _ = c.pay(Pay::wrong("A", t), 1));
                c.advance(1000);
                c.ask("A", 1000);
            }),
        ),
        (
            "locked by the bank, A open",
            with(&|c| {
                c.ask("A", 0);
                c.tell(&Command::Lock);
            }),
        ),
        ("20 failures", with(&|c| c.fail_until_closed())),
        ("no phone, nothing open", Card::new(CardStatus::Active, false)),
        ("PINs by texting", with(&|c| _ = c.switch(Service::SmsOn))),
        (
            "texted",
            with(&|c| {
                c.switch(Service::SmsOn);
                c.text("first", 0);
            }),
        ),
        ("on a phone", with(&|c| _ = c.add_token("phone"))),
        (
            "on a phone, one failure",
            with(&|c| {
                c.add_token("phone");
                c.pay(Pay::wrong("A", "w1"), 1);
            }),
        ),
        (
            "on a phone, a code spent",
            with(&|c| {
                c.add_token("phone");
                c.pay(Pay::code("c1", 0, 0), 1);
            }),
        ),
        (
            "on a phone, dynamic first PIN",
            with(&|c| {
                c.add_token("phone");
                c.switch(Service::FirstPinOn);
            }),
        ),
        ("blocked", Card::new(CardStatus::Blocked, true)),
        ("closed", Card::new(CardStatus::Closed, true)),
    ]
}

fn receipt() -> Command {
    Command::Receipt { challenge: ChallengeId([7; 16]), state: ReceiptState::Delivered, after_ms: 1500 }
}

type Step = Box<dyn Fn(&mut Card) -> String>;

/// Every command, and each way of presenting a PIN.
fn commands() -> Vec<(&'static str, Step)> {
    let pay = |pay: fn() -> Pay| -> Step { Box::new(move |c| c.pay_now(pay())) };
    vec![
        ("request A", Box::new(|c| c.ask_now("A"))),
        (
            "request A, 30 s later",
            Box::new(|c| {
                c.advance_by(30);
                c.ask_now("A")
            }),
        ),
        ("request A, other amount", Box::new(|c| c.ask_now("A+1"))),
        ("request D", Box::new(|c| c.ask_now("D"))),
        ("pay A, right PIN", pay(|| Pay::right("A", "n"))),
        ("pay A, wrong PIN", pay(|| Pay::wrong("A", "n"))),
        ("pay A, wrong expiry", pay(|| Pay::right("A", "n").with_wrong_expiry())),
        ("pay D with A's PIN", pay(|| Pay::with("D", "n", "A"))),
        ("text", Box::new(|c| c.text_now("n"))),
        ("pay A, texted PIN", pay(|| Pay::texted("first", "n"))),
        ("pay much, texted PIN", pay(|| Pay::texted("first", "n").of_rial(10_000_001))),
        ("pay A, code", pay(|| Pay::code("n", 0, 0))),
        ("pay much, code of ceiling 1", pay(|| Pay::code("n", 1, 1).of_rial(1_000_001))),
        ("pay A, code of another hour", pay(|| Pay::code("n", 10, 0))),
        ("pay A, control code", pay(|| Pay::wrong("A", "n").with_code(Code::control("phone", 0)))),
        ("card read, code", pay(|| Pay::code("n", 0, 0).first())),
        ("card read, wrong PIN", pay(|| Pay::wrong("A", "n").first())),
        ("terminal, code", Box::new(|c| c.prove_now(Pay::code("n", 0, 0).first(), false))),
        ("terminal, static first PIN", Box::new(|c| c.prove_now(Pay::wrong("A", "n").first(), true))),
        ("app: add", Box::new(|c| c.add_token("phone"))),
        (
            "app: first PIN on",
            Box::new(|c| {
                c.app(AppCommand::FirstPin(cards::token("phone"), true), &[Code::control("phone", 0)])
            }),
        ),
        ("app: remove", Box::new(|c| c.app(AppCommand::Remove(cards::token("phone")), &[]))),
        ("SMS service on", Box::new(|c| c.switch(Service::SmsOn))),
        ("SMS service off", Box::new(|c| c.switch(Service::SmsOff))),
        ("t1 again", pay(|| Pay::right("A", "t1"))),
        ("t1 again, other content", pay(|| Pay::with("A+1", "t1", "A"))),
        ("w1 again, now right", pay(|| Pay::right("A", "w1"))),
        (
            "host answers t1: 51",
            Box::new(|c| {
                let answer = HostAnswer::of("51");
                c.tell(&Command::HostAnswered { identity: cards::mark("t1"), answer })
            }),
        ),
        ("host is silent about t1", Box::new(|c| c.give_up("t1"))),
        (
            "host acknowledges t1's end",
            Box::new(|c| {
                let response_code = "00".into();
                c.tell(&Command::Undone {
                    identity: cards::mark("t1"),
                    reversal: Some(cards::reversal("t1")),
                    response_code,
                })
            }),
        ),
        ("A's PIN is withheld", Box::new(|c| c.withhold("A"))),
        ("reverse t1", Box::new(|c| c.reverse_now("t1"))),
        ("lock", Box::new(|c| c.tell(&Command::Lock))),
        ("unlock", Box::new(|c| c.tell(&Command::Unlock { by: UnlockedBy::Bank }))),
        ("receipt", Box::new(|c| c.tell(&receipt()))),
        ("close", Box::new(|c| c.set_status(CardStatus::Closed, false))),
        ("new phone", Box::new(|c| c.set_status(CardStatus::Active, true))),
    ]
}

#[test]
fn every_state_and_every_command() {
    let mut table = String::new();
    for (name, state) in states() {
        writeln!(table, "{name}").unwrap();
        for (command, step) in commands() {
            let mut card = state.clone();
            let answer = step(&mut card);
            writeln!(table, "  {command:<26} {answer}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_receipt_changes_nothing_that_a_card_may_do() {
    for (name, state) in states() {
        for (command, step) in commands() {
            let (mut without, mut with) = (state.clone(), state.clone());
            with.tell(&receipt());
            assert_eq!(with.entries.len(), without.entries.len() + 1, "{name}: it is journalled");
            assert_eq!(step(&mut with), step(&mut without), "{name}: {command}");
        }
    }
}

#[test]
fn a_pin_is_spent_once() {
    let mut card = Card::active();
    card.ask("A", 0);
    assert_eq!(card.pay(Pay::right("A", "t1"), 1), "ask host");
    assert_eq!(card.pay(Pay::right("A", "t2"), 2), "55 stale_pin");
    card.reverse("t1", 3);
    assert_eq!(card.pay(Pay::right("A", "t3"), 4), "55 stale_pin");
    assert_eq!(card.failures(), 0);
}

#[test]
fn a_resend_keeps_the_first_expiry_and_the_same_pin() {
    let mut card = Card::active();
    let first = card.ask("A", 0);
    assert_eq!(card.ask("A", 29), "not sent: TooSoon");
    assert_eq!(card.ask("A", 60), first);
    assert_eq!(card.ask("A", 100), first);
    assert_eq!(card.ask("A", 119), "not sent: TooOften");
    assert_eq!(card.pay(Pay::right("A", "t1"), 120), "55 stale_pin");
}

#[test]
fn the_clock_never_goes_back() {
    let mut card = Card::active();
    card.ask("A", 0);
    card.pay(Pay::right("A", "e1").with_wrong_expiry(), 121);
    assert_eq!(
        card.pay(Pay::right("A", "t1"), 60),
        "55 stale_pin",
        "an expired PIN is not revived by a slow clock"
    );
    assert_eq!(card.now(), second(121).unix_ms());
}

#[test]
fn a_lock_is_not_reset_by_its_end_and_doubles() {
    let mut card = Card::active();
    card.ask("A", 0);
    for (t, answer) in [("w1", "55 wrong_pin"), ("w2", "55 wrong_pin"), ("w3", "75 tries_exceeded")] {
        assert_eq!(card.pay(Pay::wrong("A", t), 1), answer);
    }
    assert_eq!(card.pay(Pay::right("A", "t1"), 2), "75 tries_exceeded");
    assert_eq!(card.compared(), 3, "nothing is compared while locked");
    let after = 1 + 15 * 60;
    card.ask("B", after);
    assert_eq!(card.pay(Pay::wrong("B", "w4"), after), "75 tries_exceeded");
    assert_eq!(card.ask("B", after + 29 * 60), "not sent: Locked");
    card.ask("B", after + 30 * 60);
    assert_eq!(card.pay(Pay::right("B", "t2"), after + 30 * 60), "ask host");
    assert_eq!(card.failures(), 0, "success resets");
}

#[test]
fn wrong_expiries_never_lock_and_shut_only_their_own_door() {
    let mut card = Card::active();
    card.ask("A", 0);
    for n in 0..5 {
        let pay = Pay::right("A", &format!("e{n}")).with_wrong_expiry().at_door("bad");
        assert_eq!(card.pay(pay, 1), "54 wrong_expiry");
    }
    assert_eq!(card.pay(Pay::right("A", "e9").at_door("bad"), 1), "65 too_often");
    for n in 0..100 {
        card.pay(Pay::right("A", &format!("f{n}")).with_wrong_expiry().at_door(&format!("door {n}")), 1);
    }
    assert_eq!(card.failures(), 0);
    assert_eq!(card.pay(Pay::right("A", "t1").at_door("clean"), 1), "ask host");
}

#[test]
fn remembered_answers_are_never_evicted() {
    let mut card = Card::active();
    for n in 0..32 {
        card.ask(&format!("P{n}"), n);
        assert_eq!(card.pay(Pay::right(&format!("P{n}"), &format!("t{n}")), n), "ask host");
    }
    card.ask("Q", 32);
    assert_eq!(card.pay(Pay::right("Q", "u"), 32), "65 too_often");
    assert_eq!(card.pay(Pay::right("P0", "t0"), 32), "ask host again");
    assert_eq!(card.pay(Pay::right("Q", "u"), 31 + 600), "55 stale_pin");
    card.ask("Q", 640);
    assert_eq!(card.pay(Pay::right("Q", "u2"), 640), "ask host", "ten minutes later there is room");
}

/// The switch reversed it as well; but the approval came after both reversals, and nobody else will undo it.
#[test]
fn an_approval_that_comes_after_both_reversals_is_reversed_once_more() {
    let mut card = Card::active();
    card.ask("A", 0);
    assert_eq!(card.pay(Pay::right("A", "t1"), 1), "ask host");
    let gave_up = card.give_up("t1");
    card.reverse("t1", 5);
    let late = card.host_says("t1", "00");
    assert!(gave_up.contains("ours to reverse") && late.contains("ours to reverse"), "{gave_up}; {late}");
}

#[test]
fn the_same_admission_again_sends_nothing_again() {
    let mut card = Card::active();
    let sent = card.ask_as("A", "admission 1", 0);
    assert!(sent.starts_with("sent"));
    assert_eq!(card.ask_as("A", "admission 1", 40), "already served");
    card.pay(Pay::right("A", "t1"), 41);
    assert_eq!(card.ask_as("A", "admission 1", 42), "already served");
}

#[test]
fn a_pin_that_was_spent_and_forgotten_is_not_issued_again() {
    let mut card = Card::active();
    card.ask_as("A", "admission 1", 0);
    card.pay(Pay::right("A", "t1"), 1);
    for n in 0..9 {
        card.ask(&format!("B+{n}"), 2);
        card.pay(Pay::right(&format!("B+{n}"), &format!("b{n}")), 2);
    }
    // The record of admission 1 is taken up again: whatever it issues has another name, hence another PIN.
    let again = card.ask_as("A", "admission 1", 3);
    assert!(again.starts_with("sent"), "{again}");
    assert_eq!(card.pay(Pay::right("A", "t1"), 3), "ask host again", "the old transaction stays what it was");
}

#[test]
fn an_expiry_cannot_be_guessed_under_one_identity() {
    let mut card = Card::active();
    card.ask("A", 0);
    assert_eq!(card.pay(Pay::right("A", "e").with_wrong_expiry(), 1), "54 wrong_expiry");
    assert_eq!(card.pay(Pay::right("A", "e"), 1), "54 wrong_expiry", "a repeat gets the answer given before");
    assert_eq!(card.pay(Pay::right("A", "t"), 1), "ask host");
}

#[test]
fn reversals_of_nothing_keep_nobody_from_paying() {
    let mut card = Card::active();
    for n in 0..40 {
        let answer = card.reverse(&format!("r{n}"), 0);
        assert_eq!(answer, if n < 8 { "reversed, original unknown" } else { "not awaited" });
    }
    card.ask("A", 1);
    assert_eq!(card.pay(Pay::right("A", "t1"), 1), "ask host");
}

#[test]
fn a_reversal_that_comes_again_is_decided_as_before() {
    type Steps = fn(&mut Card);
    let cases: [(&str, Steps, &str); 4] = [
        ("in doubt", |_| {}, "reversed, original asked about"),
        ("approved", |c| c.host("t1", "00"), "reversed, original known"),
        ("declined", |c| c.host("t1", "51"), "reversed, original known"),
        ("given up", |c| _ = c.give_up("t1"), "reversed by us"),
    ];
    for (name, steps, expected) in cases {
        let mut card = Card::active();
        card.ask("A", 0);
        card.pay(Pay::right("A", "t1"), 1);
        steps(&mut card);
        for s in [2, 20, 40] {
            assert_eq!(card.reverse("t1", s), expected, "{name}, after {s} s");
        }
    }
    let mut card = Card::active();
    card.ask("A", 0);
    card.pay(Pay::wrong("A", "w1"), 1);
    for s in [2, 20] {
        assert_eq!(card.reverse("w1", s), "reversed, original known", "refused here, after {s} s");
    }
}

#[test]
fn a_host_that_answers_after_the_reversal_is_not_awaited() {
    let mut card = Card::active();
    card.ask("A", 0);
    card.pay(Pay::right("A", "t1"), 1);
    card.reverse("t1", 2);
    let answer = HostAnswer::of("00");
    assert_eq!(card.tell(&Command::HostAnswered { identity: cards::mark("t1"), answer }), "not awaited");
}
