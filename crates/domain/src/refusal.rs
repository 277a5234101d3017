//! Every reason the answer is no. One row a refusal: stable code, ISO 8583 response code, the payer's text.

use minicbor::{Decode, Encode};

use crate::Language;

/// Response codes (DE39, ISO 8583:1987) that are no refusal: approved, with identification, in part, for a VIP, with an update of
/// the track. Whoever takes one for a no gives back what was taken, or keeps what nobody will undo.
const APPROVALS: [&str; 5] = ["00", "08", "10", "11", "16"];

/// Whether a host that answers this may have taken money.
pub fn is_approval(response_code: &str) -> bool {
    APPROVALS.contains(&response_code)
}

macro_rules! refusals {
    ($($index:literal $name:ident $code:literal $rc:literal $fa:literal $en:literal, #[doc = $doc:literal])*) => {
        /// Why a payment or a command was refused. The codes and numbers never change.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
        #[cbor(index_only)]
        pub enum Refusal {
            $(#[doc = $doc] #[n($index)] $name,)*
        }

        impl Refusal {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name),*];

            /// The stable code, as in DE48 tag 15 and in the journal.
            pub const fn code(self) -> &'static str {
                match self { $(Refusal::$name => $code,)* }
            }

            /// The ISO 8583 response code (DE39).
            pub const fn response_code(self) -> &'static str {
                match self { $(Refusal::$name => $rc,)* }
            }

            /// What a payer reads.
            pub const fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Refusal::$name, Language::Persian) => $fa, (Refusal::$name, Language::English) => $en,)*
                }
            }
        }
    };
}

