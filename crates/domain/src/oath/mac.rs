//! HMAC over one of three hash functions, and what is cut out of it (RFC 4226, 5.3).
//!
//! States are on the stack and wipe themselves: the crates below are built with `zeroize`.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroize;

use super::Hash;

/// An HMAC that is being computed. A clone goes on from where this one is.
#[derive(Clone)]
pub(super) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

const ANY_LENGTH: &str = "HMAC takes a key of any length";

impl Mac {
    pub(super) fn new(hash: Hash, key: &[u8]) -> Mac {
        match hash {
            Hash::Sha1 => Mac::Sha1(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Hash::Sha256 => Mac::Sha256(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Hash::Sha512 => Mac::Sha512(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
        }
    }

    pub(super) fn absorb(&mut self, bytes: &[u8]) {
        match self {
            Mac::Sha1(mac) => mac.update(bytes),
            Mac::Sha256(mac) => mac.update(bytes),
            Mac::Sha512(mac) => mac.update(bytes),
        }
    }

    /// The code: dynamic truncation, modulo 10^digits.
    pub(super) fn code(self, digits: u8) -> u64 {
        let binary = match self {
            Mac::Sha1(mac) => truncated(&mut mac.finalize().into_bytes()),
            Mac::Sha256(mac) => truncated(&mut mac.finalize().into_bytes()),
            Mac::Sha512(mac) => truncated(&mut mac.finalize().into_bytes()),
        };
        // At most ten digits are ever asked for: the callers check.
        u64::from(binary) % 10u64.pow(u32::from(digits))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(…)")
    }
}

/// 31 bits from where the low half of the last byte says. The *last* byte: RFC 4226 says byte 19, which is the same for
/// SHA-1 only (erratum 6756). 15 + 4 bytes are in every hash here.
fn truncated(mac: &mut [u8]) -> u32 {
    let offset = mac.last().map_or(0, |last| usize::from(last & 0x0F));
    let binary = mac[offset..offset + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    mac.zeroize();
    binary & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests {
    use hmac::block_api::HmacCore;
    use hmac::digest::block_api::Buffer;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    #[test]
    fn truncation_is_the_rfcs_example() {
        // RFC 4226, 5.4.
        let mut mac = [
            0x1f, 0x86, 0x98, 0x69, 0x0e, 0x02, 0xca, 0x16, 0x61, 0x85, 0x50, 0xef, 0x7f, 0x19, 0xda, 0x8e,
            0x94, 0x5b, 0x55, 0x5a,
        ];
        assert_eq!(truncated(&mut mac), 0x50ef_7f19);
        assert_eq!(mac, [0; 20], "wiped");
    }

    #[test]
    fn the_sign_bit_is_cut_off_and_the_last_offset_is_inside() {
        let mut mac = [0xFF; 20];
        assert_eq!(truncated(&mut mac), 0x7FFF_FFFF);
    }

    /// Compiles only with the hashes' own `zeroize`. An HMAC is two states of the hash and one buffer.
    #[test]
    fn states_wipe_themselves() {
        fn held<D: hmac::EagerHash>()
        where
            D::Core: ZeroizeOnDrop,
            Buffer<HmacCore<D>>: ZeroizeOnDrop,
        {
        }
        held::<Sha1>();
        held::<Sha256>();
        held::<Sha512>();
    }

    #[test]
    fn debug_shows_nothing_of_the_state() {
        assert_eq!(format!("{:?}", Mac::new(Hash::Sha256, b"key")), "Mac(…)");
    }
}
