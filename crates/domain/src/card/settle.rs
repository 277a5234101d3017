//! What follows an authorisation: the host's answer or its silence, and reversals. None ever revives a PIN.

use super::{
    Answer, Answered, CardState, Decided, Entry, HostAnswer, Mark, Notice, Outcome, Policy, Reversal,
    statics, unchanged,
};
use crate::{Moment, Refusal, limits};

impl CardState {
    pub(super) fn host_answered(mut self, identity: Mark, answer: &HostAnswer, policy: &Policy) -> Decided {
        let awaited = self.answers.iter_mut().find(|known| known.identity == Some(identity));
        // The same answer once more: an unknown commit that had happened, or another node that asked too.
        let same = |known: &&mut Answered| !known.undoing && known.outcome == Outcome::Host(answer.clone());
        if awaited.as_ref().is_some_and(same) {
            return unchanged(Answer::Done);
        }
        // The same once more, where it was told as the last try.
        if let Some(Answered { outcome: Outcome::Host(given), undoing: false, claim: Some(_), .. }) =
            awaited.as_deref()
            && statics::told_as(answer, given)
        {
            return unchanged(Answer::Again(given.clone()));
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
            self.static_answered_late(identity, answer);
            let mut decided = self.writes(told, vec![late]);
            decided.undo = Some(identity);
            return decided;
        }
        // Answered before, and otherwise. What was said first stands, and so does the try that it was counted as.
        if let Some(Answered { outcome: Outcome::Host(_), .. }) = awaited.as_deref() {
            return unchanged(Answer::NotAwaited);
        }
        let Some(awaited) = awaited.filter(|known| known.outcome == Outcome::Awaiting) else {
            // Reversed meanwhile. It is told nothing; but if its PIN was right, that try is given back.
            if !self.static_answered_late(identity, answer) {
                return unchanged(Answer::NotAwaited);
            }
            let response_code = answer.response_code.clone();
            return self.writes(Answer::NotAwaited, vec![Entry::HostAnswered { identity, response_code }]);
        };
        let response_code = answer.response_code.clone();
        let mut entries = vec![Entry::HostAnswered { identity, response_code }];
        let Some(claim) = awaited.claim else {
            awaited.outcome = Outcome::Host(answer.clone());
            return self.writes(Answer::Done, entries);
        };
        let (told, more) = self.static_answered(identity, claim, answer, policy);
        let locked = more.iter().find_map(|entry| match entry {
            Entry::Locked { until } => Some(Notice::Locked(*until)),
            _ => None,
        });
        entries.extend(more);
        if let Some(awaited) = self.answers.iter_mut().find(|known| known.identity == Some(identity)) {
            awaited.outcome = Outcome::Host(told.clone());
        }
        let answer = if told == *answer { Answer::Done } else { Answer::Again(told) };
        let mut decided = self.writes(answer, entries);
        decided.notices.extend(locked);
        decided
    }

    /// The host was asked and is silent. Kept as an answer of 91, which every release knows how to give again; what was
    /// answered meanwhile stands.
    pub(super) fn give_up(mut self, identity: Mark, policy: &Policy) -> Decided {
        let known = self.answers.iter_mut().find(|known| known.identity == Some(identity));
        let Some(known) = known else { return unchanged(Answer::NotAwaited) };
        match &known.outcome {
            Outcome::Awaiting => {}
            Outcome::Host(given) => return unchanged(Answer::Again(given.clone())),
            Outcome::Refused(why) => return unchanged(Answer::Refused(*why)),
            Outcome::Reversed => return unchanged(Answer::NotAwaited),
        }
        let answer = HostAnswer::of(Refusal::IssuerInoperative.response_code());
        known.outcome = Outcome::Host(answer.clone());
        known.undoing = true;
        let mut decided =
            self.ended(Answer::Again(answer), Entry::GaveUp { identity }, Some(identity), policy);
        decided.undo = Some(identity);
        decided
    }

