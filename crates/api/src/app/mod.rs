//! The app's door: a phone is activated, is given cards, and says what their PINs may do.
//!
//! Bodies, answers and the proof that a request is a device's. Not here: who may do what, and what a code must be (the issuer).
//! Of the phone's codes only the control codes come by here, which never pay; the seed comes sealed, and is opened elsewhere.

mod body;
mod key;
mod proof;
mod signer;
mod view;

use ramz_domain::{DeviceId, TokenId};

pub use body::{Activate, AddCard, Ceiling, Check, Control, Rename, Resync, SealedSeed, Slot, Switch};
pub use key::{DeviceKey, Jwk, KeyError};
pub use proof::{Expected, PROOF, Presented, Proof, ProofError, named, presented, verify};
pub use signer::{Signer, ToSign, authorization};
pub use view::{
    Activated, BankView, CardsView, ClockHint, ClockView, ControlView, DeviceView, DevicesView, ReceiveKey,
    RefusalView, SlotView, TimeView, TokenView,
};

/// `GET` says whose app this is ([`BankView`]); without a proof.
pub const BANK: &str = "/app/bank";
/// `POST` activates a device ([`Activate`], [`Activated`]); without a proof.
pub const ACTIVATIONS: &str = "/app/activations";
/// `GET` lists the device's cards ([`CardsView`]), `POST` adds one ([`AddCard`], [`TokenView`]).
pub const CARDS: &str = "/app/cards";
/// `DELETE` takes a card away from the device.
pub const CARD: &str = "/app/cards/{reference}";
/// `PUT` sets what one PIN of a slot may pay ([`Ceiling`]).
pub const CEILING: &str = "/app/cards/{reference}/ceiling";
/// `PUT` makes the first PIN the app's, or the static one again ([`Switch`]).
pub const FIRST_PIN: &str = "/app/cards/{reference}/first-pin";
/// `PUT` makes the second PIN the app's, or not ([`Switch`]).
pub const SECOND_PIN: &str = "/app/cards/{reference}/second-pin";
/// `POST` has a control code checked, and nothing else done ([`Check`]).
pub const CHECK: &str = "/app/cards/{reference}/check";
/// `POST` finds the device's clock by two codes ([`Resync`]).
pub const RESYNC: &str = "/app/cards/{reference}/resync";
/// `GET` lists the devices of the phone ([`DevicesView`]).
pub const DEVICES: &str = "/app/devices";
/// `PUT` gives a device another name ([`Rename`]), `DELETE` takes it away with its cards.
pub const DEVICE: &str = "/app/devices/{device}";
/// `GET` tells the server's time ([`TimeView`]); without a proof.
pub const TIME: &str = "/app/time";

/// One of the paths of a card.
pub fn of_card(path: &str, reference: TokenId) -> String {
    path.replacen("{reference}", &reference.to_string(), 1)
}

/// The path of a device.
pub fn of_device(device: DeviceId) -> String {
    DEVICE.replacen("{device}", &device.to_string(), 1)
}

/// What a seed is sealed with beside the key (HPKE's associated data, RFC 9180): the eleven bytes `ramz-seed-1`, the device's
/// 16, the reference's 16. So that a seed that is sent for another device or under another reference does not open.
pub fn seed_associated(device: DeviceId, reference: TokenId) -> Vec<u8> {
    [b"ramz-seed-1".as_slice(), &device.0, &reference.0].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_one_card_or_device() {
        let reference = TokenId([0xa5; 16]);
        assert_eq!(of_card(CHECK, reference), format!("/app/cards/{}/check", "a5".repeat(16)));
        assert_eq!(of_device(DeviceId([7; 16])), format!("/app/devices/{}", "07".repeat(16)));
    }

    #[test]
    fn a_seed_is_sealed_for_its_device_and_reference() {
        let associated = seed_associated(DeviceId([1; 16]), TokenId([2; 16]));
        assert_eq!(associated, [b"ramz-seed-1".to_vec(), vec![1; 16], vec![2; 16]].concat());
        assert_eq!(associated.len(), 43);
    }
}
