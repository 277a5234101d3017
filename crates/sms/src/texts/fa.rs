//! Persian.

use ramz_domain::{Language, PaymentKind};

use super::{PinText, Text};

pub(super) fn pin_text(text: &mut Text, what: &PinText<'_>) {
    text.name(what.bank);
    text.line(&[what.kind.text(Language::Persian)]);
    text.name(what.payee);
    if what.kind != PaymentKind::Balance {
        text.line(&["مبلغ:", &what.amount.with_commas(), " ریال"]);
    }
    text.line(&["رمز:", what.pin.expose()]);
    text.line(&["اعتبار:", &what.expires.tehran_hms()]);
}
