//! The wall clock, and the lab's, which can be moved forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ramz_domain::{Clock, Moment};

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment::default().plus(since)
    }
}

/// The system's clock plus what the lab has been advanced by.
#[derive(Debug, Default)]
pub(crate) struct LabClock {
    advanced_ms: AtomicU64,
}

impl LabClock {
    /// Moves wall time forward; I/O time-outs and TLS stay real.
    pub(crate) fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(0);
        self.advanced_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for LabClock {
    fn now(&self) -> Moment {
        SystemClock.now().plus(Duration::from_millis(self.advanced_ms.load(Ordering::SeqCst)))
    }

    fn is_the_worlds(&self) -> bool {
        self.advanced_ms.load(Ordering::SeqCst) == 0
    }
}
