//! What a bank tells a cardholder beside PINs: that something was switched, locked or changed; and in answer to a text that no
//! PIN follows from, what to do instead.
//!
//! Each is at most two short messages: in Persian with a bank's name of up to 20 characters and an address of up to 28. A code
//! stands alone on its line, as a PIN does.
//!
//! Deliberately not here: when which of them is sent, and to whom.

mod en;
mod fa;

use std::{borrow::Cow, fmt};

use ramz_domain::{Language, Moment, Rial, limits};

use super::{Text, ending, number};
use crate::port::SmsText;

/// What is told. `card` is its last four digits.
#[derive(Clone, Copy)]
pub enum Notice<'a> {
    /// PINs by text were activated: and how to ask for one.
    SmsActivated {
        /// The card.
        card: &'a str,
        /// Where to text its last four digits.
        short_code: &'a str,
        /// How long a PIN is good.
        seconds: u64,
    },
    /// PINs by text were switched off.
    SmsDeactivated {
        /// The card.
        card: &'a str,
    },
    /// The half of the app's activation code that goes by SMS.
    AppActivationCode {
        /// The card.
        card: &'a str,
        /// The digits: a secret.
        code: &'a str,
        /// How long it is good.
        minutes: u32,
        /// Where the app is. Anything but printable ASCII without spaces or `@` is left out.
        address: Option<&'a str>,
    },
    /// The app was switched off.
    AppDeactivated {
        /// The card.
        card: &'a str,
    },
    /// From now on the card's first PIN is the app's.
    FirstPinOn {
        /// The card.
        card: &'a str,
    },
    /// From now on the card's first PIN is the static one.
    FirstPinOff {
        /// The card.
        card: &'a str,
    },
    /// Wrong PINs locked the card's dynamic PIN.
    Locked {
        /// The card.
        card: &'a str,
        /// Until when, within a day: shown as Tehran's wall clock. `None`: until it is unlocked.
        until: Option<Moment>,
    },
    /// It was unlocked.
    Unlocked {
        /// The card.
        card: &'a str,
    },
    /// To the phone that was the card's until now.
    PhoneChangedOld {
        /// The card.
        card: &'a str,
    },
    /// To the phone that is the card's from now on.
    PhoneChangedNew {
        /// The card.
        card: &'a str,
    },
    /// The card was issued again.
    CardReissued {
        /// The new card.
        card: &'a str,
    },
    /// The card is on a device with the app.
    CardOnDevice {
        /// The card.
        card: &'a str,
    },
    /// It is not any more.
    CardOffDevice {
        /// The card.
        card: &'a str,
    },
    /// What the app's codes may pay at most was changed.
    Ceiling {
        /// The card.
        card: &'a str,
        /// In rial; `None`: any amount.
        max: Option<Rial>,
    },
    /// The app's codes pay on the web.
    SecondPinOn {
        /// The card.
        card: &'a str,
    },
    /// They do not.
    SecondPinOff {
        /// The card.
        card: &'a str,
    },
    /// Wrong first PINs locked the dynamic first PIN.
    FirstPinLocked {
        /// The card.
        card: &'a str,
        /// Until when, as of [`Notice::Locked`].
        until: Option<Moment>,
    },
    /// Wrong app PINs locked the app's settings.
    AppLocked {
        /// The card.
        card: &'a str,
    },
    /// Asked for a PIN, and PINs by text are not activated: how to.
    HelpNotActivated {
        /// The card.
        card: &'a str,
    },
    /// Asked for a PIN, and none of the phone's cards has these last digits.
    HelpNoSuchCard,
    /// Asked for a PIN with four digits that are the last of two cards.
    HelpSixDigits,
    /// Asked for a PIN, and the card's dynamic PIN is locked.
    HelpLocked {
        /// The card.
        card: &'a str,
    },
    /// Asked for PINs too often.
    HelpTooOften {
        /// In so many minutes it may be asked again.
        minutes: u32,
    },
    /// The text could not be understood.
    HelpFormat {
        /// Where to text the digits.
        short_code: &'a str,
    },
    /// Asked for a PIN, and the card is not in use.
    HelpCardInactive {
        /// The card.
        card: &'a str,
    },
    /// Asked for a PIN, and the bank gives none by text.
    HelpNotOffered,
}

