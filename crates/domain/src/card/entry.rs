//! What a card's journal keeps of each decision.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{CardStatus, Mark, NotSent, Purpose, ReceiptState, Service, Slot, Step, UnlockedBy};
use crate::{AdmissionId, ChallengeId, DeviceId, Digest, Moment, Refusal, TokenId};

/// One entry of a card's journal. Ids and numbers only: no PAN, phone, PIN or amount.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Entry {
    /// The card was added.
    #[n(0)]
    Created {
        /// Whether it may pay.
        #[n(0)]
        status: CardStatus,
        /// Whether it has a phone.
        #[n(1)]
        has_phone: bool,
    },
    /// What the bank knows changed.
    #[n(1)]
    Updated {
        /// Whether it may pay.
        #[n(0)]
        status: CardStatus,
        /// Whether it has a phone.
        #[n(1)]
        has_phone: bool,
        /// What of it changed. An earlier release did not say.
        #[n(2)]
        changed: Option<Changes>,
    },
    /// A PIN was issued.
    #[n(2)]
    PinIssued {
        /// Its name.
        #[n(0)]
        challenge: ChallengeId,
        /// The payment it is bound to.
        #[n(1)]
        payment: Digest,
        /// Until when.
        #[n(2)]
        expires: Moment,
        /// The request.
        #[n(3)]
        admission: AdmissionId,
    },
    /// The same PIN goes out again.
    #[n(3)]
    PinResent {
        /// Its name.
        #[n(0)]
        challenge: ChallengeId,
        /// The request.
        #[n(1)]
        admission: AdmissionId,
    },
    /// A new amount at the same payee took a PIN's place. Not written any more: no request ends an open PIN.
    #[n(4)]
    PinReplaced {
        /// The one that went.
        #[n(0)]
        challenge: ChallengeId,
    },
    /// Nothing was sent.
    #[n(5)]
    PinNotSent {
        /// Why.
        #[n(0)]
        why: NotSent,
        /// The request.
        #[n(1)]
        admission: AdmissionId,
    },
    /// A PIN was spent; the host is asked next.
    #[n(6)]
    PinSpent {
        /// Its name.
        #[n(0)]
        challenge: ChallengeId,
        /// The transaction.
        #[n(1)]
        identity: Mark,
    },
    /// A PIN was presented for another payment.
    #[n(7)]
    PinBurnt {
        /// Its name.
        #[n(0)]
        challenge: ChallengeId,
        /// The transaction.
        #[n(1)]
        identity: Mark,
    },
    /// A payment was refused and something was counted.
    #[n(8)]
    Refused {
        /// Why.
        #[n(0)]
        why: Refusal,
        /// The transaction.
        #[n(1)]
        identity: Mark,
        /// Wrong PINs in a row.
        #[n(2)]
        failures: u32,
        /// Which PIN was presented; an entry of an earlier release does not say.
        #[n(3)]
        slot: Option<Slot>,
    },
    /// Wrong PINs locked the card's dynamic PIN.
    #[n(9)]
    Locked {
        /// Until when; `None`: until an ATM or the bank unlocks it.
        #[n(0)]
        until: Option<Moment>,
    },
    /// It was unlocked.
    #[n(10)]
    Unlocked {
        /// By whom.
        #[n(0)]
        by: UnlockedBy,
    },
    /// The host answered.
    #[n(11)]
    HostAnswered {
        /// The transaction.
        #[n(0)]
        identity: Mark,
        /// DE39.
        #[n(1)]
        response_code: String,
    },
    /// A reversal came in.
    #[n(12)]
    Reversed {
        /// The transaction, if it was seen here.
        #[n(0)]
        identity: Option<Mark>,
    },
    /// The operator told what became of a PIN's SMS.
    #[n(13)]
    Receipt {
        /// The PIN's name.
        #[n(0)]
        challenge: ChallengeId,
        /// What became of it.
        #[n(1)]
        state: ReceiptState,
        /// Milliseconds from the operator's taking it to its word.
        #[n(2)]
        after_ms: u64,
    },
    /// The host was asked and is silent: 91 was answered, and our own reversal goes out until it is acknowledged.
    #[n(16)]
    GaveUp {
        /// The transaction.
        #[n(0)]
        identity: Mark,
    },
    /// The host answered after we had given up: not relayed, and reversed once more.
    #[n(18)]
    AnsweredLate {
        /// The transaction.
        #[n(0)]
        identity: Mark,
        /// DE39.
        #[n(1)]
        response_code: String,
    },
    /// The host acknowledged our reversal.
    #[n(17)]
    Undone {
        /// The transaction.
        #[n(0)]
        identity: Mark,
        /// DE39.
        #[n(1)]
        response_code: String,
    },
    /// A PIN was texted back.
    #[n(19)]
    PinTexted {
        /// Its name.
        #[n(0)]
        challenge: ChallengeId,
        /// Until when.
        #[n(1)]
        expires: Moment,
        /// The text that it answers.
        #[n(2)]
        admission: AdmissionId,
    },
    /// A cardholder switched something, or it ended with the phone.
    #[n(20)]
    Switched {
        /// What.
        #[n(0)]
        service: Service,
    },
    /// No dynamic PIN matched and the static one may be used: amount and try are taken, the host is asked.
    #[n(21)]
    StaticTried {
        /// The transaction.
        #[n(0)]
        identity: Mark,
        /// Wrong PINs in a row, this one counted until the host says otherwise.
        #[n(1)]
        failures: u32,
    },
    /// A code of the app was right, and its step is used up.
    #[n(23)]
    CodeSpent {
        /// Whose code.
        #[n(0)]
        token: TokenId,
        /// What for.
        #[n(1)]
        purpose: Purpose,
        /// Of which minute.
        #[n(2)]
        step: Step,
        /// With which step of the ceiling.
        #[n(3)]
        ceiling: u8,
        /// The transaction.
        #[n(4)]
        identity: Mark,
    },
    /// The card was put on a device.
    #[n(24)]
    TokenAdded {
        /// Its reference there.
        #[n(0)]
        token: TokenId,
        /// Which device.
        #[n(1)]
        device: DeviceId,
    },
    /// It was taken off.
    #[n(25)]
    TokenRemoved {
        /// Its reference there.
        #[n(0)]
        token: TokenId,
        /// Which device.
        #[n(1)]
        device: DeviceId,
    },
    /// A control code proved the app PIN.
    #[n(26)]
    ControlUsed {
        /// Whose code.
        #[n(0)]
        token: TokenId,
        /// Of which minute.
        #[n(1)]
        step: Step,
    },
    /// One did not.
    #[n(27)]
    ControlRefused {
        /// Whose it should have been.
        #[n(0)]
        token: TokenId,
        /// Why.
        #[n(1)]
        why: Refusal,
        /// Wrong ones in a row.
        #[n(2)]
        failures: u32,
    },
    /// The ceiling of a slot's codes.
    #[n(28)]
    CeilingSet {
        /// Whose.
        #[n(0)]
        token: TokenId,
        /// Of which PIN.
        #[n(1)]
        slot: Slot,
        /// Its step in the table; 0: none.
        #[n(2)]
        ceiling: u8,
    },
    /// The app's codes pay on the web, or do not.
    #[n(29)]
    SecondPinSwitched {
        /// Whose.
        #[n(0)]
        token: TokenId,
        /// Whether they do.
        #[n(1)]
        on: bool,
    },
    /// Two codes in a row told what a token's clock shows.
    #[n(30)]
    Resynced {
        /// Whose.
        #[n(0)]
        token: TokenId,
        /// Minutes ahead.
        #[n(1)]
        offset: i64,
    },
    /// A device was activated with the card.
    #[n(31)]
    DeviceActivated {
        /// Which.
        #[n(0)]
        device: DeviceId,
    },
    /// The bank gave the card a new number.
    #[n(22)]
    Reissued {
        /// Which number it is now, from 0.
        #[n(0)]
        issue: u32,
    },
}

/// What a bank changed of a card.
#[derive(Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Changes(#[n(0)] u16);

impl Changes {
    const WORDS: [&str; 7] = ["phone", "status", "language", "expiry", "product", "consent", "limits"];

    /// Those that did, in the order of the words: phone, status, language, expiry, product, consent, limits.
    pub(super) fn of(changed: [bool; 7]) -> Changes {
        Changes(changed.iter().enumerate().map(|(n, changed)| u16::from(*changed) << n).sum())
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Changes::WORDS.iter().enumerate().filter(|(n, _)| self.0 >> n & 1 == 1);
        f.debug_set().entries(named.map(|(_, word)| Word(word))).finish()
    }
}

/// Without the quotes of a text.
struct Word(&'static str);

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
