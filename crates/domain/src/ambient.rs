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

/// `N` fresh random bytes.
pub fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