/// Shows nothing: one of them holds a code.
impl fmt::Debug for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notice(…)")
    }
}

/// The text of a notice. `bank` is the card's bank, as its customers call it in the text's language.
pub fn notice_text(language: Language, bank: &str, notice: &Notice<'_>) -> SmsText {
    let notice = with_address(notice);
    let words = match language {
        Language::Persian => fa::words(&notice),
        Language::English => en::words(&notice),
    };
    let mut text = Text::default();
    text.name(bank);
    for line in words.lines() {
        // Own words and names of values take turns.
        let pieces: Vec<_> = line
            .split(['{', '}'])
            .enumerate()
            .map(|(at, piece)| if at % 2 == 0 { piece.into() } else { value(language, &notice, piece) })
            .collect();
        text.line(&pieces.iter().map(|piece| &**piece).collect::<Vec<_>>());
    }
    // The browser with the app in it fills the code in: the origin-bound line, as of a PIN.
    if let Notice::AppActivationCode { code, address: Some(address), .. } = notice
        && let Some(host) =
            address.split("//").nth(1).and_then(|rest| super::host(rest.trim_end_matches('/')))
    {
        text.line(&["@", host, " #", code]);
    }
    text.finish()
}

/// Without an address that cannot stand on a line of its own.
fn with_address<'a>(notice: &Notice<'a>) -> Notice<'a> {
    let stands = |address: &&str| {
        (1..=limits::ORIGIN_CHARS_MAX).contains(&address.len())
            && address.bytes().all(|b| b.is_ascii_graphic() && b != b'@')
    };
    match *notice {
        Notice::AppActivationCode { card, code, minutes, address } => {
            Notice::AppActivationCode { card, code, minutes, address: address.filter(stands) }
        }
        other => other,
    }
}

