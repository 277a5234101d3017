//! Every way to say no over HTTP: RFC 9457 problems, one table row each. A test walks them all.
//!
//! A problem says what happened, where, and what to do next; it never repeats a value that was sent. What is not
//! here: refusals of payments (`ramz_domain::Refusal`) and the payer's texts.

use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ramz_domain::{Entropy, ambient, limits};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app;

/// The media type of a problem (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What a problem's type begins with; a relative reference, resolved against the service.
const TYPE_PREFIX: &str = "/problems/";

/// What a request is to be proved with (RFC 9449, section 7.1).
const CHALLENGE: &str = "DPoP algs=\"ES256\"";

/// Characters of each text of a problem that are read: ours have some two hundred.
const WORDS_READ_MAX: usize = 512;
/// Errors of a problem that are read: no request has so many members.
const ERRORS_READ_MAX: usize = 64;

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $slug:literal $status:literal $title:literal,)*) => {
        /// The type of a problem. Slugs and numbers never change.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// The stable name: the last part of `type`.
            pub const fn slug(self) -> &'static str {
                match self { $(Kind::$name => $slug,)* }
            }

            /// The HTTP status as a number.
            pub const fn code(self) -> u16 {
                match self { $(Kind::$name => $status,)* }
            }

            /// What it is, the same words every time.
            pub const fn title(self) -> &'static str {
                match self { $(Kind::$name => $title,)* }
            }
        }
    };
}

problems! {
    /// JSON, Luhn, amount, digits: the errors list JSON pointers.
    Malformed "malformed" 400 "The request is malformed",
    /// The client's certificate is not registered.
    UnknownAsker "unknown-asker" 401 "The asker is not known",
    /// No proof of the device's key, or one of something else (app).
    NotProved "not-proved" 401 "The request is not proved to be the device's",
    /// The device was taken away, or never was (app).
    NoSuchDevice "no-such-device" 401 "The device is not known any more",
    /// Kind, acquirer or origin is not this asker's.
    NotAllowed "not-allowed" 403 "The asker may not do this",
    /// The codes of an activation do not fit, are used up or out of date: one answer (app).
    WrongCode "wrong-code" 403 "The codes do not activate a device",
    /// Card number, expiry or phone do not fit: one answer (app).
    CardNotAccepted "card-not-accepted" 403 "The card cannot be added here",
    /// A control code is missing or wrong (app).
    ControlCode "control-code" 403 "A control code is needed",
    /// No bank has this IIN.
    UnknownIssuer "unknown-issuer" 404 "No bank has this card's IIN",
    /// Nothing is at this path, or has the id in it.
    NotFound "not-found" 404 "There is nothing here",
    /// The path is right and the method is not.
    MethodNotAllowed "method-not-allowed" 405 "The method is not allowed here",
    /// The same idempotency key with another body.
    IdempotencyConflict "idempotency-conflict" 409 "The idempotency key was used with another request",
    /// What is to be made is there already (back office).
    AlreadyExists "already-exists" 409 "It exists already",
    /// A card that is closed stays closed, and gets no other number (back office).
    CardClosed "card-closed" 409 "The card is closed",
    /// The phone has as many cards as it may have (back office).
    PhoneFull "phone-full" 409 "The phone has as many cards as it may have",
    /// A write's counter is not above the last (app).
    CounterUsed "counter-used" 409 "The counter of this request was used",
    /// The card is on as many devices as it may be (app).
    DeviceLimit "device-limit" 409 "The card is on as many devices as it may be",
    /// A card's reference was used with another seed (app).
    TokenExists "token-exists" 409 "The reference is another seed's",
    /// The card was taken off the device a short while ago, and is not put back yet (app).
    CardTakenOff "card-taken-off" 409 "The card was taken off this device a short while ago",
    /// Two codes that do not tell the device's time (app).
    NoConsecutiveCodes "no-consecutive-codes" 409 "The codes are not two in a row",
    /// The body is larger than `limits::BODY_BYTES_MAX`.
    TooLarge "too-large" 413 "The request is too large",
    /// The body is not `application/json`.
    MediaType "media-type" 415 "The media type is not supported",
    /// The header `Idempotency-Key` is missing or no UUID.
    KeyMissing "key-missing" 422 "An idempotency key is needed",
    /// The asker's own rate.
    TooManyRequests "too-many-requests" 429 "Too many requests",
    /// Too many wrong control codes (app).
    ControlLocked "control-locked" 429 "Control codes are locked",
    /// Our side failed; only an incident id is told.
    Fault "fault" 500 "The service failed",
    /// The bank is cut off, timed out or overloaded.
    IssuerUnavailable "issuer-unavailable" 503 "The card's bank cannot be reached",
}

