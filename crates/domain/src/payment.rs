//! The payment a PIN is bound to, in one canonical form.
//!
//! What binds: kind ‖ amount ‖ payee, every part length-prefixed, hashed. The payee's name, the terminal and
//! the page's origin are shown but do not bind: they are not in the authorisation message, or not reliably.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use crate::{Language, Rial, limits};

/// What a payment is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum PaymentKind {
    /// Goods or services of a merchant (DE3 `00`).
    #[n(0)]
    Purchase,
    /// Money to another card (DE3 `40`).
    #[n(1)]
    Transfer,
    /// A utility bill (DE3 `50`).
    #[n(2)]
    Bill,
    /// Mobile credit (DE3 `51`).
    #[n(3)]
    TopUp,
    /// A question about the balance (DE3 `31`).
    #[n(4)]
    Balance,
}

impl PaymentKind {
    /// All kinds.
    pub const ALL: [PaymentKind; 5] = [
        PaymentKind::Purchase,
        PaymentKind::Transfer,
        PaymentKind::Bill,
        PaymentKind::TopUp,
        PaymentKind::Balance,
    ];

    /// The word used in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            PaymentKind::Purchase => "purchase",
            PaymentKind::Transfer => "transfer",
            PaymentKind::Bill => "bill",
            PaymentKind::TopUp => "top_up",
            PaymentKind::Balance => "balance",
        }
    }

    /// Reads the word used in JSON.
    pub fn parse(code: &str) -> Option<PaymentKind> {
        PaymentKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The first two digits of DE3.
    pub const fn processing_code(self) -> &'static str {
        match self {
            PaymentKind::Purchase => "00",
            PaymentKind::Transfer => "40",
            PaymentKind::Bill => "50",
            PaymentKind::TopUp => "51",
            PaymentKind::Balance => "31",
        }
    }

    /// Reads the first two digits of DE3.
    pub fn from_processing_code(digits: &str) -> Option<PaymentKind> {
        PaymentKind::ALL.into_iter().find(|kind| kind.processing_code() == digits)
    }

    /// The word a person reads.
    pub const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (PaymentKind::Purchase, Language::Persian) => "خرید",
            (PaymentKind::Transfer, Language::Persian) => "انتقال وجه",
            (PaymentKind::Bill, Language::Persian) => "پرداخت قبض",
            (PaymentKind::TopUp, Language::Persian) => "خرید شارژ",
            (PaymentKind::Balance, Language::Persian) => "مانده",
            (PaymentKind::Purchase, Language::English) => "Purchase",
            (PaymentKind::Transfer, Language::English) => "Transfer",
            (PaymentKind::Bill, Language::English) => "Bill",
            (PaymentKind::TopUp, Language::English) => "Top-up",
            (PaymentKind::Balance, Language::English) => "Balance",
        }
    }
}

/// Who is paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payee {
    /// A merchant: the acquirer's institution code (DE32) and the card acceptor (DE42).
    Merchant {
        /// DE32, up to 11 digits.
        acquirer: String,
        /// DE42, up to 15 characters; trailing and leading spaces do not count.
        merchant: String,
    },
    /// Another card, as the keyed hash of its PAN.
    Card([u8; 32]),
    /// A bill, as the keyed hash of its two ids ([`bill_ids`]).
    Bill([u8; 32]),
    /// A bill without a key, as the release before bound PINs: those that it issued are still good.
    BillUnkeyed {
        /// The bill id (شناسه قبض).
        bill: String,
        /// The payment id (شناسه پرداخت).
        payment: String,
    },
}

/// A bill's id and payment id without the zeros in front, which do not bind.
pub fn bill_ids<'a>(bill: &'a str, payment: &'a str) -> [&'a str; 2] {
    [bill, payment].map(|id| id.trim_start_matches('0'))
}

/// What a PIN is bound to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// What for.
    pub kind: PaymentKind,
    /// How much; zero for a balance.
    pub amount: Rial,
    /// Who is paid.
    pub payee: Payee,
}

