//! What a payment is about: its kind, and who or what is paid beside the merchant.
//!
//! In the row stands what may be shown ([`About`]). The payee itself ([`Payee`]) is kept sealed if the merchant named it,
//! and only while it may still be paid; the destination of a transfer may instead be typed by the payer, and is then
//! kept nowhere but, masked, on the receipt.

use minicbor::{Decode, Encode};
use ramz_api::pin_request::PayeeChecked;
use ramz_domain::{Bill, Language, Pan, PayeeName, PayeeNameError, PaymentKind, Phone, Service};
use zeroize::Zeroizing;

use crate::config::Merchant;

/// What the row knows of it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct About {
    #[n(0)]
    pub(crate) kind: PaymentKind,
    /// The destination, bill id or telephone, masked; none if the merchant itself is paid, or the payer types it.
    #[n(1)]
    pub(crate) payee: Option<String>,
    /// Whose credit is bought.
    #[n(2)]
    pub(crate) operator: Option<Operator>,
}

/// A mobile operator. Not told by the number: numbers are taken along to other operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Operator {
    #[n(0)]
    Mci,
    #[n(1)]
    Irancell,
    #[n(2)]
    Rightel,
    #[n(3)]
    Shatel,
}

impl Operator {
    pub(crate) const ALL: [Operator; 4] =
        [Operator::Mci, Operator::Irancell, Operator::Rightel, Operator::Shatel];

    /// The word in JSON, and in field 48.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Operator::Mci => "mci",
            Operator::Irancell => "irancell",
            Operator::Rightel => "rightel",
            Operator::Shatel => "shatel",
        }
    }

    pub(crate) fn parse(code: &str) -> Option<Operator> {
        Operator::ALL.into_iter().find(|operator| operator.code() == code)
    }

    pub(crate) const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Operator::Mci, Language::Persian) => "همراه اول",
            (Operator::Irancell, Language::Persian) => "ایرانسل",
            (Operator::Rightel, Language::Persian) => "رایتل",
            (Operator::Shatel, Language::Persian) => "شاتل موبایل",
            (Operator::Mci, Language::English) => "Hamrah-e Aval",
            (Operator::Irancell, Language::English) => "Irancell",
            (Operator::Rightel, Language::English) => "RighTel",
            (Operator::Shatel, Language::English) => "Shatel Mobile",
        }
    }
}

impl About {
    /// The merchant itself is paid, or asked for the balance; or the payer will type a destination.
    pub(crate) fn plain(kind: PaymentKind) -> About {
        About { kind, payee: None, operator: None }
    }

    pub(crate) fn of(kind: PaymentKind, payee: &Payee) -> About {
        let operator = match payee {
            Payee::Phone(operator, _) => Some(*operator),
            _ => None,
        };
        About { kind, payee: payee.masked(), operator }
    }

    /// Whether the page asks the payer for the destination.
    pub(crate) fn asks_destination(&self) -> bool {
        self.kind == PaymentKind::Transfer && self.payee.is_none()
    }

    /// The bill's service, told by its masked id too.
    pub(crate) fn service(&self) -> Option<Service> {
        match self.kind {
            PaymentKind::Bill => self.payee.as_deref().and_then(Service::of_bill_id),
            _ => None,
        }
    }
}

/// Who or what is paid, in the clear. Not kept but sealed; `Debug` masks.
#[derive(Clone, Debug)]
pub(crate) enum Payee {
    Merchant,
    Card(Pan),
    Bill(Bill),
    Phone(Operator, Phone),
}

impl Payee {
    /// What may be shown of it.
    pub(crate) fn masked(&self) -> Option<String> {
        match self {
            Payee::Merchant => None,
            Payee::Card(pan) => Some(pan.masked()),
            Payee::Bill(bill) => Some(bill.masked()),
            Payee::Phone(_, phone) => Some(masked_phone(phone)),
        }
    }

    /// As bytes, to be sealed.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (shape, first, second) = match self {
            Payee::Merchant => (0_u8, "", ""),
            Payee::Card(pan) => (1, pan.expose(), ""),
            Payee::Bill(bill) => (2, bill.expose(), bill.payment_id()),
            Payee::Phone(operator, phone) => (3, operator.code(), phone.expose()),
        };
        // Large enough not to grow, which would leave unwiped copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        minicbor::encode((shape, first, second), &mut *bytes).expect("writing to memory does not fail");
        bytes
    }

    /// `None` for bytes that a newer release wrote, or damaged ones.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Payee> {
        let (shape, first, second): (u8, &str, &str) = minicbor::decode(bytes).ok()?;
        match shape {
            0 => Some(Payee::Merchant),
            1 => Pan::parse(first).ok().map(Payee::Card),
            2 => Bill::parse(first, second).ok().map(Payee::Bill),
            3 => Some(Payee::Phone(Operator::parse(first)?, Phone::parse(second).ok()?)),
            _ => None,
        }
    }

    /// As a PIN request names it.
    pub(crate) fn asked_for(
        &self,
        acquirer: &str,
        merchant: &Merchant,
    ) -> Result<PayeeChecked, PayeeNameError> {
        Ok(match self {
            Payee::Card(pan) => PayeeChecked::Card { pan: pan.clone() },
            Payee::Bill(bill) => {
                PayeeChecked::Bill { bill: bill.expose().to_owned(), payment: bill.payment_id().to_owned() }
            }
            // The charged telephone does not bind: it is the merchant's to charge the right one.
            Payee::Merchant | Payee::Phone(..) => PayeeChecked::Merchant {
                acquirer: acquirer.to_owned(),
                merchant: merchant.merchant.trim().to_owned(),
                terminal: merchant.terminal.trim().to_owned(),
                name: PayeeName::parse(&merchant.name_fa)?,
            },
        })
    }
}

/// `09121234567` → `0912***4567`: enough for whoever knows it.
fn masked_phone(phone: &Phone) -> String {
    let national = phone.expose().strip_prefix("98").unwrap_or(phone.expose());
    match (national.get(..3), national.len().checked_sub(4).and_then(|at| national.get(at..))) {
        (Some(head), Some(tail)) if national.len() >= 9 => format!("0{head}***{tail}"),
        _ => phone.masked(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> Vec<(Payee, Option<&'static str>)> {
        vec![
            (Payee::Merchant, None),
            (Payee::Card(Pan::parse("6104337000000024").unwrap()), Some("610433******0024")),
            (Payee::Bill(Bill::parse("7748317800142", "1770160").unwrap()), Some("77*****800142")),
            (Payee::Phone(Operator::Rightel, Phone::parse("09211234567").unwrap()), Some("0921***4567")),
        ]
    }

    #[test]
    fn every_payee_reads_back_and_is_shown_masked() {
        for (payee, masked) in each() {
            let again = Payee::decode(&payee.encode()).unwrap();
            assert_eq!(again.encode(), payee.encode());
            assert_eq!(again.masked().as_deref(), masked);
            for secret in ["6104337000000024", "7748317800142", "9211234567"] {
                assert!(!format!("{payee:?}").contains(secret));
            }
        }
        assert!(Payee::decode(b"x").is_none());
    }

    #[test]
    fn operators_are_told_apart() {
        for operator in Operator::ALL {
            assert_eq!(Operator::parse(operator.code()), Some(operator));
        }
        assert_eq!(Operator::parse("MCI"), None);
    }
}
