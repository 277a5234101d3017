//! The port: what may be done under a key, in verbs of the domain. No verb returns a key, or the PIN of a PIN block.
//!
//! Every call is synchronous and short (micro- to milliseconds). A failure is a fault of ours (96), never a try.

use std::fmt;

use ramz_domain::{CardId, ChallengeId, Digest, Pan, Pin};
use zeroize::Zeroizing;

use crate::ZoneCipher;

/// The version of a key: stored with what it protects, so that keys rotate without downtime.
pub type KeyVersion = u32;

/// What a look-up tag is for. The same value under two purposes gives unrelated tags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IndexPurpose {
    /// Finds a card by its PAN.
    Pan,
    /// Finds a phone.
    Phone,
    /// Proves a card's expiry.
    Expiry,
    /// Binds a transfer to the payee's PAN.
    PayeePan,
    /// The admitted request, to tell a repeat from another one under the same idempotency key.
    Admission,
    /// Binds a bill's PIN to its two ids: of telephone bills one is the number.
    Bill,
    /// The secret a merchant's programs prove themselves with.
    ApiKey,
    /// Tells one payer of a page from another.
    Payer,
    /// Tells one text of a phone from another.
    Text,
    /// Finds an activation of the app by the half of its code on the receipt.
    Activation,
    /// Knows a token's seed again.
    Seed,
}

/// A keyed hash and the version of its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag {
    /// The index key's version.
    pub version: KeyVersion,
    /// HMAC-SHA-256.
    pub bytes: [u8; 32],
}

/// The place sealed bytes belong to: bound as associated data, so that a column moved to another row does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The row's 128-bit id.
    pub row: &'a [u8; 16],
    /// The column's name, for example `card.pan`.
    pub column: &'a str,
}

/// What one PIN is computed from. Nothing of it is secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinSource {
    /// The `pin` key's version.
    pub version: KeyVersion,
    /// 5 to 8.
    pub digits: u8,
    /// The card.
    pub card: CardId,
    /// The PIN's own random name.
    pub challenge: ChallengeId,
    /// The payment it is good for.
    pub payment: Digest,
}

/// What a presented PIN is compared with.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Sources<'a> {
    /// PINs of challenges.
    pub pins: &'a [PinSource],
    /// Codes of tokens.
    pub codes: &'a [CodeSource<'a>],
}

/// The codes of one token: every ceiling 0 to `ceilings` at every time step of the range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeSource<'a> {
    /// Where the seed is sealed.
    pub place: Place<'a>,
    /// The column, as [`Keys::take_seed`] gave it.
    pub sealed: &'a [u8],
    /// The token's id, which must be the one it was taken in with.
    pub owner: [u8; 16],
    /// 7 or 8.
    pub digits: u8,
    /// What the code is for: 1 first PIN, 2 second PIN, 9 control.
    pub purpose: u8,
    /// The highest step in the table of ceilings; 0 is none.
    pub ceilings: u8,
    /// The first minute since 1970.
    pub first_step: u64,
    /// The last one, at most [`CODE_TIME_STEPS_MAX`](ramz_domain::limits::CODE_TIME_STEPS_MAX) in all.
    pub last_step: u64,
}

/// What a presented PIN is. It may be several by chance.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Matches {
    /// Positions among the PINs.
    pub pins: Vec<usize>,
    /// Codes, in the order of sources, ceilings, time steps.
    pub codes: Vec<CodeMatch>,
}

/// A code that was presented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeMatch {
    /// The source's position.
    pub source: usize,
    /// The code's time step.
    pub step: u64,
    /// The code's ceiling.
    pub ceiling: u8,
}

/// A PIN block's layout (ISO 9564-1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PinBlockFormat {
    /// Format 0: TDEA, PIN field ⊕ twelve digits of the PAN.
    Iso0,
    /// Format 3: as format 0, with a random fill.
    Iso3,
    /// Format 4: AES, 16 bytes, random fill.
    Iso4,
}

impl PinBlockFormat {
    /// All formats.
    pub const ALL: [PinBlockFormat; 3] = [PinBlockFormat::Iso0, PinBlockFormat::Iso3, PinBlockFormat::Iso4];

    /// The format of this number in the standard; `None` for one that is not spoken here.
    pub const fn numbered(number: u8) -> Option<PinBlockFormat> {
        match number {
            0 => Some(PinBlockFormat::Iso0),
            3 => Some(PinBlockFormat::Iso3),
            4 => Some(PinBlockFormat::Iso4),
            _ => None,
        }
    }

    /// How long a block is.
    pub const fn bytes(self) -> usize {
        match self {
            PinBlockFormat::Iso0 | PinBlockFormat::Iso3 => 8,
            PinBlockFormat::Iso4 => 16,
        }
    }

    /// What a zone's key must be for.
    pub const fn cipher(self) -> ZoneCipher {
        match self {
            PinBlockFormat::Iso0 | PinBlockFormat::Iso3 => ZoneCipher::Tdea,
            PinBlockFormat::Iso4 => ZoneCipher::Aes,
        }
    }
}

/// An encrypted PIN block as it came in DE52.
#[derive(Clone, PartialEq, Eq)]
pub struct PinBlock {
    /// Its layout.
    pub format: PinBlockFormat,
    /// 8 bytes (formats 0 and 3) or 16 bytes (format 4), encrypted.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// What a phone seals to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiveKey {
    /// The key's version, which comes back with what was sealed to it.
    pub version: KeyVersion,
    /// A point of P-256, SEC1 uncompressed.
    pub public: [u8; 65],
}

