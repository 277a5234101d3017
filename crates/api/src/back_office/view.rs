//! A card as the back office sees it: never a secret, PAN and phone masked.
//!
//! Members that came after the first release are left out by an issuer that does not know them, and read as nothing then.

use serde::{Deserialize, Serialize};

/// A card. Moments are RFC 3339 in UTC, amounts whole rial.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CardView {
    /// The card's id, 32 hexadecimal digits.
    pub card: String,
    /// First six and last four digits.
    pub pan: String,
    /// Masked; `null`: none is registered.
    pub phone: Option<String>,
    /// `active`, `blocked`, `closed` or `hot_listed`.
    pub status: String,
    /// `fa` or `en`.
    pub language: String,
    /// The customer's number at the bank.
    pub customer: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// Wrong second PINs in a row; no count while `locked_by_bank`.
    pub failures: u32,
    /// Whether the dynamic second PIN is locked.
    pub locked: bool,
    /// Until when; `null` while locked: until an ATM or the bank unlocks it.
    pub locked_until: Option<String>,
    /// Whether it is the bank that locked it, and not guesses.
    #[serde(default)]
    pub locked_by_bank: bool,
    /// The same of dynamic first PINs; `None`: the issuer does not say.
    #[serde(default)]
    pub first_pin_tries: Option<TriesView>,
    /// The same of the app's control codes.
    #[serde(default)]
    pub control_tries: Option<TriesView>,
    /// PINs that may be spent now.
    pub open_pins: usize,
    /// SMS of the last 24 hours whose PINs were not spent.
    #[serde(default)]
    pub unspent_sms: usize,
    /// Until when the card's own limits keep back what is asked for now; `null`: they do not.
    #[serde(default)]
    pub sms_held_until: Option<String>,
    /// The same of the limit of its phone, as the node that answers sees it.
    #[serde(default)]
    pub phone_held_until: Option<String>,
    /// What its holder switched on.
    #[serde(default)]
    pub services: ServicesView,
    /// Devices that compute its PINs.
    #[serde(default)]
    pub devices: Vec<DeviceView>,
    /// The static second PIN.
    #[serde(default)]
    pub static_pin: StaticPinView,
    /// What one texted PIN of this card may pay; `null`: what the bank's rule is.
    #[serde(default)]
    pub sms_pin_max: Option<u64>,
}

/// Wrong tries at one use of a PIN: each has a count and a lock of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TriesView {
    /// Wrong ones in a row; no count while `locked_by_bank`.
    pub failures: u32,
    /// Whether they are locked.
    pub locked: bool,
    /// Until when; `null` while locked: until an ATM or the bank unlocks it.
    pub locked_until: Option<String>,
    /// Whether it is the bank that locked them, and not guesses.
    pub locked_by_bank: bool,
}

/// What a card's holder switched on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServicesView {
    /// PINs by texting.
    pub sms: bool,
    /// The first PIN is dynamic.
    pub first_pin: bool,
    /// Since when an activation of the app is open; `null`: none is.
    pub app_activation: Option<String>,
}

/// A device that computes a card's PINs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceView {
    /// What it is taken away by.
    pub id: String,
    /// What its holder calls it.
    pub name: String,
    /// Since when it computes this card's PINs.
    pub since: String,
}

/// A card's static second PIN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StaticPinView {
    /// Since when the cardholder accepts its risk; `null`: does not.
    pub consent: Option<String>,
    /// What was paid with it in the last 24 hours.
    pub used_24h: u64,
    /// What this card may pay with it; `null`: what the bank's rule is.
    pub max: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_the_first_release_reads() {
        let json = r#"{"card":"9f1c2ab04d6e4f7f8a1b2c3d4e5f6071","pan":"610433******0016","phone":null,"status":"active",
            "language":"fa","customer":null,"product":null,"failures":0,"locked":false,"locked_until":null,"open_pins":0}"#;
        let view: CardView = serde_json::from_str(json).unwrap();
        assert_eq!((view.services, view.static_pin), (ServicesView::default(), StaticPinView::default()));
        assert!(view.devices.is_empty() && view.sms_pin_max.is_none());
        assert_eq!((view.first_pin_tries, view.control_tries), (None, None), "not known is not unlocked");
    }

    #[test]
    fn what_a_newer_issuer_adds_is_passed_over() {
        let services: ServicesView = serde_json::from_str(r#"{"sms":true,"voice":true}"#).unwrap();
        assert_eq!(services, ServicesView { sms: true, ..ServicesView::default() });
    }
}
