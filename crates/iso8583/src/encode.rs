//! Message to bytes. A field that was decoded under the same layout and not set since is copied as it was, so
//! that odd paddings and cases survive.
//!
//! Not here: framing, MAC generation.

use crate::MAX_MESSAGE_BYTES;
use crate::bcd;
use crate::class::{Class, kind};
use crate::error::{EncodeError, Place};
use crate::layout::{Bytes, Digits, Form, Layout, Length, Size, Spec};
use crate::message::Message;

/// Writes one whole message; the secondary bitmap goes in when a field above 64 is present.
///
/// # Errors
/// A field that the layout does not have, or whose content has another class or length than it wants; a message
/// longer than [`MAX_MESSAGE_BYTES`]. The error names the field and never holds content.
pub fn encode(layout: &Layout, message: &Message) -> Result<Vec<u8>, EncodeError> {
    if let Some(field) = message.misplaced() {
        return Err(wrong(Place::Field(field), "a field from 2 to 128", "its number"));
    }
    if message.is_as_read(layout) {
        return Ok(message.raw().to_vec());
    }
    let mut out = Vec::with_capacity(bound(layout, message));

    match layout.mti {
        Digits::Ascii => out.extend_from_slice(&message.mti().digits()),
        Digits::Bcd => bcd::pack(&message.mti().digits(), bcd::Pad::LeftZero, &mut out),
    }
    let present = message.present();
    let secondary = present as u64;
    let primary = (present >> 64) as u64 | if secondary == 0 { 0 } else { 1 << 63 };
    for bitmap in [Some(primary), (secondary != 0).then_some(secondary)].into_iter().flatten() {
        match layout.bitmap {
            Bytes::Hex => bcd::hex(&bitmap.to_be_bytes(), &mut out),
            Bytes::Binary => out.extend_from_slice(&bitmap.to_be_bytes()),
        }
    }

    // Fields that stand one behind the other in what was read are copied at once.
    let mut run = 0..0;
    for (field, content, wire) in message.parts(layout.id()) {
        if let Some(wire) = wire {
            if wire.start == run.end {
                run.end = wire.end;
            } else {
                out.extend_from_slice(&message.raw()[run]);
                run = wire;
            }
        } else {
            out.extend_from_slice(&message.raw()[run]);
            run = 0..0;
            let place = Place::Field(field);
            let spec =
                layout.spec(field).ok_or_else(|| wrong(place, "only fields of the layout", "this one"))?;
            write(spec, content, place, &mut out)?;
        }
        if out.len() + run.len() > MAX_MESSAGE_BYTES {
            let expected = format!("at most {MAX_MESSAGE_BYTES} bytes");
            return Err(wrong(Place::Message, expected, format!("more by field {field}")));
        }
    }
    out.extend_from_slice(&message.raw()[run]);
    Ok(out)
}

/// Room for the whole message (hex doubles), so that it is not moved while it grows: that would leave copies of
/// secrets behind. A message that is refused for its length may still move.
fn bound(layout: &Layout, message: &Message) -> usize {
    let fields = message.present().count_ones() as usize;
    let contents = if message.was_read_by(layout) {
        message.raw().len() + message.own_bytes() * 2
    } else {
        message.parts(layout.id()).map(|(_, content, _)| content.len() * 2).sum()
    };
    4 + 32 + fields * 3 + contents.min(MAX_MESSAGE_BYTES)
}

fn write(spec: &Spec, content: &[u8], place: Place, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let per_byte = if matches!(spec.form, Form::Hex) { 2 } else { 1 };
    let units = content.len() * per_byte;
    match spec.size {
        Size::Fixed(want) if want != units => {
            let unit = if spec.class == Class::Bytes { "bytes" } else { "characters" };
            return Err(wrong(place, format!("{} {unit}", want / per_byte), content.len().to_string()));
        }
        Size::UpTo { max, .. } if units > max => {
            return Err(wrong(place, format!("at most {} bytes", max / per_byte), content.len().to_string()));
        }
        Size::Fixed(_) => {}
        Size::UpTo { digits, length, .. } => write_length(units, digits, length, out),
    }
    spec.class.check(content).map_err(|at| wrong(place, spec.class.expected(), kind(content.get(at))))?;
    match spec.form {
        Form::Plain => out.extend_from_slice(content),
        Form::Hex => bcd::hex(content, out),
        Form::Packed(pad) => bcd::pack(content, pad, out),
        Form::SignPacked(pad) => {
            let (sign, digits) = content.split_at(1);
            out.extend_from_slice(sign);
            bcd::pack(digits, pad, out);
        }
    }
    Ok(())
}

/// Writes a length that the layout has made sure fits its digits.
fn write_length(units: usize, digits: usize, length: Length, out: &mut Vec<u8>) {
    let [thousands, hundreds, tens, ones] =
        [units / 1000 % 10, units / 100 % 10, units / 10 % 10, units % 10].map(|digit| digit as u8);
    let written = match length {
        Length::Ascii => [thousands, hundreds, tens, ones].map(|digit| b'0' + digit),
        Length::Bcd => [0, 0, thousands << 4 | hundreds, tens << 4 | ones],
        Length::Binary => (units as u32).to_be_bytes(),
    };
    out.extend_from_slice(&written[4 - length.width(digits)..]);
}

