//! Field 48 as Ramz uses it: a list of tagged values, `TTLLLvalue`.
//!
//! Two characters of tag (letters or digits), three digits of length in **bytes**, the value in UTF-8. Order is kept,
//! unknown tags pass, a repeated tag is an error. Values are overwritten on drop; `Debug` hides them. Not here: what
//! a value must look like.

use std::fmt;

use zeroize::Zeroizing;

use crate::class::kind;
use crate::message::Message;

/// Card verification value, three or four digits. Never logged, never passed to a trace.
pub const CVV2: &str = "01";
/// How the PIN was verified: [`PIN_VERIFIED_DYNAMIC`]. Stripped from every message that comes in.
pub const PIN_VERIFIED: &str = "02";
/// Bill id.
pub const BILL: &str = "03";
/// Bill payment id.
pub const BILL_PAYMENT: &str = "04";
/// Text for a terminal to show.
pub const SHOW: &str = "10";
/// Text for a terminal to print.
pub const PRINT: &str = "11";
/// The registered mobile, masked.
pub const MASKED_PHONE: &str = "12";
/// The half of an activation code that goes onto the receipt.
pub const RECEIPT_CODE: &str = "13";
/// The choice made at the terminal.
pub const CHOICE: &str = "14";
/// Why it was refused: a stable code.
pub const REFUSAL: &str = "15";
/// Where the app is, to be drawn as a QR on the receipt: in the answer to 900000 only. Of the private tags (80 to 99), which mean
/// other things in other messages.
pub const APP_ADDRESS: &str = "80";

/// The value of [`PIN_VERIFIED`] that says: by Ramz, a dynamic PIN.
pub const PIN_VERIFIED_DYNAMIC: &str = "D";

/// The longest value, in bytes: as much as field 48 holds with its tag and length.
pub const MAX_VALUE_BYTES: usize = 994;

/// The tagged values of one field 48, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(Tag, Zeroizing<String>)>);

type Tag = Box<str>;

/// A field 48 that is not a list of tagged values: where, what was expected, what was found (never content).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field 48 at byte {offset}: expected {expected}, found {found}")]
pub struct TagError {
    /// Where, in bytes from the start of the field's content.
    pub offset: usize,
    /// What belongs there.
    pub expected: &'static str,
    /// What is there instead: a kind of byte or a length.
    pub found: String,
}

/// Reads the content of a field 48; empty content is an empty list.
///
/// # Errors
/// A tag or length cut short or of other characters, a value cut short or not UTF-8, a tag that comes twice.
pub fn parse(content: &[u8]) -> Result<Tags, TagError> {
    let mut tags = Tags::default();
    let mut at = 0;
    while at < content.len() {
        let tag = slice(content, at, 2, "a tag of two letters or digits")?;
        let tag = text_if(tag, |byte| byte.is_ascii_alphanumeric())
            .map_err(|wrong| error(at + wrong, "a tag of two letters or digits", kind(tag.get(wrong))))?;
        if tags.get(tag).is_some() {
            return Err(error(at, "every tag once", "a tag that was there before"));
        }
        let length = slice(content, at + 2, 3, "a length of three digits")?;
        let length = text_if(length, |byte| byte.is_ascii_digit())
            .map_err(|wrong| error(at + 2 + wrong, "a length of three digits", kind(length.get(wrong))))?;
        let length = length.bytes().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        let value = slice(content, at + 5, length, "as many bytes as the length says")?;
        let value = std::str::from_utf8(value).map_err(|wrong| {
            error(at + 5 + wrong.valid_up_to(), "UTF-8 text", kind(value.get(wrong.valid_up_to())))
        })?;
        tags.0.push((tag.into(), Zeroizing::new(value.to_owned())));
        at += 5 + length;
    }
    Ok(tags)
}

/// The tagged values of a message's field 48; an empty list if it has none.
///
/// # Errors
/// As [`parse`].
pub fn of(message: &Message) -> Result<Tags, TagError> {
    parse(message.bytes(48).unwrap_or_default())
}

impl Tags {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tag's value.
    pub fn get(&self, tag: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *tag).map(|(_, value)| value.as_str())
    }

    /// Sets a tag's value: in its place if it is there, else at the end. [`encode`](Self::encode) checks both.
    pub fn set(&mut self, tag: &str, value: impl Into<String>) {
        let value = Zeroizing::new(value.into());
        match self.0.iter_mut().find(|(known, _)| **known == *tag) {
            Some((_, held)) => *held = value,
            None => self.0.push((tag.into(), value)),
        }
    }

    /// Takes a tag out; whether it was there.
    pub fn remove(&mut self, tag: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| **known != *tag);
        self.0.len() != before
    }

    /// Whether there is no tag. An empty field 48 is left out of a message.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tags and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(tag, value)| (&**tag, value.as_str()))
    }

    /// The content of a field 48. Whether all of it fits the field is for the layout to say.
    ///
    /// # Errors
    /// A tag that is not two letters or digits, or a value longer than [`MAX_VALUE_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, TagError> {
        let mut content = Vec::with_capacity(self.0.iter().map(|(_, value)| 5 + value.len()).sum());
        for (tag, value) in &self.0 {
            if tag.len() != 2 || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(error(content.len(), "a tag of two letters or digits", format!("{tag:?}")));
            }
            if value.len() > MAX_VALUE_BYTES {
                let found = format!("{} in tag {tag}", value.len());
                return Err(error(content.len(), "a value of at most 994 bytes", found));
            }
            content.extend_from_slice(tag.as_bytes());
            content.extend_from_slice(format!("{:03}", value.len()).as_bytes());
            content.extend_from_slice(value.as_bytes());
        }
        Ok(content)
    }

    /// Makes these a message's field 48, or takes it out if there is no tag.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); the message is then as it was.
    pub fn put_into(&self, message: &mut Message) -> Result<(), TagError> {
        let content = self.encode()?;
        if content.is_empty() {
            message.remove(48);
        } else {
            message.set(48, content);
        }
        Ok(())
    }

    /// The tags with their values hidden, except those that the trace is for: 02 and 15.
    pub(crate) fn masked(&self) -> String {
        let shown = |(tag, value): (&str, &str)| match tag {
            PIN_VERIFIED | REFUSAL => format!("{tag}={}", crate::trace::printable(value)),
            _ => format!("{tag}=****"),
        };
        self.iter().map(shown).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tags(")?;
        f.write_str(&self.masked())?;
        f.write_str(")")
    }
}

