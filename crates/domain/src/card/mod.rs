//! The card's state machine: everything that decides about a card's PINs is one value.
//!
//! ```text
//!             Request                     Authorise, PIN matches this payment
//!   (nothing) ───────▶ open challenge ───────────────────────────────────────▶ spent, awaiting host
//!                        │   │ │                                                 │ HostAnswered, GiveUp
//!     same payment again ┘   │ └ 120 s: expired ─┐                               ▼
//!     (same PIN, same        └ other payment:    ├─▶ stale: answers 55,        host's answer, kept; or silence,
//!      expiry)                 burnt, counted ───┘   never counted             given up: 91, and our own reversal
//!                                                                                │ Reverse
//!                                                                                ▼
//!                                                                              reversed (the PIN stays spent)
//!
//!   tries: 0 ─▶ 1 ─▶ 2 ─▶ locked (3 …19; each further failure locks again, twice as long) ─▶ 20: only ATM or bank
//! ```
//!
//! A decision has two steps, because PINs are checked under keys and no key is here. [`CardAt::candidates`] says
//! what would have to match (nothing, if locked), the keys say which one does, [`CardAt::decide`] decides. Both run
//! again on the fresh row after a lost swap.

mod authorise;
mod care;
mod command;
mod entry;
mod notice;
mod policy;
mod request;
mod sends;
mod service;
mod settle;
mod statics;
mod stored;
mod texted;
mod token;
mod tries;

use minicbor::{Decode, Encode};

pub use command::{
    Answer, Authorisation, Candidate, CardDetails, Command, Decided, Evidence, HostAnswer, Mark, NotSent,
    PinKind, PinRequest, ReceiptState, Requested, Reversal, UnlockedBy,
};
pub use entry::{Changes, Entry};
pub use notice::{Alerts, Notice};
pub use policy::{Policy, PolicyError};
pub use sends::SendLimits;
pub use service::{Activation, Service, Services};
pub use statics::{StaticPolicy, StaticRule};
pub use stored::StateError;
pub use texted::{TextRequest, Texted};
pub use token::{
    AppCommand, AppPolicy, ClockHint, CodeFound, CodeRange, NewToken, Purpose, Slot, Step, Token, step_at,
};
use tries::Tries;

use crate::{
    AdmissionId, ChallengeId, Digest, Language, Moment, PayeeName, PaymentKind, Refusal, Rial, limits,
};

/// A card, as far as its PINs are concerned.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct CardState {
    #[n(0)]
    format: u8,
    /// The latest instant this row has seen: `now` never goes back.
    #[n(1)]
    last: Moment,
    #[n(2)]
    status: CardStatus,
    #[n(3)]
    language: Language,
    #[n(4)]
    expiry: ExpiryTag,
    #[n(5)]
    has_phone: bool,
    #[n(6)]
    open: Vec<Challenge>,
    #[n(7)]
    stale: Vec<Stale>,
    #[n(8)]
    tries: Tries,
    #[n(9)]
    expiry_failures: Vec<ExpiryFailure>,
    #[n(10)]
    answers: Vec<Answered>,
    /// SMS whose PINs were not spent, oldest first; a row of an earlier release has none.
    #[n(11)]
    #[cbor(default)]
    sends: Vec<sends::Sending>,
    /// What its holder switched on. From here on, a row of an earlier release has nothing.
    #[n(12)]
    #[cbor(default)]
    services: Services,
    #[n(13)]
    texted: Option<Texted>,
    #[n(14)]
    product: Option<String>,
    #[n(15)]
    consent: Option<Moment>,
    #[n(16)]
    #[cbor(default)]
    limits: CardLimits,
    /// Paid with the static PIN, oldest first.
    #[n(17)]
    #[cbor(default)]
    statics: Vec<statics::StaticAmount>,
    /// Which of the card's numbers is the one that counts, from 0.
    #[n(18)]
    #[cbor(default)]
    issue: u32,
    /// Lost or stolen: an earlier release sees a blocked card.
    #[n(19)]
    #[cbor(default)]
    hot_listed: bool,
    /// The card on devices.
    #[n(20)]
    #[cbor(default)]
    tokens: Vec<Token>,
    /// Wrong first PINs, where that is dynamic.
    #[n(21)]
    #[cbor(default)]
    first_tries: Tries,
    /// Wrong control codes.
    #[n(22)]
    #[cbor(default)]
    control_tries: Tries,
    /// Devices that were taken away lately.
    #[n(23)]
    #[cbor(default)]
    revoked: Vec<token::Revoked>,
    /// Devices that were activated with it lately.
    #[n(24)]
    #[cbor(default)]
    activated: Vec<crate::DeviceId>,
    /// References that were taken off lately.
    #[n(25)]
    #[cbor(default)]
    gone: Vec<token::Gone>,
}

