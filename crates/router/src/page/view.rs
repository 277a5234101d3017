//! The directory as the page's template wants it: rows in one language, with figures and days of that language.

use std::collections::BTreeMap;

use askama::Template;
use ramz_api::directory::{Bank, DynamicPin};
use ramz_domain::{Language, digits};

use super::{
    Standing,
    labels::{self, Labels},
};
use crate::directory::{Directory, day::Day};

/// The whole page.
#[derive(Template)]
#[template(path = "banks.html")]
pub(super) struct Page<'a> {
    lang: &'static str,
    dir: &'static str,
    other_lang: &'static str,
    t: &'static Labels,
    rows: Vec<Row<'a>>,
    count: String,
}

/// One bank.
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    other_name: &'a str,
    /// What a search looks through: both names, as they are.
    names: String,
    /// The letter in its star.
    letter: String,
    iins: &'a [String],
    standing: &'static str,
    said: &'static str,
    merged_into: Option<(&'a str, &'a str)>,
    ways: Option<Ways<'a>>,
    source: Option<Source<'a>>,
}

/// What is known of its ways.
struct Ways<'a> {
    app: Option<&'a str>,
    app_steps: &'a [String],
    sms: Option<&'a str>,
    sms_steps: &'a [String],
    places: Vec<&'static str>,
    place_steps: Vec<(&'static str, &'a [String])>,
    digits: Option<String>,
    first_pin_digits: Option<String>,
    app_window_s: Option<String>,
    sms_valid_s: Option<String>,
}

/// Where that is from.
struct Source<'a> {
    who: &'a str,
    url: Option<&'a str>,
    date: Option<String>,
    as_of: Option<String>,
}

/// The page in a language, each bank with what `standing` says of it.
pub(super) fn page(
    directory: &Directory,
    language: Language,
    standing: impl Fn(&Bank) -> Standing,
) -> Page<'_> {
    let names: BTreeMap<&str, &str> =
        directory.banks().iter().map(|bank| (bank.id.as_str(), name(bank, language))).collect();
    let rows: Vec<_> =
        directory.banks().iter().map(|bank| row(bank, language, standing(bank), &names)).collect();
    let (lang, dir, other_lang) = match language {
        Language::Persian => ("fa", "rtl", "en"),
        Language::English => ("en", "ltr", "fa"),
    };
    let count = figures(&rows.len().to_string(), language);
    Page { lang, dir, other_lang, t: labels::of(language), rows, count }
}

fn row<'a>(
    bank: &'a Bank,
    language: Language,
    standing: Standing,
    names: &BTreeMap<&str, &'a str>,
) -> Row<'a> {
    let t = labels::of(language);
    let (own, other) = match language {
        Language::Persian => (&bank.name_fa, &bank.name_en),
        Language::English => (&bank.name_en, &bank.name_fa),
    };
    let merged_into =
        bank.merged_into.as_deref().map(|into| (into, names.get(into).copied().unwrap_or(into)));
    let pin = bank.dynamic_pin.as_ref();
    Row {
        id: &bank.id,
        name: own,
        other_name: other,
        names: format!("{} {}", bank.name_fa, bank.name_en),
        letter: letter(own).to_string(),
        iins: &bank.iins,
        standing: standing.word(),
        said: match standing {
            Standing::Up => t.up,
            Standing::Down => t.down,
            Standing::None => t.not_connected,
        },
        ways: pin.filter(|_| merged_into.is_none()).map(|pin| ways(pin, language)),
        merged_into,
        source: source(bank, language),
    }
}

fn ways(pin: &DynamicPin, language: Language) -> Ways<'_> {
    let number = |n: u32| figures(&n.to_string(), language);
    let steps_of = |way: &str| {
        let found = pin.steps.iter().find(|steps| steps.way == way);
        found.map_or(&[][..], |steps| match language {
            Language::Persian => &steps.fa,
            Language::English => &steps.en,
        })
    };
    let app = match language {
        Language::English => pin.app_en.as_deref().or(pin.app.as_deref()),
        Language::Persian => pin.app.as_deref(),
    };
    let elsewhere = pin.activation.iter().filter(|place| place.as_str() != "sms" || pin.sms.is_none());
    Ways {
        app,
        app_steps: steps_of("app"),
        sms: pin.sms.as_deref(),
        sms_steps: steps_of("sms"),
        places: elsewhere.map(|place| labels::place(place, language)).collect(),
        place_steps: pin
            .steps
            .iter()
            .filter(|steps| !matches!(steps.way.as_str(), "app" | "sms"))
            .map(|steps| (labels::place(&steps.way, language), steps_of(&steps.way)))
            .collect(),
        digits: pin.digits.map(|n| number(n.into())),
        first_pin_digits: pin.first_pin_digits.map(|n| number(n.into())),
        app_window_s: pin.app_window_s.map(number),
        sms_valid_s: pin.sms_valid_s.map(number),
    }
}

fn source(bank: &Bank, language: Language) -> Option<Source<'_>> {
    let source = bank.source.as_ref()?;
    Some(Source {
        who: match language {
            Language::Persian => &source.fa,
            Language::English => &source.en,
        },
        url: source.url.as_deref(),
        date: source.date.as_deref().and_then(|date| day(date, language)),
        as_of: bank.as_of.as_deref().and_then(|date| day(date, language)),
    })
}

fn name(bank: &Bank, language: Language) -> &str {
    match language {
        Language::Persian => &bank.name_fa,
        Language::English => &bank.name_en,
    }
}

/// The first letter that tells a bank from the others: not that of "bank".
fn letter(name: &str) -> char {
    const COMMON: [&str; 5] = ["بانک", "موسسه", "اعتباری", "قرض‌الحسنه", "Bank"];
    let mut words = name.split_whitespace();
    let word = words.find(|word| !COMMON.contains(word) && !["of", "مشترک"].contains(word));
    word.and_then(|word| word.chars().next()).or_else(|| name.chars().next()).unwrap_or(' ')
}

fn figures(text: &str, language: Language) -> String {
    match language {
        Language::Persian => digits::persian(text),
        Language::English => text.to_owned(),
    }
}

fn day(text: &str, language: Language) -> Option<String> {
    let day = Day::parse(text)?;
    Some(match language {
        Language::Persian => {
            const MONTHS: [&str; 12] = [
                "فروردین",
                "اردیبهشت",
                "خرداد",
                "تیر",
                "مرداد",
                "شهریور",
                "مهر",
                "آبان",
                "آذر",
                "دی",
                "بهمن",
                "اسفند",
            ];
            let (year, month, day) = day.to_jalali();
            let month = MONTHS[usize::try_from(month - 1).unwrap_or(0).min(11)];
            digits::persian(&format!("{day} {month} {year}"))
        }
        Language::English => {
            const MONTHS: [&str; 12] =
                ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let (year, month, day) = day.to_gregorian();
            format!("{day} {} {year}", MONTHS[usize::try_from(month - 1).unwrap_or(0).min(11)])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_people_write_them() {
        assert_eq!(day("2019-12-30", Language::Persian).unwrap(), "۹ دی ۱۳۹۸");
        assert_eq!(day("2019-12-30", Language::English).unwrap(), "30 Dec 2019");
    }

    #[test]
    fn a_bank_is_told_by_its_own_letter() {
        for (name, expect) in [
            ("بانک ملت", 'م'),
            ("پست بانک ایران", 'پ'),
            ("Bank Mellat", 'M'),
            ("Bank of Industry and Mine", 'I'),
            ("بانک", 'ب'),
        ] {
            assert_eq!(letter(name), expect, "{name}");
        }
    }
}
