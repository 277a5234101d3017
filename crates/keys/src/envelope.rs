//! A file sealed under a passphrase (Argon2id, RFC 9106; AES-256-GCM). Bytes in and out: where they are kept is the
//! binary's matter, and what is in them is that of who seals. The first byte says which kind of file it is, and is bound with the rest of
//! the header. The layout is in this crate's README.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use ramz_domain::Entropy;
use ramz_domain::ambient::random_bytes;
use zeroize::Zeroizing;

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

/// Why bytes are no file of the kind that this passphrase opens. The texts go on from what the file is: "the key file …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Shorter than its header says; how many bytes there are.
    #[error("is cut off after {0} bytes: take it from a backup")]
    CutOff(usize),
    /// Longer than its header says; how many bytes there are.
    #[error("has {0} bytes, more than it says: something was appended to it")]
    TooLong(usize),
    /// Written by a newer release, or another kind of file.
    #[error("is none of this release (format {0}): another file was named, or a newer release wrote it")]
    Format(u8),
    /// Costs outside what may be asked for.
    #[error("asks for stretching costs outside the bounds: it was altered")]
    Costs,
    /// The passphrase is wrong, or the file was altered: the two cannot be told apart.
    #[error("does not open: the passphrase is wrong, or the file was altered")]
    DoesNotOpen,
    /// An empty passphrase is a mistake: an empty file, a variable that is not set.
    #[error("needs a passphrase, and the one given is empty")]
    EmptyPassphrase,
    /// More than a length of four bytes says.
    #[error("cannot hold {0} bytes: that is too much")]
    TooMuch(usize),
}

/// Seals bytes under a passphrase, as a file of this format. No copy of the clear bytes is left behind.
///
/// # Errors
/// [`EnvelopeError::Costs`] if the costs are outside the bounds, [`EnvelopeError::EmptyPassphrase`],
/// [`EnvelopeError::TooMuch`] from 4 GiB.
pub fn seal(
    format: u8,
    clear: &[u8],
    passphrase: &[u8],
    params: Argon2Params,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, EnvelopeError> {
    let too_much = || EnvelopeError::TooMuch(clear.len());
    let sealed_length = u32::try_from(clear.len() + TAG).map_err(|_| too_much())?;
    // The whole room at once: a vector that grows would leave copies behind.
    let mut file = Vec::with_capacity(HEADER + clear.len() + TAG);
    file.push(format);
    for cost in [params.memory_kib, params.passes, params.lanes] {
        file.extend_from_slice(&cost.to_be_bytes());
    }
    file.extend_from_slice(&random_bytes::<{ NONCE_AT - SALT_AT }>(entropy));
    let nonce = random_bytes::<{ LENGTH_AT - NONCE_AT }>(entropy);
    file.extend_from_slice(&nonce);
    file.extend_from_slice(&sealed_length.to_be_bytes());
    let cipher = cipher(passphrase, params, &file[SALT_AT..NONCE_AT])?;
    file.extend_from_slice(clear);
    let (header, clear) = file.split_at_mut(HEADER);
    let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), header, clear.into());
    file.extend_from_slice(&tag.map_err(|_| too_much())?);
    Ok(file)
}

/// Opens a file of this format.
///
/// # Errors
/// Each way a file can be wrong has its own.
pub fn open(format: u8, file: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if let Some(found) = file.first().filter(|found| **found != format) {
        return Err(EnvelopeError::Format(*found));
    }
    let (header, sealed) = file.split_at_checked(HEADER).ok_or(EnvelopeError::CutOff(file.len()))?;
    let number = |at: usize| header[at..at + 4].iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    let length = usize::try_from(number(LENGTH_AT)).unwrap_or(usize::MAX);
    if sealed.len() < length {
        return Err(EnvelopeError::CutOff(file.len()));
    }
    if sealed.len() > length {
        return Err(EnvelopeError::TooLong(file.len()));
    }
    let params = Argon2Params { memory_kib: number(1), passes: number(5), lanes: number(9) };
    let cipher = cipher(passphrase, params, &header[SALT_AT..NONCE_AT])?;
    let (clear, tag) = sealed.split_last_chunk::<TAG>().ok_or(EnvelopeError::DoesNotOpen)?;
    let mut nonce = [0; LENGTH_AT - NONCE_AT];
    nonce.copy_from_slice(&header[NONCE_AT..LENGTH_AT]);
    let mut clear = Zeroizing::new(clear.to_vec());
    cipher
        .decrypt_inout_detached(&Nonce::from(nonce), header, clear.as_mut_slice().into(), &Tag::from(*tag))
        .map_err(|_| EnvelopeError::DoesNotOpen)?;
    Ok(clear)
}

