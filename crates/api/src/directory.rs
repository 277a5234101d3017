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
    /// The id of the bank that took it over and now answers for its cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Whether its cards can be asked for now. Told by the router; a data file leaves it out.
    #[serde(default)]
    pub available: bool,
}

/// How cardholders of a bank come to a dynamic PIN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicPin {
    /// The app's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The short code to text the card's last four digits to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
    /// Where it is activated: `atm`, `cashless_terminal`, `branch`, `ussd`, `internet_bank`, `mobile_bank`, `sms`.
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
}
