//! Which card and which ceiling is meant.

use anyhow::{Context as _, bail};
use ramz_domain::{Rial, TokenId};
use ramz_sim::phone::Kept;

/// The card that is named by its ending or reference; the only one, if none is.
pub(super) fn card(named: Option<&str>, cards: &[Kept]) -> anyhow::Result<TokenId> {
    let fits =
        |card: &&Kept| named.is_none_or(|named| card.ending == named || card.reference.to_string() == named);
    let found: Vec<&Kept> = cards.iter().filter(fits).collect();
    let there = || {
        let each = cards.iter().map(|card| format!("{} ({})", card.ending, card.reference));
        each.collect::<Vec<_>>().join(", ")
    };
    match found.as_slice() {
        [one] => Ok(one.reference),
        [] if cards.is_empty() => bail!("there is no card on this device: ramz token add"),
        // What was typed is not repeated: it may be a card number, by mistake.
        [] => bail!("no such card is on this device; there are {}", there()),
        _ => bail!("say which card with --card: {}", there()),
    }
}

/// A step of a card's table, by its number or its amount; 0 and none: no ceiling.
pub(super) fn step(text: &str, table: &[u64]) -> anyhow::Result<u8> {
    if text == "none" {
        return Ok(0);
    }
    let listed = || {
        let each = table.iter().enumerate().map(|(n, rial)| format!("{} ({})", n + 1, grouped(*rial)));
        format!(
            "write none, or one of these steps (or their amounts in rial): {}",
            each.collect::<Vec<_>>().join(", ")
        )
    };
    let number: u64 = text.replace([',', '_'], "").parse().ok().with_context(listed)?;
    let step = match table.iter().position(|rial| *rial == number) {
        Some(at) => at + 1,
        None => usize::try_from(number).ok().filter(|step| *step <= table.len()).with_context(listed)?,
    };
    u8::try_from(step).ok().with_context(listed)
}

/// The amount of a step; `None`: no ceiling.
pub(super) fn amount(step: u8, table: &[u64]) -> Option<u64> {
    table.get(usize::from(step).checked_sub(1)?).copied()
}

/// An amount with commas.
pub(super) fn grouped(rial: u64) -> String {
    Rial::new(rial).map_or_else(|_| rial.to_string(), Rial::with_commas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_is_a_step_or_an_amount_of_the_table() {
        let table = [1_000_000, 5_000_000];
        let check = |text: &str, expect: Option<u8>| assert_eq!(step(text, &table).ok(), expect, "{text}");
        check("none", Some(0));
        check("0", Some(0));
        check("2", Some(2));
        check("1000000", Some(1));
        check("5,000,000", Some(2));
        for wrong in ["3", "750000", "-1", "", "all", "18446744073709551616"] {
            check(wrong, None);
        }
        assert!(step("3", &table).unwrap_err().to_string().ends_with("1 (1,000,000), 2 (5,000,000)"));
        assert_eq!(
            [0, 1, 2, 3].map(|step| amount(step, &table)),
            [None, Some(1_000_000), Some(5_000_000), None]
        );
    }

    #[test]
    fn without_cards_there_is_none_to_choose() {
        assert!(card(None, &[]).unwrap_err().to_string().contains("ramz token add"));
    }
}
