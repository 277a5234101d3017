//! The verbs of the port, over a ring in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac as _};
use ramz_domain::ambient::random_bytes;
use ramz_domain::{Entropy, Pan, Pin};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::codes::Suites;
use super::file::KeyFileError;
use super::ring::{KeyRing, Purpose};
use super::seeds;
use crate::pinblock;
use crate::port::{
    ChainLink, CodeMatch, CodeSource, IndexPurpose, KeyFault, KeyVersion, Keys, Matches, PinBlock,
    PinBlockFormat, PinSource, Place, ReceiveKey, Received, Sources, Tag, TakenSeed,
};

/// The keys that are keys of an HMAC.
const MAC_PURPOSES: [Purpose; 4] = [Purpose::Index, Purpose::Data, Purpose::Pin, Purpose::Journal];

const SEAL_FORMAT: u8 = 1;
const NONCE: usize = 12;
/// Format, key version, nonce.
const SEAL_HEADER: usize = 1 + 4 + NONCE;

/// Keys in memory. Cheap to share; `Debug` shows names and versions.
pub struct SoftKeys {
    pub(super) ring: KeyRing,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) suites: Suites,
    /// Each key's HMAC after its first block, which is the same for whatever is hashed. Wiped on drop, like the key.
    schedules: BTreeMap<(Purpose, KeyVersion), Hmac<Sha256>>,
    /// Computed once: a third of a millisecond is much for what anybody may ask for.
    pub(super) receive: Option<ReceiveKey>,
}

impl SoftKeys {
    /// Keys of a ring.
    pub fn new(ring: KeyRing, entropy: Arc<dyn Entropy>) -> SoftKeys {
        let receive = seeds::newest_receive_key(&ring);
        let mut schedules = BTreeMap::new();
        for purpose in MAC_PURPOSES {
            for version in ring.versions(purpose) {
                if let Ok(key) = ring.at(purpose, version) {
                    schedules.insert((purpose, version), begun(key));
                }
            }
        }
        SoftKeys { ring, entropy, suites: Suites::new(), schedules, receive }
    }

    /// Keys of a key file.
    ///
    /// # Errors
    /// As [`KeyRing::open`].
    pub fn open(file: &[u8], passphrase: &[u8], entropy: Arc<dyn Entropy>) -> Result<SoftKeys, KeyFileError> {
        Ok(SoftKeys::new(KeyRing::open(file, passphrase)?, entropy))
    }

