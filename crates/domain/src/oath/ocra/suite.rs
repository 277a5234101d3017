//! The suite: a text that says what a code is made of (RFC 6287, 6).
//!
//! ```text
//! OCRA-1 : HOTP-SHA1-t   : [C-] Q(A|N|H)04…64 [-PSHA1]   [-S001…512] [-T(1…59)S]
//!          HOTP-SHA256-t                      [-PSHA256]             [-T(1…59)M]
//!          HOTP-SHA512-t                      [-PSHA512]             [-T(1…48)H]
//! ```
//!
//! `Q`, `P`, `S`, `T` alone mean the RFC's defaults: QN08, PSHA1, S064, T1M.

use std::fmt;
use std::str::FromStr;

use super::super::Hash;
use super::question::{Format, Question};

/// An OCRA suite. `parse` is the only way to one, so it can always be computed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Suite {
    text: Box<str>,
    pub(super) plan: Plan,
}

/// What a suite's text says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Plan {
    pub(super) hash: Hash,
    /// 4 to 10.
    pub(super) digits: u8,
    pub(super) counter: bool,
    pub(super) question: Question,
    pub(super) pin: Option<Hash>,
    /// In bytes, 1 to 512.
    pub(super) session: Option<usize>,
    /// In seconds, not 0.
    pub(super) step_s: Option<u64>,
}

/// Why a text is not a suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SuiteError {
    /// Not three parts.
    #[error("an OCRA suite has three parts with `:` between them, this text has {0}")]
    Parts(usize),
    /// Another algorithm or version.
    #[error("the first part of a suite must be `OCRA-1`; no other is defined")]
    Algorithm,
    /// Another function, or another hash.
    #[error("the second part of a suite must be `HOTP-SHA1-t`, `HOTP-SHA256-t` or `HOTP-SHA512-t`")]
    Function,
    /// Not 4 to 10 digits.
    #[error("codes have 4 to 10 digits: write 4 to 10 behind the hash function")]
    Digits,
    /// `t` is 0: the whole HMAC. No person types that, and a number cannot hold it.
    #[error("0 digits mean the whole HMAC, which is no code; write 4 to 10 behind the hash function")]
    Untruncated,
    /// No Q.
    #[error("the suite has no question: `Q` comes first in the third part, or right after `C`")]
    NoQuestion,
    /// Q is not a format and a length.
    #[error("a question is `QA`, `QN` or `QH` and its greatest length in two digits, 04 to 64")]
    Question,
    /// P without a known hash.
    #[error("a PIN is `PSHA1`, `PSHA256` or `PSHA512`")]
    Pin,
    /// S without a length.
    #[error("a session is `S` and its length in bytes in three digits, 001 to 512")]
    Session,
    /// T without a step.
    #[error("a time step is `T` and 1 to 59 `S` or `M`, or 1 to 48 `H`")]
    Time,
    /// Something else in the third part: unknown, repeated, or out of order. Counted from 1.
    #[error("input {0} of the suite is unknown, repeated or out of order; the order is C-Q-P-S-T")]
    Input(usize),
}

impl Suite {
    /// Reads a suite, exactly as it is written: its text is part of what is hashed.
    ///
    /// # Errors
    /// [`SuiteError`] if the text is not a suite, or one without truncation.
    pub fn parse(text: &str) -> Result<Suite, SuiteError> {
        let parts = text.split(':').count();
        let mut three = text.split(':');
        let (Some(algorithm), Some(function), Some(inputs), 3) =
            (three.next(), three.next(), three.next(), parts)
        else {
            return Err(SuiteError::Parts(parts));
        };
        if algorithm != "OCRA-1" {
            return Err(SuiteError::Algorithm);
        }
        let (hash, digits) = function_of(function)?;
        Ok(Suite { text: text.into(), plan: inputs_of(hash, digits, inputs)? })
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many digits a code has, 4 to 10. The tenth can only be 0, 1 or 2 (erratum 3730).
    pub fn digits(&self) -> u8 {
        self.plan.digits
    }

    /// The hash function of the HMAC.
    pub fn hash(&self) -> Hash {
        self.plan.hash
    }

    /// The hash function of the PIN, if the suite has P.
    pub fn pin_hash(&self) -> Option<Hash> {
        self.plan.pin
    }

    /// Whether the suite has C.
    pub fn has_counter(&self) -> bool {
        self.plan.counter
    }

    /// How many bytes of session data go in, if the suite has S.
    pub fn session_bytes(&self) -> Option<usize> {
        self.plan.session
    }

    /// How long a time step is, in seconds, if the suite has T.
    pub fn step_s(&self) -> Option<u64> {
        self.plan.step_s
    }

    /// The time step that an instant is in, counted from 1970, if the suite has T.
    pub fn step(&self, unix_s: u64) -> Option<u64> {
        self.plan.step_s.and_then(|step_s| unix_s.checked_div(step_s))
    }
}

impl FromStr for Suite {
    type Err = SuiteError;

