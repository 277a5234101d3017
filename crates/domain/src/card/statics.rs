//! The static second PIN: allowed for small payments, up to a total. The amount and the try are taken before the host is
//! asked, and given back by what it says, never by its silence.
//!
//! ```text
//!   no dynamic PIN matched ─▶ allowed, and it fits? ─▶ amount reserved, one failure claimed ─▶ host
//!                                                        host approves: failure given back, amount stays
//!                                                        host 55/75:    failure stays (and may lock), amount given back
//!                                                        host declines: both given back, but no failure that may have been a guess
//!                                                        full reversal: amount given back, once
//!                                                        silence:       both stay
//! ```
//!
//! A static PIN that is right gives back its own try and no other: whoever has it could otherwise guess at dynamic PINs for ever. So
//! could who presents a guess where the host declines for another reason: what was compared with a dynamic PIN is given back by an
//! approval only.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{
    Answer, Answered, Authorisation, CardState, Decided, Entry, HostAnswer, Mark, Outcome, PinKind, Policy,
    Slot,
};
use crate::{Moment, PaymentKind, Refusal, Rial, is_approval, limits};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// What a host says of a PIN that is wrong: wrong, tries exceeded (38 and 75), cannot be verified. And 05, which gives no reason:
/// who declines so has not said that the PIN was right.
const PIN_REFUSED: [&str; 5] = ["55", "38", "75", "86", "05"];

/// When a static second PIN may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StaticRule {
    /// Never.
    Never,
    /// Up to this total of a card in 24 hours.
    Total24h(Rial),
    /// Up to this amount each time.
    PerPayment(Rial),
}

/// What a bank allows static second PINs for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticPolicy {
    /// How much.
    pub rule: StaticRule,
    /// For which kinds of payment.
    pub kinds: Vec<PaymentKind>,
    /// Products that may be used with a static PIN without consent and up to any amount, such as gift cards.
    pub exempt: Vec<String>,
}

impl Default for StaticPolicy {
    fn default() -> StaticPolicy {
        StaticPolicy { rule: StaticRule::Never, kinds: limits::STATIC_KINDS.to_vec(), exempt: Vec::new() }
    }
}

/// What was paid with the static PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct StaticAmount {
    #[n(0)]
    reversal: Mark,
    #[n(1)]
    reference: Option<Mark>,
    #[n(2)]
    amount: Rial,
    #[n(3)]
    at: Moment,
}

/// The try that a payment with the static PIN has claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Claim {
    /// Of which count: one that was forgotten meanwhile is not given back to.
    #[n(0)]
    count: u32,
    /// The lock that it set, if it was the last try.
    #[n(1)]
    lock: Option<Moment>,
    /// It was compared with a dynamic PIN first. A row of an earlier release does not say.
    #[n(2)]
    #[cbor(default)]
    guess: bool,
}

impl Claim {
    /// Whether the host's answer gives the try back.
    fn is_given_back_by(self, code: &str) -> bool {
        is_approval(code) || !(self.guess || PIN_REFUSED.contains(&code))
    }
}

/// Whether the static PIN may be tried.
pub(super) enum Allowed {
    Yes,
    No,
    /// It might, but not for so much.
    TooMuch,
}

impl CardState {
    pub(super) fn static_allowed(
        &self,
        authorisation: &Authorisation,
        policy: &Policy,
        now: Moment,
    ) -> Allowed {
        let StaticPolicy { rule, kinds, .. } = &policy.static_pin;
        if self.is_exempt(policy) {
            return Allowed::Yes;
        }
        if self.consent.is_none_or(|since| since > now)
            || !authorisation.kind.is_some_and(|kind| kinds.contains(&kind))
        {
            return Allowed::No;
        }
        let own = |limit: Rial| self.limits.static_max.map_or(limit, |own| own.min(limit));
        let (limit, used, full) = match *rule {
            StaticRule::Never => return Allowed::No,
            StaticRule::PerPayment(limit) => (own(limit), 0, false),
            StaticRule::Total24h(limit) => {
                (own(limit), self.static_total(now), self.statics.len() >= limits::STATIC_AMOUNTS_MAX)
            }
        };
        let fits = used.saturating_add(authorisation.amount.get()) <= limit.get();
        if fits && !full { Allowed::Yes } else { Allowed::TooMuch }
    }

    /// Whether there is anything that the card may use a static PIN for.
    pub fn may_use_static(&self, policy: &Policy) -> bool {
        self.is_exempt(policy) || (policy.static_pin.rule != StaticRule::Never && self.consent.is_some())
    }

    /// What was paid with the static PIN in the last 24 hours, in rial.
    pub fn static_total(&self, now: Moment) -> u64 {
        let within = self.statics.iter().filter(|paid| now.since(paid.at) < DAY);
        within.map(|paid| paid.amount.get()).sum()
    }

    /// Since when the cardholder accepts the risk of a static PIN.
    pub fn static_consent(&self) -> Option<Moment> {
        self.consent
    }

    /// Of what is remembered and the host was asked about: what a reversal is matched by, and when the first message was sent (DE7).
    pub fn sent(&self) -> impl Iterator<Item = (Mark, u64)> {
        self.answers.iter().filter_map(|known| Some((known.reversal, known.transmitted?)))
    }

    /// Which PIN a transaction that is remembered was made with.
    pub fn tried_with(&self, identity: Mark) -> Option<PinKind> {
        self.answers.iter().find(|known| known.identity == Some(identity)).map(Answered::pin)
    }

