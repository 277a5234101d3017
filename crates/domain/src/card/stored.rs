//! A card's state as bytes of its row.

use std::convert::Infallible;

use super::CardState;
use crate::limits;

/// The format a row is written in. A reader takes this one and older ones.
pub(super) const FORMAT: u8 = 1;

/// A stored row that cannot be read: written by a newer release, or damaged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StateError {
    /// A newer format.
    #[error("card row of format {0}, this release reads up to {FORMAT}: run the newer release")]
    Newer(u8),
    /// Not a card row.
    #[error("card row is damaged: {0}")]
    Damaged(String),
    /// A state that would not fit its row; the machine's own bounds keep below it.
    #[error("card row of {0} bytes, at most {max} are allowed", max = limits::CARD_BYTES_MAX)]
    TooLarge(usize),
}

/// A row as it is written: most of what CBOR writes is a byte alone, which is not worth a call to copy it.
struct Bytes(Vec<u8>);

impl minicbor::encode::Write for Bytes {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        match bytes {
            [one] => self.0.push(*one),
            more => self.0.extend_from_slice(more),
        }
        Ok(())
    }
}

impl CardState {
    /// The row's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        let mut bytes = Bytes(Vec::with_capacity(self.bytes_about()));
        minicbor::encode(self, &mut bytes).map_err(|e| StateError::Damaged(e.to_string()))?;
        let Bytes(bytes) = bytes;
        if bytes.len() > limits::CARD_BYTES_MAX { Err(StateError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }

    /// About how long its bytes are, so that they are not moved while they grow.
    fn bytes_about(&self) -> usize {
        128 + 320 * self.open.len()
            + 112 * self.stale.len()
            + 192 * self.answers.len()
            + 192 * self.tokens.len()
            + 64 * (self.sends.len() + self.expiry_failures.len() + self.statics.len())
    }

    /// Reads a row's bytes.
    pub fn decode(bytes: &[u8]) -> Result<CardState, StateError> {
        let state: CardState = minicbor::decode(bytes).map_err(|e| StateError::Damaged(e.to_string()))?;
        if state.format > FORMAT { Err(StateError::Newer(state.format)) } else { Ok(state) }
    }
}
