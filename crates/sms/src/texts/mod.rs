//! The words of SMS texts, per language; and what is asked for in a text from a phone ([`asked`](asked())).
//!
//! A text is read by a person *and* by autofill, so its shape is fixed: bank, kind, payee and amount, one line each, then
//! the PIN alone on its line, then the expiry, and last the origin-bound line of "Origin-bound one-time codes delivered
//! via SMS" (WICG): `@host #code`, with nothing after it. Digits are Latin, because autofill reads no others.
//!
//! Nobody who is named in a text can forge a line of it: names are one line, without `@`, `#`, `:` or direction marks.
//! (`PayeeName` refuses most of these at the door; the colon is legitimate there and shown as a space here, because
//! «مبلغ:1,000 ریال» as a shop's name would read as the amount.)

mod asked;
mod en;
mod fa;
mod notices;

use ramz_domain::{Language, Moment, PaymentKind, Pin, Rial, limits};
use zeroize::Zeroizing;

pub use asked::{Asked, asked};
pub use notices::{Notice, notice_text};

use crate::port::SmsText;

/// What the text of a payment's PIN says.
#[derive(Clone, Copy, Debug)]
pub struct PinText<'a> {
    /// The card's bank, as its customers call it in the text's language.
    pub bank: &'a str,
    /// What the payment is for.
    pub kind: PaymentKind,
    /// Who is paid, as the payer knows them: a merchant's name; of a transfer the destination's number and of a bill its id,
    /// both masked with `*`.
    pub payee: &'a str,
    /// How much; not shown for a balance.
    pub amount: Rial,
    /// The PIN.
    pub pin: &'a Pin,
    /// When the PIN runs out; shown as Tehran's wall clock.
    pub expires: Moment,
    /// The host name of the page where the PIN will be typed, without scheme or port. Without a host name, and with
    /// anything that is none, the WebOTP line is left out.
    pub origin: Option<&'a str>,
}

/// The text of a payment's PIN.
pub fn pin_text(language: Language, what: &PinText<'_>) -> SmsText {
    let mut text = Text::default();
    match language {
        Language::Persian => fa::pin_text(&mut text, what),
        Language::English => en::pin_text(&mut text, what),
    }
    if let Some(host) = what.origin.and_then(host) {
        text.line(&["@", host, " #", what.pin.expose()]);
    }
    text.finish()
}

/// What the text of a PIN says that was asked for by text. It is bound to no payment and to no page.
#[derive(Clone, Copy, Debug)]
pub struct TextedPin<'a> {
    /// The card's bank, as its customers call it in the text's language.
    pub bank: &'a str,
    /// The card's last four digits.
    pub card: &'a str,
    /// The most that may be paid with it.
    pub ceiling: Rial,
    /// The PIN.
    pub pin: &'a Pin,
    /// When the PIN runs out; shown as Tehran's wall clock.
    pub expires: Moment,
}

/// The text of a PIN for any one payment up to a ceiling.
pub fn texted_pin_text(language: Language, what: &TextedPin<'_>) -> SmsText {
    let mut text = Text::default();
    match language {
        Language::Persian => fa::texted_pin_text(&mut text, what),
        Language::English => en::texted_pin_text(&mut text, what),
    }
    text.finish()
}

/// Lines, gathered in a buffer that is never moved while it holds a PIN, so that no copy is left behind.
struct Text(Zeroizing<String>);

/// More than any text: names, labels and an origin of 253 characters.
const TEXT_BYTES: usize = 2048;

impl Default for Text {
    fn default() -> Text {
        Text(Zeroizing::new(String::with_capacity(TEXT_BYTES)))
    }
}

impl Text {
    /// A line of our own words and values, one after the other.
    fn line(&mut self, pieces: &[&str]) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        for piece in pieces {
            self.0.push_str(piece);
        }
    }

    /// A line with a name that somebody else chose.
    fn name(&mut self, name: &str) {
        let mut line = String::with_capacity(name.len());
        for word in name.split(|c| c == ' ' || !may_be_shown(c)).filter(|word| !word.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        let end = line.char_indices().nth(NAME_CHARS_MAX).map_or(line.len(), |(at, _)| at);
        self.line(&[&line[..end]]);
    }

    fn finish(mut self) -> SmsText {
        SmsText::new(std::mem::take(&mut *self.0))
    }
}

/// A masked number. Its hidden digits are written as `x`: stars between two groups of digits would let a text that runs from
/// right to left show the groups in the wrong order (Unicode bidirectional algorithm, rules W7 and N1).
fn number(masked: &str) -> String {
    masked
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == '*')
        .take(NAME_CHARS_MAX)
        .map(|c| if c == '*' { 'x' } else { c })
        .collect()
}