impl Kind {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// `type` as it is written: `/problems/malformed`.
    pub fn uri(self) -> String {
        format!("{TYPE_PREFIX}{}", self.slug())
    }

    /// Reads `type`: relative as we write it, or resolved against some service.
    pub fn from_uri(uri: &str) -> Option<Kind> {
        let (_, slug) = uri.rsplit_once(TYPE_PREFIX)?;
        Kind::ALL.iter().copied().find(|kind| kind.slug() == slug)
    }
}

/// One error in a body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole body.
    pub pointer: String,
    /// What to do. Repeats no value.
    pub detail: String,
}

impl FieldError {
    /// An error at a place.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> FieldError {
        FieldError { pointer: pointer.into(), detail: detail.into() }
    }

    fn bounded(&self) -> FieldError {
        FieldError { pointer: bounded(&self.pointer), detail: bounded(&self.detail) }
    }
}

/// An answer that says no. As a response: `application/problem+json`, with `Retry-After` where waiting helps.
///
/// What it is displayed as goes into logs: its kind and incident. A problem that was read has the other side's own words, and nobody
/// knows what those repeat.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{} ({}){}", kind.slug(), kind.code(), incident.map(|id| format!(", incident {id} there")).unwrap_or_default())]
pub struct Problem {
    /// Which row of the table.
    pub kind: Kind,
    /// What to do next, a sentence.
    pub detail: String,
    /// Errors in the body, all of them.
    pub errors: Vec<FieldError>,
    /// Trying again helps after this many seconds.
    pub retry_after_s: Option<u32>,
    /// What the service's log calls this fault.
    pub incident: Option<Uuid>,
}

/// A fresh incident id (a version 4 UUID): say it to the caller, and log it with the cause.
pub fn incident(entropy: &dyn Entropy) -> Uuid {
    uuid::Builder::from_random_bytes(ambient::random_bytes(entropy)).into_uuid()
}