/// Limits of one card, below its bank's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct CardLimits {
    /// What one texted PIN may pay at most.
    #[n(0)]
    pub sms_pin_max: Option<Rial>,
    /// What the static PIN may pay, in 24 hours or each time, as the bank's rule is.
    #[n(1)]
    pub static_max: Option<Rial>,
}

/// A card at an instant ([`CardState::at`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardAt {
    state: CardState,
    now: Moment,
}

/// Whether the bank lets the card pay at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum CardStatus {
    /// It may.
    #[n(0)]
    Active,
    /// Switched off for now.
    #[n(1)]
    Blocked,
    /// For good.
    #[n(2)]
    Closed,
    /// Lost or stolen: on every list of cards to refuse.
    #[n(3)]
    HotListed,
}

/// The keyed hash of the expiry date, and the version of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ExpiryTag {
    /// The index key's version.
    #[n(0)]
    pub version: u32,
    /// HMAC over card id and expiry.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: [u8; 32],
}

/// One PIN that was issued and may still be spent.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Challenge {
    /// Its random name: what the PIN is computed from.
    #[n(0)]
    pub id: ChallengeId,
    /// How many digits the PIN has.
    #[n(1)]
    pub digits: u8,
    /// The `pin` key's version.
    #[n(2)]
    pub key_version: u32,
    /// The payment it is bound to.
    #[n(3)]
    pub payment: Digest,
    /// The payee alone.
    #[n(4)]
    pub payee: Digest,
    /// For the SMS: what for.
    #[n(5)]
    pub kind: PaymentKind,
    /// For the SMS: how much.
    #[n(6)]
    pub amount: Rial,
    /// For the SMS: to whom; bills have none.
    #[n(7)]
    pub payee_name: Option<PayeeName>,
    /// For autofill: where the PIN will be typed.
    #[n(8)]
    pub origin: Option<String>,
    /// The first and only expiry: a resend does not move it.
    #[n(9)]
    pub expires: Moment,
    /// When it was last handed to the outbox.
    #[n(10)]
    pub sent: Moment,
    /// The requests it answers; the first issued it, the others sent it again.
    #[n(11)]
    pub admissions: Vec<AdmissionId>,
    /// Who asked for it; a row of an earlier release does not say.
    #[n(12)]
    pub door: Option<Mark>,
}

/// A PIN that is to go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToSend<'a> {
    /// Bound to a payment.
    Bound(&'a Challenge),
    /// Texted back.
    Texted(&'a Texted),
}

impl ToSend<'_> {
    /// Until when it is good.
    pub fn expires(self) -> Moment {
        match self {
            ToSend::Bound(challenge) => challenge.expires,
            ToSend::Texted(texted) => texted.expires,
        }
    }

    /// What it is made from.
    pub fn candidate(self) -> Candidate {
        match self {
            ToSend::Bound(challenge) => challenge.candidate(),
            ToSend::Texted(texted) => texted.candidate(),
        }
    }
}

