//! What follows an authorisation: the host's answer or its silence, and reversals. None ever revives a PIN.

use super::{Answer, Answered, CardState, Decided, Entry, HostAnswer, Mark, Outcome, unchanged};
use crate::{Moment, Refusal, limits};

impl CardState {
    pub(super) fn host_answered(mut self, identity: Mark, answer: &HostAnswer) -> Decided {
        let awaited = self.answers.iter_mut().find(|known| known.identity == Some(identity));
        // The same answer once more: an unknown commit that had happened, or another node that asked too.
        let same = |known: &&mut Answered| !known.undoing && known.outcome == Outcome::Host(answer.clone());
        if awaited.as_ref().is_some_and(same) {
            return unchanged(Answer::Done);
        }
        // Late: 91 was answered, and the reversal stands whatever the host says now. It may have overtaken what it undoes,
        // and have found nothing: one more, after the answer, cannot.
        if let Some(Answered { outcome, undoing: true, .. }) = awaited.as_deref() {
            let told = match outcome {
                Outcome::Host(given) => Answer::Again(given.clone()),
                // The switch has reversed it too: it is told nothing any more.
                _ => Answer::NotAwaited,
            };
            let late = Entry::AnsweredLate { identity, response_code: answer.response_code.clone() };
            let mut decided = self.writes(told, vec![late]);
            decided.undo = Some(identity);
            return decided;
        }
        let Some(awaited) = awaited.filter(|known| known.outcome == Outcome::Awaiting) else {
            return unchanged(Answer::NotAwaited);
        };
        awaited.outcome = Outcome::Host(answer.clone());
        let response_code = answer.response_code.clone();
        self.writes(Answer::Done, vec![Entry::HostAnswered { identity, response_code }])
    }

    /// The host was asked and is silent. Kept as an answer of 91, which every release knows how to give again; what was
    /// answered meanwhile stands.
    pub(super) fn give_up(mut self, identity: Mark) -> Decided {
        let known = self.answers.iter_mut().find(|known| known.identity == Some(identity));
        let Some(known) = known else { return unchanged(Answer::NotAwaited) };
        match &known.outcome {
            Outcome::Awaiting => {}
            Outcome::Host(given) => return unchanged(Answer::Again(given.clone())),
            Outcome::Refused(why) => return unchanged(Answer::Refused(*why)),
            Outcome::Reversed => return unchanged(Answer::NotAwaited),
        }
        let answer = HostAnswer {
            response_code: Refusal::IssuerInoperative.response_code().to_owned(),
            authorisation_code: None,
            reference: None,
        };
        known.outcome = Outcome::Host(answer.clone());
        known.undoing = true;
        let mut decided = self.writes(Answer::Again(answer), vec![Entry::GaveUp { identity }]);
        decided.undo = Some(identity);
        decided
    }

    /// For the journal: the card may have forgotten the transaction long ago.
    pub(super) fn undone(self, identity: Mark, response_code: &str) -> Decided {
        let response_code = response_code.to_owned();
        self.writes(Answer::Done, vec![Entry::Undone { identity, response_code }])
    }

    pub(super) fn reverse(mut self, reversal: Mark, reference: Option<Mark>, now: Moment) -> Decided {
        let exact = self.answers.iter().position(|known| known.reversal == reversal);
        let by_reference =
            || self.answers.iter().position(|known| reference.is_some() && known.reference == reference);
        if let Some(original) = exact.or_else(by_reference).and_then(|at| self.answers.get_mut(at)) {
            let (identity, known) = (original.identity, original.identity.is_some());
            let answer = if original.undoing { Answer::ReversedByUs } else { Answer::Reversed { known } };
            if original.outcome == Outcome::Reversed {
                return unchanged(answer);
            }
            original.outcome = Outcome::Reversed;
            return self.writes(answer, vec![Entry::Reversed { identity }]);
        }
        // The original may still come: it must then be refused. What cannot be noted is not answered, and comes again.
        let tombstones = self.answers.iter().filter(|known| known.identity.is_none()).count();
        if tombstones >= limits::TOMBSTONES_MAX {
            return unchanged(Answer::NotAwaited);
        }
        let answer = Answer::Reversed { known: false };
        let tombstone = Answered {
            identity: None,
            content: None,
            reversal,
            reference,
            at: now,
            outcome: Outcome::Reversed,
            undoing: false,
            transmitted: None,
        };
        self.answers.push(tombstone);
        self.writes(answer, vec![Entry::Reversed { identity: None }])
    }
}
