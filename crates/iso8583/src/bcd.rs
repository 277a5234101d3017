//! Digits in four bits each, and bytes as hex: the two ways a layout packs what is not plain text.
//!
//! Not here: which field uses which (`layout`).

/// Where the spare half-byte of an odd number of digits goes, and what is written into it. Read, it may be
/// 0 or F wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pad {
    /// Before the digits, 0: `123` is `01 23`.
    LeftZero,
    /// After the digits, F: `123` is `12 3F`.
    RightF,
}

/// How many bytes hold this many digits.
pub(crate) const fn packed_len(digits: usize) -> usize {
    digits.div_ceil(2)
}

/// The byte, of those that hold so many digits, that holds this one.
pub(crate) fn byte_of(digit: usize, digits: usize, pad: Pad) -> usize {
    let shifted = !digits.is_multiple_of(2) && pad == Pad::LeftZero;
    (digit + usize::from(shifted)) / 2
}

/// Appends the digits packed in `wire`, as ASCII; half-bytes A to F become `:` to `?`, the characters of the
/// same low bits, which track data knows and other classes refuse. `Err` is the position of a wrong pad.
pub(crate) fn unpack(wire: &[u8], digits: usize, pad: Pad, into: &mut Vec<u8>) -> Result<(), usize> {
    let split = |byte: u8| [byte >> 4, byte & 0x0F];
    let text = |half: u8| b'0' + half;
    let is_pad = |half: u8| half == 0 || half == 0x0F;
    let (mut pairs, mut last) = (wire, None);
    if !digits.is_multiple_of(2) {
        match (pad, wire) {
            (Pad::LeftZero, [first, rest @ ..]) => {
                let [skipped, digit] = split(*first);
                if !is_pad(skipped) {
                    return Err(0);
                }
                into.push(text(digit));
                pairs = rest;
            }
            (Pad::RightF, [rest @ .., end]) => {
                let [digit, skipped] = split(*end);
                if !is_pad(skipped) {
                    return Err(rest.len());
                }
                (pairs, last) = (rest, Some(text(digit)));
            }
            (_, []) => {}
        }
    }
    into.extend(pairs.iter().flat_map(|byte| split(*byte).map(text)));
    into.extend(last);
    Ok(())
}

/// Appends digits (or track characters; D counts as `=`) packed two to a byte.
pub(crate) fn pack(digits: &[u8], pad: Pad, into: &mut Vec<u8>) {
    let half = |byte: u8| if byte == b'D' { 0x0D } else { byte & 0x0F };
    let mut rest = digits;
    if !digits.len().is_multiple_of(2)
        && pad == Pad::LeftZero
        && let Some((first, after)) = digits.split_first()
    {
        into.push(half(*first));
        rest = after;
    }
    for pair in rest.chunks(2) {
        let low = pair.get(1).map_or(0x0F, |&byte| half(byte));
        into.push(half(pair[0]) << 4 | low);
    }
}

/// Appends bytes as upper-case hex.
pub(crate) fn hex(bytes: &[u8], into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        into.push(DIGITS[usize::from(byte >> 4)]);
        into.push(DIGITS[usize::from(byte & 0x0F)]);
    }
}

/// Appends the bytes of hex text, either case. `Err` is the position of the first character that is not hex,
/// or the length if that is odd.
pub(crate) fn unhex(text: &[u8], into: &mut Vec<u8>) -> Result<(), usize> {
    for (at, pair) in text.chunks(2).enumerate() {
        let high = half_of(pair[0]).ok_or(at * 2)?;
        let low = pair.get(1).ok_or(text.len()).and_then(|&c| half_of(c).ok_or(at * 2 + 1))?;
        into.push(high << 4 | low);
    }
    Ok(())
}

/// The value of a hex digit.
pub(crate) fn half_of(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(digits: &str, pad: Pad, wire: &[u8]) {
        let mut packed = Vec::new();
        pack(digits.as_bytes(), pad, &mut packed);
        assert_eq!(packed, wire, "packed {digits}");
        let mut unpacked = Vec::new();
        unpack(wire, digits.len(), pad, &mut unpacked).unwrap();
        assert_eq!(unpacked, digits.as_bytes(), "unpacked {digits}");
    }

    #[test]
    fn digits_pack_and_unpack() {
        check("", Pad::LeftZero, &[]);
        check("1234", Pad::LeftZero, &[0x12, 0x34]);
        check("1234", Pad::RightF, &[0x12, 0x34]);
        check("123", Pad::LeftZero, &[0x01, 0x23]);
        check("123", Pad::RightF, &[0x12, 0x3F]);
        check("12=34", Pad::RightF, &[0x12, 0xD3, 0x4F]);
        check("7", Pad::LeftZero, &[0x07]);
    }

    #[test]
    fn a_pad_is_0_or_f() {
        let mut digits = Vec::new();
        assert_eq!(unpack(&[0xF1, 0x23], 3, Pad::LeftZero, &mut digits), Ok(()));
        assert_eq!(unpack(&[0x12, 0x30], 3, Pad::RightF, &mut digits), Ok(()));
        assert_eq!(digits, b"123123");
        assert_eq!(unpack(&[0x91, 0x23], 3, Pad::LeftZero, &mut digits), Err(0));
        assert_eq!(unpack(&[0x12, 0x37], 3, Pad::RightF, &mut digits), Err(1));
    }

    #[test]
    fn hex_reads_either_case_and_names_what_is_not_hex() {
        let mut bytes = Vec::new();
        assert_eq!(unhex(b"00fFAb", &mut bytes), Ok(()));
        assert_eq!(bytes, [0, 0xFF, 0xAB]);
        assert_eq!(unhex(b"0g", &mut Vec::new()), Err(1));
        assert_eq!(unhex(b"00 0", &mut Vec::new()), Err(2));
        assert_eq!(unhex(b"000", &mut Vec::new()), Err(3));
        let mut text = Vec::new();
        hex(&[0, 0xFF, 0xAB], &mut text);
        assert_eq!(text, b"00FFAB");
    }
}
