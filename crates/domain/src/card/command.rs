//! What a card is told, what it is shown, and what it answers.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{
    AppCommand, CardLimits, CardState, CardStatus, CodeFound, Entry, ExpiryTag, Notice, Service, Slot,
    TextRequest,
};
use crate::{
    ActivationId, AdmissionId, ChallengeId, Digest, Language, Moment, PayeeName, PaymentKind, Refusal, Rial,
};

/// The first half of a [`Digest`]: enough to know a transaction again within one card's row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Mark(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl Mark {
    /// The mark of the parts, each length-prefixed.
    pub fn of(parts: &[&[u8]]) -> Mark {
        let Digest(whole) = Digest::of(parts);
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Mark(half)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// One command to one card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Issue a PIN for a payment, or send the open one again.
    Request(PinRequest),
    /// Its cardholder texted for a PIN.
    Text(TextRequest),
    /// Its cardholder switches something at a terminal.
    Switch {
        /// What.
        service: Service,
        /// The name of the activation, should one begin.
        fresh: ActivationId,
        /// The version of the key its code would be made under.
        key_version: u32,
    },
    /// Spend a PIN.
    Authorise(Authorisation),
    /// Show a dynamic first PIN for something that no host is asked for: a terminal service.
    Prove {
        /// What shows it: no amount.
        authorisation: Authorisation,
        /// What matches nothing may be the static first PIN: the host knows.
        static_too: bool,
    },
    /// What its holder does in the app.
    App(AppCommand),
    /// The card host answered an authorisation that awaited it.
    HostAnswered {
        /// Which one.
        identity: Mark,
        /// What it said.
        answer: HostAnswer,
    },
    /// The card host was asked and is silent: answer 91, and undo what it may have done.
    GiveUp {
        /// Which one.
        identity: Mark,
    },
    /// The card host acknowledged our own reversal.
    Undone {
        /// Of which one.
        identity: Mark,
        /// What its reversal is found by.
        reversal: Option<Mark>,
        /// What it said.
        response_code: String,
    },
    /// The PIN of this challenge was not handed to the operator: a limit that the row does not know.
    Withhold {
        /// Which one.
        challenge: ChallengeId,
        /// Why.
        why: NotSent,
    },
    /// A reversal came in.
    Reverse(Reversal),
    /// Lock the card's dynamic PIN until it is unlocked: a phone was lost, a fraud is suspected.
    Lock,
    /// Forget the wrong PINs.
    Unlock {
        /// Who says so.
        by: UnlockedBy,
    },
    /// The bank gave the card a new number and expiry.
    Reissue {
        /// The expiry, hashed.
        expiry: ExpiryTag,
        /// Which number it is, one more than before.
        issue: u32,
    },
    /// The bank changed what it knows of the card.
    Update {
        /// All of it.
        details: CardDetails,
        /// Open PINs went to the old number: they are over.
        phone_changed: bool,
    },
    /// The operator told what became of a PIN's SMS. Noted; nothing follows from it.
    Receipt {
        /// Whose SMS.
        challenge: ChallengeId,
        /// What became of it.
        state: ReceiptState,
        /// Milliseconds from the operator's taking it to its word.
        after_ms: u64,
    },
}

/// What a reversal says of its original, and of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reversal {
    /// The key of the original's reversal (DE90 and DE41).
    pub original: Mark,
    /// The same without DE7: a repeat of the original may have one of its own.
    pub trace: Option<Mark>,
    /// The original's retrieval reference (DE37 and DE41), for switches that send no DE90.
    pub reference: Option<Mark>,
    /// The reversal itself (DE11, 32, 41), if it says so: one that comes again is the same.
    pub itself: Option<Mark>,
}

/// An admitted request for a PIN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinRequest {
    /// The admission it follows from: the same one again changes nothing.
    pub admission: AdmissionId,
    /// The payment.
    pub payment: Digest,
    /// Its payee.
    pub payee: Digest,
    /// What for.
    pub kind: PaymentKind,
    /// How much.
    pub amount: Rial,
    /// To whom, if the payee has a name.
    pub payee_name: Option<PayeeName>,
    /// Where the PIN will be typed.
    pub origin: Option<String>,
    /// The random name of the PIN, should a new one be issued.
    pub fresh: ChallengeId,
    /// The version of the key it would be made under.
    pub key_version: u32,
    /// Out of date after this instant: a request taken up after a crash issues no PIN that nobody waits for.
    pub not_after: Moment,
    /// Who asks, as far as one payer can be told from another: no door gets more than its share of a card's SMS.
    pub door: Mark,
    /// The node's own limits say no: noted at the card, and nothing goes out.
    pub withheld: Option<NotSent>,
}

