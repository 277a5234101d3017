//! TOTP: HOTP of the number of time steps since an instant (RFC 6238).

use super::hotp::counted;
use super::{DigitsError, Hash};

/// How a token makes its codes. 30 seconds from 1970 and SHA-1 are what most have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totp {
    /// The hash function.
    pub hash: Hash,
    /// How many digits a code has, 6 to 9 ([`hotp`](super::hotp()) says why).
    pub digits: u8,
    /// How long a code is shown, in seconds (X in the RFC), not 0.
    pub step_s: u64,
    /// Where counting begins, in seconds since 1970 (T0), mostly 0.
    pub t0_s: u64,
}

/// Why there is no code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TotpError {
    /// Not 6 to 9 digits.
    #[error(transparent)]
    Digits(#[from] DigitsError),
    /// The step has no length: the code would never change.
    #[error("a time step of 0 seconds never ends; give `step_s` a length, mostly 30")]
    EndlessStep,
    /// An instant before counting begins.
    #[error("the time is before `t0_s`, where time steps begin")]
    BeforeStart,
}

impl Totp {
    /// The time step that an instant is in. Before `t0_s` it is 0, and so it is always if `step_s` is 0.
    pub fn step(&self, unix_s: u64) -> u64 {
        unix_s.saturating_sub(self.t0_s).checked_div(self.step_s).unwrap_or(0)
    }

    /// The code at an instant, modulo 10^digits.
    ///
    /// # Errors
    /// [`TotpError`], for each of its reasons.
    pub fn at(&self, key: &[u8], unix_s: u64) -> Result<u64, TotpError> {
        if self.step_s == 0 {
            return Err(TotpError::EndlessStep);
        }
        if unix_s < self.t0_s {
            return Err(TotpError::BeforeStart);
        }
        Ok(self.at_step(key, self.step(unix_s))?)
    }

    /// The code of a time step, modulo 10^digits: for looking a few steps either side.
    ///
    /// # Errors
    /// [`DigitsError`] if `digits` is not 6 to 9.
    pub fn at_step(&self, key: &[u8], step: u64) -> Result<u64, DigitsError> {
        counted(self.hash, key, step, self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Totp = Totp { hash: Hash::Sha1, digits: 6, step_s: 30, t0_s: 0 };

    #[test]
    fn a_step_begins_on_its_second() {
        assert_eq!([0, 29, 30, 59, 60].map(|s| MOST.step(s)), [0, 0, 1, 1, 2]);
        let later = Totp { t0_s: 10, ..MOST };
        assert_eq!([0, 10, 39, 40].map(|s| later.step(s)), [0, 0, 0, 1]);
        assert_eq!(MOST.step(u64::MAX), u64::MAX / 30);
    }

    #[test]
    fn what_has_no_code_says_why() {
        let check = |totp: Totp, unix_s, expect: TotpError| assert_eq!(totp.at(b"key", unix_s), Err(expect));
        check(Totp { step_s: 0, ..MOST }, 59, TotpError::EndlessStep);
        check(Totp { t0_s: 60, ..MOST }, 59, TotpError::BeforeStart);
        check(Totp { digits: 5, ..MOST }, 59, TotpError::Digits(DigitsError(5)));
        assert_eq!(Totp { step_s: 0, ..MOST }.step(59), 0);
    }
}
