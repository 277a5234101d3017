//! A code at a door: in a payment, or as the first PIN of a terminal service. What matched is known; what follows is decided here.

use super::{CodeFound, CodeRange, Purpose, Slot};
use crate::card::{
    Answer, Authorisation, CardAt, CardState, Command, Decided, Entry, Evidence, HostAnswer, Outcome,
    PinKind, Policy, unchanged,
};
use crate::{Moment, Refusal};

/// What a code is good for.
enum Good {
    /// For this amount.
    Pays(CodeFound),
    /// It is right, and the amount is above its ceiling.
    Lower(CodeFound),
    /// It was used, or one after it.
    Stale,
}

impl CardAt {
    /// The app codes that a presented PIN is compared with beside [`CardAt::candidates`]; none if nothing may be compared.
    pub fn codes(&self, command: &Command, expiry_matches: bool, policy: &Policy) -> Vec<CodeRange> {
        match command {
            Command::App(app) => self.state.control_codes(app, policy, self.now),
            _ => self.payment_codes(command, expiry_matches, policy, |token| vec![token.window(self.now)]),
        }
    }

    /// Codes of other minutes: compared only once nothing matched, to tell a wrong clock from a wrong code.
    pub fn far_codes(&self, command: &Command, expiry_matches: bool, policy: &Policy) -> Vec<CodeRange> {
        self.payment_codes(command, expiry_matches, policy, |token| token.around(self.now).into())
    }

    fn payment_codes(
        &self,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
        steps: impl Fn(&super::Token) -> Vec<std::ops::RangeInclusive<super::Step>>,
    ) -> Vec<CodeRange> {
        let (Command::Authorise(authorisation) | Command::Prove { authorisation, .. }) = command else {
            return Vec::new();
        };
        let (state, slot) = (&self.state, authorisation.slot);
        if state.refuse_before_comparing(authorisation, expiry_matches, policy, self.now).is_some() {
            return Vec::new();
        }
        let ranges = state.tokens_for(slot, policy).flat_map(|token| {
            steps(token).into_iter().map(move |steps| token.range(slot.into(), policy, steps))
        });
        ranges.collect()
    }
}

impl CardState {
    /// The best that can be made of the codes that matched.
    fn best_code(
        &self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Option<Good> {
        let (slot, purpose) = (authorisation.slot, Purpose::from(authorisation.slot));
        let mut best = None;
        for found in evidence.codes.iter().filter(|found| found.purpose == purpose) {
            let Some(token) = self.tokens_for(slot, policy).find(|token| token.id == found.token) else {
                continue;
            };
            if !token.is_fresh(purpose, found.step) {
                best = best.or(Some(Good::Stale));
                continue;
            }
            let largest = token.largest(slot, found.ceiling, policy, now);
            if largest.is_none_or(|largest| authorisation.amount <= largest) {
                return Some(Good::Pays(*found));
            }
            best = Some(Good::Lower(*found));
        }
        best
    }

    /// What follows if an app code was presented; the card as it was if none was.
    pub(in crate::card) fn present_code(
        mut self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Result<Decided, Box<CardState>> {
        match self.best_code(authorisation, evidence, policy, now) {
            None => Err(Box::new(self)),
            Some(Good::Stale) => Ok(unchanged(Answer::Refused(Refusal::StalePin))),
            Some(Good::Lower(found)) => {
                let used = self.use_up(found, authorisation, now);
                Ok(self.over_ceiling(authorisation, vec![used], now))
            }
            Some(Good::Pays(found)) => {
                let used = self.use_up(found, authorisation, now);
                self.forget_failures_of(found.purpose);
                self.remember(authorisation, Outcome::Awaiting, now);
                let ask = Answer::AskHost { repeat: false, transmitted: None, pin: PinKind::Dynamic };
                Ok(self.writes(ask, vec![used]))
            }
        }
    }

    fn use_up(&mut self, found: CodeFound, authorisation: &Authorisation, now: Moment) -> Entry {
        let CodeFound { token, purpose, step, ceiling } = found;
        if let Some(token) = self.token_mut(token) {
            token.accept(purpose, step, now);
        }
        Entry::CodeSpent { token, purpose, step, ceiling, identity: authorisation.identity }
    }

    /// A code of another minute: its step is used up, for the answer tells what it is. `None`: it is no code at all. One that was
    /// used, or came before one that was, is stale wherever it is.
    pub(in crate::card) fn present_far(
        &mut self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        now: Moment,
    ) -> Option<Refusal> {
        let purpose = Purpose::from(authorisation.slot);
        let found = evidence.far.iter().find(|found| found.purpose == purpose)?;
        let token = self.token_mut(found.token)?;
        if !token.is_fresh(purpose, found.step) {
            return Some(Refusal::StalePin);
        }
        let fast = found.step > token.center(now);
        token.use_up_far(purpose, found.step, fast);
        Some(Refusal::ClockOff)
    }

    /// A payment where the card was read, with a dynamic first PIN.
    pub(in crate::card) fn with_first_pin(
        self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        match self.present_code(authorisation, evidence, policy, now) {
            Ok(decided) => decided,
            Err(card) => card.wrong_pin(authorisation, evidence, policy, now),
        }
    }

    /// The first PIN of a terminal service: nothing is paid, and no host is asked for the answer. `static_too`: where a lost phone must be
    /// no dead end, what is no right code may be the static PIN; the try is counted until the host has said so.
    pub(in crate::card) fn prove(
        self,
        authorisation: &Authorisation,
        static_too: bool,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        let mut decided = self.prove_dynamic(authorisation, evidence, policy, now);
        let for_the_host = |why| !matches!(why, Refusal::WrongExpiry | Refusal::DuplicateOther);
        match decided.answer {
            Answer::Again(_) | Answer::AskHost { .. } => decided.answer = Answer::Done,
            Answer::Refused(why) if static_too && for_the_host(why) => decided.answer = Answer::NotDynamic,
            _ => {}
        }
        decided
    }

    fn prove_dynamic(
        self,
        authorisation: &Authorisation,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        let mut decided = self.authorise(authorisation, evidence, policy, now);
        // Nobody is asked: it is over with the code.
        if let (Some(next), Answer::AskHost { .. }) = (&mut decided.next, &decided.answer)
            && let Some(known) = next.answers.last_mut()
        {
            known.outcome = Outcome::Host(HostAnswer::of("00"));
        }
        decided
    }

    /// Above a right PIN's ceiling: 61 is no second chance, and no wrong PIN.
    pub(in crate::card) fn over_ceiling(
        mut self,
        authorisation: &Authorisation,
        mut entries: Vec<Entry>,
        now: Moment,
    ) -> Decided {
        let (why, identity) = (Refusal::OverCeiling, authorisation.identity);
        let failures = self.failures_of(authorisation.slot.into());
        self.remember(authorisation, Outcome::Host(HostAnswer::of(why.response_code())), now);
        if let Some(answer) = self.answers.last_mut() {
            answer.refused = Some(why);
        }
        entries.push(Entry::Refused { why, identity, failures, slot: Some(authorisation.slot) });
        self.writes(Answer::Refused(why), entries)
    }

    /// Whether a first PIN is a matter of the card host.
    pub(in crate::card) fn is_for_the_host(&self, slot: Slot, policy: &Policy) -> bool {
        slot == Slot::First && !self.first_pin_is_dynamic(policy)
    }
}
