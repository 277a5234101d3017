//! One payment at this page: a small state machine, pure, kept as one row that is changed by compare-and-swap.
//!
//! ```text
//!              begin                approved               verify
//!   Open ───────────────▶ Authorising ───────▶ Paid ─────────────────▶ Verified
//!    │ ▲      refused, not sent │                │ not verified in time
//!    │ └────────────────────────┤                ▼
//!    │ cancel, too many tries   └────────▶ Reversing ─── answered ──▶ Reversed
//!    ▼                       no answer,   (0420, then 0421 until answered)
//!   Failed                   or a crash
//! ```
//! `Open` becomes expired by the clock alone, and `Expired` when the sweeper comes by: then its payee goes. What is not here: card data. The row knows a card as a keyed hash while
//! PINs are asked for, and masked once it has paid; what a reversal needs is sealed in a column of its own.

use std::time::Duration;

use minicbor::{Decode, Encode};
use ramz_domain::{Digest, Moment, PaymentKind, Rial, limits};
use uuid::Uuid;

use crate::about::About;

mod undoing;
pub(crate) use undoing::{Due, asked_for};

/// A purchase, as the first release wrote it and still reads it.
const FORMAT_PURCHASE: u8 = 1;
/// Any other kind. A release that knows purchases only refuses it rather than take it for one.
const FORMAT_ANY: u8 = 2;
/// Repeats of one press; a page sends it three times. Each is asked of the router, which takes so many of us, whoever presses.
const REPEATS_MAX: u8 = 4;
/// PIN requests one page may make.
pub(crate) const ASKS_MAX: usize = 5;
/// Authorisations one payment may try: more is not a payer who mistypes.
pub(crate) const TRIES_MAX: u8 = 10;
/// A payment is remembered this long after its end: a merchant's books are closed by then.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// The row.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Payment {
    #[n(0)]
    format: u8,
    /// Our name of the merchant.
    #[n(1)]
    pub(crate) merchant: String,
    #[n(2)]
    pub(crate) amount: Rial,
    /// The merchant's name of the order.
    #[n(3)]
    pub(crate) order: String,
    #[n(4)]
    pub(crate) description: String,
    #[n(5)]
    pub(crate) callback: String,
    #[n(6)]
    pub(crate) created: Moment,
    #[n(7)]
    pub(crate) expires: Moment,
    /// What page tokens and bot checks are made from. Random; leaves the row only hashed.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub(crate) secret: [u8; 16],
    #[n(9)]
    pub(crate) asks: Vec<Ask>,
    /// How many presses were taken, also those that came to nothing: the bot check's counter.
    #[n(10)]
    pub(crate) presses: u32,
    #[n(11)]
    pub(crate) tries: u8,
    #[n(12)]
    pub(crate) state: State,
    /// None: a purchase.
    #[n(13)]
    about: Option<About>,
}

/// One PIN request.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Ask {
    /// The keyed hash of the PAN.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) card: [u8; 32],
    /// The press: the page's idempotency key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) press: [u8; 16],
    /// The same card may ask again from then on.
    #[n(2)]
    pub(crate) again_at: Moment,
    /// The keyed hash of the destination, if the payer typed one: it is part of what the press asked for.
    #[n(3)]
    pub(crate) to: Option<Digest>,
    /// The keyed hash of where the press came from. A repeat is sent with it, wherever that comes from: another would be
    /// another request under the same key.
    #[n(4)]
    pub(crate) payer: Option<Digest>,
    /// How often it came again: each time the router is asked anew.
    #[n(5)]
    #[cbor(default)]
    pub(crate) repeats: u8,
}

