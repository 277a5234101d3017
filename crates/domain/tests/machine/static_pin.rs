//! The static second PIN: what it may pay, what a try costs, what is given back.

use ramz_domain::card::{CardDetails, CardLimits, CardStatus, Command, Notice, StaticPolicy, StaticRule};
use ramz_domain::{PaymentKind, Rial};

use crate::cards::{Card, Pay, details, mark, reversal, second};

const LIMIT: u64 = 1_000_000;

fn rial(rial: u64) -> Rial {
    Rial::new(rial).unwrap()
}

fn consenting() -> CardDetails {
    CardDetails { consent: Some(second(0)), ..details(CardStatus::Active, true) }
}

fn card_with(rule: StaticRule, details: CardDetails) -> Card {
    let mut card = Card::active();
    card.policy.static_pin = StaticPolicy { rule, exempt: vec!["gift".into()], ..StaticPolicy::default() };
    card.update(details, false);
    card
}

/// A card whose holder accepted the risk, at a bank with the real rule.
fn card() -> Card {
    card_with(StaticRule::Total24h(rial(LIMIT)), consenting())
}

/// A PIN that matches no dynamic one: perhaps the static.
fn small(transaction: &str, amount: u64) -> Pay {
    Pay::wrong("A", transaction).of_rial(amount)
}

/// Asks and lets the host say something.
fn pays(card: &mut Card, transaction: &str, amount: u64, s: u64, host: &str) -> String {
    let asked = card.pay(small(transaction, amount), s);
    if asked == "ask host, static" {
        format!("{asked}: {}", card.host_says(transaction, host))
    } else {
        asked
    }
}

#[test]
fn the_total_of_24_hours_is_used_up_to_the_last_rial_and_slides() {
    let mut card = card();
    assert_eq!(pays(&mut card, "t1", 600_000, 0, "00"), "ask host, static: done");
    assert_eq!(pays(&mut card, "t2", 400_001, 10, "00"), "61 static_total");
    assert_eq!(pays(&mut card, "t3", 400_000, 20, "00"), "ask host, static: done");
    assert_eq!(pays(&mut card, "t4", 1, 30, "00"), "61 static_total");
    assert_eq!(card.failures(), 0, "what is too much is no guess");
    let day = 24 * 3600;
    assert_eq!(pays(&mut card, "t5", 1, day - 1, "00"), "61 static_total");
    assert_eq!(pays(&mut card, "t6", 600_000, day, "00"), "ask host, static: done");
    assert_eq!(pays(&mut card, "t7", 1, day, "00"), "61 static_total");
}

#[test]
fn per_payment_each_counts_for_itself() {
    let mut card = card_with(StaticRule::PerPayment(rial(LIMIT)), consenting());
    for n in 0..5 {
        assert_eq!(pays(&mut card, &format!("t{n}"), LIMIT, n, "00"), "ask host, static: done");
    }
    assert_eq!(pays(&mut card, "u", LIMIT + 1, 9, "00"), "61 static_total");
}

#[test]
fn without_consent_rule_or_kind_there_is_no_static_pin() {
    let none = details(CardStatus::Active, true);
    let total = StaticRule::Total24h(rial(LIMIT));
    let later = CardDetails { consent: Some(second(100)), ..details(CardStatus::Active, true) };
    for (rule, details) in [(total, none), (StaticRule::Never, consenting()), (total, later)] {
        assert_eq!(pays(&mut card_with(rule, details), "t1", 1, 1, "00"), "55 no_open_pin");
    }
    let transfer = small("t1", 1).for_a(PaymentKind::Transfer);
    assert_eq!(card().pay(transfer, 1), "55 no_open_pin");
}

#[test]
fn an_exempt_product_needs_no_consent_and_has_no_total() {
    let gift = CardDetails { product: Some("gift".into()), ..details(CardStatus::Active, false) };
    let mut card = card_with(StaticRule::Total24h(rial(LIMIT)), gift);
    for n in 0..3 {
        assert_eq!(pays(&mut card, &format!("t{n}"), 9 * LIMIT, n, "00"), "ask host, static: done");
    }
}

#[test]
fn the_cards_own_limit_is_lower_and_never_higher() {
    for (own, pays_up_to) in [(50_000, 50_000), (9 * LIMIT, LIMIT)] {
        let limits = CardLimits { static_max: Some(rial(own)), sms_pin_max: None };
        let mut card = card_with(StaticRule::Total24h(rial(LIMIT)), CardDetails { limits, ..consenting() });
        assert_eq!(pays(&mut card, "t1", pays_up_to + 1, 0, "00"), "61 static_total");
        assert_eq!(pays(&mut card, "t2", pays_up_to, 0, "00"), "ask host, static: done");
    }
}

