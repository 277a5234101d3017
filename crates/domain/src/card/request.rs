//! Issuing a PIN, or sending the open one again.

use super::{
    Answer, CardState, CardStatus, Challenge, Decided, Entry, NotSent, PinRequest, Policy, Requested,
};
use crate::{Moment, limits};

impl CardState {
    pub(super) fn request(mut self, request: &PinRequest, policy: &Policy, now: Moment) -> Decided {
        if self.has_served(request) {
            let answer = Answer::Requested(Requested::AlreadyServed);
            return Decided { next: None, answer, entries: Vec::new(), send: None };
        }
        if let Some(why) = self.refuse_request(request, policy, now) {
            return self.not_sent(request, why);
        }
        if let Some(at) = self.open.iter().position(|challenge| challenge.payment == request.payment) {
            return self.resend(at, request, policy, now);
        }
        let mut entries = Vec::new();
        if let Some(old) = self.open.iter().find(|challenge| challenge.payee == request.payee).map(|c| c.id) {
            self.retire_open(old, now);
            entries.push(Entry::PinReplaced { challenge: old });
        }
        if self.open.len() >= limits::OPEN_CHALLENGES_MAX {
            return self.not_sent(request, NotSent::TooManyOpen);
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
        };
        entries.push(Entry::PinIssued {
            challenge: challenge.id,
            payment: challenge.payment,
            expires: challenge.expires,
            admission: request.admission,
        });
        let id = challenge.id;
        self.open.push(challenge);
        self.sends(id, entries)
    }

    /// The record of this request was taken up again after its work had been committed.
    fn has_served(&self, request: &PinRequest) -> bool {
        let open = self.open.iter().any(|challenge| challenge.admissions.contains(&request.admission));
        open || self.stale.iter().any(|stale| stale.admissions.contains(&request.admission))
    }

    fn refuse_request(&self, request: &PinRequest, policy: &Policy, now: Moment) -> Option<NotSent> {
        match () {
            () if now > request.not_after => Some(NotSent::OutOfDate),
            () if self.status != CardStatus::Active => Some(NotSent::NotActive),
            () if !self.has_phone => Some(NotSent::NoPhone),
            () if self.locked(policy, now).is_some() => Some(NotSent::Locked),
            () => None,
        }
    }

    fn resend(mut self, at: usize, request: &PinRequest, policy: &Policy, now: Moment) -> Decided {
        let challenge = &mut self.open[at];
        if challenge.admissions.len() > usize::from(policy.resends) {
            return self.not_sent(request, NotSent::TooOften);
        }
        if now.since(challenge.sent) < policy.resend_after {
            return self.not_sent(request, NotSent::TooSoon);
        }
        challenge.sent = now;
        challenge.admissions.push(request.admission);
        let id = challenge.id;
        self.sends(id, vec![Entry::PinResent { challenge: id, admission: request.admission }])
    }

    fn sends(self, id: crate::ChallengeId, entries: Vec<Entry>) -> Decided {
        let mut decided = self.writes(Answer::Requested(Requested::Sent(id)), entries);
        decided.send = Some(id);
        decided
    }

    fn not_sent(self, request: &PinRequest, why: NotSent) -> Decided {
        let entry = Entry::PinNotSent { why, admission: request.admission };
        self.writes(Answer::Requested(Requested::NotSent(why)), vec![entry])
    }
}