impl Problem {
    /// A problem of this kind; `detail` is a sentence that says what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), errors: Vec::new(), retry_after_s: None, incident: None }
    }

    /// 400: the body is wrong at these places.
    pub fn malformed(errors: Vec<FieldError>) -> Problem {
        let detail = match errors.len() {
            0 => "Mend the request and send it again.".to_owned(),
            1 => "Mend the place named in errors and send the request again.".to_owned(),
            n => format!("Mend the {n} places named in errors and send the request again."),
        };
        Problem { errors, ..Problem::new(Kind::Malformed, detail) }
    }

    /// 401: no registered certificate.
    pub fn unknown_asker() -> Problem {
        Problem::new(Kind::UnknownAsker, "Connect with the client certificate that was registered for you.")
    }

    /// 403: the asker may not use what stands at these places.
    pub fn not_allowed(errors: Vec<FieldError>) -> Problem {
        let detail =
            "Use a kind, an acquirer and an origin that are registered for you, or have them registered.";
        Problem { errors, ..Problem::new(Kind::NotAllowed, detail) }
    }

    /// 404: no bank for the IIN.
    pub fn unknown_issuer() -> Problem {
        let detail =
            "Check the first six digits of the card number; GET /v1/banks lists those that are served.";
        Problem {
            errors: vec![FieldError::new("/pan", "write the number of a card of a bank that is served")],
            ..Problem::new(Kind::UnknownIssuer, detail)
        }
    }

    /// 404: nothing at this path.
    pub fn not_found() -> Problem {
        Problem::new(Kind::NotFound, "Check the path; GET /v1/openapi.json lists what there is.")
    }

    /// 404: the path is right, and nothing has the id or number. `detail` says what of, and what to do.
    pub fn no_such(detail: impl Into<String>) -> Problem {
        Problem::new(Kind::NotFound, detail)
    }

    /// 405: the header `Allow` lists the methods.
    pub fn method_not_allowed() -> Problem {
        Problem::new(Kind::MethodNotAllowed, "Use a method that the header Allow lists.")
    }

    /// 409: same key, other body.
    pub fn idempotency_conflict() -> Problem {
        Problem::new(
            Kind::IdempotencyConflict,
            "Repeat the first request byte for byte, or send this one with a new Idempotency-Key.",
        )
    }

    /// 409: `what` exists already.
    pub fn already_exists(detail: impl Into<String>) -> Problem {
        Problem::new(Kind::AlreadyExists, detail)
    }

    /// 409: the number is no new one. Its place among the errors tells it from a card that is there as it is.
    pub fn number_taken() -> Problem {
        Problem {
            errors: vec![FieldError::new("/pan", "write a number that no card has or had")],
            ..Problem::already_exists("This number is another card's, or was a card's before it got another.")
        }
    }

    /// 409: what is closed is not opened, nor given a number.
    pub fn card_closed() -> Problem {
        Problem::new(Kind::CardClosed, "It stays closed: add the new card as one of its own.")
    }

    /// 409: one more card would be too many for this phone.
    pub fn phone_full() -> Problem {
        let detail = format!(
            "A phone has at most {} cards: take it away from one that is out of use, or register another phone.",
            limits::PHONE_CARDS_MAX
        );
        Problem {
            errors: vec![FieldError::new("/phone", "write a phone that has fewer cards")],
            ..Problem::new(Kind::PhoneFull, detail)
        }
    }

    /// 413: the body is over `limits::BODY_BYTES_MAX`.
    pub fn too_large() -> Problem {
        Problem::new(Kind::TooLarge, format!("Send a body of at most {} bytes.", limits::BODY_BYTES_MAX))
    }

    /// 415: not JSON.
    pub fn media_type() -> Problem {
        Problem::new(Kind::MediaType, "Send JSON in UTF-8 with the header Content-Type: application/json.")
    }

    /// 422: no usable `Idempotency-Key`.
    pub fn key_missing() -> Problem {
        Problem::new(
            Kind::KeyMissing,
            "Send one header Idempotency-Key with a fresh UUID; repeat it when you repeat the request.",
        )
    }

    /// 429: the asker is too fast.
    pub fn too_many_requests(retry_after_s: u32) -> Problem {
        let detail = "Send fewer requests a second; try again after the seconds in Retry-After.";
        Problem { retry_after_s: Some(retry_after_s), ..Problem::new(Kind::TooManyRequests, detail) }
    }

    /// 401: the request is not proved to be the device's; `what` is a sentence's end that says what is missing or wrong.
    pub fn not_proved(what: impl fmt::Display) -> Problem {
        Problem::new(Kind::NotProved, format!("Sign each request anew with the device's key: {what}."))
    }

    /// 401: the proof is right, and its instant is not now.
    pub fn clock_is_off() -> Problem {
        let skew_s = limits::PROOF_SKEW.as_secs();
        let detail = format!(
            "The proof's iat is more than {skew_s} seconds away from the server's time: read that at GET {}, and sign by it.",
            app::TIME
        );
        Problem::new(Kind::NotProved, detail)
    }

    /// 401: the device was taken away, or never was.
    pub fn no_such_device() -> Problem {
        Problem::new(
            Kind::NoSuchDevice,
            "Activate this device again: the bank, its holder or a change of the phone took it away.",
        )
    }

    /// 403: the codes of an activation; which of them, and why, is not told.
    pub fn wrong_code() -> Problem {
        let detail = "Write both codes once more; after three tries or ten minutes begin again at an ATM.";
        Problem::new(Kind::WrongCode, detail)
    }

    /// 403: the card cannot be added; whether it is known, and what does not fit, is not told.
    pub fn card_not_accepted() -> Problem {
        let detail =
            "Check card number and expiry, and that the card is registered at the bank for this phone.";
        Problem::new(Kind::CardNotAccepted, detail)
    }

    /// 403: what is to be done needs a control code, which belongs at `pointer`.
    pub fn control_code_missing(pointer: &str) -> Problem {
        Problem {
            errors: vec![FieldError::new(pointer, "this member is missing; write a control code")],
            ..Problem::new(
                Kind::ControlCode,
                "Send it with a control code of the app: none was there. Nothing was counted.",
            )
        }
    }

    /// 403: the control code at `pointer` is wrong.
    pub fn control_code_wrong(pointer: &str) -> Problem {
        Problem {
            errors: vec![FieldError::new(pointer, "write the control code that the app shows now")],
            ..Problem::new(
                Kind::ControlCode,
                "Type the app's PIN once more: the control code was wrong. Wrong ones count, and lock.",
            )
        }
    }

    /// 409: a write's counter is not above the last one's.
    pub fn counter_used() -> Problem {
        let detail = "Read how things stand, then sign again with a higher ctr: this one was used, perhaps by this request.";
        Problem::new(Kind::CounterUsed, detail)
    }

    /// 409: one more device would be too many for this card.
    pub fn device_limit() -> Problem {
        let max = limits::CARD_DEVICES_MAX;
        let detail = format!("A card is on at most {max} devices: remove one at an ATM or at the bank.");
        Problem::new(Kind::DeviceLimit, detail)
    }

    /// 409: a reference was used with another seed.
    pub fn token_exists() -> Problem {
        Problem {
            errors: vec![FieldError::new("/reference", "write a fresh reference")],
            ..Problem::new(Kind::TokenExists, "Add the card with a fresh reference and a fresh seed.")
        }
    }

    /// 409: the card is on the device under another reference. Rarely it is on another device and the reference was used, hence the rest.
    pub fn card_on_device() -> Problem {
        let detail = "This card is on this device already: take it off before you add it anew. If the device's list does not have it, use a fresh reference and a fresh seed.";
        Problem::new(Kind::TokenExists, detail)
    }

    /// 409: the card was taken off the device, and takes it again after so many seconds.
    pub fn card_taken_off(retry_after_s: u32) -> Problem {
        let detail = "Add the card again after the seconds in Retry-After: it was taken off this device at a terminal or at the bank. The device and its other cards stay.";
        Problem { retry_after_s: Some(retry_after_s), ..Problem::new(Kind::CardTakenOff, detail) }
    }

    /// 409: two codes do not tell the device's time.
    pub fn no_consecutive_codes() -> Problem {
        let detail = "Send two control codes that the app shows one minute after the other, both unused.";
        Problem {
            errors: vec![FieldError::new("/codes", "write two codes in a row, the older one first")],
            ..Problem::new(Kind::NoConsecutiveCodes, detail)
        }
    }

    /// 429: too many wrong control codes. `None`: until an ATM or the bank unlocks them.
    pub fn control_locked(retry_after_s: Option<u32>) -> Problem {
        let detail = match retry_after_s {
            Some(_) => "Too many control codes were wrong: try again after the seconds in Retry-After.",
            None => "Too many control codes were wrong: unlock the card at an ATM or at the bank.",
        };
        Problem { retry_after_s, ..Problem::new(Kind::ControlLocked, detail) }
    }

    /// 503: the bank is cut off, timed out or overloaded.
    pub fn issuer_unavailable(retry_after_s: u32) -> Problem {
        let detail = "Try again after the seconds in Retry-After: with the same Idempotency-Key, if there was one; otherwise look first whether it was done.";
        Problem { retry_after_s: Some(retry_after_s), ..Problem::new(Kind::IssuerUnavailable, detail) }
    }

    /// 500: our fault. The cause goes to the log under the same id ([`incident`]), never into the answer.
    pub fn fault(incident: Uuid) -> Problem {
        let detail = "It may have been done. With an Idempotency-Key try again with the same one; without, look first. If it stays, tell the operator the incident.";
        Problem { incident: Some(incident), ..Problem::new(Kind::Fault, detail) }
    }

    /// Our problem for a bare status that a library answered with, if there is a row for it.
    pub(crate) fn of_status(status: StatusCode) -> Option<Problem> {
        Some(match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Problem::malformed(Vec::new()),
            StatusCode::NOT_FOUND => Problem::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Problem::method_not_allowed(),
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::media_type(),
            _ => return None,
        })
    }

    /// The JSON of the problem.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            r#type: self.kind.uri(),
            title: self.kind.title().to_owned(),
            status: self.kind.code(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            retry_after_s: self.retry_after_s,
            incident: self.incident,
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a problem from an answer's body. `None` if it is none of ours, or its status is not the answer's. Of the other side's
    /// words a few lines are kept, and nothing that a terminal would obey.
    pub fn read(status: StatusCode, body: &[u8]) -> Option<Problem> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        let kind = Kind::from_uri(&wire.r#type)?;
        (kind.status() == status).then_some(Problem {
            kind,
            detail: bounded(&wire.detail),
            errors: wire.errors.iter().take(ERRORS_READ_MAX).map(FieldError::bounded).collect(),
            retry_after_s: wire.retry_after_s,
            incident: wire.incident,
        })
    }
}

