//! What is told of a bank's ways to a dynamic PIN, checked in shape: texts that a page can show, dates, digits, addresses.
//! Whether it is true is for whoever edits the data; that is why an entry has a source and a day.

use ramz_api::directory::{Bank, DynamicPin, PLACES, Source};
use ramz_domain::limits;

use super::day::Day;

/// Characters of a name or of one step.
const TEXT_CHARS_MAX: usize = 300;
/// Characters of a source's address: Persian letters are written as six each.
const URL_CHARS_MAX: usize = 1000;
/// Steps of one way: who has to do more than this is lost.
const STEPS_MAX: usize = 12;

/// Says what to write, and where, if something cannot be shown.
pub(super) fn check(bank: &Bank) -> Result<(), String> {
    for (name, text) in [("name_fa", &bank.name_fa), ("name_en", &bank.name_en)] {
        shown(name, text)?;
    }
    if let Some(day) = &bank.as_of {
        date("as_of", day)?;
    }
    if let Some(source) = &bank.source {
        check_source(source)?;
    }
    bank.dynamic_pin.as_ref().map_or(Ok(()), check_pin)
}

fn check_source(source: &Source) -> Result<(), String> {
    for (name, text) in [("source.fa", &source.fa), ("source.en", &source.en)] {
        shown(name, text)?;
        if text.trim().is_empty() {
            return Err(format!("write {name}: who says so"));
        }
    }
    if let Some(day) = &source.date {
        date("source.date", day)?;
    }
    let web = |url: &str| {
        (url.starts_with("https:") || url.starts_with("http:"))
            && url.len() <= URL_CHARS_MAX
            && url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>'))
    };
    match &source.url {
        Some(url) if !web(url) => {
            Err("write source.url as a web address in ASCII, https: or http:".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_pin(pin: &DynamicPin) -> Result<(), String> {
    for (name, text) in [("app", &pin.app), ("app_en", &pin.app_en)] {
        shown(name, text.as_deref().unwrap_or_default())?;
    }
    let number = |text: &str| (3..=14).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if pin.sms.as_deref().is_some_and(|sms| !number(sms)) {
        return Err("write sms as 3 to 14 digits".to_owned());
    }
    let places = PLACES.join(", ");
    if pin.activation.iter().any(|place| !PLACES.contains(&place.as_str())) {
        return Err(format!("write activation as a list of {places}"));
    }
    for (name, digits) in [("digits", pin.digits), ("first_pin_digits", pin.first_pin_digits)] {
        let range = limits::PIN_DIGITS_MIN..=limits::PIN_DIGITS_MAX;
        if digits.is_some_and(|digits| !range.contains(&usize::from(digits))) {
            return Err(format!("write {name} as {} to {}", range.start(), range.end()));
        }
    }
    for steps in &pin.steps {
        let way = steps.way.as_str();
        if way != "app" && !PLACES.contains(&way) {
            return Err(format!("write the way of steps as app, {places}"));
        }
        if steps.fa.len() != steps.en.len() || !(1..=STEPS_MAX).contains(&steps.fa.len()) {
            return Err(format!(
                "write the steps of {way} in both languages, the same number, {STEPS_MAX} at most"
            ));
        }
        for text in steps.fa.iter().chain(&steps.en) {
            shown("steps", text)?;
        }
    }
    Ok(())
}

/// No control characters, and none that turn the direction of what follows them.
fn shown(name: &str, text: &str) -> Result<(), String> {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().count() > TEXT_CHARS_MAX || text.chars().any(|c| c.is_control() || turns(c)) {
        return Err(format!("write {name} in at most {TEXT_CHARS_MAX} characters, none of them invisible"));
    }
    Ok(())
}

fn date(name: &str, text: &str) -> Result<(), String> {
    Day::parse(text).map(|_| ()).ok_or_else(|| format!("write {name} as YYYY-MM-DD"))
}