/// A PIN that may not be spent any more, remembered so that presenting it counts as no guess.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
struct Stale {
    #[n(0)]
    id: ChallengeId,
    #[n(1)]
    digits: u8,
    #[n(2)]
    key_version: u32,
    #[n(3)]
    payment: Digest,
    #[n(4)]
    since: Moment,
    #[n(5)]
    admissions: Vec<AdmissionId>,
}

/// One wrong expiry that some door presented.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct ExpiryFailure {
    #[n(0)]
    door: Mark,
    #[n(1)]
    at: Moment,
    #[n(2)]
    identity: Mark,
}

/// What was answered to a transaction, so that a repeat gets the same.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
struct Answered {
    /// `None` for the tombstone of a reversal that came before its original.
    #[n(0)]
    identity: Option<Mark>,
    #[n(1)]
    content: Option<Mark>,
    #[n(2)]
    reversal: Mark,
    #[n(3)]
    reference: Option<Mark>,
    #[n(4)]
    at: Moment,
    #[n(5)]
    outcome: Outcome,
    /// We answered 91 and reverse it ourselves.
    #[n(6)]
    #[cbor(default)]
    undoing: bool,
    /// When its first message was sent (DE7): the card host, and a reversal, know it by that. A row of an earlier release has none.
    #[n(7)]
    transmitted: Option<u64>,
    /// It was tried with the static PIN.
    #[n(8)]
    claim: Option<statics::Claim>,
    /// A refusal that the first release does not know, where the outcome says it as a host's answer.
    #[n(9)]
    refused: Option<Refusal>,
    /// A wrong PIN that was a code of a wrong minute: no release before this one knows that refusal.
    #[n(10)]
    #[cbor(default)]
    clock_off: bool,
    /// Taken back: whether the host was asked about it and had not answered. A row of an earlier release does not say.
    #[n(11)]
    awaited: Option<bool>,
    /// Taken back by its reference: by which reversal. A row of an earlier release does not say.
    #[n(12)]
    reversed_by: Option<Mark>,
    /// Of a tombstone: its original without the transmission time. A row of an earlier release has none.
    #[n(13)]
    trace: Option<Mark>,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
enum Outcome {
    /// The PIN is spent; the host has not answered yet.
    #[n(0)]
    Awaiting,
    #[n(1)]
    Refused(#[n(0)] Refusal),
    #[n(2)]
    Host(#[n(0)] HostAnswer),
    /// Taken back, or the tombstone of an original that has not been seen.
    #[n(3)]
    Reversed,
}

impl CardState {
    /// A new card, and the journal's first entry.
    pub fn create(details: CardDetails, now: Moment) -> (CardState, Entry) {
        let CardDetails { status, language, expiry, has_phone, product, consent, limits } = details;
        let mut state = CardState {
            format: stored::FORMAT,
            last: now,
            status: CardStatus::Active,
            language,
            expiry,
            has_phone,
            open: Vec::new(),
            stale: Vec::new(),
            tries: Tries::default(),
            expiry_failures: Vec::new(),
            answers: Vec::new(),
            sends: Vec::new(),
            services: Services::default(),
            texted: None,
            product,
            consent,
            limits,
            statics: Vec::new(),
            issue: 0,
            hot_listed: false,
            tokens: Vec::new(),
            first_tries: Tries::default(),
            control_tries: Tries::default(),
            revoked: Vec::new(),
            activated: Vec::new(),
            gone: Vec::new(),
        };
        state.set_status(status);
        (state, Entry::Created { status, has_phone })
    }

    fn instant(&self, clock: Moment) -> Moment {
        clock.max(self.last)
    }

    /// What the expiry presented must hash to.
    pub fn expiry(&self) -> ExpiryTag {
        self.expiry
    }

    /// The language the cardholder is written to in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether the bank lets the card pay.
    pub fn status(&self) -> CardStatus {
        if self.hot_listed { CardStatus::HotListed } else { self.status }
    }

    fn set_status(&mut self, status: CardStatus) {
        self.hot_listed = status == CardStatus::HotListed;
        self.status = if self.hot_listed { CardStatus::Blocked } else { status };
    }

    /// Which of the card's numbers is the one that counts, from 0.
    pub fn issue(&self) -> u32 {
        self.issue
    }

    /// The bank's product, as far as rules hang on it.
    pub fn product(&self) -> Option<&str> {
        self.product.as_deref()
    }

    /// Limits of its own.
    pub fn limits(&self) -> CardLimits {
        self.limits
    }

    /// Whether a mobile is registered.
    pub fn has_phone(&self) -> bool {
        self.has_phone
    }

    /// Wrong PINs in a row.
    pub fn failures(&self) -> u32 {
        self.tries.failures
    }

    /// Locked at that instant: until when, or for good (`Some(None)`).
    pub fn locked(&self, policy: &Policy, now: Moment) -> Option<Option<Moment>> {
        self.tries.locked(policy, now)
    }

    /// PINs that may be spent at that instant.
    pub fn open(&self, now: Moment) -> impl Iterator<Item = &Challenge> {
        self.open.iter().filter(move |challenge| challenge.expires > now)
    }

    /// What an SMS is to be made for, if its PIN is still good.
    pub fn to_send(&self, id: ChallengeId, now: Moment) -> Option<ToSend<'_>> {
        let bound = self.open(now).find(|challenge| challenge.id == id).map(ToSend::Bound);
        let texted = || self.texted(now).filter(|texted| texted.id == id).map(ToSend::Texted);
        bound.or_else(texted)
    }

    /// The card at an instant: what ran out by then is over. Both steps of a decision are taken on this one value, so
    /// that they cannot see different times.
    pub fn at(&self, clock: Moment) -> CardAt {
        self.clone().into_at(clock)
    }

    /// The same, for who needs the state as it was no more: the copy is most of what a decision costs.
    pub fn into_at(mut self, clock: Moment) -> CardAt {
        let now = self.instant(clock);
        self.last = now;
        self.forget(now);
        CardAt { state: self, now }
    }

    /// Expired challenges become stale; what was remembered long enough goes.
    fn forget(&mut self, now: Moment) {
        let expired: Vec<_> = self.open.extract_if(.., |challenge| challenge.expires <= now).collect();
        for challenge in expired {
            let since = challenge.expires;
            self.retire(challenge, since);
        }
        if self.texted.as_ref().is_some_and(|texted| texted.expires <= now) {
            self.retire_texted(now);
        }
        self.forget_statics(now);
        self.stale.retain(|stale| now.since(stale.since) < limits::STALE_KEPT);
        self.expiry_failures.retain(|failure| now.since(failure.at) < limits::EXPIRY_FAILURES_WINDOW);
        self.answers.retain(|answer| now.since(answer.at) < limits::ANSWERS_KEPT);
        self.revoked.retain(|revoked| now.since(revoked.at) < limits::REVOKED_KEPT);
        self.gone.retain(|gone| now.since(gone.at) < limits::REVOKED_KEPT);
        self.forget_sends(now);
    }

    fn retire(&mut self, challenge: Challenge, since: Moment) {
        let Challenge { id, digits, key_version, payment, admissions, .. } = challenge;
        self.retired(Stale { id, digits, key_version, payment, since, admissions });
    }

    fn retired(&mut self, stale: Stale) {
        self.stale.push(stale);
        self.stale.sort_by_key(|stale| stale.since);
        let excess = self.stale.len().saturating_sub(limits::STALE_CHALLENGES_MAX);
        self.stale.drain(..excess);
    }

    fn retire_open(&mut self, id: ChallengeId, now: Moment) {
        if let Some(at) = self.open.iter().position(|challenge| challenge.id == id) {
            let challenge = self.open.remove(at);
            self.retire(challenge, now);
        }
    }

    fn writes(self, answer: Answer, entries: Vec<Entry>) -> Decided {
        Decided { next: Some(self), answer, entries, send: None, undo: None, notices: Vec::new() }
    }
}

/// Nothing is written.
fn unchanged(answer: Answer) -> Decided {
    Decided { next: None, answer, entries: Vec::new(), send: None, undo: None, notices: Vec::new() }
}

impl CardAt {
    /// The later of the node's clock and the row's last instant.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The card as it is then.
    pub fn state(&self) -> &CardState {
        &self.state
    }

