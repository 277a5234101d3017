//! A mobile number in the international form (E.164).

use std::fmt;

use zeroize::Zeroize;

use crate::digits;

/// A mobile number: country code and subscriber number, 8 to 15 digits, no `+`. Iranian numbers
/// may be given with a leading `0` and are kept as `98…`. `Debug` shows the last two digits.
#[derive(Clone)]
pub struct Phone(Box<str>);

/// The text is not a mobile number. Carries nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a mobile number: write it as 09121234567 or +989121234567")]
pub struct PhoneError;

impl Phone {
    /// Reads `09121234567`, `+989121234567`, `00989121234567` or `989121234567`, in any digits.
    pub fn parse(text: &str) -> Result<Phone, PhoneError> {
        let mut folded: String =
            digits::fold(text).chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
        let international = match folded.as_str() {
            s if s.starts_with('+') => s[1..].to_owned(),
            s if s.starts_with("00") => s[2..].to_owned(),
            s if s.starts_with('0') => format!("98{}", &s[1..]),
            s => s.to_owned(),
        };
        folded.zeroize();
        let valid = (8..=15).contains(&international.len())
            && international.bytes().all(|b| b.is_ascii_digit())
            && !international.starts_with('0');
        if !valid || (international.starts_with("98") && international.len() != 12) {
            return Err(PhoneError);
        }
        Ok(Phone(international.into()))
    }

    /// Digits with country code, no `+`: `989121234567`. Every caller is listed in the tidy test.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is a mobile number of Iran's plan: `98 9…`.
    pub fn is_iranian_mobile(&self) -> bool {
        self.0.starts_with("989")
    }

    /// As its holder writes it, masked: `0912***4567`. For who has proved to be the cardholder.
    pub fn shown_to_its_holder(&self) -> String {
        format!("0{}***{}", &self.0[2..5], &self.0[self.0.len() - 4..])
    }

    /// What anybody may be shown: `98912***67`.
    pub fn masked(&self) -> String {
        format!("{}***{}", &self.0[..5], &self.0[self.0.len() - 2..])
    }
}

impl PartialEq for Phone {
    fn eq(&self, other: &Phone) -> bool {
        self.0 == other.0
    }
}

impl Eq for Phone {}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone(***{})", &self.0[self.0.len() - 2..])
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.0.zeroize();
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
    fn only_mobiles_of_iran_are_charged() {
        for (text, expect) in [("09121234567", true), ("02112345678", false), ("+4915112345678", false)] {
            assert_eq!(Phone::parse(text).unwrap().is_iranian_mobile(), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "0912", "98912123456", "+0912123456", "0912123456x", "1234567890123456"] {
            assert_eq!(Phone::parse(text).map(|_| ()), Err(PhoneError), "{text}");
        }
    }
}
