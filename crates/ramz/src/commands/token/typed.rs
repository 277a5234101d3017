//! What a person types or a file holds: both halves of an activation code, a card. Nothing of it is repeated in an error.

use std::path::Path;

use anyhow::Context as _;
use ramz_domain::{Pan, Pin, digits};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use crate::commands::prompt;

/// Digits of each half.
const HALF: usize = 8;

#[derive(Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
#[zeroize(drop)]
struct Halves {
    receipt_code: String,
    sms_code: String,
}

#[derive(Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
#[zeroize(drop)]
struct Card {
    pan: String,
    expiry: String,
}

/// Both halves, the receipt's first.
pub(super) fn halves(file: Option<&Path>) -> anyhow::Result<(Pin, Pin)> {
    let typed = match file {
        Some(file) => read(&prompt::file(file)?, r#"{"receipt_code": "…", "sms_code": "…"}"#)?,
        None => Halves {
            receipt_code: prompt::secret("The eight digits on the receipt")?.as_str().to_owned(),
            sms_code: prompt::secret("The eight digits of the SMS")?.as_str().to_owned(),
        },
    };
    Ok((half(&typed.receipt_code, "on the receipt")?, half(&typed.sms_code, "of the SMS")?))
}

/// Card number and expiry.
pub(super) fn card(file: Option<&Path>) -> anyhow::Result<(Pan, [u8; 4])> {
    let typed: Card = match file {
        Some(file) => read(&prompt::file(file)?, r#"{"pan": "…", "expiry": "YYMM"}"#)?,
        None => Card {
            pan: prompt::secret("Card number")?.as_str().to_owned(),
            expiry: prompt::line("Expiry as the card shows it (YYMM): ")?.as_str().to_owned(),
        },
    };
    Ok((Pan::parse_typed(&typed.pan)?, expiry(&typed.expiry)?))
}

fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8], shape: &str) -> anyhow::Result<T> {
    // What the parser says may quote what it read: only the place is told.
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!("the file does not hold {shape}: line {line}, column {column} does not fit")
    })
}

fn half(text: &str, which: &str) -> anyhow::Result<Pin> {
    let kept = only_digits(text);
    let pin = Some(kept).filter(|kept| kept.len() == HALF).and_then(|kept| Pin::parse(&kept).ok());
    pin.with_context(|| format!("the half of the code {which} is {HALF} digits"))
}

fn expiry(text: &str) -> anyhow::Result<[u8; 4]> {
    let kept = only_digits(text);
    let fits = kept.len() == 4 && kept.bytes().all(|b| b.is_ascii_digit());
    let month = kept.get(2..).and_then(|month| month.parse::<u8>().ok()).unwrap_or(0);
    let expiry = kept.as_bytes().try_into().ok().filter(|_| fits && (1..=12).contains(&month));
    expiry.context("the expiry is four digits as the card shows it, YYMM")
}

/// Without what people write between digits, and these as Latin ones.
fn only_digits(text: &str) -> Zeroizing<String> {
    let between = |c: &char| c.is_whitespace() || matches!(c, '-' | '/' | '\u{200C}'..='\u{200F}');
    let folded = Zeroizing::new(digits::fold(text));
    Zeroizing::new(folded.chars().filter(|c| !between(c)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_as_they_are_typed() {
        for text in ["12345678", " 1234 5678 ", "1234-5678", "۱۲۳۴۵۶۷۸"] {
            assert!(bool::from(half(text, "").unwrap().matches(&Pin::parse("12345678").unwrap())), "{text}");
        }
        for text in ["", "1234567", "123456789", "1234567x"] {
            let error = half(text, "of the SMS").unwrap_err().to_string();
            assert_eq!(error, "the half of the code of the SMS is 8 digits", "{text}");
        }
    }

    #[test]
    fn an_expiry_has_a_month() {
        assert_eq!(expiry("29/11").unwrap(), *b"2911");
        assert_eq!(expiry("۲۹۱۱").unwrap(), *b"2911");
        for text in ["", "2913", "2900", "29111", "29x1"] {
            expiry(text).unwrap_err();
        }
    }

    #[test]
    fn a_file_that_does_not_fit_is_not_quoted() {
        let bytes = br#"{"pan": "6104337000000016", "expiry": 2911}"#;
        let error = read::<Card>(bytes, "a card").map(drop).unwrap_err().to_string();
        assert!(error.contains("line 1") && !error.contains("6104") && !error.contains("2911"), "{error}");
    }
}