    fn from_str(text: &str) -> Result<Suite, SuiteError> {
        Suite::parse(text)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn function_of(text: &str) -> Result<(Hash, u8), SuiteError> {
    let rest = text.strip_prefix("HOTP-").ok_or(SuiteError::Function)?;
    let (name, digits) = rest.split_once('-').ok_or(SuiteError::Function)?;
    let hash = hash_of(name).ok_or(SuiteError::Function)?;
    if digits == "0" {
        return Err(SuiteError::Untruncated);
    }
    let digits = number_of(digits, 4..=10).filter(|_| !digits.starts_with('0')).ok_or(SuiteError::Digits)?;
    Ok((hash, digits))
}

fn inputs_of(hash: Hash, digits: u8, text: &str) -> Result<Plan, SuiteError> {
    let mut inputs = text.split('-').enumerate().peekable();
    let counter = inputs.next_if(|(_, input)| *input == "C").is_some();
    let (_, question) = inputs.next_if(|(_, input)| input.starts_with('Q')).ok_or(SuiteError::NoQuestion)?;
    let mut plan = Plan {
        hash,
        digits,
        counter,
        question: question_of(question)?,
        pin: None,
        session: None,
        step_s: None,
    };
    if let Some((_, pin)) = inputs.next_if(|(_, input)| input.starts_with('P')) {
        plan.pin = Some(pin_of(pin).ok_or(SuiteError::Pin)?);
    }
    if let Some((_, session)) = inputs.next_if(|(_, input)| input.starts_with('S')) {
        plan.session = Some(session_of(session).ok_or(SuiteError::Session)?);
    }
    if let Some((_, time)) = inputs.next_if(|(_, input)| input.starts_with('T')) {
        plan.step_s = Some(step_of(time).ok_or(SuiteError::Time)?);
    }
    match inputs.next() {
        None => Ok(plan),
        Some((before, _)) => Err(SuiteError::Input(before + 1)),
    }
}

fn question_of(text: &str) -> Result<Question, SuiteError> {
    let (format, length) = match text.as_bytes() {
        [b'Q'] => return Ok(Question { format: Format::Numeric, longest: 8 }),
        [b'Q', b'A', length @ ..] => (Format::Alphanumeric, length),
        [b'Q', b'N', length @ ..] => (Format::Numeric, length),
        [b'Q', b'H', length @ ..] => (Format::Hexadecimal, length),
        _ => return Err(SuiteError::Question),
    };
    let length = str::from_utf8(length).ok().filter(|length| length.len() == 2);
    let longest = length.and_then(|length| number_of(length, 4..=64)).ok_or(SuiteError::Question)?;
    Ok(Question { format, longest })
}

fn pin_of(text: &str) -> Option<Hash> {
    match text {
        "P" => Some(Hash::Sha1),
        _ => hash_of(&text[1..]),
    }
}

fn session_of(text: &str) -> Option<usize> {
    match &text[1..] {
        "" => Some(64),
        length if length.len() == 3 => number_of(length, 1..=512),
        _ => None,
    }
}

/// The RFC's table has 0 to 48 hours; a step of 0 makes no sense (erratum 3729).
fn step_of(text: &str) -> Option<u64> {
    if text == "T" {
        return Some(60);
    }
    let (count, unit_s, most) = if let Some(count) = text.strip_suffix('S') {
        (count, 1, 59)
    } else if let Some(count) = text.strip_suffix('M') {
        (count, 60, 59)
    } else {
        (text.strip_suffix('H')?, 3600, 48)
    };
    let count = count.get(1..).filter(|count| !count.starts_with('0'))?;
    number_of::<u64>(count, 1..=most).map(|count| count * unit_s)
}

fn hash_of(name: &str) -> Option<Hash> {
    match name {
        "SHA1" => Some(Hash::Sha1),
        "SHA256" => Some(Hash::Sha256),
        "SHA512" => Some(Hash::Sha512),
        _ => None,
    }
}

/// A number of digits only (`parse` alone would take a sign) within the range.
fn number_of<N: FromStr + PartialOrd>(text: &str, range: std::ops::RangeInclusive<N>) -> Option<N> {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|number| digits && range.contains(number))
}
