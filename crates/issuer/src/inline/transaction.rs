//! What an authorisation says, read once at the door.

use ramz_domain::card::{Authorisation, Mark, Slot};
use ramz_domain::{Pan, Payee, Payment, PaymentKind, RIAL_NUMERIC_CODE, Refusal, Rial};
use ramz_iso8583::Message;
use ramz_iso8583::de48::{self, BILL, BILL_PAYMENT, CHOICE, Tags};
use ramz_keys::{IndexPurpose, Keys, Tag};

use super::Refused;
use crate::admission;
use crate::engine::EngineFault;

/// Which PIN a transaction is made with: DE22's first two digits.
pub(super) fn slot(request: &Message) -> Result<Slot, Refused> {
    let entry = required(request, 22, "how the card was read")?;
    match entry.get(..2) {
        Some("01" | "10" | "81") => Ok(Slot::Second),
        Some("02" | "05" | "07" | "90" | "91") => Ok(Slot::First),
        _ => Err(Refused::No(Refusal::NotPermitted)),
    }
}

/// DE2.
pub(super) fn pan(request: &Message) -> Result<Pan, Refused> {
    Pan::parse(required(request, 2, "the card number")?).map_err(|_| Refused::Format(2, "a card number"))
}

/// The month of DE14.
pub(super) fn expiry(request: &Message) -> Result<[u8; 4], Refused> {
    let expiry = required(request, 14, "the expiry, YYMM")?;
    expiry.as_bytes().try_into().map_err(|_| Refused::Format(14, "the expiry, YYMM"))
}

/// The expiry of a card that was read: DE14, or as its track says it (ISO 7813).
fn expiry_of_a_read_card(request: &Message) -> Result<[u8; 4], Refused> {
    if request.has(14) {
        return expiry(request);
    }
    let track = request.get(35).and_then(|track| track.split_once(['=', 'D']));
    let expiry = track.and_then(|(_, rest)| rest.as_bytes().first_chunk::<4>()).copied();
    expiry
        .filter(|digits| digits.iter().all(u8::is_ascii_digit))
        .ok_or(Refused::Format(14, "the expiry, YYMM"))
}

/// A PIN vouches for one number: a host may go by what was read of a card, and must not take our word for another one. In a layout that
/// has it as bytes nobody here can read it.
pub(super) fn is_one_card(request: &Message) -> Result<(), Refused> {
    for field in [34, 35, 36, 45] {
        if !request.has(field) {
            continue;
        }
        let read = request.get(field).unwrap_or("");
        let number = match field {
            // The first track has a letter before it (ISO 7813), the third two digits (ISO 4909).
            45 => read.strip_prefix('B').and_then(|rest| rest.split_once('^')),
            36 => read.split_at_checked(2).and_then(|(_, rest)| rest.split_once(['=', 'D'])),
            35 => read.split_once(['=', 'D']),
            _ => Some((read, "")),
        };
        if number.map(|(number, _)| number) != request.get(2) {
            return Err(Refused::Format(field, "the number of field 2, as it was read of the card"));
        }
    }
    Ok(())
}

/// Everything of a payment with a dynamic first PIN, and the expiry. Whatever it is for is the host's matter: a code has a ceiling and
/// no payee.
pub(super) fn with_first_pin(
    request: &Message,
    keys: &dyn Keys,
) -> Result<(Authorisation, [u8; 4]), Refused> {
    is_one_card(request)?;
    let expiry = expiry_of_a_read_card(request)?;
    let code = required(request, 3, "the processing code")?;
    let amount = if request.has(4) { amount(request)? } else { Rial::ZERO };
    if amount != Rial::ZERO && required(request, 49, "the currency")? != RIAL_NUMERIC_CODE {
        return Err(Refused::No(Refusal::InvalidTransaction));
    }
    let (stan, acquirer) = (required(request, 11, "the trace number")?, acquirer(request)?);
    let terminal = required(request, 41, "the terminal")?;
    let transmitted = required(request, 7, "the transmission time")?;
    let tags =
        de48::of(request).map_err(|_| Refused::Format(48, "tagged values TTLLLvalue, each tag once"))?;
    let parts = [
        code,
        request.get(42).unwrap_or("").trim(),
        request.get(49).unwrap_or(""),
        tags.get(BILL).unwrap_or(""),
        tags.get(BILL_PAYMENT).unwrap_or(""),
        tags.get(CHOICE).unwrap_or(""),
    ];
    // Keyed, for a row is not sealed: once under each live key.
    let to = keys.index_all(IndexPurpose::PayeePan, &[request.get(103).unwrap_or("").as_bytes()]);
    let content = |to: &Tag| {
        let amount = amount.get().to_be_bytes();
        let [code, merchant, currency, bill, payment, choice] = parts.map(str::as_bytes);
        Mark::of(&[b"first", &amount, code, merchant, currency, bill, payment, choice, &to.bytes])
    };
    let contents = to.map_err(EngineFault::from)?.iter().map(content).collect();
    let (_, debited) = debited(request, amount)?;
    let authorisation = Authorisation {
        identity: identity(request)?,
        contents,
        reversal: reversal_mark(stan, transmitted, acquirer, terminal),
        trace: Some(trace_mark(stan, acquirer, terminal)),
        reference: reference_mark(request),
        payments: Vec::new(),
        slot: Slot::First,
        kind: None,
        amount: debited,
        door: Mark::of(&[acquirer.as_bytes(), terminal.as_bytes()]),
        transmitted: transmitted.parse().ok(),
    };
    Ok((authorisation, expiry))
}

