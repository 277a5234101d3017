//! Phones: the cards that each is registered for, and what comes from it by SMS.
//!
//! A phone's row is found by the keyed hash of its number, and holds hints: a text is answered with a card's PIN only if that
//! card's own row says that this is its phone. The way of a text is in `texts`.

mod texts;

use ramz_domain::mobile::Mobile;
use ramz_domain::{CardId, Moment, Phone, limits};
use ramz_keys::{IndexPurpose, KeyFault, Place};
use ramz_store::{Change, Head, OutboxNew, Outcome, Row, Sealed, Swap, Table};

use crate::engine::{Engine, EngineFault};

pub use texts::Texts;

/// The sealed number's column.
pub(crate) const NUMBER_COLUMN: &str = "phone.number";
/// A phone without cards is forgotten after this: until then it cannot text anew by being taken away and given back.
const FORGOTTEN_AFTER: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A phone's key: 128 bits of the keyed hash of its number.
pub(crate) type PhoneKey = [u8; 16];

/// A phone's row, opened.
pub(crate) struct Known {
    pub(crate) key: PhoneKey,
    version: u64,
    pub(crate) mobile: Mobile,
}

impl Known {
    fn of(key: PhoneKey, row: &Row) -> Result<Known, EngineFault> {
        let mobile = Mobile::decode(&row.body).map_err(|error| EngineFault::Row(error.to_string()))?;
        Ok(Known { key, version: row.version, mobile })
    }
}

/// The card has this phone. Called before the card says so: a hint too many does no harm.
///
/// # Errors
/// [`EngineFault::PhoneFull`], and the store's and the keys' faults.
pub(crate) async fn link(engine: &Engine, phone: &Phone, card: CardId) -> Result<(), EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let found = find(engine, phone).await?;
        let mut mobile = found.as_ref().map_or_else(Mobile::default, |known| known.mobile.clone());
        if !mobile.link(card)? {
            return Ok(());
        }
        let swap = match &found {
            Some(known) => swap(engine, known, &mobile, Vec::new())?,
            None => insert(engine, phone, &mobile)?,
        };
        if engine.committer.commit(Change::Swap(swap)).await? == Outcome::Won {
            return Ok(());
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// The card has this phone no more. Called after the card says so.
pub(crate) async fn unlink(engine: &Engine, phone: &Phone, card: CardId) -> Result<(), EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let Some(known) = find(engine, phone).await? else { return Ok(()) };
        let mut mobile = known.mobile.clone();
        if !mobile.unlink(card) {
            return Ok(());
        }
        let swap = swap(engine, &known, &mobile, Vec::new())?;
        if engine.committer.commit(Change::Swap(swap)).await? == Outcome::Won {
            return Ok(());
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// A phone's row, under any live index key.
pub(crate) async fn find(engine: &Engine, phone: &Phone) -> Result<Option<Known>, EngineFault> {
    for key in keys_of(engine, phone)? {
        if let Some(known) = read(engine, key).await? {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

async fn read(engine: &Engine, key: PhoneKey) -> Result<Option<Known>, EngineFault> {
    let row = engine.store.read(Table::Phone, &key).await?;
    row.map(|row| Known::of(key, &row)).transpose()
}

/// The newest first.
fn keys_of(engine: &Engine, phone: &Phone) -> Result<Vec<PhoneKey>, KeyFault> {
    let tags = engine.keys.index_all(IndexPurpose::Phone, &[phone.expose().as_bytes()])?;
    Ok(tags.into_iter().map(|tag| half(&tag.bytes)).collect())
}

fn half(hash: &[u8; 32]) -> PhoneKey {
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

fn insert(engine: &Engine, phone: &Phone, mobile: &Mobile) -> Result<Swap, EngineFault> {
    let key = keys_of(engine, phone)?.first().copied().ok_or(EngineFault::NoCard)?;
    let place = Place { row: &key, column: NUMBER_COLUMN };
    let number = engine.keys.seal(place, phone.expose().as_bytes())?;
    let sealed = vec![Sealed { column: NUMBER_COLUMN, bytes: Some(number) }];
    Ok(Swap { expected: None, sealed, ..change(engine, key, mobile, Vec::new())? })
}

fn swap(
    engine: &Engine,
    known: &Known,
    mobile: &Mobile,
    outbox: Vec<OutboxNew>,
) -> Result<Swap, EngineFault> {
    Ok(Swap { expected: Some(known.version), ..change(engine, known.key, mobile, outbox)? })
}

fn change(
    engine: &Engine,
    key: PhoneKey,
    mobile: &Mobile,
    outbox: Vec<OutboxNew>,
) -> Result<Swap, EngineFault> {
    let now: Moment = engine.clock.now();
    let idle = mobile.cards().is_empty() && mobile.waiting().is_empty();
    Ok(Swap {
        table: Table::Phone,
        key: key.to_vec(),
        expected: None,
        body: Mobile::encode(mobile).map_err(|error| EngineFault::Row(error.to_string()))?,
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox,
        due: (!mobile.waiting().is_empty()).then(|| now.plus(limits::LEASE)),
        forget_after: idle.then(|| now.plus(FORGOTTEN_AFTER)),
    })
}
