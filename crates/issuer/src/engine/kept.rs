//! Card rows that this node has read or written lately, and which numbers belong to which card.
//!
//! Nothing here decides: a swap names the version that it was decided from, so one that was decided from a row that another
//! node has changed meanwhile loses, and is decided again from the store. What writes nothing has no such guard, and is never
//! decided from here (`fold`). A row is taken out while its card has its turn, and comes back only when the swap has won.
//!
//! Deliberately not here: rows opened under keys. Sealed columns stay sealed.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use ramz_domain::card::CardState;
use ramz_domain::{CardId, limits};
use ramz_store::{Head, Row, Sealed, Swap, Version};

use super::{EngineFault, Found, row};

/// A card's row with its state decoded.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Shared with whoever words an SMS meanwhile.
    pub(super) state: Arc<CardState>,
    pub(super) beside: Beside,
}

/// What a row has beside its state.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    pub(super) version: Version,
    pub(super) sealed: Vec<(String, Vec<u8>)>,
    pub(super) head: Head,
}

impl Known {
    /// A row as the store has it.
    pub(super) fn of(stored: Row) -> Result<Known, EngineFault> {
        let Row { version, body, sealed, head } = stored;
        Ok(Known { state: Arc::new(row::state(&body)?), beside: Beside { version, sealed, head } })
    }
}

impl Beside {
    /// The row that a swap from this one has left, once it has won.
    pub(super) fn after(self, swap: Swapped, state: Arc<CardState>) -> Known {
        let Beside { version, mut sealed, .. } = self;
        for Sealed { column, bytes } in swap.sealed {
            sealed.retain(|(name, _)| name != column);
            sealed.extend(bytes.map(|bytes| (column.to_owned(), bytes)));
        }
        Known { state, beside: Beside { version: version + 1, sealed, head: swap.head } }
    }
}

/// What a swap changes beside the state.
pub(super) struct Swapped {
    sealed: Vec<Sealed>,
    head: Head,
}

impl Swapped {
    /// Of this swap.
    pub(super) fn by(swap: &Swap) -> Swapped {
        Swapped { sealed: swap.sealed.clone(), head: swap.head }
    }
}

/// The rows, and the places in the index.
pub(super) struct Kept {
    cards: Mutex<LruCache<CardId, Known>>,
    places: Mutex<LruCache<Vec<u8>, Found>>,
}

impl Default for Kept {
    fn default() -> Kept {
        let most = NonZeroUsize::new(limits::CARDS_KEPT_MAX).unwrap_or(NonZeroUsize::MIN);
        Kept { cards: Mutex::new(LruCache::new(most)), places: Mutex::new(LruCache::new(most)) }
    }
}

impl Kept {
    /// Takes a card's row out, if it is here.
    pub(super) fn take(&self, card: CardId) -> Option<Known> {
        held(&self.cards).pop(&card)
    }

    /// What a card's row says, if it is here.
    pub(super) fn ask<T>(&self, card: CardId, question: impl FnOnce(&Known) -> T) -> Option<T> {
        held(&self.cards).get(&card).map(question)
    }

    /// Keeps a row, for one that was not used for longest.
    pub(super) fn put(&self, card: CardId, known: Known) {
        held(&self.cards).put(card, known);
    }

    /// The card at a place of the index. An index row is written once and stays as it is.
    pub(super) fn found_at(&self, place: &[u8]) -> Option<Found> {
        held(&self.places).get(place).copied()
    }

    /// Keeps where a card was found.
    pub(super) fn found(&self, place: Vec<u8>, found: Found) {
        held(&self.places).put(place, found);
    }
}

/// Nothing under these locks panics; if it did, what is kept is still whole.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
