//! The ring: every key of a role, by purpose and version, and the zones.

use std::collections::BTreeMap;
use std::fmt;

use minicbor::{Decode, Encode};
use ramz_domain::Entropy;
use zeroize::Zeroizing;

use super::zone::{ZoneKey, decode_secret, encode_secret};
use crate::{KeyFault, KeyVersion, receive};

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// Look-up columns.
    #[n(0)]
    Index,
    /// Sealed columns.
    #[n(1)]
    Data,
    /// PINs.
    #[n(2)]
    Pin,
    /// The journal's chain.
    #[n(3)]
    Journal,
    /// What is sealed to the bank.
    #[n(4)]
    Receive,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Purpose; 5] =
        [Purpose::Index, Purpose::Data, Purpose::Pin, Purpose::Journal, Purpose::Receive];

    /// The word in commands and errors.
    pub const fn word(self) -> &'static str {
        match self {
            Purpose::Index => "index",
            Purpose::Data => "data",
            Purpose::Pin => "pin",
            Purpose::Journal => "journal",
            Purpose::Receive => "receive",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.word() == word)
    }

    /// A file of before the receive key has none, and opens all the same.
    const fn may_be_missing(self) -> bool {
        matches!(self, Purpose::Receive)
    }

    /// Whether bytes are a key of this purpose: 32 of them, and for a receive key a private scalar of P-256.
    fn takes(self, key: &[u8]) -> bool {
        match self {
            Purpose::Receive => receive::is_scalar(key),
            _ => key.len() == 32,
        }
    }
}

#[derive(Clone, Encode, Decode)]
struct Secret(#[cbor(n(0), encode_with = "encode_secret", decode_with = "decode_secret")] Zeroizing<Vec<u8>>);

/// Every key of a role. `Debug` shows versions and names only.
#[derive(Clone, Encode, Decode)]
pub struct KeyRing {
    #[n(0)]
    keys: BTreeMap<u8, BTreeMap<KeyVersion, Secret>>,
    #[n(1)]
    zones: BTreeMap<String, ZoneKey>,
}

/// What may be shown of a ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingView {
    /// Each purpose with its live versions.
    pub purposes: Vec<(&'static str, Vec<KeyVersion>)>,
    /// Each zone with its cipher and check value.
    pub zones: Vec<(String, super::ZoneCipher, [u8; 3])>,
}

impl KeyRing {
    /// A ring with one fresh key for each purpose, and no zones.
    pub fn generate(entropy: &dyn Entropy) -> KeyRing {
        let mut ring = KeyRing { keys: BTreeMap::new(), zones: BTreeMap::new() };
        for purpose in Purpose::ALL {
            ring.rotate(purpose, entropy);
        }
        ring
    }

    /// Adds a fresh key, which new things are made under; the older ones stay. Says its version.
    pub fn rotate(&mut self, purpose: Purpose, entropy: &dyn Entropy) -> KeyVersion {
        let versions = self.keys.entry(purpose as u8).or_default();
        let version = versions.keys().next_back().map_or(1, |newest| newest + 1);
        // Filled where it stays: an array on the stack would leave a copy.
        let mut secret = Secret(Zeroizing::new(vec![0; 32]));
        loop {
            entropy.fill(&mut secret.0);
            if purpose.takes(&secret.0) {
                break;
            }
        }
        versions.insert(version, secret);
        version
    }

    /// Adds or replaces a zone. Names are 1 to 32 letters, digits and dashes.
    pub fn add_zone(&mut self, name: &str, key: ZoneKey) -> Result<(), KeyFault> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain || !(1..=32).contains(&name.len()) {
            return Err(KeyFault::Store("a zone's name is 1 to 32 letters, digits and dashes".into()));
        }
        self.zones.insert(name.to_owned(), key);
        Ok(())
    }

    /// What may be shown.
    pub fn view(&self) -> RingView {
        let versions = |purpose: Purpose| {
            self.keys.get(&(purpose as u8)).map_or(Vec::new(), |v| v.keys().copied().collect())
        };
        RingView {
            purposes: Purpose::ALL.into_iter().map(|purpose| (purpose.word(), versions(purpose))).collect(),
            zones: self
                .zones
                .iter()
                .map(|(name, key)| (name.clone(), key.cipher(), key.check_value()))
                .collect(),
        }
    }

    /// A zone's check value as six hexadecimal digits, as the neighbour reads it out.
    pub fn zone_check_value(&self, name: &str) -> Option<String> {
        self.zones.get(name).map(|key| hex::encode_upper(key.check_value()))
    }

    /// Whether every purpose that must has a key, and every key, also a zone's, is one that would be taken today.
    pub(super) fn is_whole(&self) -> bool {
        // From 1, and with room for the next.
        let numbered = |version: KeyVersion| (1..KeyVersion::MAX).contains(&version);
        let whole = |purpose: Purpose| {
            let sound = |v: &BTreeMap<KeyVersion, Secret>| {
                !v.is_empty() && v.iter().all(|(n, key)| numbered(*n) && purpose.takes(&key.0))
            };
            self.keys.get(&(purpose as u8)).map_or(purpose.may_be_missing(), sound)
        };
        Purpose::ALL.into_iter().all(whole) && self.zones.values().all(ZoneKey::is_sound)
    }

    pub(super) fn newest(&self, purpose: Purpose) -> Result<(KeyVersion, &[u8]), KeyFault> {
        let newest = self.keys.get(&(purpose as u8)).and_then(|versions| versions.iter().next_back());
        newest.map(|(version, key)| (*version, key.0.as_slice())).ok_or(no_key(purpose, 0))
    }

    pub(super) fn versions(&self, purpose: Purpose) -> Vec<KeyVersion> {
        self.keys
            .get(&(purpose as u8))
            .map_or(Vec::new(), |versions| versions.keys().rev().copied().collect())
    }

    pub(super) fn at(&self, purpose: Purpose, version: KeyVersion) -> Result<&[u8], KeyFault> {
        let key = self.keys.get(&(purpose as u8)).and_then(|versions| versions.get(&version));
        key.map(|key| key.0.as_slice()).ok_or(no_key(purpose, version))
    }

    pub(super) fn zone(&self, name: &str) -> Result<&ZoneKey, KeyFault> {
        self.zones.get(name).ok_or_else(|| KeyFault::NoZone(name.to_owned()))
    }
}

fn no_key(purpose: Purpose, version: KeyVersion) -> KeyFault {
    KeyFault::NoKey { purpose: purpose.word(), version }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.view();
        let zones: Vec<_> = view.zones.iter().map(|(name, ..)| name).collect();
        f.debug_struct("KeyRing").field("purposes", &view.purposes).field("zones", &zones).finish()
    }
}
