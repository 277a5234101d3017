//! What a terminal shows and prints, in the cardholder's language. No number of a card or phone but masked.

use ramz_domain::card::Service;
use ramz_domain::{Language, Refusal, limits};

/// The words of a bank in a language.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) bank: &'a BankAtTerminal,
    pub(super) language: Language,
}

/// What a bank's terminals say of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BankAtTerminal {
    /// Where cardholders text to; empty if there is none.
    pub short_code: String,
    /// Where the app is; empty if there is none.
    pub app_address: String,
}

impl Words<'_> {
    fn in_language(&self, fa: impl Into<String>, en: impl Into<String>) -> String {
        match self.language {
            Language::Persian => fa.into(),
            Language::English => en.into(),
        }
    }

    pub(super) fn confirm_phone(&self, masked: &str) -> String {
        self.in_language(
            format!("رمز پویای پیامکی برای شماره همراه {masked} فعال شود؟"),
            format!("Activate PINs by SMS for the mobile {masked}?"),
        )
    }

    pub(super) fn switched(&self, service: Service, masked: &str) -> String {
        let code = &self.bank.short_code;
        let minutes = limits::ACTIVATION_VALID.as_secs() / 60;
        match service {
            Service::SmsOn if code.is_empty() => self.in_language(
                "رمز پویای پیامکی فعال شد. راهنما پیامک می‌شود.",
                "PINs by SMS are active. A guide comes by SMS.",
            ),
            Service::SmsOn => self.in_language(
                format!("رمز پویای پیامکی فعال شد. برای دریافت رمز، چهار رقم آخر کارت را به {code} پیامک کنید."),
                format!("PINs by SMS are active. Text the last four digits of the card to {code} for a PIN."),
            ),
            Service::SmsOff => {
                self.in_language("رمز پویای پیامکی غیرفعال شد.", "PINs by SMS are switched off.")
            }
            Service::AppOn => self.in_language(
                format!("نیمه دوم کد فعال‌سازی به {masked} پیامک شد. اعتبار: {minutes} دقیقه. رسید را بردارید."),
                format!("The other half of the code was sent to {masked}. Valid for {minutes} minutes. Take the receipt."),
            ),
            Service::AppOff => self.in_language("رمزنگار غیرفعال شد.", "The app is switched off."),
            Service::FirstPinOn => self.in_language("رمز اول پویا فعال شد.", "The first PIN is dynamic now."),
            Service::FirstPinOff => {
                self.in_language("رمز اول ثابت فعال شد.", "The first PIN is the static one again.")
            }
        }
    }

    pub(super) fn receipt(&self, half: &str) -> String {
        let minutes = limits::ACTIVATION_VALID.as_secs() / 60;
        self.in_language(
            format!(
                "فعال‌سازی رمزنگار\nنیمه اول کد: {half}\nنیمه دوم پیامک شده است.\nاعتبار: {minutes} دقیقه\nاین کد را برای هیچ‌کس نخوانید."
            ),
            format!(
                "Ramznegar activation\nFirst half of the code: {half}\nThe other half comes by SMS.\nValid for {minutes} minutes\nDo not read this code to anybody."
            ),
        )
    }

    pub(super) fn unlocked(&self) -> String {
        self.in_language("قفل رمز پویا باز شد.", "The dynamic PIN is unlocked.")
    }

    /// Numbered, as [`Words::device_removed`] wants them chosen.
    pub(super) fn devices(&self, listed: &[(u8, String)]) -> String {
        if listed.is_empty() {
            return self.in_language("دستگاهی ثبت نشده است.", "No device is registered.");
        }
        let line = |(number, name): &(u8, String)| format!("{number}. {name}");
        listed.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn device_removed(&self) -> String {
        self.in_language("دستگاه حذف شد.", "The device was removed.")
    }

    pub(super) fn refused(&self, why: Refusal) -> String {
        why.text(self.language).to_owned()
    }

    /// What the host said of the first PIN.
    pub(super) fn first_pin(&self, code: &str) -> String {
        match code {
            "55" => self.in_language("رمز کارت درست نیست.", "The PIN is wrong."),
            "38" | "75" => self.in_language(
                "دفعات مجاز ورود رمز تمام شده است. به شعبه مراجعه کنید.",
                "PIN tries exceeded. Ask your branch.",
            ),
            "54" => self.in_language("تاریخ کارت گذشته است.", "The card has expired."),
            "91" | "96" => self.in_language(
                "بانک پاسخ نمی‌دهد. کمی بعد دوباره تلاش کنید.",
                "The bank does not answer. Try again later.",
            ),
            _ => self.in_language("این کارت پذیرفته نشد.", "This card was not accepted."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_a_tag_and_speaks_its_language() {
        let bank = BankAtTerminal { short_code: "30003303".into(), app_address: String::new() };
        for language in [Language::Persian, Language::English] {
            let words = Words { bank: &bank, language };
            let services = [
                Service::SmsOn,
                Service::SmsOff,
                Service::AppOn,
                Service::AppOff,
                Service::FirstPinOn,
                Service::FirstPinOff,
            ];
            let mut all: Vec<String> =
                services.into_iter().map(|service| words.switched(service, "0912***4567")).collect();
            all.extend(["55", "75", "54", "91", "05"].map(|code| words.first_pin(code)));
            all.extend([words.confirm_phone("0912***4567"), words.receipt("12345678")]);
            let longest = "ن".repeat(limits::DEVICE_NAME_CHARS_MAX);
            let listed = [(1, longest.clone()), (2, longest)];
            assert!(words.devices(&listed).len() <= 400);
            all.extend([words.unlocked(), words.devices(&[]), words.device_removed()]);
            for text in all {
                assert!(text.len() <= 400, "{text}");
                assert_eq!(text.is_ascii(), language == Language::English, "{text}");
            }
        }
    }
}
