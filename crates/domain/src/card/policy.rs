//! What a bank may choose, and the bound it may not cross: how likely a guess is to succeed.

use std::time::Duration;

use super::{Alerts, AppPolicy, SendLimits, StaticPolicy, StaticRule};
use crate::{Rial, limits};

/// What a guess may succeed with at most. The books promise it: 1 in 100,000.
const CHANCE_MAX: f64 = 1e-5;

/// A bank's choices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Digits of a PIN: 5 to 8.
    pub digits: u8,
    /// How long a PIN is good.
    pub valid_for: Duration,
    /// The page counts this down before the same card may ask again.
    pub ask_again_after: Duration,
    /// The same PIN goes out again at least this much later.
    pub resend_after: Duration,
    /// How often the same PIN goes out again.
    pub resends: u8,
    /// Wrong PINs in a row that lock.
    pub failures_until_locked: u32,
    /// The first lock's length; each next one is twice as long.
    pub lock_first: Duration,
    /// The longest lock.
    pub lock_longest: Duration,
    /// Wrong PINs in a row after which only an ATM or the bank unlocks.
    pub failures_until_closed: u32,
    /// SMS whose PINs are not spent that one card may be sent.
    pub sends: SendLimits,
    /// What one texted PIN may pay at most; zero: the bank sends none.
    pub sms_pin_max: Rial,
    /// What may be debited beside the amount of a payment with a second PIN: its payer was shown the amount alone.
    pub fees_max: Rial,
    /// Where a static second PIN may be used.
    pub static_pin: StaticPolicy,
    /// Codes that a phone computes.
    pub app: AppPolicy,
    /// What cardholders are told unasked.
    pub alerts: Alerts,
}

/// A policy that must not run.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// A value outside its range.
    #[error("policy: {0}")]
    Range(&'static str),
    /// Guessing would succeed too often.
    #[error(
        "policy: {tries} tries at a PIN of {digits} digits succeed with probability {chance:.1e}, at most 1e-5 is \
         allowed: use more digits, fewer tries, no texted PINs (sms_pin_max = 0), or codes of 8 digits in the app"
    )]
    GuessBudget {
        /// Tries before a lock.
        tries: u32,
        /// Digits.
        digits: u8,
        /// Open PINs × tries / 10^digits.
        chance: f64,
    },
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            digits: 7,
            valid_for: Duration::from_secs(120),
            ask_again_after: Duration::from_secs(120),
            resend_after: Duration::from_secs(30),
            resends: 2,
            failures_until_locked: 3,
            lock_first: Duration::from_secs(15 * 60),
            lock_longest: Duration::from_secs(24 * 3600),
            failures_until_closed: 20,
            sends: SendLimits::default(),
            sms_pin_max: Rial::new(limits::SMS_PIN_MAX_RIAL).unwrap_or(Rial::ZERO),
            fees_max: Rial::ZERO,
            static_pin: StaticPolicy::default(),
            app: AppPolicy::default(),
            alerts: Alerts::default(),
        }
    }
}

impl Policy {
    /// The chance that guessing opens one payment: windows × steps × devices × tries / 10^digits. A PIN bound to a payment
    /// has one window, one step and no device; a texted PIN is one more that may be open for the same payment. App codes are as many as
    /// there are minutes in the window, ceilings (and none), and devices.
    pub fn guess_budget(&self) -> f64 {
        let open = if self.sms_pin_max == Rial::ZERO { 1.0 } else { 2.0 };
        let sent = open / 10f64.powi(i32::from(self.digits));
        let devices = u32::try_from(limits::CARD_DEVICES_MAX).unwrap_or(u32::MAX);
        let minutes = u32::try_from(2 * limits::TOKEN_WINDOW_STEPS + 1).unwrap_or(u32::MAX);
        // All that a code may name, whatever the table has.
        let ceilings = f64::from(limits::CEILING_STEPS_MAX) + 1.0;
        let codes = f64::from(minutes) * ceilings * f64::from(devices);
        let computed = if self.app.offered { codes / 10f64.powi(i32::from(self.app.digits)) } else { 0.0 };
        f64::from(self.failures_until_locked) * (sent + computed)
    }

    fn check_app(&self) -> Result<(), PolicyError> {
        let AppPolicy { digits, ceilings, .. } = &self.app;
        if !(7..=8).contains(digits) {
            return Err(PolicyError::Range("app.digits must be 7 or 8"));
        }
        let ascending = ceilings.is_sorted_by(|lower, higher| lower < higher);
        if ceilings.len() > usize::from(limits::CEILING_STEPS_MAX)
            || !ascending
            || ceilings.first() == Some(&Rial::ZERO)
        {
            return Err(PolicyError::Range(
                "app.ceilings are at most four amounts, each larger than the one before",
            ));
        }
        Ok(())
    }