/// The first characters of somebody else's words.
fn bounded(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(WORDS_READ_MAX).collect()
}

/// The wire twin. Members that others add are ignored, as RFC 9457 (section 3.2) asks.
#[derive(Serialize, Deserialize)]
struct Wire {
    r#type: String,
    title: String,
    status: u16,
    #[serde(default)]
    detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident: Option<Uuid>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status(), self.to_json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self.kind, Kind::NotProved | Kind::NoSuchDevice) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Kept for whoever counts outcomes on the way out.
        response.extensions_mut().insert(self.kind);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<(Problem, u16, &'static str)> {
        vec![
            (Problem::malformed(vec![FieldError::new("/pan", "write it")]), 400, "malformed"),
            (Problem::unknown_asker(), 401, "unknown-asker"),
            (Problem::not_proved("there is no proof"), 401, "not-proved"),
            (Problem::no_such_device(), 401, "no-such-device"),
            (Problem::not_allowed(vec![FieldError::new("/payment/kind", "x")]), 403, "not-allowed"),
            (Problem::wrong_code(), 403, "wrong-code"),
            (Problem::card_not_accepted(), 403, "card-not-accepted"),
            (Problem::control_code_missing("/control_code"), 403, "control-code"),
            (Problem::unknown_issuer(), 404, "unknown-issuer"),
            (Problem::not_found(), 404, "not-found"),
            (Problem::method_not_allowed(), 405, "method-not-allowed"),
            (Problem::idempotency_conflict(), 409, "idempotency-conflict"),
            (Problem::already_exists("Use the card that is there."), 409, "already-exists"),
            (Problem::card_closed(), 409, "card-closed"),
            (Problem::phone_full(), 409, "phone-full"),
            (Problem::counter_used(), 409, "counter-used"),
            (Problem::device_limit(), 409, "device-limit"),
            (Problem::token_exists(), 409, "token-exists"),
            (Problem::card_taken_off(3600), 409, "card-taken-off"),
            (Problem::no_consecutive_codes(), 409, "no-consecutive-codes"),
            (Problem::too_large(), 413, "too-large"),
            (Problem::media_type(), 415, "media-type"),
            (Problem::key_missing(), 422, "key-missing"),
            (Problem::too_many_requests(3), 429, "too-many-requests"),
            (Problem::control_locked(Some(60)), 429, "control-locked"),
            (Problem::fault(Uuid::from_u128(7)), 500, "fault"),
            (Problem::issuer_unavailable(5), 503, "issuer-unavailable"),
        ]
    }

    #[test]
    fn every_row_is_written_and_read_back() {
        let rows = one_of_each();
        let kinds: Vec<Kind> = rows.iter().map(|(p, ..)| p.kind).collect();
        assert_eq!(kinds, Kind::ALL);
        for (problem, status, slug) in rows {
            assert_eq!((problem.kind.code(), problem.kind.slug()), (status, slug));
            assert!(problem.detail.ends_with('.'), "{}", problem.detail);
            let response = problem.clone().into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
            let retry = response.headers().get(header::RETRY_AFTER).map(|v| v.to_str().unwrap().to_owned());
            assert_eq!(retry, problem.retry_after_s.map(|s| s.to_string()));
            let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
            assert_eq!(json["type"], format!("/problems/{slug}"));
            assert_eq!(json["status"], status);
            assert_eq!(Problem::read(problem.kind.status(), &problem.to_json()), Some(problem));
        }
    }

    #[test]
    fn who_proves_nothing_is_told_how() {
        for problem in [Problem::not_proved("x"), Problem::clock_is_off(), Problem::no_such_device()] {
            assert_eq!(problem.into_response().headers()[header::WWW_AUTHENTICATE], "DPoP algs=\"ES256\"");
        }
        assert!(Problem::clock_is_off().detail.contains("/app/time"));
        assert!(
            Problem::unknown_asker().into_response().headers().get(header::WWW_AUTHENTICATE).is_none(),
            "a certificate is no header"
        );
    }

    #[test]
    fn of_the_other_sides_words_little_is_read_and_nothing_is_displayed() {
        let theirs = Problem {
            errors: vec![
                FieldError::new("/pan\u{7}".repeat(200), "6104337000000016 \u{1b}[2J".repeat(100));
                1000
            ],
            incident: Some(Uuid::nil()),
            ..Problem::new(Kind::Malformed, "6104337000000016\n".repeat(10_000))
        };
        let read = Problem::read(StatusCode::BAD_REQUEST, &theirs.to_json()).unwrap();
        assert_eq!((read.detail.len(), read.errors.len()), (WORDS_READ_MAX, ERRORS_READ_MAX));
        let texts =
            read.errors.iter().flat_map(|error| [&error.pointer, &error.detail]).chain([&read.detail]);
        for text in texts {
            assert!(text.len() <= WORDS_READ_MAX && !text.contains(char::is_control), "{text:?}");
        }
        let shown = "malformed (400), incident 00000000-0000-0000-0000-000000000000 there";
        assert_eq!(read.to_string(), shown);
        assert_eq!(Problem::too_large().to_string(), "too-large (413)");
    }

    #[test]
    fn what_is_no_problem_of_ours_is_none() {
        for body in ["", "{}", "null", r#"{"type":"about:blank","title":"x","status":400}"#] {
            assert_eq!(Problem::read(StatusCode::BAD_REQUEST, body.as_bytes()), None, "{body}");
        }
        let other_status = Problem::unknown_asker().to_json();
        assert_eq!(Problem::read(StatusCode::BAD_GATEWAY, &other_status), None);
        assert_eq!(Kind::from_uri("https://router.example/problems/malformed"), Some(Kind::Malformed));
    }
}