    /// The PINs a presented one is to be compared with: none if nothing may be compared. `expiry_matches` is found
    /// out before any PIN is looked at.
    pub fn candidates(&self, command: &Command, expiry_matches: bool, policy: &Policy) -> Vec<Candidate> {
        let Command::Authorise(authorisation) = command else { return Vec::new() };
        let state = &self.state;
        let refused = state.refuse_before_comparing(authorisation, expiry_matches, policy, self.now);
        if authorisation.slot != Slot::Second || refused.is_some() {
            return Vec::new();
        }
        let open = state.open.iter().map(Challenge::candidate);
        let texted = state.texted.iter().map(Texted::candidate);
        open.chain(texted).chain(state.stale.iter().map(Stale::candidate)).collect()
    }

    /// Whether a PIN that matches none of the candidates may be the static one, and the host be asked.
    pub fn static_may_be_tried(&self, command: &Command, expiry_matches: bool, policy: &Policy) -> bool {
        let Command::Authorise(authorisation) = command else { return false };
        let (state, now) = (&self.state, self.now);
        state.refuse_before_comparing(authorisation, expiry_matches, policy, now).is_none()
            && matches!(state.static_allowed(authorisation, policy, now), statics::Allowed::Yes)
    }

    /// Decides. What is to be stored before the answer is given is in the result.
    pub fn decide(self, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut decided = self.decide_all(command, evidence, policy);
        decided.notices.retain(|notice| notice.wanted(policy));
        decided
    }

