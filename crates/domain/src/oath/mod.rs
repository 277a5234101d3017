//! Codes of OATH: HOTP (RFC 4226), TOTP (RFC 6238) and OCRA (RFC 6287), computed and nothing else.
//!
//! Keys, counters, times and questions are handed in; no clock, no randomness, no storage. Not here on purpose: how a
//! code is compared (in constant time, please), how many tries there are, which counters and time steps are used up.
//! The module knows nothing of the crate around it, so that it can be published on its own.

mod hotp;
mod mac;
mod ocra;
mod totp;

use std::fmt::Write as _;

use zeroize::Zeroizing;

pub use hotp::{DigitsError, hotp};
pub use ocra::{Asked, Input, InputError, Inputs, Keyed, Suite, SuiteError};
pub use totp::{Totp, TotpError};

/// The hash function under the HMAC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hash {
    /// SHA-1: what most tokens in the field have. HMAC does not need its collision resistance.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// How many bytes a hash has: 20, 32 or 64. A PIN's hash in OCRA has exactly so many.
    pub const fn bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }
}

/// The most characters a `u64` has.
const LONGEST: usize = 20;

/// A code as people see it: with its leading zeros, so many digits.
pub fn shown(value: u64, digits: u8) -> Zeroizing<String> {
    let width = usize::from(digits);
    // Never grows, so that no copy of a code is left behind.
    let mut text = Zeroizing::new(String::with_capacity(width.max(LONGEST)));
    // A String takes everything that is written to it.
    let _ = write!(text, "{value:0width$}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_shown() {
        assert_eq!(*shown(1_501_458, 8), "01501458");
        assert_eq!(*shown(0, 6), "000000");
        assert_eq!(*shown(u64::MAX, 4), "18446744073709551615");
        assert_eq!(*shown(7, u8::MAX), format!("{:0255}", 7));
    }

    #[test]
    fn a_hash_has_as_many_bytes_as_it_says() {
        use sha2::Digest as _;
        assert_eq!(sha1::Sha1::digest(b"").len(), Hash::Sha1.bytes());
        assert_eq!(sha2::Sha256::digest(b"").len(), Hash::Sha256.bytes());
        assert_eq!(sha2::Sha512::digest(b"").len(), Hash::Sha512.bytes());
    }
}
