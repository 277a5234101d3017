//! The PIN field both formats share: control nibble, length, digits, fill; eight bytes, before anything is mixed in.

use ramz_domain::{Pin, limits};
use zeroize::Zeroizing;

/// Writes control ‖ length ‖ digits ‖ fill into the first eight bytes.
pub(super) fn write_pin(field: &mut [u8], control: u8, fill: u8, pin: &Pin) {
    let digits = pin.expose().as_bytes();
    let length = u8::try_from(digits.len()).expect("a PIN has at most twelve digits");
    let nibble = |i: usize| match i {
        0 => control,
        1 => length,
        _ => digits.get(i - 2).map_or(fill, |digit| digit - b'0'),
    };
    for (i, byte) in field.iter_mut().take(8).enumerate() {
        *byte = nibble(2 * i) << 4 | nibble(2 * i + 1);
    }
}

/// Reads what [`write_pin`] writes, and nothing else.
pub(super) fn read_pin(field: &[u8], control: u8, fill: u8) -> Option<Pin> {
    let mut nibbles = Zeroizing::new([0; 16]);
    for (pair, byte) in nibbles.chunks_exact_mut(2).zip(field) {
        pair.copy_from_slice(&[byte >> 4, byte & 0x0F]);
    }
    let length = usize::from(nibbles[1]);
    if nibbles[0] != control || !(limits::PIN_DIGITS_MIN..=limits::PIN_DIGITS_MAX).contains(&length) {
        return None;
    }
    let (digits, rest) = nibbles[2..].split_at_mut(length);
    if digits.iter().any(|&digit| digit > 9) || rest.iter().any(|&nibble| nibble != fill) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, expect: Option<&str>) {
        let pin = read_pin(&hex::decode(field).unwrap(), 0, 0xF);
        assert_eq!(pin.as_ref().map(Pin::expose), expect, "{field}");
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
        write_pin(&mut field, 0, 0xF, &Pin::parse("0472013").unwrap());
        assert_eq!(hex::encode(field), "070472013fffffff");
    }
}
