//! What a process would take from its surroundings, handed in instead: the time and randomness.
//!
//! Only the binary implements these over the system; tests move a clock by hand and replay a seed.

use crate::Moment;

/// The wall clock. Deadlines that decide about PINs read this; I/O time-outs do not.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Moment;

    /// Whether it shows the world's time: one that is moved on purpose is held against no other.
    fn is_the_worlds(&self) -> bool {
        true
    }
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`. An implementation that cannot must end the process rather than return weak bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// A fresh name that sorts by when it was made, a UUID of version 7 (RFC 9562): the milliseconds of `now`, then 74 random bits.
///
/// For what is found by its name in a store, and has to be no secret: names of one moment lie side by side in an index, where random
/// ones would each dirty a page of their own.
pub fn name_in_order(now: Moment, entropy: &dyn Entropy) -> [u8; 16] {
    uuid::Builder::from_unix_timestamp_millis(now.unix_ms(), &random_bytes(entropy)).into_uuid().into_bytes()
}

/// `N` fresh random bytes.
pub fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(u8);

    impl Entropy for Bytes {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    /// The example of RFC 9562, appendix A.6, has this time.
    #[test]
    fn a_name_in_order_is_a_uuid_of_version_7() {
        let at = |ms| name_in_order(Moment::from_unix_ms(ms), &Bytes(0xff));
        let name = at(0x017F_22E2_79B0);
        assert_eq!(
            name,
            [0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7f, 0xff, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
        );
        let none = name_in_order(Moment::from_unix_ms(0x017F_22E2_79B1), &Bytes(0));
        assert_eq!(none, [0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb1, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert!(name < none, "the later one sorts behind, whatever is random of it");
    }
}