refusals! {
    0 InvalidTransaction "invalid_transaction" "12" "این تراکنش معتبر نیست." "This transaction is not valid.",
        #[doc = "The kind of transaction is not one that is served."]
    1 NoSuchCard "no_such_card" "14" "شماره کارت شناخته نشد." "This card number is not known.",
        #[doc = "No card has this number here."]
    2 FormatError "format_error" "30" "درخواست کامل نیست." "The request is incomplete or garbled.",
        #[doc = "A field is missing or garbled; DE48 tag 15 is followed by the field."]
    3 WrongExpiry "wrong_expiry" "54" "تاریخ انقضا درست نیست." "The expiry date is not right.",
        #[doc = "The expiry shown is not the card's. Not counted against the PIN."]
    4 WrongPin "wrong_pin" "55" "رمز پویا درست نیست." "The dynamic PIN is wrong.",
        #[doc = "No open PIN matched; one failure was counted."]
    5 StalePin "stale_pin" "55" "این رمز پویا دیگر معتبر نیست." "This dynamic PIN is no longer valid.",
        #[doc = "A PIN that was spent, replaced, burnt or has expired. Not counted."]
    6 NoOpenPin "no_open_pin" "55" "رمز پویای فعالی برای این کارت نیست." "There is no dynamic PIN open for this card.",
        #[doc = "Nothing was open, so nothing was compared and nothing counted."]
    7 OtherPayment "other_payment" "59" "این رمز پویا برای پرداخت دیگری بود." "This dynamic PIN was for another payment.",
        #[doc = "The PIN of another payment: burnt and counted."]
    8 NotPermitted "not_permitted" "57" "این تراکنش برای این کارت مجاز نیست." "This card may not make this transaction.",
        #[doc = "A card-not-present payment without a PIN, or a card that is switched off."]
    9 TooOften "too_often" "65" "تعداد درخواست‌ها بیش از حد مجاز است." "Too many attempts. Try again in ten minutes.",
        #[doc = "A throttle is full: wrong expiries, or answers that must still be remembered."]
    10 TriesExceeded "tries_exceeded" "75" "رمز پویای کارت قفل شده است." "The card's dynamic PIN is locked.",
        #[doc = "Three wrong PINs in a row: locked. Nothing is compared while it lasts."]
    11 IssuerInoperative "issuer_inoperative" "91" "بانک کارت پاسخ نمی‌دهد." "The card's bank does not answer.",
        #[doc = "The card host or the issuer cannot be reached. Nothing was spent."]
    12 DuplicateOther "duplicate_other" "94" "تراکنش تکراری با محتوای دیگر." "A repeat of a transaction with other content.",
        #[doc = "The identity of an earlier transaction with other content."]
    13 Malfunction "malfunction" "96" "خطای داخلی؛ دوباره تلاش کنید." "An internal fault; try again.",
        #[doc = "A fault on our side: never counted as a try."]
    14 ReversedBefore "reversed_before" "12" "این تراکنش پیش از این برگشت خورده است." "This transaction has already been reversed.",
        #[doc = "The reversal of this transaction arrived before it did."]
    15 OverCeiling "over_ceiling" "61" "مبلغ از سقف این رمز پویا بیشتر است." "The amount is above this PIN's ceiling.",
        #[doc = "A PIN that is right, for a payment above its ceiling: used up, not counted."]
    16 StaticTotal "static_total" "61" "سقف پرداخت با رمز ایستا پر شده است؛ رمز پویا بگیرید." "Above what a static PIN may pay. Use a dynamic PIN.",
        #[doc = "A static PIN may be used for small payments only, up to a total in 24 hours. Not counted."]
    17 NoPhone "no_phone" "57" "برای این کارت شماره همراهی ثبت نشده است." "No mobile number is registered for this card.",
        #[doc = "A service that needs the registered mobile."]
    18 NoDevice "no_device" "57" "برنامه رمزنگار برای این کارت فعال نیست." "The app is not active for this card.",
        #[doc = "A service that needs a device with the app, or the number of one."]
    19 NotOffered "not_offered" "57" "بانک این خدمت را ارائه نمی‌دهد." "The bank does not offer this service.",
        #[doc = "A service that the bank's policy leaves out."]
    20 ClockOff "clock_off" "55" "ساعت گوشی تنظیم نیست؛ ساعت را درست کنید یا رمزنگار را همگام کنید." "The phone's clock is off. Set it, or resync the app.",
        #[doc = "A code of the app that is right for another minute: counted, and used up."]
    21 DeviceLimit "device_limit" "57" "این کارت روی بیشترین تعداد دستگاه فعال است؛ یکی را در خودپرداز حذف کنید." "The card is on as many devices as it may be. Remove one at an ATM.",
        #[doc = "The app: a card is on at most two devices."]
    22 OtherSeed "other_seed" "57" "این کارت پیش از این روی این دستگاه ثبت شده است." "This card is on this device already.",
        #[doc = "The app: this reference, or this device, has another seed for the card. None is ever overwritten."]
    23 DeviceRevoked "device_revoked" "57" "این دستگاه حذف شده است." "This device was removed.",
        #[doc = "The app: a device that was revoked."]
    24 ControlCode "control_code" "55" "برای این کار کد تایید لازم است." "This needs a control code.",
        #[doc = "The app: a control code is missing. Not counted."]
    25 NoConsecutive "no_consecutive_codes" "55" "این دو کد پشت سر هم نیستند." "These are not two codes in a row.",
        #[doc = "The app: a resync without two codes of consecutive minutes. Counted."]
    26 MoreThanAmount "more_than_amount" "13" "جز مبلغ، کارمزدی هم خواسته شده که رمز برای آن نیست." "More would be debited than the amount that the PIN is for.",
        #[doc = "Fees beside the amount, above what the bank allows. No PIN was compared."]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_own_code_and_a_text_in_each_language() {
        let mut codes: Vec<_> = Refusal::ALL.iter().map(|r| r.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Refusal::ALL.len());
        for refusal in Refusal::ALL {
            assert!(refusal.response_code().len() == 2 && refusal.response_code() != "00", "{refusal:?}");
            assert!(refusal.text(Language::Persian).chars().any(|c| ('\u{0600}'..'\u{0700}').contains(&c)));
            assert!(refusal.text(Language::English).is_ascii());
        }
    }
}
