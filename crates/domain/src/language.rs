//! The languages people are spoken to in.

use minicbor::{Decode, Encode};

/// A language of SMS texts, pages and refusals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Language {
    /// Persian (`fa`), the default.
    #[default]
    #[n(0)]
    Persian,
    /// English (`en`).
    #[n(1)]
    English,
}

impl Language {
    /// The ISO 639-1 code.
    pub const fn code(self) -> &'static str {
        match self {
            Language::Persian => "fa",
            Language::English => "en",
        }
    }

    /// Reads an ISO 639-1 code.
    pub fn parse(code: &str) -> Option<Language> {
        match code {
            "fa" => Some(Language::Persian),
            "en" => Some(Language::English),
            _ => None,
        }
    }
}
