//! Reversals that name their original by less than all of it.

use crate::cards::{Card, Pay};

const ASKED: &str = "reversed, original asked about";

/// A and then B are tried under one reference: A with the right PIN.
fn tried_twice(then: impl Fn(&mut Card), b: Pay) -> Card {
    let mut card = Card::active();
    card.ask("A", 0);
    assert_eq!(card.pay(Pay::right("A", "a").of_reference("one"), 1), "ask host");
    then(&mut card);
    card.ask("B", 1);
    card.pay(b.of_reference("one"), 1);
    card
}

#[test]
fn a_reversal_by_reference_that_comes_again_is_of_the_same_try() {
    // Also of a switch that numbers each message anew.
    for numbers in [["r", "r", "r"], ["r1", "r2", "r3"]] {
        let mut card = tried_twice(|_| {}, Pay::wrong("B", "b"));
        for (itself, s) in numbers.iter().zip([2, 20, 40]) {
            assert_eq!(card.reverse_by_reference("one", itself, s), ASKED, "after {s} s");
        }
        assert_eq!(card.pay(Pay::wrong("B", "b"), 41), "55 wrong_pin", "what was refused stays refused");
        assert_eq!(card.pay(Pay::right("A", "a"), 41), "12 reversed_before");
    }
}

#[test]
fn a_reversal_by_reference_that_comes_again_leaves_what_the_host_declined() {
    let mut card = tried_twice(|card| card.host("a", "51"), Pay::right("B", "b"));
    for s in [2, 20, 40] {
        assert_eq!(card.reverse_by_reference("one", "r", s), ASKED, "after {s} s");
    }
    assert_eq!(card.pay(Pay::right("A", "a"), 41), "51 as before");
    assert_eq!(card.pay(Pay::right("B", "b"), 41), "12 reversed_before");
}

#[test]
fn another_reversal_by_the_same_reference_is_of_the_other_try() {
    let mut card = tried_twice(|_| {}, Pay::right("B", "b"));
    for (itself, s) in [("r1", 2), ("r1", 3), ("r2", 4), ("r1", 20), ("r2", 21)] {
        assert_eq!(card.reverse_by_reference("one", itself, s), ASKED, "{itself} after {s} s");
        let a = if s < 4 { "ask host again" } else { "12 reversed_before" };
        assert_eq!(card.pay(Pay::right("A", "a"), s), a, "{itself} after {s} s");
        assert_eq!(card.pay(Pay::right("B", "b"), s), "12 reversed_before", "the latest goes first");
    }
}

/// The first message is lost with its connection, and its repeat comes after the reversal.
#[test]
fn a_reversal_that_comes_first_refuses_a_repeat_of_another_time() {
    let mut card = Card::active();
    card.ask("A", 0);
    assert_eq!(card.reverse("t1", 1), "reversed, original unknown");
    assert_eq!(card.pay(Pay::right("A", "t1").sent_at("13 s later"), 14), "12 reversed_before");
    assert_eq!(card.compared(), 0, "nothing is compared");
    assert_eq!(card.pay(Pay::right("A", "t2").sent_at("13 s later"), 15), "ask host", "the PIN is not spent");
    let mut card = Card::active();
    card.reverse("t1", 0);
    card.ask("A", 590);
    assert_eq!(card.pay(Pay::right("A", "t1").sent_at("another hour"), 601), "ask host", "ten minutes later");
}
