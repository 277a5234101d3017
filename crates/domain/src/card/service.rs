//! What a cardholder switches at a terminal, once the first PIN was right.

use minicbor::{Decode, Encode};

use super::{Answer, CardState, CardStatus, Decided, Entry, Notice, Policy, Tries, UnlockedBy, unchanged};
use crate::{ActivationId, Digest, Moment, Refusal, Rial};

/// What is switched on for a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Services {
    /// PINs by texting.
    #[n(0)]
    pub sms: bool,
    /// The first PIN is dynamic.
    #[n(1)]
    pub first_pin: bool,
    /// The app's activation that was begun last: its code, and when.
    #[n(2)]
    pub activation: Option<Activation>,
}

/// A begun activation of the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Activation {
    /// Both halves of its code are made from it.
    #[n(0)]
    pub id: ActivationId,
    /// When it began.
    #[n(1)]
    pub at: Moment,
    /// The `pin` key's version that they are made under.
    #[n(2)]
    pub key_version: u32,
}

impl Activation {
    /// What stands in place of a payment in the code's half on the receipt …
    pub fn on_the_receipt() -> Digest {
        Digest::of(&[b"ramz-activation-1", b"receipt"])
    }

    /// … and in the half that comes by SMS.
    pub fn by_sms() -> Digest {
        Digest::of(&[b"ramz-activation-1", b"sms"])
    }
}

/// One switch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Service {
    /// PINs by texting, on.
    #[n(0)]
    SmsOn,
    /// Off.
    #[n(1)]
    SmsOff,
    /// The app may be activated.
    #[n(2)]
    AppOn,
    /// No device computes PINs for this card any more.
    #[n(3)]
    AppOff,
    /// The first PIN becomes dynamic.
    #[n(4)]
    FirstPinOn,
    /// The first PIN is the static one again.
    #[n(5)]
    FirstPinOff,
}

impl Service {
    /// The word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Service::SmsOn => "sms_on",
            Service::SmsOff => "sms_off",
            Service::AppOn => "app_on",
            Service::AppOff => "app_off",
            Service::FirstPinOn => "first_pin_on",
            Service::FirstPinOff => "first_pin_off",
        }
    }
}

impl CardState {
    /// What is switched on.
    pub fn services(&self) -> Services {
        self.services
    }

    /// `fresh` names the activation, should one begin; the same one again changes nothing and sends nothing.
    pub(super) fn switch(
        mut self,
        service: Service,
        fresh: ActivationId,
        key_version: u32,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        if let Some(why) = self.refuse_switch(service, policy) {
            return unchanged(Answer::Refused(why));
        }
        let (before, revoked, mut gone) = (self.services, self.revoked.clone(), Vec::new());
        let services = &mut self.services;
        let notice = match service {
            Service::SmsOn => {
                services.sms = true;
                Notice::SmsOn
            }
            Service::SmsOff => {
                services.sms = false;
                Notice::SmsOff
            }
            Service::AppOn => {
                if services.activation.is_none_or(|begun| begun.id != fresh) {
                    services.activation = Some(Activation { id: fresh, at: now, key_version });
                }
                Notice::AppCode(fresh)
            }
            Service::AppOff => {
                services.activation = None;
                gone = self.end_app(now);
                self.services.first_pin = false;
                Notice::AppOff
            }
            Service::FirstPinOn => {
                services.first_pin = true;
                self.first_tries.forget();
                Notice::FirstPinOn
            }
            Service::FirstPinOff => {
                services.first_pin = false;
                self.first_tries.forget();
                Notice::FirstPinOff
            }
        };
        if self.services == before && self.revoked == revoked && gone.is_empty() {
            return unchanged(Answer::Done);
        }
        if !self.services.sms {
            self.retire_texted(now);
        }
        gone.insert(0, Entry::Switched { service });
        let mut decided = self.writes(Answer::Done, gone);
        decided.notices.push(notice);
        decided
    }

    fn refuse_switch(&self, service: Service, policy: &Policy) -> Option<Refusal> {
        match service {
            // Switching off is always allowed.
            Service::SmsOff | Service::AppOff | Service::FirstPinOff => None,
            _ if self.status() != CardStatus::Active => Some(Refusal::NotPermitted),
            _ if !self.has_phone => Some(Refusal::NoPhone),
            Service::SmsOn if self.texted_ceiling(policy) == Rial::ZERO => Some(Refusal::NotOffered),
            Service::AppOn if !policy.app.offered => Some(Refusal::NotOffered),
            // Without a device nothing would compute the PIN.
            Service::FirstPinOn if self.tokens.is_empty() => Some(Refusal::NoDevice),
            Service::SmsOn | Service::AppOn | Service::FirstPinOn => None,
        }
    }

    /// All that came to the phone, or was computed on it, ends with it.
    pub(super) fn end_services(&mut self, now: Moment) -> Vec<Entry> {
        self.retire_texted(now);
        let first_pin = self.services.first_pin;
        let gone = self.end_app(now);
        let Services { sms, activation, .. } = std::mem::take(&mut self.services);
        let ended = [
            (sms, Service::SmsOff),
            (first_pin, Service::FirstPinOff),
            (activation.is_some(), Service::AppOff),
        ];
        let ended = ended.into_iter().filter(|(was, _)| *was).map(|(_, service)| Entry::Switched { service });
        let switched = |entry: &Entry| !matches!(entry, Entry::Switched { .. });
        ended.chain(gone.into_iter().filter(switched)).collect()
    }

    /// Whoever unlocks has proved more than a request can: what was sent and not spent is forgotten too.
    pub(super) fn unlock(mut self, by: UnlockedBy) -> Decided {
        let all = [&mut self.tries, &mut self.first_tries, &mut self.control_tries];
        let was_counted = all.iter().any(|tries| tries.failures > 0);
        all.into_iter().for_each(Tries::forget);
        self.sends.clear();
        let mut decided = self.writes(Answer::Done, vec![Entry::Unlocked { by }]);
        // A card that was not locked is no news to anybody.
        if was_counted {
            decided.notices.push(Notice::Unlocked);
        }
        decided
    }
}
