//! Spending a PIN: what is looked at, in which order, and what counts as a guess.

use super::statics::Allowed;
use super::{
    Answer, Answered, Authorisation, CardAt, CardState, CardStatus, Command, Decided, Entry, Evidence,
    ExpiryFailure, Mark, Notice, Outcome, PinKind, Policy, Purpose, Slot, unchanged,
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
        if self.is_for_the_host(authorisation.slot, policy) {
            return Some(Answer::NotDynamic);
        }
        let purpose = Purpose::from(authorisation.slot);
        let refusal = match () {
            // A repeat gets the answer given before; another expiry under the same identity is no second guess.
            () if self.had_wrong_expiry(authorisation) => Refusal::WrongExpiry,
            () if self.door_is_throttled(authorisation) => Refusal::TooOften,
            () if !expiry_matches => Refusal::WrongExpiry,
            () if self.status() != CardStatus::Active => Refusal::NotPermitted,
            () if self.locked_for(purpose, policy, now).is_some() => Refusal::TriesExceeded,
            () if self.nothing_to_guess(authorisation.slot, policy) && self.stale.is_empty() => {
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
        self,
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
        match authorisation.slot {
            Slot::First => self.with_first_pin(authorisation, evidence, policy, now),
            Slot::Second => self.with_second_pin(authorisation, evidence, policy, now),
        }
    }

    fn with_second_pin(
        mut self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
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
        self = match self.present_code(authorisation, evidence, policy, now) {
            Ok(decided) => return decided,
            Err(card) => *card,
        };
        if let Some(id) = other_payment {
            self.retire_open(id, now);
            let burnt = Entry::PinBurnt { challenge: id, identity: authorisation.identity };
            return self.count_failure(Refusal::OtherPayment, vec![burnt], authorisation, policy, now);
        }
        // That is counted nowhere, so it needs not to be remembered.
        if self.stale.iter().any(|stale| matched(&stale.id)) {
            return unchanged(Answer::Refused(Refusal::StalePin));
        }
        let nothing = self.nothing_to_guess(authorisation.slot, policy);
        match (self.static_allowed(authorisation, policy, now), nothing) {
            (Allowed::Yes, _) if evidence.far.is_empty() => {
                self.try_static(authorisation, !nothing, policy, now)
            }
            (Allowed::Yes, true) => self.try_static(authorisation, false, policy, now),
            (Allowed::No, true) => unchanged(Answer::Refused(Refusal::NoOpenPin)),
            // With nothing to guess at, it was the static PIN: no guess, only too much for it.
            (Allowed::TooMuch, true) => unchanged(Answer::Refused(Refusal::StaticTotal)),
            (_, false) => self.wrong_pin(authorisation, evidence, policy, now),
        }
    }

    /// No PIN that could be guessed.
    fn nothing_to_guess(&self, slot: Slot, policy: &Policy) -> bool {
        let sent = slot == Slot::Second && (!self.open.is_empty() || self.texted.is_some());
        !sent && !self.has_codes_for(slot, policy)
    }

    /// It matched nothing: a guess, or a code by a clock that is off.
    pub(super) fn wrong_pin(
        mut self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        match self.present_far(authorisation, evidence, now) {
            Some(Refusal::StalePin) => unchanged(Answer::Refused(Refusal::StalePin)),
            Some(why) => self.count_failure(why, Vec::new(), authorisation, policy, now),
            None => self.count_failure(Refusal::WrongPin, Vec::new(), authorisation, policy, now),
        }
    }

    pub(super) fn answer_again(&self, authorisation: &Authorisation) -> Option<Answer> {
        // A repeat may have been sent at another time than what its reversal names, and may be all that comes.
        let reversed_first = |answer: &&Answered| {
            answer.identity.is_none()
                && (answer.reversal == authorisation.reversal
                    || (answer.trace.is_some() && answer.trace == authorisation.trace)
                    || (answer.reference.is_some() && answer.reference == authorisation.reference))
        };
        if self.answers.iter().any(|answer| reversed_first(&answer)) {
            return Some(Answer::Refused(Refusal::ReversedBefore));
        }
        let known = self.answered(authorisation.identity)?;
        if !known.content.is_some_and(|content| authorisation.contents.contains(&content)) {
            return Some(Answer::Refused(Refusal::DuplicateOther));
        }
        Some(known.given())
    }

    /// What is remembered of this transaction.
    pub(super) fn answered(&self, identity: Mark) -> Option<&Answered> {
        self.answers.iter().find(|answer| answer.identity == Some(identity))
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

    pub(super) fn wrong_expiry(mut self, authorisation: &Authorisation, now: Moment) -> Decided {
        let Authorisation { door, identity, .. } = *authorisation;
        let answer = Answer::Refused(Refusal::WrongExpiry);
        if self.had_wrong_expiry(authorisation) {
            return unchanged(answer);
        }
        if self.expiry_failures.len() >= limits::EXPIRY_FAILURES_MAX {
            self.expiry_failures.remove(0);
        }
        self.expiry_failures.push(ExpiryFailure { door, at: now, identity });
        let failures = self.failures_of(authorisation.slot.into());
        let slot = Some(authorisation.slot);
        self.writes(answer, vec![Entry::Refused { why: Refusal::WrongExpiry, identity, failures, slot }])
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
        self.tries.forget();
    }

    pub(super) fn forget_failures_of(&mut self, purpose: Purpose) {
        self.tries_of_mut(purpose).forget();
    }

    fn count_failure(
        mut self,
        why: Refusal,
        mut entries: Vec<Entry>,
        authorisation: &Authorisation,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        let tries = self.tries_of_mut(authorisation.slot.into());
        let locks = tries.fail(policy, now).is_some();
        let why = if locks { Refusal::TriesExceeded } else { why };
        let (identity, failures, slot) = (authorisation.identity, tries.failures, Some(authorisation.slot));
        entries.push(Entry::Refused { why, identity, failures, slot });
        let locked = locks.then(|| tries.locked_entry(policy));
        entries.extend(locked.clone());
        self.remember(authorisation, Outcome::Refused(why), now);
        if let (Refusal::ClockOff, Some(answer)) = (why, self.answers.last_mut()) {
            (answer.outcome, answer.clock_off) = (Outcome::Refused(Refusal::WrongPin), true);
        }
        let mut decided = self.writes(Answer::Refused(why), entries);
        if let Some(Entry::Locked { until }) = locked {
            decided.notices.push(match authorisation.slot {
                Slot::First => Notice::FirstPinLocked(until),
                Slot::Second => Notice::Locked(until),
            });
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
            clock_off: false,
            awaited: None,
            reversed_by: None,
            trace: None,
        });
    }
}

impl CardAt {
    /// The answer that this very transaction was given before, if it was given one. Writes nothing.
    pub fn answer_given(&self, command: &Command) -> Option<Answer> {
        match command {
            Command::Authorise(authorisation) => self.state.answer_again(authorisation),
            _ => None,
        }
    }

    /// The same by its identity alone, for a repeat that does not say all of what its first did.
    pub fn answer_given_to(&self, identity: Mark) -> Option<Answer> {
        self.state.answered(identity).map(Answered::given)
    }
}

impl Answered {
    /// What the same again is answered.
    pub(super) fn given(&self) -> Answer {
        if let Some(refusal) = self.refused {
            return Answer::Refused(refusal);
        }
        match &self.outcome {
            Outcome::Awaiting => {
                Answer::AskHost { repeat: true, transmitted: self.transmitted, pin: self.pin() }
            }
            Outcome::Refused(_) if self.clock_off => Answer::Refused(Refusal::ClockOff),
            Outcome::Refused(refusal) => Answer::Refused(*refusal),
            Outcome::Host(answer) => Answer::Again(answer.clone()),
            Outcome::Reversed => Answer::Refused(Refusal::ReversedBefore),
        }
    }
}