/// A dynamic first PIN that is shown for a terminal service, and the expiry. Apart from payments under the same numbers.
pub(super) fn of_a_service(request: &Message, keys: &dyn Keys) -> Result<(Authorisation, [u8; 4]), Refused> {
    let (payment, expiry) = with_first_pin(request, keys)?;
    let apart = |mark: Mark| Mark::of(&[b"service", &mark.0]);
    let authorisation = Authorisation {
        identity: apart(payment.identity),
        reversal: apart(payment.reversal),
        trace: None,
        reference: None,
        amount: Rial::ZERO,
        ..payment
    };
    Ok((authorisation, expiry))
}

/// Everything of a second-PIN payment that the card decides on, and what would be debited beside the amount.
pub(super) fn authorisation(
    request: &Message,
    tags: &Tags,
    keys: &dyn Keys,
) -> Result<(Authorisation, Rial), Refused> {
    is_one_card(request)?;
    let code = required(request, 3, "the processing code")?;
    let kind = code.get(..2).and_then(PaymentKind::from_processing_code);
    let kind = kind.ok_or(Refused::No(match code.get(..2) {
        Some("01") => Refusal::NotPermitted,
        _ => Refusal::InvalidTransaction,
    }))?;
    let amount = amount(request)?;
    let currency = required(request, 49, "the currency")?;
    if currency != RIAL_NUMERIC_CODE || (amount == Rial::ZERO) != (kind == PaymentKind::Balance) {
        return Err(Refused::No(Refusal::InvalidTransaction));
    }
    let stan = required(request, 11, "the trace number")?;
    let acquirer = acquirer(request)?;
    let terminal = required(request, 41, "the terminal")?;
    let merchant = request.get(42).unwrap_or("");
    let payments: Vec<Payment> = payees(request, tags, kind, acquirer, keys)?
        .into_iter()
        .map(|payee| Payment { kind, amount, payee })
        .collect();
    let content = |payment: &Payment| {
        let payee = payment.payee.digest();
        Mark::of(&[
            code.as_bytes(),
            &amount.get().to_be_bytes(),
            merchant.trim().as_bytes(),
            currency.as_bytes(),
            &payee.0,
        ])
    };
    let transmitted = required(request, 7, "the transmission time")?;
    let (fees, debited) = debited(request, amount)?;
    let authorisation = Authorisation {
        identity: identity(request)?,
        contents: payments.iter().map(content).collect(),
        reversal: reversal_mark(stan, transmitted, acquirer, terminal),
        trace: Some(trace_mark(stan, acquirer, terminal)),
        reference: reference_mark(request),
        slot: Slot::Second,
        kind: Some(kind),
        amount: debited,
        payments: payments.iter().map(Payment::digest).collect(),
        door: Mark::of(&[acquirer.as_bytes(), terminal.as_bytes()]),
        transmitted: transmitted.parse().ok(),
    };
    Ok((authorisation, fees))
}

/// Who is paid; the payee of a transfer or a bill once under each live key.
fn payees(
    request: &Message,
    tags: &Tags,
    kind: PaymentKind,
    acquirer: &str,
    keys: &dyn Keys,
) -> Result<Vec<Payee>, Refused> {
    match kind {
        PaymentKind::Purchase | PaymentKind::TopUp | PaymentKind::Balance => {
            let merchant = required(request, 42, "the merchant")?.to_owned();
            Ok(vec![Payee::Merchant { acquirer: acquirer.to_owned(), merchant }])
        }
        PaymentKind::Transfer => {
            let to = required(request, 103, "the payee's card")?;
            let to = Pan::parse(to).map_err(|_| Refused::Format(103, "the payee's card"))?;
            let tags = keys
                .index_all(IndexPurpose::PayeePan, &[to.expose().as_bytes()])
                .map_err(EngineFault::from)?;
            Ok(tags.into_iter().map(|tag| Payee::Card(tag.bytes)).collect())
        }
        PaymentKind::Bill => match (tags.get(BILL), tags.get(BILL_PAYMENT)) {
            (Some(bill), Some(payment)) => {
                Ok(admission::bills(keys, bill, payment).map_err(EngineFault::from)?)
            }
            _ => Err(Refused::Format(48, "bill id (tag 03) and payment id (tag 04)")),
        },
    }
}

