//! Answers that we make ourselves: the request's own fields back, never its PIN, expiry or track.

use ramz_domain::card::HostAnswer;
use ramz_domain::{Language, Refusal};
use ramz_iso8583::Message;
use ramz_iso8583::de48::{REFUSAL, SHOW, Tags};

/// Fields of a request that its answer repeats.
const REPEATED: [u8; 15] = [2, 3, 4, 7, 11, 12, 13, 25, 32, 37, 41, 42, 49, 90, 103];

/// No, for a reason of the table.
pub(super) fn refusal(request: &Message, refusal: Refusal) -> Message {
    refused(request, refusal, refusal.code().to_owned())
}

/// No, because a field is missing or garbled: tag 15 says which, and what was expected.
pub(super) fn format_error(request: &Message, field: u8, expected: &str) -> Message {
    let code = Refusal::FormatError.code();
    tracing::warn!(field, expected, "a message of the switch is malformed");
    refused(request, Refusal::FormatError, format!("{code}:{field}"))
}

/// A reversal that needs no more doing.
pub(super) fn done(request: &Message) -> Message {
    let mut reply = repeated(request);
    reply.set(39, "00");
    reply
}

/// The host's answer, given again.
pub(super) fn again(request: &Message, answer: &HostAnswer) -> Message {
    let mut reply = repeated(request);
    reply.set(39, answer.response_code.as_bytes());
    for (field, value) in [(38, &answer.authorisation_code), (37, &answer.reference)] {
        if let Some(value) = value {
            reply.set(field, value.as_bytes());
        }
    }
    reply
}

/// What a terminal shows and prints.
pub(super) fn with_tags(request: &Message, response_code: &str, tags: &Tags) -> Message {
    let mut reply = repeated(request);
    reply.set(39, response_code);
    if let Ok(bytes) = tags.encode() {
        reply.set(48, bytes);
    }
    reply
}

fn refused(request: &Message, refusal: Refusal, code: String) -> Message {
    let mut tags = Tags::new();
    // 61 is said of many things, and 55 of clocks as well: a payer is told of which.
    if matches!(refusal, Refusal::StaticTotal | Refusal::OverCeiling | Refusal::ClockOff) {
        tags.set(SHOW, refusal.text(Language::Persian));
    }
    tags.set(REFUSAL, code);
    with_tags(request, refusal.response_code(), &tags)
}

fn repeated(request: &Message) -> Message {
    let mut reply = Message::new(request.mti().response());
    for field in REPEATED {
        if let Some(value) = request.bytes(field) {
            reply.set(field, value);
        }
    }
    reply
}
