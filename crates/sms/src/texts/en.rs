//! English.

use ramz_domain::{Language, PaymentKind, Service};

use super::{PinText, Text, TextedPin, ending, number};

pub(super) fn pin_text(text: &mut Text, what: &PinText<'_>) {
    text.name(what.bank);
    text.line(&[what.kind.text(Language::English)]);
    match what.kind {
        // An SMS of an earlier release's PIN names no card or bill.
        PaymentKind::Transfer | PaymentKind::Bill if what.payee.is_empty() => {}
        PaymentKind::Transfer => text.line(&["To card ", &number(what.payee)]),
        PaymentKind::Bill => {
            let service = Service::of_bill_id(what.payee);
            let service = service.map_or("Bill", |service| service.text(Language::English));
            text.line(&[service, " ", &number(what.payee)]);
        }
        PaymentKind::Purchase | PaymentKind::TopUp | PaymentKind::Balance => text.name(what.payee),
    }
    if what.kind != PaymentKind::Balance {
        text.line(&["Amount: ", &what.amount.with_commas(), " IRR"]);
    }
    text.line(&["PIN: ", what.pin.expose()]);
    text.line(&["Valid until: ", &what.expires.tehran_hms()]);
}

pub(super) fn texted_pin_text(text: &mut Text, what: &TextedPin<'_>) {
    text.name(what.bank);
    text.line(&["Dynamic PIN, card ", &ending(what.card)]);
    text.line(&["Up to: ", &what.ceiling.with_commas(), " IRR"]);
    text.line(&["PIN: ", what.pin.expose()]);
    text.line(&["Valid until: ", &what.expires.tehran_hms()]);
}