    fn tag(&self, version: KeyVersion, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault> {
        let all =
            [b"ramz-index-1".as_slice(), word(purpose).as_bytes()].into_iter().chain(parts.iter().copied());
        Ok(Tag { version, bytes: self.mac(Purpose::Index, version, all)? })
    }

    /// HMAC-SHA-256 over the parts, each length-prefixed.
    fn mac<'a>(
        &self,
        purpose: Purpose,
        version: KeyVersion,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<[u8; 32], KeyFault> {
        let mut mac = match self.schedules.get(&(purpose, version)) {
            Some(schedule) => schedule.clone(),
            None => begun(self.ring.at(purpose, version)?),
        };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Ok(mac.finalize().into_bytes().into())
    }

    /// A key for each row: a nonce then needs to be unique within one row's few seals only, not within a bank's.
    fn row_cipher(&self, version: KeyVersion, row: &[u8; 16]) -> Result<Aes256Gcm, KeyFault> {
        let key = Zeroizing::new(self.mac(Purpose::Data, version, [b"ramz-row-1".as_slice(), row])?);
        Aes256Gcm::new_from_slice(key.as_slice()).map_err(|error| KeyFault::Store(error.to_string()))
    }

    /// A PIN without its leading zeros.
    pub(super) fn pin_number(&self, source: &PinSource) -> Result<u64, KeyFault> {
        let PinSource { version, digits, card, challenge, payment } = source;
        if !(5..=8).contains(digits) {
            return Err(KeyFault::Store(format!("a PIN of {digits} digits was asked for; it has 5 to 8")));
        }
        let parts: [&[u8]; 5] = [b"ramz-pin-1", &[*digits], &card.0, &challenge.0, &payment.0];
        let hash = Zeroizing::new(self.mac(Purpose::Pin, *version, parts)?);
        let number = hash[..16].iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
        let below = 10u128.pow(u32::from(*digits));
        u64::try_from(number % below).map_err(|error| KeyFault::Store(error.to_string()))
    }

    fn decode(&self, block: &PinBlock, zone: &str, pan: &Pan) -> Result<Pin, KeyFault> {
        let decoded = pinblock::decode(block.format, self.ring.zone(zone)?, &block.bytes, pan);
        let decoded = decoded.ok_or_else(|| KeyFault::NoZone(zone.to_owned()))?;
        decoded.map_err(|_| KeyFault::PinBlock(zone.to_owned()))
    }
}

impl Keys for SoftKeys {
    fn index(&self, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault> {
        let (newest, _) = self.ring.newest(Purpose::Index)?;
        self.tag(newest, purpose, parts)
    }

    fn index_all(&self, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Vec<Tag>, KeyFault> {
        self.ring
            .versions(Purpose::Index)
            .into_iter()
            .map(|version| self.tag(version, purpose, parts))
            .collect()
    }

    fn index_at(&self, version: KeyVersion, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault> {
        self.tag(version, purpose, parts)
    }

    fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let (version, _) = self.ring.newest(Purpose::Data)?;
        let nonce = random_bytes::<NONCE>(self.entropy.as_ref());
        let payload = Payload { msg: clear, aad: &associated(place, version) };
        let sealed = self.row_cipher(version, place.row)?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|error| KeyFault::Store(error.to_string()))?;
        Ok([&[SEAL_FORMAT], &version.to_be_bytes()[..], &nonce, &sealed].concat())
    }

    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let broken = || KeyFault::DoesNotOpen(place.column.to_owned());
        if sealed.len() < SEAL_HEADER || sealed[0] != SEAL_FORMAT {
            return Err(broken());
        }
        let (header, ciphertext) = sealed.split_at(SEAL_HEADER);
        let version = header[1..5].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let nonce = <[u8; NONCE]>::try_from(&header[5..]).map_err(|_| broken())?;
        let payload = Payload { msg: ciphertext, aad: &associated(place, version) };
        let clear = self.row_cipher(version, place.row)?.decrypt(&Nonce::from(nonce), payload);
        clear.map(Zeroizing::new).map_err(|_| broken())
    }

    fn pin_version(&self) -> KeyVersion {
        self.ring.newest(Purpose::Pin).map_or(0, |(version, _)| version)
    }

    fn pin(&self, source: &PinSource) -> Result<Pin, KeyFault> {
        let number = self.pin_number(source)?;
        let width = usize::from(source.digits);
        let text = Zeroizing::new(format!("{number:0width$}"));
        Pin::parse(&text).map_err(|error| KeyFault::Store(error.to_string()))
    }

    fn zone_takes(&self, zone: &str, format: PinBlockFormat) -> bool {
        self.ring.zone(zone).is_ok_and(|key| key.cipher() == format.cipher())
    }

    fn pin_block_matches(
        &self,
        block: &PinBlock,
        zone: &str,
        pan: &Pan,
        sources: &Sources<'_>,
    ) -> Result<Matches, KeyFault> {
        self.compare(&self.decode(block, zone, pan)?, sources)
    }

