//! Which bank a card belongs to: the directory, from data. IINs move between banks, so there is no bank in the code.
//!
//! A directory is checked as a whole before it is used; that it may be replaced while the router runs is `current`'s.

pub(crate) mod day;
mod facts;

use std::collections::HashMap;

use ramz_api::directory::{Bank, Banks};
use ramz_domain::Iin;

/// The compiled-in data. Its note says where they come from.
pub(crate) const SHIPPED: &[u8] = include_bytes!("../banks.json");

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file is not of the form of `banks.json`.
    #[error("is not of the form of banks.json: {0}")]
    Form(#[from] serde_json::Error),
    /// An id that is no plain word.
    #[error("write the bank's id {0:?} in lower-case letters, digits, - and _")]
    Id(String),
    /// Two banks have one id.
    #[error("bank {0} is listed twice; keep one")]
    BankTwice(String),
    /// An IIN that is not six digits.
    #[error("bank {bank}: write the IIN {iin:?} as six digits")]
    Iin {
        /// The bank's id.
        bank: String,
        /// What is written there.
        iin: String,
    },
    /// One IIN at two banks, or twice at one.
    #[error("IIN {iin} is listed at {first} and at {second}; keep one")]
    IinTwice {
        /// The IIN.
        iin: Iin,
        /// The bank that has it first.
        first: String,
        /// The bank that has it too.
        second: String,
    },
    /// A bank is merged into one that is not there, or that is merged itself.
    #[error(
        "bank {bank}: merged_into must name a bank of the directory that is not merged itself, not {into:?}"
    )]
    Merged {
        /// The bank's id.
        bank: String,
        /// What is written there.
        into: String,
    },
    /// What is told of a bank's ways cannot be shown.
    #[error("bank {bank}: {what}")]
    Facts {
        /// The bank's id.
        bank: String,
        /// What to write, and where.
        what: String,
    },
}

/// Checks a banks file as a router that starts with it would.
///
/// # Errors
/// The first thing in it that cannot be used.
pub fn check_banks(bytes: &[u8]) -> Result<(), DirectoryError> {
    Directory::parse(bytes).map(|_| ())
}

/// The directory, ready to be asked.
#[derive(Debug)]
pub(crate) struct Directory {
    banks: Vec<Bank>,
    by_iin: HashMap<Iin, usize>,
}