/// What makes it this transaction of its card.
pub(super) fn identity(request: &Message) -> Result<Mark, Refused> {
    let stan = required(request, 11, "the trace number")?;
    let (time, date) = (required(request, 12, "the local time")?, required(request, 13, "the local date")?);
    let terminal = required(request, 41, "the terminal")?;
    Ok(Mark::of(&[stan, time, date, acquirer(request)?, terminal].map(str::as_bytes)))
}

/// DE4.
fn amount(request: &Message) -> Result<Rial, Refused> {
    let digits = required(request, 4, "the amount")?;
    let amount = digits.parse().ok().and_then(|rial| Rial::new(rial).ok());
    amount.ok_or(Refused::Format(4, "the amount, twelve digits"))
}

/// What the cardholder would be debited beside the amount of DE4, and with it. A PIN was asked for the amount alone. Beside it are fees (DE8; DE28
/// and DE30 where they are debits) and what DE6 has more; fees between banks (DE29, DE31) are not.
fn debited(request: &Message, amount: Rial) -> Result<(Rial, Rial), Refused> {
    let mut fees = 0;
    for field in [28, 30] {
        let garbled = || Refused::Format(field, "C or D and a fee, eight digits");
        let Some(fee) = request.get(field) else { continue };
        let (sign, digits) = fee.split_at_checked(1).ok_or_else(garbled)?;
        let fee: u64 = digits.parse().map_err(|_| garbled())?;
        fees += match sign {
            "C" => 0,
            "D" => fee,
            _ => return Err(garbled()),
        };
    }
    let number = |field: u8, expected| {
        request
            .get(field)
            .map_or(Ok(0), |digits| digits.parse().map_err(|_| Refused::Format(field, expected)))
    };
    fees += number(8, "a fee, eight digits")?;
    fees += number(6, "an amount, twelve digits")?.saturating_sub(amount.get());
    if request.get(51).is_some_and(|currency| currency != RIAL_NUMERIC_CODE) {
        return Err(Refused::No(Refusal::InvalidTransaction));
    }
    match (Rial::new(fees), Rial::new(amount.get() + fees)) {
        (Ok(fees), Ok(debited)) => Ok((fees, debited)),
        _ => Err(Refused::No(Refusal::MoreThanAmount)),
    }
}

/// DE32 without leading zeros: networks pad it differently.
fn acquirer(request: &Message) -> Result<&str, Refused> {
    Ok(required(request, 32, "the acquirer")?.trim_start_matches('0'))
}

/// What a reversal is matched by: DE90's parts and the terminal. The type is not among them: a reversal of a repeat
/// names either.
pub(super) fn reversal_mark(stan: &str, transmitted: &str, acquirer: &str, terminal: &str) -> Mark {
    Mark::of(&[stan, transmitted, acquirer.trim_start_matches('0'), terminal].map(str::as_bytes))
}

/// The same without the transmission time: within the ten minutes that a card remembers it, a trace number is one transaction's of its
/// terminal.
pub(super) fn trace_mark(stan: &str, acquirer: &str, terminal: &str) -> Mark {
    Mark::of(&[b"trace", stan.as_bytes(), acquirer.trim_start_matches('0').as_bytes(), terminal.as_bytes()])
}

/// What a reversal without DE90 is matched by: DE37 and DE41.
pub(super) fn reference_mark(request: &Message) -> Option<Mark> {
    let (reference, terminal) = (request.get(37)?, request.get(41)?);
    Some(Mark::of(&[b"reference", reference.as_bytes(), terminal.as_bytes()]))
}

/// What a reversal that comes again is known by: it differs in DE7 only.
pub(super) fn message_mark(request: &Message) -> Option<Mark> {
    let acquirer = request.get(32).unwrap_or("").trim_start_matches('0');
    let (stan, terminal) = (request.get(11)?, request.get(41)?);
    Some(Mark::of(&[b"message", stan.as_bytes(), acquirer.as_bytes(), terminal.as_bytes()]))
}

pub(super) fn required<'a>(
    request: &'a Message,
    field: u8,
    expected: &'static str,
) -> Result<&'a str, Refused> {
    request.get(field).filter(|text| !text.trim().is_empty()).ok_or(Refused::Format(field, expected))
}
