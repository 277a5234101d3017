//! JSON at a door: a tree over the bytes that came, read member by member so that *every* error is found and named. Texts stay
//! where they came; one with escapes is a copy that is wiped, but for what the parser has of it meanwhile: secrets are digits, and need
//! none.
//!
//! serde's derived readers stop at the first error and quote what they found; a door must do neither. Pointers are
//! RFC 6901. A member the sender made up is named only if it is a plain word: anything else may be a secret.

use std::fmt;
use std::ops::{Deref, RangeInclusive};

use ramz_domain::{Pan, limits};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use zeroize::Zeroizing;

use crate::problem::{FieldError, Problem};

/// Strange members named for one object: an answer stays as small as what it answers.
const STRANGE_MEMBERS_MAX: usize = 8;

/// What to write for a card number, …
pub(crate) const PAN: &str = "the card number as 16 to 19 digits without separators";
/// … for an expiry, …
pub(crate) const EXPIRY: &str = "the expiry as the card shows it, four digits YYMM";
/// … and for an acquirer.
pub(crate) const ACQUIRER: &str = "the acquirer's institution code (DE32) as a string of 1 to 11 digits";

/// A JSON value of the text `'t`. Not printable on purpose.
pub(crate) enum Json<'t> {
    /// A whole number that is not negative.
    Whole(u64),
    /// A text.
    Text(Words<'t>),
    /// `true` or `false`.
    Bool(bool),
    /// The values in order.
    List(Vec<Json<'t>>),
    /// The members in order; names may repeat.
    Object(Vec<Member<'t>>),
    /// Anything that no door asks for yet: other numbers, `null`.
    Other,
}

/// A member's name and value.
pub(crate) type Member<'t> = (Words<'t>, Json<'t>);

/// A JSON string's characters.
pub(crate) enum Words<'t> {
    /// Without escapes: as they came.
    There(&'t str),
    /// What the escapes meant.
    Copied(Zeroizing<String>),
}

/// The members of one object and where it is.
pub(crate) struct Object<'a> {
    at: &'a str,
    members: &'a [Member<'a>],
}

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl<'t> Json<'t> {
    /// Reads one JSON text. The problem tells line and column, nothing of the text.
    pub(crate) fn parse(bytes: &'t [u8]) -> Result<Json<'t>, Problem> {
        serde_json::from_slice(bytes).map_err(|e| {
            Problem::malformed(vec![FieldError::new(
                "",
                format!(
                    "send one JSON object (RFC 8259, UTF-8): line {}, column {} is not JSON",
                    e.line(),
                    e.column()
                ),
            )])
        })
    }
}

impl Errors {
    /// Notes an error.
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError::new(pointer, detail));
    }

    /// The value if nothing was wrong, else all errors as one problem.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::malformed(self.0)),
        }
    }

    /// The value as an object of `known` members. Strange and repeated members are noted.
    pub(crate) fn object<'a>(
        &mut self,
        value: &'a Json<'_>,
        at: &'a str,
        known: &[&str],
    ) -> Option<Object<'a>> {
        let Json::Object(members) = value else {
            self.add(at, format!("write an object with the members {}", known.join(", ")));
            return None;
        };
        let strange = members.iter().filter(|(name, _)| !known.contains(&&**name));
        for (name, _) in strange.take(STRANGE_MEMBERS_MAX) {
            let pointer = if is_plain_word(name) { format!("{at}/{}", &**name) } else { at.to_owned() };
            self.add(pointer, format!("write only the members that are known here: {}", known.join(", ")));
        }
        for name in known {
            if members.iter().filter(|(n, _)| **n == **name).count() > 1 {
                self.add(format!("{at}/{name}"), "write this member once");
            }
        }
        Some(Object { at, members })
    }

    /// A member that must be there, noted if it is not. `expect` says what to write.
    pub(crate) fn member<'a>(
        &mut self,
        object: &Object<'a>,
        name: &str,
        expect: &str,
    ) -> Option<&'a Json<'a>> {
        let found = object.get(name);
        if found.is_none() {
            self.add(object.pointer(name), format!("this member is missing; write {expect}"));
        }
        found
    }

    /// A text that `parse` accepts. `expect` says what to write; the reason of `parse`, if any, follows it.
    pub(crate) fn text<'a, T>(
        &mut self,
        object: &Object<'a>,
        name: &str,
        expect: &str,
        parse: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Option<T> {
        let Json::Text(text) = self.member(object, name, expect)? else {
            self.add(object.pointer(name), format!("write {expect}, as a JSON string"));
            return None;
        };
        match parse(text) {
            Ok(value) => Some(value),
            Err(reason) if reason.is_empty() => {
                self.add(object.pointer(name), format!("write {expect}"));
                None
            }
            Err(reason) => {
                self.add(object.pointer(name), format!("write {expect}: {reason}"));
                None
            }
        }
    }

    /// A number's digits as a text, so many of them.
    pub(crate) fn digits(
        &mut self,
        object: &Object<'_>,
        name: &str,
        expect: &str,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        self.text(object, name, expect, |text| {
            let fits = length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            if fits { Ok(text.to_owned()) } else { Err(String::new()) }
        })
    }

    /// ASCII that shows something, of at most so many characters.
    pub(crate) fn printable(
        &mut self,
        object: &Object<'_>,
        name: &str,
        expect: &str,
        max: usize,
    ) -> Option<String> {
        self.text(object, name, expect, |text| {
            let fits = (1..=max).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'));
            if fits && !text.trim().is_empty() { Ok(text.to_owned()) } else { Err(String::new()) }
        })
    }

    /// A whole number that `parse` accepts.
    pub(crate) fn whole<T>(
        &mut self,
        object: &Object<'_>,
        name: &str,
        expect: &str,
        parse: impl FnOnce(u64) -> Option<T>,
    ) -> Option<T> {
        let value = match self.member(object, name, expect)? {
            Json::Whole(number) => parse(*number),
            _ => None,
        };
        if value.is_none() {
            self.add(object.pointer(name), format!("write {expect}"));
        }
        value
    }

    /// `true` or `false`.
    pub(crate) fn truth(&mut self, object: &Object<'_>, name: &str) -> Option<bool> {
        const EXPECT: &str = "true or false";
        match self.member(object, name, EXPECT)? {
            Json::Bool(value) => Some(*value),
            _ => {
                self.add(object.pointer(name), format!("write {EXPECT}"));
                None
            }
        }
    }
}

