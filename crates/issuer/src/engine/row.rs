//! A card's row: what is in its body, which columns are sealed, how its journal is chained.

use minicbor::{Decode, Encode};
use ramz_domain::card::{CardState, Entry};
use ramz_domain::{CardId, Moment, Pan, Phone};
use ramz_keys::{ChainLink, KeyFault, Keys, Tag};
use ramz_store::journal::{VerifyError, verify_row};
use ramz_store::{Head, JournalEntry, Store, Table, Version};

use super::{EngineFault, Found};

/// The sealed PAN's column.
pub const PAN_COLUMN: &str = "card.pan";
/// The sealed mobile number's column.
pub const PHONE_COLUMN: &str = "card.phone";
/// The sealed seeds of its tokens, each behind its token's id: two, as many as a card has devices.
pub(crate) const SEED_COLUMNS: [&str; ramz_domain::limits::CARD_DEVICES_MAX] = ["card.seed_0", "card.seed_1"];
/// What the back office keeps beside: sealed too, for it names a person.
pub(crate) const PROFILE_COLUMN: &str = "card.profile";

/// What an entry's bytes begin with room for, so that they are not moved while they grow.
const ENTRY_BYTES: usize = 160;

/// A card's sealed columns, opened.
#[derive(Debug)]
pub struct CardColumns {
    /// The row's version that they were read with.
    pub version: Version,
    /// How many entries its journal has.
    pub entries: u64,
    /// The card's number.
    pub pan: Option<Pan>,
    /// The registered mobile.
    pub phone: Option<Phone>,
    /// The bank's own words for it.
    pub profile: Profile,
}

/// The bank's own words for a card; nothing decides by them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Profile {
    /// The customer's number at the bank.
    #[n(0)]
    pub customer: Option<String>,
    /// The product: debit, gift.
    #[n(1)]
    pub product: Option<String>,
}

/// A journal entry's bytes: the instant is part of them, so that the chain covers it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct JournalRecord {
    /// When it was decided.
    #[n(0)]
    pub at: Moment,
    /// What was decided.
    #[n(1)]
    pub entry: Entry,
    /// Who of the bank asked for it: the name in the certificate. Nobody, of what a cardholder or a payment brought.
    #[n(2)]
    pub by: Option<String>,
}

impl JournalRecord {
    /// Reads an entry's bytes.
    pub fn read(bytes: &[u8]) -> Result<JournalRecord, EngineFault> {
        minicbor::decode(bytes).map_err(|error| EngineFault::Row(format!("journal: {error}")))
    }
}

pub(crate) fn index_key(tag: &Tag) -> Vec<u8> {
    [&tag.version.to_be_bytes()[..], &tag.bytes].concat()
}

/// What an index row says: the card, and which of its numbers this is; the first one is not written.
pub(crate) fn index_body(found: Found) -> Vec<u8> {
    let Found { card, issue } = found;
    if issue == 0 { card.0.to_vec() } else { [&card.0[..], &issue.to_be_bytes()].concat() }
}

pub(crate) fn found(body: &[u8]) -> Result<Found, EngineFault> {
    let broken = || EngineFault::Row("a card_index row holds no card id".into());
    let (card, issue) = body.split_first_chunk().ok_or_else(broken)?;
    let issue = match issue {
        [] => 0,
        issue => u32::from_be_bytes(issue.try_into().map_err(|_| broken())?),
    };
    Ok(Found { card: CardId(*card), issue })
}

pub(crate) fn state(body: &[u8]) -> Result<CardState, EngineFault> {
    CardState::decode(body).map_err(|error| EngineFault::Row(error.to_string()))
}

pub(crate) fn body(state: &CardState) -> Result<Vec<u8>, EngineFault> {
    state.encode().map_err(|error| EngineFault::Row(error.to_string()))
}

pub(crate) fn profile(clear: &[u8]) -> Result<Profile, EngineFault> {
    minicbor::decode(clear).map_err(|error| EngineFault::Row(format!("card.profile: {error}")))
}

/// The journal rows for new entries, each carrying the MAC of the one before, and the new head.
pub(crate) fn chain(
    keys: &dyn Keys,
    card: CardId,
    head: Head,
    records: &[JournalRecord],
) -> Result<(Vec<JournalEntry>, Head), EngineFault> {
    let version = keys.journal_version();
    let mut head = head;
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES);
        minicbor::encode(record, &mut bytes).map_err(|error| EngineFault::Row(error.to_string()))?;
        let seq = head.seq + 1;
        let mac = keys.chain(version, ChainLink { card, seq, previous: &head.mac, entry: &bytes })?;
        rows.push(JournalEntry { seq, at: record.at, entry: bytes, key_version: version, mac });
        head = Head { seq, mac };
    }
    Ok((rows, head))
}

/// Checks a card's whole journal against its head: how many entries there are.
///
/// # Errors
/// [`VerifyError`]: where the chain is broken, or that it could not be read, which says nothing of it.
pub async fn verify_journal(
    store: &dyn Store,
    keys: &dyn Keys,
    card: CardId,
) -> Result<u64, VerifyError<KeyFault>> {
    let mac = |previous: &[u8; 32], entry: &JournalEntry| journal_mac(keys, card, previous, entry);
    verify_row(store, Table::Card, &card.0, mac).await
}

/// The MAC that an entry of a card's journal must have, behind one with the MAC `previous`.
pub fn journal_mac(
    keys: &dyn Keys,
    card: CardId,
    previous: &[u8; 32],
    entry: &JournalEntry,
) -> Result<[u8; 32], KeyFault> {
    keys.chain(entry.key_version, ChainLink { card, seq: entry.seq, previous, entry: &entry.entry })
}
