//! What stands on the page from the start, in each language. What it says while it is used is in `web/page/words.js`.

use ramz_domain::Language;

/// The fixed words of one language.
pub(crate) struct Labels {
    pub(crate) title: &'static str,
    pub(crate) gateway: &'static str,
    pub(crate) language: &'static str,
    pub(crate) time_left: &'static str,
    pub(crate) pay_to: &'static str,
    pub(crate) rial: &'static str,
    pub(crate) equals: &'static str,
    pub(crate) order: &'static str,
    pub(crate) description: &'static str,
    pub(crate) card: &'static str,
    pub(crate) card_number: &'static str,
    pub(crate) expiry: &'static str,
    pub(crate) month: &'static str,
    pub(crate) year: &'static str,
    pub(crate) bank_card: &'static str,
    pub(crate) pin: &'static str,
    pub(crate) pin_hint: &'static str,
    pub(crate) request_pin: &'static str,
    pub(crate) pay: &'static str,
    pub(crate) cancel: &'static str,
    pub(crate) check_address: &'static str,
    pub(crate) never_tell: &'static str,
    pub(crate) no_script: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) missing_text: &'static str,
}

/// The words of a language.
pub(crate) const fn of(language: Language) -> &'static Labels {
    match language {
        Language::Persian => &PERSIAN,
        Language::English => &ENGLISH,
    }
}

const PERSIAN: Labels = Labels {
    title: "پرداخت",
    gateway: "درگاه رمز",
    language: "English",
    time_left: "مهلت پرداخت",
    pay_to: "پرداخت به",
    rial: "ریال",
    equals: "برابر با",
    order: "سفارش",
    description: "بابت",
    card: "اطلاعات کارت",
    card_number: "شماره کارت",
    expiry: "تاریخ انقضا",
    month: "ماه",
    year: "سال",
    bank_card: "کارت بانکی",
    pin: "رمز پویا",
    pin_hint: "پس از وارد کردن شماره کارت، رمز را درخواست کنید تا بانک پیامک کند.",
    request_pin: "درخواست رمز پویا",
    pay: "پرداخت",
    cancel: "انصراف و بازگشت",
    check_address: "نشانی این صفحه باید با این آغاز شود:",
    never_tell: "رمز پویا را به هیچ‌کس نگویید، حتی به کارمند بانک.",
    no_script: "این صفحه به جاوااسکریپت نیاز دارد تا شماره کارت و رمز امن فرستاده شود. آن را در مرورگر روشن کنید.",
    missing: "چنین پرداختی نیست",
    missing_text: "نشانی را بررسی کنید یا پرداخت را از فروشگاه از نو آغاز کنید.",
};

const ENGLISH: Labels = Labels {
    title: "Payment",
    gateway: "Ramz gateway",
    language: "فارسی",
    time_left: "Time left",
    pay_to: "Pay to",
    rial: "rial",
    equals: "that is",
    order: "Order",
    description: "For",
    card: "Card details",
    card_number: "Card number",
    expiry: "Expiry",
    month: "Month",
    year: "Year",
    bank_card: "Bank card",
    pin: "Dynamic PIN",
    pin_hint: "Enter the card number, then ask for the PIN: the bank sends it by SMS.",
    request_pin: "Get dynamic PIN",
    pay: "Pay",
    cancel: "Cancel and go back",
    check_address: "This page's address must begin with",
    never_tell: "Tell your dynamic PIN to nobody, not even to bank staff.",
    no_script: "This page needs JavaScript, so that card number and PIN are sent safely. Switch it on in the browser.",
    missing: "There is no such payment",
    missing_text: "Check the address, or start the payment anew at the shop.",
};
