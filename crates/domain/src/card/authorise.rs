//! Spending a PIN: what is looked at, in which order, and what counts as a guess.

use super::statics::Allowed;
use super::{
    Answer, Answered, Authorisation, CardState, CardStatus, Decided, Entry, Evidence, ExpiryFailure, Notice,
    Outcome, PinKind, Policy, Tries, unchanged,
};
use crate::{ChallengeId, Moment, Refusal, limits};

impl CardState {
    /// What is answered before any PIN may be compared: repeats, reversals that came first, switched-off cards,
    /// expiry, locks. `None`: compare.
    pub(super) fn refuse_before_comparing(
        &self,
        authorisation: &Authorisation,
        expiry_matches: bool,
        policy: &Policy,
        now: Moment,
    ) -> Option<Answer> {
        if let Some(answer) = self.answer_again(authorisation) {
            return Some(answer);
        }
        let refusal = match () {
            // A repeat gets the answer given before; another expiry under the same identity is no second guess.
            () if self.had_wrong_expiry(authorisation) => Refusal::WrongExpiry,
            () if self.door_is_throttled(authorisation) => Refusal::TooOften,
            () if !expiry_matches => Refusal::WrongExpiry,
            () if self.status() != CardStatus::Active => Refusal::NotPermitted,
            () if self.locked(policy, now).is_some() => Refusal::TriesExceeded,
            () if self.nothing_is_open() && self.stale.is_empty() => {
                match self.static_allowed(authorisation, policy, now) {
                    Allowed::Yes if self.answers_given() < limits::ANSWERS_MAX => return None,
                    Allowed::Yes => Refusal::TooOften,
                    Allowed::No => Refusal::NoOpenPin,
                    Allowed::TooMuch => Refusal::StaticTotal,
                }
            }
            () if self.answers_given() >= limits::ANSWERS_MAX => Refusal::TooOften,
            () => return None,
        };
        Some(Answer::Refused(refusal))
    }

    pub(super) fn authorise(
        mut self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        match self.refuse_before_comparing(authorisation, evidence.expiry_matches, policy, now) {
            Some(Answer::Refused(Refusal::WrongExpiry)) => return self.wrong_expiry(authorisation, now),
            Some(answer) => return unchanged(answer),
            None => {}
        }
        let matched = |id: &ChallengeId| evidence.matched.contains(id);
        let bound = |challenge: &&super::Challenge| authorisation.payments.contains(&challenge.payment);
        let open = || self.open.iter().filter(|challenge| matched(&challenge.id));
        let this_payment = open().find(bound).map(|challenge| challenge.id);
        let other_payment = open().next().map(|challenge| challenge.id);
        if let Some(id) = this_payment {
            return self.spend(id, authorisation, now);
        }
        if let Some(texted) = self.texted.as_ref().filter(|texted| matched(&texted.id)) {
            let ceiling = texted.ceiling;
            return self.present_texted(authorisation, ceiling, now);
        }
        if let Some(id) = other_payment {
            self.retire_open(id, now);
            let burnt = Entry::PinBurnt { challenge: id, identity: authorisation.identity };
            return self.count_failure(Refusal::OtherPayment, vec![burnt], authorisation, policy, now);
        }
        // Nothing is counted from here on, so nothing needs to be remembered.
        if self.stale.iter().any(|stale| matched(&stale.id)) {
            return unchanged(Answer::Refused(Refusal::StalePin));
        }
        match (self.static_allowed(authorisation, policy, now), self.nothing_is_open()) {
            (Allowed::Yes, _) => self.try_static(authorisation, policy, now),
            (Allowed::No, true) => unchanged(Answer::Refused(Refusal::NoOpenPin)),
            // With nothing to guess at, it was the static PIN: no guess, only too much for it.
            (Allowed::TooMuch, true) => unchanged(Answer::Refused(Refusal::StaticTotal)),
            (_, false) => self.wrong_pin(authorisation, policy, now),
        }
    }

    /// No PIN that could be guessed.
    fn nothing_is_open(&self) -> bool {
        self.open.is_empty() && self.texted.is_none()
    }

    fn wrong_pin(self, authorisation: &Authorisation, policy: &Policy, now: Moment) -> Decided {
        self.count_failure(Refusal::WrongPin, Vec::new(), authorisation, policy, now)
    }