/// What an authorisation is known by. Nothing of it is secret.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Trace {
    /// The bank link's name.
    #[n(0)]
    pub(crate) link: String,
    /// DE11.
    #[n(1)]
    pub(crate) stan: String,
    /// DE37.
    #[n(2)]
    pub(crate) rrn: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) enum State {
    #[n(0)]
    Open,
    #[n(1)]
    Authorising {
        #[n(0)]
        trace: Trace,
        /// Whoever sent it has given up by then.
        #[n(1)]
        until: Moment,
    },
    #[n(2)]
    Paid {
        #[n(0)]
        receipt: Receipt,
        #[n(1)]
        verify_by: Moment,
    },
    #[n(3)]
    Verified {
        #[n(0)]
        receipt: Receipt,
        #[n(1)]
        at: Moment,
    },
    #[n(4)]
    Reversing {
        #[n(0)]
        trace: Trace,
        #[n(1)]
        why: Why,
        /// How often it was asked for.
        #[n(2)]
        asked: u32,
        /// When to ask next.
        #[n(3)]
        next: Moment,
        /// It was asked for before, and is again under another number: the answer to an earlier asking does not end it.
        #[n(4)]
        #[cbor(default)]
        anew: bool,
    },
    #[n(5)]
    Reversed {
        #[n(0)]
        trace: Trace,
        #[n(1)]
        why: Why,
        #[n(2)]
        at: Moment,
    },
    #[n(6)]
    Failed {
        #[n(0)]
        why: Failure,
        #[n(1)]
        at: Moment,
    },
    /// Nobody paid in time, and the sweeper has come by: its payee is gone.
    #[n(7)]
    Expired,
}

/// What a payer keeps of a payment.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Receipt {
    #[n(0)]
    pub(crate) trace: Trace,
    /// First six and last four digits.
    #[n(1)]
    pub(crate) card: String,
    #[n(2)]
    pub(crate) at: Moment,
    /// Who or what was paid beside the merchant, masked.
    #[n(3)]
    pub(crate) payee: Option<String>,
}

/// Why money goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Why {
    /// Nobody knows whether the bank took it.
    #[n(0)]
    Unknown,
    /// The bank took it and it must not stay so: nobody verified it in time, or it came too late or in another way than was asked for.
    #[n(1)]
    Approved,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Failure {
    #[n(0)]
    Cancelled,
    #[n(1)]
    TooManyTries,
}

/// How a payment stands, in the words of the page. The merchant hears fewer ([`Standing::merchant`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Open,
    Authorising,
    Paid,
    Unknown,
    /// The bank has taken it, and is asked to give it back.
    Reversing,
    Reversed,
    Failed,
    Expired,
}

impl Standing {
    /// The word in the page's JSON.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Standing::Open => "open",
            Standing::Authorising => "authorising",
            Standing::Paid => "paid",
            Standing::Unknown => "unknown",
            Standing::Reversing => "reversing",
            Standing::Reversed => "reversed",
            Standing::Failed => "failed",
            Standing::Expired => "expired",
        }
    }

    /// The word in the merchant API.
    pub(crate) const fn merchant(self) -> &'static str {
        match self {
            Standing::Open | Standing::Authorising => "created",
            Standing::Paid => "paid",
            Standing::Unknown | Standing::Reversing | Standing::Reversed => "reversed",
            Standing::Failed => "failed",
            Standing::Expired => "expired",
        }
    }
}

/// Why a PIN is not asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoAsk {
    /// The payment is not open.
    Standing(Standing),
    /// This card must wait until then.
    Wait(Moment),
    /// The page has asked often enough.
    NoMore,
    /// This press was another card's, for another destination, or has come often enough: it takes a new one.
    NewPress,
}

/// How verifying ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoVerify {
    /// It is not paid.
    Standing(Standing),
    /// Another amount was paid.
    Amount,
}

/// What a merchant asks for.
pub(crate) struct Order {
    pub(crate) merchant: String,
    pub(crate) amount: Rial,
    pub(crate) order: String,
    pub(crate) description: String,
    pub(crate) callback: String,
    pub(crate) about: About,
}