/// A card number, for [`Errors::text`].
pub(crate) fn pan(text: &str) -> Result<Pan, String> {
    Pan::parse(text).map_err(|error| error.to_string())
}

/// `YYMM`, for [`Errors::text`].
pub(crate) fn expiry(text: &str) -> Result<[u8; 4], String> {
    let digits: [u8; 4] = text.as_bytes().try_into().map_err(|_| String::new())?;
    let month = text.get(2..).unwrap_or("");
    let valid = digits.iter().all(u8::is_ascii_digit) && ("01"..="12").contains(&month);
    if valid { Ok(digits) } else { Err("a month is 01 to 12".to_owned()) }
}

/// One object of the `known` members, from bytes.
pub(crate) fn members<T>(
    bytes: &[u8],
    known: &[&str],
    read: impl FnOnce(&mut Errors, &Object<'_>) -> Option<T>,
) -> Result<T, Problem> {
    let tree = Json::parse(bytes)?;
    let mut errors = Errors::default();
    let found = errors.object(&tree, "", known);
    let value = found.and_then(|object| read(&mut errors, &object));
    errors.finish(value)
}

/// A body as it is sent, of what is borrowed: no other copy of a secret is made.
pub(crate) fn written(body: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Large enough that it never moves while it grows, which would leave unwiped copies behind: no door takes more.
    let mut json = Zeroizing::new(Vec::with_capacity(limits::BODY_BYTES_MAX));
    serde_json::to_writer(&mut *json, body)
        .expect("texts and numbers are always JSON, and memory never refuses");
    json
}

/// Digits that were read as such.
pub(crate) fn as_text(digits: &[u8]) -> &str {
    str::from_utf8(digits).unwrap_or_default()
}

/// A misspelt member, by all looks, and no secret: those have digits.
fn is_plain_word(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_'))
}

impl<'a> Object<'a> {
    /// A member, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Json<'a>> {
        self.members.iter().find(|(n, _)| **n == *name).map(|(_, value)| value)
    }

    /// Where a member is or would be.
    pub(crate) fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }
}

impl Deref for Words<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Words::There(text) => text,
            Words::Copied(text) => text,
        }
    }
}

impl<'de> Deserialize<'de> for Words<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Words<'de>, D::Error> {
        deserializer.deserialize_str(Characters)
    }
}

struct Characters;

impl<'de> Visitor<'de> for Characters {
    type Value = Words<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Words<'de>, E> {
        Ok(Words::There(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Words<'de>, E> {
        Ok(Words::Copied(Zeroizing::new(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Characters.visit_borrowed_str(text).map(Json::Text)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        Characters.visit_str(text).map(Json::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_tells_where_and_quotes_nothing() {
        let problem = Json::parse(b"{\"pan\": 6104337000000016x}").err().unwrap();
        let detail = &problem.errors[0].detail;
        assert!(detail.contains("line 1, column 25"), "{detail}");
        assert!(!format!("{problem:?}").contains("6104337"));
    }

    #[test]
    fn a_text_is_what_its_escapes_mean() {
        let json = Json::parse(br#"{"a": "1\u0032", "\u0062": "34"}"#).ok().unwrap();
        let mut errors = Errors::default();
        let object = errors.object(&json, "", &["a", "b"]).unwrap();
        for (name, expect) in [("a", "12"), ("b", "34")] {
            assert_eq!(errors.text(&object, name, "", |text| Ok(text.to_owned())).as_deref(), Some(expect));
        }
        assert!(errors.0.is_empty());
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(5000);
        assert!(Json::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn strange_and_repeated_members_are_named_by_place() {
        let json =
            Json::parse(br#"{"a": 1, "a": 2, "6104337000000016": 3, "ammount": 4}"#).unwrap_or(Json::Other);
        let mut errors = Errors::default();
        errors.object(&json, "", &["a"]);
        let pointers: Vec<_> = errors.0.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["", "/ammount", "/a"]);
        assert!(errors.0.iter().all(|e| !e.detail.contains("6104337")));
    }
}
