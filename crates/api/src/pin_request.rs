//! `POST /v1/pin-requests`: a payment page asks, through the router, that the card's bank sends its payer a PIN.
//!
//! The door has two stages: bytes become a JSON tree, the tree becomes domain values, and every error is named by its
//! JSON pointer. Nothing that was sent is ever repeated in an error. The PAN lives in [`Pan`] (wiped on drop) and in
//! the wiped tree; writing borrows it. Whether the asker may ask is not decided here.

use std::fmt;

use axum::http::HeaderMap;
use ramz_domain::{Pan, PayeeName, PaymentKind, Rial, limits};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    json::{ACQUIRER, Errors, Json, Object, PAN, pan, written},
    problem::Problem,
};

/// Where it is asked.
pub const PATH: &str = "/v1/pin-requests";
/// Names a request, so that it can be repeated: a UUID, scoped to the asker, kept 24 hours.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The asker's name, passed on by a router; believed only from a router's certificate.
pub const RAMZ_ASKER: &str = "ramz-asker";

/// A PIN request that is well-formed: every part is a value of the domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The card that pays.
    pub pan: Pan,
    /// What for.
    pub kind: PaymentKind,
    /// How much: zero for a balance, more for all else.
    pub amount: Rial,
    /// Who is paid, in the shape that `kind` asks for.
    pub payee: PayeeChecked,
    /// The host name of the page where the PIN will be typed, in lower case, without port.
    pub origin: String,
    /// What the asker calls the payer, so that one is told from another: nothing that says who it is.
    pub payer: Option<String>,
}

/// Who is paid, as the page knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayeeChecked {
    /// A merchant: `purchase`, `top_up`, `balance`.
    Merchant {
        /// DE32: 1 to 11 digits.
        acquirer: String,
        /// DE42: 1 to 15 printable ASCII characters.
        merchant: String,
        /// DE41: 1 to 8 printable ASCII characters.
        terminal: String,
        /// Shown to the payer.
        name: PayeeName,
    },
    /// Another card: `transfer`.
    Card {
        /// The card that is paid.
        pan: Pan,
    },
    /// A bill: `bill`.
    Bill {
        /// The bill id, 6 to 18 digits.
        bill: String,
        /// The payment id, 6 to 18 digits.
        payment: String,
    },
}

/// The answer, 202: the same for every card, known or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PinRequested {
    /// The admission's id.
    pub request: Uuid,
    /// A PIN would be good for this many seconds.
    pub valid_for_s: u32,
    /// The same card may be asked for again after this many seconds.
    pub ask_again_after_s: u32,
}

/// The wire twin of [`Checked`]. It borrows, so there is no second PAN to wipe; `Debug` masks.
#[derive(Serialize)]
pub struct PinRequest<'a> {
    pan: &'a str,
    payment: PaymentWire<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<&'a str>,
}

#[derive(Serialize)]
struct PaymentWire<'a> {
    kind: &'static str,
    amount: u64,
    payee: PayeeWire<'a>,
    origin: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PayeeWire<'a> {
    Merchant { acquirer: &'a str, merchant: &'a str, terminal: &'a str, name: &'a str },
    Card { pan: &'a str },
    Bill { bill: &'a str, payment: &'a str },
}

impl fmt::Debug for PinRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinRequest").field("kind", &self.payment.kind).finish_non_exhaustive()
    }
}

impl PinRequest<'_> {
    /// Reads a body of at most [`limits::BODY_BYTES_MAX`].
    ///
    /// # Errors
    /// `malformed` with a pointer and a sentence for every error, or `too-large`.
    pub fn parse(bytes: &[u8]) -> Result<Checked, Problem> {
        if bytes.len() > limits::BODY_BYTES_MAX {
            return Err(Problem::too_large());
        }
        let tree = Json::parse(bytes)?;
        let mut errors = Errors::default();
        let checked = read_request(&tree, &mut errors);
        errors.finish(checked)
    }
}

/// The request's key: one `Idempotency-Key` with a UUID, bare or quoted (as a string of RFC 9651).
///
/// # Errors
/// `key-missing` if there is none, more than one, or no hyphenated UUID.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Uuid, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(only), None) = (keys.next(), keys.next()) else { return Err(Problem::key_missing()) };
    let text = only.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    match Uuid::try_parse(bare) {
        Ok(key) if bare.len() == 36 => Ok(key),
        _ => Err(Problem::key_missing()),
    }
}

impl Checked {
    /// The body as it is sent. Wiped when dropped: hand it over by reference.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        written(&PinRequest {
            pan: self.pan.expose(),
            payment: PaymentWire {
                kind: self.kind.code(),
                amount: self.amount.get(),
                payee: self.payee.wire(),
                origin: &self.origin,
            },
            payer: self.payer.as_deref(),
        })
    }
}

