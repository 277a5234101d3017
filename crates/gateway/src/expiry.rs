//! A card's expiry as people type it. Cards show a Persian or a Gregorian year; DE14 carries what the card shows.

use ramz_domain::digits;
use zeroize::Zeroizing;

/// The expiry as DE14 wants it: `YYMM`. `None` if the text is none.
///
/// Takes `MM/YY` (and `MM/YYYY`), `YYYY/MM` and the bare `YYMM`, in any digits, with `/`, `-` or a space between. Which
/// of the two short numbers comes first cannot be guessed (05/07 is both), so it is fixed: the month.
pub(crate) fn yymm(typed: &str) -> Option<Zeroizing<String>> {
    if typed.len() > 64 {
        return None;
    }
    let folded = Zeroizing::new(digits::fold(typed.trim()));
    let parts: Vec<&str> =
        folded.split(['/', '-', ' ']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| !part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let (year, month) = match parts[..] {
        [whole] if whole.len() == 4 => whole.split_at(2),
        [year, month] if year.len() == 4 => (&year[2..], month),
        [month, year] if year.len() == 4 => (&year[2..], month),
        [month, year] if year.len() == 2 => (year, month),
        _ => return None,
    };
    let month: u8 = month.parse().ok().filter(|month| (1..=12).contains(month))?;
    Some(Zeroizing::new(format!("{year}{month:02}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, expect: Option<&str>) {
        assert_eq!(yymm(typed).as_deref().map(String::as_str), expect, "{typed:?}");
    }

    #[test]
    fn every_way_a_card_shows_it_is_one_expiry() {
        for typed in ["07/28", "7/28", "2807", "2028/07", "07-28", "07 / 28", "۰۷/۲۸", "٠٧/٢٨", "07/2028"]
        {
            check(typed, Some("2807"));
        }
        check("1405/07", Some("0507"));
        check("11/04", Some("0411"));
    }

    #[test]
    fn what_is_no_month_is_no_expiry() {
        for typed in ["", "13/28", "00/28", "2813", "7", "07/2", "07/28/01", "ab/cd", "+7/28", "07/128"] {
            check(typed, None);
        }
    }
}
