//! The services of a terminal and the menu «تغییر رمز و خدمات رمز پویا»: their codes in field 3, and what people read.
//!
//! Pure: words and codes. Not here: messages, and what a bank decides.

use ramz_domain::Language;

/// The menu's heading.
pub const MENU: (&str, &str) = ("تغییر رمز و خدمات رمز پویا", "Change of PIN, and dynamic PIN services");

macro_rules! services {
    ($($name:ident $code:literal $fa:literal $en:literal,)*) => {
        /// A terminal service.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Service {
            $(#[doc = $en] $name,)*
        }

        impl Service {
            /// All services, in the order of the menu.
            pub const ALL: &'static [Service] = &[$(Service::$name),*];

            /// Field 3.
            pub const fn code(self) -> &'static str {
                match self { $(Service::$name => $code,)* }
            }

            /// What stands in the menu.
            pub const fn label(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Service::$name, Language::Persian) => $fa, (Service::$name, Language::English) => $en,)*
                }
            }
        }
    };
}

services! {
    ActivateApp "900000" "فعال‌سازی برنامه‌ی رمزنگار" "Activate the app",
    ShowPhone "910000" "فعال‌سازی رمز پویای پیامکی" "Activate PINs by SMS",
    ActivateSms "911000" "تأیید موبایل و فعال‌سازی" "Confirm the mobile and activate",
    AppOff "920000" "غیرفعال‌سازی برنامه‌ی رمزنگار" "Switch off the app",
    SmsOff "921000" "غیرفعال‌سازی رمز پویای پیامکی" "Switch off PINs by SMS",
    FirstPinOn "930000" "پویا کردن رمز اول" "Make the first PIN dynamic",
    FirstPinOff "931000" "بازگشت به رمز اول ثابت" "Go back to the static first PIN",
    Unlock "940000" "رفع قفل رمز پویا" "Unlock after wrong PINs",
    ListDevices "950000" "دستگاه‌های من" "My devices",
    RevokeDevice "951000" "حذف دستگاه" "Remove a device",
}

impl Service {
    /// The service of a code in field 3.
    pub fn of(code: &str) -> Option<Service> {
        Service::ALL.iter().copied().find(|service| service.code() == code)
    }

    /// What follows, once the customer has seen the answer and agrees: after the mobile is shown, its activation; after the
    /// list of devices, the removal of one.
    pub const fn then(self) -> Option<Service> {
        match self {
            Service::ShowPhone => Some(Service::ActivateSms),
            Service::ListDevices => Some(Service::RevokeDevice),
            _ => None,
        }
    }

    /// Whether it stands in the menu: what follows another does not.
    pub fn is_in_menu(self) -> bool {
        Service::ALL.iter().all(|service| service.then() != Some(self))
    }

    /// Whether a choice goes with it (field 48, tag 14): the number of a device in the list shown before.
    pub const fn takes_choice(self) -> bool {
        matches!(self, Service::RevokeDevice)
    }

    /// Whether a terminal asks once more before it does it: what takes something away from the customer.
    pub const fn asks_again(self) -> bool {
        matches!(self, Service::AppOff | Service::SmsOff | Service::FirstPinOff | Service::RevokeDevice)
    }
}

/// What a response code says at a terminal, in Persian and in English: for when the bank sends no text of its own.
const REASONS: &[(&str, &str, &str)] = &[
    ("00", "انجام شد.", "Done."),
    ("12", "بانک شما این خدمت را ندارد.", "Your bank does not offer this service."),
    ("14", "این کارت شناخته نشد.", "This card is not known."),
    ("30", "بانک پیام پایانه را نخواند.", "The bank could not read the terminal's message."),
    ("51", "موجودی کارت کافی نیست.", "There is not enough on the card."),
    ("54", "تاریخ انقضای کارت درست نیست.", "The card's expiry date is not right."),
    ("55", "رمز اول درست نیست.", "The first PIN is wrong."),
    ("57", "این خدمت برای این کارت ممکن نیست.", "This service is not possible for this card."),
    ("61", "مبلغ بیش از سقف مجاز است.", "The amount is above what is allowed."),
    ("65", "درخواست‌ها بیش از حد مجاز است؛ کمی بعد دوباره بکوشید.", "Too many requests; try again later."),
    ("75", "رمز بیش از حد مجاز نادرست وارد شده و قفل است.", "Too many wrong PINs: the PIN is locked."),
    ("91", "بانک کارت پاسخ نمی‌دهد.", "The card's bank does not answer."),
    (
        "94",
        "این درخواست پیش از این با محتوای دیگری آمده است.",
        "This request came before with other content.",
    ),
    ("96", "خطای داخلی بانک؛ دوباره بکوشید.", "A fault at the bank; try again."),
];

