//! What the bank does with a card: unlock it, change what is known of it; and what the operator says of its SMS.

use super::{Answer, CardDetails, CardState, CardStatus, Decided, Entry, ReceiptState, Tries, UnlockedBy};
use crate::{ChallengeId, Moment, limits};

impl CardState {
    /// As many failures as any policy allows: a later, more lenient policy must not unlock the card.
    pub(super) fn lock(mut self) -> Decided {
        self.tries.failures = self.tries.failures.max(limits::FAILURES_MAX);
        self.writes(Answer::Done, vec![Entry::Locked { until: None }])
    }

    /// Whoever unlocks has proved more than a request can: what was sent and not spent is forgotten too.
    pub(super) fn unlock(mut self, by: UnlockedBy) -> Decided {
        self.tries = Tries::default();
        self.sends.clear();
        self.writes(Answer::Done, vec![Entry::Unlocked { by }])
    }

    /// A card that is closed stays closed.
    pub(super) fn update(mut self, details: &CardDetails, phone_changed: bool, now: Moment) -> Decided {
        if phone_changed {
            let open: Vec<_> = self.open.iter().map(|challenge| challenge.id).collect();
            open.into_iter().for_each(|id| self.retire_open(id, now));
        }
        let CardDetails { status, language, expiry, has_phone } = *details;
        self.status = if self.status == CardStatus::Closed { CardStatus::Closed } else { status };
        (self.language, self.expiry, self.has_phone) = (language, expiry, has_phone);
        let entry = Entry::Updated { status: self.status, has_phone };
        self.writes(Answer::Done, vec![entry])
    }

    /// An entry and nothing else: whether an SMS arrived says nothing about who reads it.
    pub(super) fn receipt(self, challenge: ChallengeId, state: ReceiptState, after_ms: u64) -> Decided {
        self.writes(Answer::Done, vec![Entry::Receipt { challenge, state, after_ms }])
    }
}
