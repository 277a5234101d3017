//! HOTP: a code for each value of a counter (RFC 4226).

use super::Hash;
use super::mac::Mac;

/// Why a code cannot have so many digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an HOTP or TOTP code has 6 to 9 digits, not {0}")]
pub struct DigitsError(
    /// How many were asked for.
    pub u8,
);

/// The code of a counter's value, already modulo 10^digits ([`shown`](super::shown) adds its zeros).
///
/// `digits` is 6 to 9: fewer are too easily guessed (RFC 4226, 5.3 and requirement R4), and more are not in the 31 bits
/// that a code is cut from: the tenth digit would be 0, 1 or 2 (erratum 5792). The key should have 128 bits or more (R6);
/// that is for whoever makes it, and not checked here.
///
/// # Errors
/// [`DigitsError`] if `digits` is not 6 to 9.
pub fn hotp(key: &[u8], counter: u64, digits: u8) -> Result<u64, DigitsError> {
    counted(Hash::Sha1, key, counter, digits)
}

/// HOTP with any hash, as TOTP has it (RFC 6238, 1.2).
pub(super) fn counted(hash: Hash, key: &[u8], counter: u64, digits: u8) -> Result<u64, DigitsError> {
    if !(6..=9).contains(&digits) {
        return Err(DigitsError(digits));
    }
    let mut mac = Mac::new(hash, key);
    mac.absorb(&counter.to_be_bytes());
    Ok(mac.code(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_to_nine_digits() {
        let key = b"12345678901234567890";
        // RFC 4226, appendix D: counter 0 is 1284755224 in decimal.
        for (digits, expect) in [(6, 755_224), (7, 4_755_224), (8, 84_755_224), (9, 284_755_224)] {
            assert_eq!(hotp(key, 0, digits), Ok(expect));
        }
        for digits in [0, 5, 10, u8::MAX] {
            assert_eq!(hotp(key, 0, digits), Err(DigitsError(digits)));
        }
    }
}
