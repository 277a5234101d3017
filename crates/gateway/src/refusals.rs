//! What a payer reads when the bank says no: the reason, what to do about it, and which part of the page to go to.

use ramz_domain::{Language, Refusal};

/// Where the payer goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Type the PIN again.
    Pin,
    /// Ask for a new PIN.
    Ask,
    /// Check number, expiry and CVV2.
    Card,
    /// Check where the money goes.
    Payee,
    /// Use another card.
    OtherCard,
    /// Try the same again in a while.
    Later,
}

impl Next {
    /// The word in the page's JSON.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Next::Pin => "pin",
            Next::Ask => "ask",
            Next::Card => "card",
            Next::Payee => "payee",
            Next::OtherCard => "other_card",
            Next::Later => "later",
        }
    }
}

/// One reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reason {
    fa: (&'static str, &'static str),
    en: (&'static str, &'static str),
    pub(crate) next: Next,
}

impl Reason {
    /// What happened.
    pub(crate) const fn text(&self, language: Language) -> &'static str {
        match language {
            Language::Persian => self.fa.0,
            Language::English => self.en.0,
        }
    }

    /// What to do.
    pub(crate) const fn advice(&self, language: Language) -> &'static str {
        match language {
            Language::Persian => self.fa.1,
            Language::English => self.en.1,
        }
    }
}

/// The reason for a response code (DE39), made more exact by the refusal code of DE48 tag 15 if the bank sends one.
pub(crate) fn reason(response_code: &str, refusal: Option<&str>) -> Reason {
    match (response_code, refusal) {
        (_, Some("stale_pin")) => STALE_PIN,
        (_, Some("no_open_pin")) => NO_OPEN_PIN,
        (_, Some("no_such_payee")) => NO_PAYEE,
        (_, Some("static_total")) => STATIC_TOTAL,
        (_, Some("over_ceiling")) => OVER_CEILING,
        (_, Some("clock_off")) => CLOCK_OFF,
        (_, Some(NO_BALANCE)) => UNTOLD,
        ("55", _) => WRONG_PIN,
        ("59", _) => OTHER_PAYMENT,
        ("75", _) => LOCKED,
        ("51", _) => FUNDS,
        ("54" | "33", _) => EXPIRY,
        ("14" | "15" | "56", _) => NO_CARD,
        ("41" | "43" | "36" | "62" | "57", _) => NOT_PERMITTED,
        ("61" | "65", _) => CEILING,
        ("91", Some(NOT_ASKED)) => NO_BANK,
        // The bank may have asked its host, and takes back what that charged: only it knows.
        ("91" | "92" | "90" | "68", _) => NO_WORD,
        ("96" | "06" | "30" | "94", _) => BANK_FAULT,
        _ => OTHER,
    }
}

/// The bank does not answer…
pub(crate) const NO_BANK_CODE: &str = "91";
/// … and was not asked, or did not ask its host: nothing was charged. A bank says so with the same refusal code.
pub(crate) const NOT_ASKED: &str = Refusal::IssuerInoperative.code();
/// Our own word for a balance that was approved and not told.
pub(crate) const NO_BALANCE: &str = "no_balance";

