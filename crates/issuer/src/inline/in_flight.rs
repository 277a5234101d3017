//! Transactions in flight: a repeat that comes while the first is on its way waits for it, then asks the card, which
//! knows the answer by then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ramz_domain::CardId;
use ramz_domain::card::Mark;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

type Key = (CardId, Mark);

/// The transactions in flight. Bounded by what the listener lets in.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Key, Arc<Turn<()>>>>>);

/// Held while a transaction is in flight.
pub(super) struct Held {
    flights: InFlight,
    key: Key,
    turn: Option<OwnedMutexGuard<()>>,
}

impl InFlight {
    /// Waits for earlier messages of the same transaction.
    pub(super) async fn enter(&self, card: CardId, identity: Mark) -> Held {
        let key = (card, identity);
        let turn = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(flights.entry(key).or_default())
        };
        Held { flights: self.clone(), key, turn: Some(turn.lock_owned().await) }
    }

    /// The same, unless so many wait already.
    pub(super) async fn enter_if_few(&self, card: CardId, identity: Mark, most: usize) -> Option<Held> {
        let waiting = {
            let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // The map has one, and who has the turn.
            flights.get(&(card, identity)).map_or(0, |turn| Arc::strong_count(turn).saturating_sub(2))
        };
        if waiting >= most {
            return None;
        }
        Some(self.enter(card, identity).await)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn = None;
        // Only the map holds it: nobody waits.
        if flights.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_when_many_wait_is_turned_away() {
        let flights = InFlight::default();
        let (card, identity) = (CardId([1; 16]), Mark([2; 16]));
        let first = flights.enter_if_few(card, identity, 2).await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let flights = flights.clone();
                tokio::spawn(async move { flights.enter_if_few(card, identity, 2).await.is_some() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(flights.enter_if_few(card, identity, 2).await.is_none());
        assert!(flights.enter_if_few(CardId([3; 16]), identity, 2).await.is_some());
        drop(first);
        for one in waiting {
            assert!(one.await.unwrap());
        }
    }

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_nothing_is_left_behind() {
        let flights = InFlight::default();
        let (card, identity) = (CardId([1; 16]), Mark([2; 16]));
        let first = flights.enter(card, identity).await;
        let second = tokio::spawn({
            let flights = flights.clone();
            async move { drop(flights.enter(card, identity).await) }
        });
        flights.enter(card, Mark([3; 16])).await;
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
        assert!(flights.0.lock().unwrap().is_empty());
    }
}