impl PayeeChecked {
    fn wire(&self) -> PayeeWire<'_> {
        match self {
            PayeeChecked::Merchant { acquirer, merchant, terminal, name } => {
                PayeeWire::Merchant { acquirer, merchant, terminal, name: name.as_str() }
            }
            PayeeChecked::Card { pan } => PayeeWire::Card { pan: pan.expose() },
            PayeeChecked::Bill { bill, payment } => PayeeWire::Bill { bill, payment },
        }
    }
}

fn read_request(tree: &Json<'_>, errors: &mut Errors) -> Option<Checked> {
    let body = errors.object(tree, "", &["pan", "payment", "payer"])?;
    let pan = errors.text(&body, "pan", PAN, pan);
    let payer = body.get("payer").and_then(|_| errors.text(&body, "payer", PAYER, payer));
    let payment = errors.member(&body, "payment", "the payment as an object");
    let payment =
        payment.and_then(|p| errors.object(p, "/payment", &["kind", "amount", "payee", "origin"]))?;
    let kinds = PaymentKind::ALL.map(PaymentKind::code).join(", ");
    let kind = errors.text(&payment, "kind", &format!("one of {kinds}"), |text| {
        PaymentKind::parse(text).ok_or_else(String::new)
    });
    let amount = read_amount(&payment, kind, errors);
    let payee = errors
        .member(&payment, "payee", "who is paid, as an object")
        .and_then(|payee| read_payee(payee, kind, errors));
    let origin = errors.text(
        &payment,
        "origin",
        "the page's host name in lower case, without scheme or port",
        |text| {
            if is_host_name(text) { Ok(text.to_owned()) } else { Err(String::new()) }
        },
    );
    Some(Checked { pan: pan?, kind: kind?, amount: amount?, payee: payee?, origin: origin?, payer })
}

const PAYER: &str = "16 to 64 letters, digits, hyphens or underscores: a keyed hash, no address and no name";

fn payer(text: &str) -> Result<String, String> {
    let fits = (limits::PAYER_CHARS_MIN..=limits::PAYER_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if fits { Ok(text.to_owned()) } else { Err(String::new()) }
}

/// Zero is for a balance only, and a balance has nothing else.
fn read_amount(payment: &Object<'_>, kind: Option<PaymentKind>, errors: &mut Errors) -> Option<Rial> {
    let expect = match kind {
        Some(PaymentKind::Balance) => "0: a balance has no amount",
        Some(_) => "the amount in rial, a whole number from 1 to 999999999999",
        None => "the amount in rial, a whole number from 0 to 999999999999",
    };
    errors.whole(payment, "amount", expect, |number| {
        let amount = Rial::new(number).ok()?;
        let fits = kind.is_none_or(|kind| (kind == PaymentKind::Balance) == (amount == Rial::ZERO));
        fits.then_some(amount)
    })
}

/// Without a kind, the members tell which shape was meant.
fn read_payee(payee: &Json<'_>, kind: Option<PaymentKind>, errors: &mut Errors) -> Option<PayeeChecked> {
    const AT: &str = "/payment/payee";
    let has =
        |name: &str| matches!(payee, Json::Object(members) if members.iter().any(|(n, _)| **n == *name));
    let shape = kind.unwrap_or(match () {
        () if has("pan") => PaymentKind::Transfer,
        () if has("bill") => PaymentKind::Bill,
        () => PaymentKind::Purchase,
    });
    match shape {
        PaymentKind::Transfer => {
            let object = errors.object(payee, AT, &["pan"])?;
            Some(PayeeChecked::Card { pan: errors.text(&object, "pan", PAN, pan)? })
        }
        PaymentKind::Bill => {
            let object = errors.object(payee, AT, &["bill", "payment"])?;
            let bill = errors.digits(&object, "bill", "the bill id as a string of 6 to 18 digits", 6..=18);
            let payment =
                errors.digits(&object, "payment", "the payment id as a string of 6 to 18 digits", 6..=18);
            Some(PayeeChecked::Bill { bill: bill?, payment: payment? })
        }
        PaymentKind::Purchase | PaymentKind::TopUp | PaymentKind::Balance => {
            let object = errors.object(payee, AT, &["acquirer", "merchant", "terminal", "name"])?;
            let acquirer = errors.digits(&object, "acquirer", ACQUIRER, 1..=11);
            let expect = "the merchant's code (DE42): 1 to 15 ASCII characters";
            let merchant = errors.printable(&object, "merchant", expect, 15);
            let expect = "the terminal's code (DE41): 1 to 8 ASCII characters";
            let terminal = errors.printable(&object, "terminal", expect, 8);
            let name = errors.text(&object, "name", "the name that the payer knows the payee by", |text| {
                PayeeName::parse(text).map_err(|e| e.to_string())
            });
            Some(PayeeChecked::Merchant {
                acquirer: acquirer?,
                merchant: merchant?,
                terminal: terminal?,
                name: name?,
            })
        }
    }
}

/// Labels of letters, digits and inner hyphens (RFC 1123, section 2.1), lower case, at most 253 characters in all.
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= limits::ORIGIN_CHARS_MAX && text.split('.').all(label)
}

#[cfg(test)]
mod tests;
