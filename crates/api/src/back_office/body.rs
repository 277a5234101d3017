//! What the bank sends: a card to add, what changes of one, a new number, another phone.

use ramz_domain::card::CardStatus;
use ramz_domain::{Language, Moment, Pan, Phone, Rial, limits};
use serde::Serialize;
use zeroize::Zeroizing;

use super::status_word;
use crate::json::{EXPIRY, Errors, Json, Object, as_text, expiry, members, pan, written};
use crate::problem::Problem;

/// A card's members, to add one.
pub const MEMBERS: [&str; 10] = [
    "pan",
    "expiry",
    "phone",
    "language",
    "status",
    "customer",
    "product",
    "static_pin_consent",
    "sms_pin_max",
    "static_pin_max",
];
/// Characters of the customer's number.
const CUSTOMER_CHARS_MAX: usize = 64;

const PAN: &str = "the card number";
const PHONE: &str = "a mobile number, or an empty text for none";
const STATUS: &str = "active, blocked, closed or hot_listed";
const CONSENT: &str =
    "since when the cardholder accepts the risk, as in 2026-11-24T05:22:44+03:30, or an empty text for not";
const AMOUNT: &str = "whole rial below 1000000000000, or an empty text for what the bank's rule is";

/// A card to add, or what changes of one.
#[derive(Clone, Debug, Default)]
pub struct CardBody {
    /// The number. Needed to add a card, not allowed in a change.
    pub pan: Option<Pan>,
    /// `YYMM`, as the card shows it.
    pub expiry: Option<[u8; 4]>,
    /// The registered mobile; `Some(None)` (an empty text) takes it away.
    pub phone: Option<Option<Phone>>,
    /// `fa` or `en`.
    pub language: Option<Language>,
    /// `active`, `blocked`, `closed` or `hot_listed`.
    pub status: Option<CardStatus>,
    /// The customer's number at the bank.
    pub customer: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// Since when the cardholder accepts the risk of a static second PIN; `Some(None)` (an empty text) takes it away. Whether
    /// that is in the future is for whoever has a clock.
    pub static_pin_consent: Option<Option<Moment>>,
    /// What one texted PIN may pay; `Some(None)` (an empty text) makes it what the bank's rule is.
    pub sms_pin_max: Option<Option<Rial>>,
    /// What the static PIN may pay, likewise.
    pub static_pin_max: Option<Option<Rial>>,
}

/// A new number for a card: its holder, and what is switched on, stays.
#[derive(Clone, Debug)]
pub struct Reissue {
    /// The number on the new card.
    pub pan: Pan,
    /// `YYMM`, as the new card shows it.
    pub expiry: [u8; 4],
}

/// Another phone for a card.
#[derive(Clone, Debug)]
pub struct PhoneBody {
    /// The mobile; `None` (an empty text) takes it away.
    pub phone: Option<Phone>,
}

impl CardBody {
    /// Reads a card to add: `pan` and `expiry` are needed.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse_new(bytes: &[u8]) -> Result<CardBody, Problem> {
        read(bytes, |errors, object| {
            let pan = errors.text(object, "pan", PAN, pan);
            let expiry = errors.text(object, "expiry", EXPIRY, expiry);
            Some(CardBody { pan: Some(pan?), expiry: Some(expiry?), ..CardBody::default() })
        })
    }

    /// Reads what changes of a card.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse_change(bytes: &[u8]) -> Result<CardBody, Problem> {
        read(bytes, |errors, object| {
            if object.get("pan").is_some() {
                errors.add("/pan", "leave it out: a new number for a card is a reissue");
            }
            let expiry = given(errors, object, "expiry", EXPIRY, expiry);
            Some(CardBody { expiry, ..CardBody::default() })
        })
    }

    /// Reads a row about a card that may be there already or not: only `pan` is needed.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse_upsert(bytes: &[u8]) -> Result<CardBody, Problem> {
        read(bytes, |errors, object| {
            let pan = errors.text(object, "pan", PAN, pan);
            let expiry = given(errors, object, "expiry", EXPIRY, expiry);
            Some(CardBody { pan: Some(pan?), expiry, ..CardBody::default() })
        })
    }

    /// Reads `{ "pan" }`.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse_find(bytes: &[u8]) -> Result<Pan, Problem> {
        members(bytes, &["pan"], |errors, object| errors.text(object, "pan", PAN, pan))
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let consent = self.static_pin_consent;
        written(&CardWire {
            pan: self.pan.as_ref().map(Pan::expose),
            expiry: self.expiry.as_ref().map(|expiry| as_text(expiry)),
            phone: self.phone.as_ref().map(phone_text),
            language: self.language.map(Language::code),
            status: self.status.map(status_word),
            customer: self.customer.as_deref(),
            product: self.product.as_deref(),
            static_pin_consent: consent.map(|since| since.map_or_else(String::new, Moment::rfc3339)),
            sms_pin_max: self.sms_pin_max.map(AmountWire::of),
            static_pin_max: self.static_pin_max.map(AmountWire::of),
        })
    }
}

