//! `GET /v1/banks`: which banks are served, by which IINs, and how their cardholders come to a dynamic PIN.
//!
//! The same words are used by the data file that a router reads; a member that is absent is not known.

use serde::{Deserialize, Serialize};

/// Where it is read.
pub const PATH: &str = "/v1/banks";

/// The directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Banks {
    /// Where the data come from, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The banks, in the order of the data.
    pub banks: Vec<Bank>,
}

/// One bank.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// A short stable name: `mellat`.
    pub id: String,
    /// The name in Persian.
    pub name_fa: String,
    /// The name in English.
    pub name_en: String,
    /// First six digits of its cards' numbers.
    pub iins: Vec<String>,
    /// Its ways to a dynamic PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_pin: Option<DynamicPin>,
    /// Where this entry is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The day on which this entry was last compared with its source, as `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The id of the bank that took it over and now answers for its cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Whether its cards can be asked for now. Told by the router; a data file leaves it out.
    #[serde(default)]
    pub available: bool,
    /// Whether this router has a way to it at all. Told by the router; a data file leaves it out.
    #[serde(default)]
    pub connected: bool,
}

/// Where an entry is from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Who says so, in Persian.
    pub fa: String,
    /// Who says so, in English.
    pub en: String,
    /// Where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was said, as `YYYY-MM-DD`, if the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// What to do, one step after the other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// On which way: `app`, `sms`, or one of [`PLACES`].
    pub way: String,
    /// In Persian.
    pub fa: Vec<String>,
    /// In English: the same steps.
    pub en: Vec<String>,
}

/// Where a way to a dynamic PIN is activated.
pub const PLACES: [&str; 7] =
    ["atm", "cashless_terminal", "branch", "ussd", "internet_bank", "mobile_bank", "sms"];

/// How cardholders of a bank come to a dynamic PIN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicPin {
    /// The app's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The app's name in Latin letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_en: Option<String>,
    /// The short code to text the card's last four digits to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
    /// Where it is activated: of [`PLACES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activation: Vec<String>,
    /// Digits of the second PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u8>,
    /// Digits of the first PIN, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_pin_digits: Option<u8>,
    /// Seconds a PIN of the app is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_window_s: Option<u32>,
    /// Seconds a texted PIN is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_valid_s: Option<u32>,
    /// How it is done, way by way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Steps>,
}
