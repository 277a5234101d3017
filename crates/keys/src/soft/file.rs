//! The key file: a ring sealed under a passphrase (Argon2id, RFC 9106; AES-256-GCM). Bytes in and out; where they are
//! kept is the binary's matter. The layout is in this crate's README.

use std::convert::Infallible;
use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use ramz_domain::Entropy;
use ramz_domain::ambient::random_bytes;
use zeroize::Zeroizing;

use super::ring::KeyRing;

/// Format 1 had no length; it never left the workshop.
const FORMAT: u8 = 2;
const SALT_AT: usize = 13;
const NONCE_AT: usize = 29;
const LENGTH_AT: usize = 41;
/// Format, three costs, salt, nonce, length of what follows.
const HEADER: usize = 45;
const TAG: usize = 16;
/// A file may ask for at most this much memory, so that an altered one cannot exhaust the machine: 1 GiB.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

/// What stretching a passphrase costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argon2Params {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Argon2Params {
    /// For real: 64 MiB, three passes (RFC 9106, second recommended option).
    pub const STRONG: Argon2Params = Argon2Params { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// For tests and the lab, where the passphrase lies beside the file: 64 KiB, one pass.
    pub const FOR_TESTS: Argon2Params = Argon2Params { memory_kib: 64, passes: 1, lanes: 1 };
}

/// Why bytes are no key file that this passphrase opens.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Shorter than its header says; how many bytes there are.
    #[error("the key file is cut off after {0} bytes: take it from a backup")]
    CutOff(usize),
    /// Longer than its header says; how many bytes there are.
    #[error("the key file has {0} bytes, more than it says: something was appended to it")]
    TooLong(usize),
    /// Written by a newer release, or not a key file at all.
    #[error("not a key file of this release (format {0})")]
    Format(u8),
    /// Costs outside what may be asked for.
    #[error("the key file asks for stretching costs outside the bounds: it was altered")]
    Costs,
    /// The passphrase is wrong, or the file was altered: the two cannot be told apart.
    #[error("the passphrase is wrong, or the key file was altered")]
    DoesNotOpen,
    /// An empty passphrase is a mistake: an empty file, a variable that is not set.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// It opens and is no ring.
    #[error("the key file opens, but what is in it is no key ring: {0}")]
    NoRing(String),
}

impl KeyRing {
    /// Seals the ring under a passphrase.
    ///
    /// # Errors
    /// [`KeyFileError::Costs`] if the costs are outside the bounds, [`KeyFileError::EmptyPassphrase`].
    pub fn seal(
        &self,
        passphrase: &[u8],
        params: Argon2Params,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, KeyFileError> {
        let no_ring = |error: &dyn fmt::Display| KeyFileError::NoRing(error.to_string());
        let mut length = Counter(0);
        minicbor::encode(self, &mut length).map_err(|error| no_ring(&error))?;
        let sealed_length = u32::try_from(length.0 + TAG).map_err(|error| no_ring(&error))?;
        // The whole room at once: a vector that grows would leave copies of keys behind.
        let mut file = Vec::with_capacity(HEADER + length.0 + TAG);
        file.push(FORMAT);
        for cost in [params.memory_kib, params.passes, params.lanes] {
            file.extend_from_slice(&cost.to_be_bytes());
        }
        file.extend_from_slice(&random_bytes::<{ NONCE_AT - SALT_AT }>(entropy));
        let nonce = random_bytes::<{ LENGTH_AT - NONCE_AT }>(entropy);
        file.extend_from_slice(&nonce);
        file.extend_from_slice(&sealed_length.to_be_bytes());
        let cipher = cipher(passphrase, params, &file[SALT_AT..NONCE_AT])?;
        minicbor::encode(self, &mut file).map_err(|error| no_ring(&error))?;
        let (header, clear) = file.split_at_mut(HEADER);
        let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), header, clear.into());
        file.extend_from_slice(&tag.map_err(|error| no_ring(&error))?);
        Ok(file)
    }

    /// Opens a key file.
    ///
    /// # Errors
    /// Each way a file can be wrong has its own.
    pub fn open(file: &[u8], passphrase: &[u8]) -> Result<KeyRing, KeyFileError> {
        if let Some(format) = file.first().filter(|format| **format != FORMAT) {
            return Err(KeyFileError::Format(*format));
        }
        let (header, sealed) = file.split_at_checked(HEADER).ok_or(KeyFileError::CutOff(file.len()))?;
        let number =
            |at: usize| header[at..at + 4].iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        let length = usize::try_from(number(LENGTH_AT)).unwrap_or(usize::MAX);
        if sealed.len() < length {
            return Err(KeyFileError::CutOff(file.len()));
        }
        if sealed.len() > length {
            return Err(KeyFileError::TooLong(file.len()));
        }
        let params = Argon2Params { memory_kib: number(1), passes: number(5), lanes: number(9) };
        let cipher = cipher(passphrase, params, &header[SALT_AT..NONCE_AT])?;
        let (clear, tag) = sealed.split_last_chunk::<TAG>().ok_or(KeyFileError::DoesNotOpen)?;
        let mut nonce = [0; LENGTH_AT - NONCE_AT];
        nonce.copy_from_slice(&header[NONCE_AT..LENGTH_AT]);
        let mut clear = Zeroizing::new(clear.to_vec());
        cipher
            .decrypt_inout_detached(
                &Nonce::from(nonce),
                header,
                clear.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| KeyFileError::DoesNotOpen)?;
        let ring: KeyRing =
            minicbor::decode(&clear).map_err(|error| KeyFileError::NoRing(error.to_string()))?;
        if ring.is_whole() {
            Ok(ring)
        } else {
            Err(KeyFileError::NoRing("a purpose has no key, or a key is none".into()))
        }
    }
}

