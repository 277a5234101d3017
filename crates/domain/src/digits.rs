//! Digits as people type them: Latin, Persian and Arabic-Indic forms all mean the same number.

/// The Latin digit for one in Latin, Persian (U+06F0…) or Arabic-Indic (U+0660…) form.
pub fn latin(c: char) -> Option<char> {
    let base = match c {
        '0'..='9' => return Some(c),
        '\u{06F0}'..='\u{06F9}' => 0x06F0,
        '\u{0660}'..='\u{0669}' => 0x0660,
        _ => return None,
    };
    char::from_digit(u32::from(c) - base, 10)
}

/// The text with every digit in Latin form; other characters stay.
pub fn fold(text: &str) -> String {
    text.chars().map(|c| latin(c).unwrap_or(c)).collect()
}

/// The text with every Latin digit in Persian form.
pub fn persian(text: &str) -> String {
    let digit = |c: char| c.to_digit(10).and_then(|d| char::from_u32(0x06F0 + d)).unwrap_or(c);
    text.chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_scripts_are_one_number() {
        assert_eq!(fold("۰۱۲۳-٤٥٦٧ x89"), "0123-4567 x89");
        assert_eq!(persian("1,250"), "۱,۲۵۰");
    }
}
