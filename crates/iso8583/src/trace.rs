//! A message for a person to look at: every field masked as far as it must be.
//!
//! Fields are shown only if they are known to be harmless; private and reserved fields are not. Not here: the
//! live trace itself.

use crate::de48;
use crate::message::Message;

/// The fields of a message, in order, each with a value that may be seen: the PAN as its first six and last four
/// digits, field 48 as tags with hidden values (02 and 15 are shown), secrets and private fields as `****`.
pub fn masked(message: &Message) -> Vec<(u8, String)> {
    let tagged = |field| match message.bytes(field).map(de48::parse) {
        Some(Ok(tags)) if field == 48 => tags.masked(),
        _ => masked_field(message, field),
    };
    message.fields().map(|field| (field, tagged(field))).collect()
}

const HIDDEN: &str = "****";

/// One field as it may be logged.
pub(crate) fn masked_field(message: &Message, field: u8) -> String {
    let Some(bytes) = message.bytes(field) else { return String::new() };
    match field {
        2 => masked_pan(bytes),
        // A transfer's card is masked as the payer's is; an account, which may be short or say more, is hidden.
        103 if (16..=19).contains(&bytes.len()) => masked_pan(bytes),
        // Expiry, PIN, keys, tracks, accounts, chip data; and what the parties put into the fields reserved for them, which
        // nobody here knows.
        14 | 34..=36 | 45..=48 | 52 | 53 | 55..=63 | 96 | 102 | 103..=127 => HIDDEN.to_owned(),
        _ => match message.get(field) {
            Some(text) => printable(text),
            None => {
                let mut hex = Vec::with_capacity(bytes.len() * 2);
                crate::bcd::hex(bytes, &mut hex);
                hex.into_iter().map(char::from).collect()
            }
        },
    }
}

/// First six and last four digits; nothing of what is too short to hide between them.
fn masked_pan(pan: &[u8]) -> String {
    match std::str::from_utf8(pan) {
        Ok(digits) if digits.len() >= 13 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{}{HIDDEN}{}", &digits[..6], &digits[digits.len() - 4..])
        }
        _ => HIDDEN.to_owned(),
    }
}

/// Text with whatever could disturb a terminal or a page's direction replaced by a dot.
pub fn printable(text: &str) -> String {
    let disturbs = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    text.chars().map(|c| if disturbs(c) { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mti;

    fn check(field: u8, value: &[u8], expect: &str) {
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(field, value);
        assert_eq!(masked(&message), [(field, expect.to_owned())]);
    }

    #[test]
    fn a_pan_shows_six_and_four() {
        check(2, b"6104337000000016", "610433****0016");
        check(2, b"6104337000019", "610433****0019");
        check(2, b"610433700001", "****");
        check(2, b"", "****");
        check(2, &[0xFF; 16], "****");
    }

    #[test]
    fn field_48_shows_its_tags_but_not_their_values() {
        check(48, b"01003777", "01=****");
        check(48, "02001D10006رمز15009wrong_pin".as_bytes(), "02=D 10=**** 15=wrong_pin");
        check(48, b"0100377", "****");
        check(48, b"02004\x1b[2J", "02=·[2J");
    }

    #[test]
    fn secrets_and_private_fields_are_hidden() {
        let hidden =
            [14, 34, 35, 36, 45, 46, 47, 52, 53, 55, 56, 60, 61, 62, 63, 96, 102, 104, 105, 120, 127];
        for field in hidden {
            check(field, b"5022291000000014", "****");
        }
    }

    #[test]
    fn a_transfers_card_is_masked_and_an_account_is_hidden() {
        check(103, b"5022291000000014", "502229****0014");
        check(103, b"IR06216000000010", "****");
        check(103, b"0100123456789", "****");
    }

    #[test]
    fn the_rest_is_shown_printable() {
        check(4, b"000001250000", "000001250000");
        check(39, b"55", "55");
        check(43, "فروشگاه\u{202E}\n".as_bytes(), "فروشگاه··");
        check(64, &[0xAB; 8], "ABABABABABABABAB");
        check(43, &[0xFF, 0x01], "FF01");
    }
}
