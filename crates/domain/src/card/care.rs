//! What the bank does with a card: lock it, change what is known of it; and what the operator says of its SMS.

use super::{
    Answer, CardDetails, CardState, CardStatus, Changes, Decided, Entry, ExpiryTag, Notice, ReceiptState,
    unchanged,
};
use crate::{ChallengeId, Moment};

impl CardState {
    /// For every use of a PIN.
    pub(super) fn lock(mut self) -> Decided {
        for tries in [&mut self.tries, &mut self.first_tries, &mut self.control_tries] {
            tries.lock();
        }
        let mut decided = self.writes(Answer::Done, vec![Entry::Locked { until: None }]);
        decided.notices.push(Notice::Locked(None));
        decided
    }

    /// A card that is closed stays closed.
    pub(super) fn update(mut self, details: &CardDetails, phone_changed: bool, now: Moment) -> Decided {
        let mut entries = Vec::new();
        if phone_changed || details.status == CardStatus::Closed {
            self.end_open(now);
            entries = self.end_services(now);
        }
        let had_phone = self.has_phone;
        let CardDetails { status, language, expiry, has_phone, product, consent, limits } = details.clone();
        let was =
            (self.status(), self.language, self.expiry, self.product.clone(), self.consent, self.limits);
        if self.status != CardStatus::Closed {
            self.set_status(status);
        }
        (self.language, self.expiry, self.has_phone) = (language, expiry, has_phone);
        (self.product, self.consent, self.limits) = (product, consent, limits);
        let changed = Changes::of([
            phone_changed,
            was.0 != self.status(),
            was.1 != self.language,
            was.2 != self.expiry,
            was.3 != self.product,
            was.4 != self.consent,
            was.5 != self.limits,
        ]);
        entries.insert(0, Entry::Updated { status: self.status(), has_phone, changed: Some(changed) });
        let mut decided = self.writes(Answer::Done, entries);
        // A first phone is nobody's news.
        if phone_changed && had_phone {
            decided.notices.push(Notice::PhoneWasOld);
            decided.notices.extend(has_phone.then_some(Notice::PhoneIsNew));
        }
        decided
    }

    /// What was sent for the old number pays nothing any more. Its holder stays, and so does what was switched on.
    pub(super) fn reissue(mut self, expiry: ExpiryTag, issue: u32, now: Moment) -> Decided {
        // Told again, after an outcome that nobody knew.
        if self.issue == issue && self.expiry == expiry {
            return unchanged(Answer::Done);
        }
        self.end_open(now);
        self.retire_texted(now);
        (self.expiry, self.issue) = (expiry, issue);
        let mut decided = self.writes(Answer::Done, vec![Entry::Reissued { issue }]);
        decided.notices.push(Notice::Reissued);
        decided
    }

    fn end_open(&mut self, now: Moment) {
        let open: Vec<_> = self.open.iter().map(|challenge| challenge.id).collect();
        open.into_iter().for_each(|id| self.retire_open(id, now));
    }

    /// An entry and nothing else: whether an SMS arrived says nothing about who reads it.
    pub(super) fn receipt(self, challenge: ChallengeId, state: ReceiptState, after_ms: u64) -> Decided {
        self.writes(Answer::Done, vec![Entry::Receipt { challenge, state, after_ms }])
    }
}
