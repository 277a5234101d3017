//! What a cardholder is told beside a PIN: something was switched, locked or changed; or help with what was texted.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{NotSent, Policy, Slot};
use crate::{ActivationId, Moment, limits};

/// One text to the phone of a card. Ids only: words and codes are made at sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Notice {
    /// A PIN can be had by texting from now on, and how.
    #[n(0)]
    SmsOn,
    /// It cannot any more.
    #[n(1)]
    SmsOff,
    /// The half of the app's activation code that comes by SMS.
    #[n(2)]
    AppCode(#[n(0)] ActivationId),
    /// The app computes no PINs for this card any more.
    #[n(3)]
    AppOff,
    /// The card's first PIN is dynamic from now on.
    #[n(4)]
    FirstPinOn,
    /// It is the static one again.
    #[n(5)]
    FirstPinOff,
    /// Wrong PINs, or the bank, locked the dynamic PIN: until when, or until it is unlocked.
    #[n(6)]
    Locked(#[n(0)] Option<Moment>),
    /// It was unlocked.
    #[n(7)]
    Unlocked,
    /// The card has this phone now.
    #[n(8)]
    PhoneIsNew,
    /// The card had this phone until now.
    #[n(9)]
    PhoneWasOld,
    /// The card has a new number.
    #[n(10)]
    Reissued,
    /// Why no PIN comes for what was texted.
    #[n(11)]
    Help(#[n(0)] NotSent),
    /// The card was put on a device.
    #[n(12)]
    CardOnDevice,
    /// It was taken off one.
    #[n(13)]
    CardOffDevice,
    /// The step of the ceiling of a slot's codes.
    #[n(14)]
    Ceiling(#[n(0)] Slot, #[n(1)] u8),
    /// The app's codes pay on the web.
    #[n(15)]
    SecondPinOn,
    /// They do not.
    #[n(16)]
    SecondPinOff,
    /// Wrong first PINs locked the dynamic first PIN.
    #[n(17)]
    FirstPinLocked(#[n(0)] Option<Moment>),
    /// Wrong app PINs: the app changes nothing for this card for a while.
    #[n(18)]
    AppLocked,
}

/// Which notices a bank sends. Codes and help are never switched off: they are answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alerts {
    /// When the dynamic PIN is locked or unlocked.
    pub lock: bool,
    /// When a service is switched on or off.
    pub service: bool,
    /// When the phone or the number of a card changes: to both phones.
    pub change: bool,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts { lock: true, service: true, change: true }
    }
}

impl Notice {
    /// Whether the bank wants it sent.
    pub(super) fn wanted(self, policy: &Policy) -> bool {
        let Alerts { lock, service, change } = policy.alerts;
        match self {
            Notice::AppCode(_) | Notice::Help(_) => true,
            // How the service is used stands in it.
            Notice::SmsOn => true,
            Notice::SmsOff | Notice::AppOff | Notice::FirstPinOn | Notice::FirstPinOff => service,
            Notice::SecondPinOn | Notice::SecondPinOff | Notice::Ceiling(..) => service,
            Notice::CardOnDevice | Notice::CardOffDevice => service,
            Notice::Locked(_) | Notice::Unlocked | Notice::FirstPinLocked(_) | Notice::AppLocked => lock,
            Notice::PhoneIsNew | Notice::PhoneWasOld | Notice::Reissued => change,
        }
    }

    /// How long it is of use.
    pub fn kept(self) -> Duration {
        match self {
            Notice::AppCode(_) => limits::ACTIVATION_VALID,
            Notice::Help(_) => limits::HELP_KEPT,
            _ => limits::ALERT_KEPT,
        }
    }

    /// Whether it warns: what a thief does to a card must not be kept from its holder by filling a limit of ordinary texts.
    pub fn is_alert(self) -> bool {
        !matches!(self, Notice::Help(_))
    }
}
