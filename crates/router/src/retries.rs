//! The retry budget of one bank: requests earn retries, so that in an outage retries do not multiply the load.

use std::sync::{Mutex, PoisonError};

use ramz_domain::limits;

/// What is saved up, in requests: [`limits::REQUESTS_PER_RETRY`] pay for one retry.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<u32>);

const FULL: u32 = limits::RETRIES_SAVED_MAX * limits::REQUESTS_PER_RETRY;

impl Budget {
    /// Full: the first restart of a bank finds it saved up.
    pub(crate) fn full() -> Budget {
        Budget(Mutex::new(FULL))
    }

    /// A request was sent.
    pub(crate) fn earn(&self) {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = (*saved + 1).min(FULL);
    }

    /// Pays for a retry, if there is enough.
    pub(crate) fn pay(&self) -> bool {
        let mut saved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = saved.checked_sub(limits::REQUESTS_PER_RETRY);
        *saved = left.unwrap_or(*saved);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_tenth_of_the_requests_once_the_savings_are_gone() {
        let budget = Budget::full();
        let paid = |requests: u32| {
            (0..requests)
                .filter(|_| {
                    budget.earn();
                    budget.pay()
                })
                .count()
        };
        assert_eq!(paid(1000), 109, "ten saved up, and a tenth of a thousand");
        assert_eq!(paid(1000), 100);
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!((0..100).filter(|_| budget.pay()).count(), 10, "no more is saved up than so many");
    }
}
