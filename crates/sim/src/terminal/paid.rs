//! The messages of a payment (ISO 8583:1987): the 0200 that is made, the 0420 that undoes it, and what is told of the 0210.

use std::fmt;

use ramz_domain::{Language, Moment, RIAL_NUMERIC_CODE, is_approval};
use ramz_iso8583::{Message, Mti, de48};
use ramz_keys::PinBlock;
use ramz_link::Civil;
use serde::Serialize;
use zeroize::Zeroize;

use super::message::{Stamp, begun, opened, text};
use super::{Identity, Paying, Session, Unreadable, reason};

/// What a payment, its answer and its reversal carry besides the fields of a service: for a layout to be tried with.
pub const CARRIED_BY_PAYMENTS: &[(u8, &[u8])] = &[
    (4, b"000000500000"),
    (54, b"0001364C0000100000000002364C000010000000"),
    (90, b"020000000111240155090058167206100000000000"),
];

/// Fields that a reversal repeats of its original.
const REPEATED: [u8; 12] = [2, 3, 4, 12, 13, 18, 22, 32, 37, 41, 42, 49];
/// Done; a duplicate of what was done.
const ACKNOWLEDGED: [&str; 2] = ["00", "94"];
/// Field 54: characters of one amount, and the amount type that is available.
const AMOUNT_CHARS: usize = 20;
const AVAILABLE: &str = "02";

const UNDONE: &str =
    "There is no clear answer from the card's bank. Nothing was taken: the payment is reversed.";
const NOT_UNDONE: &str = "There is no clear answer from the card's bank, and it has not acknowledged the reversal: if the amount was taken, it is given back later.";
const NOT_TOLD: &str = "The card's bank does not answer. Nothing was taken.";

/// A 0200.
pub(super) fn request(
    identity: &Identity,
    session: &Session,
    paying: Paying,
    block: &PinBlock,
    stamp: &Stamp,
) -> Message {
    let mut message = begun(Mti::FINANCIAL, paying.payment.code(), identity, session, stamp);
    message.set(4, paying.amount.de4());
    message.set(52, block.bytes.to_vec());
    message
}

/// The 0420 that undoes it, as it is sent now; `again`: 0421. The trace number is its own, the same each time.
pub(super) fn reversal(of: &Message, stan: &str, again: bool, now: Moment) -> Message {
    let first = Mti::REVERSAL_ADVICE;
    let mut message = Message::new(if again { first.repeat() } else { first });
    for field in REPEATED {
        if let Some(value) = of.bytes(field) {
            message.set(field, value);
        }
    }
    message.set(7, Civil::utc(now).mmddhhmmss());
    message.set(11, stan);
    // Original data elements: type, STAN, transmission time, acquirer, forwarder (none).
    let part = |field: u8| of.get(field).unwrap_or_default();
    message
        .set(90, format!("{}{:0>6}{:0>10}{:0>11}{:0>11}", of.mti().first(), part(11), part(7), part(32), ""));
    message
}

/// Whether an answer to a reversal says that nothing is left to undo.
pub(super) fn acknowledges(answer: &Message) -> bool {
    answer.get(39).is_some_and(|code| ACKNOWLEDGED.contains(&code))
}

/// What became of a payment. Wiped on drop; `Debug` shows code and refusal.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Paid {
    /// Field 39. `None`: there was no answer, or none that is a clear yes or no.
    pub response_code: Option<String>,
    /// The same in words.
    pub reason: &'static str,
    /// Text for the screen.
    pub show: Option<String>,
    /// Why not: the bank's stable code.
    pub refusal: Option<String>,
    /// The reference number, field 37.
    pub rrn: String,
    /// Rial; 0 for a balance.
    pub amount: u64,
    /// What is available on the card, rial, if the bank says so; less than nothing is a debt.
    pub balance: Option<i64>,
    /// Without an answer: what became of the reversal. A balance has none.
    pub reversal: Option<Reversal>,
}

/// Whether the bank knows that a payment without an answer is undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversal {
    /// It has acknowledged it.
    Acknowledged,
    /// It has not yet: the machine goes on telling it, as long as its process runs.
    Pending,
}

