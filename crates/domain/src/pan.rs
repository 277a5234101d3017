//! The primary account number (ISO/IEC 7812): digits with a Luhn check digit.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::digits;

/// A primary account number: 16 to 19 digits whose last is the Luhn check digit.
///
/// `Debug` shows the first six and last four digits; the rest is read through [`Pan::expose`].
#[derive(Clone)]
pub struct Pan(Box<str>);

/// The issuer identification number: a PAN's first six digits. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iin([u8; 6]);

/// Why a text is not a PAN. Carries nothing of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PanError {
    /// Not 16 to 19 characters.
    #[error("a card number has 16 to 19 digits, this one has {0}")]
    Length(usize),
    /// A character that is no digit, counted from 0.
    #[error("a card number is digits only; character {0} is not")]
    NotADigit(usize),
    /// The check digit is wrong.
    #[error("the check digit of this card number is wrong: look for a mistyped or swapped digit")]
    CheckDigit,
}

impl Pan {
    /// Reads a PAN of Latin digits without separators.
    pub fn parse(text: &str) -> Result<Pan, PanError> {
        if let Some(at) = text.chars().position(|c| !c.is_ascii_digit()) {
            return Err(PanError::NotADigit(at));
        }
        if !(16..=19).contains(&text.len()) {
            return Err(PanError::Length(text.len()));
        }
        if !luhn_sum(text).is_multiple_of(10) {
            return Err(PanError::CheckDigit);
        }
        Ok(Pan(text.into()))
    }

    /// Reads a PAN as a person types it: spaces and dashes between groups, any digits.
    pub fn parse_typed(text: &str) -> Result<Pan, PanError> {
        let mut folded: String =
            digits::fold(text).chars().filter(|c| !matches!(c, ' ' | '-' | '\u{200c}')).collect();
        let pan = Pan::parse(&folded);
        folded.zeroize();
        pan
    }

    /// All digits. Every caller is listed in the tidy test.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The issuer's part.
    pub fn iin(&self) -> Iin {
        let mut iin = [0; 6];
        iin.copy_from_slice(&self.0.as_bytes()[..6]);
        Iin(iin)
    }

    /// The digits that a cardholder texts, and is called the card by.
    pub fn last_four(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }

    /// First six and last four digits, the middle starred: `610433******0016`.
    pub fn masked(&self) -> String {
        let (head, tail) = (&self.0[..6], &self.0[self.0.len() - 4..]);
        format!("{head}{}{tail}", "*".repeat(self.0.len() - 10))
    }
}

/// The check digit that makes `body` a PAN.
pub fn check_digit(body: &str) -> char {
    let sum = luhn_sum(&format!("{body}0"));
    char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0')
}

fn luhn_sum(digits: &str) -> u32 {
    let each = |(i, b): (usize, u8)| match (i % 2, u32::from(b - b'0')) {
        (1, d @ 5..) => d * 2 - 9,
        (1, d) => d * 2,
        (_, d) => d,
    };
    digits.bytes().rev().enumerate().map(each).sum()
}

impl PartialEq for Pan {
    fn eq(&self, other: &Pan) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Pan {}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan({})", self.masked())
    }
}

impl Drop for Pan {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Iin {
    /// Reads six Latin digits.
    pub fn parse(text: &str) -> Option<Iin> {
        let bytes: [u8; 6] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_digit).then_some(Iin(bytes))
    }

    /// The six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Debug for Iin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Iin({})", self.as_str())
    }
}

impl fmt::Display for Iin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(), PanError>) {
        assert_eq!(Pan::parse(text).map(|_| ()), expect, "{text:?}");
    }

    #[test]
    fn a_pan_is_sixteen_to_nineteen_digits_with_a_check_digit() {
        check("6104337000000016", Ok(()));
        check("6104337000000061", Err(PanError::CheckDigit));
        check(&format!("610433700000001{}", check_digit("610433700000001")), Ok(()));
        check("4111111111111111", Ok(()));
        check("411111111111111", Err(PanError::Length(15)));
        check("41111111111111111111", Err(PanError::Length(20)));
        check("4111 1111 1111 1111", Err(PanError::NotADigit(4)));
        check("", Err(PanError::Length(0)));
    }

    #[test]
    fn people_type_spaces_dashes_and_persian_digits() {
        let typed = Pan::parse_typed("۴۱۱۱ 1111-1111 ١١١١").unwrap();
        assert_eq!(typed, Pan::parse("4111111111111111").unwrap());
    }

    #[test]
    fn debug_hides_the_middle() {
        assert_eq!(format!("{:?}", Pan::parse("4111111111111111").unwrap()), "Pan(411111******1111)");
    }
}
