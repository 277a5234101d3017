//! A layout as it is written: TOML in the standard's notation, to what the codec works with.
//!
//! `like` takes everything that is not said from a shipped layout, so that a bank's file holds only what its network does
//! otherwise. Every error names the key or field, what belongs there and what was found; a layout holds no secrets.

use toml::{Table, Value};

use super::{Bytes, Digits, Form, Length, Size, Spec};
use crate::bcd::Pad;
use crate::class::Class;
use crate::error::LayoutError;

pub(super) const ASCII: &str = include_str!("../../layouts/ascii.toml");
pub(super) const BCD: &str = include_str!("../../layouts/bcd.toml");

/// Longest fixed field and longest variable one, in units. Three length digits cannot say more.
const MAX_UNITS: usize = 999;
/// Characters of a layout's name: it stands in logs.
const NAME_CHARS_MAX: usize = 64;

/// What a layout says.
pub(super) struct Read {
    pub(super) name: String,
    pub(super) mti: Digits,
    pub(super) bitmap: Bytes,
    /// By number; 0 and 1 stay empty.
    pub(super) fields: Vec<Option<Spec>>,
}

/// What was expected and found.
type Wrong = (&'static str, String);

const DIGITS: (&str, &[(&str, Digits)]) = ("ascii or bcd", &[("ascii", Digits::Ascii), ("bcd", Digits::Bcd)]);
const BYTES: (&str, &[(&str, Bytes)]) = ("hex or binary", &[("hex", Bytes::Hex), ("binary", Bytes::Binary)]);
const LENGTH: (&str, &[(&str, Length)]) =
    ("ascii, bcd or binary", &[("ascii", Length::Ascii), ("bcd", Length::Bcd), ("binary", Length::Binary)]);
const PAD: (&str, &[(&str, Pad)]) =
    ("left-0 or right-f", &[("left-0", Pad::LeftZero), ("right-f", Pad::RightF)]);

/// How fields are written that do not say otherwise.
struct Rule {
    length: Length,
    digits: Digits,
    bytes: Bytes,
    pad: Pad,
}

pub(super) fn read(text: &str) -> Result<Read, LayoutError> {
    let table = parse(text)?;
    let table = match text_of(&table, "like")? {
        None => table,
        Some("ascii") => over(parse(ASCII)?, table),
        Some("bcd") => over(parse(BCD)?, table),
        Some(other) => return Err(key("like", ("a shipped layout: ascii or bcd", quoted(other)))),
    };
    const KNOWN: [&str; 9] = ["name", "like", "mti", "bitmap", "length", "digits", "bytes", "pad", "fields"];
    if let Some(unknown) = table.keys().find(|known| !KNOWN.contains(&known.as_str())) {
        return Err(key(
            unknown,
            ("one of name, like, mti, bitmap, length, digits, bytes, pad, [fields]", "another key".into()),
        ));
    }
    let name = text_of(&table, "name")?.unwrap_or_default();
    if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(key("name", ("what to call the layout, 1 to 64 characters", quoted(name))));
    }
    let rule = Rule {
        length: wanted(&table, "length", LENGTH)?,
        digits: wanted(&table, "digits", DIGITS)?,
        bytes: wanted(&table, "bytes", BYTES)?,
        pad: word(&table, "pad", PAD).map_err(|wrong| key("pad", wrong))?.unwrap_or(Pad::LeftZero),
    };
    let Some(Value::Table(written)) = table.get("fields") else {
        return Err(key("fields", ("a table [fields]", "none".into())));
    };
    let mut fields = vec![None; 129];
    for (number, value) in written {
        let wrong = |(expected, found)| LayoutError::Field { field: number.clone(), expected, found };
        let place = number.parse::<u8>().ok().filter(|n| (2..=128).contains(n) && n.to_string() == *number);
        let place = place.ok_or_else(|| wrong(("a number from 2 to 128", quoted(number))))?;
        fields[usize::from(place)] = field(&rule, value).map_err(wrong)?;
    }
    let name = name.to_owned();
    let (mti, bitmap) = (wanted(&table, "mti", DIGITS)?, wanted(&table, "bitmap", BYTES)?);
    Ok(Read { name, mti, bitmap, fields })
}