impl Payment {
    pub(crate) fn new(order: Order, now: Moment, open_for: Duration, secret: [u8; 16]) -> Payment {
        let Order { merchant, amount, order, description, callback, about } = order;
        let about = Some(about).filter(|about| about.kind != PaymentKind::Purchase);
        Payment {
            format: if about.is_some() { FORMAT_ANY } else { FORMAT_PURCHASE },
            merchant,
            amount,
            order,
            description,
            callback,
            created: now,
            expires: now.plus(open_for),
            secret,
            asks: Vec::new(),
            presses: 0,
            tries: 0,
            state: State::Open,
            about,
        }
    }

    /// `None` for a row of a format that this release does not read.
    pub(crate) fn decode(body: &[u8]) -> Option<Payment> {
        minicbor::decode::<Payment>(body)
            .ok()
            .filter(|payment| matches!(payment.format, FORMAT_PURCHASE | FORMAT_ANY))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        minicbor::encode(self, &mut body).expect("writing to memory does not fail");
        body
    }

    /// What it is about.
    pub(crate) fn about(&self) -> About {
        self.about.clone().unwrap_or_else(|| About::plain(PaymentKind::Purchase))
    }

    pub(crate) fn kind(&self) -> PaymentKind {
        self.about.as_ref().map_or(PaymentKind::Purchase, |about| about.kind)
    }

    /// Whether money moves with it, so that an end in doubt must be undone. A balance moves none.
    pub(crate) fn moves_money(&self) -> bool {
        self.kind() != PaymentKind::Balance
    }

    /// Whether it may still be asked for or paid, for which its payee must be known.
    pub(crate) fn needs_payee(&self) -> bool {
        matches!(self.state, State::Open | State::Authorising { .. })
    }

    pub(crate) fn standing(&self, now: Moment) -> Standing {
        match &self.state {
            State::Open if now >= self.expires => Standing::Expired,
            State::Expired => Standing::Expired,
            State::Open => Standing::Open,
            State::Authorising { .. } => Standing::Authorising,
            // Too late to verify: it will be reversed, whether or not the sweeper has come by.
            State::Paid { verify_by, .. } if now >= *verify_by => Standing::Reversing,
            State::Paid { .. } | State::Verified { .. } => Standing::Paid,
            State::Reversing { why: Why::Unknown, .. } => Standing::Unknown,
            State::Reversing { .. } => Standing::Reversing,
            State::Reversed { .. } => Standing::Reversed,
            State::Failed { .. } => Standing::Failed,
        }
    }

    /// When the sweeper must look at it.
    pub(crate) fn due(&self) -> Option<Moment> {
        match &self.state {
            State::Authorising { until, .. } => Some(*until),
            State::Paid { verify_by, .. } => Some(*verify_by),
            State::Reversing { next, .. } => Some(*next),
            State::Open => Some(self.expires),
            State::Verified { .. } | State::Reversed { .. } | State::Failed { .. } | State::Expired => None,
        }
    }