impl Reissue {
    /// Reads `{ "pan", "expiry" }`, both of the new card.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<Reissue, Problem> {
        members(bytes, &["pan", "expiry"], |errors, object| {
            let pan = errors.text(object, "pan", PAN, pan);
            let expiry = errors.text(object, "expiry", EXPIRY, expiry);
            Some(Reissue { pan: pan?, expiry: expiry? })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let (pan, expiry) = (Some(self.pan.expose()), Some(as_text(&self.expiry)));
        written(&CardWire { pan, expiry, ..CardWire::default() })
    }
}

impl PhoneBody {
    /// Reads `{ "phone" }`: it must be there, so that nobody loses a phone by a misspelt word.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse(bytes: &[u8]) -> Result<PhoneBody, Problem> {
        members(bytes, &["phone"], |errors, object| {
            errors.text(object, "phone", PHONE, phone).map(|phone| PhoneBody { phone })
        })
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        written(&CardWire { phone: Some(phone_text(&self.phone)), ..CardWire::default() })
    }
}

/// What is there of a card's members, borrowed.
#[derive(Default, Serialize)]
struct CardWire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    static_pin_consent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_pin_max: Option<AmountWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    static_pin_max: Option<AmountWire>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AmountWire {
    Rial(u64),
    /// An empty text: what the bank's rule is.
    Rule(&'static str),
}

impl AmountWire {
    fn of(max: Option<Rial>) -> AmountWire {
        max.map_or(AmountWire::Rule(""), |max| AmountWire::Rial(max.get()))
    }
}

fn phone_text(phone: &Option<Phone>) -> &str {
    phone.as_ref().map_or("", Phone::expose)
}

fn read(
    bytes: &[u8],
    first: impl FnOnce(&mut Errors, &Object<'_>) -> Option<CardBody>,
) -> Result<CardBody, Problem> {
    members(bytes, &MEMBERS, |errors, object| {
        let body = first(errors, object);
        let phone = given(errors, object, "phone", PHONE, phone);
        let language = given(errors, object, "language", "fa or en", |text| {
            Language::parse(text).ok_or_else(String::new)
        });
        let status = given(errors, object, "status", STATUS, status);
        let customer = words(errors, object, "customer", CUSTOMER_CHARS_MAX);
        let product = words(errors, object, "product", limits::PRODUCT_CHARS_MAX);
        let static_pin_consent = given(errors, object, "static_pin_consent", CONSENT, consent);
        let sms_pin_max = amount(errors, object, "sms_pin_max");
        let static_pin_max = amount(errors, object, "static_pin_max");
        body.map(|body| CardBody {
            phone,
            language,
            status,
            customer,
            product,
            static_pin_consent,
            sms_pin_max,
            static_pin_max,
            ..body
        })
    })
}

fn given<'a, T>(
    errors: &mut Errors,
    object: &Object<'a>,
    name: &str,
    expect: &str,
    parse: impl FnOnce(&'a str) -> Result<T, String>,
) -> Option<T> {
    object.get(name)?;
    errors.text(object, name, expect, parse)
}

fn phone(text: &str) -> Result<Option<Phone>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Phone::parse(text).map(Some).map_err(|error| error.to_string())
}

fn status(text: &str) -> Result<CardStatus, String> {
    match text {
        "active" => Ok(CardStatus::Active),
        "blocked" => Ok(CardStatus::Blocked),
        "closed" => Ok(CardStatus::Closed),
        "hot_listed" => Ok(CardStatus::HotListed),
        _ => Err(String::new()),
    }
}

fn consent(text: &str) -> Result<Option<Moment>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Moment::parse_rfc3339(text).map(Some).ok_or_else(|| "with its zone, from 1970 on".to_owned())
}

