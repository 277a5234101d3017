//! `POST /v1/verifications`: a bank whose switch calls a service has a PIN checked, and spent, over HTTP.
//!
//! The card's part of an authorisation as JSON: same identity, same content, same answers as over ISO 8583. A PIN in the clear
//! is taken at this door only, from a verifier's certificate; it is wiped when dropped, and no error repeats what was
//! sent. Not here: who may ask, and what is decided.

use std::fmt;

use ramz_domain::{Pan, PaymentKind, Pin, Rial};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::json::{ACQUIRER, EXPIRY, Errors, Json, Object, PAN, expiry, pan};
use crate::problem::Problem;

/// Where a PIN is verified.
pub const PATH: &str = "/v1/verifications";
/// Where what became of its payment is reported.
pub const OUTCOME_PATH: &str = "/v1/verifications/{verification}/outcome";

/// A verification that is well-formed.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The card that pays.
    pub pan: Pan,
    /// `YYMM`, as the card shows it.
    pub expiry: [u8; 4],
    /// The PIN that was presented.
    pub pin: Presented,
    /// What for.
    pub kind: PaymentKind,
    /// How much: zero for a balance, more for all else.
    pub amount: Rial,
    /// Who is paid: only what binds.
    pub payee: Payee,
    /// What makes it this transaction.
    pub transaction: Transaction,
}

/// A PIN as the verifier has it. Not printable.
#[derive(Clone)]
pub enum Presented {
    /// In the clear, over mutual TLS.
    Pin(Pin),
    /// As it came from the acquirer.
    Block {
        /// ISO 9564-1 format.
        format: u8,
        /// The zone whose key it is under.
        zone: String,
        /// The block.
        bytes: Zeroizing<Vec<u8>>,
    },
}

/// Who is paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payee {
    /// `purchase`, `top_up`, `balance`.
    Merchant {
        /// DE32.
        acquirer: String,
        /// DE42.
        merchant: String,
    },
    /// `transfer`.
    Card {
        /// The card that is paid.
        pan: Pan,
    },
    /// `bill`.
    Bill {
        /// The bill id.
        bill: String,
        /// The payment id.
        payment: String,
    },
}

/// What makes a verification this one: repeated, it gets the same answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// DE11, six digits.
    pub stan: String,
    /// DE37, at most twelve letters and digits.
    pub rrn: String,
    /// DE32.
    pub acquirer: String,
    /// DE41.
    pub terminal: String,
    /// Local date and time at the terminal, `YYYY-MM-DDThh:mm:ss`.
    pub local_time: String,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verified {
    /// Names it, for its outcome.
    pub verification: Uuid,
    /// What is said of the PIN.
    pub verdict: Verdict,
    /// Why it was refused: the stable code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<String>,
    /// As over ISO 8583.
    pub response_code: String,
}

/// What is said of a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was right, and is spent.
    Approved,
    /// It is no dynamic PIN, and a static one may be used for so much: whoever asks checks it, and reports the outcome.
    Static,
    /// It was not, or is not to be used.
    Refused,
}

/// What became of the payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentOutcome {
    /// It was made.
    Approved,
    /// It was not. After `static` this says nothing for the PIN: the try stays.
    Declined,
    /// The static PIN was wrong.
    WrongPin,
    /// It was taken back.
    Reversed,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Presented::Pin(_) => "Pin",
            Presented::Block { .. } => "Block",
        })
    }
}

impl fmt::Display for PaymentOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PaymentOutcome::Approved => "approved",
            PaymentOutcome::Declined => "declined",
            PaymentOutcome::WrongPin => "wrong_pin",
            PaymentOutcome::Reversed => "reversed",
        })
    }
}

impl Verification {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Verification, Problem> {
        let tree = Json::parse(bytes)?;
        let mut errors = Errors::default();
        let read = read(&tree, &mut errors);
        errors.finish(read)
    }
}

