//! The key file: a ring in an [`envelope`]. The layout is in this crate's README.

use std::convert::Infallible;
use std::fmt;

use ramz_domain::Entropy;
use zeroize::Zeroizing;

use super::ring::KeyRing;
use crate::envelope::{self, Argon2Params, EnvelopeError};

/// Format 1 had no length; it never left the workshop.
const FORMAT: u8 = 2;

/// Why bytes are no key file that this passphrase opens.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It does not open, or cannot be sealed. Said in one sentence: a cause would say it twice.
    #[error("the key file {0}")]
    Envelope(EnvelopeError),
    /// It opens and is no ring.
    #[error("the key file opens, but what is in it is no key ring: {0}")]
    NoRing(String),
}

impl KeyRing {
    /// Seals the ring under a passphrase.
    ///
    /// # Errors
    /// As [`envelope::seal`].
    pub fn seal(
        &self,
        passphrase: &[u8],
        params: Argon2Params,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, KeyFileError> {
        envelope::seal(FORMAT, &self.encoded()?, passphrase, params, entropy).map_err(KeyFileError::Envelope)
    }

    fn encoded(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let no_ring = |error: &dyn fmt::Display| KeyFileError::NoRing(error.to_string());
        let mut length = Counter(0);
        minicbor::encode(self, &mut length).map_err(|error| no_ring(&error))?;
        // The whole room at once: a vector that grows would leave copies of keys behind.
        let mut clear = Zeroizing::new(Vec::with_capacity(length.0));
        minicbor::encode(self, &mut *clear).map_err(|error| no_ring(&error))?;
        Ok(clear)
    }

    /// Opens a key file.
    ///
    /// # Errors
    /// Each way a file can be wrong has its own.
    pub fn open(file: &[u8], passphrase: &[u8]) -> Result<KeyRing, KeyFileError> {
        let clear = envelope::open(FORMAT, file, passphrase).map_err(KeyFileError::Envelope)?;
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

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_ring_comes_back_under_its_passphrase_only() {
        let file = sealed();
        assert_eq!(KeyRing::open(&file, PASSPHRASE).unwrap().view(), ring().view());
        let wrong = KeyRing::open(&file, b"open barley").unwrap_err();
        assert_eq!(wrong, KeyFileError::Envelope(EnvelopeError::DoesNotOpen));
        assert_eq!(
            wrong.to_string(),
            "the key file does not open: the passphrase is wrong, or the file was altered"
        );
    }

    #[test]
    fn no_copy_of_a_key_is_left_by_a_vector_that_grew() {
        let (clear, file) = (ring().encoded().unwrap(), sealed());
        assert_eq!((clear.len(), file.len()), (clear.capacity(), file.capacity()));
        assert_eq!(file.len(), 45 + clear.len() + 16);
    }

    #[test]
    fn a_file_of_another_kind_is_no_key_file() {
        let clear = ring().encoded().unwrap();
        let other =
            envelope::seal(3, &clear, PASSPHRASE, Argon2Params::FOR_TESTS, &Counting::default()).unwrap();
        let refused = KeyRing::open(&other, PASSPHRASE).unwrap_err();
        assert_eq!(refused, KeyFileError::Envelope(EnvelopeError::Format(3)));
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
    fn debug_shows_no_key() {
        let entropy = Counting::default();
        let ring = KeyRing::generate(&entropy);
        let shown = format!("{ring:?}");
        assert!(shown.contains("index") && !shown.contains("[0, 1, 2"), "{shown}");
    }
}
