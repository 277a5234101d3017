//! Wrong PINs in a row, and the locks that follow. A card has a count for each use of a PIN: who guesses at one slot neither locks the
//! other nor finds more tries there.

use minicbor::{Decode, Encode};

use super::{CardState, Entry, Policy, Purpose};
use crate::{Moment, limits};

/// Consecutive wrong PINs and what follows from them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub(super) struct Tries {
    #[n(0)]
    pub(super) failures: u32,
    #[n(1)]
    pub(super) locked_until: Option<Moment>,
    #[n(2)]
    pub(super) locks: u32,
    /// How often the count began anew.
    #[n(3)]
    #[cbor(default)]
    pub(super) count: u32,
}

impl Tries {
    pub(super) fn forget(&mut self) {
        *self = Tries { count: self.count.wrapping_add(1), ..Tries::default() };
    }

    /// One failure more; the lock that follows from it, if one does.
    pub(super) fn fail(&mut self, policy: &Policy, now: Moment) -> Option<Moment> {
        self.failures += 1;
        if self.failures < policy.failures_until_locked {
            return None;
        }
        let until = now.plus(policy.lock_length(self.locks));
        self.locks += 1;
        self.locked_until = Some(until);
        Some(until)
    }

    /// As many failures as any policy allows: a later, more lenient policy must not unlock the card.
    pub(super) fn lock(&mut self) {
        self.failures = self.failures.max(limits::FAILURES_MAX);
        self.count = self.count.wrapping_add(1);
    }

    /// Locked at that instant: until when, or for good (`Some(None)`).
    pub(super) fn locked(&self, policy: &Policy, now: Moment) -> Option<Option<Moment>> {
        if self.failures >= policy.failures_until_closed {
            return Some(None);
        }
        self.locked_until.filter(|until| *until > now).map(Some)
    }

    /// The lock that is in force now.
    pub(super) fn locked_entry(&self, policy: &Policy) -> Entry {
        let for_good = self.failures >= policy.failures_until_closed;
        Entry::Locked { until: self.locked_until.filter(|_| !for_good) }
    }
}

impl CardState {
    pub(super) fn tries_of(&self, purpose: Purpose) -> &Tries {
        match purpose {
            Purpose::FirstPin => &self.first_tries,
            Purpose::SecondPin => &self.tries,
            Purpose::Control => &self.control_tries,
        }
    }

    pub(super) fn tries_of_mut(&mut self, purpose: Purpose) -> &mut Tries {
        match purpose {
            Purpose::FirstPin => &mut self.first_tries,
            Purpose::SecondPin => &mut self.tries,
            Purpose::Control => &mut self.control_tries,
        }
    }

    /// Wrong PINs in a row that were presented for a purpose.
    pub fn failures_of(&self, purpose: Purpose) -> u32 {
        self.tries_of(purpose).failures
    }

    /// Locked for a purpose at that instant: until when, or for good (`Some(None)`).
    pub fn locked_for(&self, purpose: Purpose, policy: &Policy, now: Moment) -> Option<Option<Moment>> {
        self.tries_of(purpose).locked(policy, now)
    }
}
