//! Persian.

use ramz_domain::{Language, PaymentKind, Service};

use super::{PinText, Text, TextedPin, ending, number};

pub(super) fn pin_text(text: &mut Text, what: &PinText<'_>) {
    text.name(what.bank);
    text.line(&[what.kind.text(Language::Persian)]);
    match what.kind {
        // An SMS of an earlier release's PIN names no card or bill.
        PaymentKind::Transfer | PaymentKind::Bill if what.payee.is_empty() => {}
        PaymentKind::Transfer => text.line(&["به کارت ", &number(what.payee)]),
        PaymentKind::Bill => {
            let service = Service::of_bill_id(what.payee);
            let service = service.map_or("قبض", |service| service.text(Language::Persian));
            text.line(&[service, " ", &number(what.payee)]);
        }
        PaymentKind::Purchase | PaymentKind::TopUp | PaymentKind::Balance => text.name(what.payee),
    }
    if what.kind != PaymentKind::Balance {
        text.line(&["مبلغ:", &what.amount.with_commas(), " ریال"]);
    }
    text.line(&["رمز:", what.pin.expose()]);
    text.line(&["اعتبار:", &what.expires.tehran_hms()]);
}

pub(super) fn texted_pin_text(text: &mut Text, what: &TextedPin<'_>) {
    text.name(what.bank);
    text.line(&["رمز پویا کارت ", &ending(what.card)]);
    text.line(&["سقف: ", &what.ceiling.with_commas(), " ریال"]);
    text.line(&["رمز:", what.pin.expose()]);
    text.line(&["اعتبار:", &what.expires.tehran_hms()]);
}
