//! Request bodies: read whole, every text wiped, and nothing of them in an error.

use std::fmt;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::problem::No;

/// A text that is wiped on drop and not shown.
#[derive(Default)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(|text| Secret(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads a body. serde's own errors quote what they found, so only the place is told, and what belongs there.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], expect: &str) -> Result<T, No> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = format!("send {expect}; line {}, column {} does not fit", error.line(), error.column());
        No::malformed(&[("", &what)])
    })
}
