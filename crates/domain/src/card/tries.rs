//! Wrong PINs in a row, and the locks that follow. A card has a count for each use of a PIN: who guesses at one slot neither locks the
//! other nor finds more tries there.

use minicbor::{Decode, Encode};

use super::{CardState, Entry, Policy, Purpose};
use crate::{Moment, limits};

/// Wrong PINs in a row that may be counted and set no lock, whatever the policy is or was: [`Policy::check`] lets the fifth lock at the latest.
const UNLOCKED_FAILURES_MAX: u32 = 4;

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

    /// What was guessed locks with each failure from the fifth on, and the bank's lock is failures alone. A card that somebody had guessed at
    /// sixteen times before is taken for locked by guesses: it would have been for good soon.
    fn locked_by_bank(&self) -> bool {
        self.failures.saturating_sub(self.locks) > UNLOCKED_FAILURES_MAX
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

    /// Wrong PINs in a row that were presented for a purpose; as many as lock it for good while the bank's lock lasts.
    pub fn failures_of(&self, purpose: Purpose) -> u32 {
        self.tries_of(purpose).failures
    }

    /// Locked for a purpose at that instant: until when, or for good (`Some(None)`).
    pub fn locked_for(&self, purpose: Purpose, policy: &Policy, now: Moment) -> Option<Option<Moment>> {
        self.tries_of(purpose).locked(policy, now)
    }
    /// Locked for a purpose by the bank, and not by guesses.
    pub fn locked_by_bank(&self, purpose: Purpose) -> bool {
        self.tries_of(purpose).locked_by_bank()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(failures_until_locked: u32) -> Policy {
        Policy { failures_until_locked, ..Policy::default() }
    }

    fn guessed(times: u32, policy: &Policy) -> Tries {
        let mut tries = Tries::default();
        for _ in 0..times {
            tries.fail(policy, Moment::from_unix_ms(1));
        }
        tries
    }

    #[test]
    fn the_banks_lock_is_told_from_guesses() {
        assert!(policy(UNLOCKED_FAILURES_MAX + 2).check().is_err(), "the fifth locks at the latest");
        for until_locked in 1..=UNLOCKED_FAILURES_MAX + 1 {
            let policy = policy(until_locked);
            for times in 0..=limits::FAILURES_MAX {
                let mut tries = guessed(times, &policy);
                assert!(!tries.locked_by_bank(), "{times} guesses, {until_locked} lock");
                tries.lock();
                let told = tries.locked_by_bank();
                assert!(told || times >= 16, "the bank's lock after {times} guesses, {until_locked} lock");
                tries.forget();
                assert!(!tries.locked_by_bank(), "unlocked");
            }
        }
    }
}