const WRONG_PIN: Reason = Reason {
    fa: (
        "رمز پویا نادرست است.",
        "رمز را با پیامک بانک مقایسه کنید و دوباره وارد کنید. پس از سه رمز نادرست، رمز پویای کارت قفل می‌شود.",
    ),
    en: (
        "The dynamic PIN is wrong.",
        "Compare it with the bank's message and type it again. After three wrong PINs the card's dynamic PIN is locked.",
    ),
    next: Next::Pin,
};
const STALE_PIN: Reason = Reason {
    fa: ("این رمز پویا دیگر معتبر نیست.", "رمز پویای تازه‌ای درخواست کنید."),
    en: ("This dynamic PIN is no longer valid.", "Ask for a new dynamic PIN."),
    next: Next::Ask,
};
const NO_OPEN_PIN: Reason = Reason {
    fa: ("رمز پویای فعالی برای این پرداخت نیست.", "رمز پویای تازه‌ای درخواست کنید."),
    en: ("There is no dynamic PIN open for this payment.", "Ask for a new dynamic PIN."),
    next: Next::Ask,
};
const OTHER_PAYMENT: Reason = Reason {
    fa: (
        "این رمز پویا برای پرداخت دیگری بود و باطل شد.",
        "مبلغ و نام پذیرنده را در پیامک ببینید و برای همین پرداخت رمز تازه‌ای درخواست کنید.",
    ),
    en: (
        "This dynamic PIN was for another payment and is now void.",
        "Check the amount and the payee in the message, and ask for a new PIN for this payment.",
    ),
    next: Next::Ask,
};
const LOCKED: Reason = Reason {
    fa: (
        "رمز پویای این کارت قفل شده است.",
        "با کارت دیگری بپردازید. قفل را در خودپرداز یا با تماس با بانک باز کنید.",
    ),
    en: (
        "This card's dynamic PIN is locked.",
        "Pay with another card. Unlock it at an ATM or through your bank.",
    ),
    next: Next::OtherCard,
};
const FUNDS: Reason = Reason {
    fa: ("موجودی کارت کافی نیست.", "با کارت دیگری بپردازید؛ مبلغی کسر نشد."),
    en: ("The card's balance is not enough.", "Pay with another card; nothing was charged."),
    next: Next::OtherCard,
};
const EXPIRY: Reason = Reason {
    fa: ("تاریخ انقضا یا CVV2 درست نیست.", "ماه و سال را همان‌گونه که روی کارت است وارد کنید."),
    en: ("The expiry date or CVV2 is not right.", "Enter month and year as the card shows them."),
    next: Next::Card,
};
const NO_CARD: Reason = Reason {
    fa: ("شماره کارت شناخته نشد.", "شماره کارت را با کارت مقایسه کنید."),
    en: ("This card number is not known.", "Compare the number with the card."),
    next: Next::Card,
};
const NO_PAYEE: Reason = Reason {
    fa: ("کارت مقصد شناخته نشد.", "شماره کارت مقصد را دوباره ببینید؛ مبلغی کسر نشد."),
    en: ("The destination card is not known.", "Look at its number again; nothing was charged."),
    next: Next::Payee,
};
const NOT_PERMITTED: Reason = Reason {
    fa: ("این کارت اجازه پرداخت اینترنتی ندارد.", "با کارت دیگری بپردازید یا از بانک خود بپرسید."),
    en: ("This card may not pay online.", "Pay with another card, or ask your bank."),
    next: Next::OtherCard,
};
const CEILING: Reason = Reason {
    fa: (
        "سقف مبلغ یا تعداد پرداخت این کارت پر شده است.",
        "ده دقیقه دیگر دوباره تلاش کنید یا با کارت دیگری بپردازید.",
    ),
    en: ("This card has reached its limit.", "Try again in ten minutes, or pay with another card."),
    next: Next::OtherCard,
};
const STATIC_TOTAL: Reason = Reason {
    fa: (
        "این مبلغ با رمز ایستا پرداخت نمی‌شود: سقف ۲۴ ساعته آن پر می‌شود.",
        "رمز پویا درخواست کنید و با آن بپردازید.",
    ),
    en: ("This is more than the static PIN may pay in 24 hours.", "Ask for a dynamic PIN and pay with that."),
    next: Next::Ask,
};
const OVER_CEILING: Reason = Reason {
    fa: ("مبلغ از سقف این رمز پویا بیشتر است؛ این رمز باطل شد.", "برای همین پرداخت رمز پویا درخواست کنید."),
    en: (
        "The amount is above the ceiling of this dynamic PIN, which is void now.",
        "Ask for a dynamic PIN for this payment.",
    ),
    next: Next::Ask,
};
const CLOCK_OFF: Reason = Reason {
    fa: (
        "ساعت گوشی تنظیم نیست، پس رمز برنامه رمزنگار پذیرفته نشد.",
        "ساعت گوشی را درست کنید و رمز تازه‌ای بسازید، یا رمز پویا درخواست کنید.",
    ),
    en: (
        "The phone's clock is off, so the app's PIN was not accepted.",
        "Set the phone's clock and take a new PIN, or ask for a dynamic PIN.",
    ),
    next: Next::Pin,
};
const UNTOLD: Reason = Reason {
    fa: ("بانک پذیرفت، اما مانده را نفرستاد.", "رمز پویای تازه‌ای درخواست کنید و دوباره تلاش کنید."),
    en: ("The bank agreed but told no balance.", "Ask for a new dynamic PIN and try again."),
    next: Next::Ask,
};
const NO_BANK: Reason = Reason {
    fa: ("بانک کارت پاسخ نمی‌دهد.", "مبلغی کسر نشد. کمی دیگر دوباره تلاش کنید یا با کارت دیگری بپردازید."),
    en: (
        "The card's bank does not answer.",
        "Nothing was charged. Try again in a moment, or pay with another card.",
    ),
    next: Next::Later,
};
const NO_WORD: Reason = Reason {
    fa: (
        "بانک کارت به‌موقع پاسخ نداد.",
        "اگر مبلغی کسر شده باشد، به کارت بازمی‌گردد. کمی دیگر دوباره تلاش کنید یا با کارت دیگری بپردازید.",
    ),
    en: (
        "The card's bank did not answer in time.",
        "If anything was charged, it will be returned. Try again in a moment, or pay with another card.",
    ),
    next: Next::Later,
};
const BANK_FAULT: Reason = Reason {
    fa: ("بانک نتوانست پرداخت را انجام دهد.", "مبلغی کسر نشد. دوباره تلاش کنید."),
    en: ("The bank could not make the payment.", "Nothing was charged. Try again."),
    next: Next::Later,
};
const OTHER: Reason = Reason {
    fa: ("بانک این پرداخت را نپذیرفت.", "مبلغی کسر نشد. با کارت دیگری بپردازید یا از بانک خود بپرسید."),
    en: ("The bank declined this payment.", "Nothing was charged. Pay with another card, or ask your bank."),
    next: Next::OtherCard,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_a_bank_has_words_in_both_languages() {
        for refusal in Refusal::ALL {
            let reason = reason(refusal.response_code(), Some(refusal.code()));
            for words in [reason.text(Language::Persian), reason.advice(Language::Persian)] {
                assert!(words.chars().any(|c| ('\u{0600}'..'\u{0700}').contains(&c)), "{refusal:?}");
            }
            assert!(reason.text(Language::English).is_ascii() && reason.advice(Language::English).is_ascii());
        }
    }

    #[test]
    fn nothing_was_charged_is_said_only_where_that_is_known() {
        let charged =
            |code, refusal| !reason(code, refusal).advice(Language::English).contains("Nothing was charged");
        assert!(!charged("91", Some(Refusal::IssuerInoperative.code())));
        assert!(charged("91", None), "a bank that reverses says 91 and no more");
    }

    #[test]
    fn the_codes_that_payers_meet_lead_on() {
        for (code, refusal, next) in [
            ("55", None, Next::Pin),
            ("55", Some("wrong_pin"), Next::Pin),
            ("55", Some("stale_pin"), Next::Ask),
            ("59", None, Next::Ask),
            ("75", None, Next::OtherCard),
            ("51", None, Next::OtherCard),
            ("14", Some("no_such_payee"), Next::Payee),
            ("54", None, Next::Card),
            ("91", None, Next::Later),
            ("61", Some("static_total"), Next::Ask),
            ("61", Some("over_ceiling"), Next::Ask),
            ("55", Some("clock_off"), Next::Pin),
            ("61", None, Next::OtherCard),
            ("00", Some(NO_BALANCE), Next::Ask),
            ("zz", None, Next::OtherCard),
        ] {
            assert_eq!(reason(code, refusal).next, next, "{code}");
        }
    }
}
