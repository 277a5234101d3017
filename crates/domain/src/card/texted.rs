//! A PIN that is texted back: its cardholder sent the card's last digits to the short code. Good for any one payment up to
//! a ceiling; the newest replaces the one before.

use minicbor::{Decode, Encode};

use super::{
    Answer, Authorisation, Candidate, CardState, CardStatus, Decided, Entry, NotSent, Notice, Policy,
    Requested, Stale, unchanged,
};
use crate::{AdmissionId, ChallengeId, Digest, Moment, Refusal, Rial};

/// One PIN that was texted back and may still be spent.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Texted {
    /// Its random name.
    #[n(0)]
    pub id: ChallengeId,
    /// How many digits it has.
    #[n(1)]
    pub digits: u8,
    /// The `pin` key's version.
    #[n(2)]
    pub key_version: u32,
    /// The largest payment it is good for.
    #[n(3)]
    pub ceiling: Rial,
    /// Until when.
    #[n(4)]
    pub expires: Moment,
    /// The text that it answers.
    #[n(5)]
    pub admission: AdmissionId,
}

/// A cardholder's text, from the card's own phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextRequest {
    /// The text: the same one again changes nothing.
    pub admission: AdmissionId,
    /// The random name of the PIN, should one be issued.
    pub fresh: ChallengeId,
    /// The version of the key it would be made under.
    pub key_version: u32,
    /// Out of date after this instant.
    pub not_after: Moment,
}

impl Texted {
    /// What stands in place of the payment: the PIN is made from it, so it must not change.
    pub fn payment(&self) -> Digest {
        Digest::of(&[b"ramz-texted-1", &self.ceiling.get().to_be_bytes()])
    }

    pub(super) fn candidate(&self) -> Candidate {
        let Texted { id, digits, key_version, .. } = *self;
        Candidate { id, digits, key_version, payment: self.payment() }
    }
}

impl CardState {
    /// The texted PIN that may be spent at that instant.
    pub fn texted(&self, now: Moment) -> Option<&Texted> {
        self.texted.as_ref().filter(|texted| texted.expires > now)
    }

    pub(super) fn text(mut self, request: &TextRequest, policy: &Policy, now: Moment) -> Decided {
        if self.has_texted(request.admission) {
            return unchanged(Answer::Requested(Requested::AlreadyServed));
        }
        if let Some(why) = self.refuse_text(request, policy, now) {
            let entry = Entry::PinNotSent { why, admission: request.admission };
            let mut decided = self.writes(Answer::Requested(Requested::NotSent(why)), vec![entry]);
            // Too late for a PIN is too late for words about it.
            if why != NotSent::OutOfDate {
                decided.notices.push(Notice::Help(why));
            }
            return decided;
        }
        self.retire_texted(now);
        let texted = Texted {
            id: request.fresh,
            digits: policy.digits,
            key_version: request.key_version,
            ceiling: self.texted_ceiling(policy),
            expires: now.plus(policy.valid_for),
            admission: request.admission,
        };
        let Texted { id, expires, admission, .. } = texted;
        self.texted = Some(texted);
        let issued = Entry::PinTexted { challenge: id, expires, admission };
        let mut decided = self.writes(Answer::Requested(Requested::Sent(id)), vec![issued]);
        decided.send = Some(id);
        decided
    }

    fn has_texted(&self, admission: AdmissionId) -> bool {
        self.texted.as_ref().is_some_and(|texted| texted.admission == admission)
            || self.stale.iter().any(|stale| stale.admissions.contains(&admission))
    }

    fn refuse_text(&self, request: &TextRequest, policy: &Policy, now: Moment) -> Option<NotSent> {
        match () {
            () if now > request.not_after => Some(NotSent::OutOfDate),
            () if self.status() != CardStatus::Active => Some(NotSent::NotActive),
            () if self.texted_ceiling(policy) == Rial::ZERO => Some(NotSent::NotOffered),
            () if !self.has_phone => Some(NotSent::NoPhone),
            () if !self.services.sms => Some(NotSent::NotActivated),
            () if self.locked(policy, now).is_some() => Some(NotSent::Locked),
            () => None,
        }
    }

    /// The bank's ceiling, or the card's own if that is lower.
    pub fn texted_ceiling(&self, policy: &Policy) -> Rial {
        self.limits.sms_pin_max.map_or(policy.sms_pin_max, |own| own.min(policy.sms_pin_max))
    }

    /// It may not be spent any more; presenting it counts as no guess.
    pub(super) fn retire_texted(&mut self, now: Moment) {
        if let Some(texted) = self.texted.take() {
            let (payment, since) = (texted.payment(), now.min(texted.expires));
            let Texted { id, digits, key_version, admission, .. } = texted;
            self.retired(Stale { id, digits, key_version, payment, since, admissions: vec![admission] });
        }
    }

    /// The texted PIN was presented. Above its ceiling it is used up as well.
    pub(super) fn present_texted(
        mut self,
        authorisation: &Authorisation,
        ceiling: Rial,
        now: Moment,
    ) -> Decided {
        let Some(id) = self.texted.as_ref().map(|texted| texted.id) else {
            return unchanged(Answer::Refused(Refusal::NoOpenPin));
        };
        self.retire_texted(now);
        if authorisation.amount <= ceiling {
            return self.spent(id, authorisation, now);
        }
        self.over_ceiling(authorisation, Vec::new(), now)
    }
}