    fn decide_all(self, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let CardAt { state, now } = self;
        match command {
            Command::Request(request) => state.request(request, policy, now),
            Command::Authorise(authorisation) => state.authorise(authorisation, evidence, policy, now),
            Command::Text(request) => state.text(request, policy, now),
            Command::Switch { service, fresh, key_version } => {
                state.switch(*service, *fresh, *key_version, policy, now)
            }
            Command::Prove { authorisation, static_too } => {
                state.prove(authorisation, *static_too, evidence, policy, now)
            }
            Command::App(command) => state.app(command, evidence, policy, now),
            Command::HostAnswered { identity, answer } => state.host_answered(*identity, answer, policy),
            Command::GiveUp { identity } => state.give_up(*identity, policy),
            Command::Undone { identity, reversal, response_code } => {
                state.undone(*identity, *reversal, response_code)
            }
            Command::Withhold { challenge, why } => state.withhold(*challenge, *why, now),
            Command::Reverse(reversal) => state.reverse(reversal, policy, now),
            Command::Lock => state.lock(),
            Command::Unlock { by } => state.unlock(*by),
            Command::Reissue { expiry, issue } => state.reissue(*expiry, *issue, now),
            Command::Update { details, phone_changed } => state.update(details, *phone_changed, now),
            Command::Receipt { challenge, state: told, after_ms } => {
                state.receipt(*challenge, *told, *after_ms)
            }
        }
    }
}

impl Challenge {
    fn candidate(&self) -> Candidate {
        Candidate { id: self.id, digits: self.digits, key_version: self.key_version, payment: self.payment }
    }
}

impl Stale {
    fn candidate(&self) -> Candidate {
        Candidate { id: self.id, digits: self.digits, key_version: self.key_version, payment: self.payment }
    }
}