/// What is said of a code that is not in the table.
const OTHER: (&str, &str) = ("انجام نشد.", "Not done.");

/// What a response code (field 39) says at a terminal.
pub fn reason(response_code: &str, language: Language) -> &'static str {
    let row = REASONS.iter().find(|(code, ..)| *code == response_code);
    let (fa, en) = row.map_or(OTHER, |(_, fa, en)| (*fa, *en));
    match language {
        Language::Persian => fa,
        Language::English => en,
    }
}

/// The menu and the reasons as a page reads them, in both languages.
pub(super) fn as_json() -> serde_json::Value {
    let both = |service: Service| (service.label(Language::Persian), service.label(Language::English));
    let services: Vec<_> = Service::ALL
        .iter()
        .map(|service| {
            let (fa, en) = both(*service);
            serde_json::json!({
                "service": service.code(),
                "fa": fa,
                "en": en,
                "in_menu": service.is_in_menu(),
                "then": service.then().map(Service::code),
                "takes_choice": service.takes_choice(),
                "asks_again": service.asks_again(),
            })
        })
        .collect();
    let reasons: Vec<_> = REASONS
        .iter()
        .map(|(code, fa, en)| serde_json::json!({ "response_code": code, "fa": fa, "en": en }))
        .collect();
    serde_json::json!({
        "menu": { "fa": MENU.0, "en": MENU.1 },
        "services": services,
        "payments": super::payments::as_json(),
        "reasons": reasons,
        "other": { "fa": OTHER.0, "en": OTHER.1 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_its_own_code_and_its_words() {
        for service in Service::ALL {
            assert_eq!(Service::of(service.code()), Some(*service));
            assert_eq!(service.code().len(), 6);
            let (fa, en) = (service.label(Language::Persian), service.label(Language::English));
            assert!(fa.chars().any(|c| ('\u{0600}'..'\u{0700}').contains(&c)) && en.is_ascii(), "{fa} {en}");
        }
        for code in ["", "9", "900001", "۹۰۰۰۰۰", "000000"] {
            assert_eq!(Service::of(code), None, "{code}");
        }
    }

    #[test]
    fn the_menu_has_eight_entries_and_two_services_follow_another() {
        let menu: Vec<_> = Service::ALL.iter().filter(|service| service.is_in_menu()).collect();
        assert_eq!(menu.len(), 8, "four keys on each side of the screen");
        assert_eq!(Service::ShowPhone.then(), Some(Service::ActivateSms));
        assert_eq!(Service::ListDevices.then(), Some(Service::RevokeDevice));
        assert!(!menu.contains(&&Service::ActivateSms) && !menu.contains(&&Service::RevokeDevice));
    }

    #[test]
    fn a_code_is_said_in_words_also_one_that_nobody_knows() {
        for (code, fa, en) in [
            ("55", "رمز اول درست نیست.", "The first PIN is wrong."),
            ("91", "بانک کارت پاسخ نمی‌دهد.", "The card's bank does not answer."),
            ("Z9", "انجام نشد.", "Not done."),
        ] {
            assert_eq!((reason(code, Language::Persian), reason(code, Language::English)), (fa, en));
        }
    }

    #[test]
    fn the_page_reads_the_same_words() {
        let json = as_json();
        assert_eq!(json["services"][1]["then"], "911000");
        assert_eq!(json["services"][2]["in_menu"], false);
        assert_eq!(json["reasons"][6]["en"], "The first PIN is wrong.");
    }
}