fn parse(text: &str) -> Result<Table, LayoutError> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        LayoutError::Toml { line, what: error.message().lines().collect::<Vec<_>>().join(", ") }
    })
}

/// The shipped layout with what the file says over it, field by field.
fn over(mut base: Table, own: Table) -> Table {
    for (name, value) in own {
        match (base.get_mut(&name), value) {
            (Some(Value::Table(fields)), Value::Table(own)) => fields.extend(own),
            (_, value) => _ = base.insert(name, value),
        }
    }
    base
}

/// A field as it is coded; `none` takes one out that the shipped layout has.
fn field(rule: &Rule, value: &Value) -> Result<Option<Spec>, Wrong> {
    let none = Table::new();
    let (notation, own) = match value {
        Value::String(notation) if notation == "none" => return Ok(None),
        Value::String(notation) => (notation.as_str(), &none),
        Value::Table(own) => {
            let known = ["is", "length", "digits", "bytes", "pad"];
            if let Some(unknown) = own.keys().find(|name| !known.contains(&name.as_str())) {
                return Err(("is, length, digits, bytes or pad", quoted(unknown)));
            }
            match own.get("is") {
                Some(Value::String(notation)) => (notation.as_str(), own),
                _ => return Err(("is = \"a class and a size\"", "none".into())),
            }
        }
        other => return Err(("a notation, such as \"n 6\"", other.type_str().into())),
    };
    let rule = Rule {
        length: word(own, "length", LENGTH)?.unwrap_or(rule.length),
        digits: word(own, "digits", DIGITS)?.unwrap_or(rule.digits),
        bytes: word(own, "bytes", BYTES)?.unwrap_or(rule.bytes),
        pad: word(own, "pad", PAD)?.unwrap_or(rule.pad),
    };
    spec(&rule, notation).map(Some)
}

fn spec(rule: &Rule, notation: &str) -> Result<Spec, Wrong> {
    let wrong = |expected| (expected, quoted(notation));
    let (class, size) = notation
        .split_once(' ')
        .ok_or_else(|| wrong("a class and a size, such as \"n 6\" or \"ans ..28\""))?;
    let class = Class::named(class).ok_or_else(|| wrong("a class: n a an ans x+n z utf8 any b"))?;
    let form = match (class, rule.digits, rule.bytes) {
        (Class::Digits | Class::Track, Digits::Bcd, _) => Form::Packed(rule.pad),
        (Class::SignedDigits, Digits::Bcd, _) => Form::SignPacked(rule.pad),
        (Class::Bytes, _, Bytes::Hex) => Form::Hex,
        _ => Form::Plain,
    };
    let dots = size.bytes().take_while(|&byte| byte == b'.').count();
    let number = &size[dots..];
    let units = number.parse::<usize>().ok().filter(|&n| n > 0 && n.to_string() == number);
    // No size comes near this; what follows cannot overflow.
    let mut units = units
        .filter(|&units| units <= 8 * MAX_UNITS)
        .ok_or_else(|| wrong("a size from 1, such as 6, ..19 or ...999"))?;
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
    let most = match (dots, rule.length) {
        (0, _) => MAX_UNITS,
        (2, Length::Binary) => 255,
        (2, _) => 99,
        (3, _) => MAX_UNITS,
        _ => return Err(wrong("no dots, two or three")),
    };
    if units > most {
        return Err(wrong("a size that its length digits can say"));
    }
    let length = rule.length;
    let size = if dots == 0 { Size::Fixed(units) } else { Size::UpTo { max: units, digits: dots, length } };
    Ok(Spec { class, size, form })
}

/// The meaning of a word, if the key is there.
fn word<T: Copy>(
    table: &Table,
    name: &str,
    (expected, words): (&'static str, &[(&str, T)]),
) -> Result<Option<T>, Wrong> {
    let Some(value) = table.get(name) else { return Ok(None) };
    let known = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
    match known {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => Err((expected, format!("{name} = {value}"))),
    }
}

fn wanted<T: Copy>(table: &Table, name: &str, words: (&'static str, &[(&str, T)])) -> Result<T, LayoutError> {
    let found = word(table, name, words).map_err(|wrong| key(name, wrong))?;
    found.ok_or_else(|| key(name, (words.0, "none; there is no `like` either".into())))
}

fn text_of<'a>(table: &'a Table, name: &str) -> Result<Option<&'a str>, LayoutError> {
    match table.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(key(name, ("text", other.type_str().into()))),
    }
}

