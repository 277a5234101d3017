//! A zone PIN key (ZPK): shared with one neighbour, for PIN blocks on one link.

use std::fmt;

use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::{TdesEde2, TdesEde3};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// Which cipher a zone's key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ZoneCipher {
    /// Triple DES with two or three keys: PIN block formats 0 and 3.
    #[n(0)]
    Tdea,
    /// AES: PIN block format 4.
    #[n(1)]
    Aes,
}

/// A zone PIN key. `Debug` shows nothing of it.
#[derive(Clone, Encode, Decode)]
pub struct ZoneKey {
    #[n(0)]
    cipher: ZoneCipher,
    #[cbor(n(1), encode_with = "encode_secret", decode_with = "decode_secret")]
    key: Zeroizing<Vec<u8>>,
}

/// Why bytes are no zone key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ZoneError {
    /// The length is not one of the cipher's.
    #[error("a TDEA key has 16 or 24 bytes, an AES key 16, 24 or 32; this one has {0}")]
    Length(usize),
    /// TDEA with equal neighbours is single DES; a weak part (NIST SP 800-67) is no encryption worth the name.
    #[error("this TDEA key is weak: two neighbouring parts are equal, or one is a weak DES key")]
    Weak,
}

impl ZoneKey {
    /// Takes a key's bytes. DES parity bits do not matter.
    pub fn new(cipher: ZoneCipher, key: &[u8]) -> Result<ZoneKey, ZoneError> {
        let fits = match cipher {
            ZoneCipher::Tdea => matches!(key.len(), 16 | 24),
            ZoneCipher::Aes => matches!(key.len(), 16 | 24 | 32),
        };
        if !fits {
            return Err(ZoneError::Length(key.len()));
        }
        if cipher == ZoneCipher::Tdea && is_weak(key) {
            return Err(ZoneError::Weak);
        }
        Ok(ZoneKey { cipher, key: Zeroizing::new(key.to_vec()) })
    }

    /// Whether it would be taken today: a key read from a file is looked at again.
    pub(super) fn is_sound(&self) -> bool {
        ZoneKey::new(self.cipher, &self.key).is_ok()
    }

    /// Which cipher it is for.
    pub fn cipher(&self) -> ZoneCipher {
        self.cipher
    }

    /// The key check value: the first three bytes of encrypted zeros. Tells two parties that they have the same key.
    pub fn check_value(&self) -> [u8; 3] {
        let (mut tdea, mut aes) = (Zeroizing::new([0; 8]), Zeroizing::new([0; 16]));
        let block = if self.tdea_encrypt(&mut tdea).is_some() {
            &tdea[..]
        } else {
            self.aes_encrypt(&mut aes);
            &aes[..]
        };
        [block[0], block[1], block[2]]
    }

    pub(crate) fn tdea_encrypt(&self, block: &mut [u8; 8]) -> Option<()> {
        match (self.cipher, self.key.len()) {
            (ZoneCipher::Tdea, 16) => encrypt::<TdesEde2>(&self.key, block),
            (ZoneCipher::Tdea, 24) => encrypt::<TdesEde3>(&self.key, block),
            _ => None,
        }
    }

    pub(crate) fn tdea_decrypt(&self, block: &mut [u8; 8]) -> Option<()> {
        match (self.cipher, self.key.len()) {
            (ZoneCipher::Tdea, 16) => decrypt::<TdesEde2>(&self.key, block),
            (ZoneCipher::Tdea, 24) => decrypt::<TdesEde3>(&self.key, block),
            _ => None,
        }
    }

    pub(crate) fn aes_encrypt(&self, block: &mut [u8; 16]) -> Option<()> {
        match (self.cipher, self.key.len()) {
            (ZoneCipher::Aes, 16) => encrypt::<Aes128>(&self.key, block),
            (ZoneCipher::Aes, 24) => encrypt::<Aes192>(&self.key, block),
            (ZoneCipher::Aes, 32) => encrypt::<Aes256>(&self.key, block),
            _ => None,
        }
    }

    pub(crate) fn aes_decrypt(&self, block: &mut [u8; 16]) -> Option<()> {
        match (self.cipher, self.key.len()) {
            (ZoneCipher::Aes, 16) => decrypt::<Aes128>(&self.key, block),
            (ZoneCipher::Aes, 24) => decrypt::<Aes192>(&self.key, block),
            (ZoneCipher::Aes, 32) => decrypt::<Aes256>(&self.key, block),
            _ => None,
        }
    }
}