/// A payment that presents a PIN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorisation {
    /// What makes it this transaction (DE11, 12, 13, 32, 41).
    pub identity: Mark,
    /// What it asks for (DE3, 4, 42, 49, 103, bill): the newest index key's first; a repeat must equal one of them.
    pub contents: Vec<Mark>,
    /// What its reversal would be found by.
    pub reversal: Mark,
    /// The same without DE7 ([`Reversal::trace`]).
    pub trace: Option<Mark>,
    /// The same by DE37, if it has one.
    pub reference: Option<Mark>,
    /// The payment, once for each live index key.
    pub payments: Vec<Digest>,
    /// Which PIN it presents.
    pub slot: Slot,
    /// What it is for, if that is something a PIN can be requested for; cash is not.
    pub kind: Option<PaymentKind>,
    /// How much the card would be debited, fees and all: for ceilings and totals. The amount that was asked for is in `payments`.
    pub amount: Rial,
    /// Acquirer and terminal.
    pub door: Mark,
    /// When this message says it was sent (DE7, as a number), if it says so: a repeat may say something else than its original.
    pub transmitted: Option<u64>,
}

/// What the keys found out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// The expiry presented is the card's.
    pub expiry_matches: bool,
    /// The candidates whose PIN was presented.
    pub matched: Vec<ChallengeId>,
    /// App codes that were presented; of two that were, the first.
    pub codes: Vec<CodeFound>,
    /// The second of two.
    pub next: Vec<CodeFound>,
    /// Codes of other minutes; looked for only if nothing else matched.
    pub far: Vec<CodeFound>,
    /// A control code was presented at all.
    pub presented: bool,
}

/// A PIN to compare with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its name.
    pub id: ChallengeId,
    /// Its length.
    pub digits: u8,
    /// The version of its key.
    pub key_version: u32,
    /// The payment it is bound to.
    pub payment: Digest,
}

/// Which PIN a payment is made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinKind {
    /// A dynamic one: it was right.
    Dynamic,
    /// Perhaps the static one: the host knows.
    Static,
}

/// What the bank knows of a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardDetails {
    /// Whether it may pay.
    pub status: CardStatus,
    /// The cardholder's language.
    pub language: Language,
    /// The expiry, hashed.
    pub expiry: ExpiryTag,
    /// Whether a mobile is registered (the number itself is sealed beside the row).
    pub has_phone: bool,
    /// The bank's product: some are exempt from the rule of static PINs.
    pub product: Option<String>,
    /// Since when its holder accepts the risk of a static second PIN.
    pub consent: Option<Moment>,
    /// Limits of its own, below the bank's.
    pub limits: CardLimits,
}

/// What the card host said.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct HostAnswer {
    /// DE39.
    #[n(0)]
    pub response_code: String,
    /// DE38.
    #[n(1)]
    pub authorisation_code: Option<String>,
    /// DE37.
    #[n(2)]
    pub reference: Option<String>,
    /// DE4, where it is not what was asked for. A row of an earlier release has none.
    #[n(3)]
    pub amount: Option<Rial>,
    /// It approved and said more than is kept here: it cannot be given again.
    #[n(4)]
    #[cbor(skip_if = "is_not")]
    pub more: bool,
}

fn is_not(said: &bool) -> bool {
    !said
}

impl HostAnswer {
    /// An answer of DE39 alone.
    pub fn of(response_code: impl Into<String>) -> HostAnswer {
        HostAnswer { response_code: response_code.into(), ..HostAnswer::default() }
    }
}

/// Who unlocked a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum UnlockedBy {
    /// The back office.
    #[n(0)]
    Bank,
    /// The cardholder at an ATM or cashless terminal.
    #[n(1)]
    Terminal,
}

/// What an operator says became of an SMS that it took.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ReceiptState {
    /// It is on the phone.
    #[n(0)]
    Delivered,
    /// It cannot be delivered, or was deleted.
    #[n(1)]
    Undeliverable,
    /// It ran out before the phone could be reached.
    #[n(2)]
    Expired,
    /// The operator or the phone refused it.
    #[n(3)]
    Rejected,
    /// The operator does not know.
    #[n(4)]
    Unknown,
}

impl ReceiptState {
    /// The word in listings and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            ReceiptState::Delivered => "delivered",
            ReceiptState::Undeliverable => "undeliverable",
            ReceiptState::Expired => "expired",
            ReceiptState::Rejected => "rejected",
            ReceiptState::Unknown => "unknown",
        }
    }
}

