//! A session at a terminal: the card in the slot, the first PIN that was typed, and the service that was chosen.
//!
//! Everything that a person or a program gives is read here, all errors at once, each with its place. A session is gone when
//! the card is ejected: it is wiped.

use ramz_api::problem::FieldError;
use ramz_domain::{Pan, Pin, digits};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::Service;

/// Digits of a choice at most: a list of devices is short.
const CHOICE_DIGITS_MAX: usize = 3;

/// The card in the slot and the PIN that was typed.
pub struct Session {
    pub(super) pan: Pan,
    /// `YYMM`, if the card said so.
    pub(super) expiry: Option<Zeroizing<String>>,
    pub(super) pin: Pin,
}

/// A card as a program gives it: `{ "pan", "expiry"?, "pin" }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    pub(super) pan: String,
    #[serde(default)]
    pub(super) expiry: Option<String>,
    pub(super) pin: String,
}

/// What is wanted of the bank.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub(super) service: Service,
    pub(super) choice: Option<String>,
}

impl Drop for Typed {
    fn drop(&mut self) {
        self.pan.zeroize();
        self.expiry.zeroize();
        self.pin.zeroize();
    }
}

impl Typed {
    /// From its parts.
    pub fn new(pan: &str, expiry: Option<&str>, pin: &str) -> Typed {
        Typed { pan: pan.to_owned(), expiry: expiry.map(str::to_owned), pin: pin.to_owned() }
    }
}

impl Session {
    /// Reads a card and its PIN as people type them: any digits, spaces and dashes between groups.
    ///
    /// # Errors
    /// Everything that is wrong, at its place; nothing of what was typed is repeated.
    pub fn read(typed: &Typed) -> Result<Session, Vec<FieldError>> {
        let mut errors = Vec::new();
        let pan = Pan::parse_typed(&typed.pan);
        let pin = Pin::parse_typed(&typed.pin);
        let expiry = typed.expiry.as_deref().map(yymm).transpose();
        errors.extend(pan.as_ref().err().map(|error| FieldError::new("/pan", error.to_string())));
        errors.extend(expiry.as_ref().err().map(|what| FieldError::new("/expiry", *what)));
        errors.extend(pin.as_ref().err().map(|error| FieldError::new("/pin", error.to_string())));
        match (pan, expiry, pin) {
            (Ok(pan), Ok(expiry), Ok(pin)) => Ok(Session { pan, expiry, pin }),
            _ => Err(errors),
        }
    }
}

impl Wanted {
    /// A service that needs no choice, or one of a list.
    ///
    /// # Errors
    /// A choice that is missing, that does not belong there, or that is no number.
    pub fn new(service: Service, choice: Option<&str>) -> Result<Wanted, FieldError> {
        let choice = choice.map(|choice| digits::fold(choice.trim()));
        let is_number = |choice: &String| {
            (1..=CHOICE_DIGITS_MAX).contains(&choice.len()) && choice.bytes().all(|b| b.is_ascii_digit())
        };
        let what = match (&choice, service.takes_choice()) {
            (None, false) => return Ok(Wanted { service, choice }),
            (Some(number), true) if is_number(number) => return Ok(Wanted { service, choice }),
            (Some(_), true) => "write the number that the list shows",
            (None, true) => "write the number of one of the list that 950000 shows",
            (Some(_), false) => "leave it out: this service takes no choice",
        };
        Err(FieldError::new("/choice", what))
    }
}

/// `YYMM` with a month that there is.
fn yymm(text: &str) -> Result<Zeroizing<String>, &'static str> {
    let folded = Zeroizing::new(digits::fold(text.trim()));
    let is_date = folded.len() == 4 && folded.bytes().all(|b| b.is_ascii_digit());
    let month = folded.get(2..).unwrap_or_default();
    if is_date && ("01"..="12").contains(&month) {
        return Ok(folded);
    }
    Err("write the expiry as YYMM, or leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(typed: &Typed) -> Vec<String> {
        Session::read(typed).err().unwrap_or_default().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn a_card_is_read_as_people_type_it() {
        let session = Session::read(&Typed::new("۶۱۰۴ 3370-0000 0016", Some("۰۷12"), " ۱۲۳۴ ")).ok().unwrap();
        assert_eq!(session.pan, Pan::parse("6104337000000016").unwrap());
        assert_eq!(session.expiry.as_ref().map(|expiry| expiry.as_str()), Some("0712"));
        assert!(bool::from(session.pin.matches(&Pin::parse("1234").unwrap())));
    }

    #[test]
    fn every_error_is_told_at_its_place_and_nothing_is_repeated() {
        assert_eq!(places(&Typed::new("6104337000000061", Some("0713"), "123")), ["/pan", "/expiry", "/pin"]);
        assert_eq!(places(&Typed::new("6104337000000016", Some(""), "1234")), ["/expiry"]);
        assert!(places(&Typed::new("6104337000000016", None, "1234")).is_empty());
        let errors = Session::read(&Typed::new("6104337000000061", None, "98x76")).err().unwrap();
        let told: String = errors.iter().map(|error| error.detail.clone()).collect();
        assert!(!told.contains("6104337") && !told.contains("98"), "{told}");
    }

    #[test]
    fn a_choice_goes_with_the_list_only() {
        let check = |service, choice: Option<&str>, expect: Result<Option<&str>, ()>| {
            let wanted = Wanted::new(service, choice).map(|wanted| wanted.choice).map_err(|_| ());
            assert_eq!(wanted, expect.map(|choice| choice.map(str::to_owned)), "{service:?} {choice:?}");
        };
        check(Service::Unlock, None, Ok(None));
        check(Service::Unlock, Some("1"), Err(()));
        check(Service::RevokeDevice, Some(" ۲ "), Ok(Some("2")));
        for choice in [None, Some(""), Some("x"), Some("1234"), Some("-1")] {
            check(Service::RevokeDevice, choice, Err(()));
        }
    }
}