impl PaymentOutcome {
    /// Reads `{ "outcome" }`.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<PaymentOutcome, Problem> {
        let tree = Json::parse(bytes)?;
        let mut errors = Errors::default();
        let object = errors.object(&tree, "", &["outcome"]);
        let outcome = object.and_then(|object| {
            errors.text(&object, "outcome", "approved, declined, wrong_pin or reversed", |text| match text {
                "approved" => Ok(PaymentOutcome::Approved),
                "declined" => Ok(PaymentOutcome::Declined),
                "wrong_pin" => Ok(PaymentOutcome::WrongPin),
                "reversed" => Ok(PaymentOutcome::Reversed),
                _ => Err(String::new()),
            })
        });
        errors.finish(outcome)
    }
}

/// Of a verification.
pub(crate) const MEMBERS: [&str; 7] = ["pan", "expiry", "slot", "pin", "pin_block", "payment", "transaction"];
const MERCHANT: [&str; 4] = ["acquirer", "merchant", "terminal", "name"];
const BILL: &str = "6 to 18 digits, as a string";
const LOCAL_TIME: &str = "local date and time at the terminal, YYYY-MM-DDThh:mm:ss";

fn read(tree: &Json<'_>, errors: &mut Errors) -> Option<Verification> {
    let body = errors.object(tree, "", &MEMBERS)?;
    let pan = errors.text(&body, "pan", PAN, pan);
    let expiry = errors.text(&body, "expiry", EXPIRY, expiry);
    let slot = errors.text(&body, "slot", "second: the first PIN is not verified here yet", |text| {
        if text == "second" { Ok(()) } else { Err(String::new()) }
    });
    let pin = read_pin(&body, errors);
    let payment = errors.member(&body, "payment", "the payment as an object");
    let payment = payment.and_then(|p| errors.object(p, "/payment", &["kind", "amount", "payee", "origin"]));
    let payment = payment.and_then(|payment| read_payment(&payment, errors));
    let transaction = errors.member(&body, "transaction", "the transaction as an object");
    let transaction = transaction.and_then(|tree| read_transaction(tree, errors));
    slot?;
    let (kind, amount, payee) = payment?;
    Some(Verification {
        pan: pan?,
        expiry: expiry?,
        pin: pin?,
        kind,
        amount,
        payee,
        transaction: transaction?,
    })
}

fn read_pin(body: &Object<'_>, errors: &mut Errors) -> Option<Presented> {
    match (body.get("pin"), body.get("pin_block")) {
        (Some(_), None) => {
            let pin = errors.text(body, "pin", "the PIN as a string of 4 to 12 Latin digits", |text| {
                Pin::parse(text).map_err(|_| String::new())
            });
            pin.map(Presented::Pin)
        }
        (None, Some(block)) => {
            let block = errors.object(block, "/pin_block", &["format", "zone", "hex"])?;
            let format = errors.whole(&block, "format", "the format of ISO 9564-1: 0, 3 or 4", |number| {
                u8::try_from(number).ok().filter(|format| matches!(format, 0 | 3 | 4))
            });
            let zone = errors.printable(&block, "zone", "the zone that is registered for you", 64);
            let hex = "the PIN block as 16 (formats 0 and 3) or 32 (format 4) hexadecimal digits";
            let bytes = errors.text(&block, "hex", hex, |text| unhex(text).ok_or_else(String::new));
            if let (Some(format), Some(bytes)) = (format, &bytes)
                && bytes.len() != if format == 4 { 16 } else { 8 }
            {
                errors.add("/pin_block/hex", format!("write {hex}"));
            }
            Some(Presented::Block { format: format?, zone: zone?, bytes: bytes? })
        }
        _ => {
            errors.add("/pin", "write either pin or pin_block");
            None
        }
    }
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !matches!(text.len(), 16 | 32) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(16));
    for pair in text.as_bytes().chunks_exact(2) {
        bytes.push(digit(pair[0])? << 4 | digit(pair[1])?);
    }
    Some(bytes)
}

