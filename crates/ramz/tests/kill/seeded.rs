//! Chance from a seed (SplitMix64). The seed is in every failure; `SEED=…` takes it again. What the machine does in
//! between is not ours to repeat.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A sequence that everybody draws from.
#[derive(Clone)]
pub(crate) struct Seeded {
    seed: u64,
    at: Arc<AtomicU64>,
}

impl Seeded {
    /// The seed of the environment, else a fixed one.
    pub(crate) fn from_environment() -> Seeded {
        let given = std::env::var("SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or(20_191_203);
        Seeded { seed, at: Arc::new(AtomicU64::new(seed)) }
    }

    fn next(&self) -> u64 {
        let mut z = self.at.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={}", self.seed)
    }
}
