//! English.

use ramz_domain::{Language, PaymentKind};

use super::{PinText, Text};

pub(super) fn pin_text(text: &mut Text, what: &PinText<'_>) {
    text.name(what.bank);
    text.line(&[what.kind.text(Language::English)]);
    text.name(what.payee);
    if what.kind != PaymentKind::Balance {
        text.line(&["Amount: ", &what.amount.with_commas(), " IRR"]);
    }
    text.line(&["PIN: ", what.pin.expose()]);
    text.line(&["Valid until: ", &what.expires.tehran_hms()]);
}
