//! What a cardholder's text asks for: the last digits of a card, however they are written.
//!
//! People text the digits in Persian, Arabic-Indic or Latin form, with spaces, dashes or words around and between them, and
//! phones put marks of direction there. So everything but digits is ignored, and the count of *all* digits in the text decides:
//! what has other numbers beside (a date, an amount, a second card) is not guessed at.
//!
//! Deliberately not here: whose card it is, and the answer.

use std::fmt;

use ramz_domain::digits;

use crate::port::SmsText;

/// Digits of a whole card number.
const PAN_DIGITS: usize = 16;

/// The card's last digits, in ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The last four.
    Four([u8; 4]),
    /// The last six, as is asked for when two cards of a phone end in the same four.
    Six([u8; 6]),
}

impl Asked {
    /// The last digits: four or six of them.
    pub fn digits(&self) -> &str {
        let digits: &[u8] = match self {
            Asked::Four(digits) => digits,
            Asked::Six(digits) => digits,
        };
        // They are ASCII: `asked` is the only one who makes them, or a caller who gives others gets none.
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

/// Shows no more than the last four, as a cardholder may be shown.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        write!(f, "Asked({}{})", "*".repeat(digits.len().saturating_sub(4)), tail(digits, 4))
    }
}

/// What is asked for: `None` unless the text has exactly four digits, exactly six, or a whole card number of sixteen, of which the
/// last six are taken. Digits of other scripts make a text that is not understood, since they count too.
pub fn asked(words: &SmsText) -> Option<Asked> {
    let mut found = [0; PAN_DIGITS];
    let mut count = 0;
    for c in words.expose().chars().filter(|c| c.is_numeric()) {
        *found.get_mut(count)? = u8::try_from(digits::latin(c)?).ok()?;
        count += 1;
    }
    match found {
        [.., a, b, c, d, e, f] if count == PAN_DIGITS => Some(Asked::Six([a, b, c, d, e, f])),
        [a, b, c, d, e, f, ..] if count == 6 => Some(Asked::Six([a, b, c, d, e, f])),
        [a, b, c, d, ..] if count == 4 => Some(Asked::Four([a, b, c, d])),
        _ => None,
    }
}

fn tail(digits: &str, length: usize) -> &str {
    digits.split_at_checked(digits.len().saturating_sub(length)).map_or("", |(_, tail)| tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Asked> {
        asked(&SmsText::new(text.into()))
    }

    fn check(text: &str, expect: Option<&str>) {
        let found = read(text);
        assert_eq!(found.as_ref().map(Asked::digits), expect, "{text:?}");
        let length = match found {
            Some(Asked::Four(_)) => Some(4),
            Some(Asked::Six(_)) => Some(6),
            None => None,
        };
        assert_eq!(length, expect.map(str::len), "{text:?}");
    }

    #[test]
    fn four_digits_however_they_are_written() {
        for text in [
            "1234",
            "۱۲۳۴",
            "١٢٣٤",
            "۱٢3۴",
            " 1234 ",
            "۱۲ ۳۴",
            "1-2-3-4",
            "1\n2\r\n3\n4",
            "کارت ۱۲۳۴ لطفا",
            "سلام، رمز کارت ۱۲۳۴ را می‌خواهم!",
            "*1234#",
            "#1234",
            "...1234",
            "xxxx-xxxx-xxxx-1234",
            "card: 1234 please",
            "\u{200F}۱۲۳۴\u{200E}",
            "\u{202B}۱۲\u{200C}۳۴\u{202C}",
            "\u{2067}12\u{2069}\u{FEFF}34",
            "1\u{00A0}2\u{2003}3\u{200B}4",
            "1\u{FE0F}\u{20E3}2\u{FE0F}\u{20E3}3\u{FE0F}\u{20E3}4\u{FE0F}\u{20E3}",
            "😀1234😀",
            "12.34",
            "12:34",
        ] {
            check(text, Some("1234"));
        }
        check("0000", Some("0000"));
        check("۰۰۰۷", Some("0007"));
    }

    #[test]
    fn six_digits_and_a_whole_card_number() {
        for text in ["123456", "۱۲۳ ۴۵۶", "١٢٣٤٥٦", "12-34-56", "شش رقم: ۱۲۳۴۵۶"] {
            check(text, Some("123456"));
        }
        for text in [
            "6104337000123456",
            "6104 3370 0012 3456",
            "۶۱۰۴-۳۳۷۰-۰۰۱۲-۳۴۵۶",
            "شماره کارت من ۶۱۰۴۳۳۷۰۰۰۱۲۳۴۵۶ است",
        ] {
            check(text, Some("123456"));
        }
    }

    #[test]
    fn what_is_not_guessed_at() {
        for text in [
            "",
            "سلام",
            "1",
            "123",
            "12345",
            "1234567",
            "12345678",
            "۱۲۳۴ و ۵۶۷۸",
            "1234 1403/05/12",
            "۱۲۳۴ ساعت ۱۴:۳۰",
            "1234 100,000",
            "09121234567",
            "610433700012345",
            "61043370001234567",
            "6104337000123456 1234",
            "6104337000123456 6104337000123456",
            // Digits of other scripts, and numbers that are no digits, are numbers all the same.
            "１２３４",
            "1234５",
            "१२३४",
            "1234½",
            "①234",
            "1234²",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn where_digits_stand_does_not_matter() {
        // At worst no card of this phone ends so, and it is told what to send.
        check("۱۲۳۴ ساعت ۱۴", Some("123414"));
        check("2 کارت: 34 و 1", Some("2341"));
    }

    #[test]
    fn debug_shows_what_a_cardholder_may_see() {
        assert_eq!(format!("{:?}", read("1234")), "Some(Asked(1234))");
        assert_eq!(format!("{:?}", read("123456")), "Some(Asked(**3456))");
        assert_eq!(format!("{:?}", read("6104337000123456")), "Some(Asked(**3456))");
        assert_eq!(format!("{:?}", Asked::Four([0xFF; 4])), "Asked()");
    }

    /// A digit in one of the three forms.
    fn written(digit: u8, form: u8) -> char {
        let zero = [0x30, 0x06F0, 0x0660][usize::from(form % 3)];
        char::from_u32(zero + u32::from(digit)).unwrap()
    }

    /// So many characters that are no digits. Rust may know digits of a newer Unicode than the expression does.
    fn between(most: usize) -> impl Strategy<Value = String> {
        let text = proptest::collection::vec(any::<char>(), 0..=most);
        text.prop_map(|text| text.into_iter().filter(|c| !c.is_numeric()).collect())
    }

    proptest! {
        #[test]
        fn the_count_of_all_digits_decides(
            digits in proptest::collection::vec((0_u8..10, any::<u8>(), between(6)), 0..20),
            before in between(20),
        ) {
            let mut text = before;
            let mut plain = String::new();
            for (digit, form, after) in &digits {
                text.push(written(*digit, *form));
                text.push_str(after);
                plain.push(written(*digit, 0));
            }
            let expect = match plain.len() {
                4 | 6 => Some(&*plain),
                16 => Some(&plain[10..]),
                _ => None,
            };
            let found = read(&text);
            prop_assert_eq!(found.as_ref().map(Asked::digits), expect);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            if let Some(asked) = read(&text) {
                prop_assert!(matches!(asked.digits().len(), 4 | 6));
            }
        }
    }
}