    /// Refuses a policy that is out of range or too easy to guess under.
    pub fn check(&self) -> Result<(), PolicyError> {
        let range = |ok: bool, what: &'static str| if ok { Ok(()) } else { Err(PolicyError::Range(what)) };
        range((5..=8).contains(&self.digits), "digits must be 5 to 8")?;
        let valid = self.valid_for.as_secs();
        range((30..=600).contains(&valid), "valid_for must be 30 to 600 seconds")?;
        range(self.resend_after.as_secs() >= 30, "resend_after must be at least 30 seconds")?;
        range(self.resends <= 2, "resends must be at most 2")?;
        range((1..=5).contains(&self.failures_until_locked), "failures_until_locked must be 1 to 5")?;
        range(
            (self.failures_until_locked..=limits::FAILURES_MAX).contains(&self.failures_until_closed),
            "failures_until_closed must be from failures_until_locked to 20",
        )?;
        range(
            self.lock_first >= self.valid_for,
            "lock_first must outlast valid_for: a lock's end must find no open PIN",
        )?;
        range(self.lock_longest >= self.lock_first, "lock_longest must be at least lock_first")?;
        self.sends.check()?;
        self.check_app()?;
        let static_limit = match self.static_pin.rule {
            StaticRule::Never => Rial::ZERO,
            StaticRule::Total24h(limit) | StaticRule::PerPayment(limit) => limit,
        };
        range(
            static_limit.get() <= limits::STATIC_MAX_RIAL,
            "a static PIN may pay at most 1,000,000 rial: above it the central bank's rule asks for a dynamic one",
        )?;
        let chance = self.guess_budget();
        if chance > CHANCE_MAX {
            let (tries, digits) = (self.failures_until_locked, self.digits);
            return Err(PolicyError::GuessBudget { tries, digits, chance });
        }
        Ok(())
    }

    /// The length of a card's n-th lock in a row, from 0.
    pub(super) fn lock_length(&self, earlier: u32) -> Duration {
        let doubled = 2u32.checked_pow(earlier).and_then(|factor| self.lock_first.checked_mul(factor));
        doubled.unwrap_or(self.lock_longest).min(self.lock_longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_may_run() {
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn too_few_digits_for_the_tries_are_refused() {
        let check = |sms_pin_max, digits, failures_until_locked| {
            let app = AppPolicy { offered: false, ..AppPolicy::default() };
            Policy { digits, failures_until_locked, sms_pin_max, app, ..Policy::default() }.check().is_ok()
        };
        let none = |digits, failures| check(Rial::ZERO, digits, failures);
        assert!(!none(5, 3) && !none(5, 2) && none(5, 1) && none(6, 3) && none(7, 5) && !none(4, 1));
        // A texted PIN is one more that a guess may hit.
        let texted = |digits, failures| check(Policy::default().sms_pin_max, digits, failures);
        assert!(!texted(5, 1) && texted(6, 5) && texted(7, 5));
        // So are the codes of two devices, in three minutes, for five ceilings.
        let app = |digits, failures_until_locked| {
            let app = AppPolicy { digits, ..AppPolicy::default() };
            Policy { app, failures_until_locked, ..Policy::default() }.check().is_ok()
        };
        assert!(app(7, 3) && !app(7, 4) && app(8, 5));
    }

    /// A bucket that is full at first lets as many through once more while it fills again; each other node lets a quarter through, and one that
    /// is under way, before it is told.
    #[test]
    fn whoever_has_read_one_half_of_an_activation_guesses_the_other_too_seldom() {
        let nodes = u32::try_from(limits::NODES_MAX).unwrap();
        let most = 2 * limits::SMS_HALF_TRIES + (nodes - 1) * (limits::SMS_HALF_TRIES.div_ceil(4) + 1);
        // Each half has eight digits.
        let halves = 1e8;
        assert!(f64::from(most) / halves <= CHANCE_MAX, "{most} guesses");
        // The receipt's half is known to whoever picks it up: its row has so few tries, exactly.
        assert!(limits::ACTIVATION_TRIES as f64 / halves <= CHANCE_MAX);
    }

    #[test]
    fn a_table_of_ceilings_ascends_and_has_four_at_most() {
        let check = |rials: &[u64], digits| {
            let ceilings = rials.iter().map(|rial| Rial::new(*rial).unwrap()).collect();
            let app = AppPolicy { digits, ceilings, ..AppPolicy::default() };
            Policy { app, ..Policy::default() }.check()
        };
        assert_eq!((check(&[], 7), check(&[1, 2], 8)), (Ok(()), Ok(())));
        for (rials, digits) in [(&[1, 1][..], 7), (&[2, 1], 7), (&[0], 7), (&[1, 2, 3, 4, 5], 8), (&[1], 6)] {
            assert!(matches!(check(rials, digits), Err(PolicyError::Range(_))), "{rials:?} {digits}");
        }
    }

    #[test]
    fn locks_double() {
        let policy = Policy::default();
        let minutes: Vec<u64> = (0..4).map(|n| policy.lock_length(n).as_secs() / 60).collect();
        assert_eq!(minutes, [15, 30, 60, 120]);
        assert_eq!(policy.lock_length(90), policy.lock_longest);
    }

    #[test]
    fn a_lock_outlasts_every_open_pin() {
        let policy = Policy { lock_first: Duration::from_secs(60), ..Policy::default() };
        assert!(matches!(policy.check(), Err(PolicyError::Range(_))));
    }
}