    pub(super) fn answer_again(&self, authorisation: &Authorisation) -> Option<Answer> {
        let reversed_first = |answer: &&Answered| {
            answer.identity.is_none()
                && (answer.reversal == authorisation.reversal
                    || (answer.reference.is_some() && answer.reference == authorisation.reference))
        };
        if self.answers.iter().any(|answer| reversed_first(&answer)) {
            return Some(Answer::Refused(Refusal::ReversedBefore));
        }
        let known = self.answers.iter().find(|answer| answer.identity == Some(authorisation.identity))?;
        if !known.content.is_some_and(|content| authorisation.contents.contains(&content)) {
            return Some(Answer::Refused(Refusal::DuplicateOther));
        }
        if let Some(refusal) = known.refused {
            return Some(Answer::Refused(refusal));
        }
        Some(match &known.outcome {
            Outcome::Awaiting => {
                Answer::AskHost { repeat: true, transmitted: known.transmitted, pin: known.pin() }
            }
            Outcome::Refused(refusal) => Answer::Refused(*refusal),
            Outcome::Host(answer) => Answer::Again(answer.clone()),
            Outcome::Reversed => Answer::Refused(Refusal::ReversedBefore),
        })
    }

    fn answers_given(&self) -> usize {
        self.answers.iter().filter(|answer| answer.identity.is_some()).count()
    }

    fn had_wrong_expiry(&self, authorisation: &Authorisation) -> bool {
        self.expiry_failures.iter().any(|failure| failure.identity == authorisation.identity)
    }

    /// A door that keeps presenting wrong expiries is refused; a clean door never is, so that nobody who merely
    /// knows a PAN can keep its cardholder from paying elsewhere.
    fn door_is_throttled(&self, authorisation: &Authorisation) -> bool {
        let mine = self.expiry_failures.iter().filter(|failure| failure.door == authorisation.door).count();
        let full = self.expiry_failures.len() >= limits::EXPIRY_FAILURES_MAX;
        mine >= limits::EXPIRY_FAILURES_PER_DOOR || (full && mine > 0)
    }

    fn wrong_expiry(mut self, authorisation: &Authorisation, now: Moment) -> Decided {
        let Authorisation { door, identity, .. } = *authorisation;
        let answer = Answer::Refused(Refusal::WrongExpiry);
        if self.had_wrong_expiry(authorisation) {
            return unchanged(answer);
        }
        if self.expiry_failures.len() >= limits::EXPIRY_FAILURES_MAX {
            self.expiry_failures.remove(0);
        }
        self.expiry_failures.push(ExpiryFailure { door, at: now, identity });
        let failures = self.tries.failures;
        self.writes(answer, vec![Entry::Refused { why: Refusal::WrongExpiry, identity, failures }])
    }

    fn spend(mut self, id: ChallengeId, authorisation: &Authorisation, now: Moment) -> Decided {
        self.retire_open(id, now);
        self.give_back_sends(id);
        self.spent(id, authorisation, now)
    }

    pub(super) fn spent(mut self, id: ChallengeId, authorisation: &Authorisation, now: Moment) -> Decided {
        self.forget_failures();
        self.remember(authorisation, Outcome::Awaiting, now);
        let spent = Entry::PinSpent { challenge: id, identity: authorisation.identity };
        self.writes(Answer::AskHost { repeat: false, transmitted: None, pin: PinKind::Dynamic }, vec![spent])
    }

    pub(super) fn forget_failures(&mut self) {
        self.tries = Tries { count: self.tries.count.wrapping_add(1), ..Tries::default() };
    }

    /// One failure more; the lock that follows from it, if one does.
    pub(super) fn fail(&mut self, policy: &Policy, now: Moment) -> Option<Moment> {
        self.tries.failures += 1;
        if self.tries.failures < policy.failures_until_locked {
            return None;
        }
        let until = now.plus(policy.lock_length(self.tries.locks));
        self.tries.locks += 1;
        self.tries.locked_until = Some(until);
        Some(until)
    }

    /// The lock that is in force now.
    pub(super) fn locked_entry(&self, policy: &Policy) -> Entry {
        let for_good = self.tries.failures >= policy.failures_until_closed;
        Entry::Locked { until: self.tries.locked_until.filter(|_| !for_good) }
    }

    fn count_failure(
        mut self,
        why: Refusal,
        mut entries: Vec<Entry>,
        authorisation: &Authorisation,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        let locks = self.fail(policy, now).is_some();
        let why = if locks { Refusal::TriesExceeded } else { why };
        let failures = self.tries.failures;
        entries.push(Entry::Refused { why, identity: authorisation.identity, failures });
        let locked = locks.then(|| self.locked_entry(policy));
        entries.extend(locked.clone());
        self.remember(authorisation, Outcome::Refused(why), now);
        let mut decided = self.writes(Answer::Refused(why), entries);
        if let Some(Entry::Locked { until }) = locked {
            decided.notices.push(Notice::Locked(until));
        }
        decided
    }

    pub(super) fn remember(&mut self, authorisation: &Authorisation, outcome: Outcome, now: Moment) {
        self.answers.push(Answered {
            identity: Some(authorisation.identity),
            content: authorisation.contents.first().copied(),
            reversal: authorisation.reversal,
            reference: authorisation.reference,
            at: now,
            outcome,
            undoing: false,
            transmitted: authorisation.transmitted,
            claim: None,
            refused: None,
        });
    }
}