impl Paid {
    /// Reads a 0210.
    pub(super) fn read(message: &Message, rrn: &str, paying: Paying) -> Result<Paid, Unreadable> {
        let (code, tags) = opened(message)?;
        if paying.payment.moves_money() && !is_clear(code, message.get(4), paying) {
            return Err(Unreadable::Otherwise);
        }
        Ok(Paid {
            response_code: Some(code.to_owned()),
            reason: reason(code, Language::English),
            show: text(&tags, de48::SHOW),
            refusal: text(&tags, de48::REFUSAL),
            rrn: rrn.to_owned(),
            amount: paying.amount.get(),
            balance: message.get(54).and_then(available),
            reversal: None,
        })
    }

    /// No answer.
    pub(super) fn silence(rrn: &str, paying: Paying, reversal: Option<Reversal>) -> Paid {
        let reason = match reversal {
            Some(Reversal::Acknowledged) => UNDONE,
            Some(Reversal::Pending) => NOT_UNDONE,
            None => NOT_TOLD,
        };
        let (rrn, amount) = (rrn.to_owned(), paying.amount.get());
        Paid { response_code: None, reason, show: None, refusal: None, rrn, amount, balance: None, reversal }
    }

    /// Whether it is paid.
    pub fn is_done(&self) -> bool {
        self.response_code.as_deref() == Some("00")
    }
}

impl fmt::Debug for Paid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, refusal) = (self.response_code.as_deref(), self.refusal.as_deref());
        write!(f, "Paid({} {} {:?})", code.unwrap_or("-"), refusal.unwrap_or("-"), self.reversal)
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        self.show.zeroize();
        self.balance.zeroize();
        self.amount.zeroize();
    }
}

/// Whether it is a yes to the very payment, or a no. What was approved in part or otherwise has taken money, and 68 may have.
fn is_clear(code: &str, amount: Option<&str>, paying: Paying) -> bool {
    match code {
        "00" => amount.is_none_or(|amount| amount == paying.amount.de4()),
        code => code != "68" && !is_approval(code),
    }
}

/// The available balance of a field 54: account type 2, amount type 2, currency 3, `C` or `D`, amount 12; and the next.
fn available(field: &str) -> Option<i64> {
    let rial = |amount: &str| {
        let is_it = amount.get(2..4)? == AVAILABLE && amount.get(4..7)? == RIAL_NUMERIC_CODE;
        let digits = amount.get(8..).filter(|digits| is_it && digits.bytes().all(|b| b.is_ascii_digit()))?;
        let rial: i64 = digits.parse().ok()?;
        match amount.get(7..8)? {
            "C" => Some(rial),
            "D" => Some(-rial),
            _ => None,
        }
    };
    let amounts = (0..field.len() / AMOUNT_CHARS).map(|at| at * AMOUNT_CHARS);
    amounts.filter_map(|at| field.get(at..at + AMOUNT_CHARS)).find_map(rial)
}

#[cfg(test)]
mod tests {
    use ramz_iso8583::{Layout, decode, encode};
    use ramz_keys::PinBlockFormat;
    use zeroize::Zeroizing;

    use super::super::{Machine, Payment, Typed};
    use super::*;

    const RRN: &str = "406100000001";

    fn paying(machine: Machine, payment: Payment, amount: Option<u64>) -> Paying {
        Paying::new(machine, payment, amount).unwrap()
    }

    fn made(machine: Machine, paying: Paying) -> Message {
        let identity = Identity {
            machine,
            acquirer: "581672061".into(),
            terminal: "3001".into(),
            merchant: "6104330003".into(),
        };
        let session = Session::read(&Typed::new("6104337000000016", Some("0712"), "1234567")).ok().unwrap();
        let block = PinBlock { format: PinBlockFormat::Iso0, bytes: Zeroizing::new(vec![0xAB; 8]) };
        let now = Moment::from_unix_ms(1_709_238_600_000);
        request(&identity, &session, paying, &block, &Stamp { stan: "000007".into(), rrn: RRN.into(), now })
    }

