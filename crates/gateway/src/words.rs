//! Amounts in words, as on a cheque: what a payer compares with the figures.
//!
//! One rial is a tenth of a toman, the unit that people speak in.

use ramz_domain::{Language, Rial};

/// The amount in rial, in words: `one thousand rials`, «یک هزار ریال».
pub(crate) fn rial_words(amount: Rial, language: Language) -> String {
    match language {
        Language::Persian => format!("{} ریال", number(amount.get(), language)),
        Language::English if amount.get() == 1 => "one rial".into(),
        Language::English => format!("{} rials", number(amount.get(), language)),
    }
}

/// The amount in toman, in words; what is left over is said in rial.
pub(crate) fn toman_words(amount: Rial, language: Language) -> String {
    let (toman, rial) = (amount.get() / 10, amount.get() % 10);
    let rest = match rial {
        0 => None,
        _ => Rial::new(rial).ok().map(|rest| rial_words(rest, language)),
    };
    let toman = match language {
        Language::Persian => format!("{} تومان", number(toman, language)),
        Language::English => format!("{} toman", number(toman, language)),
    };
    match (amount.get() < 10, rest, language) {
        (true, Some(rest), _) => rest,
        (_, None, _) => toman,
        (_, Some(rest), Language::Persian) => format!("{toman} و {rest}"),
        (_, Some(rest), Language::English) => format!("{toman} and {rest}"),
    }
}

fn number(n: u64, language: Language) -> String {
    if n == 0 {
        return match language {
            Language::Persian => "صفر".into(),
            Language::English => "zero".into(),
        };
    }
    let scales: [(u64, &str, &str); 4] = [
        (1_000_000_000, "میلیارد", "billion"),
        (1_000_000, "میلیون", "million"),
        (1_000, "هزار", "thousand"),
        (1, "", ""),
    ];
    let mut groups = Vec::with_capacity(4);
    let mut rest = n;
    for (scale, persian, english) in scales {
        let group = rest / scale;
        rest %= scale;
        if group == 0 {
            continue;
        }
        // A trillion and more does not fit twelve digits; were it to, its thousands would be said as a number.
        let (words, name) = match language {
            Language::Persian if group > 999 => (number(group, language), persian),
            Language::Persian => (persian_group(group), persian),
            Language::English if group > 999 => (number(group, language), english),
            Language::English => (english_group(group), english),
        };
        groups.push(if name.is_empty() { words } else { format!("{words} {name}") });
    }
    groups.join(match language {
        Language::Persian => " و ",
        Language::English => " ",
    })
}

/// 1 to 999.
fn persian_group(n: u64) -> String {
    const HUNDREDS: [&str; 10] =
        ["", "صد", "دویست", "سیصد", "چهارصد", "پانصد", "ششصد", "هفتصد", "هشتصد", "نهصد"];
    const TENS: [&str; 10] = ["", "", "بیست", "سی", "چهل", "پنجاه", "شصت", "هفتاد", "هشتاد", "نود"];
    const SMALL: [&str; 20] = [
        "",
        "یک",
        "دو",
        "سه",
        "چهار",
        "پنج",
        "شش",
        "هفت",
        "هشت",
        "نه",
        "ده",
        "یازده",
        "دوازده",
        "سیزده",
        "چهارده",
        "پانزده",
        "شانزده",
        "هفده",
        "هجده",
        "نوزده",
    ];
    let (hundreds, rest) = (at(&HUNDREDS, n / 100), n % 100);
    let (tens, small) =
        if rest < 20 { ("", at(&SMALL, rest)) } else { (at(&TENS, rest / 10), at(&SMALL, rest % 10)) };
    [hundreds, tens, small].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" و ")
}

/// 1 to 999.
fn english_group(n: u64) -> String {
    const TENS: [&str; 10] =
        ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    const SMALL: [&str; 20] = [
        "",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    let (hundreds, rest) = (n / 100, n % 100);
    let below = match (rest < 20, rest % 10) {
        (true, _) => at(&SMALL, rest).to_owned(),
        (false, 0) => at(&TENS, rest / 10).to_owned(),
        (false, ones) => format!("{}-{}", at(&TENS, rest / 10), at(&SMALL, ones)),
    };
    match (hundreds, below.is_empty()) {
        (0, _) => below,
        (_, true) => format!("{} hundred", at(&SMALL, hundreds)),
        (_, false) => format!("{} hundred {below}", at(&SMALL, hundreds)),
    }
}

fn at(words: &[&'static str], index: u64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| words.get(index)).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rial: u64, persian: &str, english: &str) {
        let amount = Rial::new(rial).unwrap();
        assert_eq!(rial_words(amount, Language::Persian), persian, "{rial}");
        assert_eq!(rial_words(amount, Language::English), english, "{rial}");
    }

    #[test]
    fn amounts_are_said_in_both_languages() {
        check(0, "صفر ریال", "zero rials");
        check(1, "یک ریال", "one rial");
        check(20, "بیست ریال", "twenty rials");
        check(115, "صد و پانزده ریال", "one hundred fifteen rials");
        check(1_000, "یک هزار ریال", "one thousand rials");
        check(1_001, "یک هزار و یک ریال", "one thousand one rials");
        check(
            1_250_000,
            "یک میلیون و دویست و پنجاه هزار ریال",
            "one million two hundred fifty thousand rials",
        );
        check(2_000_000_021, "دو میلیارد و بیست و یک ریال", "two billion twenty-one rials");
        check(
            999_999_999_999,
            "نهصد و نود و نه میلیارد و نهصد و نود و نه میلیون و نهصد و نود و نه هزار و نهصد و نود و نه ریال",
            "nine hundred ninety-nine billion nine hundred ninety-nine million nine hundred ninety-nine \
             thousand nine hundred ninety-nine rials",
        );
    }

    #[test]
    fn toman_is_a_tenth_and_loses_no_rial() {
        let toman = |rial, language| toman_words(Rial::new(rial).unwrap(), language);
        assert_eq!(toman(0, Language::Persian), "صفر تومان");
        assert_eq!(toman(1_250_000, Language::Persian), "صد و بیست و پنج هزار تومان");
        assert_eq!(toman(1_250_005, Language::Persian), "صد و بیست و پنج هزار تومان و پنج ریال");
        assert_eq!(
            toman(1_250_001, Language::English),
            "one hundred twenty-five thousand toman and one rial"
        );
        assert_eq!(toman(7, Language::English), "seven rials");
    }
}
