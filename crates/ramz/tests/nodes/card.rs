//! A card's PINs as one clerk with a book would keep them: what the checker holds every history against.

use std::collections::BTreeMap;

use crate::linear::{Call, Model};

/// The card's policy: so many wrong PINs in a row lock it.
const LOCKS_AT: u8 = 3;

/// A PIN, by the amount that it was asked for.
pub(crate) type PinOf = u64;

/// What is done with a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// A PIN is asked for; answered when its SMS is read.
    Issue(PinOf),
    /// A PIN is presented in a transaction, first or again.
    Pay(u64, Shown),
}

/// What is presented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    Of(PinOf),
    /// One that no SMS said.
    Wrong,
}

/// What came back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Answer {
    /// The SMS came.
    Issued,
    /// 00.
    Approved,
    /// 55.
    Wrong,
    /// 75.
    Locked,
    /// 91 or 96: not now. Nothing was debited, though the PIN may be over.
    NotNow,
}

/// The book.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Book {
    /// PINs, and the transaction that spent each.
    pins: BTreeMap<PinOf, Option<u64>>,
    /// What was answered and stays so.
    answers: BTreeMap<u64, Answer>,
    failures: u8,
}

/// One card's PINs.
pub(crate) struct Card;

pub(crate) type CardCall = Call<Op, Answer>;

impl Model for Card {
    type Op = Op;
    type Answer = Answer;
    type State = Book;

    fn step(book: &Book, op: &Op, answer: Option<&Answer>) -> Vec<Book> {
        match op {
            Op::Issue(pin) => {
                // The same PIN again is the same PIN.
                let mut next = book.clone();
                next.pins.entry(*pin).or_insert(None);
                vec![next]
            }
            Op::Pay(transaction, pin) => {
                let mut may = vec![decided(book, *transaction, *pin)];
                // A node may spend a PIN, not know whether that was kept, and say "not now" without asking the host.
                let (done, known) = (may[0].0.clone(), book.answers.contains_key(transaction));
                if !known {
                    let spent = done.pins != book.pins;
                    may.push((book.clone(), Answer::NotNow));
                    if spent {
                        let mut half = done;
                        half.answers.remove(transaction);
                        may.push((half, Answer::NotNow));
                    }
                }
                may.retain(|(_, said)| answer.is_none_or(|answer| answer == said));
                may.into_iter().map(|(next, _)| next).collect()
            }
        }
    }
}

/// What the clerk would do and say.
fn decided(book: &Book, transaction: u64, pin: Shown) -> (Book, Answer) {
    if let Some(said) = book.answers.get(&transaction) {
        return (book.clone(), *said);
    }
    let mut next = book.clone();
    // What was spent for this very transaction, and not answered, is answered now.
    let own = matches!(pin, Shown::Of(pin) if book.pins.get(&pin) == Some(&Some(transaction)));
    if book.failures >= LOCKS_AT && !own {
        return (next, Answer::Locked);
    }
    let anything_open = book.pins.values().any(Option::is_none);
    match pin {
        Shown::Of(pin) if own || book.pins.get(&pin) == Some(&None) => {
            next.pins.insert(pin, Some(transaction));
            next.answers.insert(transaction, Answer::Approved);
            if !own {
                next.failures = 0;
            }
            (next, Answer::Approved)
        }
        // Over: counted nowhere, and remembered nowhere.
        Shown::Of(pin) if book.pins.contains_key(&pin) => (next, Answer::Wrong),
        _ if !anything_open => (next, Answer::Wrong),
        _ => {
            next.failures += 1;
            let said = if next.failures >= LOCKS_AT { Answer::Locked } else { Answer::Wrong };
            next.answers.insert(transaction, said);
            (next, said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::check;

    /// What comes one after the other.
    fn in_turn(steps: &[(Op, Answer)]) -> bool {
        let call = |(at, (op, answer)): (u64, &(Op, Answer))| Call {
            op: op.clone(),
            called: at * 2,
            answered: Some((at * 2 + 1, *answer)),
        };
        check::<Card>(Book::default(), &(0..).zip(steps).map(call).collect::<Vec<_>>()).is_ok()
    }

    const ISSUED: (Op, Answer) = (Op::Issue(7), Answer::Issued);

    fn pay(transaction: u64, answer: Answer) -> (Op, Answer) {
        (Op::Pay(transaction, Shown::Of(7)), answer)
    }

    fn guess(transaction: u64, answer: Answer) -> (Op, Answer) {
        (Op::Pay(transaction, Shown::Wrong), answer)
    }

    #[test]
    fn a_pin_that_pays_twice_is_refused() {
        assert!(in_turn(&[
            ISSUED,
            pay(1, Answer::Approved),
            pay(2, Answer::Wrong),
            pay(1, Answer::Approved)
        ]));
        assert!(!in_turn(&[ISSUED, pay(1, Answer::Approved), pay(2, Answer::Approved)]));
        assert!(!in_turn(&[pay(1, Answer::Approved)]), "a PIN that nobody issued");
    }

    #[test]
    fn an_answer_that_changes_is_refused() {
        assert!(!in_turn(&[ISSUED, pay(1, Answer::Approved), pay(1, Answer::Wrong)]));
        assert!(!in_turn(&[ISSUED, pay(1, Answer::Approved), pay(1, Answer::NotNow)]));
        assert!(!in_turn(&[ISSUED, pay(1, Answer::Wrong)]), "refused though it was open");
    }

    #[test]
    fn what_may_not_be_kept_may_have_been_spent() {
        assert!(in_turn(&[ISSUED, pay(1, Answer::NotNow), pay(2, Answer::Approved)]));
        assert!(in_turn(&[ISSUED, pay(1, Answer::NotNow), pay(2, Answer::Wrong)]));
        assert!(in_turn(&[ISSUED, pay(1, Answer::NotNow), pay(2, Answer::Wrong), pay(1, Answer::Approved)]));
        let twice = [ISSUED, pay(1, Answer::NotNow), pay(2, Answer::Approved), pay(1, Answer::Approved)];
        assert!(!in_turn(&twice));
    }

    #[test]
    fn tries_that_do_not_count_are_refused() {
        let two = [ISSUED, guess(1, Answer::Wrong), guess(2, Answer::Wrong)];
        assert!(in_turn(&[&two[..], &[guess(3, Answer::Locked), pay(4, Answer::Locked)]].concat()));
        assert!(in_turn(&[&two[..], &[guess(2, Answer::Wrong), pay(4, Answer::Approved)]].concat()));
        assert!(!in_turn(&[&two[..], &[guess(3, Answer::Wrong)]].concat()));
        let locked = [&two[..], &[guess(3, Answer::Locked)]].concat();
        assert!(!in_turn(&[&locked[..], &[pay(4, Answer::Approved)]].concat()));
    }

    #[test]
    fn of_two_at_once_one_pays() {
        let at_once = |first: Answer, second: Answer| {
            let issued = Call { op: ISSUED.0, called: 0, answered: Some((1, ISSUED.1)) };
            let call = |transaction, called, answer| Call {
                op: Op::Pay(transaction, Shown::Of(7)),
                called,
                answered: Some((called + 10, answer)),
            };
            check::<Card>(Book::default(), &[issued, call(1, 2, first), call(2, 3, second)]).is_ok()
        };
        assert!(at_once(Answer::Approved, Answer::Wrong));
        assert!(at_once(Answer::Wrong, Answer::Approved));
        assert!(!at_once(Answer::Approved, Answer::Approved));
        assert!(!at_once(Answer::Wrong, Answer::Wrong));
    }
}