/// Counts what is written to it.
struct Counter(usize);

impl minicbor::encode::Write for Counter {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        Ok(())
    }
}

fn cipher(passphrase: &[u8], params: Argon2Params, salt: &[u8]) -> Result<Aes256Gcm, KeyFileError> {
    if passphrase.is_empty() {
        return Err(KeyFileError::EmptyPassphrase);
    }
    let Argon2Params { memory_kib, passes, lanes } = params;
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(KeyFileError::Costs);
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| KeyFileError::Costs)?;
    // The working memory is ours, so that it is wiped: the key follows from its last blocks.
    let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, key.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| KeyFileError::Costs)?;
    Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| KeyFileError::Costs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::soft::tests::Counting;
    use crate::{Purpose, ZoneCipher, ZoneKey};

    const PASSPHRASE: &[u8] = b"open sesame";
    /// Of the group of P-256 (NIST SP 800-186, 3.2.1.3).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];

    fn ring() -> KeyRing {
        let entropy = Counting::default();
        let mut ring = KeyRing::generate(&entropy);
        ring.rotate(Purpose::Data, &entropy);
        ring.add_zone("host", ZoneKey::new(ZoneCipher::Aes, &[9; 32]).unwrap()).unwrap();
        ring
    }

    fn sealed() -> Vec<u8> {
        ring().seal(PASSPHRASE, Argon2Params::FOR_TESTS, &Counting::default()).unwrap()
    }

    fn error(file: &[u8]) -> KeyFileError {
        KeyRing::open(file, PASSPHRASE).unwrap_err()
    }

    #[test]
    fn a_ring_comes_back_under_its_passphrase_only() {
        let file = sealed();
        assert_eq!(KeyRing::open(&file, PASSPHRASE).unwrap().view(), ring().view());
        for wrong in [&b"open barley"[..], b"open sesame\n", b"x"] {
            assert_eq!(KeyRing::open(&file, wrong).unwrap_err(), KeyFileError::DoesNotOpen);
        }
    }

    #[test]
    fn an_empty_passphrase_is_a_mistake() {
        assert_eq!(KeyRing::open(&sealed(), b"").unwrap_err(), KeyFileError::EmptyPassphrase);
        let sealed = ring().seal(b"", Argon2Params::FOR_TESTS, &Counting::default());
        assert_eq!(sealed.unwrap_err(), KeyFileError::EmptyPassphrase);
    }

    #[test]
    fn the_strong_costs_open_again() {
        let file = ring().seal(PASSPHRASE, Argon2Params::STRONG, &Counting::default()).unwrap();
        assert_eq!(file[1..13], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
        assert_eq!(KeyRing::open(&file, PASSPHRASE).unwrap().view(), ring().view());
    }

    #[test]
    fn a_key_file_is_never_the_same_twice() {
        let entropy = Counting::default();
        let write = || ring().seal(PASSPHRASE, Argon2Params::FOR_TESTS, &entropy).unwrap();
        let (one, two) = (write(), write());
        assert_ne!(one[SALT_AT..NONCE_AT], two[SALT_AT..NONCE_AT]);
        assert_ne!(one[NONCE_AT..LENGTH_AT], two[NONCE_AT..LENGTH_AT]);
        assert_eq!(one.len(), one.capacity(), "the vector grew and left a copy of a key behind");
    }

    #[test]
    fn every_altered_byte_is_found() {
        let file = sealed();
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            let error = error(&altered);
            let as_expected = match at {
                0 => error == KeyFileError::Format(FORMAT ^ 1),
                1..SALT_AT => matches!(error, KeyFileError::Costs | KeyFileError::DoesNotOpen),
                LENGTH_AT..HEADER => matches!(error, KeyFileError::CutOff(_) | KeyFileError::TooLong(_)),
                _ => error == KeyFileError::DoesNotOpen,
            };
            assert!(as_expected, "byte {at}: {error}");
        }
    }

    #[test]
    fn a_cut_or_lengthened_file_says_so() {
        let file = sealed();
        for length in 0..file.len() {
            assert_eq!(error(&file[..length]), KeyFileError::CutOff(length));
        }
        assert_eq!(error(&[&file[..], b"\n"].concat()), KeyFileError::TooLong(file.len() + 1));
        assert_eq!(error(b"-----BEGIN"), KeyFileError::Format(b'-'));
    }

    #[test]
    fn a_ring_that_holds_no_sound_keys_is_refused() {
        // A purpose is missing; a key of 31 bytes; version 0; a TDEA zone key that is single DES.
        let key = |n: u8, version: u8, length: u8| {
            [&[n, 0xa1, version, 0x81, 0x58, length][..], &vec![7; usize::from(length)]].concat()
        };
        let check = |keys: &[Vec<u8>], zones: &[u8], whole: bool| {
            let head = [0x82, 0xa0 + u8::try_from(keys.len()).unwrap()];
            let ring: KeyRing = minicbor::decode(&[&head[..], &keys.concat(), zones].concat()).unwrap();
            let file = ring.seal(PASSPHRASE, Argon2Params::FOR_TESTS, &Counting::default()).unwrap();
            let opened = KeyRing::open(&file, PASSPHRASE).map(|_| ());
            let none = KeyFileError::NoRing("a purpose has no key, or a key is none".into());
            assert_eq!(opened, if whole { Ok(()) } else { Err(none) });
        };
        let all: Vec<_> = (0..4).map(|n| key(n, 1, 32)).collect();
        let zone = |key: &[u8]| [&[0xa1, 0x61, b'z', 0x82, 0x00, 0x50][..], key].concat();
        check(&all, &[0xa0], true);
        check(&all[..3], &[0xa0], false);
        // The receive key: one is sound, none is an older file, zero and the group's order are no scalars.
        let receive = |scalar: &[u8]| [&[4, 0xa1, 1, 0x81, 0x58, 32][..], scalar].concat();
        check(&[&all[..], &[key(4, 1, 32)]].concat(), &[0xa0], true);
        check(&[&all[..], &[vec![4, 0xa0]]].concat(), &[0xa0], false);
        check(&[&all[..], &[receive(&[0; 32])]].concat(), &[0xa0], false);
        check(&[&all[..], &[receive(&ORDER)]].concat(), &[0xa0], false);
        check(&[&all[..3], &[key(3, 1, 31)]].concat(), &[0xa0], false);
        check(&[&all[..3], &[key(3, 0, 32)]].concat(), &[0xa0], false);
        check(&all, &zone(b"01234567fedcba98"), true);
        check(&all, &zone(b"0123456701234567"), false);
    }

    #[test]
    fn altered_costs_cannot_exhaust_the_machine() {
        for at in [1, 5, 9] {
            let mut file = sealed();
            file[at] = 0xff;
            assert_eq!(error(&file), KeyFileError::Costs);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(tail: Vec<u8>) {
            prop_assert!(KeyRing::open(&tail, PASSPHRASE).is_err());
            // Under cheap costs, or a random one would take a minute; also with a length that fits.
            let mut file = [&sealed()[..SALT_AT], &tail[..]].concat();
            prop_assert!(KeyRing::open(&file, PASSPHRASE).is_err());
            if let Some(length) = file.len().checked_sub(HEADER) {
                let length = u32::try_from(length).unwrap();
                file[LENGTH_AT..HEADER].copy_from_slice(&length.to_be_bytes());
                prop_assert_eq!(error(&file), KeyFileError::DoesNotOpen);
            }
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let entropy = Counting::default();
        let ring = KeyRing::generate(&entropy);
        let shown = format!("{ring:?}");
        assert!(shown.contains("index") && !shown.contains("[0, 1, 2"), "{shown}");
    }
}