    /// Takes amount and try: the host is asked next. `guess`: it matched no dynamic PIN, and there was one that it might have.
    pub(super) fn try_static(
        mut self,
        authorisation: &Authorisation,
        guess: bool,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        if matches!(policy.static_pin.rule, StaticRule::Total24h(_)) && !self.is_exempt(policy) {
            let Authorisation { reversal, reference, amount, .. } = *authorisation;
            self.statics.push(StaticAmount { reversal, reference, amount, at: now });
        }
        let (identity, failures) = (authorisation.identity, self.tries.failures + 1);
        let lock = self.tries.fail(policy, now);
        let claim = Claim { count: self.tries.count, lock, guess };
        self.remember(authorisation, Outcome::Awaiting, now);
        if let Some(answer) = self.answers.last_mut() {
            answer.claim = Some(claim);
        }
        let tried = Entry::StaticTried { identity, failures };
        self.writes(Answer::AskHost { repeat: false, transmitted: None, pin: PinKind::Static }, vec![tried])
    }

    fn is_exempt(&self, policy: &Policy) -> bool {
        self.product.as_ref().is_some_and(|product| policy.static_pin.exempt.contains(product))
    }

    /// The host answered a payment with the static PIN: what it is to be told as, and the entries.
    pub(super) fn static_answered(
        &mut self,
        identity: Mark,
        claim: Claim,
        answer: &HostAnswer,
        policy: &Policy,
    ) -> (HostAnswer, Vec<Entry>) {
        let code = answer.response_code.as_str();
        let reversal = self.answers.iter().find(|a| a.identity == Some(identity)).map(|a| a.reversal);
        if !is_approval(code)
            && let Some(reversal) = reversal
        {
            self.static_undone(reversal);
        }
        if claim.is_given_back_by(code) {
            self.give_back(claim);
            return (answer.clone(), Vec::new());
        }
        // No word for the PIN and none against it: the answer stays the host's.
        if !PIN_REFUSED.contains(&code) {
            return (answer.clone(), self.claimed_lock(identity, policy).into_iter().collect());
        }
        let failures = self.tries.failures;
        let locked = claim.lock.is_some() && self.tries.locked_until == claim.lock;
        let why = if locked { Refusal::TriesExceeded } else { Refusal::WrongPin };
        let mut entries = vec![Entry::Refused { why, identity, failures, slot: Some(Slot::Second) }];
        if locked {
            entries.push(self.tries.locked_entry(policy));
        }
        // The host's own count may be exceeded as well: it is not for us to make less of it.
        let response_code = if locked { why.response_code().to_owned() } else { code.to_owned() };
        (HostAnswer { response_code, ..answer.clone() }, entries)
    }

    /// Its own try, and the lock that it had set.
    fn give_back(&mut self, claim: Claim) {
        if self.tries.count != claim.count {
            return;
        }
        self.tries.failures = self.tries.failures.saturating_sub(1);
        if claim.lock.is_some() && self.tries.locked_until == claim.lock {
            self.tries.locked_until = None;
            self.tries.locks = self.tries.locks.saturating_sub(1);
        }
    }

    /// A full reversal of what is remembered: the amount was not paid after all.
    pub(super) fn static_undone(&mut self, reversal: Mark) -> bool {
        let before = self.statics.len();
        self.statics.retain(|paid| paid.reversal != reversal);
        self.statics.len() < before
    }

    /// The same of a payment whose answer is forgotten: by its own mark, or by its reference if it has no other. Says whether there
    /// was one.
    pub(super) fn static_reversed_late(&mut self, reversal: Mark, reference: Option<Mark>) -> bool {
        let by_reference = |paid: &&StaticAmount| reference.is_some() && paid.reference == reference;
        let found = self.statics.iter().find(|paid| paid.reversal == reversal);
        let found = found.or_else(|| self.statics.iter().find(by_reference)).map(|paid| paid.reversal);
        found.is_some_and(|reversal| self.static_undone(reversal))
    }

    /// What an answer that comes after a reversal still says of the PIN.
    pub(super) fn static_answered_late(&mut self, identity: Mark, answer: &HostAnswer) -> bool {
        let known = self.answers.iter_mut().find(|known| known.identity == Some(identity));
        let code = answer.response_code.as_str();
        let known = known.filter(|known| known.claim.is_some_and(|claim| claim.is_given_back_by(code)));
        let Some(claim) = known.and_then(|known| known.claim.take()) else { return false };
        self.give_back(claim);
        true
    }

    /// A lock that a try has set stands: nobody said that the PIN was right. For the journal and the cardholder.
    pub(super) fn claimed_lock(&self, identity: Mark, policy: &Policy) -> Option<Entry> {
        let known = self.answers.iter().find(|known| known.identity == Some(identity))?;
        let lock = known.claim.as_ref()?.lock.filter(|lock| self.tries.locked_until == Some(*lock));
        lock.map(|_| self.tries.locked_entry(policy))
    }

    pub(super) fn forget_statics(&mut self, now: Moment) {
        self.statics.retain(|paid| now.since(paid.at) < DAY);
    }
}

/// Whether this answer of the host was told as that one: the last try, as 75.
pub(super) fn told_as(answer: &HostAnswer, told: &HostAnswer) -> bool {
    PIN_REFUSED.contains(&answer.response_code.as_str())
        && told.response_code == Refusal::TriesExceeded.response_code()
}

impl Answered {
    /// Whether its answer is the host's, or still to come from there.
    pub(super) fn went_to_the_host(&self) -> bool {
        matches!(self.outcome, Outcome::Awaiting | Outcome::Host(_)) && self.refused.is_none()
    }

    /// Which PIN the host was asked with.
    pub(super) fn pin(&self) -> PinKind {
        if self.claim.is_some() { PinKind::Static } else { PinKind::Dynamic }
    }
}