/// A card by its last digits, which are shown as those of [`number`]. Letters before them keep autofill from taking them for a PIN.
fn ending(card: &str) -> String {
    let digits = number(card);
    let from = digits.len().saturating_sub(ENDING_DIGITS);
    format!("xx{}", digits.get(from..).unwrap_or_default())
}

/// Last digits that name a card.
const ENDING_DIGITS: usize = 4;

/// Longer than any payee's name; a bank's name is configured and may have a branch in it.
const NAME_CHARS_MAX: usize = 2 * limits::PAYEE_NAME_CHARS_MAX;

/// Whether a character of a name can neither end its line nor make it look like one of ours.
fn may_be_shown(c: char) -> bool {
    let mark = matches!(c, '@' | '#' | ':' | '\u{2236}' | '\u{A789}' | '\u{FE13}' | '\u{FE55}' | '\u{FF1A}');
    let invisible = matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200D}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    !(c.is_control() || mark || invisible)
}

/// The host name in an origin, if it is one: letters, digits, dots and hyphens (an IDN in its ASCII form).
fn host(origin: &str) -> Option<&str> {
    let host = match origin.split_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => origin,
    };
    let valid = !host.is_empty()
        && host.len() <= limits::ORIGIN_CHARS_MAX
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    valid.then_some(host)
}

#[cfg(test)]
mod tests {
    use ramz_domain::PayeeName;

    use super::*;

    /// 2023-11-14T11:01:06Z, in Tehran 14:31:06.
    const EXPIRES: Moment = Moment::from_unix_ms(1_699_959_666_000);

    fn text(language: Language, kind: PaymentKind, payee: &str, origin: Option<&str>) -> String {
        let pin = Pin::parse("0472013").unwrap();
        let what = PinText {
            bank: if language == Language::Persian { "بانک ملت" } else { "Bank Mellat" },
            kind,
            payee,
            amount: Rial::new(if kind == PaymentKind::Balance { 0 } else { 1_250_000 }).unwrap(),
            pin: &pin,
            expires: EXPIRES,
            origin,
        };
        pin_text(language, &what).expose().to_owned()
    }

    #[test]
    fn a_purchase_in_persian() {
        let expect = "بانک ملت\nخرید\nفروشگاه نمونه\nمبلغ:1,250,000 ریال\nرمز:0472013\nاعتبار:14:31:06\n@pay.example #0472013";
        let found = text(Language::Persian, PaymentKind::Purchase, "فروشگاه نمونه", Some("pay.example"));
        assert_eq!(found, expect);
    }

    #[test]
    fn a_purchase_in_english() {
        let expect = "Bank Mellat\nPurchase\nSample Shop\nAmount: 1,250,000 IRR\nPIN: 0472013\nValid until: 14:31:06\n@pay.example #0472013";
        let found = text(Language::English, PaymentKind::Purchase, "Sample Shop", Some("pay.example"));
        assert_eq!(found, expect);
    }

    #[test]
    fn a_pin_that_was_asked_for_by_text() {
        let pin = Pin::parse("0472013").unwrap();
        let text = |language, bank, card| {
            let ceiling = Rial::new(10_000_000).unwrap();
            let what = TextedPin { bank, card, ceiling, pin: &pin, expires: EXPIRES };
            texted_pin_text(language, &what).expose().to_owned()
        };
        let expect = "بانک ملت\nرمز پویا کارت xx9876\nسقف: 10,000,000 ریال\nرمز:0472013\nاعتبار:14:31:06";
        assert_eq!(text(Language::Persian, "بانک ملت", "9876"), expect);
        let expect = "Bank Mellat\nDynamic PIN, card xx9876\nUp to: 10,000,000 IRR\nPIN: 0472013\nValid until: 14:31:06";
        assert_eq!(text(Language::English, "Bank Mellat", "9876"), expect);
        assert_eq!(
            text(Language::English, "Bank Mellat", "6104337000019876"),
            expect,
            "never more of a card"
        );
        // One short message in English, and at most two in Persian, whatever the bank is called.
        let long = "ب".repeat(NAME_CHARS_MAX);
        let parts = |text: String| crate::coding::cut(&text, 1).unwrap().parts.len();
        assert_eq!(parts(text(Language::English, "Export Development Bank of Iran", "9876")), 1);
        assert_eq!(parts(text(Language::Persian, &long, "9876")), 2);
        let forged = text(Language::Persian, "x\nرمز:1111111", "98\n6");
        assert_eq!((forged.lines().count(), forged.matches("رمز:").count()), (5, 1), "{forged}");
    }