/// Looks at the 56 bits of each part that DES uses: the lowest bit of a byte is set to odd parity first.
fn is_weak(key: &[u8]) -> bool {
    let odd = |b: &u8| b & 0xfe | u8::from((b & 0xfe).count_ones().is_multiple_of(2));
    let key: Zeroizing<Vec<u8>> = Zeroizing::new(key.iter().map(odd).collect());
    // Neighbouring parts: K1 = K2 or K2 = K3 cancels out. K1 = K3 is two-key TDEA.
    let cancels_out = key.chunks_exact(8).zip(key.chunks_exact(8).skip(1)).any(|(a, b)| a == b);
    cancels_out || key.chunks_exact(8).any(|part| des::weak_key_test(part).is_err())
}

fn encrypt<C: KeyInit + BlockCipherEncrypt>(key: &[u8], block: &mut [u8]) -> Option<()> {
    let cipher = C::new_from_slice(key).ok()?;
    let block: &mut Block<C> = block.try_into().ok()?;
    cipher.encrypt_block(block);
    Some(())
}

fn decrypt<C: KeyInit + BlockCipherDecrypt>(key: &[u8], block: &mut [u8]) -> Option<()> {
    let cipher = C::new_from_slice(key).ok()?;
    let block: &mut Block<C> = block.try_into().ok()?;
    cipher.decrypt_block(block);
    Some(())
}

impl fmt::Debug for ZoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneKey({:?}, …)", self.cipher)
    }
}

/// Secret bytes as a CBOR byte string.
pub(super) fn encode_secret<C, W: minicbor::encode::Write>(
    secret: &Zeroizing<Vec<u8>>,
    e: &mut minicbor::Encoder<W>,
    _: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    e.bytes(secret)?.ok()
}

/// Reads them back, into memory that is wiped.
pub(super) fn decode_secret<C>(
    d: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Zeroizing<Vec<u8>>, minicbor::decode::Error> {
    Ok(Zeroizing::new(d.bytes()?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_and_strong_keys_are_taken() {
        let check = |cipher, key: &[u8]| ZoneKey::new(cipher, key).map(|_| ());
        let distinct: Vec<u8> = (0..24).map(|n| n * 2 + 2).collect();
        assert_eq!(check(ZoneCipher::Tdea, &distinct[..16]), Ok(()));
        assert_eq!(check(ZoneCipher::Tdea, &distinct), Ok(()));
        assert_eq!(check(ZoneCipher::Tdea, &distinct[..8]), Err(ZoneError::Length(8)));
        assert_eq!(check(ZoneCipher::Tdea, &[3; 16]), Err(ZoneError::Weak));
        let same_but_parity = [[2u8; 8], [3u8; 8]].concat();
        assert_eq!(check(ZoneCipher::Tdea, &same_but_parity), Err(ZoneError::Weak));
        for weak in [
            "0000000000000000",
            "0101010101010101",
            "fefefefefefefefe",
            "01fe01fe01fe01fe",
            "e0fee0fef1fef1fe",
        ] {
            let weak = hex::decode(weak).unwrap();
            assert_eq!(check(ZoneCipher::Tdea, &[&distinct[..8], &weak].concat()), Err(ZoneError::Weak));
            assert_eq!(check(ZoneCipher::Tdea, &[&weak, &distinct[..16]].concat()), Err(ZoneError::Weak));
        }
        let last_equal = [&distinct[..8], &distinct[8..16], &distinct[8..16]].concat();
        assert_eq!(check(ZoneCipher::Tdea, &last_equal), Err(ZoneError::Weak));
        let two_key = [&distinct[..16], &distinct[..8]].concat();
        assert_eq!(check(ZoneCipher::Tdea, &two_key), Ok(()));
        assert_eq!(check(ZoneCipher::Aes, &[3; 32]), Ok(()));
        assert_eq!(check(ZoneCipher::Aes, &[3; 31]), Err(ZoneError::Length(31)));
    }

    #[test]
    fn debug_shows_the_cipher_only() {
        let key = ZoneKey::new(ZoneCipher::Aes, &[3; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "ZoneKey(Aes, …)");
    }

    #[test]
    fn the_check_value_is_that_of_encrypted_zeros() {
        // FIPS 197's and NIST's all-zero keys are weak examples; this AES-128 value is from NIST SP 800-38B (L of the
        // key 2b7e…4f3c: 7df76b…).
        let key =
            [0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c];
        assert_eq!(ZoneKey::new(ZoneCipher::Aes, &key).unwrap().check_value(), [0x7d, 0xf7, 0x6b]);
    }
}
