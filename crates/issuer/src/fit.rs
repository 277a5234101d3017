//! Whether a key file is the one that a store was written under. With another one every card would look unknown, be added anew beside
//! itself, and have its journal go on under a key that its past does not verify with: so nobody starts before this was asked.

use ramz_domain::{CardId, Pan};
use ramz_keys::{IndexPurpose, KeyFault, Keys, Place};
use ramz_store::{Store, StoreFault, Table};

use crate::engine::{PAN_COLUMN, index_key, journal_mac, row_found};

/// Cards that are looked at. More than one: a single row that somebody has altered must not keep a bank from starting.
const CARDS: usize = 5;

/// Why nobody starts on a store.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Another bank's key file, or an older one.
    #[error(
        "this key file is not the store's: none of the {0} cards that were looked at was written under it"
    )]
    OtherKeys(usize),
    /// It could not be asked.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Looks at a few cards: data, index and journal key of one must be the file's. A store without cards fits any.
///
/// # Errors
/// [`Unfit`].
pub async fn keys_fit(store: &dyn Store, keys: &dyn Keys) -> Result<(), Unfit> {
    look(store, keys, Journal::Whole).await
}

/// The same for whoever is about to verify the journals: that one was altered does not make the keys another store's.
///
/// # Errors
/// [`Unfit`].
pub async fn keys_fit_but_for_the_journal(store: &dyn Store, keys: &dyn Keys) -> Result<(), Unfit> {
    look(store, keys, Journal::OfKnownKeys).await
}

/// What the newest entry of a journal must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Journal {
    /// The file's.
    Whole,
    /// Said to be under a key that the file has, if it is there at all: an older copy of the file may lack the newest one.
    OfKnownKeys,
}

async fn look(store: &dyn Store, keys: &dyn Keys, journal: Journal) -> Result<(), Unfit> {
    let cards = store.keys_after(Table::Card, &[], CARDS).await?;
    for key in &cards {
        if fits(store, keys, key, journal).await? {
            return Ok(());
        }
    }
    if cards.is_empty() { Ok(()) } else { Err(Unfit::OtherKeys(cards.len())) }
}

async fn fits(store: &dyn Store, keys: &dyn Keys, key: &[u8], journal: Journal) -> Result<bool, StoreFault> {
    let (Ok(card), Some(row)) = (key.try_into().map(CardId), store.read(Table::Card, key).await?) else {
        return Ok(false);
    };
    let sealed = row.sealed.iter().find(|(column, _)| column == PAN_COLUMN);
    let number = sealed.and_then(|(column, sealed)| keys.open(Place { row: &card.0, column }, sealed).ok());
    let pan = number.and_then(|clear| Pan::parse(std::str::from_utf8(&clear).ok()?).ok());
    let Some(pan) = pan else { return Ok(false) };
    Ok(is_found(store, keys, card, &pan).await?
        && is_chained(store, keys, card, row.head.seq, journal).await?)
}

async fn is_found(store: &dyn Store, keys: &dyn Keys, card: CardId, pan: &Pan) -> Result<bool, StoreFault> {
    let Ok(tags) = keys.index_all(IndexPurpose::Pan, &[pan.expose().as_bytes()]) else { return Ok(false) };
    for tag in tags {
        let found = store.read(Table::CardIndex, &index_key(&tag)).await?;
        if found.and_then(|row| row_found(&row.body).ok()).is_some_and(|found| found.card == card) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the newest entry of its journal is the file's.
async fn is_chained(
    store: &dyn Store,
    keys: &dyn Keys,
    card: CardId,
    newest: u64,
    journal: Journal,
) -> Result<bool, StoreFault> {
    let entries = store.journal(&card.0, newest.saturating_sub(2), 2).await?;
    let Some(entry) = entries.iter().find(|entry| entry.seq == newest) else {
        return Ok(journal == Journal::OfKnownKeys);
    };
    let before = entries.iter().find(|entry| entry.seq + 1 == newest);
    let previous = before.map_or([0; 32], |entry| entry.mac);
    let mac: Result<_, KeyFault> = journal_mac(keys, card, &previous, entry);
    Ok(mac.is_ok_and(|mac| journal == Journal::OfKnownKeys || mac == entry.mac))
}