    #[test]
    fn a_balance_has_no_amount() {
        let expect = "بانک ملت\nمانده\nفروشگاه نمونه\nرمز:0472013\nاعتبار:14:31:06";
        assert_eq!(text(Language::Persian, PaymentKind::Balance, "فروشگاه نمونه", None), expect);
        let expect = "Bank Mellat\nBalance\nSample Shop\nPIN: 0472013\nValid until: 14:31:06";
        assert_eq!(text(Language::English, PaymentKind::Balance, "Sample Shop", None), expect);
    }

    #[test]
    fn a_transfer_names_its_destination_masked() {
        let expect = "بانک ملت\nانتقال وجه\nبه کارت 603799xxxxxx0012\nمبلغ:1,250,000 ریال\nرمز:0472013\nاعتبار:14:31:06";
        assert_eq!(text(Language::Persian, PaymentKind::Transfer, "603799******0012", None), expect);
        let expect = "Bank Mellat\nTransfer\nTo card 603799xxxxxx0012\nAmount: 1,250,000 IRR\nPIN: 0472013\nValid until: 14:31:06";
        assert_eq!(text(Language::English, PaymentKind::Transfer, "603799******0012", None), expect);
    }

    #[test]
    fn a_bill_names_its_service_and_its_masked_id() {
        let line =
            |language, id| text(language, PaymentKind::Bill, id, None).lines().nth(2).unwrap().to_owned();
        assert_eq!(line(Language::Persian, "77*****800142"), "قبض تلفن 77xxxxx800142");
        assert_eq!(line(Language::English, "99*****404124"), "Electricity bill 99xxxxx404124");
        assert_eq!(line(Language::English, "99*****404174"), "Bill 99xxxxx404174", "a digit given to nobody");
    }

    #[test]
    fn a_destination_that_is_not_known_any_more_leaves_no_empty_line() {
        for kind in [PaymentKind::Transfer, PaymentKind::Bill] {
            assert_eq!(text(Language::Persian, kind, "", None).lines().nth(2), Some("مبلغ:1,250,000 ریال"));
        }
    }

    #[test]
    fn each_kind_has_its_word_in_each_language() {
        for kind in PaymentKind::ALL {
            for language in [Language::Persian, Language::English] {
                let found = text(language, kind, "x", None);
                assert_eq!(found.lines().nth(1), Some(kind.text(language)), "{found}");
            }
        }
    }

    #[test]
    fn the_origin_line_is_the_last_and_names_a_host_only() {
        for (origin, line) in [
            ("pay.example", Some("@pay.example #0472013")),
            ("localhost:8702", Some("@localhost #0472013")),
            ("xn--mgba3a4f16a.ir", Some("@xn--mgba3a4f16a.ir #0472013")),
            ("https://pay.example", None),
            ("", None),
            ("pay.example #1111111", None),
            ("pay.example\n@evil.example", None),
            ("پرداخت.ایران", None),
        ] {
            let found = text(Language::Persian, PaymentKind::Purchase, "x", Some(origin));
            let last = found.lines().last().filter(|line| line.starts_with('@'));
            assert_eq!(last, line, "{origin:?}");
            assert!(!found.ends_with('\n'), "{origin:?}");
        }
    }

    #[test]
    fn a_name_forges_no_line() {
        for name in [
            "x\nرمز:1111111",
            "x\r\n@evil.example #1111111",
            "@evil.example #1111111",
            "x\u{2028}y",
            "x\u{202e}3102740:زمر",
            "رمز:1111111",
            "مبلغ：1,000 ریال",
        ] {
            let found = text(Language::Persian, PaymentKind::Purchase, name, Some("pay.example"));
            assert_eq!(found.lines().count(), 7, "{found}");
            assert_eq!(found.lines().filter(|line| line.contains('@') || line.contains('#')).count(), 1);
            for label in ["رمز:", "مبلغ:", "اعتبار:"] {
                assert_eq!(found.matches(label).count(), 1, "{found}");
            }
            assert!(!found.contains(['\u{202e}', '\u{2028}', '：']), "{found}");
        }
    }

    #[test]
    fn what_the_door_lets_in_as_a_name_is_one_line_here() {
        for name in ["x\ny", "x@y", "x#1", "x\u{202e}y", "x\u{2028}y", "x\ry"] {
            assert!(PayeeName::parse(name).is_err(), "{name:?}");
        }
        let name = PayeeName::parse("کتاب‌فروشی نمونه").unwrap();
        let found = text(Language::Persian, PaymentKind::Purchase, name.as_str(), None);
        assert_eq!(found.lines().nth(2), Some("کتاب‌فروشی نمونه"), "the zero-width non-joiner stays");
    }
}
