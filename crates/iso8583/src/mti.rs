//! The message type indicator: four digits that say what a message is (ISO 8583:1987, 4.1).
//!
//! Not here: which types a role accepts; any four digits are a type, and what is not owned passes through.

use std::fmt;

/// A message type indicator: version, class, function and origin, one digit each. `0200` is a 1987 financial
/// request of the acquirer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mti([u8; 4]);

/// What a message is about: the second digit of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MtiClass {
    /// `x1xx`: may this be paid?
    Authorisation,
    /// `x2xx`: pay this.
    Financial,
    /// `x3xx`: change a file.
    FileAction,
    /// `x4xx`: undo that.
    Reversal,
    /// `x5xx`: totals.
    Reconciliation,
    /// `x6xx`: administrative; terminal services.
    Administrative,
    /// `x7xx`: fees.
    FeeCollection,
    /// `x8xx`: sign-on, echo, key exchange.
    Network,
    /// `x0xx` and `x9xx`: reserved by ISO.
    Reserved,
}

impl Mti {
    /// 0100, an authorisation request.
    pub const AUTHORISATION: Self = Self(*b"0100");
    /// 0200, a financial request.
    pub const FINANCIAL: Self = Self(*b"0200");
    /// 0400, a reversal request.
    pub const REVERSAL: Self = Self(*b"0400");
    /// 0420, a reversal advice.
    pub const REVERSAL_ADVICE: Self = Self(*b"0420");
    /// 0600, an administrative request.
    pub const ADMINISTRATIVE: Self = Self(*b"0600");
    /// 0800, a network management request.
    pub const NETWORK: Self = Self(*b"0800");

    /// A type from its four ASCII digits; `None` for anything else.
    pub const fn new(digits: &str) -> Option<Self> {
        match digits.as_bytes() {
            [a, b, c, d] => Self::from_digits([*a, *b, *c, *d]),
            _ => None,
        }
    }

    /// A type from four ASCII digit bytes; `None` if one is not a digit.
    pub(crate) const fn from_digits(digits: [u8; 4]) -> Option<Self> {
        let mut at = 0;
        while at < 4 {
            if !digits[at].is_ascii_digit() {
                return None;
            }
            at += 1;
        }
        Some(Self(digits))
    }

    /// The four digits, e.g. `"0200"`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("four ASCII digits are text")
    }

    pub(crate) const fn digits(self) -> [u8; 4] {
        self.0
    }

    /// What the message is about.
    pub const fn class(self) -> MtiClass {
        match self.0[1] {
            b'1' => MtiClass::Authorisation,
            b'2' => MtiClass::Financial,
            b'3' => MtiClass::FileAction,
            b'4' => MtiClass::Reversal,
            b'5' => MtiClass::Reconciliation,
            b'6' => MtiClass::Administrative,
            b'7' => MtiClass::FeeCollection,
            b'8' => MtiClass::Network,
            _ => MtiClass::Reserved,
        }
    }

    /// Whether it asks or advises (third digit even), rather than answers.
    pub const fn is_request(self) -> bool {
        (self.0[2] - b'0').is_multiple_of(2)
    }

    /// Whether it answers (third digit odd).
    pub const fn is_response(self) -> bool {
        !self.is_request()
    }

    /// Whether it says what has already happened (`xx2x`), which cannot be refused.
    pub const fn is_advice(self) -> bool {
        self.0[2] == b'2'
    }

    /// Whether it repeats an earlier message (last digit odd).
    pub const fn is_repeat(self) -> bool {
        !(self.0[3] - b'0').is_multiple_of(2)
    }

    /// Whether a refusal could leave money where it should not be: what it repeats may have been approved, what it tells of has happened,
    /// what it takes back may stand. Without an answer it comes again, or is reversed.
    pub const fn is_better_unanswered(self) -> bool {
        match self.class() {
            MtiClass::Reversal => true,
            MtiClass::Authorisation | MtiClass::Financial => self.is_advice() || self.is_repeat(),
            _ => self.is_advice(),
        }
    }

    /// The type that answers this one: 0200 and 0201 → 0210, 0420 → 0430, 0800 → 0810. A response is its own.
    pub const fn response(self) -> Self {
        let [version, class, function, origin] = self.first().0;
        let answer = if self.is_request() { function + 1 } else { function };
        Self([version, class, answer, origin])
    }

    /// This type marked as a repeat: 0200 → 0201. A repeat is its own.
    pub const fn repeat(self) -> Self {
        let [version, class, function, origin] = self.first().0;
        Self([version, class, function, origin + 1])
    }

    /// This type without the repeat mark: 0201 → 0200.
    pub const fn first(self) -> Self {
        let [version, class, function, origin] = self.0;
        Self([version, class, function, if self.is_repeat() { origin - 1 } else { origin }])
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mti(digits: &str) -> Mti {
        Mti::new(digits).unwrap()
    }

    #[test]
    fn a_response_answers_its_request_and_its_repeat() {
        for (request, response) in [
            ("0100", "0110"),
            ("0200", "0210"),
            ("0201", "0210"),
            ("0202", "0212"),
            ("0203", "0212"),
            ("0420", "0430"),
            ("0421", "0430"),
            ("0800", "0810"),
            ("0210", "0210"),
            ("9999", "9998"),
        ] {
            assert_eq!(mti(request).response().as_str(), response, "of {request}");
        }
    }

    #[test]
    fn requests_repeats_and_advices_are_told_apart() {
        assert!(mti("0200").is_request() && !mti("0200").is_repeat() && !mti("0200").is_advice());
        assert!(mti("0421").is_request() && mti("0421").is_repeat() && mti("0421").is_advice());
        assert!(mti("0210").is_response() && !mti("0210").is_request());
        assert_eq!(mti("0420").repeat(), mti("0421"));
        assert_eq!(mti("0421").repeat(), mti("0421"));
        assert_eq!(mti("0421").first(), mti("0420"));
    }

    #[test]
    fn every_four_digits_answer_themselves_without_a_panic() {
        for number in 0..10_000 {
            let mti = mti(&format!("{number:04}"));
            assert!(mti.response().is_response());
            assert!(mti.repeat().is_repeat());
            let _ = (mti.class(), mti.first());
        }
    }

    #[test]
    fn only_four_ascii_digits_are_a_type() {
        for wrong in ["", "020", "02000", "02a0", "۰۲۰۰", " 200", "-200"] {
            assert_eq!(Mti::new(wrong), None, "{wrong:?}");
        }
    }
}
