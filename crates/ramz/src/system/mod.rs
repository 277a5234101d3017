//! The surroundings, for real: the system's clock and randomness, TCP and TLS. Only this binary touches them.

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod log;
pub(crate) mod tcp;
pub(crate) mod tls;

use ramz_domain::Entropy;

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place where randomness comes from")]
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Weak bytes would be worse than no service.
            std::process::abort();
        }
    }
}