/// Whole rial, as a number or, as a table's cells are, as a text.
fn amount(errors: &mut Errors, object: &Object<'_>, name: &str) -> Option<Option<Rial>> {
    let rial = match object.get(name)? {
        Json::Text(text) if text.is_empty() => return Some(None),
        Json::Text(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        Json::Whole(rial) => Some(*rial),
        _ => None,
    };
    let rial = rial.and_then(|rial| Rial::new(rial).ok());
    if rial.is_none() {
        errors.add(object.pointer(name), format!("write {AMOUNT}"));
    }
    rial.map(Some)
}

fn words(errors: &mut Errors, object: &Object<'_>, name: &str, max: usize) -> Option<String> {
    let expect = format!("at most {max} characters, none of them a control character");
    given(errors, object, name, &expect, |text| {
        let fits = text.chars().count() <= max && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err(String::new()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers<T>(result: Result<T, Problem>) -> Vec<String> {
        result.map(|_| Vec::new()).unwrap_or_else(|p| p.errors.into_iter().map(|e| e.pointer).collect())
    }

    fn change(json: &str) -> CardBody {
        CardBody::parse_change(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_card_reads_back_as_it_was_written() {
        let json = br#"{"pan":"6104337000000016","expiry":"0612","phone":"09121234567","language":"en","status":"hot_listed",
            "customer":"4711","product":"gift","static_pin_consent":"2026-11-24T05:22:44+03:30","sms_pin_max":2000000,"static_pin_max":""}"#;
        let card = CardBody::parse_new(json).unwrap();
        let again = CardBody::parse_new(&card.to_json()).unwrap();
        assert_eq!(format!("{card:?}"), format!("{again:?}"));
        assert!(!format!("{card:?}").contains("610433700"));
        assert_eq!(
            card.static_pin_consent.flatten().map(Moment::rfc3339).as_deref(),
            Some("2026-11-24T01:52:44Z")
        );
        assert_eq!(
            (card.sms_pin_max.flatten().map(Rial::get), card.static_pin_max),
            (Some(2_000_000), Some(None))
        );
    }

    #[test]
    fn every_error_is_named() {
        let bad = br#"{"pan":"1","expiry":"0613","phone":"x","language":"de","status":"open","limit":1}"#;
        assert_eq!(
            pointers(CardBody::parse_new(bad)),
            ["/limit", "/pan", "/expiry", "/phone", "/language", "/status"]
        );
        assert_eq!(pointers(CardBody::parse_new(b"{}")), ["/pan", "/expiry"]);
        assert_eq!(pointers(CardBody::parse_change(br#"{"pan":"6104337000000016"}"#)), ["/pan"]);
        for bytes in [&b""[..], b"[]", b"{\"expiry\":\"\xff\"}", b"{\"expiry\":\"a///\"}"] {
            assert!(CardBody::parse_change(bytes).is_err());
        }
    }

    #[test]
    fn an_empty_text_takes_it_away() {
        let empty = change(r#"{"phone":"","static_pin_consent":"","sms_pin_max":"","static_pin_max":""}"#);
        assert_eq!((&empty.phone, empty.static_pin_consent), (&Some(None), Some(None)));
        assert_eq!((empty.sms_pin_max, empty.static_pin_max), (Some(None), Some(None)));
        let again = CardBody::parse_change(&empty.to_json()).unwrap();
        assert_eq!(format!("{empty:?}"), format!("{again:?}"));
        assert_eq!(format!("{:?}", change("{}")), format!("{:?}", CardBody::default()));
    }

    #[test]
    fn an_amount_is_whole_rial_as_number_or_digits() {
        for (json, rial) in [
            ("0", 0),
            ("\"0\"", 0),
            ("1000000", 1_000_000),
            ("\"1000000\"", 1_000_000),
            ("999999999999", 999_999_999_999),
        ] {
            let body = change(&format!(r#"{{"static_pin_max":{json}}}"#));
            assert_eq!(body.static_pin_max, Some(Rial::new(rial).ok()), "{json}");
        }
        for json in [
            "1000000000000",
            "\"1000000000000\"",
            "-1",
            "1.5",
            "1e3",
            "\"+1\"",
            "\" 1\"",
            "\"1,000\"",
            "null",
        ] {
            let body = format!(r#"{{"sms_pin_max":{json},"static_pin_max":{json}}}"#);
            let told = pointers(CardBody::parse_change(body.as_bytes()));
            assert_eq!(told, ["/sms_pin_max", "/static_pin_max"], "{json}");
        }
    }

    #[test]
    fn a_consent_says_when_and_where() {
        for text in ["yes", "2026-11-24", "2026-11-24T05:22:44", " ", "1960-01-01T00:00:00Z"] {
            let body = format!(r#"{{"static_pin_consent":"{text}"}}"#);
            assert_eq!(pointers(CardBody::parse_change(body.as_bytes())), ["/static_pin_consent"], "{text}");
        }
    }

    #[test]
    fn the_banks_words_have_their_length() {
        for (name, max) in [("customer", CUSTOMER_CHARS_MAX), ("product", limits::PRODUCT_CHARS_MAX)] {
            let body = |chars: usize| format!(r#"{{"{name}":"{}"}}"#, "ز".repeat(chars));
            assert!(CardBody::parse_change(body(max).as_bytes()).is_ok());
            assert_eq!(pointers(CardBody::parse_change(body(max + 1).as_bytes())), [format!("/{name}")]);
        }
    }

    #[test]
    fn a_row_needs_the_number_only() {
        let row = CardBody::parse_upsert(br#"{"pan":"6104337000000016","phone":"09121234567"}"#).unwrap();
        assert!(row.pan.is_some() && row.expiry.is_none() && row.phone.is_some());
        assert_eq!(pointers(CardBody::parse_upsert(br#"{"expiry":"0613"}"#)), ["/pan", "/expiry"]);
    }

    /// A text that grew would have left unwiped pieces behind.
    #[test]
    fn what_is_sent_was_written_where_it_lies() {
        let all = change(&format!(
            r#"{{"phone":"09121234567","customer":"{0}","product":"{0}","sms_pin_max":1,"static_pin_max":""}}"#,
            "x".repeat(20)
        ));
        let reissue = Reissue::parse(br#"{"pan":"6104337000000016","expiry":"1112"}"#).unwrap();
        for json in [all.to_json(), reissue.to_json(), PhoneBody { phone: None }.to_json()] {
            assert_eq!(json.capacity(), limits::BODY_BYTES_MAX);
        }
    }

    #[test]
    fn a_reissue_reads_back_as_it_was_written() {
        let json = br#"{"pan":"6104337000000016","expiry":"1112"}"#;
        let reissue = Reissue::parse(json).unwrap();
        let again = Reissue::parse(&reissue.to_json()).unwrap();
        assert_eq!((again.pan, again.expiry), (reissue.pan, *b"1112"));
        assert_eq!(pointers(Reissue::parse(b"{}")), ["/pan", "/expiry"]);
        assert_eq!(
            pointers(Reissue::parse(br#"{"pan":"1","expiry":"1113","phone":""}"#)),
            ["/phone", "/pan", "/expiry"]
        );
    }

    #[test]
    fn a_phone_is_taken_away_by_saying_so() {
        for (json, expect) in
            [(r#"{"phone":"0912 123 4567"}"#, Some("989121234567")), (r#"{"phone":""}"#, None)]
        {
            let body = PhoneBody::parse(json.as_bytes()).unwrap();
            assert_eq!(body.phone.as_ref().map(Phone::expose), expect);
            assert_eq!(PhoneBody::parse(&body.to_json()).unwrap().phone, body.phone);
        }
        for json in ["{}", r#"{"phone":null}"#, r#"{"phone":"x"}"#] {
            assert_eq!(pointers(PhoneBody::parse(json.as_bytes())), ["/phone"], "{json}");
        }
    }
}
