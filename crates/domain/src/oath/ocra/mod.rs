//! OCRA: codes that answer a question (RFC 6287).
//!
//! ```text
//! DataInput = suite | 00 | C | Q | P | S | T          code = Truncate(HMAC(key, DataInput))
//!             └ Keyed ──┘└ Asked ──────┘ └ at
//! ```
//!
//! Each stage keeps the HMAC's state, so that a second code of the same key and question costs only what comes after
//! them. For `OCRA-1:HOTP-SHA256-7:QN08-T1M` that is one block of the inner hash and one of the outer.
//!
//! A suite's text is part of what is hashed. It is therefore read as it stands: in capitals, inputs in their order, lengths
//! with all their digits. Two ends that write the same suite differently would not agree anyway.

mod question;
mod suite;

use std::fmt;

pub use suite::{Suite, SuiteError};

use self::suite::Plan;
use super::mac::Mac;

/// What goes into a code, beside the time. What the suite does not have must be `None`.
#[derive(Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// C: the counter.
    pub counter: Option<u64>,
    /// Q: the question, in the suite's format, at most as long as the suite says. Between two parties, one's own.
    pub question: &'a str,
    /// P: the hash of the PIN or password, under the hash function that the suite names, as bytes.
    pub pin_hash: Option<&'a [u8]>,
    /// S: what the two ends know of their session, exactly as many bytes as the suite says. Shorter ones are for the caller
    /// to fill, as the other end does; the program in the RFC puts zeros before them.
    pub session: Option<&'a [u8]>,
}

/// An input that a suite may have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// C.
    Counter,
    /// P.
    PinHash,
    /// S.
    Session,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Counter => "counter (C)",
            Input::PinHash => "PIN hash (P)",
            Input::Session => "session (S)",
        })
    }
}

/// Why there is no code for these inputs. Carries nothing of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InputError {
    /// The suite has this input, and it was not given.
    #[error("the suite needs a {0}: give one")]
    Missing(Input),
    /// The suite does not have this input. Leaving it out in silence would let a caller believe that the code is bound to it.
    #[error("the suite has no {0}: leave it out, or choose a suite with one")]
    Superfluous(Input),
    /// No question.
    #[error("the question is empty; it has at least one character")]
    QuestionEmpty,
    /// The question is longer than the suite says.
    #[error("the suite's questions have at most {longest} characters, this one has {found}")]
    QuestionLength {
        /// What the suite allows.
        longest: usize,
        /// What was given.
        found: usize,
    },
    /// A character that is not of the suite's format, counted from 0.
    #[error("character {0} of the question is not of the suite's format")]
    QuestionCharacter(usize),
    /// Two numeric questions.
    #[error(
        "two numeric questions cannot be joined: the RFC does not say whether before or after they are made \
         binary; use a suite with QA or QH"
    )]
    NumericQuestions,
    /// The hash of the PIN is not as long as the suite's hash function makes it.
    #[error("the PIN's hash has {found} bytes, the suite's hash function makes {expected}")]
    PinHashLength {
        /// What the suite's hash function makes.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The session data is not as long as the suite says.
    #[error("the session data has {found} bytes, the suite wants exactly {expected}")]
    SessionLength {
        /// What the suite says.
        expected: usize,
        /// What was given.
        found: usize,
    },
}

/// A suite under a key. Wiped on drop.
#[derive(Clone)]
pub struct Keyed {
    plan: Plan,
    mac: Mac,
}

/// A question that was asked of a key, with everything else but the time. Wiped on drop.
#[derive(Clone)]
pub struct Asked {
    plan: Plan,
    mac: Mac,
}

impl Suite {
    /// This suite under a key. The key should have as many bytes as the hash function makes; any length is taken.
    pub fn keyed(&self, key: &[u8]) -> Keyed {
        let mut mac = Mac::new(self.plan.hash, key);
        mac.absorb(self.as_str().as_bytes());
        mac.absorb(&[0]);
        Keyed { plan: self.plan, mac }
    }
}

impl Keyed {
    /// Takes everything but the time: one party's question (RFC 6287, 7.1 and 7.3).
    ///
    /// A numeric question is a number: its leading zeros are not in the code, and as its hexadecimal digits are filled
    /// with zeros on the right, `x` and `16 x` are one question. Questions that all have eight digits and do not begin
    /// with 0 are told apart.
    ///
    /// # Errors
    /// [`InputError`] if the inputs are not the suite's.
    pub fn asked(&self, inputs: &Inputs<'_>) -> Result<Asked, InputError> {
        self.absorbed(&[inputs.question], inputs)
    }

    /// The same where both parties ask (RFC 6287, 7.2 and 7.4): the other's question, then one's own of `inputs`. Each may
    /// be as long as the suite says.
    ///
    /// # Errors
    /// [`InputError`] if the inputs are not the suite's, and for numeric questions.
    pub fn asked_by_both(&self, theirs: &str, inputs: &Inputs<'_>) -> Result<Asked, InputError> {
        self.absorbed(&[theirs, inputs.question], inputs)
    }

    fn absorbed(&self, questions: &[&str], inputs: &Inputs<'_>) -> Result<Asked, InputError> {
        let plan = self.plan;
        let counter = wanted(plan.counter.then_some(()), inputs.counter, Input::Counter)?;
        let pin_hash = wanted(plan.pin, inputs.pin_hash, Input::PinHash)?;
        let session = wanted(plan.session, inputs.session, Input::Session)?;
        let question = plan.question.block(questions)?;

        let mut mac = self.mac.clone();
        if let Some((_, counter)) = counter {
            mac.absorb(&counter.to_be_bytes());
        }
        mac.absorb(&question);
        if let Some((hash, given)) = pin_hash {
            if given.len() != hash.bytes() {
                return Err(InputError::PinHashLength { expected: hash.bytes(), found: given.len() });
            }
            mac.absorb(given);
        }
        if let Some((bytes, given)) = session {
            if given.len() != bytes {
                return Err(InputError::SessionLength { expected: bytes, found: given.len() });
            }
            mac.absorb(given);
        }
        Ok(Asked { plan, mac })
    }
}

/// What the suite says of an input and what was given, or `None` if both are silent.
fn wanted<P, G>(planned: Option<P>, given: Option<G>, input: Input) -> Result<Option<(P, G)>, InputError> {
    match (planned, given) {
        (Some(planned), Some(given)) => Ok(Some((planned, given))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(InputError::Missing(input)),
        (None, Some(_)) => Err(InputError::Superfluous(input)),
    }
}

impl Asked {
    /// The code of a time step ([`Suite::step`]), modulo 10^digits. Allocates nothing.
    ///
    /// # Panics
    /// If the suite has no T: its code is the same at all times, and whoever counts time steps would take it again
    /// and again. [`Suite::step_s`] tells.
    pub fn at(&self, time_step: u64) -> u64 {
        assert!(self.plan.step_s.is_some(), "an OCRA suite without T has one code for all times: ask code()");
        let mut mac = self.mac.clone();
        mac.absorb(&time_step.to_be_bytes());
        mac.code(self.plan.digits)
    }

    /// The code of a suite without T, modulo 10^digits. Allocates nothing.
    ///
    /// # Panics
    /// If the suite has T: there is no code without a time.
    pub fn code(&self) -> u64 {
        assert!(self.plan.step_s.is_none(), "an OCRA suite with T has no code without a time: ask at()");
        self.mac.clone().code(self.plan.digits)
    }
}

impl fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inputs(…)")
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(…)")
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked(…)")
    }
}

#[cfg(test)]
mod tests;