    /// When it may be forgotten; never while something is owed.
    pub(crate) fn forget_after(&self) -> Option<Moment> {
        match self.due() {
            Some(_) => None,
            None => Some(self.expires.plus(KEPT)),
        }
    }

    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        match &self.state {
            State::Paid { receipt, .. } | State::Verified { receipt, .. } => Some(receipt),
            _ => None,
        }
    }

    /// Takes a press of the PIN button. `Ok(true)`: it was taken before, so this is a repeat and counts nothing.
    pub(crate) fn ask(
        &mut self,
        card: [u8; 32],
        press: Uuid,
        to: Option<Digest>,
        payer: Option<Digest>,
        wait: Duration,
        now: Moment,
    ) -> Result<bool, NoAsk> {
        match self.standing(now) {
            Standing::Open => {}
            other => return Err(NoAsk::Standing(other)),
        }
        if let Some(known) = self.asks.iter_mut().find(|ask| ask.press == *press.as_bytes()) {
            if known.card != card || known.to != to || known.repeats >= REPEATS_MAX {
                return Err(NoAsk::NewPress);
            }
            known.repeats += 1;
            return Ok(true);
        }
        let waits = self.asks.iter().filter(|ask| ask.card == card).map(|ask| ask.again_at).max();
        if let Some(until) = waits.filter(|until| *until > now) {
            return Err(NoAsk::Wait(until));
        }
        if self.asks.len() >= ASKS_MAX {
            return Err(NoAsk::NoMore);
        }
        let (press, again_at) = (*press.as_bytes(), now.plus(wait));
        self.asks.push(Ask { card, press, again_at, to, payer, repeats: 0 });
        self.presses += 1;
        Ok(false)
    }

    /// Who pressed, as it was when the press was taken.
    pub(crate) fn payer(&self, press: Uuid) -> Option<Digest> {
        self.asks.iter().find(|ask| ask.press == *press.as_bytes())?.payer
    }

    /// The bank said how long to wait.
    pub(crate) fn asked(&mut self, press: Uuid, again_at: Moment) {
        if let Some(ask) = self.asks.iter_mut().find(|ask| ask.press == *press.as_bytes()) {
            ask.again_at = again_at;
        }
    }

    /// Nothing was asked for after all: the press does not count.
    pub(crate) fn not_asked(&mut self, press: Uuid) {
        self.asks.retain(|ask| ask.press != *press.as_bytes());
    }

    /// Claims the payment for one authorisation. Only its winner may send.
    pub(crate) fn begin(&mut self, trace: Trace, now: Moment) -> Result<(), Standing> {
        match self.standing(now) {
            Standing::Open => {}
            other => return Err(other),
        }
        self.tries += 1;
        let until = now.plus(limits::HOST_TIMEOUT).plus(limits::LEASE);
        self.state = State::Authorising { trace, until };
        Ok(())
    }

    /// Whether this very authorisation is in flight.
    pub(crate) fn is_authorising(&self, trace: &Trace) -> bool {
        matches!(&self.state, State::Authorising { trace: own, .. } if own == trace)
    }

    /// Whether it is paid, and by this very authorisation.
    pub(crate) fn is_paid_by(&self, trace: &Trace, now: Moment) -> bool {
        let by = match &self.state {
            State::Paid { receipt, .. } | State::Verified { receipt, .. } => &receipt.trace == trace,
            _ => false,
        };
        by && self.standing(now) == Standing::Paid
    }

    /// The bank said yes. A balance that was told cannot be given back, so nothing waits for the merchant's word.
    pub(crate) fn approve(&mut self, receipt: Receipt, now: Moment, verify_window: Duration) {
        self.state = if self.moves_money() {
            State::Paid { receipt, verify_by: now.plus(verify_window) }
        } else {
            State::Verified { receipt, at: now }
        };
    }

    /// The bank said no, or was never asked: the payer may try again, though not for ever.
    pub(crate) fn reopen(&mut self, now: Moment) {
        self.state = if self.tries >= TRIES_MAX {
            State::Failed { why: Failure::TooManyTries, at: now }
        } else {
            State::Open
        };
    }

    pub(crate) fn cancel(&mut self, now: Moment) -> Result<(), Standing> {
        match self.standing(now) {
            Standing::Open => {
                self.state = State::Failed { why: Failure::Cancelled, at: now };
                Ok(())
            }
            Standing::Failed | Standing::Expired => Ok(()),
            other => Err(other),
        }
    }

    pub(crate) fn verify(&mut self, amount: Rial, now: Moment) -> Result<(), NoVerify> {
        match self.standing(now) {
            Standing::Paid if self.amount != amount => Err(NoVerify::Amount),
            Standing::Paid => {
                if let State::Paid { receipt, .. } = &self.state {
                    self.state = State::Verified { receipt: receipt.clone(), at: now };
                }
                Ok(())
            }
            other => Err(NoVerify::Standing(other)),
        }
    }
}

#[cfg(test)]
mod tests;
