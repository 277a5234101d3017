//! What the app is answered: never a secret, of a card number the last four digits only.
//!
//! Moments are RFC 3339 in UTC, `…_ms` are milliseconds since 1970, amounts are whole rial. Members that come later are passed over
//! by an app that does not know them; those that may be null may be missing.

use serde::{Deserialize, Serialize};

use super::body::Slot;
use super::key::Jwk;

/// A device is activated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Activated {
    /// The device's id, 32 hexadecimal digits: what `Authorization` names.
    pub device: String,
    /// What seeds are sealed to.
    pub receive_key: ReceiveKey,
    /// Whose app it is.
    pub bank: BankView,
    /// Until when cards are added without a control code of one that is there.
    pub add_cards_until: String,
    /// The server's time.
    pub now_ms: u64,
}

/// The public key that seeds are sealed to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReceiveKey {
    /// Told with what is sealed.
    pub version: u32,
    /// The key.
    pub jwk: Jwk,
}

/// A bank.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BankView {
    /// As in the directory of banks.
    pub id: String,
    /// In Persian.
    pub name_fa: String,
    /// In English.
    pub name_en: String,
}

/// The device's cards.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CardsView {
    /// The server's time.
    pub now_ms: u64,
    /// What seeds are sealed to from now on, in place of what the activation said: so a rotation reaches phones. None: of an issuer
    /// of before.
    #[serde(default)]
    pub receive_key: Option<ReceiveKey>,
    /// In the order they were added.
    pub cards: Vec<TokenView>,
}

/// A card on a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenView {
    /// Its reference, 32 hexadecimal digits.
    pub reference: String,
    /// The last four digits of the card number.
    pub card_ending: String,
    /// The bank's id.
    pub bank: String,
    /// Digits of a code.
    pub digits: u8,
    /// What a code of each step may pay: the first is of step 1. Step 0 has none.
    pub ceilings: Vec<u64>,
    /// The first PIN.
    pub first: SlotView,
    /// The second PIN.
    pub second: SlotView,
    /// Control codes.
    pub control: ControlView,
    /// The device's clock.
    pub clock: ClockView,
    /// Since when it is there.
    pub added: String,
    /// What it may pay at most for its first day; null: that is over, or the bank has no such rule.
    #[serde(default)]
    pub first_day_max: Option<u64>,
    /// What was refused lately, the newest first.
    #[serde(default)]
    pub refusals: Vec<RefusalView>,
}

/// One of a card's PINs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SlotView {
    /// Whether it is the app's.
    pub on: bool,
    /// The step up to which it pays; 0: no ceiling.
    pub ceiling: u8,
    /// Whether it is locked.
    pub locked: bool,
    /// Until when; null while locked: until an ATM or the bank unlocks it.
    #[serde(default)]
    pub locked_until: Option<String>,
}

/// A card's control codes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ControlView {
    /// Whether they are locked.
    pub locked: bool,
    /// Until when; null while locked: until an ATM or the bank unlocks them.
    #[serde(default)]
    pub locked_until: Option<String>,
}

/// What the bank knows of the device's clock from its codes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClockView {
    /// Steps of a minute that it is ahead of the bank's; below zero: behind.
    pub drift_steps: i64,
    /// The same for control codes: what was learned from codes that people typed says nothing of these.
    #[serde(default)]
    pub control_steps: i64,
    /// In a word.
    pub hint: ClockHint,
}

/// How a device's clock goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockHint {
    /// Well enough.
    Ok,
    /// It is behind: set it.
    Slow,
    /// It is ahead: set it.
    Fast,
}

/// A payment that was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefusalView {
    /// When.
    pub at: String,
    /// Of which PIN; null: of neither.
    #[serde(default)]
    pub slot: Option<Slot>,
    /// The refusal's stable code.
    pub why: String,
    /// The same in the card's language.
    pub text: String,
}

/// A device of the phone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceView {
    /// Its id, 32 hexadecimal digits.
    pub device: String,
    /// What its holder calls it.
    pub name: String,
    /// When it was activated.
    pub activated: String,
    /// Whether it is the one that asks.
    pub this: bool,
    /// Cards on it.
    pub cards: usize,
}

/// The devices of the phone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DevicesView {
    /// In the order they were activated.
    pub devices: Vec<DeviceView>,
}

/// The server's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimeView {
    /// Now.
    pub now_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_issuer_adds_is_passed_over_and_what_may_be_null_may_be_missing() {
        let slot: SlotView =
            serde_json::from_str(r#"{"on":true,"ceiling":2,"locked":false,"colour":"red"}"#).unwrap();
        assert_eq!(slot, SlotView { on: true, ceiling: 2, locked: false, locked_until: None });
        let clock: ClockView = serde_json::from_str(r#"{"drift_steps":-2,"hint":"slow"}"#).unwrap();
        assert_eq!(clock, ClockView { drift_steps: -2, control_steps: 0, hint: ClockHint::Slow });
        let refusal = r#"{"at":"2026-11-24T01:52:44Z","slot":"second","why":"wrong_pin","text":"x"}"#;
        let refusal: RefusalView = serde_json::from_str(refusal).unwrap();
        assert_eq!(refusal.slot, Some(Slot::Second));
    }
}
