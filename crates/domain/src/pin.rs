//! The dynamic PIN: a short string of digits. Leading zeros count; it is no number.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

use crate::{digits, limits};

/// A PIN of 4 to 12 Latin digits. Compared in constant time only ([`Pin::matches`]), wiped on drop, never printed.
#[derive(Clone)]
pub struct Pin(Box<str>);

/// Why a text is not a PIN. Carries nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PinError {
    /// Not 4 to 12 characters.
    #[error("a PIN has 4 to 12 digits, this one has {0}")]
    Length(usize),
    /// A character that is no digit, counted from 0.
    #[error("a PIN is digits only; character {0} is not")]
    NotADigit(usize),
}

impl Pin {
    /// Reads a PIN of Latin digits.
    pub fn parse(text: &str) -> Result<Pin, PinError> {
        if let Some(at) = text.chars().position(|c| !c.is_ascii_digit()) {
            return Err(PinError::NotADigit(at));
        }
        if !(limits::PIN_DIGITS_MIN..=limits::PIN_DIGITS_MAX).contains(&text.len()) {
            return Err(PinError::Length(text.len()));
        }
        Ok(Pin(text.into()))
    }

    /// Reads a PIN as a person types it: Persian or Arabic digits too, spaces ignored.
    pub fn parse_typed(text: &str) -> Result<Pin, PinError> {
        let mut folded: String = digits::fold(text).chars().filter(|c| !c.is_whitespace()).collect();
        let pin = Pin::parse(&folded);
        folded.zeroize();
        pin
    }

    /// The digits. Every caller is listed in the tidy test.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether both are the same PIN, in time that depends on the lengths only.
    pub fn matches(&self, other: &Pin) -> Choice {
        self.0.as_bytes().ct_eq(other.0.as_bytes())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_count() {
        let (a, b) = (Pin::parse("0472013").unwrap(), Pin::parse("472013").unwrap());
        assert!(!bool::from(a.matches(&b)));
        assert!(bool::from(a.matches(&Pin::parse_typed("۰۴۷ ۲۰۱۳").unwrap())));
    }

    #[test]
    fn four_to_twelve_digits() {
        assert_eq!(Pin::parse("123").unwrap_err(), PinError::Length(3));
        assert_eq!(Pin::parse("1234567890123").unwrap_err(), PinError::Length(13));
        assert_eq!(Pin::parse("12a4").unwrap_err(), PinError::NotADigit(2));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Pin::parse("0472013").unwrap()), "Pin(…)");
    }
}