    #[test]
    fn each_payment_says_what_it_is_and_fits_both_layouts() {
        for (machine, payment, amount, code, de4, category) in [
            (Machine::Atm, Payment::Withdrawal, Some(20_000_000), "010000", "000020000000", "6011"),
            (Machine::Atm, Payment::Balance, None, "310000", "000000000000", "6011"),
            (Machine::Pos, Payment::Purchase, Some(999_999_999_999), "000000", "999999999999", "5411"),
        ] {
            let message = made(machine, paying(machine, payment, amount));
            let undone = reversal(&message, "000008", false, Moment::from_unix_ms(1_709_238_612_000));
            for layout in ["ascii", "bcd"] {
                let layout = Layout::named(layout).unwrap();
                for message in [&message, &undone] {
                    assert_eq!(&decode(&layout, &encode(&layout, message).unwrap()).unwrap(), message);
                }
            }
            for (field, expect) in [
                (2, "6104337000000016"),
                (3, code),
                (4, de4),
                (7, "0229203000"),
                (11, "000007"),
                (12, "000000"),
                (13, "0301"),
                (14, "0712"),
                (18, category),
                (22, "051"),
                (32, "581672061"),
                (37, RRN),
                (41, "3001    "),
                (42, "6104330003     "),
                (49, "364"),
            ] {
                assert_eq!(message.get(field), Some(expect), "field {field}");
            }
            assert_eq!((message.mti().as_str(), message.bytes(52)), ("0200", Some(&[0xAB; 8][..])));
            assert!(!message.has(35) && !message.has(48));
        }
    }

    #[test]
    fn a_reversal_names_its_original_and_has_no_pin() {
        let original = made(Machine::Pos, paying(Machine::Pos, Payment::Purchase, Some(12_345)));
        let now = Moment::from_unix_ms(1_709_238_612_000);
        let (first, second) =
            (reversal(&original, "000008", false, now), reversal(&original, "000008", true, now));
        assert_eq!((first.mti().as_str(), second.mti().as_str()), ("0420", "0421"));
        assert_eq!(first.get(90), Some("0200000007022920300000581672061\u{30}0000000000"));
        for message in [&first, &second] {
            assert_eq!((message.get(7), message.get(11)), (Some("0229203012"), Some("000008")));
            assert!(!message.has(52) && !message.has(14));
            for field in REPEATED {
                assert_eq!(message.get(field), original.get(field), "field {field}");
            }
        }
    }

    #[test]
    fn an_answer_tells_its_code_the_balance_and_why_not() {
        let paying = paying(Machine::Atm, Payment::Balance, None);
        let answer = |fields: &[(u8, &str)]| {
            let mut message = Message::new(Mti::FINANCIAL.response());
            fields.iter().for_each(|(field, value)| message.set(*field, *value));
            Paid::read(&message, RRN, paying)
        };
        let told = answer(&[(39, "00"), (54, "0001364C0000100000000002364C000010000000")]).unwrap();
        assert!(told.is_done() && told.balance == Some(10_000_000) && told.reason == "Done.");
        for (field, expect) in [
            ("0002364D000000000005", Some(-5)),
            ("0001364C000000000005", None),
            ("0002840C000000000005", None),
            ("0002364C00000000000", None),
            ("0002364C00000000000x", None),
            ("مانده مانده مانده مانده", None),
        ] {
            assert_eq!(answer(&[(39, "00"), (54, field)]).unwrap().balance, expect, "{field}");
        }
        let told = answer(&[(39, "61"), (48, "10006سقف15012over_ceiling")]).unwrap();
        assert!(!told.is_done());
        assert_eq!((told.show.as_deref(), told.refusal.as_deref()), (Some("سقف"), Some("over_ceiling")));
        assert_eq!(format!("{told:?}"), "Paid(61 over_ceiling None)");
        assert_eq!(answer(&[]), Err(Unreadable::NoCode));
        assert!(matches!(answer(&[(39, "00"), (48, "1")]), Err(Unreadable::Tags(_))));
    }
}
