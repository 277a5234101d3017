//! Answers that we make ourselves: the request's own fields back, never its PIN, expiry or track.

use ramz_domain::card::HostAnswer;
use ramz_domain::{Language, PaymentKind, Refusal, Rial, is_approval};
use ramz_iso8583::Message;
use ramz_iso8583::de48::{REFUSAL, SHOW, Tags};

use super::Refused;

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

/// What is kept of the host's answer, so that a repeat gets the same: `None` if it has no response code. A balance and what a chip is
/// told are not kept, an approval without them is another answer.
pub(super) fn kept(asked: &Message, answer: &Message) -> Option<HostAnswer> {
    let code = answer.get(39)?;
    let amount = |message: &Message| message.get(4).and_then(|digits| Rial::new(digits.parse().ok()?).ok());
    let another = amount(answer).filter(|given| amount(asked) != Some(*given));
    let balance = PaymentKind::Balance.processing_code();
    let is_balance = asked.get(3).is_some_and(|code| code.starts_with(balance));
    Some(HostAnswer {
        response_code: code.to_owned(),
        authorisation_code: answer.get(38).map(str::to_owned),
        reference: answer.get(37).map(str::to_owned),
        amount: another,
        more: is_approval(code) && (answer.has(55) || is_balance && answer.has(54)),
    })
}

/// The host's answer, given again; silence, if it is not all there.
pub(super) fn again(request: &Message, answer: &HostAnswer) -> Result<Message, Refused> {
    if answer.more {
        return Err(Refused::Silence);
    }
    let mut reply = repeated(request);
    reply.set(39, answer.response_code.as_bytes());
    if let Some(amount) = answer.amount {
        reply.set(4, amount.de4());
    }
    for (field, value) in [(38, &answer.authorisation_code), (37, &answer.reference)] {
        if let Some(value) = value {
            reply.set(field, value.as_bytes());
        }
    }
    Ok(reply)
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

#[cfg(test)]
mod tests {
    use super::*;
    use ramz_iso8583::Mti;

    fn message(mti: Mti, fields: &[(u8, &str)]) -> Message {
        let mut message = Message::new(mti);
        for (field, value) in fields {
            message.set(*field, *value);
        }
        message
    }

    /// Field 4 of what a repeat is told, after the host's answer with these fields; `None`: silence.
    fn told(code: &str, fields: &[(u8, &str)]) -> Option<String> {
        let asked = message(Mti::FINANCIAL, &[(3, code), (4, "000000001000")]);
        let answer = message(Mti::FINANCIAL.response(), fields);
        let again = again(&asked, &kept(&asked, &answer)?).ok()?;
        assert_eq!(again.get(39), answer.get(39));
        again.get(4).map(str::to_owned)
    }

    #[test]
    fn what_a_repeat_is_told_is_what_the_host_said_or_nothing() {
        let of = |amount: &str| Some(amount.to_owned());
        assert_eq!(told("000000", &[(39, "00")]), of("000000001000"));
        assert_eq!(told("000000", &[(39, "00"), (4, "1000")]), of("000000001000"));
        assert_eq!(told("000000", &[(39, "10"), (4, "000000000400")]), of("000000000400"));
        // What a till prints below is no part of the answer.
        assert_eq!(told("000000", &[(39, "00"), (54, "0002364C000000009000")]), of("000000001000"));
        assert_eq!(told("310000", &[(39, "00"), (54, "0002364C000000009000")]), None);
        assert_eq!(told("000000", &[(39, "00"), (55, "910A")]), None);
        assert_eq!(told("000000", &[(39, "51"), (55, "910A")]), of("000000001000"));
    }
}
