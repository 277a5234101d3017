//! Field 54 of an answer to a balance inquiry: amounts of 20 characters each, one after the other (ISO 8583:1987, additional
//! amounts): account type 2 · amount type 2 · currency 3 · `C` or `D` · amount 12.
//!
//! Shown to the payer once, in the answer to their own press. It is kept nowhere, and the merchant does not hear of it.

use ramz_domain::RIAL_NUMERIC_CODE;
use serde::Serialize;

const AMOUNT_CHARS: usize = 20;
/// Amount types.
const LEDGER: &str = "01";
const AVAILABLE: &str = "02";

/// What a bank told, in rial; less than nothing is a debt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Balance {
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<i64>,
}

/// Reads a field 54; of several accounts the first. `None` if it holds neither balance in rial.
pub(crate) fn read(field: &str) -> Option<Balance> {
    if !field.is_ascii() {
        return None;
    }
    let amounts: Vec<&str> = (0..field.len() / AMOUNT_CHARS)
        .filter_map(|at| field.get(at * AMOUNT_CHARS..(at + 1) * AMOUNT_CHARS))
        .collect();
    let first = |wanted: &str| amounts.iter().filter(|amount| &amount[2..4] == wanted).find_map(|a| rial(a));
    let balance = Balance { available: first(AVAILABLE), ledger: first(LEDGER) };
    (balance.available.is_some() || balance.ledger.is_some()).then_some(balance)
}

fn rial(amount: &str) -> Option<i64> {
    let (currency, sign, digits) = (&amount[4..7], &amount[7..8], &amount[8..]);
    if currency != RIAL_NUMERIC_CODE || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let rial: i64 = digits.parse().ok()?;
    match sign {
        "C" => Some(rial),
        "D" => Some(-rial),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, available: Option<i64>, ledger: Option<i64>) {
        let expect = (available.is_some() || ledger.is_some()).then_some(Balance { available, ledger });
        assert_eq!(read(field), expect, "{field}");
    }

    #[test]
    fn both_balances_are_read_by_their_type() {
        check("0002364C000010000000", Some(10_000_000), None);
        check("0001364C0000200000000002364D000000000005", Some(-5), Some(20_000_000));
        check("4002364C0000000000014002364C000000000002", Some(1), None);
    }

    #[test]
    fn what_is_no_balance_in_rial_is_none() {
        for field in [
            "",
            "0002364C00001000000",
            "0002840C000010000000",
            "0002364X000010000000",
            "0002364C00001000000x",
        ] {
            check(field, None, None);
        }
        check("0003364C000010000000", None, None);
        check("مانده مانده مانده مانده", None, None);
    }
}