/// A value of a notice by the name that the words have for it. Each is there that they name; a test looks.
fn value<'a>(language: Language, notice: &Notice<'a>, name: &str) -> Cow<'a, str> {
    let found = match *notice {
        Notice::AppActivationCode { code, .. } if name == "code" => Some(code.into()),
        Notice::AppActivationCode { address, .. } if name == "address" => address.map(Cow::from),
        Notice::AppActivationCode { minutes, .. } | Notice::HelpTooOften { minutes } if name == "minutes" => {
            let minutes = match language {
                Language::Persian => fa::minutes(minutes),
                Language::English => en::minutes(minutes),
            };
            Some(minutes.into())
        }
        Notice::SmsActivated { seconds, .. } if name == "seconds" => Some(seconds.to_string().into()),
        Notice::SmsActivated { short_code, .. } | Notice::HelpFormat { short_code }
            if name == "short_code" =>
        {
            Some(number(short_code).into())
        }
        Notice::Locked { until, .. } | Notice::FirstPinLocked { until, .. } if name == "until" => {
            until.map(|until| until.tehran_hms().into())
        }
        Notice::Ceiling { max, .. } if name == "max" => max.map(|max| max.with_commas().into()),
        Notice::SmsActivated { card, .. }
        | Notice::SmsDeactivated { card }
        | Notice::AppActivationCode { card, .. }
        | Notice::AppDeactivated { card }
        | Notice::FirstPinOn { card }
        | Notice::FirstPinOff { card }
        | Notice::Locked { card, .. }
        | Notice::Unlocked { card }
        | Notice::PhoneChangedOld { card }
        | Notice::PhoneChangedNew { card }
        | Notice::CardReissued { card }
        | Notice::CardOnDevice { card }
        | Notice::CardOffDevice { card }
        | Notice::Ceiling { card, .. }
        | Notice::SecondPinOn { card }
        | Notice::SecondPinOff { card }
        | Notice::FirstPinLocked { card, .. }
        | Notice::AppLocked { card }
        | Notice::HelpNotActivated { card }
        | Notice::HelpLocked { card }
        | Notice::HelpCardInactive { card }
            if name == "card" =>
        {
            Some(ending(card).into())
        }
        _ => None,
    };
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::{self, Alphabet};

    /// 2023-11-14T11:01:06Z, in Tehran 14:31:06.
    const UNTIL: Moment = Moment::from_unix_ms(1_699_959_666_000);
    const CARD: &str = "9876";

    fn all<'a>() -> Vec<Notice<'a>> {
        let (card, short_code) = (CARD, "30003303");
        let code = |address| Notice::AppActivationCode { card, code: "01234567", minutes: 10, address };
        vec![
            Notice::SmsActivated { card, short_code, seconds: 600 },
            Notice::SmsDeactivated { card },
            code(Some("https://app.mellat.example/x")),
            code(None),
            Notice::AppDeactivated { card },
            Notice::FirstPinOn { card },
            Notice::FirstPinOff { card },
            Notice::Locked { card, until: Some(UNTIL) },
            Notice::Locked { card, until: None },
            Notice::Unlocked { card },
            Notice::PhoneChangedOld { card },
            Notice::PhoneChangedNew { card },
            Notice::CardReissued { card },
            Notice::CardOnDevice { card },
            Notice::CardOffDevice { card },
            Notice::Ceiling { card, max: Rial::new(100_000_000).ok() },
            Notice::Ceiling { card, max: None },
            Notice::SecondPinOn { card },
            Notice::SecondPinOff { card },
            Notice::FirstPinLocked { card, until: Some(UNTIL) },
            Notice::FirstPinLocked { card, until: None },
            Notice::AppLocked { card },
            Notice::HelpNotActivated { card },
            Notice::HelpNoSuchCard,
            Notice::HelpSixDigits,
            Notice::HelpLocked { card },
            Notice::HelpTooOften { minutes: 60 },
            Notice::HelpFormat { short_code },
            Notice::HelpCardInactive { card },
            Notice::HelpNotOffered,
        ]
    }

    fn text(language: Language, notice: &Notice<'_>) -> String {
        let bank = if language == Language::Persian { "بانک ملت" } else { "Bank Mellat" };
        notice_text(language, bank, notice).expose().to_owned()
    }

    #[test]
    fn each_is_at_most_two_short_messages() {
        for (language, bank, alphabet) in [
            (Language::Persian, "بانک توسعه صادرات ما", Alphabet::Ucs2),
            (Language::English, "Export Development Bank of Iran", Alphabet::Gsm7),
        ] {
            for notice in all() {
                let text = notice_text(language, bank, &notice);
                let cut = coding::cut(text.expose(), 1).unwrap();
                let shown = text.expose();
                assert!(cut.parts.len() <= 2, "{} characters: {shown}", shown.chars().count());
                assert_eq!(cut.alphabet, alphabet, "{shown}");
                assert!(language == Language::Persian || shown.is_ascii(), "{shown}");
            }
        }
    }

    #[test]
    fn each_value_that_the_words_name_is_there() {
        for language in [Language::Persian, Language::English] {
            for notice in all() {
                let words = match language {
                    Language::Persian => fa::words(&notice),
                    Language::English => en::words(&notice),
                };
                for name in words.split(['{', '}']).skip(1).step_by(2) {
                    let value = value(language, &notice, name);
                    assert!(!value.is_empty(), "{name} in {words}");
                    assert!(text(language, &notice).contains(&*value), "{name} in {words}");
                }
                assert_eq!(text(language, &notice).lines().count(), 1 + words.lines().count());
            }
        }
    }

    #[test]
    fn each_names_the_bank_and_its_card() {
        for language in [Language::Persian, Language::English] {
            for notice in all() {
                let text = text(language, &notice);
                let bank = text.lines().next().unwrap();
                assert!(["بانک ملت", "Bank Mellat"].contains(&bank), "{text}");
                let of_a_card = !matches!(
                    notice,
                    Notice::HelpNoSuchCard
                        | Notice::HelpSixDigits
                        | Notice::HelpTooOften { .. }
                        | Notice::HelpFormat { .. }
                        | Notice::HelpNotOffered
                );
                assert_eq!(text.matches("xx9876").count(), usize::from(of_a_card), "{text}");
            }
        }
    }

    #[test]
    fn none_can_be_taken_for_a_pin() {
        for language in [Language::Persian, Language::English] {
            for notice in all() {
                let text = text(language, &notice);
                assert!(!text.contains("رمز:") && !text.contains("PIN:"), "{text}");
                assert!(!text.contains(['@', '#']), "{text}");
            }
        }
    }

    /// A line's direction follows its first letter (Unicode bidirectional algorithm, rule P2).
    #[test]
    fn a_persian_line_runs_from_right_to_left() {
        let persian = |c: &char| ('\u{0620}'..='\u{06D3}').contains(c);
        for notice in all() {
            for line in text(Language::Persian, &notice).lines().filter(|line| !line.starts_with("https://"))
            {
                let first = line.chars().find(|c| c.is_alphabetic());
                assert!(first.as_ref().is_some_and(persian), "{line}");
            }
            let text = text(Language::Persian, &notice);
            let direction = |c| matches!(c, '\u{200B}' | '\u{200D}'..='\u{200F}' | '\u{2028}'..='\u{202E}');
            assert!(!text.contains(direction) && !text.contains(['ي', 'ك']), "{text}");
            assert!(!text.contains(|c: char| ('۰'..='۹').contains(&c)), "{text}");
        }
    }

    #[test]
    fn a_code_stands_alone_on_its_line() {
        let code = |address| Notice::AppActivationCode { card: CARD, code: "01234567", minutes: 10, address };
        for (language, line) in
            [(Language::Persian, "کد فعال‌سازی:01234567"), (Language::English, "Activation code: 01234567")]
        {
            let text = text(language, &code(Some("https://app.mellat.example")));
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{text}");
            assert_eq!(text.lines().rev().nth(1), Some("https://app.mellat.example"));
            assert_eq!(text.lines().last(), Some("@app.mellat.example #01234567"));
        }
        for (address, last) in [
            ("http://localhost:8723", "@localhost #01234567"),
            ("https://app.mellat.example/", "@app.mellat.example #01234567"),
            ("app.mellat.example", "app.mellat.example"),
        ] {
            assert_eq!(text(Language::English, &code(Some(address))).lines().last(), Some(last));
        }
        for address in ["", "https://a b", "https://a\n", "x@y", "نشانی"] {
            let text = text(Language::Persian, &code(Some(address)));
            assert_eq!(text, self::text(Language::Persian, &code(None)), "{address:?}");
        }
        assert!(!format!("{:?}", code(None)).contains("0123"));
    }

    #[test]
    fn how_to_ask_in_persian() {
        let notice = Notice::SmsActivated { card: CARD, short_code: "30003303", seconds: 90 };
        let expect = "بانک ملت\nرمز پیامکی کارت xx9876 فعال شد.\n4 رقم آخر آن را به 30003303 بفرستید.\nهر رمز یک پرداخت، 90 ثانیه. به کسی نگویید.";
        assert_eq!(text(Language::Persian, &notice), expect);
    }

    #[test]
    fn a_lock_tells_its_end_if_it_has_one() {
        for language in [Language::Persian, Language::English] {
            let ends = text(language, &Notice::Locked { card: CARD, until: Some(UNTIL) });
            assert!(ends.contains("14:31:06"), "{ends}");
            let stays = text(language, &Notice::Locked { card: CARD, until: None });
            assert!(!stays.contains(':'), "{stays}");
            // The bank may have done it.
            assert!(!stays.contains("wrong") && !stays.contains("نادرست"), "{stays}");
        }
    }

    #[test]
    fn one_minute_is_not_minutes() {
        let told = |minutes| text(Language::English, &Notice::HelpTooOften { minutes });
        assert!(told(1).contains(" 1 minute.") && told(2).contains(" 2 minutes."), "{}", told(1));
    }
}
