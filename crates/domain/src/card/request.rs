//! Issuing a PIN, or sending the open one again. No request ends a PIN that is open: whoever knows a card's number can ask,
//! and its holder may be about to use it.

use super::{
    Answer, CardState, CardStatus, Challenge, Decided, Entry, NotSent, PinRequest, Policy, Requested,
    unchanged,
};
use crate::{ChallengeId, Moment, limits};

impl CardState {
    pub(super) fn request(mut self, request: &PinRequest, policy: &Policy, now: Moment) -> Decided {
        if self.has_served(request) {
            return unchanged(Answer::Requested(Requested::AlreadyServed));
        }
        if let Some(why) = self.refuse_request(request, policy, now) {
            return self.not_sent(request, why);
        }
        if let Some(at) = self.open.iter().position(|challenge| challenge.payment == request.payment) {
            return self.resend(at, request, policy, now);
        }
        if self.open.len() >= limits::OPEN_CHALLENGES_MAX {
            return self.not_sent(request, NotSent::TooManyOpen);
        }
        if self.door_is_full(request.door) {
            return self.not_sent(request, NotSent::DoorLimit);
        }
        if let Some(why) = self.sends_refused(request.door, policy, now) {
            return self.not_sent(request, why);
        }
        let challenge = Challenge {
            id: request.fresh,
            digits: policy.digits,
            key_version: request.key_version,
            payment: request.payment,
            payee: request.payee,
            kind: request.kind,
            amount: request.amount,
            payee_name: request.payee_name.clone(),
            origin: request.origin.clone(),
            expires: now.plus(policy.valid_for),
            sent: now,
            admissions: vec![request.admission],
            door: Some(request.door),
        };
        let issued = Entry::PinIssued {
            challenge: challenge.id,
            payment: challenge.payment,
            expires: challenge.expires,
            admission: request.admission,
        };
        let id = challenge.id;
        self.open.push(challenge);
        self.sends(id, request, issued, now)
    }

    /// The record of this request was taken up again after its work had been committed.
    fn has_served(&self, request: &PinRequest) -> bool {
        let open = self.open.iter().any(|challenge| challenge.admissions.contains(&request.admission));
        open || self.stale.iter().any(|stale| stale.admissions.contains(&request.admission))
    }

    fn refuse_request(&self, request: &PinRequest, policy: &Policy, now: Moment) -> Option<NotSent> {
        match () {
            () if now > request.not_after => Some(NotSent::OutOfDate),
            () if self.status() != CardStatus::Active => Some(NotSent::NotActive),
            () if !self.has_phone => Some(NotSent::NoPhone),
            () if self.locked(policy, now).is_some() => Some(NotSent::Locked),
            () => request.withheld,
        }
    }

    fn resend(mut self, at: usize, request: &PinRequest, policy: &Policy, now: Moment) -> Decided {
        let challenge = &self.open[at];
        if challenge.admissions.len() > usize::from(policy.resends) {
            return self.not_sent(request, NotSent::TooOften);
        }
        if now.since(challenge.sent) < policy.resend_after {
            return self.not_sent(request, NotSent::TooSoon);
        }
        if let Some(why) = self.sends_refused(request.door, policy, now) {
            return self.not_sent(request, why);
        }
        let challenge = &mut self.open[at];
        challenge.sent = now;
        challenge.admissions.push(request.admission);
        let id = challenge.id;
        self.sends(id, request, Entry::PinResent { challenge: id, admission: request.admission }, now)
    }

    fn sends(mut self, id: ChallengeId, request: &PinRequest, entry: Entry, now: Moment) -> Decided {
        self.note_send(id, request.door, now);
        let mut decided = self.writes(Answer::Requested(Requested::Sent(id)), vec![entry]);
        decided.send = Some(id);
        decided
    }

    fn not_sent(self, request: &PinRequest, why: NotSent) -> Decided {
        let entry = Entry::PinNotSent { why, admission: request.admission };
        self.writes(Answer::Requested(Requested::NotSent(why)), vec![entry])
    }
}
