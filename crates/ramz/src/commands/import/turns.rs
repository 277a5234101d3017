//! Rows of one card that are in flight together wait for each other: whatever overtakes whatever, the file's last word on a
//! card is the last that the back office hears.

use std::collections::VecDeque;

use ramz_domain::Pan;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The cards of the rows that may be in flight.
pub(super) struct Turns {
    room: usize,
    last: VecDeque<(Pan, CancellationToken)>,
}

/// A row's place among those of its card. Whatever becomes of the row, the next one goes on once this is dropped.
pub(super) struct Turn {
    before: Option<CancellationToken>,
    _over: DropGuard,
}

impl Turns {
    /// For so many rows in flight.
    pub(super) fn new(in_flight: usize) -> Turns {
        Turns { room: in_flight, last: VecDeque::new() }
    }

    /// The next row's, in the file's order.
    pub(super) fn next(&mut self, pan: &Pan) -> Turn {
        let before = self.last.iter().rev().find(|(known, _)| known == pan).map(|(_, over)| over.clone());
        let over = CancellationToken::new();
        self.last.push_back((pan.clone(), over.clone()));
        if self.last.len() > self.room {
            self.last.pop_front();
        }
        Turn { before, _over: over.drop_guard() }
    }
}

impl Turn {
    /// Until the row before it has its outcome.
    pub(super) async fn comes(&self) {
        if let Some(before) = &self.before {
            before.cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn rows_of_one_card_go_one_after_the_other() {
        let pan = |text: &str| Pan::parse(text).unwrap();
        let (one, other) = (pan("6104337000000016"), pan("6104337000000024"));
        let mut turns = Turns::new(4);
        let first = turns.next(&one);
        let (second, elsewhere, third) = (turns.next(&one), turns.next(&other), turns.next(&one));
        let now = |turn: &Turn| turn.comes().now_or_never().is_some();
        assert_eq!([now(&first), now(&second), now(&elsewhere), now(&third)], [true, false, true, false]);
        drop(first);
        assert_eq!([now(&second), now(&third)], [true, false]);
        drop(second);
        assert!(now(&third));
        for _ in 0..20 {
            turns.next(&other);
        }
        assert_eq!(turns.last.len(), 4);
    }
}
