//! Bytes to message. Every length is checked before it is used, and nothing is held but one copy of the bytes
//! and what had to be unpacked.
//!
//! Not here: framing, MAC verification.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::MAX_MESSAGE_BYTES;
use crate::bcd;
use crate::class::{Class, kind};
use crate::error::{DecodeError, Place};
use crate::layout::{Bytes, Digits, Form, Layout, Length, Size, Spec};
use crate::message::{Message, fields_of};
use crate::mti::Mti;

/// Reads one whole message.
///
/// # Errors
/// Anything that the layout does not allow: too short or too long, a field that the layout does not have,
/// content of another class, bytes left over. The error names field and offset and never holds content.
pub fn decode(layout: &Layout, bytes: &[u8]) -> Result<Message, DecodeError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(wrong(
            Place::Message,
            MAX_MESSAGE_BYTES,
            format!("at most {MAX_MESSAGE_BYTES} bytes"),
            format!("{} bytes", bytes.len()),
        ));
    }
    let mut wire = Wire { bytes, at: 0 };
    let mti = wire.mti(layout.mti)?;
    let mti_end = wire.at;
    let primary = wire.bitmap(layout.bitmap, Place::Bitmap)?;
    let secondary = if primary >> 63 == 1 { wire.bitmap(layout.bitmap, Place::SecondaryBitmap)? } else { 0 };
    let present = (u128::from(primary & !(1 << 63)) << 64) | u128::from(secondary);

    let mut message = Message::decoding(mti, present, layout.id());
    // The bytes, and room for all that they can unpack to (digits double, hex halves): growing would leave copies behind.
    let unpacks_to = if layout.packs_digits() { bytes.len() * 2 } else { bytes.len() / 2 };
    let mut buffer = Zeroizing::new(Vec::with_capacity(bytes.len() + unpacks_to));
    buffer.extend_from_slice(bytes);
    for field in fields_of(present) {
        let place = Place::Field(field);
        let spec = layout.spec(field).ok_or_else(|| unknown(layout, mti_end, field))?;
        let start = wire.at;
        let units = wire.units(spec, place)?;
        let content = wire.content(spec, units, place, &mut buffer)?;
        let text = spec.class != Class::Bytes;
        message.push(start..wire.at, content, text);
    }
    if wire.at != bytes.len() {
        let left = bytes.len() - wire.at;
        return Err(wrong(Place::Message, wire.at, "its end".into(), format!("{left} more bytes")));
    }
    debug_assert!(buffer.len() <= bytes.len() + unpacks_to, "contents were moved, and left copies behind");
    message.decoded(buffer, bytes.len());
    Ok(message)
}

struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Wire<'a> {
    #[inline]
    fn take(&mut self, count: usize, place: Place) -> Result<&'a [u8], DecodeError> {
        match self.bytes.get(self.at..self.at + count) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(self.cut(count, place)),
        }
    }

    #[cold]
    fn cut(&self, count: usize, place: Place) -> DecodeError {
        let left = self.bytes.len() - self.at;
        wrong(place, self.at, format!("{count} bytes"), format!("the end after {left}"))
    }

    fn mti(&mut self, form: Digits) -> Result<Mti, DecodeError> {
        let start = self.at;
        let digits = match form {
            Digits::Ascii => {
                let taken = self.take(4, Place::Mti)?;
                [taken[0], taken[1], taken[2], taken[3]]
            }
            Digits::Bcd => {
                let taken = self.take(2, Place::Mti)?;
                [taken[0] >> 4, taken[0] & 0x0F, taken[1] >> 4, taken[1] & 0x0F].map(|half| b'0' + half)
            }
        };
        Mti::from_digits(digits).ok_or_else(|| {
            let at = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
            let (at, found) = match form {
                Digits::Ascii => (at, kind(digits.get(at))),
                Digits::Bcd => (at / 2, ABOVE_9),
            };
            wrong(Place::Mti, start + at, "four digits".into(), found.into())
        })
    }

    fn bitmap(&mut self, form: Bytes, place: Place) -> Result<u64, DecodeError> {
        let start = self.at;
        let taken = self.take(if matches!(form, Bytes::Hex) { 16 } else { 8 }, place)?;
        let mut bitmap = 0;
        for (at, byte) in taken.iter().enumerate() {
            bitmap = match form {
                Bytes::Binary => bitmap << 8 | u64::from(*byte),
                Bytes::Hex => {
                    let half = bcd::half_of(*byte).ok_or_else(|| {
                        wrong(place, start + at, "16 hex digits".into(), kind(Some(byte)).into())
                    })?;
                    bitmap << 4 | u64::from(half)
                }
            };
        }
        Ok(bitmap)
    }

    /// How many units the field has, from the layout or from the length on the wire.
    fn units(&mut self, spec: &Spec, place: Place) -> Result<usize, DecodeError> {
        let (max, digits, length) = match spec.size {
            Size::Fixed(units) => return Ok(units),
            Size::UpTo { max, digits, length } => (max, digits, length),
        };
        let start = self.at;
        let taken = self.take(length.width(digits), place)?;
        let not_digits = |at: usize| {
            let found = if matches!(length, Length::Bcd) { ABOVE_9 } else { kind(taken.get(at)) };
            wrong(place, start + at, format!("a length of {digits} digits"), found.into())
        };
        let mut units = 0;
        for (at, &byte) in taken.iter().enumerate() {
            units = match length {
                Length::Ascii if byte.is_ascii_digit() => units * 10 + usize::from(byte - b'0'),
                Length::Bcd if byte >> 4 <= 9 && byte & 0x0F <= 9 => {
                    units * 100 + usize::from(byte >> 4) * 10 + usize::from(byte & 0x0F)
                }
                Length::Binary => units * 256 + usize::from(byte),
                Length::Ascii | Length::Bcd => return Err(not_digits(at)),
            };
        }
        if units > max {
            return Err(wrong(place, start, format!("a length of at most {max}"), format!("{units}")));
        }
        Ok(units)
    }

    /// Where the field's content lies in the buffer, behind whose end it is put if it has to be unpacked.
    fn content(
        &mut self,
        spec: &Spec,
        units: usize,
        place: Place,
        buffer: &mut Vec<u8>,
    ) -> Result<Range<usize>, DecodeError> {
        let start = self.at;
        let class = spec.class;
        let from = buffer.len();
        let not_of_class =
            |at: usize, found: &str| wrong(place, start + at, class.expected().into(), found.into());
        match spec.form {
            Form::Plain => {
                let taken = self.take(units, place)?;
                class.check(taken).map_err(|at| not_of_class(at, kind(taken.get(at))))?;
                return Ok(start..self.at);
            }
            Form::Hex => {
                let taken = self.take(units, place)?;
                bcd::unhex(taken, buffer).map_err(|at| {
                    wrong(place, start + at, "hex digits in pairs".into(), kind(taken.get(at)).into())
                })?;
            }
            Form::Packed(pad) => {
                let taken = self.take(bcd::packed_len(units), place)?;
                bcd::unpack(taken, units, pad, buffer).map_err(|at| not_a_pad(place, start + at))?;
                class
                    .check(&buffer[from..])
                    .map_err(|at| not_of_class(bcd::byte_of(at, units, pad), ABOVE_9))?;
            }
            Form::SignPacked(pad) => {
                // The layout has made sure of a fixed size: a sign and at least one digit.
                let digits = units - 1;
                let taken = self.take(1 + bcd::packed_len(digits), place)?;
                buffer.push(taken[0]);
                bcd::unpack(&taken[1..], digits, pad, buffer)
                    .map_err(|at| not_a_pad(place, start + 1 + at))?;
                class.check(&buffer[from..]).map_err(|at| match at {
                    0 => not_of_class(0, kind(taken.first())),
                    _ => not_of_class(1 + bcd::byte_of(at - 1, digits, pad), ABOVE_9),
                })?;
            }
        }
        Ok(from..buffer.len())
    }
}