#[test]
fn the_hosts_decline_gives_the_amount_back() {
    let mut card = card();
    for (n, code) in ["51", "61", "91", "54"].into_iter().enumerate() {
        assert_eq!(pays(&mut card, &format!("t{n}"), LIMIT, 0, code), "ask host, static: done");
        assert_eq!((card.state().static_total(second(0)), card.failures()), (0, 0), "{code}");
    }
}

/// It took the money, in a way that was not asked for.
#[test]
fn another_approval_is_no_decline() {
    for (n, code) in ["08", "10", "11", "16"].into_iter().enumerate() {
        let mut card = card();
        pays(&mut card, &format!("t{n}"), LIMIT, 0, code);
        assert_eq!(card.state().static_total(second(0)), LIMIT, "{code}");
    }
}

#[test]
fn silence_gives_nothing_back() {
    let mut card = card();
    assert_eq!(card.pay(small("t1", LIMIT), 0), "ask host, static");
    assert_eq!(card.pay(small("t1", LIMIT), 20), "ask host again, static", "its repeat is the same one");
    assert_eq!(card.pay(small("t2", 1), 1000), "61 static_total");
    assert_eq!(card.failures(), 1, "nor the try: nobody knows whether the PIN was right");
    let mut given_up = self::card();
    given_up.pay(small("t1", LIMIT), 0);
    given_up.give_up("t1");
    assert_eq!(given_up.pay(small("t2", 1), 10), "61 static_total");
}

#[test]
fn a_full_reversal_gives_back_once_also_when_it_comes_late() {
    for late in [5, 3600] {
        let mut card = card();
        pays(&mut card, "t1", 700_000, 0, "00");
        card.reverse("t1", late);
        assert_eq!(card.state().static_total(card.clock()), 0, "after {late} s");
        pays(&mut card, "t2", 700_000, late + 1, "00");
        card.reverse("t1", late + 2);
        assert_eq!(card.state().static_total(card.clock()), 700_000, "not a second time");
    }
}

#[test]
fn our_own_reversal_gives_back_once_it_is_acknowledged() {
    let mut card = card();
    card.pay(small("t1", LIMIT), 0);
    card.give_up("t1");
    let undone =
        Command::Undone { identity: mark("t1"), reversal: Some(reversal("t1")), response_code: "00".into() };
    card.tell(&undone);
    assert_eq!(card.state().static_total(second(1)), 0);
}

#[test]
fn a_wrong_static_pin_counts_and_the_third_locks() {
    let mut card = card();
    assert_eq!(pays(&mut card, "t1", 1, 0, "55"), "ask host, static: done");
    assert_eq!(pays(&mut card, "t2", 1, 1, "55"), "ask host, static: done");
    assert_eq!(card.failures(), 2);
    assert_eq!(pays(&mut card, "t3", 1, 2, "55"), "ask host, static: 75 as before");
    assert!(card.is_locked());
    assert!(matches!(card.notices.last(), Some(Notice::Locked(Some(_)))));
    assert_eq!(card.host_says("t3", "55"), "75 as before", "told again after an unknown commit");
    assert_eq!(pays(&mut card, "t4", 1, 3, "00"), "75 tries_exceeded");
    assert_eq!(card.state().static_total(second(3)), 0);
}

/// Whoever knows the static PIN must not buy tries at the dynamic one with it.
#[test]
fn a_right_static_pin_gives_back_its_own_try_and_no_other() {
    let mut card = card();
    card.ask("A", 0);
    let much = || Pay::wrong("A", "w1").of_rial(9 * LIMIT);
    assert_eq!(card.pay(much(), 1), "55 wrong_pin");
    assert_eq!(card.pay(Pay::wrong("A", "w2").of_rial(9 * LIMIT), 1), "55 wrong_pin");
    assert_eq!(pays(&mut card, "t1", 1, 2, "00"), "ask host, static: done");
    assert_eq!((card.failures(), card.is_locked()), (2, false));
    assert_eq!(card.pay(Pay::wrong("A", "w3").of_rial(9 * LIMIT), 3), "75 tries_exceeded");
}

/// Or it could be guessed at for ever, each guess for more than the account has.
#[test]
fn a_guess_that_the_host_declines_for_another_reason_counts() {
    for (open, asked) in [("an open PIN", true), ("codes of a phone", true), ("nothing", false)] {
        let mut card = card();
        match open {
            "an open PIN" => _ = card.ask("A", 0),
            "codes of a phone" => _ = card.add_token("phone"),
            _ => {}
        }
        for n in 1..=2 {
            assert_eq!(pays(&mut card, &format!("t{n}"), 1, n, "51"), "ask host, static: done");
            let failures = if asked { u32::try_from(n).unwrap() } else { 0 };
            assert_eq!((card.failures(), card.is_locked()), (failures, false), "{open}");
        }
        assert_eq!(pays(&mut card, "t3", 1, 3, "51"), "ask host, static: done", "the host's answer stays");
        assert_eq!((card.is_locked(), card.state().static_total(second(3))), (asked, 0), "{open}");
        let told = matches!(card.notices.last(), Some(Notice::Locked(Some(_))));
        assert_eq!(told, asked, "{open}: its holder is told");
    }
}

