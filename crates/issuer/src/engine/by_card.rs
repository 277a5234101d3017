//! Tables by card, in memory. A card's id is 128 random bits of our own, so nobody can choose ids that meet in one place: a hash that
//! holds off somebody who can is not needed here, and a payment looks into these tables two dozen times.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ramz_domain::CardId;

/// A map by card.
pub(super) type ByCard<V> = HashMap<CardId, V, HashesCards>;
/// Hashes card ids, and nothing that others may choose.
pub(super) type HashesCards = BuildHasherDefault<CardHash>;

/// The id's halves, mixed.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct CardHash(u64);

impl Hasher for CardHash {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let number = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            // Odd, so that no two numbers become one: the golden ratio's first bits, as Knuth has it.
            self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    /// An array's length says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use super::*;

    /// Also of ids that are anything but random.
    #[test]
    fn ids_are_spread() {
        let hash = |n: u128| HashesCards::default().hash_one(CardId(n.to_be_bytes()));
        for ids in [(0..4096).collect::<Vec<u128>>(), (0..4096).map(|n| n << 64).collect()] {
            let all: HashSet<u64> = ids.iter().map(|id| hash(*id)).collect();
            let low: HashSet<u64> = all.iter().map(|hash| hash % 4096).collect();
            let high: HashSet<u64> = all.iter().map(|hash| hash >> 57).collect();
            assert_eq!((all.len(), high.len()), (4096, 128));
            assert!(low.len() > 2000, "{} places", low.len());
        }
    }
}
