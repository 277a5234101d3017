//! Network management (08xx): sign-on, sign-off and echo, asked and answered.
//!
//! Not here: key exchange, which belongs to whoever has the keys.

use ramz_domain::Moment;
use ramz_iso8583::{Message, Mti, MtiClass, de48};

use crate::Civil;

/// Field 70 of a sign-on.
pub(crate) const SIGN_ON: &str = "001";
/// Field 70 of a sign-off.
pub(crate) const SIGN_OFF: &str = "002";
/// Field 70 of an echo.
pub(crate) const ECHO: &str = "301";

/// Fields that an answer made here repeats, so that the asker can match it.
const ECHOED: [u8; 12] = [3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 70];

/// An 0800 of that kind.
pub(crate) fn request(kind: &str, trace: u32, now: Moment) -> Message {
    let mut message = Message::new(Mti::NETWORK);
    message.set(7, transmission_time(now));
    message.set(11, format!("{trace:06}"));
    message.set(70, kind);
    message
}

/// The answer to a sign-on, sign-off or echo, or to a network message without its kind; `None` for everything else.
pub(crate) fn answer(request: &Message) -> Option<Message> {
    if request.mti().class() != MtiClass::Network || request.mti().is_response() {
        return None;
    }
    match request.get(70) {
        Some(SIGN_ON | SIGN_OFF | ECHO) => Some(reply(request, "00")),
        Some(_) => None,
        None => Some(format_error(request, Some(70))),
    }
}

/// An answer that only repeats what identifies the request and gives a response code.
pub(crate) fn reply(request: &Message, response_code: &str) -> Message {
    let mut answer = Message::new(request.mti().response());
    for field in ECHOED {
        if let Some(value) = request.bytes(field) {
            answer.set(field, value);
        }
    }
    answer.set(39, response_code);
    answer
}

/// The answer 30 that names the field at fault, if it is one field's.
pub(crate) fn format_error(request: &Message, field: Option<u8>) -> Message {
    let mut answer = reply(request, "30");
    let mut tags = de48::Tags::new();
    let code = field.map_or("format_error".to_owned(), |field| format!("format_error:{field}"));
    tags.set(de48::REFUSAL, code);
    if let Ok(content) = tags.encode() {
        answer.set(48, content);
    }
    answer
}

/// Field 7: `MMDDhhmmss`, UTC.
fn transmission_time(now: Moment) -> String {
    Civil::utc(now).mmddhhmmss()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix_s: u64, expect: &str) {
        assert_eq!(transmission_time(Moment::from_unix_ms(unix_s * 1000)), expect);
    }

    #[test]
    fn the_transmission_time_is_utc() {
        check(0, "0101000000");
        check(951_782_400, "0229000000"); // 2000-02-29
        check(951_868_800, "0301000000");
        check(1_709_164_799, "0228235959"); // 2024-02-28
        check(1_732_413_309, "1124015509"); // 2024-11-24
        check(1_767_225_599, "1231235959"); // 2025-12-31
        check(4_107_542_400, "0301000000"); // 2100 has no leap day
        check(4_107_542_399, "0228235959");
    }

    #[test]
    fn sign_on_and_echo_are_answered_and_the_rest_is_not_ours() {
        let echo = request(ECHO, 7, Moment::from_unix_ms(0));
        let answered = answer(&echo).unwrap();
        assert_eq!(answered.mti().as_str(), "0810");
        assert_eq!([11, 39, 70].map(|field| answered.get(field).unwrap()), ["000007", "00", "301"]);
        assert!(answer(&request("161", 7, Moment::from_unix_ms(0))).is_none());
        assert!(answer(&answered).is_none());
        assert!(answer(&Message::new(Mti::FINANCIAL)).is_none());
        let nameless = answer(&Message::new(Mti::NETWORK)).unwrap();
        assert_eq!((nameless.get(39), nameless.get(48)), (Some("30"), Some("15015format_error:70")));
    }
}