    fn code_matches(&self, code: &Pin, codes: &[CodeSource<'_>]) -> Result<Vec<CodeMatch>, KeyFault> {
        Ok(self.compare(code, &Sources { pins: &[], codes })?.codes)
    }

    fn make_pin_block(
        &self,
        pin: &Pin,
        pan: &Pan,
        zone: &str,
        format: PinBlockFormat,
    ) -> Result<PinBlock, KeyFault> {
        let key = self.ring.zone(zone)?;
        let bytes = pinblock::encode(format, key, pin, pan, self.entropy.as_ref());
        bytes.map(|bytes| PinBlock { format, bytes }).ok_or_else(|| KeyFault::NoZone(zone.to_owned()))
    }

    fn translate_pin_block(
        &self,
        block: &PinBlock,
        from_zone: &str,
        pan: &Pan,
        to_zone: &str,
        to_format: PinBlockFormat,
    ) -> Result<PinBlock, KeyFault> {
        let pin = self.decode(block, from_zone, pan)?;
        self.make_pin_block(&pin, pan, to_zone, to_format)
    }

    fn receive_key(&self) -> Result<ReceiveKey, KeyFault> {
        self.receive.ok_or(KeyFault::NoKey { purpose: Purpose::Receive.word(), version: 0 })
    }

    fn take_seed(
        &self,
        received: &Received<'_>,
        place: Place<'_>,
        owner: &[u8; 16],
    ) -> Result<TakenSeed, KeyFault> {
        self.take_seed_in(received, place, owner)
    }

    fn journal_version(&self) -> KeyVersion {
        self.ring.newest(Purpose::Journal).map_or(0, |(version, _)| version)
    }

    fn chain(&self, version: KeyVersion, link: ChainLink<'_>) -> Result<[u8; 32], KeyFault> {
        let ChainLink { card, seq, previous, entry } = link;
        let parts: [&[u8]; 5] = [b"ramz-journal-1", &card.0, &seq.to_be_bytes(), previous, entry];
        self.mac(Purpose::Journal, version, parts)
    }
}

/// HMAC-SHA-256 under a key, with nothing hashed yet.
fn begun(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn associated(place: Place<'_>, version: KeyVersion) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    for part in [b"ramz-seal-1".as_slice(), place.row, place.column.as_bytes(), &version.to_be_bytes()] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn word(purpose: IndexPurpose) -> &'static str {
    match purpose {
        IndexPurpose::Pan => "pan",
        IndexPurpose::Phone => "phone",
        IndexPurpose::Expiry => "expiry",
        IndexPurpose::PayeePan => "payee-pan",
        IndexPurpose::Admission => "admission",
        IndexPurpose::Bill => "bill",
        IndexPurpose::ApiKey => "api-key",
        IndexPurpose::Payer => "payer",
        IndexPurpose::Text => "text",
        IndexPurpose::Activation => "activation",
        IndexPurpose::Seed => "seed",
    }
}

impl fmt::Debug for SoftKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftKeys").field("ring", &self.ring).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ramz_domain::{CardId, ChallengeId, Digest};

    use super::*;
    use crate::soft::tests::Counting;
    use crate::{ZoneCipher, ZoneKey};

    fn keys() -> SoftKeys {
        let entropy = Counting::default();
        let mut ring = KeyRing::generate(&entropy);
        let zone: Vec<u8> = (0..16).map(|n| n * 3 + 1).collect();
        ring.add_zone("switch", ZoneKey::new(ZoneCipher::Tdea, &zone).unwrap()).unwrap();
        ring.add_zone("host", ZoneKey::new(ZoneCipher::Aes, &[9; 32]).unwrap()).unwrap();
        SoftKeys::new(ring, Arc::new(entropy))
    }

    fn source(challenge: u8, digits: u8) -> PinSource {
        PinSource {
            version: 1,
            digits,
            card: CardId([1; 16]),
            challenge: ChallengeId([challenge; 16]),
            payment: Digest([3; 32]),
        }
    }

    fn pan() -> Pan {
        Pan::parse("6104337000000016").unwrap()
    }

    fn matched(
        keys: &SoftKeys,
        block: &PinBlock,
        zone: &str,
        pins: &[PinSource],
    ) -> Result<Vec<usize>, KeyFault> {
        let matches = keys.pin_block_matches(block, zone, &pan(), &Sources { pins, codes: &[] })?;
        assert_eq!(matches.codes, []);
        Ok(matches.pins)
    }

    #[test]
    fn pins_have_their_length_and_every_part_counts() {
        let keys = keys();
        let all: Vec<_> = (0..=255).map(|n| keys.pin(&source(n, 5)).unwrap().expose().to_owned()).collect();
        assert!(all.iter().all(|pin| pin.len() == 5));
        assert!(all.iter().any(|pin| pin.starts_with('0')), "leading zeros stay");
        let base = source(1, 8);
        let others = [
            PinSource { card: CardId([2; 16]), ..base },
            PinSource { payment: Digest([4; 32]), ..base },
            PinSource { challenge: ChallengeId([2; 16]), ..base },
        ];
        for other in others {
            assert_ne!(keys.pin(&base).unwrap().expose(), keys.pin(&other).unwrap().expose());
        }
        assert!(keys.pin(&source(1, 4)).is_err() && keys.pin(&source(1, 9)).is_err());
        assert!(matches!(
            keys.pin(&PinSource { version: 2, ..base }),
            Err(KeyFault::NoKey { purpose: "pin", version: 2 })
        ));
    }

    #[test]
    fn a_block_matches_the_candidates_that_it_holds() {
        let keys = keys();
        let candidates = [source(1, 7), source(2, 7), source(1, 7)];
        let matches = |block: &PinBlock, zone, pins: &[PinSource]| matched(&keys, block, zone, pins);
        let pin = keys.pin(&candidates[0]).unwrap();
        for format in PinBlockFormat::ALL {
            let zone = if format == PinBlockFormat::Iso4 { "host" } else { "switch" };
            let block = keys.make_pin_block(&pin, &pan(), zone, format).unwrap();
            assert_eq!(matches(&block, zone, &candidates), Ok(vec![0, 2]));
            assert_eq!(matches(&block, zone, &candidates[1..2]), Ok(vec![]));
            let garbled = PinBlock { format, bytes: Zeroizing::new(vec![0; block.bytes.len()]) };
            assert_eq!(matches(&garbled, zone, &candidates), Err(KeyFault::PinBlock(zone.into())));
        }
        assert!(matches!(
            keys.make_pin_block(&pin, &pan(), "none", PinBlockFormat::Iso0),
            Err(KeyFault::NoZone(_))
        ));
        assert!(matches!(
            keys.make_pin_block(&pin, &pan(), "host", PinBlockFormat::Iso0),
            Err(KeyFault::NoZone(_))
        ));
        assert!(
            keys.zone_takes("host", PinBlockFormat::Iso4) && !keys.zone_takes("host", PinBlockFormat::Iso0)
        );
        assert!(
            keys.zone_takes("switch", PinBlockFormat::Iso3) && !keys.zone_takes("host", PinBlockFormat::Iso3)
        );
    }

    #[test]
    fn rotated_keys_still_find_and_open_what_older_ones_made() {
        let mut keys = keys();
        let old = keys.index(IndexPurpose::Pan, &[b"x"]).unwrap();
        let sealed = keys.seal(Place { row: &[1; 16], column: "c" }, b"clear").unwrap();
        let entropy = Counting::default();
        for purpose in Purpose::ALL {
            assert_eq!(keys.ring.rotate(purpose, &entropy), 2);
        }
        let all = keys.index_all(IndexPurpose::Pan, &[b"x"]).unwrap();
        assert_eq!(all.iter().map(|tag| tag.version).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(all[1], old);
        assert_eq!(keys.open(Place { row: &[1; 16], column: "c" }, &sealed).unwrap().as_slice(), b"clear");
        assert_eq!((keys.pin_version(), keys.journal_version()), (2, 2));
    }

    #[test]
    fn purposes_and_splits_of_parts_are_apart() {
        let keys = keys();
        let tag = |purpose, parts: &[&[u8]]| keys.index(purpose, parts).unwrap().bytes;
        assert_ne!(tag(IndexPurpose::Pan, &[b"ab"]), tag(IndexPurpose::PayeePan, &[b"ab"]));
        assert_ne!(tag(IndexPurpose::Pan, &[b"ab"]), tag(IndexPurpose::Pan, &[b"a", b"b"]));
    }

    #[test]
    fn a_pin_is_spread_evenly_and_keeps_leading_zeros() {
        let keys = keys();
        for digits in 5..=8 {
            let mut first = [0; 10];
            for n in 0..2000u16 {
                let mut source = source(0, digits);
                source.challenge.0[..2].copy_from_slice(&n.to_be_bytes());
                let pin = keys.pin(&source).unwrap();
                assert_eq!(pin.expose().len(), usize::from(digits));
                first[usize::from(pin.expose().as_bytes()[0] - b'0')] += 1;
            }
            // 200 of each expected; the standard deviation is 13.
            assert!(first.iter().all(|count| (130..270).contains(count)), "{digits} digits: {first:?}");
        }
    }

    #[test]
    fn a_chain_binds_every_part_of_its_link() {
        let keys = keys();
        let base = ChainLink { card: CardId([1; 16]), seq: 1, previous: &[0; 32], entry: b"entry" };
        let others = [
            ChainLink { card: CardId([2; 16]), ..base },
            ChainLink { seq: 2, ..base },
            ChainLink { previous: &[1; 32], ..base },
            ChainLink { entry: b"entrz", ..base },
            ChainLink { entry: b"", ..base },
        ];
        for other in others {
            assert_ne!(keys.chain(1, other), keys.chain(1, base));
        }
        assert_eq!(keys.chain(2, base), Err(KeyFault::NoKey { purpose: "journal", version: 2 }));
    }

    #[test]
    fn every_bit_of_a_sealed_column_counts() {
        let mut keys = keys();
        keys.ring.rotate(Purpose::Data, &Counting::default());
        let place = Place { row: &[1; 16], column: "card.pan" };
        let sealed = keys.seal(place, b"6104337000000016").unwrap();
        assert_eq!(sealed[..5], [1, 0, 0, 0, 2]);
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut altered = sealed.clone();
                altered[at] ^= 1 << bit;
                assert!(keys.open(place, &altered).is_err(), "byte {at}, bit {bit}");
            }
            assert!(keys.open(place, &sealed[..at]).is_err(), "{at} bytes");
        }
        assert!(keys.open(place, &[&sealed[..], &[0]].concat()).is_err());
        // Relabelled as an older key that is live: the version is bound too.
        let mut relabelled = sealed;
        relabelled[4] = 1;
        assert_eq!(keys.open(place, &relabelled), Err(KeyFault::DoesNotOpen("card.pan".into())));
    }

    #[test]
    fn a_block_is_translated_from_any_format_to_any() {
        let keys = keys();
        let candidate = [source(1, 7)];
        let pin = keys.pin(&candidate[0]).unwrap();
        let zone = |format| if format == PinBlockFormat::Iso4 { "host" } else { "switch" };
        for from in PinBlockFormat::ALL {
            let block = keys.make_pin_block(&pin, &pan(), zone(from), from).unwrap();
            for to in PinBlockFormat::ALL {
                let translated = keys.translate_pin_block(&block, zone(from), &pan(), zone(to), to).unwrap();
                assert_eq!((translated.format, translated.bytes.len()), (to, to.bytes()));
                let matches = matched(&keys, &translated, zone(to), &candidate);
                assert_eq!(matches, Ok(vec![0]), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn a_candidate_that_cannot_be_computed_is_a_fault_and_no_mismatch() {
        let keys = keys();
        let good = source(1, 7);
        let pin = keys.pin(&good).unwrap();
        let block = keys.make_pin_block(&pin, &pan(), "switch", PinBlockFormat::Iso0).unwrap();
        for lost in [PinSource { version: 2, ..good }, PinSource { digits: 9, ..good }] {
            for candidates in [[good, lost], [lost, good]] {
                assert!(matched(&keys, &block, "switch", &candidates).is_err());
            }
        }
        assert_eq!(matched(&keys, &block, "switch", &[]), Ok(vec![]));
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = keys();
        let block = keys
            .make_pin_block(&Pin::parse("0472013").unwrap(), &pan(), "switch", PinBlockFormat::Iso0)
            .unwrap();
        let shown = format!("{keys:?} {block:?}");
        assert!(shown.contains("switch") && !shown.contains("9, 9") && !shown.contains("0472013"), "{shown}");
    }

    proptest! {
        #[test]
        fn sealed_bytes_open_in_their_place_only(clear in proptest::collection::vec(any::<u8>(), 0..64), at in any::<usize>()) {
            let keys = keys();
            let place = Place { row: &[1; 16], column: "card.pan" };
            let sealed = keys.seal(place, &clear).unwrap();
            let opened = keys.open(place, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), clear.as_slice());
            for moved in [Place { row: &[2; 16], ..place }, Place { column: "card.phone", ..place }] {
                prop_assert!(keys.open(moved, &sealed).is_err());
            }
            let mut altered = sealed.clone();
            let at = at % altered.len();
            altered[at] ^= 1;
            prop_assert!(keys.open(place, &altered).is_err());
            prop_assert!(keys.open(place, &sealed[..at]).is_err());
        }
    }
}