#[test]
fn a_guess_is_given_back_by_an_approval_only_also_when_that_comes_late() {
    for (code, failures) in [("00", 0), ("51", 1), ("55", 1)] {
        for late in [false, true] {
            let mut card = card();
            card.ask("A", 0);
            card.pay(small("t1", 1), 1);
            let _ = late.then(|| card.reverse("t1", 2));
            card.host("t1", code);
            assert_eq!(card.failures(), failures, "{code}, late: {late}");
        }
    }
}

#[test]
fn the_last_try_is_claimed_while_the_host_is_asked() {
    let mut card = card();
    card.ask("A", 0);
    card.pay(Pay::wrong("A", "w1").of_rial(9 * LIMIT), 1);
    card.pay(Pay::wrong("A", "w2").of_rial(9 * LIMIT), 1);
    assert_eq!(card.pay(small("t1", 1), 2), "ask host, static");
    let compared = card.compared();
    assert_eq!(card.pay(Pay::right("A", "t2"), 2), "75 tries_exceeded");
    assert_eq!(card.compared(), compared, "nothing is compared meanwhile");
    card.host("t1", "00");
    assert_eq!(card.pay(Pay::right("A", "t3"), 3), "ask host", "and given back, lock and all");
}

#[test]
fn a_count_that_was_forgotten_is_not_given_back_to() {
    let mut card = card();
    card.pay(small("t1", 1), 0);
    card.tell(&Command::Unlock { by: ramz_domain::card::UnlockedBy::Bank });
    card.ask("A", 1);
    card.pay(Pay::wrong("A", "w1").of_rial(9 * LIMIT), 1);
    card.host("t1", "00");
    assert_eq!(card.failures(), 1);
}

#[test]
fn a_dynamic_pin_is_preferred_and_takes_nothing_of_the_total() {
    let mut card = card();
    card.ask("A", 0);
    assert_eq!(card.pay(Pay::right("A", "t1").of_rial(1), 1), "ask host");
    assert_eq!(card.state().static_total(second(1)), 0);
}

#[test]
fn sixty_four_amounts_are_remembered_and_none_is_evicted() {
    let mut card = card();
    for n in 0..70 {
        let answer = pays(&mut card, &format!("t{n}"), 1, n * 601, "00");
        let expected = if n < 64 { "ask host, static: done" } else { "61 static_total" };
        assert_eq!(answer, expected, "{n}");
    }
    assert_eq!(card.state().static_total(card.clock()), 64);
}

/// The switch was quicker than the host: nothing is told, but the PIN was right.
#[test]
fn a_host_that_answers_after_the_reversal_gives_the_try_back() {
    for (code, failures) in [("00", 0), ("55", 1)] {
        let mut card = card();
        card.pay(small("t1", 1), 0);
        card.reverse("t1", 1);
        assert_eq!(card.host_says("t1", code), "not awaited");
        assert_eq!(card.host_says("t1", code), "not awaited", "once");
        assert_eq!((card.failures(), card.state().static_total(second(2))), (failures, 0), "{code}");
    }
}

#[test]
fn a_lock_that_a_silent_host_leaves_is_told() {
    for reversed in [false, true] {
        let mut card = card();
        for t in ["t1", "t2"] {
            pays(&mut card, t, 1, 0, "55");
        }
        card.pay(small("t3", 1), 1);
        assert!(card.notices.is_empty(), "not before it is known");
        let _ = if reversed { card.reverse("t3", 2) } else { card.give_up("t3") };
        assert!(matches!(card.notices.last(), Some(Notice::Locked(Some(_)))));
        assert!(card.is_locked());
    }
}

#[test]
fn a_decline_without_a_reason_is_no_word_for_the_pin() {
    let mut card = card();
    for (t, failures) in [("t1", 1), ("t2", 2)] {
        pays(&mut card, t, 1, 0, "05");
        assert_eq!((card.failures(), card.state().static_total(second(0))), (failures, 0));
    }
}

/// Two payments with the same reference number: each is given back by its own reversal only.
#[test]
fn another_payment_with_the_same_reference_is_left_alone() {
    let mut card = card();
    card.pay(small("t1", 400_000), 0);
    card.give_up("t1");
    card.reverse("t1", 1);
    pays(&mut card, "t2", 300_000, 2, "00");
    card.tell(&Command::Undone {
        identity: mark("t1"),
        reversal: Some(reversal("t1")),
        response_code: "00".into(),
    });
    assert_eq!(card.state().static_total(second(3)), 300_000);
}