/// What came from a phone, sealed to a receive key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received<'a> {
    /// The receive key's version, as the phone says.
    pub version: KeyVersion,
    /// HPKE's encapsulated key: the phone's one-time public key.
    pub enc: &'a [u8],
    /// Ciphertext and tag.
    pub ciphertext: &'a [u8],
    /// What both sides know and neither sends sealed.
    pub associated: &'a [u8],
}

/// A seed that was taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenSeed {
    /// For its column: owner and seed, sealed.
    pub sealed: Vec<u8>,
    /// A keyed mark of owner and seed under the newest index key, to know the same seed again.
    pub mark: [u8; 16],
}

/// Where the previous entry of a card's journal ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainLink<'a> {
    /// The card.
    pub card: CardId,
    /// The number of this entry, from 1.
    pub seq: u64,
    /// The MAC of the one before; zeros before the first.
    pub previous: &'a [u8; 32],
    /// The entry's encoded bytes.
    pub entry: &'a [u8],
}

/// Why something under a key could not be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFault {
    /// The key file has no key of this purpose and version.
    #[error("no {purpose} key{}: add it to the key file, or take back the key file that had it", of(*version))]
    NoKey {
        /// Purpose, as in the key file.
        purpose: &'static str,
        /// The version asked for; 0 where any would do.
        version: KeyVersion,
    },
    /// The key file has no zone of this name, or one of another cipher.
    #[error("no zone PIN key named {0:?} that fits this PIN block format")]
    NoZone(String),
    /// Sealed bytes that do not open: altered, moved from another row or token, or sealed under another key.
    #[error("sealed column {0:?} does not open: it was altered, moved, or sealed under another key")]
    DoesNotOpen(String),
    /// A PIN block that is not one under this zone key and PAN: a fault of the sender, and no try.
    #[error("the PIN block does not decode under zone {0:?}")]
    PinBlock(String),
    /// What was sealed to the bank cannot be opened: a fault of the sender. Says why, and nothing of what is in it.
    #[error("what was sealed to the bank does not open: {0}")]
    NotReceived(String),
    /// The key store itself.
    #[error("key store: {0}")]
    Store(String),
}

/// Of which version, if of one.
fn of(version: KeyVersion) -> String {
    if version == 0 { String::new() } else { format!(" of version {version}") }
}

/// The verbs. One value serves a whole role; implementations are cheap to share.
pub trait Keys: Send + Sync + 'static {
    /// The look-up tag of the parts (each length-prefixed) under the newest index key.
    fn index(&self, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault>;

    /// The tags under every live index key, newest first: a rotated key still finds what an older one wrote.
    fn index_all(&self, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Vec<Tag>, KeyFault>;

    /// The tag under one version.
    fn index_at(&self, version: KeyVersion, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault>;

    /// Seals bytes to a place under the newest data key. The result carries the key version.
    fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, KeyFault>;

    /// Opens what was sealed to that place.
    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault>;

    /// The version a new PIN is to be made under.
    fn pin_version(&self) -> KeyVersion;

    /// The PIN of a challenge, to send it.
    fn pin(&self, source: &PinSource) -> Result<Pin, KeyFault>;

    /// Whether the zone can be used with this format: asked at start-up, not at the first payment.
    fn zone_takes(&self, zone: &str, format: PinBlockFormat) -> bool;

    /// What the block's PIN is among the sources: each compared in constant time, all of them always. A block that does
    /// not decode is [`KeyFault::PinBlock`]; a PIN or a seed that cannot be had is a fault, never a mismatch.
    fn pin_block_matches(
        &self,
        block: &PinBlock,
        zone: &str,
        pan: &Pan,
        sources: &Sources<'_>,
    ) -> Result<Matches, KeyFault>;

    /// The same for a code that came over HTTPS.
    fn code_matches(&self, code: &Pin, codes: &[CodeSource<'_>]) -> Result<Vec<CodeMatch>, KeyFault>;

    /// The PIN block of a PIN that was typed, for the acquirer's zone.
    fn make_pin_block(
        &self,
        pin: &Pin,
        pan: &Pan,
        zone: &str,
        format: PinBlockFormat,
    ) -> Result<PinBlock, KeyFault>;

    /// The same PIN under another zone's key.
    fn translate_pin_block(
        &self,
        block: &PinBlock,
        from_zone: &str,
        pan: &Pan,
        to_zone: &str,
        to_format: PinBlockFormat,
    ) -> Result<PinBlock, KeyFault>;

    /// The newest receive key's public part.
    fn receive_key(&self) -> Result<ReceiveKey, KeyFault>;

    /// Takes a seed in that a phone sealed to the bank: opens it, and seals it to its column behind its owner, the
    /// token's id, so that another token's column does not serve in its place. The seed is never returned.
    fn take_seed(
        &self,
        received: &Received<'_>,
        place: Place<'_>,
        owner: &[u8; 16],
    ) -> Result<TakenSeed, KeyFault>;

    /// The newest journal key's version.
    fn journal_version(&self) -> KeyVersion;

    /// The MAC of a journal entry and everything before it.
    fn chain(&self, version: KeyVersion, link: ChainLink<'_>) -> Result<[u8; 32], KeyFault>;
}

impl fmt::Display for PinBlockFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self {
            PinBlockFormat::Iso0 => 0,
            PinBlockFormat::Iso3 => 3,
            PinBlockFormat::Iso4 => 4,
        };
        write!(f, "{number}")
    }
}

impl fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinBlock({:?}, …)", self.format)
    }
}