impl Directory {
    /// Reads and checks the data.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Directory, DirectoryError> {
        let Banks { banks, .. } = serde_json::from_slice(bytes)?;
        let mut by_id: HashMap<&str, &Bank> = HashMap::new();
        let mut by_iin = HashMap::new();
        for (at, bank) in banks.iter().enumerate() {
            if bank.id.is_empty()
                || !bank.id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            {
                return Err(DirectoryError::Id(bank.id.clone()));
            }
            if by_id.insert(&bank.id, bank).is_some() {
                return Err(DirectoryError::BankTwice(bank.id.clone()));
            }
            for text in &bank.iins {
                let iin = Iin::parse(text)
                    .ok_or_else(|| DirectoryError::Iin { bank: bank.id.clone(), iin: text.clone() })?;
                if let Some(first) = by_iin.insert(iin, at) {
                    let (first, second) = (banks[first].id.clone(), bank.id.clone());
                    return Err(DirectoryError::IinTwice { iin, first, second });
                }
            }
        }
        for bank in &banks {
            facts::check(bank).map_err(|what| DirectoryError::Facts { bank: bank.id.clone(), what })?;
            let Some(into) = &bank.merged_into else { continue };
            if by_id.get(into.as_str()).is_none_or(|b| b.merged_into.is_some()) {
                return Err(DirectoryError::Merged { bank: bank.id.clone(), into: into.clone() });
            }
        }
        Ok(Directory { banks, by_iin })
    }

    /// The bank that issued cards of this IIN.
    pub(crate) fn issuer(&self, iin: Iin) -> Option<&Bank> {
        self.by_iin.get(&iin).map(|&at| &self.banks[at])
    }

    /// A bank by its id.
    pub(crate) fn bank(&self, id: &str) -> Option<&Bank> {
        self.banks.iter().find(|bank| bank.id == id)
    }

    /// The banks, in the order of the data.
    pub(crate) fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// All banks, each with what `standing` says of it: whether it is connected, and available.
    pub(crate) fn list(&self, standing: impl Fn(&Bank) -> (bool, bool)) -> Banks {
        let told = |bank: &Bank| {
            let (connected, available) = standing(bank);
            Bank { connected, available, ..bank.clone() }
        };
        Banks { note: None, banks: self.banks.iter().map(told).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: &str) {
        let error = Directory::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn the_shipped_directory_is_whole() {
        let directory = Directory::parse(SHIPPED).unwrap();
        let mellat = directory.issuer(Iin::parse("610433").unwrap()).unwrap();
        assert_eq!((mellat.id.as_str(), mellat.name_fa.as_str()), ("mellat", "بانک ملت"));
        assert_eq!(mellat.dynamic_pin.as_ref().unwrap().sms.as_deref(), Some("30003303"));
        assert!(directory.issuer(Iin::parse("000000").unwrap()).is_none());
        assert_eq!((directory.banks.len(), directory.by_iin.len()), (37, 50));
        for bank in directory.banks() {
            assert!(bank.source.is_some() && bank.as_of.is_some(), "{}: where is it from?", bank.id);
        }
    }

    #[test]
    fn what_is_told_of_a_bank_can_be_shown() {
        let bank =
            |more: &str| format!(r#"{{"banks":[{{"id":"a","name_fa":"","name_en":"","iins":[]{more}}}]}}"#);
        let pin = |pin: &str| bank(&format!(r#","dynamic_pin":{{{pin}}}"#));
        Directory::parse(bank(r#","as_of":"2026-02-28""#).as_bytes()).unwrap();
        for bad in ["2026-2-3", "2026-02-30", "2026-13-01", "1405/01/01", ""] {
            check(&bank(&format!(r#","as_of":"{bad}""#)), "bank a: write as_of as YYYY-MM-DD");
        }
        check(&bank(r#","source":{"fa":"x","en":"x","date":"soon"}"#), "write source.date as YYYY-MM-DD");
        check(&bank(r#","source":{"fa":"x","en":"x","url":"javascript:alert(1)"}"#), "write source.url");
        check(&bank(r#","source":{"fa":"","en":"x"}"#), "source.fa");
        check(&pin(r#""sms":"3000 3303""#), "write sms as 3 to 14 digits");
        check(&pin(r#""digits":13"#), "write digits as 4 to 12");
        check(&pin(r#""activation":["moon"]"#), "activation");
        check(&pin(r#""app":"a\u202eb""#), "app");
        check(&pin(r#""steps":[{"way":"moon","fa":["x"],"en":["x"]}]"#), "steps");
        check(&pin(r#""steps":[{"way":"app","fa":["x","y"],"en":["x"]}]"#), "the same number");
        check(&pin(&format!(r#""app":"{}""#, "x".repeat(400))), "app");
    }

    #[test]
    fn a_directory_that_contradicts_itself_is_refused() {
        let bank = |id: &str, iins: &str, more: &str| {
            format!(r#"{{"id":"{id}","name_fa":"","name_en":"","iins":[{iins}]{more}}}"#)
        };
        let banks = |list: &[String]| format!(r#"{{"banks":[{}]}}"#, list.join(","));
        check("[]", "banks.json");
        check(&banks(&[bank("A b", "", "")]), "lower-case");
        check(&banks(&[bank("a", r#""61043""#, "")]), "bank a: write the IIN \"61043\" as six digits");
        check(&banks(&[bank("a", r#""61043x""#, "")]), "six digits");
        check(
            &banks(&[bank("a", r#""610433""#, ""), bank("b", r#""610433""#, "")]),
            "610433 is listed at a and at b",
        );
        check(&banks(&[bank("a", "", ""), bank("a", "", "")]), "bank a is listed twice");
        check(&banks(&[bank("a", "", r#","merged_into":"b""#)]), "bank a: merged_into");
        let chain = [
            bank("a", "", r#","merged_into":"b""#),
            bank("b", "", r#","merged_into":"c""#),
            bank("c", "", ""),
        ];
        check(&banks(&chain), "bank a: merged_into");
        check(&banks(&[bank("a", "", r#","bin":1"#)]), "unknown field");
    }
}