const ABOVE_9: &str = "a half-byte above 9";

/// A field that the layout has not; the offset is that of its bit, the bitmaps being one after the other.
#[cold]
fn unknown(layout: &Layout, bitmaps: usize, field: u8) -> DecodeError {
    let bits_per_byte = if matches!(layout.bitmap, Bytes::Hex) { 4 } else { 8 };
    let offset = bitmaps + (usize::from(field) - 1) / bits_per_byte;
    wrong(Place::Field(field), offset, "only fields of the layout".into(), "its bit in the bitmap".into())
}

#[cold]
fn not_a_pad(place: Place, offset: usize) -> DecodeError {
    wrong(place, offset, "0 or F as padding".into(), "another half-byte".into())
}

#[cold]
fn wrong(place: Place, offset: usize, expected: String, found: String) -> DecodeError {
    DecodeError { place, offset, expected, found }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::encode;

    /// Fields 2, 48, 52 (in lower case), 64 and 128.
    const WIRE: &str = concat!(
        "0200C0000000000110010000000000000001",
        "166104337000000016",
        "00602001D",
        "3a0f5c9e71d2b846",
        "00112233AABBCCDD",
        "8877665544332211"
    );

    fn ascii() -> Arc<Layout> {
        Layout::named("ascii").unwrap()
    }

    #[test]
    fn spans_say_where_fields_lie_for_a_mac() {
        let message = decode(&ascii(), WIRE.as_bytes()).unwrap();
        assert_eq!(message.span(2), Some(36..54));
        assert_eq!(&WIRE[message.span(48).unwrap()], "00602001D");
        assert_eq!(&WIRE[message.span(64).unwrap()], "00112233AABBCCDD");
        assert_eq!(message.span(128), Some(95..111));
        assert_eq!((message.span(3), message.span(1), message.span(200)), (None, None, None));
        assert_eq!(message.bytes(64), Some(&[0x00, 0x11, 0x22, 0x33, 0xAA, 0xBB, 0xCC, 0xDD][..]));
        assert_eq!((message.get(48), message.get(52)), (Some("02001D"), None));
    }

    #[test]
    fn what_was_not_set_is_written_as_it_was_read() {
        let mut message = decode(&ascii(), WIRE.as_bytes()).unwrap();
        assert_eq!(encode(&ascii(), &message).unwrap(), WIRE.as_bytes());
        message.set_mti(message.mti().response());
        message.set(39, "00");
        message.set(48, "02001S");
        message.remove(128);
        assert_eq!(message.span(48), None);
        assert_eq!(message.span(52), Some(63..79));
        let written = String::from_utf8(encode(&ascii(), &message).unwrap()).unwrap();
        assert_eq!(
            written,
            concat!(
                "02104000000002011001",
                "166104337000000016",
                "00",
                "00602001S",
                "3a0f5c9e71d2b846",
                "00112233AABBCCDD"
            )
        );
        assert_eq!(message.raw(), WIRE.as_bytes());
    }

    #[test]
    fn bytes_of_another_layout_are_not_reused() {
        let text = include_str!("../layouts/ascii.toml");
        let upper = Layout::from_toml(text).unwrap();
        let message = decode(&ascii(), WIRE.as_bytes()).unwrap();
        let written = String::from_utf8(encode(&upper, &message).unwrap()).unwrap();
        assert_eq!(written, WIRE.replace("3a0f5c9e71d2b846", "3A0F5C9E71D2B846"));
        let bcd = Layout::named("bcd").unwrap();
        assert_eq!(decode(&bcd, &encode(&bcd, &message).unwrap()).unwrap(), message);
    }
}