#[cold]
fn wrong(place: Place, expected: impl Into<String>, found: impl Into<String>) -> EncodeError {
    EncodeError { place, expected: expected.into(), found: found.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mti, decode};

    fn check(layout: &Layout, field: u8, value: &[u8], expect: Result<&[u8], &str>) {
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(field, value);
        match (encode(layout, &message), expect) {
            (Ok(wire), Ok(expect)) => {
                assert!(wire.ends_with(expect), "field {field}: {wire:02X?}");
                let read = decode(layout, &wire).unwrap();
                assert_eq!((&read, read.bytes(field)), (&message, Some(value)));
                let rest = read.span(field).unwrap();
                assert_eq!((&wire[rest.clone()], rest.end), (expect, wire.len()));
            }
            (Err(error), Err(expect)) => assert_eq!(error.to_string(), expect),
            (found, expect) => panic!("field {field}: expected {expect:?}, found {found:?}"),
        }
    }

    #[test]
    fn what_a_layout_cannot_express_is_refused_by_field() {
        let ascii = Layout::named("ascii").unwrap();
        let wrong = |field, value: &[u8], expect| check(&ascii, field, value, Err(expect));
        wrong(0, b"", "field 0 (reserved): expected a field from 2 to 128, found its number");
        wrong(1, b"", "field 1 (secondary bitmap): expected a field from 2 to 128, found its number");
        wrong(65, &[0; 8], "field 65 (tertiary bitmap): expected only fields of the layout, found this one");
        wrong(3, b"00000", "field 3 (processing code): expected 6 characters, found 5");
        wrong(3, b"00000x", "field 3 (processing code): expected digits, found a letter");
        wrong(2, &[b'6'; 20], "field 2 (primary account number): expected at most 19 bytes, found 20");
        wrong(52, &[0; 7], "field 52 (PIN data): expected 8 bytes, found 7");
        wrong(55, &[0; 256], "field 55 (chip data): expected at most 255 bytes, found 256");
        wrong(
            28,
            b"X00000000",
            "field 28 (amount, transaction fee): expected C or D, then digits, found a letter",
        );
        wrong(
            48,
            &[0xD9],
            "field 48 (additional data, private): expected UTF-8 text, found the end of the field",
        );
        wrong(
            48,
            "آ".repeat(500).as_bytes(),
            "field 48 (additional data, private): expected at most 999 bytes, found 1000",
        );
        wrong(63, &[0; 1000], "field 63 (reserved): expected at most 999 bytes, found 1000");
    }

    #[test]
    fn packed_fields_are_written_and_read() {
        let bcd = Layout::named("bcd").unwrap();
        check(&bcd, 2, b"610433700000001", Ok(&[0x15, 0x61, 0x04, 0x33, 0x70, 0x00, 0x00, 0x00, 0x1F]));
        check(&bcd, 22, b"012", Ok(&[0x00, 0x12]));
        check(&bcd, 28, b"D00000100", Ok(&[b'D', 0x00, 0x00, 0x01, 0x00]));
        check(&bcd, 32, b"58167", Ok(&[0x05, 0x05, 0x81, 0x67]));
        check(&bcd, 35, b"12=3?", Ok(&[0x05, 0x12, 0xD3, 0xFF]));
        check(&bcd, 52, &[0xAB; 8], Ok(&[0xAB; 8]));
        check(&bcd, 55, &[0xFF; 2], Ok(&[0x00, 0x02, 0xFF, 0xFF]));
        check(&bcd, 48, "رمز".as_bytes(), Ok(&[0x00, 0x06, 0xD8, 0xB1, 0xD9, 0x85, 0xD8, 0xB2]));
    }

    #[test]
    fn a_field_can_be_written_otherwise_than_the_rest() {
        let layout = Layout::from_toml(
            "name = 'mixed'\nmti = 'bcd'\nbitmap = 'hex'\nlength = 'binary'\ndigits = 'ascii'\nbytes = 'hex'\n\
             [fields]\n2 = 'n ..19'\n32 = { is = 'n ..11', digits = 'bcd', pad = 'right-f', length = 'ascii' }\n\
             40 = 'a 3'\n48 = 'utf8 ...999'\n55 = { is = 'b ..200', bytes = 'binary' }\n64 = 'b 64'\n",
        )
        .unwrap();
        check(&layout, 2, b"6104", Ok(&[4, b'6', b'1', b'0', b'4']));
        check(&layout, 32, b"581", Ok(&[b'0', b'3', 0x58, 0x1F]));
        check(&layout, 40, b"AB ", Ok(b"AB "));
        check(&layout, 48, &[b'x'; 300], Ok(&[&[1, 44][..], &[b'x'; 300]].concat()));
        check(&layout, 55, &[7; 200], Ok(&[&[200][..], &[7; 200]].concat()));
        check(&layout, 64, &[0xAB; 8], Ok(b"ABABABABABABABAB"));
        check(&layout, 55, &[7; 201], Err("field 55 (chip data): expected at most 200 bytes, found 201"));
    }

    #[test]
    fn nothing_is_moved_while_it_is_written() {
        for name in ["ascii", "bcd"] {
            let layout = Layout::named(name).unwrap();
            let mut message = Message::new(Mti::FINANCIAL);
            message.set(2, "6104337000000016");
            message.set(48, "x".repeat(999));
            message.set(55, [1; 255]);
            message.set(128, [1; 8]);
            let (wire, bound) = (encode(&layout, &message).unwrap(), bound(&layout, &message));
            assert!(wire.len() <= bound && wire.capacity() >= bound, "{name}: {} of {bound}", wire.len());
        }
    }
}
