//! Bytes to message. Every length is checked before it is used, and nothing is held but one copy of the bytes
//! and what had to be unpacked.
//!
//! Not here: framing, MAC verification.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::MAX_MESSAGE_BYTES;
use crate::bcd;
use crate::class::kind;
use crate::error::{DecodeError, Place};
use crate::layout::{Bytes, Digits, Form, Layout, Length, Size, Spec};
use crate::message::{Found, Message};
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
    let primary = wire.bitmap(layout.bitmap, Place::Bitmap)?;
    let secondary = if primary >> 63 == 1 { wire.bitmap(layout.bitmap, Place::SecondaryBitmap)? } else { 0 };
    let present = (u128::from(primary & !(1 << 63)) << 64) | u128::from(secondary);

    let mut message = Message::decoding(mti, Zeroizing::new(bytes.to_vec()), present, layout.id());
    let mut unpacked = Zeroizing::new(Vec::new());
    for field in message.fields() {
        let place = Place::Field(field);
        let spec = layout.spec(field).ok_or_else(|| {
            wrong(place, wire.at, "only fields of the layout".into(), "its bit in the bitmap".into())
        })?;
        let start = wire.at;
        let units = wire.units(spec, place)?;
        let found = wire.content(spec, units, place, &mut unpacked)?;
        let text = spec.class != crate::class::Class::Bytes;
        message.push(start..wire.at, found, text);
    }
    if wire.at != bytes.len() {
        let left = bytes.len() - wire.at;
        return Err(wrong(Place::Message, wire.at, "its end".into(), format!("{left} more bytes")));
    }
    message.unpacked(unpacked);
    Ok(message)
}

struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Wire<'a> {
    fn take(&mut self, count: usize, place: Place) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        match rest.get(..count) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => {
                Err(wrong(place, self.at, format!("{count} bytes"), format!("the end after {}", rest.len())))
            }
        }
    }

    fn mti(&mut self, digits: Digits) -> Result<Mti, DecodeError> {
        let start = self.at;
        let mut text = Vec::with_capacity(4);
        match digits {
            Digits::Ascii => text.extend_from_slice(self.take(4, Place::Mti)?),
            Digits::Bcd => {
                let packed = self.take(2, Place::Mti)?;
                bcd::unpack(packed, 4, bcd::Pad::LeftZero, &mut text)
                    .expect("an even number of digits has no pad");
            }
        }
        let digits = <[u8; 4]>::try_from(&text[..]).expect("four were taken");
        Mti::from_digits(digits).ok_or_else(|| {
            let at = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(0);
            let offset = start + at * (self.at - start) / 4;
            wrong(Place::Mti, offset, "four digits".into(), kind(self.bytes.get(offset)).into())
        })
    }

    fn bitmap(&mut self, form: Bytes, place: Place) -> Result<u64, DecodeError> {
        let start = self.at;
        let mut bitmap = [0; 8];
        match form {
            Bytes::Binary => bitmap.copy_from_slice(self.take(8, place)?),
            Bytes::Hex => {
                let text = self.take(16, place)?;
                let mut bytes = Vec::with_capacity(8);
                bcd::unhex(text, &mut bytes).map_err(|at| {
                    wrong(place, start + at, "16 hex digits".into(), kind(text.get(at)).into())
                })?;
                bitmap.copy_from_slice(&bytes);
            }
        }
        Ok(u64::from_be_bytes(bitmap))
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
            wrong(place, start + at, format!("a length of {digits} digits"), kind(taken.get(at)).into())
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

    fn content(
        &mut self,
        spec: &Spec,
        units: usize,
        place: Place,
        unpacked: &mut Vec<u8>,
    ) -> Result<Found, DecodeError> {
        let start = self.at;
        let class = spec.class;
        let of_class = |offset: usize, found: Option<&u8>| {
            wrong(place, offset, class.expected().into(), kind(found).into())
        };
        let count = match spec.form {
            Form::Plain | Form::Hex => units,
            Form::Packed(_) => bcd::packed_len(units),
            Form::SignPacked(_) => 1 + bcd::packed_len(units.saturating_sub(1)),
        };
        let taken = self.take(count, place)?;
        let whole = |range: Range<usize>| Found::Raw(range);
        let from = unpacked.len();
        match spec.form {
            Form::Plain => {
                class.check(taken).map_err(|at| of_class(start + at, taken.get(at)))?;
                return Ok(whole(start..self.at));
            }
            Form::Hex => {
                self.room(unpacked);
                bcd::unhex(taken, unpacked).map_err(|at| {
                    wrong(place, start + at, "hex digits in pairs".into(), kind(taken.get(at)).into())
                })?;
                return Ok(Found::Unpacked(from..unpacked.len()));
            }
            Form::Packed(pad) => {
                self.room(unpacked);
                bcd::unpack(taken, units, pad, unpacked).map_err(|at| not_a_pad(place, start + at))?;
            }
            Form::SignPacked(pad) => {
                self.room(unpacked);
                unpacked.push(taken[0]);
                bcd::unpack(&taken[1..], units.saturating_sub(1), pad, unpacked)
                    .map_err(|at| not_a_pad(place, start + 1 + at))?;
            }
        }
        class.check(&unpacked[from..]).map_err(|at| {
            // A digit's byte on the wire: half of its position (its pad aside), after the sign if there is one.
            let offset = (start + at.div_ceil(2)).min(self.at.saturating_sub(1));
            wrong(place, offset, class.expected().into(), "a half-byte above 9".into())
        })?;
        Ok(Found::Unpacked(from..unpacked.len()))
    }

    /// Room for all that the rest of the message can unpack to, taken once: growing would leave copies behind.
    fn room(&self, unpacked: &mut Vec<u8>) {
        if unpacked.capacity() == 0 {
            unpacked.reserve_exact(self.bytes.len() * 2);
        }
    }
}

fn not_a_pad(place: Place, offset: usize) -> DecodeError {
    wrong(place, offset, "0 or F as padding".into(), "another half-byte".into())
}

fn wrong(place: Place, offset: usize, expected: String, found: String) -> DecodeError {
    DecodeError { place, offset, expected, found }
}
