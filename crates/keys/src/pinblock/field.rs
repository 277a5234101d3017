//! The PIN field all formats share: control nibble, length, digits, fill; eight bytes, before anything is mixed in. And the
//! account number field that formats 0 and 3 mix in.

use std::ops::RangeInclusive;

use ramz_domain::{Pan, Pin, limits};
use zeroize::Zeroizing;

/// Nibbles that are left for fill after control, length and the shortest PIN.
pub(super) const FILL_NIBBLES: usize = 14 - limits::PIN_DIGITS_MIN;

/// Writes control ‖ length ‖ digits ‖ fill into the first eight bytes; the fill as far as there is room for it.
pub(super) fn write_pin(field: &mut [u8], control: u8, fill: &[u8; FILL_NIBBLES], pin: &Pin) {
    let digits = pin.expose().as_bytes();
    let length = u8::try_from(digits.len()).expect("a PIN has at most twelve digits");
    let nibble = |i: usize| match i {
        0 => control,
        1 => length,
        _ => digits.get(i - 2).map_or_else(|| fill[i - 2 - digits.len()], |digit| digit - b'0'),
    };
    for (i, byte) in field.iter_mut().take(8).enumerate() {
        *byte = nibble(2 * i) << 4 | nibble(2 * i + 1);
    }
}

/// Reads what [`write_pin`] writes with such a fill, and nothing else.
pub(super) fn read_pin(field: &[u8], control: u8, fill: RangeInclusive<u8>) -> Option<Pin> {
    let mut nibbles = Zeroizing::new([0; 16]);
    for (pair, byte) in nibbles.chunks_exact_mut(2).zip(field) {
        pair.copy_from_slice(&[byte >> 4, byte & 0x0F]);
    }
    let length = usize::from(nibbles[1]);
    if nibbles[0] != control || !(limits::PIN_DIGITS_MIN..=limits::PIN_DIGITS_MAX).contains(&length) {
        return None;
    }
    let (digits, rest) = nibbles[2..].split_at_mut(length);
    if digits.iter().any(|&digit| digit > 9) || rest.iter().any(|nibble| !fill.contains(nibble)) {
        return None;
    }
    digits.iter_mut().for_each(|digit| *digit += b'0');
    Pin::parse(std::str::from_utf8(digits).ok()?).ok()
}

/// Mixes decimal digits into a block, the first at that nibble.
pub(super) fn xor_digits(block: &mut [u8], first_nibble: usize, digits: &str) {
    for (at, digit) in (first_nibble..).zip(digits.bytes()) {
        block[at / 2] ^= (digit - b'0') << if at % 2 == 0 { 4 } else { 0 };
    }
}

/// Mixes in the account number field of formats 0 and 3: `0000` and the twelve rightmost digits of the PAN without its check
/// digit.
pub(super) fn xor_account_number(block: &mut [u8], pan: &Pan) {
    let digits = pan.expose();
    xor_digits(block, 4, &digits[digits.len() - 13..digits.len() - 1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(fill: RangeInclusive<u8>, field: &str, expect: Option<&str>) {
        let pin = read_pin(&hex::decode(field).unwrap(), 0, fill);
        assert_eq!(pin.as_ref().map(Pin::expose), expect, "{field}");
    }

    fn check(field: &str, expect: Option<&str>) {
        check_with(0xF..=0xF, field, expect);
    }

    #[test]
    fn a_fill_may_be_any_of_several() {
        check_with(0xA..=0xF, "041234abcdefabcd", Some("1234"));
        check_with(0xA..=0xF, "0c123456789012af", Some("123456789012"));
        check_with(0xA..=0xF, "041234abcdefabc9", None);
        check_with(0xA..=0xF, "0412349bcdefabcd", None);
    }

    #[test]
    fn a_field_is_read_strictly() {
        check("041234ffffffffff", Some("1234"));
        check("070472013fffffff", Some("0472013"));
        check("0c123456789012ff", Some("123456789012"));
        // Control nibble.
        check("141234ffffffffff", None);
        check("441234ffffffffff", None);
        // Length.
        check("00ffffffffffffff", None);
        check("03123fffffffffff", None);
        check("0d1234567890123f", None);
        check("0f12345678901234", None);
        // A digit that is none.
        check("04123affffffffff", None);
        check("05123fffffffffff", None);
        // Fill.
        check("041234fffffffff0", None);
        check("0412345fffffffff", None);
        check("041234aaaaaaaaaa", None);
    }

    #[test]
    fn a_field_reads_back() {
        let mut field = [0; 8];
        write_pin(&mut field, 0, &[0xF; FILL_NIBBLES], &Pin::parse("0472013").unwrap());
        assert_eq!(hex::encode(field), "070472013fffffff");
        let fill = [0xA, 0xB, 0xC, 0xD, 0xE, 0xF, 0xA, 0xB, 0xC, 0xD];
        write_pin(&mut field, 3, &fill, &Pin::parse("1234").unwrap());
        assert_eq!(hex::encode(field), "341234abcdefabcd");
        write_pin(&mut field, 3, &fill, &Pin::parse("123456789012").unwrap());
        assert_eq!(hex::encode(field), "3c123456789012ab");
    }
}
