//! What may wait for a card's next turn: it is written together with what comes next for the card, or by itself once it has
//! waited long enough. So a card's row is written once less for each SMS that is paid with.
//!
//! Only in memory, and lost with a fold that fails: for what nothing follows from, like a delivery receipt.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ramz_domain::card::Command;
use ramz_domain::{CardId, Moment, limits};

/// Commands of one card.
pub(crate) type Waited = (CardId, Vec<Command>);

/// The commands that wait. Bounded; what waited longest goes first.
#[derive(Default)]
pub(crate) struct Later(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_card: HashMap<CardId, Vec<Command>>,
    /// Until when, in the order of coming. A card that had its turn meanwhile is still named here.
    order: VecDeque<(Moment, CardId)>,
}

impl Later {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a command for the card's next turn. What has to make room for it is returned, and is to be told now.
    pub(crate) fn put(&self, card: CardId, command: Command, until: Moment) -> Option<Waited> {
        let mut held = self.held();
        let full = held.order.len() >= limits::LATER_MAX;
        let oldest = if full { held.order.pop_front() } else { None };
        let waited = oldest.and_then(|(_, card)| held.by_card.remove_entry(&card));
        held.by_card.entry(card).or_default().push(command);
        held.order.push_back((until, card));
        waited
    }

    /// What has waited for this card's turn.
    pub(super) fn take(&self, card: CardId) -> Vec<Command> {
        self.held().by_card.remove(&card).unwrap_or_default()
    }

    /// What has waited until `now`.
    pub(crate) fn overdue(&self, now: Moment) -> Vec<Waited> {
        let mut held = self.held();
        let mut overdue = Vec::new();
        while held.order.front().is_some_and(|(until, _)| *until <= now)
            && let Some((_, card)) = held.order.pop_front()
        {
            overdue.extend(held.by_card.remove_entry(&card));
        }
        overdue
    }

    /// Whatever waits: at shutdown.
    pub(crate) fn all(&self) -> Vec<Waited> {
        let mut held = self.held();
        held.order.clear();
        held.by_card.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(n: u64) -> CardId {
        CardId(u128::from(n).to_be_bytes())
    }

    fn at(ms: u64) -> Moment {
        Moment::from_unix_ms(ms)
    }

    #[test]
    fn it_waits_for_its_card_or_until_it_is_time() {
        let later = Later::default();
        assert!(later.put(card(1), Command::Lock, at(100)).is_none());
        assert!(later.put(card(2), Command::Lock, at(200)).is_none());
        assert!(later.put(card(2), Command::Lock, at(210)).is_none());
        assert!(later.overdue(at(99)).is_empty());
        assert_eq!(later.take(card(1)), [Command::Lock]);
        assert!(later.take(card(1)).is_empty());
        assert_eq!(later.overdue(at(205)), [(card(2), vec![Command::Lock; 2])]);
        assert!(later.overdue(at(1_000)).is_empty());
        assert!(later.put(card(3), Command::Lock, at(2_000)).is_none());
        assert_eq!(later.all(), [(card(3), vec![Command::Lock])]);
    }

    #[test]
    fn it_is_bounded_and_loses_nothing() {
        let later = Later::default();
        let most = limits::LATER_MAX as u64;
        for n in 0..most {
            assert!(later.put(card(n), Command::Lock, at(100)).is_none());
        }
        assert_eq!(later.put(card(most), Command::Lock, at(100)), Some((card(0), vec![Command::Lock])));
        assert_eq!(later.held().order.len(), limits::LATER_MAX);
        assert_eq!(later.overdue(at(100)).len(), limits::LATER_MAX);
    }
}
