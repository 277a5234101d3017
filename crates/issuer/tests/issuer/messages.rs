//! What is asked for, once as a page asks for its PIN and once as the switch brings its payment; and reversals.

use std::sync::atomic::{AtomicU32, Ordering};

use ramz_domain::{Pan, Pin, check_digit};
use ramz_iso8583::de48::{BILL, BILL_PAYMENT, REFUSAL, Tags};
use ramz_iso8583::{Message, Mti, de48};
use ramz_keys::{Keys, PinBlockFormat, SoftKeys};

pub(crate) const IIN: &str = "610433";
pub(crate) const ACQUIRER: &str = "581672061";
pub(crate) const MERCHANT: &str = "000000140332124";
pub(crate) const TERMINAL: &str = "14033212";
pub(crate) const EXPIRY: &str = "2911";

/// The bank's card number `n`.
pub(crate) fn pan(n: u32) -> String {
    let body = format!("{IIN}700{n:06}");
    format!("{body}{}", check_digit(&body))
}

/// The mobile of card `n`, as the operator is given it.
pub(crate) fn phone(n: u32) -> String {
    format!("98912{:07}", 7_310_000 + n)
}

/// A payment somebody wants to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: &'static str,
    pub(crate) amount: u64,
    pub(crate) merchant: &'static str,
    pub(crate) to: String,
    pub(crate) bill: (&'static str, &'static str),
}

impl Wish {
    pub(crate) fn purchase(amount: u64) -> Wish {
        Wish {
            kind: "purchase",
            amount,
            merchant: MERCHANT,
            to: pan(900),
            bill: ("1234567890123", "9876543210"),
        }
    }

    pub(crate) fn of(self, kind: &'static str) -> Wish {
        Wish { kind, ..self }
    }

    pub(crate) fn at(self, merchant: &'static str) -> Wish {
        Wish { merchant, ..self }
    }

    /// The body of a PIN request.
    pub(crate) fn json(&self, pan: &str) -> String {
        let payee = match self.kind {
            "transfer" => format!(r#"{{"pan":"{}"}}"#, self.to),
            "bill" => format!(r#"{{"bill":"{}","payment":"{}"}}"#, self.bill.0, self.bill.1),
            _ => format!(
                r#"{{"acquirer":"{ACQUIRER}","merchant":"{}","terminal":"{TERMINAL}","name":"فروشگاه نمونه"}}"#,
                self.merchant
            ),
        };
        let (kind, amount) = (self.kind, self.amount);
        format!(
            r#"{{"pan":"{pan}","payment":{{"kind":"{kind}","amount":{amount},"payee":{payee},"origin":"pay.example"}}}}"#
        )
    }

    /// The payment as a 0200 of a web shop, with a trace number of its own and without a PIN.
    pub(crate) fn message(&self, pan: &str) -> Message {
        static TRACE: AtomicU32 = AtomicU32::new(1);
        let trace = TRACE.fetch_add(1, Ordering::SeqCst);
        let code = match self.kind {
            "purchase" => "000000",
            "withdrawal" => "010000",
            "balance" => "310000",
            "transfer" => "400000",
            "bill" => "500000",
            "top_up" => "510000",
            other => panic!("no such kind: {other}"),
        };
        let mut message = Message::new(Mti::FINANCIAL);
        for (field, value) in [
            (2, pan),
            (3, code),
            (4, &format!("{:012}", self.amount)),
            (7, "1124015244"),
            (11, &format!("{:06}", trace % 1_000_000)),
            (12, "052244"),
            (13, "1124"),
            (14, EXPIRY),
            (18, "5411"),
            (22, "812"),
            (25, "59"),
            (32, ACQUIRER),
            (37, &format!("{trace:012}")),
            (41, TERMINAL),
            (42, self.merchant),
            (49, "364"),
        ] {
            message.set(field, value);
        }
        match self.kind {
            "transfer" => message.set(103, self.to.as_str()),
            "bill" => {
                set_tag(&mut message, BILL, self.bill.0);
                set_tag(&mut message, BILL_PAYMENT, self.bill.1);
            }
            _ => {}
        }
        message
    }
}

/// Sets a tag of field 48.
pub(crate) fn set_tag(message: &mut Message, tag: &str, value: &str) {
    let mut tags = de48::of(message).unwrap();
    tags.set(tag, value);
    tags.put_into(message).unwrap();
}

/// Puts a PIN's block into field 52.
pub(crate) fn set_pin(message: &mut Message, pin: &str, keys: &SoftKeys) {
    let (pin, pan) = (Pin::parse(pin).unwrap(), Pan::parse(message.get(2).unwrap()).unwrap());
    let block = keys.make_pin_block(&pin, &pan, "switch", PinBlockFormat::Iso0).unwrap();
    message.set(52, block.bytes.as_slice());
}

/// The same transaction again, as a 0201.
pub(crate) fn repeated(message: &Message) -> Message {
    let mut again = message.clone();
    again.set_mti(message.mti().repeat());
    again
}

/// A reversal that names its original by field 90.
pub(crate) fn reversal(of: &Message) -> Message {
    let mut message = bare_reversal(of);
    let part = |field: u8| of.get(field).unwrap();
    message.set(90, format!("{}{}{}{:0>11}{:0>11}", of.mti().first(), part(11), part(7), part(32), ""));
    message
}

/// A reversal that names its original by fields 37 and 41.
pub(crate) fn reversal_by_reference(of: &Message) -> Message {
    let mut message = bare_reversal(of);
    message.set(37, of.bytes(37).unwrap());
    message
}

fn bare_reversal(of: &Message) -> Message {
    static TRACE: AtomicU32 = AtomicU32::new(500_000);
    let mut message = Message::new(Mti::REVERSAL_ADVICE);
    for field in [2, 3, 4, 32, 41, 42, 49] {
        message.set(field, of.bytes(field).unwrap());
    }
    message.set(7, "1124015309");
    message.set(11, format!("{:06}", TRACE.fetch_add(1, Ordering::SeqCst) % 1_000_000));
    message
}

/// Field 39.
pub(crate) fn code(answer: &Message) -> String {
    answer.get(39).unwrap_or("none").to_owned()
}

/// Field 39, and field 48 tag 15: which refusal it was.
pub(crate) fn refusal(answer: &Message) -> (String, String) {
    let tags = de48::of(answer).unwrap_or_else(|_| Tags::new());
    (code(answer), tags.get(REFUSAL).unwrap_or("").to_owned())
}