fn read_payment(payment: &Object<'_>, errors: &mut Errors) -> Option<(PaymentKind, Rial, Payee)> {
    let kinds = PaymentKind::ALL.map(PaymentKind::code).join(", ");
    let kind = errors.text(payment, "kind", &format!("one of {kinds}"), |text| {
        PaymentKind::parse(text).ok_or_else(String::new)
    })?;
    let balance = kind == PaymentKind::Balance;
    let expect =
        if balance { "0: a balance has no amount" } else { "the amount in rial, from 1 to 999999999999" };
    let amount = errors.whole(payment, "amount", expect, |number| {
        Rial::new(number).ok().filter(|amount| (*amount == Rial::ZERO) == balance)
    });
    let payee = errors.member(payment, "payee", "who is paid, as an object");
    let payee = payee.and_then(|payee| read_payee(payee, kind, errors));
    Some((kind, amount?, payee?))
}

/// Name and terminal may be there, as in a PIN request; they do not bind, and are not looked at.
fn read_payee(payee: &Json<'_>, kind: PaymentKind, errors: &mut Errors) -> Option<Payee> {
    const AT: &str = "/payment/payee";
    match kind {
        PaymentKind::Transfer => {
            let object = errors.object(payee, AT, &["pan"])?;
            Some(Payee::Card { pan: errors.text(&object, "pan", PAN, pan)? })
        }
        PaymentKind::Bill => {
            let object = errors.object(payee, AT, &["bill", "payment"])?;
            let bill = errors.digits(&object, "bill", BILL, 6..=18);
            let payment = errors.digits(&object, "payment", BILL, 6..=18);
            Some(Payee::Bill { bill: bill?, payment: payment? })
        }
        PaymentKind::Purchase | PaymentKind::TopUp | PaymentKind::Balance => {
            let object = errors.object(payee, AT, &MERCHANT)?;
            let acquirer = errors.digits(&object, "acquirer", ACQUIRER, 1..=11);
            let merchant =
                errors.printable(&object, "merchant", "the merchant's code (DE42): 1 to 15 characters", 15);
            Some(Payee::Merchant { acquirer: acquirer?, merchant: merchant? })
        }
    }
}

fn read_transaction(tree: &Json<'_>, errors: &mut Errors) -> Option<Transaction> {
    let members = ["stan", "rrn", "acquirer", "terminal", "local_time"];
    let object = errors.object(tree, "/transaction", &members)?;
    let stan = errors.digits(&object, "stan", "the trace number (DE11): six digits", 6..=6);
    let rrn = errors.printable(&object, "rrn", "the retrieval reference (DE37): at most 12 characters", 12);
    let acquirer = errors.digits(&object, "acquirer", ACQUIRER, 1..=11);
    let terminal = errors.printable(&object, "terminal", "the terminal's code (DE41): 1 to 8 characters", 8);
    let local_time = errors.text(&object, "local_time", LOCAL_TIME, |text| {
        if is_local_time(text) { Ok(text.to_owned()) } else { Err(String::new()) }
    });
    Some(Transaction {
        stan: stan?,
        rrn: rrn?,
        acquirer: acquirer?,
        terminal: terminal?,
        local_time: local_time?,
    })
}

