//! The cardholder's phone with the Ramznegar app: for tests, for the lab, and for `ramz token`, which is one.
//!
//! It has a device key and a seed for each card, computes codes without a network, and asks the bank's app door for everything
//! else over a [`Way`]. What it must not forget is one value, [`PhoneState`]; a [`Keep`] writes it down.
//!
//! ```text
//!   a write: next counter, control code of this minute ──kept──▶ signed, sent ──▶ answer ──kept──▶ told
//!                                                         │
//!                                                         └─ no answer: the counter and the code count as used, the
//!                                                            reference and the seed of a new card are those of the repeat
//! ```
//!
//! Whether a code pays is the bank's to say. Deliberately not here: an app PIN. The browser's app stretches one over its seeds;
//! here whoever opens the state has them, and that it is sealed is its keeper's matter.

mod activating;
mod asking;
mod cards;
mod codes;
mod devices;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response};
use ramz_api::client::{CallError, Http};
use ramz_api::problem::Problem;
use ramz_domain::{Clock, Entropy, Moment, limits};
use ramz_keys::NotAReceiveKey;

pub use codes::Code;
pub use state::{Activated, Kept, PhoneState, SlotTold, StateError};

/// The way to the bank's app door: HTTP, or a test's own. A request's URI is a path; the answer may have any status.
#[async_trait]
pub trait Way: Send + Sync + 'static {
    /// Sends a request and waits for its answer.
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError>;
}

#[async_trait]
impl Way for Http {
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        self.send(request).await
    }
}

/// Where a phone's state is written down: before each write is sent, and after what was learned from an answer.
pub trait Keep: Send + 'static {
    /// Writes it down, durably. What was not kept is not sent.
    fn keep(&mut self, state: &PhoneState) -> Result<(), NotKept>;
}

/// Why a state was not written down.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("what the phone must not forget could not be written down: {0}")]
pub struct NotKept(pub String);

/// Keeps nothing: the state is in memory only, and goes with the phone.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemory;

impl Keep for InMemory {
    fn keep(&mut self, _: &PhoneState) -> Result<(), NotKept> {
        Ok(())
    }
}

/// Why something was not done, or may not have been.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PhoneError {
    /// The bank said no, and why.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// There is no answer. Whether it was done is not known: ask again.
    #[error("the bank's app door {0}")]
    Call(#[from] CallError),
    /// An answer that does not fit; to what.
    #[error("the bank's answer to {0} is not what was expected")]
    Answer(&'static str),
    /// There is no device yet.
    #[error("this phone is not activated: begin at an ATM, and activate it with both halves of the code")]
    NotActivated,
    /// There is one.
    #[error("this phone is activated already: its cards would be lost; begin with a fresh one")]
    AlreadyActivated,
    /// No card has this reference.
    #[error("there is no such card on this phone")]
    NoCard,
    /// This minute's control code is used up: each is good once.
    #[error(
        "this minute's control code was used, and each is good once: try again in {again_in_s} s, at the next"
    )]
    CodeUsed {
        /// Seconds until there is another.
        again_in_s: u64,
    },
    /// A control code is needed, and no card is there to compute one.
    #[error(
        "the {} minutes after the activation are over, and no card is there whose control code would do: \
         activate the phone again at an ATM",
        limits::CARDS_ADDED_WITHIN.as_secs() / 60
    )]
    NoControl,
    /// A step that the bank's table does not have.
    #[error("there is no step {step}: this card's table has the steps 1 to {most}, and 0 is no ceiling")]
    NoStep {
        /// What was asked for.
        step: u8,
        /// The last.
        most: usize,
    },
    /// More additions without an answer than a device may have cards.
    #[error("{} cards wait for the bank's answer: ask for the list of cards first", limits::DEVICE_CARDS_MAX)]
    TooManyPending,
    /// The bank's receive key is none.
    #[error(transparent)]
    ReceiveKey(#[from] NotAReceiveKey),
    /// The state was not written down, and nothing was sent after that.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

/// A phone with the app.
pub struct Phone {
    state: PhoneState,
    way: Arc<dyn Way>,
    keep: Box<dyn Keep>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Phone {
    /// With this state, which knows where the bank is. `clock` is the phone's own, right or wrong.
    pub fn new(
        state: PhoneState,
        way: Arc<dyn Way>,
        keep: Box<dyn Keep>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Phone {
        Phone { state, way, keep, clock, entropy }
    }

    /// What it knows.
    pub fn state(&self) -> &PhoneState {
        &self.state
    }

    /// The bank's time, as far as it is known.
    pub fn bank_time(&self) -> Moment {
        self.state.bank_time(self.clock.now())
    }

    fn kept(&mut self) -> Result<(), PhoneError> {
        Ok(self.keep.keep(&self.state)?)
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phone({:?})", self.state)
    }
}
