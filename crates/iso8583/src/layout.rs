//! A layout: what each field may hold and how it looks on the wire.
//!
//! Field notation is the standard's (ISO 8583:1987, 4.2): `n 6` six digits, `n ..19` up to 19 with a
//! two-digit length, `ans ...999` with a three-digit one, `x+n 8` a sign and eight digits, `b 64` bits,
//! `b ...255` bytes. Not here: reading that notation (`written`), and the fields' names (`field`), which do not
//! change with the layout.

mod written;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use crate::bcd::Pad;
use crate::class::Class;
use crate::encode;
use crate::error::{EncodeError, LayoutError};
use crate::message::Message;
use crate::mti::Mti;
use written::Read;

/// How messages of one network look on the wire. Read once, shared, never changed.
#[derive(Debug, Clone)]
pub struct Layout {
    name: String,
    id: u64,
    pub(crate) mti: Digits,
    pub(crate) bitmap: Bytes,
    fields: Vec<Option<Spec>>,
    packs_digits: bool,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) class: Class,
    pub(crate) size: Size,
    pub(crate) form: Form,
}

/// How much a field holds, in units as the wire counts them: digits, characters, or hex digits (`Form::Hex`).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    Fixed(usize),
    UpTo { max: usize, digits: usize, length: Length },
}

/// How a field's content is packed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// As it is, a byte a unit.
    Plain,
    /// Digits, two to a byte.
    Packed(Pad),
    /// A sign byte, then digits, two to a byte.
    SignPacked(Pad),
    /// Bytes written as hex digits; the length counts these.
    Hex,
}

/// How digits are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Digits {
    Ascii,
    Bcd,
}

/// How bytes (and bitmaps) are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bytes {
    Hex,
    Binary,
}

/// How a length before a field is written: two or three digits in as many bytes (ASCII) or in one or two
/// (BCD; a big-endian number).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    Ascii,
    Bcd,
    Binary,
}

static ASCII: LazyLock<Arc<Layout>> = LazyLock::new(|| {
    Arc::new(Layout::from_toml(written::ASCII).expect("the shipped layout is valid; a test reads it"))
});
static BCD: LazyLock<Arc<Layout>> = LazyLock::new(|| {
    Arc::new(Layout::from_toml(written::BCD).expect("the shipped layout is valid; a test reads it"))
});

impl Layout {
    /// A layout that is compiled in: `ascii` or `bcd`. `None` for any other name.
    pub fn named(name: &str) -> Option<Arc<Self>> {
        match name {
            "ascii" => Some(Arc::clone(&ASCII)),
            "bcd" => Some(Arc::clone(&BCD)),
            _ => None,
        }
    }

    /// Reads a layout; the README says how one is written.
    ///
    /// # Errors
    /// Not TOML, an unknown or missing key, or a field that is described in a way not understood.
    pub fn from_toml(text: &str) -> Result<Self, LayoutError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Read { name, mti, bitmap, fields } = written::read(text)?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let packs_digits =
            fields.iter().flatten().any(|spec| matches!(spec.form, Form::Packed(_) | Form::SignPacked(_)));
        Ok(Self { name, id, mti, bitmap, fields, packs_digits })
    }

    /// Whether a field can hold this content: what a role needs can be tried before the first message comes.
    ///
    /// # Errors
    /// The layout does not have the field, or wants other content or another length.
    pub fn takes(&self, field: u8, content: &[u8]) -> Result<(), EncodeError> {
        let mut probe = Message::new(Mti::NETWORK);
        probe.set(field, content);
        encode(self, &probe).map(|_| ())
    }

    /// The name that the layout gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells layouts apart within the process, so that raw spans are reused only under the layout they came from.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether any field has two digits in a byte.
    pub(crate) fn packs_digits(&self) -> bool {
        self.packs_digits
    }

    pub(crate) fn spec(&self, field: u8) -> Option<&Spec> {
        self.fields.get(usize::from(field)).and_then(Option::as_ref)
    }
}

impl Length {
    /// How many bytes a length of two or three digits takes.
    pub(crate) fn width(self, digits: usize) -> usize {
        match self {
            Self::Ascii => digits,
            Self::Bcd | Self::Binary => digits - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_layouts_cover_every_field_but_the_third_bitmap() {
        for name in ["ascii", "bcd"] {
            let layout = Layout::named(name).unwrap();
            assert_eq!(layout.name(), name);
            for field in (2..=128).filter(|&field| field != 65) {
                assert!(layout.spec(field).is_some(), "{name} field {field}");
            }
            assert!(layout.spec(65).is_none(), "{name} would misread a third bitmap");
            assert!(layout.spec(0).is_none() && layout.spec(1).is_none() && layout.spec(129).is_none());
        }
        assert!(Layout::named("ebcdic").is_none());
    }

    #[test]
    fn what_a_role_needs_can_be_tried_beforehand() {
        let bcd = Layout::named("bcd").unwrap();
        assert_eq!(bcd.takes(52, &[0; 8]), Ok(()));
        assert_eq!(
            bcd.takes(52, &[0; 16]).unwrap_err().to_string(),
            "field 52 (PIN data): expected 8 bytes, found 16"
        );
        assert!(bcd.takes(65, &[0; 8]).is_err());
    }
}