fn cipher(passphrase: &[u8], params: Argon2Params, salt: &[u8]) -> Result<Aes256Gcm, EnvelopeError> {
    if passphrase.is_empty() {
        return Err(EnvelopeError::EmptyPassphrase);
    }
    let Argon2Params { memory_kib, passes, lanes } = params;
    if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(EnvelopeError::Costs);
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| EnvelopeError::Costs)?;
    // The working memory is ours, so that it is wiped: the key follows from its last blocks.
    let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, key.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| EnvelopeError::Costs)?;
    Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| EnvelopeError::Costs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::soft::tests::Counting;

    const PASSPHRASE: &[u8] = b"open sesame";
    const FORMAT: u8 = 7;

    fn sealed() -> Vec<u8> {
        seal(FORMAT, b"clear", PASSPHRASE, Argon2Params::FOR_TESTS, &Counting::default()).unwrap()
    }

    fn error(file: &[u8]) -> EnvelopeError {
        open(FORMAT, file, PASSPHRASE).unwrap_err()
    }

    #[test]
    fn bytes_come_back_under_their_passphrase_only() {
        let file = sealed();
        assert_eq!(open(FORMAT, &file, PASSPHRASE).unwrap().as_slice(), b"clear");
        for wrong in [&b"open barley"[..], b"open sesame\n", b"x"] {
            assert_eq!(open(FORMAT, &file, wrong).unwrap_err(), EnvelopeError::DoesNotOpen);
        }
    }

    #[test]
    fn an_empty_passphrase_is_a_mistake() {
        assert_eq!(open(FORMAT, &sealed(), b"").unwrap_err(), EnvelopeError::EmptyPassphrase);
        let sealed = seal(FORMAT, b"clear", b"", Argon2Params::FOR_TESTS, &Counting::default());
        assert_eq!(sealed.unwrap_err(), EnvelopeError::EmptyPassphrase);
    }

    #[test]
    fn the_strong_costs_open_again() {
        let file = seal(FORMAT, b"", PASSPHRASE, Argon2Params::STRONG, &Counting::default()).unwrap();
        assert_eq!(file[1..13], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
        assert!(open(FORMAT, &file, PASSPHRASE).unwrap().is_empty());
    }

    #[test]
    fn a_file_is_never_the_same_twice() {
        let entropy = Counting::default();
        let write = || seal(FORMAT, b"clear", PASSPHRASE, Argon2Params::FOR_TESTS, &entropy).unwrap();
        let (one, two) = (write(), write());
        assert_ne!(one[SALT_AT..NONCE_AT], two[SALT_AT..NONCE_AT]);
        assert_ne!(one[NONCE_AT..LENGTH_AT], two[NONCE_AT..LENGTH_AT]);
        assert_eq!(one.len(), one.capacity(), "the vector grew and left a copy of the clear bytes behind");
    }

    /// Also by a passphrase that is right: the format is bound like every other byte of the header.
    #[test]
    fn a_file_of_another_kind_does_not_open() {
        let mut file = sealed();
        assert_eq!(open(FORMAT + 1, &file, PASSPHRASE).unwrap_err(), EnvelopeError::Format(FORMAT));
        file[0] = FORMAT + 1;
        assert_eq!(open(FORMAT + 1, &file, PASSPHRASE).unwrap_err(), EnvelopeError::DoesNotOpen);
    }

    #[test]
    fn every_altered_byte_is_found() {
        let file = sealed();
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            let error = error(&altered);
            let as_expected = match at {
                0 => error == EnvelopeError::Format(FORMAT ^ 1),
                1..SALT_AT => matches!(error, EnvelopeError::Costs | EnvelopeError::DoesNotOpen),
                LENGTH_AT..HEADER => matches!(error, EnvelopeError::CutOff(_) | EnvelopeError::TooLong(_)),
                _ => error == EnvelopeError::DoesNotOpen,
            };
            assert!(as_expected, "byte {at}: {error}");
        }
    }

    #[test]
    fn a_cut_or_lengthened_file_says_so() {
        let file = sealed();
        for length in 0..file.len() {
            assert_eq!(error(&file[..length]), EnvelopeError::CutOff(length));
        }
        assert_eq!(error(&[&file[..], b"\n"].concat()), EnvelopeError::TooLong(file.len() + 1));
        assert_eq!(error(b"-----BEGIN"), EnvelopeError::Format(b'-'));
    }

    #[test]
    fn altered_costs_cannot_exhaust_the_machine() {
        for at in [1, 5, 9] {
            let mut file = sealed();
            file[at] = 0xff;
            assert_eq!(error(&file), EnvelopeError::Costs);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(tail: Vec<u8>) {
            prop_assert!(open(FORMAT, &tail, PASSPHRASE).is_err());
            // Under cheap costs, or a random one would take a minute; also with a length that fits.
            let mut file = [&sealed()[..SALT_AT], &tail[..]].concat();
            prop_assert!(open(FORMAT, &file, PASSPHRASE).is_err());
            if let Some(length) = file.len().checked_sub(HEADER) {
                let length = u32::try_from(length).unwrap();
                file[LENGTH_AT..HEADER].copy_from_slice(&length.to_be_bytes());
                prop_assert_eq!(error(&file), EnvelopeError::DoesNotOpen);
            }
        }
    }
}
