//! The lab's cards: five a bank, one of each kind that behaves differently.

use ramz_domain::{Language, Pan, Phone, Rial, check_digit};

use super::pinned::PinnedBank;

/// A card of the lab. Its secrets are test data, printed in `lab.json`.
pub(crate) struct LabCard {
    pub(crate) pan: Pan,
    /// `YYMM`.
    pub(crate) expiry: &'static str,
    pub(crate) cvv2: &'static str,
    pub(crate) static_first_pin: &'static str,
    pub(crate) static_second_pin: &'static str,
    pub(crate) phone: Option<Phone>,
    pub(crate) language: Language,
    pub(crate) balance: Rial,
    pub(crate) state: LabState,
    /// Its holder accepted the risk of a static second PIN.
    pub(crate) static_pin: bool,
}

/// How a card is to be found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabState {
    Active,
    /// Its dynamic PIN is locked by wrong PINs.
    Locked,
}

struct Row(&'static str, &'static str, Option<&'static str>, Language, u64, LabState);

/// Expiry, CVV2, the phone's last three digits, language, balance. The first two share a phone.
const ROWS: [Row; 5] = [
    Row("0712", "103", Some("101"), Language::Persian, 85_000_000, LabState::Active),
    Row("0805", "211", Some("101"), Language::Persian, 12_500_000, LabState::Active),
    Row("0903", "347", Some("102"), Language::English, 40_000_000, LabState::Active),
    Row("0711", "459", None, Language::Persian, 30_000_000, LabState::Active),
    Row("0810", "562", Some("103"), Language::Persian, 25_000_000, LabState::Locked),
];

/// The card of each bank that may pay a little with its static second PIN.
const STATIC_PIN: usize = 1;

/// A bank's cards. `number` keeps the banks' phones apart.
pub(crate) fn of(bank: &PinnedBank, number: usize) -> anyhow::Result<Vec<LabCard>> {
    ROWS.iter()
        .enumerate()
        .map(|(n, Row(expiry, cvv2, phone, language, balance, state))| {
            let body = format!("{}700000{:03}", bank.iins[0], n + 1);
            let phone = phone.map(|tail| Phone::parse(&format!("0912000{}{tail}", number + 1)));
            Ok(LabCard {
                pan: Pan::parse(&format!("{body}{}", check_digit(&body)))?,
                expiry,
                cvv2,
                static_first_pin: "1234",
                static_second_pin: "567890",
                phone: phone.transpose()?,
                language: *language,
                balance: Rial::new(*balance)?,
                state: *state,
                static_pin: n == STATIC_PIN,
            })
        })
        .collect()
}

impl LabState {
    /// The word in `lab.json`.
    pub(crate) fn word(self, phone: Option<&Phone>) -> &'static str {
        match (self, phone) {
            (LabState::Locked, _) => "locked",
            (LabState::Active, None) => "no phone",
            (LabState::Active, Some(_)) => "active",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::pinned::BANKS;

    #[test]
    fn the_first_card_is_the_one_that_the_documents_show() {
        let cards = of(&BANKS[0], 0).unwrap();
        assert_eq!(cards[0].pan.masked(), "610433******0016");
        assert_eq!(cards[0].phone, cards[1].phone, "two share a phone");
        assert!(cards.iter().any(|card| card.phone.is_none()));
        assert!(cards.iter().any(|card| card.state == LabState::Locked));
    }
}
