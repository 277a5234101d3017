//! Cards for measuring: as many as wanted, at the first bank, found by their number alone.

use ramz_domain::{Pan, Phone, check_digit};

use super::pinned::BANKS;

/// Their expiry, `YYMM`.
pub(crate) const EXPIRY: &str = "0912";
/// How often each may pay within ten minutes: a card remembers 32 answers.
pub(crate) const USES: usize = 30;
/// At most so many; the card host takes no more.
pub(crate) const MAX: usize = 50_000;

/// The card of a number, with a phone of its own.
pub(crate) fn card(number: usize) -> anyhow::Result<(Pan, Phone)> {
    let body = format!("{}8{number:08}", BANKS[0].iins[0]);
    let pan = Pan::parse(&format!("{body}{}", check_digit(&body)))?;
    let phone = Phone::parse(&format!("0990{number:07}"))?;
    Ok((pan, phone))
}
