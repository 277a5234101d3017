//! The key file: a ring sealed under a passphrase. Bytes in and out; where they are kept is the binary's matter.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use ramz_domain::Entropy;
use ramz_domain::ambient::random_bytes;
use zeroize::Zeroizing;

use super::ring::KeyRing;

const FORMAT: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
/// Format, three costs, salt, nonce.
const HEADER: usize = 1 + 12 + SALT + NONCE;
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
    /// Too short.
    #[error("the key file is cut off: {0} bytes")]
    CutOff(usize),
    /// Written by a newer release, or not a key file at all.
    #[error("not a key file of this release (format {0})")]
    Format(u8),
    /// Costs outside what may be asked for.
    #[error("the key file asks for stretching costs outside the bounds: it was altered")]
    Costs,
    /// The passphrase is wrong, or the file was altered: the two cannot be told apart.
    #[error("the passphrase is wrong, or the key file was altered")]
    DoesNotOpen,
    /// It opens and is no ring.
    #[error("the key file opens, but what is in it is no key ring: {0}")]
    NoRing(String),
}

impl KeyRing {
    /// Seals the ring under a passphrase.
    ///
    /// # Errors
    /// [`KeyFileError::Costs`] if the costs are outside the bounds.
    pub fn seal(
        &self,
        passphrase: &[u8],
        params: Argon2Params,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, KeyFileError> {
        let mut file = Vec::with_capacity(1024);
        file.push(FORMAT);
        for cost in [params.memory_kib, params.passes, params.lanes] {
            file.extend_from_slice(&cost.to_be_bytes());
        }
        file.extend_from_slice(&random_bytes::<SALT>(entropy));
        file.extend_from_slice(&random_bytes::<NONCE>(entropy));
        let cipher = cipher(passphrase, params, &file[13..13 + SALT])?;
        let mut clear = Zeroizing::new(Vec::with_capacity(16 * 1024));
        minicbor::encode(self, &mut *clear).map_err(|error| KeyFileError::NoRing(error.to_string()))?;
        let nonce = nonce(&file[13 + SALT..HEADER])?;
        let sealed = cipher
            .encrypt(&nonce, Payload { msg: &clear, aad: &file })
            .map_err(|_| KeyFileError::DoesNotOpen)?;
        file.extend_from_slice(&sealed);
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
        if file.len() <= HEADER {
            return Err(KeyFileError::CutOff(file.len()));
        }
        let (header, sealed) = file.split_at(HEADER);
        let cost = |at: usize| header[at..at + 4].iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
        let params = Argon2Params { memory_kib: cost(1), passes: cost(5), lanes: cost(9) };
        let cipher = cipher(passphrase, params, &header[13..13 + SALT])?;
        let nonce = nonce(&header[13 + SALT..])?;
        let clear = cipher.decrypt(&nonce, Payload { msg: sealed, aad: header });
        let clear = Zeroizing::new(clear.map_err(|_| KeyFileError::DoesNotOpen)?);
        let ring: KeyRing =
            minicbor::decode(&clear).map_err(|error| KeyFileError::NoRing(error.to_string()))?;
        if ring.is_whole() { Ok(ring) } else { Err(KeyFileError::NoRing("a purpose has no key".into())) }
    }
}

fn cipher(passphrase: &[u8], params: Argon2Params, salt: &[u8]) -> Result<Aes256Gcm, KeyFileError> {
    let Argon2Params { memory_kib, passes, lanes } = params;
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(KeyFileError::Costs);
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| KeyFileError::Costs)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .map_err(|_| KeyFileError::Costs)?;
    Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| KeyFileError::Costs)
}

fn nonce(bytes: &[u8]) -> Result<Nonce<aes_gcm::aead::consts::U12>, KeyFileError> {
    Nonce::try_from(bytes).map_err(|_| KeyFileError::CutOff(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soft::tests::Counting;

    fn sealed() -> Vec<u8> {
        let entropy = Counting::default();
        KeyRing::generate(&entropy).seal(b"open sesame", Argon2Params::FOR_TESTS, &entropy).unwrap()
    }

    #[test]
    fn a_ring_comes_back_under_its_passphrase_only() {
        let file = sealed();
        assert_eq!(KeyRing::open(&file, b"open sesame").unwrap().view().purposes.len(), 4);
        assert_eq!(KeyRing::open(&file, b"open barley").unwrap_err(), KeyFileError::DoesNotOpen);
    }

    #[test]
    fn every_altered_or_missing_byte_is_found() {
        let file = sealed();
        for at in (0..file.len()).filter(|at| !(1..13).contains(at)) {
            let mut altered = file.clone();
            altered[at] ^= 1;
            assert!(KeyRing::open(&altered, b"open sesame").is_err(), "byte {at}");
        }
        for length in 0..file.len() {
            assert!(KeyRing::open(&file[..length], b"open sesame").is_err(), "{length} bytes");
        }
    }

    #[test]
    fn altered_costs_cannot_exhaust_the_machine() {
        let mut file = sealed();
        file[1] = 0xff;
        assert_eq!(KeyRing::open(&file, b"open sesame").unwrap_err(), KeyFileError::Costs);
    }

    #[test]
    fn debug_shows_no_key() {
        let entropy = Counting::default();
        let ring = KeyRing::generate(&entropy);
        let shown = format!("{ring:?}");
        assert!(shown.contains("index") && !shown.contains("[0, 1, 2"), "{shown}");
    }
}