    /// What was in doubt ends without a word of the host; a lock that its try has set stands, and is told.
    fn ended(self, answer: Answer, entry: Entry, identity: Option<Mark>, policy: &Policy) -> Decided {
        let lock = identity.and_then(|identity| self.claimed_lock(identity, policy));
        let notice = lock.as_ref().and_then(|lock| match lock {
            Entry::Locked { until } => Some(Notice::Locked(*until)),
            _ => None,
        });
        let mut decided = self.writes(answer, [entry].into_iter().chain(lock).collect());
        decided.notices.extend(notice);
        decided
    }

    /// For the journal: the card may have forgotten the transaction long ago. What it paid with the static PIN is remembered for
    /// longer, and was not paid after all.
    pub(super) fn undone(mut self, identity: Mark, reversal: Option<Mark>, response_code: &str) -> Decided {
        if let Some(reversal) = reversal {
            self.static_undone(reversal);
        }
        let response_code = response_code.to_owned();
        self.writes(Answer::Done, vec![Entry::Undone { identity, response_code }])
    }

    /// Tries of one purchase may share a reference. A reversal that comes again finds the one that it found at first; otherwise what
    /// the host was asked about goes before what was taken back, and that before what was refused here, the latest first.
    fn by_reference(&self, reversal: &Reversal) -> Option<usize> {
        let Reversal { reference: Some(reference), itself, .. } = *reversal else { return None };
        let tries = || {
            let same = |known: &Answered| known.reference == Some(reference);
            self.answers.iter().enumerate().rev().filter(move |(_, known)| same(known))
        };
        let again = tries().find(|(_, known)| itself.is_some() && known.reversed_by == itself);
        let found = again
            .or_else(|| tries().find(|(_, known)| known.went_to_the_host()))
            .or_else(|| tries().find(|(_, known)| known.outcome == Outcome::Reversed))
            .or_else(|| tries().next());
        found.map(|(at, _)| at)
    }

    pub(super) fn reverse(mut self, reversal: &Reversal, policy: &Policy, now: Moment) -> Decided {
        let Reversal { original: named, trace, reference, itself } = *reversal;
        let exact = self.answers.iter().position(|known| known.reversal == named);
        let found = exact.or_else(|| self.by_reference(reversal));
        if let Some(original) = found.and_then(|at| self.answers.get_mut(at)) {
            let (identity, known) = (original.identity, original.identity.is_some());
            // Of one that an earlier release took back it is not known.
            let asked = match original.outcome {
                Outcome::Awaiting => known,
                Outcome::Reversed => known && original.awaited.unwrap_or(true),
                _ => false,
            };
            let answer =
                if original.undoing { Answer::ReversedByUs } else { Answer::Reversed { known, asked } };
            if original.outcome == Outcome::Reversed {
                return unchanged(answer);
            }
            let awaited = identity.filter(|_| original.outcome == Outcome::Awaiting);
            original.outcome = Outcome::Reversed;
            original.awaited = known.then_some(asked);
            original.reversed_by = itself.filter(|_| exact.is_none());
            let reversal = original.reversal;
            self.static_undone(reversal);
            return self.ended(answer, Entry::Reversed { identity }, awaited, policy);
        }
        // A static payment is remembered for longer than its answer.
        if self.static_reversed_late(named, reference) {
            return self.writes(
                Answer::Reversed { known: true, asked: false },
                vec![Entry::Reversed { identity: None }],
            );
        }
        // The original may still come: it must then be refused. What cannot be noted is not answered, and comes again.
        let tombstones = self.answers.iter().filter(|known| known.identity.is_none()).count();
        if tombstones >= limits::TOMBSTONES_MAX {
            return unchanged(Answer::NotAwaited);
        }
        let answer = Answer::Reversed { known: false, asked: false };
        let tombstone = Answered {
            identity: None,
            content: None,
            reversal: named,
            reference,
            at: now,
            outcome: Outcome::Reversed,
            undoing: false,
            transmitted: None,
            claim: None,
            refused: None,
            clock_off: false,
            awaited: None,
            reversed_by: None,
            trace,
        };
        self.answers.push(tombstone);
        self.writes(answer, vec![Entry::Reversed { identity: None }])
    }
}