fn key(name: &str, (expected, found): Wrong) -> LayoutError {
    LayoutError::Key { key: name.to_owned(), expected, found }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use crate::{Layout, LayoutError, Message, Mti, encode};

    fn with_field(field: &str) -> Result<Layout, LayoutError> {
        Layout::from_toml(&format!(
            "name = 't'\nmti = 'ascii'\nbitmap = 'hex'\nlength = 'ascii'\ndigits = 'ascii'\nbytes = 'hex'\n[fields]\n{field}"
        ))
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
            "2 = 'n 18446744073709551615'",
            "2 = 'b 18446744073709551608'",
            "2 = 'b ...9223372036854775808'",
            "2 = 'x+n 18446744073709551615'",
            "2 = 'b 63'",
            "2 = 'b ...500'",
            "2 = 'x+n ..8'",
            "2 = 6",
            "2 = ['n 6']",
            "2 = { is = 'n 6', with = 'love' }",
            "2 = { is = 'n 6', digits = 'ebcdic' }",
            "2 = { is = 'n 6', length = 2 }",
            "2 = { length = 'bcd' }",
        ] {
            let error = with_field(field).unwrap_err();
            let number = field.split(' ').next().unwrap();
            assert!(
                matches!(&error, LayoutError::Field { field, .. } if field == number),
                "{field}: {error}"
            );
        }
        let error = with_field("52 = { is = 'b 64', bytes = 'ebcdic' }").unwrap_err();
        assert_eq!(error.to_string(), "field 52: expected hex or binary, found bytes = \"ebcdic\"");
    }

    #[test]
    fn a_key_that_is_not_understood_is_refused_by_name() {
        fn check(text: &str, expect: &str) {
            assert_eq!(Layout::from_toml(text).unwrap_err().to_string(), expect, "{text}");
        }
        check("name = 't", "line 1: invalid literal string, expected `'`");
        check("name = 't'\nname = 'u'\n", "line 2: duplicate key");
        check("", "name: expected what to call the layout, 1 to 64 characters, found \"\"");
        check("name = 7", "name: expected text, found integer");
        check("name = 't'", "length: expected ascii, bcd or binary, found none; there is no `like` either");
        check(
            "name = 't'\nlike = 'bcd'\nmti = 'ebcdic'",
            "mti: expected ascii or bcd, found mti = \"ebcdic\"",
        );
        check("name = 't'\nlike = 'tpdu'", "like: expected a shipped layout: ascii or bcd, found \"tpdu\"");
        check("name = 't'\nlike = 'bcd'\nfields = 7", "fields: expected a table [fields], found none");
        check(
            "name = 't'\nlike = 'bcd'\nheader = '00'",
            "header: expected one of name, like, mti, bitmap, length, digits, bytes, pad, [fields], found another key",
        );
    }

    #[test]
    fn a_layout_like_another_says_only_what_differs() {
        let layout = Layout::from_toml(
            "name = 'ours'\nlike = 'bcd'\nlength = 'ascii'\n[fields]\n48 = { is = 'utf8 ...255', length = 'binary' }\n\
             35 = 'none'\n",
        )
        .unwrap();
        assert_eq!(layout.name(), "ours");
        assert!(layout.takes(35, b"6104337000000016=9912").is_err(), "taken out");
        let mut message = Message::new(Mti::FINANCIAL);
        message.set(2, "610433700000001");
        message.set(48, "x");
        assert_eq!(
            encode(&layout, &message).unwrap(),
            [b"\x02\x00\x40\0\0\0\0\x01\0\0" as &[u8], b"15\x61\x04\x33\x70\x00\x00\x00\x1F", b"\0\x01x"]
                .concat()
        );
    }
}
