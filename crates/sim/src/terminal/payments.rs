//! The payments of a machine: what they are called in field 3, which machine has which, and what amounts it takes.
//!
//! Pure. Not here: whether the card has as much, which is the bank's to say; and cash, which no simulator has.

use ramz_api::problem::FieldError;
use ramz_domain::{Language, Rial};

use super::Machine;

/// An ATM's smallest note, rial; it gives multiples.
pub const NOTE: u64 = 500_000;
/// The most that an ATM gives at once, rial.
pub const WITHDRAWAL_MAX: u64 = 20_000_000;
/// Amounts that an ATM has keys for, rial.
pub const WITHDRAWAL_KEYS: [u64; 5] = [500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000];

/// A payment with the card in the machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Payment {
    /// Cash from an ATM.
    Withdrawal,
    /// Something bought in a shop.
    Purchase,
    /// What is on the card; moves nothing.
    Balance,
}

impl Payment {
    /// In the order of a menu.
    pub const ALL: [Payment; 3] = [Payment::Withdrawal, Payment::Balance, Payment::Purchase];

    /// Field 3.
    pub const fn code(self) -> &'static str {
        match self {
            Payment::Withdrawal => "010000",
            Payment::Purchase => "000000",
            Payment::Balance => "310000",
        }
    }

    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Payment::Withdrawal => "withdrawal",
            Payment::Purchase => "purchase",
            Payment::Balance => "balance",
        }
    }

    /// Reads the word.
    pub fn of(word: &str) -> Option<Payment> {
        Payment::ALL.into_iter().find(|payment| payment.word() == word)
    }

    /// What stands in a menu and on a receipt.
    pub const fn label(self, language: Language) -> &'static str {
        match (self, language) {
            (Payment::Withdrawal, Language::Persian) => "برداشت وجه",
            (Payment::Withdrawal, Language::English) => "Withdraw cash",
            (Payment::Purchase, Language::Persian) => "خرید",
            (Payment::Purchase, Language::English) => "Purchase",
            (Payment::Balance, Language::Persian) => "موجودی",
            (Payment::Balance, Language::English) => "Balance",
        }
    }

    /// The machine that has it.
    pub const fn machine(self) -> Machine {
        match self {
            Payment::Withdrawal | Payment::Balance => Machine::Atm,
            Payment::Purchase => Machine::Pos,
        }
    }

    /// Whether money moves, so that silence has to be undone.
    pub const fn moves_money(self) -> bool {
        !matches!(self, Payment::Balance)
    }
}

/// What is to be paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Paying {
    pub(super) payment: Payment,
    pub(super) amount: Rial,
}

impl Paying {
    /// A payment at a machine.
    ///
    /// # Errors
    /// A payment that this machine has not (`/payment`), or an amount that it does not take (`/amount`).
    pub fn new(machine: Machine, payment: Payment, amount: Option<u64>) -> Result<Paying, FieldError> {
        if payment.machine() != machine {
            let what = match payment.machine() {
                Machine::Pos => "a purchase is for a pos",
                _ => "withdrawal and balance are for an atm",
            };
            return Err(FieldError::new("/payment", what));
        }
        let wrong = |what: String| Err(FieldError::new("/amount", what));
        let amount = match (payment, amount) {
            (Payment::Balance, None) => Rial::ZERO,
            (Payment::Balance, Some(_)) => return wrong("leave it out: a balance has none".into()),
            (_, None | Some(0)) => return wrong("write the amount in rial".into()),
            (Payment::Withdrawal, Some(rial)) if rial % NOTE != 0 || rial > WITHDRAWAL_MAX => {
                return wrong(format!("an atm gives multiples of {NOTE} up to {WITHDRAWAL_MAX}"));
            }
            (_, Some(rial)) => match Rial::new(rial) {
                Ok(amount) => amount,
                Err(_) => return wrong("an amount has twelve digits at most".into()),
            },
        };
        Ok(Paying { payment, amount })
    }
}

/// The payments and the amounts of an ATM as a page reads them.
pub(super) fn as_json() -> serde_json::Value {
    let each = Payment::ALL.iter().map(|payment| {
        serde_json::json!({
            "payment": payment.word(),
            "fa": payment.label(Language::Persian),
            "en": payment.label(Language::English),
            "terminal": payment.machine().word(),
        })
    });
    serde_json::json!({
        "each": each.collect::<Vec<_>>(),
        "withdrawal": { "keys": WITHDRAWAL_KEYS, "multiple_of": NOTE, "at_most": WITHDRAWAL_MAX },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(machine: Machine, payment: Payment, amount: Option<u64>) -> Result<u64, String> {
        let read = Paying::new(machine, payment, amount);
        read.map(|paying| paying.amount.get()).map_err(|error| error.pointer)
    }

    #[test]
    fn an_atm_gives_notes_and_no_more_than_it_may() {
        for good in [500_000, 1_000_000, 19_500_000, 20_000_000] {
            assert_eq!(place(Machine::Atm, Payment::Withdrawal, Some(good)), Ok(good));
        }
        for key in WITHDRAWAL_KEYS {
            assert_eq!(place(Machine::Atm, Payment::Withdrawal, Some(key)), Ok(key));
        }
        for bad in [None, Some(0), Some(1), Some(499_999), Some(750_000), Some(20_500_000), Some(u64::MAX)] {
            assert_eq!(place(Machine::Atm, Payment::Withdrawal, bad), Err("/amount".into()), "{bad:?}");
        }
    }

    #[test]
    fn a_shop_takes_any_amount_that_field_4_holds() {
        for good in [1, 12_345, 999_999_999_999] {
            assert_eq!(place(Machine::Pos, Payment::Purchase, Some(good)), Ok(good));
        }
        for bad in [None, Some(0), Some(1_000_000_000_000)] {
            assert_eq!(place(Machine::Pos, Payment::Purchase, bad), Err("/amount".into()), "{bad:?}");
        }
    }

    #[test]
    fn a_balance_has_no_amount_and_each_machine_has_its_own_payments() {
        assert_eq!(place(Machine::Atm, Payment::Balance, None), Ok(0));
        assert_eq!(place(Machine::Atm, Payment::Balance, Some(1)), Err("/amount".into()));
        for (machine, payment) in [
            (Machine::Pos, Payment::Withdrawal),
            (Machine::Pos, Payment::Balance),
            (Machine::Atm, Payment::Purchase),
            (Machine::Cashless, Payment::Withdrawal),
            (Machine::Cashless, Payment::Purchase),
        ] {
            assert_eq!(
                place(machine, payment, Some(500_000)),
                Err("/payment".into()),
                "{machine:?} {payment:?}"
            );
        }
    }

    #[test]
    fn every_payment_has_its_word_and_its_code() {
        for payment in Payment::ALL {
            assert_eq!(Payment::of(payment.word()), Some(payment));
        }
        assert_eq!(Payment::of("transfer"), None);
        assert_eq!(Payment::ALL.map(Payment::code), ["010000", "310000", "000000"]);
        assert_eq!(as_json()["each"][0]["fa"], "برداشت وجه");
    }
}
