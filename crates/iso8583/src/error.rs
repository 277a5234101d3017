//! What can be wrong with a message or a layout: where, what was expected, what was found.
//!
//! `found` says a length or a kind of byte, never content: these errors go into logs and answers.

use std::fmt;

/// The part of a message that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The message type.
    Mti,
    /// The primary bitmap (fields 1 to 64).
    Bitmap,
    /// The secondary bitmap (field 1; fields 65 to 128).
    SecondaryBitmap,
    /// A field, 2 to 128.
    Field(u8),
    /// The message as a whole.
    Message,
}

impl Place {
    /// The field, if it is one.
    pub fn field(self) -> Option<u8> {
        match self {
            Self::Field(field) => Some(field),
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mti => f.write_str("message type"),
            Self::Bitmap => f.write_str("primary bitmap"),
            Self::SecondaryBitmap => f.write_str("secondary bitmap"),
            Self::Field(field) => write!(f, "field {field} ({})", crate::name(*field)),
            Self::Message => f.write_str("message"),
        }
    }
}

/// Bytes that are not a message of the layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} at byte {offset}: expected {expected}, found {found}")]
pub struct DecodeError {
    /// The part that is wrong.
    pub place: Place,
    /// Where, in bytes from the start of the message.
    pub offset: usize,
    /// What the layout asks for there.
    pub expected: String,
    /// What is there instead: a length or a kind of byte, never content.
    pub found: String,
}

impl DecodeError {
    /// The field that is wrong, if it is one.
    pub fn field(&self) -> Option<u8> {
        self.place.field()
    }
}

/// A message that the layout cannot express.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: expected {expected}, found {found}")]
pub struct EncodeError {
    /// The part that is wrong.
    pub place: Place,
    /// What the layout asks for.
    pub expected: String,
    /// What the message holds instead: a length or a kind of byte, never content.
    pub found: String,
}

impl EncodeError {
    /// The field that is wrong, if it is one.
    pub fn field(&self) -> Option<u8> {
        self.place.field()
    }
}

/// A text that is not a layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Not TOML, or not the tables that a layout has.
    #[error("line {line}: {what}")]
    Toml {
        /// Where, from 1.
        line: usize,
        /// What the reader says.
        what: String,
    },
    /// A key outside `[fields]` that is not known, missing or not understood.
    #[error("{key}: expected {expected}, found {found}")]
    Key {
        /// The key.
        key: String,
        /// What belongs there.
        expected: &'static str,
        /// What the layout says.
        found: String,
    },
    /// A field described in a way that is not understood.
    #[error("field {field}: expected {expected}, found {found}")]
    Field {
        /// The field, as the layout writes it.
        field: String,
        /// What belongs there.
        expected: &'static str,
        /// What the layout says.
        found: String,
    },
}