fn is_local_time(text: &str) -> bool {
    let shape = text.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
    let within = |part: Option<&str>, least: u8, most: u8| {
        part.and_then(|part| part.parse().ok()).is_some_and(|n: u8| (least..=most).contains(&n))
    };
    shape.eq(*b"0000-00-00T00:00:00")
        && within(text.get(5..7), 1, 12)
        && within(text.get(8..10), 1, 31)
        && within(text.get(11..13), 0, 23)
        && within(text.get(14..16), 0, 59)
        && within(text.get(17..19), 0, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"pan":"6104337000000016","expiry":"2911","slot":"second","pin":"0472013",
        "payment":{"kind":"purchase","amount":1250000,"payee":{"acquirer":"581672061","merchant":"140332124"}},
        "transaction":{"stan":"000007","rrn":"406100000001","acquirer":"581672061","terminal":"14033212",
        "local_time":"2026-11-24T05:22:44"}}"#;
    const BLOCK: &str = r#""pin_block":{"format":0,"zone":"core","hex":"0123456789ABCDEF"}"#;

    fn pointers(json: &str) -> Vec<String> {
        let found = Verification::parse(json.as_bytes());
        found.map_or_else(|p| p.errors.into_iter().map(|e| e.pointer).collect(), |_| Vec::new())
    }

    #[test]
    fn a_verification_is_read_and_hides_its_secrets() {
        let with_block = WHOLE.replace(r#""pin":"0472013""#, BLOCK);
        for json in [WHOLE, with_block.as_str()] {
            let read = Verification::parse(json.as_bytes()).unwrap();
            let shown = format!("{read:?}");
            assert!(!shown.contains("0472013") && !shown.contains("610433700000"), "{shown}");
        }
    }

    #[test]
    fn a_pin_block_does_not_print() {
        let read = Verification::parse(WHOLE.replace(r#""pin":"0472013""#, BLOCK).as_bytes()).unwrap();
        let shown = format!("{:?}", read.pin);
        assert!(!shown.contains("35") && !shown.contains("0x23") && !shown.contains("239"), "{shown}");
    }

    #[test]
    fn every_field_that_is_misused_is_named() {
        for (from, to, at) in [
            ("6104337000000016", "6104337000000017", "/pan"),
            (r#""2911""#, r#""2913""#, "/expiry"),
            (r#""second""#, r#""first""#, "/slot"),
            ("0472013", "047", "/pin"),
            ("0472013", "۰۴۷۲۰۱۳", "/pin"),
            ("purchase", "gift", "/payment/kind"),
            ("1250000", "0", "/payment/amount"),
            ("1250000", "1.5", "/payment/amount"),
            (r#""merchant":"140332124""#, r#""merchant":"""#, "/payment/payee/merchant"),
            (r#""stan":"000007""#, r#""stan":"7""#, "/transaction/stan"),
            ("406100000001", "4061000000012", "/transaction/rrn"),
            (r#""terminal":"14033212""#, r#""terminal":"140332121""#, "/transaction/terminal"),
            ("2026-11-24T05:22:44", "2026-13-24T05:22:44", "/transaction/local_time"),
            ("2026-11-24T05:22:44", "2026-11-24 05:22:44", "/transaction/local_time"),
            (r#""slot""#, r#""slott""#, "/slott"),
        ] {
            let found = pointers(&WHOLE.replacen(from, to, 1));
            assert_eq!(found.first().map(String::as_str), Some(at), "{to}");
        }
        for (hex, format, at) in [
            ("0123456789ABCDEF", 4, "/pin_block/hex"),
            ("0123456789ABCDEF0123456789ABCDEF", 0, "/pin_block/hex"),
            ("0123456789ABCDEX", 0, "/pin_block/hex"),
            ("0123456789ABCDEF", 1, "/pin_block/format"),
        ] {
            let block = format!(r#""pin_block":{{"format":{format},"zone":"core","hex":"{hex}"}}"#);
            assert_eq!(pointers(&WHOLE.replace(r#""pin":"0472013""#, &block)), [at]);
        }
        assert_eq!(pointers(&WHOLE.replace(r#""pin""#, &format!("{BLOCK},\"pin\""))), ["/pin"]);
        assert_eq!(pointers("{}").len(), 6);
    }

    #[test]
    fn no_error_repeats_a_secret() {
        let bad = WHOLE.replace("0472013", "0472013047201304").replace("2911", "6104");
        let problem = Verification::parse(bad.as_bytes()).unwrap_err();
        let told = String::from_utf8(problem.to_json()).unwrap();
        assert!(!told.contains("0472013") && !told.contains("610433"), "{told}");
    }

    #[test]
    fn outcomes_are_read() {
        assert_eq!(PaymentOutcome::parse(br#"{"outcome":"declined"}"#).unwrap(), PaymentOutcome::Declined);
        for bad in [&b"{}"[..], br#"{"outcome":"lost"}"#, br#"{"outcome":"approved","amount":1}"#, b"x"] {
            assert!(PaymentOutcome::parse(bad).is_err());
        }
    }
}
