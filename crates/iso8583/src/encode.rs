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
    // Enough for all (hex doubles), taken once: growing would leave copies of secrets behind.
    let most =
        message.parts(layout.id()).map(|(_, content, wire)| wire.map_or(3 + content.len() * 2, <[u8]>::len));
    let mut out = Vec::with_capacity(4 + 32 + most.sum::<usize>().min(2 * MAX_MESSAGE_BYTES));

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

    for (field, content, wire) in message.parts(layout.id()) {
        let place = Place::Field(field);
        if let Some(wire) = wire {
            out.extend_from_slice(wire);
        } else {
            let spec =
                layout.spec(field).ok_or_else(|| wrong(place, "only fields of the layout", "this one"))?;
            write(spec, content, place, &mut out)?;
        }
        if out.len() > MAX_MESSAGE_BYTES {
            let expected = format!("at most {MAX_MESSAGE_BYTES} bytes");
            return Err(wrong(Place::Message, expected, format!("more by field {field}")));
        }
    }
    Ok(out)
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

fn wrong(place: Place, expected: impl Into<String>, found: impl Into<String>) -> EncodeError {
    EncodeError { place, expected: expected.into(), found: found.into() }
}