/// SHA-256 of something in canonical form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Digest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl Digest {
    /// The hash of the parts, each length-prefixed, so that no two lists of parts are the same bytes.
    pub fn of(parts: &[&[u8]]) -> Digest {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Digest(hash.finalize().into())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

impl Payment {
    /// The canonical binding: equal for two payments exactly if kind, amount and payee are.
    pub fn digest(&self) -> Digest {
        let Digest(payee) = self.payee.digest();
        Digest::of(&[
            b"ramz-payment-1",
            self.kind.code().as_bytes(),
            &self.amount.get().to_be_bytes(),
            &payee,
        ])
    }
}

impl Payee {
    /// The payee alone: one card keeps at most one open PIN for each.
    pub fn digest(&self) -> Digest {
        match self {
            Payee::Merchant { acquirer, merchant } => {
                let acquirer = acquirer.trim().trim_start_matches('0');
                Digest::of(&[b"merchant", acquirer.as_bytes(), merchant.trim().as_bytes()])
            }
            Payee::Card(tag) => Digest::of(&[b"card", tag]),
            Payee::Bill(tag) => Digest::of(&[b"keyed bill", tag]),
            Payee::BillUnkeyed { bill, payment } => {
                let [bill, payment] = bill_ids(bill, payment);
                Digest::of(&[b"bill", bill.as_bytes(), payment.as_bytes()])
            }
        }
    }
}

/// A payee's name as a payer reads it in the SMS: NFC, at most 30 characters, none of which could forge
/// another line of the text (controls, newlines, direction marks, `@`, `#`).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct PayeeName(#[n(0)] String);

/// The text cannot be shown as a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PayeeNameError {
    /// Empty, or longer than 30 characters.
    #[error("a payee's name has 1 to {max} characters, this one has {0}", max = limits::PAYEE_NAME_CHARS_MAX)]
    Length(usize),
    /// A character that could forge or hide a part of the text, counted from 0.
    #[error("character {0} is not allowed in a payee's name (control, direction mark, line break, @ or #)")]
    Character(usize),
}

impl PayeeName {
    /// Reads a name; surrounding spaces go, the rest is composed (NFC).
    pub fn parse(text: &str) -> Result<PayeeName, PayeeNameError> {
        if text.len() > limits::PAYEE_NAME_CHARS_MAX * 16 {
            return Err(PayeeNameError::Length(text.chars().count()));
        }
        let name: String = text.trim().nfc().collect();
        if let Some(at) = name.chars().position(|c| !may_be_shown(c)) {
            return Err(PayeeNameError::Character(at));
        }
        match name.chars().count() {
            1..=limits::PAYEE_NAME_CHARS_MAX => Ok(PayeeName(name)),
            length => Err(PayeeNameError::Length(length)),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character of a name that others read forges or hides nothing there. The zero-width non-joiner stays: Persian is
/// not written without it.
pub fn may_be_shown(c: char) -> bool {
    let invisible = matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}' | '\u{200D}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}');
    !(c.is_control() || invisible || matches!(c, '@' | '#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merchant(acquirer: &str, merchant: &str) -> Payee {
        Payee::Merchant { acquirer: acquirer.into(), merchant: merchant.into() }
    }

    fn purchase(amount: u64, payee: Payee) -> Digest {
        Payment { kind: PaymentKind::Purchase, amount: Rial::new(amount).unwrap(), payee }.digest()
    }

    #[test]
    fn each_bound_part_changes_the_digest() {
        let base = purchase(1_250_000, merchant("581672061", "000000140332124"));
        assert_ne!(base, purchase(1_250_001, merchant("581672061", "000000140332124")));
        assert_ne!(base, purchase(1_250_000, merchant("581672062", "000000140332124")));
        assert_ne!(base, purchase(1_250_000, merchant("581672061", "000000140332125")));
        assert_ne!(base, purchase(1_250_000, merchant("58167206", "1000000140332124")));
        let bill = Payee::BillUnkeyed { bill: "581672061".into(), payment: "000000140332124".into() };
        assert_ne!(base, purchase(1_250_000, bill));
        assert_ne!(purchase(1_250_000, Payee::Bill([7; 32])), purchase(1_250_000, Payee::Card([7; 32])));
        let top_up = Payment {
            kind: PaymentKind::TopUp,
            amount: Rial::new(1_250_000).unwrap(),
            payee: merchant("581672061", "000000140332124"),
        };
        assert_ne!(base, top_up.digest());
    }

    #[test]
    fn padding_of_the_wire_does_not_bind() {
        assert_eq!(
            purchase(5, merchant("581672061", "000000140332124")),
            purchase(5, merchant("00581672061", "000000140332124 ")),
        );
    }

    #[test]
    fn the_binding_never_changes() {
        let digest = purchase(1_250_000, merchant("581672061", "000000140332124"));
        let hex: String = digest.0.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "2b7b554410ffa632f7d088a4849462f385d337951733ec7ffc255e425a77ff9e");
    }

    #[test]
    fn a_name_cannot_forge_another_line() {
        for bad in ["a\nb", "a\u{202e}b", "x@y", "x#1", "a\u{200b}b", "a\rb", "a\u{2028}b"] {
            assert_eq!(PayeeName::parse(bad).unwrap_err(), PayeeNameError::Character(1), "{bad:?}");
        }
        assert_eq!(PayeeName::parse(&"ف".repeat(31)).unwrap_err(), PayeeNameError::Length(31));
        assert_eq!(PayeeName::parse(" ").unwrap_err(), PayeeNameError::Length(0));
        assert_eq!(PayeeName::parse(" کتاب‌فروشی نمونه ").unwrap().as_str(), "کتاب‌فروشی نمونه");
        assert_eq!(PayeeName::parse("e\u{301}").unwrap().as_str(), "é");
    }
}