fn slice<'a>(
    content: &'a [u8],
    at: usize,
    count: usize,
    expected: &'static str,
) -> Result<&'a [u8], TagError> {
    let rest = &content[at.min(content.len())..];
    rest.get(..count)
        .ok_or_else(|| error(at, expected, format!("the end after {} of {count} bytes", rest.len())))
}

/// The bytes as text if each is of the (ASCII) kind wanted; else the position of the first that is not.
fn text_if(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Result<&str, usize> {
    match bytes.iter().position(|&byte| !wanted(byte)) {
        Some(at) => Err(at),
        None => std::str::from_utf8(bytes).map_err(|error| error.valid_up_to()),
    }
}

fn error(offset: usize, expected: &'static str, found: impl Into<String>) -> TagError {
    TagError { offset, expected, found: found.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expect: Result<&[(&str, &str)], &str>) {
        match (parse(content.as_bytes()), expect) {
            (Ok(tags), Ok(pairs)) => {
                assert_eq!(tags.iter().collect::<Vec<_>>(), pairs, "of {content:?}");
                assert_eq!(tags.encode().unwrap(), content.as_bytes());
            }
            (Err(error), Err(expect)) => assert_eq!(error.to_string(), expect, "of {content:?}"),
            (found, expect) => panic!("{content:?}: expected {expect:?}, found {found:?}"),
        }
    }

    #[test]
    fn tagged_values_are_read_and_written_in_order() {
        check("", Ok(&[]));
        check("01003777", Ok(&[("01", "777")]));
        check("15004PIN103006پول02001D", Ok(&[("15", "PIN1"), ("03", "پول"), ("02", "D")]));
        check("zZ000", Ok(&[("zZ", "")]));
    }

    #[test]
    fn what_is_not_a_list_of_tags_is_refused_at_its_place() {
        check(
            "0",
            Err(
                "field 48 at byte 0: expected a tag of two letters or digits, found the end after 1 of 2 bytes",
            ),
        );
        check(
            "0!001x",
            Err("field 48 at byte 1: expected a tag of two letters or digits, found a punctuation mark"),
        );
        check("0101x777", Err("field 48 at byte 4: expected a length of three digits, found a letter"));
        check(
            "0100",
            Err("field 48 at byte 2: expected a length of three digits, found the end after 2 of 3 bytes"),
        );
        check(
            "02001D01004777",
            Err(
                "field 48 at byte 11: expected as many bytes as the length says, found the end after 3 of 4 bytes",
            ),
        );
        check(
            "02001D02001D",
            Err("field 48 at byte 6: expected every tag once, found a tag that was there before"),
        );
        check("10001پ", Err("field 48 at byte 5: expected UTF-8 text, found a byte above 0x7F"));
    }

    #[test]
    fn tags_are_set_in_place_and_removed() {
        let mut tags = parse(b"02001D01003777").unwrap();
        tags.set(PIN_VERIFIED, "S");
        tags.set(REFUSAL, "wrong_pin");
        assert_eq!(tags.encode().unwrap(), b"02001S0100377715009wrong_pin");
        assert!(tags.remove(CVV2) && !tags.remove(CVV2));
        assert_eq!(tags.get(CVV2), None);
        assert!(!tags.is_empty() && Tags::new().is_empty());
    }

    #[test]
    fn a_tag_or_value_that_cannot_be_written_is_refused() {
        let mut tags = Tags::new();
        tags.set("1", "x");
        assert!(tags.encode().is_err());
        let mut tags = Tags::new();
        tags.set("10", "x".repeat(MAX_VALUE_BYTES));
        assert!(tags.encode().is_ok());
        tags.set("10", "x".repeat(MAX_VALUE_BYTES + 1));
        assert!(tags.encode().is_err());
    }

    #[test]
    fn a_message_gets_its_tags_or_none() {
        let mut message = Message::new(crate::Mti::FINANCIAL);
        assert_eq!(of(&message), Ok(Tags::new()));
        let mut tags = Tags::new();
        tags.set(PIN_VERIFIED, PIN_VERIFIED_DYNAMIC);
        tags.put_into(&mut message).unwrap();
        assert_eq!(message.get(48), Some("02001D"));
        assert_eq!(of(&message), Ok(tags));
        Tags::new().put_into(&mut message).unwrap();
        assert!(!message.has(48));
    }

    #[test]
    fn debug_hides_values() {
        let tags = parse(b"0100377702001D15009wrong_pin").unwrap();
        assert_eq!(format!("{tags:?}"), "Tags(01=**** 02=D 15=wrong_pin)");
    }
}