/// Why a PIN was not sent. The asker never learns it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum NotSent {
    /// No mobile is registered.
    #[n(0)]
    NoPhone,
    /// Locked after wrong PINs.
    #[n(1)]
    Locked,
    /// Blocked or closed by the bank.
    #[n(2)]
    NotActive,
    /// Three other payees have open PINs.
    #[n(3)]
    TooManyOpen,
    /// The open PIN was sent less than 30 s ago.
    #[n(4)]
    TooSoon,
    /// The open PIN was sent three times.
    #[n(5)]
    TooOften,
    /// The request was taken up too late.
    #[n(6)]
    OutOfDate,
    /// The card was sent as many PINs that nobody spent as it may be.
    #[n(7)]
    CardLimit,
    /// One door (the payer, or the payee where payers are not told apart) had its share of them.
    #[n(8)]
    DoorLimit,
    /// The phone was sent as much as it may be, by all its cards.
    #[n(9)]
    PhoneLimit,
    /// This payee asked as often as it may.
    #[n(10)]
    PayeeLimit,
    /// This payer asked as often as it may.
    #[n(11)]
    PayerLimit,
    /// This IIN was asked for as often as it may be.
    #[n(12)]
    IinLimit,
    /// PINs by texting are not switched on for this card.
    #[n(13)]
    NotActivated,
    /// The bank sends no PINs by texting.
    #[n(14)]
    NotOffered,
    /// No card of this phone ends like that.
    #[n(15)]
    NoSuchCard,
    /// More than one does.
    #[n(16)]
    Ambiguous,
    /// The phone texted as often as it may.
    #[n(17)]
    TextLimit,
    /// What was texted are no card's last digits.
    #[n(18)]
    NoDigits,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requested {
    /// The PIN of this challenge goes out.
    Sent(ChallengeId),
    /// This very request has been served.
    AlreadyServed,
    /// Nothing goes out.
    NotSent(NotSent),
}

/// What the machine answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To a request.
    Requested(Requested),
    /// The PIN is spent: ask the host. `repeat`: it was asked before, the answer is not known.
    AskHost {
        /// Forward as a repeat (0201).
        repeat: bool,
        /// Of a repeat: when the first message was sent, if that is known.
        transmitted: Option<u64>,
        /// With which PIN.
        pin: PinKind,
    },
    /// The answer given before.
    Again(HostAnswer),
    /// No.
    Refused(Refusal),
    /// The first PIN is not dynamic, or may be the static one: the host's matter.
    NotDynamic,
    /// The reversal is noted, and its original is undone by us already: the host needs no second one.
    ReversedByUs,
    /// The reversal is noted; `known` if its original was.
    Reversed {
        /// The original was seen here.
        known: bool,
        /// The host was asked about it a short while ago, and may see it only after its reversal.
        asked: bool,
    },
    /// Done.
    Done,
    /// Nothing like that is awaited, or it cannot be noted now.
    NotAwaited,
}

/// What a decision leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// The state to store before the answer is given; `None` if nothing changed.
    pub next: Option<CardState>,
    /// The answer.
    pub answer: Answer,
    /// The journal's new entries.
    pub entries: Vec<Entry>,
    /// The challenge whose PIN is to be sent.
    pub send: Option<ChallengeId>,
    /// The transaction that we reverse ourselves, until the host has acknowledged it.
    pub undo: Option<Mark>,
    /// What the cardholder is told.
    pub notices: Vec<Notice>,
}

impl NotSent {
    /// All of them.
    pub const ALL: [NotSent; 19] = [
        NotSent::NoPhone,
        NotSent::Locked,
        NotSent::NotActive,
        NotSent::TooManyOpen,
        NotSent::TooSoon,
        NotSent::TooOften,
        NotSent::OutOfDate,
        NotSent::CardLimit,
        NotSent::DoorLimit,
        NotSent::PhoneLimit,
        NotSent::PayeeLimit,
        NotSent::PayerLimit,
        NotSent::IinLimit,
        NotSent::NotActivated,
        NotSent::NotOffered,
        NotSent::NoSuchCard,
        NotSent::Ambiguous,
        NotSent::TextLimit,
        NotSent::NoDigits,
    ];

    /// The stable word, as in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            NotSent::NoPhone => "no_phone",
            NotSent::Locked => "locked",
            NotSent::NotActive => "not_active",
            NotSent::TooManyOpen => "too_many_open",
            NotSent::TooSoon => "too_soon",
            NotSent::TooOften => "too_often",
            NotSent::OutOfDate => "out_of_date",
            NotSent::CardLimit => "card_limit",
            NotSent::DoorLimit => "door_limit",
            NotSent::PhoneLimit => "phone_limit",
            NotSent::PayeeLimit => "payee_limit",
            NotSent::PayerLimit => "payer_limit",
            NotSent::IinLimit => "iin_limit",
            NotSent::NotActivated => "not_activated",
            NotSent::NotOffered => "not_offered",
            NotSent::NoSuchCard => "no_such_card",
            NotSent::Ambiguous => "ambiguous",
            NotSent::TextLimit => "text_limit",
            NotSent::NoDigits => "no_digits",
        }
    }
}
