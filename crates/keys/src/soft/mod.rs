//! Keys in memory, from a file sealed under a passphrase.

mod codes;
mod file;
mod ring;
mod seeds;
mod verbs;
mod zone;

pub use file::KeyFileError;
pub use ring::{KeyRing, Purpose, RingView};
pub use verbs::SoftKeys;
pub use zone::{ZoneCipher, ZoneError, ZoneKey};

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use ramz_domain::Entropy;

    /// Bytes that count up: different each time, the same in every run.
    #[derive(Default)]
    pub(crate) struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
        }
    }
}
