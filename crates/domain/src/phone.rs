//! A mobile number in the international form (E.164).

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::digits;

/// The longest number of E.164.
const DIGITS_MAX: usize = 15;

/// A mobile number: country code and subscriber number, 8 to 15 digits, no `+`. Iranian numbers
/// may be given with a leading `0` and are kept as `98…`. `Debug` shows the last two digits.
///
/// It is in the value and not in a box, for it is copied at every step of a payment. It is wiped where it ends; what a move leaves
/// behind is not, as a PAN's would be.
#[derive(Clone)]
pub struct Phone {
    /// In ASCII; what is not used is zero.
    digits: [u8; DIGITS_MAX],
    count: u8,
}

/// The text is not a mobile number. Carries nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a mobile number: write it as 09121234567 or +989121234567")]
pub struct PhoneError;

impl Phone {
    /// Reads `09121234567`, `+989121234567`, `00989121234567` or `989121234567`, in any digits.
    pub fn parse(text: &str) -> Result<Phone, PhoneError> {
        // Room for `00` before the longest number; it is wiped.
        let mut typed = Zeroizing::new([0; DIGITS_MAX + 2]);
        let (mut count, mut plus) = (0, false);
        for c in text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')) {
            if c == '+' && count == 0 && !plus {
                plus = true;
                continue;
            }
            let digit = digits::latin(c).and_then(|digit| u8::try_from(digit).ok());
            *typed.get_mut(count).ok_or(PhoneError)? = digit.ok_or(PhoneError)?;
            count += 1;
        }
        let (country, rest): (&[u8], &[u8]) = match &typed[..count] {
            all if plus => (b"", all),
            [b'0', b'0', rest @ ..] => (b"", rest),
            [b'0', rest @ ..] => (b"98", rest),
            all => (b"", all),
        };
        let count = country.len() + rest.len();
        if !(8..=DIGITS_MAX).contains(&count) {
            return Err(PhoneError);
        }
        let kept = u8::try_from(count).map_err(|_| PhoneError)?;
        let mut phone = Phone { digits: [0; DIGITS_MAX], count: kept };
        phone.digits[..country.len()].copy_from_slice(country);
        phone.digits[country.len()..count].copy_from_slice(rest);
        let iranian = phone.digits.starts_with(b"98");
        if phone.digits[0] == b'0' || (iranian && count != 12) {
            return Err(PhoneError);
        }
        Ok(phone)
    }

    /// Digits with country code, no `+`: `989121234567`. Every caller is listed in the tidy test.
    pub fn expose(&self) -> &str {
        self.text()
    }

    fn text(&self) -> &str {
        // They are ASCII digits: it cannot fail.
        str::from_utf8(&self.digits[..usize::from(self.count)]).unwrap_or_default()
    }

    /// Whether it is a mobile number of Iran's plan: `98 9…`.
    pub fn is_iranian_mobile(&self) -> bool {
        self.digits.starts_with(b"989")
    }

    /// As its holder writes it, masked: `0912***4567`. For who has proved to be the cardholder.
    pub fn shown_to_its_holder(&self) -> String {
        let digits = self.text();
        format!("0{}***{}", &digits[2..5], &digits[digits.len() - 4..])
    }

    /// What anybody may be shown: `98912***67`.
    pub fn masked(&self) -> String {
        let digits = self.text();
        format!("{}***{}", &digits[..5], &digits[digits.len() - 2..])
    }
}

impl PartialEq for Phone {
    fn eq(&self, other: &Phone) -> bool {
        self.digits == other.digits
    }
}

impl Eq for Phone {}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.text();
        write!(f, "Phone(***{})", &digits[digits.len() - 2..])
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_however_written() {
        for text in ["09121234567", "+98 912 123 4567", "00989121234567", "989121234567", "۰۹۱۲۱۲۳۴۵۶۷"]
        {
            assert_eq!(
                Phone::parse(text).map(|p| p.expose().to_owned()).as_deref(),
                Ok("989121234567"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_shortest_and_the_longest_are_numbers() {
        for (text, expect) in [("+12345678", "12345678"), ("00123456789012345", "123456789012345")] {
            let phone = Phone::parse(text).unwrap();
            assert_eq!(phone.expose(), expect);
            assert!(phone.masked().ends_with(&expect[expect.len() - 2..]));
        }
    }

    #[test]
    fn only_mobiles_of_iran_are_charged() {
        for (text, expect) in [("09121234567", true), ("02112345678", false), ("+4915112345678", false)] {
            assert_eq!(Phone::parse(text).unwrap().is_iranian_mobile(), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            "0",
            "00",
            "++989121234567",
            "0912+1234567",
            "001234567890123456",
            "0912",
            "98912123456",
            "+0912123456",
            "0912123456x",
            "1234567890123456",
        ] {
            assert_eq!(Phone::parse(text).map(|_| ()), Err(PhoneError), "{text}");
        }
    }
}
