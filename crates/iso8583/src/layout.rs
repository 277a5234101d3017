//! A layout: what each field may hold and how it looks on the wire, read from TOML.
//!
//! Field notation is the standard's (ISO 8583:1987, 4.2): `n 6` six digits, `n ..19` up to 19 with a
//! two-digit length, `ans ...999` with a three-digit one, `x+n 8` a sign and eight digits, `b 64` bits,
//! `b ...255` bytes. Not here: the fields' names (`field`), which do not change with the layout.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::bcd::Pad;
use crate::class::Class;
use crate::error::LayoutError;

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
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Digits {
    Ascii,
    Bcd,
}

/// How bytes (and bitmaps) are written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bytes {
    Hex,
    Binary,
}

/// How a length before a field is written: two or three digits in as many bytes (ASCII) or in one or two
/// (BCD; a big-endian number).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Length {
    Ascii,
    Bcd,
    Binary,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum PadName {
    #[serde(rename = "left-0")]
    LeftZero,
    #[serde(rename = "right-f")]
    RightF,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    mti: Digits,
    bitmap: Bytes,
    length: Length,
    digits: Digits,
    bytes: Bytes,
    #[serde(default)]
    pad: Option<PadName>,
    fields: BTreeMap<String, WrittenField>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenField {
    Short(String),
    Long(LongField),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongField {
    is: String,
    length: Option<Length>,
    digits: Option<Digits>,
    bytes: Option<Bytes>,
    pad: Option<PadName>,
}

/// Longest fixed field and longest variable one, in units. Three length digits cannot say more.
const MAX_UNITS: usize = 999;

static ASCII: LazyLock<Arc<Layout>> = LazyLock::new(|| {
    Arc::new(
        Layout::from_toml(include_str!("../layouts/ascii.toml"))
            .expect("the shipped layout is valid; a test reads it"),
    )
});
static BCD: LazyLock<Arc<Layout>> = LazyLock::new(|| {
    Arc::new(
        Layout::from_toml(include_str!("../layouts/bcd.toml"))
            .expect("the shipped layout is valid; a test reads it"),
    )
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
    /// Not TOML, an unknown key, or a field that is described in a way not understood.
    pub fn from_toml(text: &str) -> Result<Self, LayoutError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let written: Written = toml::from_str(text)?;
        let mut fields = vec![None; 129];
        for (number, field) in &written.fields {
            let place =
                number.parse::<u8>().ok().filter(|n| (2..=128).contains(n) && n.to_string() == *number);
            let Some(place) = place else {
                return Err(LayoutError::Field {
                    field: number.clone(),
                    expected: "a number from 2 to 128",
                    found: number.clone(),
                });
            };
            let (expected, found) = match written.spec(field) {
                Ok(spec) => {
                    fields[usize::from(place)] = Some(spec);
                    continue;
                }
                Err(wrong) => wrong,
            };
            return Err(LayoutError::Field { field: number.clone(), expected, found });
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let packs_digits =
            fields.iter().flatten().any(|spec| matches!(spec.form, Form::Packed(_) | Form::SignPacked(_)));
        let Written { name, mti, bitmap, .. } = written;
        Ok(Self { name, id, mti, bitmap, fields, packs_digits })
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

impl Written {
    /// The field as it is coded, or what was expected and found.
    fn spec(&self, field: &WrittenField) -> Result<Spec, (&'static str, String)> {
        let none = LongField { is: String::new(), length: None, digits: None, bytes: None, pad: None };
        let (notation, own) = match field {
            WrittenField::Short(notation) => (notation, &none),
            WrittenField::Long(long) => (&long.is, long),
        };
        let wrong = |expected| (expected, notation.clone());
        let (class, size) = notation
            .split_once(' ')
            .ok_or_else(|| wrong("a class and a size, such as \"n 6\" or \"ans ..28\""))?;
        let class = Class::named(class).ok_or_else(|| wrong("a class: n a an ans x+n z utf8 any b"))?;
        let pad = match own.pad.or(self.pad) {
            None | Some(PadName::LeftZero) => Pad::LeftZero,
            Some(PadName::RightF) => Pad::RightF,
        };
        let form = match (class, own.digits.unwrap_or(self.digits), own.bytes.unwrap_or(self.bytes)) {
            (Class::Digits | Class::Track, Digits::Bcd, _) => Form::Packed(pad),
            (Class::SignedDigits, Digits::Bcd, _) => Form::SignPacked(pad),
            (Class::Bytes, _, Bytes::Hex) => Form::Hex,
            _ => Form::Plain,
        };
        let dots = size.bytes().take_while(|&byte| byte == b'.').count();
        let number = &size[dots..];
        let units = number.parse::<usize>().ok().filter(|&n| n > 0 && n.to_string() == number);
        let mut units = units.ok_or_else(|| wrong("a size from 1, such as 6, ..19 or ...999"))?;
        if class == Class::Bytes && dots == 0 {
            if !units.is_multiple_of(8) {
                return Err(wrong("whole bytes: a number of bits that divides by 8"));
            }
            units /= 8;
        }
        match (class, form) {
            (_, Form::Hex) => units *= 2,
            (Class::SignedDigits, _) => units += 1,
            _ => {}
        }
        if class == Class::SignedDigits && dots != 0 {
            return Err(wrong("a fixed size after x+n"));
        }
        let length = own.length.unwrap_or(self.length);
        let most = match (dots, length) {
            (0, _) => MAX_UNITS,
            (2, Length::Binary) => 255,
            (2, _) => 99,
            (3, _) => MAX_UNITS,
            _ => return Err(wrong("no dots, two or three")),
        };
        if units > most {
            return Err(wrong("a size that its length digits can say"));
        }
        let size =
            if dots == 0 { Size::Fixed(units) } else { Size::UpTo { max: units, digits: dots, length } };
        Ok(Spec { class, size, form })
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

    fn with_field(field: &str) -> Result<Layout, LayoutError> {
        Layout::from_toml(&format!(
            "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\nlength = 'ascii'\ndigits = 'ascii'\nbytes = 'hex'\n[fields]\n{field}"
        ))
    }

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
    fn a_field_that_is_not_understood_is_refused_by_name() {
        for field in [
            "1 = 'n 6'",
            "129 = 'n 6'",
            "02 = 'n 6'",
            "x = 'n 6'",
            "2 = 'n'",
            "2 = 'q 6'",
            "2 = 'n 0'",
            "2 = 'n +6'",
            "2 = 'n 1000'",
            "2 = 'n ..100'",
            "2 = 'n ...1000'",
            "2 = 'n ....99'",
            "2 = 'n .9'",
            "2 = 'n six'",
            "2 = 'b 63'",
            "2 = 'b ...500'",
            "2 = 'x+n ..8'",
        ] {
            let error = with_field(field).unwrap_err();
            assert!(matches!(error, LayoutError::Field { .. }), "{field}: {error}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        for field in ["2 = { is = 'n 6', with = 'love' }", "2 = 6", "2 = { is = 'n 6', digits = 'ebcdic' }"] {
            assert!(matches!(with_field(field), Err(LayoutError::Toml(_))), "{field}");
        }
        assert!(matches!(Layout::from_toml("name = 't'"), Err(LayoutError::Toml(_))));
    }
}
