//! The back office's words: a card as the bank describes it, and as it is shown.
//!
//! PANs and phones come in bodies, never in a path; what is shown is masked. What a change leaves out stays.

use ramz_domain::card::CardStatus;
use ramz_domain::{Language, Pan, Phone};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use crate::json::{Errors, Json, Object};
use crate::problem::Problem;

/// Where cards are: `POST` adds, `GET /{card}` shows, `PUT /{card}` changes.
pub const CARDS: &str = "/admin/v1/cards";
/// `POST { "pan" }` finds a card's id: a PAN is in no URL.
pub const FIND: &str = "/admin/v1/cards/find";

/// A card's members, to add one.
pub const MEMBERS: [&str; 7] = ["pan", "expiry", "phone", "language", "status", "customer", "product"];
/// Characters of the bank's own words.
const WORDS_MAX: usize = 64;

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
    /// `active`, `blocked` or `closed`.
    pub status: Option<CardStatus>,
    /// The customer's number at the bank.
    pub customer: Option<String>,
    /// The product.
    pub product: Option<String>,
}

/// A card as the back office sees it: never a secret, PAN and phone masked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CardView {
    /// The card's id, 32 hexadecimal digits.
    pub card: String,
    /// First six and last four digits.
    pub pan: String,
    /// Masked; `null`: none is registered.
    pub phone: Option<String>,
    /// `active`, `blocked` or `closed`.
    pub status: String,
    /// `fa` or `en`.
    pub language: String,
    /// The customer's number at the bank.
    pub customer: Option<String>,
    /// The product.
    pub product: Option<String>,
    /// Wrong PINs in a row.
    pub failures: u32,
    /// Whether the dynamic PIN is locked.
    pub locked: bool,
    /// Until when (RFC 3339, UTC); `null` while locked: until an ATM or the bank unlocks it.
    pub locked_until: Option<String>,
    /// PINs that may be spent now.
    pub open_pins: usize,
    /// SMS of the last 24 hours whose PINs were not spent.
    #[serde(default)]
    pub unspent_sms: usize,
    /// Until when the card's own limits keep back what is asked for now (RFC 3339, UTC); `null`: they do not.
    #[serde(default)]
    pub sms_held_until: Option<String>,
    /// The same of the limit of its phone, as the node that answers sees it.
    #[serde(default)]
    pub phone_held_until: Option<String>,
}

impl CardBody {
    /// Reads a card to add: `pan` and `expiry` are needed.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse_new(bytes: &[u8]) -> Result<CardBody, Problem> {
        read(bytes, |errors, object| {
            let pan = errors.text(object, "pan", "the card number", pan);
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

    /// Reads `{ "pan" }`.
    ///
    /// # Errors
    /// `malformed` with a pointer for every error.
    pub fn parse_find(bytes: &[u8]) -> Result<Pan, Problem> {
        let tree = Json::parse(bytes)?;
        let mut errors = Errors::default();
        let found = errors.object(&tree, "", &["pan"]);
        let pan = found.and_then(|object| errors.text(&object, "pan", "the card number", pan));
        errors.finish(pan)
    }

    /// The body as it is sent; wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut members = serde_json::Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), json!(value));
            }
        };
        put("pan", self.pan.as_ref().map(|pan| pan.expose().to_owned()));
        put("expiry", self.expiry.map(|expiry| String::from_utf8_lossy(&expiry).into_owned()));
        let phone =
            |phone: &Option<Phone>| phone.as_ref().map_or(String::new(), |phone| phone.expose().to_owned());
        put("phone", self.phone.as_ref().map(phone));
        put("language", self.language.map(|language| language.code().to_owned()));
        put("status", self.status.map(|status| status_word(status).to_owned()));
        put("customer", self.customer.clone());
        put("product", self.product.clone());
        Zeroizing::new(serde_json::Value::Object(members).to_string().into_bytes())
    }
}

/// The word for a status.
pub const fn status_word(status: CardStatus) -> &'static str {
    match status {
        CardStatus::Active => "active",
        CardStatus::Blocked => "blocked",
        CardStatus::Closed => "closed",
    }
}

const EXPIRY: &str = "the expiry as the card shows it, four digits YYMM";

fn read(
    bytes: &[u8],
    first: impl FnOnce(&mut Errors, &Object<'_>) -> Option<CardBody>,
) -> Result<CardBody, Problem> {
    let tree = Json::parse(bytes)?;
    let mut errors = Errors::default();
    let Some(object) = errors.object(&tree, "", &MEMBERS) else { return errors.finish(None) };
    let body = first(&mut errors, &object);
    let phone =
        given(
            &mut errors,
            &object,
            "phone",
            "a mobile number, or an empty text for none",
            |text| match text {
                "" => Ok(None),
                text => Phone::parse(text).map(Some).map_err(|error| error.to_string()),
            },
        );
    let language = given(&mut errors, &object, "language", "fa or en", |text| {
        Language::parse(text).ok_or_else(String::new)
    });
    let status = given(&mut errors, &object, "status", "active, blocked or closed", status);
    let customer = given(&mut errors, &object, "customer", "at most 64 characters", words);
    let product = given(&mut errors, &object, "product", "at most 64 characters", words);
    let body = body.map(|body| CardBody { phone, language, status, customer, product, ..body });
    errors.finish(body)
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

fn pan(text: &str) -> Result<Pan, String> {
    Pan::parse(text).map_err(|error| error.to_string())
}

fn expiry(text: &str) -> Result<[u8; 4], String> {
    let digits: [u8; 4] = text.as_bytes().try_into().map_err(|_| String::new())?;
    let month = text.get(2..).unwrap_or("");
    let valid = digits.iter().all(u8::is_ascii_digit) && ("01"..="12").contains(&month);
    if valid { Ok(digits) } else { Err("a month is 01 to 12".to_owned()) }
}

fn status(text: &str) -> Result<CardStatus, String> {
    match text {
        "active" => Ok(CardStatus::Active),
        "blocked" => Ok(CardStatus::Blocked),
        "closed" => Ok(CardStatus::Closed),
        _ => Err(String::new()),
    }
}

fn words(text: &str) -> Result<String, String> {
    let fits = text.chars().count() <= WORDS_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(String::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(result: Result<CardBody, Problem>) -> Vec<String> {
        result.map(|_| Vec::new()).unwrap_or_else(|p| p.errors.into_iter().map(|e| e.pointer).collect())
    }

    #[test]
    fn a_card_reads_back_as_it_was_written() {
        let json = br#"{"pan":"6104337000000016","expiry":"0612","phone":"09121234567","language":"en","status":"active"}"#;
        let card = CardBody::parse_new(json).unwrap();
        let again = CardBody::parse_new(&card.to_json()).unwrap();
        assert_eq!(format!("{card:?}"), format!("{again:?}"));
        assert!(!format!("{card:?}").contains("610433700"));
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
    fn an_empty_phone_takes_it_away() {
        assert_eq!(CardBody::parse_change(br#"{"phone":""}"#).unwrap().phone, Some(None));
        assert_eq!(CardBody::parse_change(b"{}").unwrap().phone, None);
    }
}
