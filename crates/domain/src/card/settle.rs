//! What follows an authorisation: the host's answer, and reversals. Neither ever revives a PIN.

use super::{Answer, Answered, CardState, Decided, Entry, HostAnswer, Mark, Outcome};
use crate::{Moment, limits};

impl CardState {
    pub(super) fn host_answered(mut self, identity: Mark, answer: &HostAnswer) -> Decided {
        let awaited = self.answers.iter_mut().find(|known| known.identity == Some(identity));
        // The same answer once more: an unknown commit that had happened, or another node that asked too.
        if awaited.as_ref().is_some_and(|known| known.outcome == Outcome::Host(answer.clone())) {
            return Decided { next: None, answer: Answer::Done, entries: Vec::new(), send: None };
        }
        let Some(awaited) = awaited.filter(|known| known.outcome == Outcome::Awaiting) else {
            return Decided { next: None, answer: Answer::NotAwaited, entries: Vec::new(), send: None };
        };
        awaited.outcome = Outcome::Host(answer.clone());
        let response_code = answer.response_code.clone();
        self.writes(Answer::Done, vec![Entry::HostAnswered { identity, response_code }])
    }

    pub(super) fn reverse(mut self, reversal: Mark, reference: Option<Mark>, now: Moment) -> Decided {
        let exact = self.answers.iter().position(|known| known.reversal == reversal);
        let by_reference =
            || self.answers.iter().position(|known| reference.is_some() && known.reference == reference);
        if let Some(original) = exact.or_else(by_reference).and_then(|at| self.answers.get_mut(at)) {
            let (identity, known) = (original.identity, original.identity.is_some());
            let answer = Answer::Reversed { known };
            if original.outcome == Outcome::Reversed {
                return Decided { next: None, answer, entries: Vec::new(), send: None };
            }
            original.outcome = Outcome::Reversed;
            return self.writes(answer, vec![Entry::Reversed { identity }]);
        }
        // The original may still come: it must then be refused. What cannot be noted is not answered, and comes again.
        let tombstones = self.answers.iter().filter(|known| known.identity.is_none()).count();
        if tombstones >= limits::TOMBSTONES_MAX {
            return Decided { next: None, answer: Answer::NotAwaited, entries: Vec::new(), send: None };
        }
        let answer = Answer::Reversed { known: false };
        let tombstone = Answered {
            identity: None,
            content: None,
            reversal,
            reference,
            at: now,
            outcome: Outcome::Reversed,
        };
        self.answers.push(tombstone);
        self.writes(answer, vec![Entry::Reversed { identity: None }])
    }
}
