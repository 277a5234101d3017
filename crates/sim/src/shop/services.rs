//! `/services`: what is paid for without goods. A form each for transfer, bill, top-up and balance; each becomes a payment of
//! its kind at the gateway.
//!
//! No card is typed here, not even a transfer's destination: the payment page asks for it. A bill id and a telephone number go
//! to the gateway and are not kept.

use std::sync::Arc;

use axum::{
    extract::{Form, Path, State, rejection::FormRejection},
    http::HeaderMap,
    response::Response,
};
use ramz_domain::{Bill, Language, Phone, Rial, digits};
use serde::Deserialize;
use serde_json::json;

use super::{
    Shop,
    checkout::{self, Ordered},
    goods,
    pages::{self, Wrong},
};

/// Bills of made-up subscribers, for who has none at hand. Their check digits are right.
pub static SAMPLES: [(&str, &str); 5] = [
    ("4012735804122", "115050402"),
    ("2051836402210", "48050380"),
    ("7364028106235", "232050258"),
    ("1200011030753", "39050633"),
    ("6001524300999", "200050177"),
];

/// Operators that a line may be of: the gateway's word, and names.
pub(super) static OPERATORS: [(&str, [&str; 2]); 4] = [
    ("mci", ["همراه اول", "Hamrah-e Aval"]),
    ("irancell", ["ایرانسل", "Irancell"]),
    ("rightel", ["رایتل", "RighTel"]),
    ("shatel", ["شاتل موبایل", "Shatel Mobile"]),
];

/// What credit is sold for, in rial: the operators' usual steps.
pub(super) static CREDITS: [u64; 5] = [100_000, 200_000, 500_000, 1_000_000, 2_000_000];

/// A service, as the path has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Service {
    Transfer,
    Bill,
    TopUp,
    Balance,
}

/// Everything that one of the forms may send.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    #[serde(default)]
    pub(super) amount: String,
    #[serde(default)]
    pub(super) bill: String,
    #[serde(default)]
    pub(super) payment: String,
    #[serde(default)]
    pub(super) phone: String,
    #[serde(default)]
    pub(super) operator: String,
}

/// `POST /services/{service}`
pub(super) async fn order(
    State(shop): State<Arc<Shop>>,
    Path(service): Path<Service>,
    headers: HeaderMap,
    form: Result<Form<Typed>, FormRejection>,
) -> Response {
    let language = pages::language(&headers, None);
    let Ok(Form(typed)) = form else {
        return pages::notice(&shop, language, pages::Notice::Malformed);
    };
    match ordered(service, &typed, language) {
        Ok(ordered) => checkout::open(&shop, language, ordered).await,
        Err(wrong) => pages::services_with(&shop, language, &typed, Some(wrong)),
    }
}

/// What is ordered, or which form to mend.
fn ordered(service: Service, typed: &Typed, language: Language) -> Result<Ordered, Wrong> {
    let of = |kind, amount, what: String, extra| Ordered { kind, amount, what, extra, from_basket: false };
    match service {
        Service::Transfer => {
            let amount = goods::typed_amount(&typed.amount).ok_or(Wrong::Amount)?;
            let what = if language == Language::Persian { "کارت به کارت" } else { "Card to card" };
            Ok(of("transfer", amount, what.into(), None))
        }
        Service::Bill => {
            let bill = Bill::parse(&typed.bill, &typed.payment).map_err(|_| Wrong::Bill)?;
            let what = bill.service().map_or("قبض", |service| service.text(language));
            let extra = json!({ "bill": bill.expose(), "payment": bill.payment_id() });
            Ok(of("bill", bill.amount(), what.into(), Some(("bill", extra))))
        }
        Service::TopUp => {
            let phone = Phone::parse(&typed.phone).ok().filter(Phone::is_iranian_mobile);
            let phone = phone.ok_or(Wrong::Phone)?;
            let (operator, names) =
                OPERATORS.iter().find(|(code, _)| *code == typed.operator).ok_or(Wrong::Phone)?;
            let amount = digits::fold(&typed.amount).parse().ok().filter(|rial| CREDITS.contains(rial));
            let amount = amount.and_then(|rial| Rial::new(rial).ok()).ok_or(Wrong::Phone)?;
            let extra = json!({ "phone": phone.expose(), "operator": operator });
            let name = names[language as usize];
            let what = if language == Language::Persian {
                format!("شارژ {name}")
            } else {
                format!("{name} credit")
            };
            Ok(of("top_up", amount, what, Some(("top_up", extra))))
        }
        Service::Balance => {
            let what = if language == Language::Persian { "مانده کارت" } else { "Card balance" };
            Ok(of("balance", Rial::ZERO, what.into(), None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_bills_can_be_paid_and_are_of_different_services() {
        let services: Vec<_> = SAMPLES
            .iter()
            .map(|(bill, payment)| Bill::parse(bill, payment).unwrap().service().unwrap())
            .collect();
        for (at, service) in services.iter().enumerate() {
            assert!(!services[at + 1..].contains(service));
        }
    }

    #[test]
    fn what_is_typed_wrong_names_its_form() {
        let typed = |amount: &str, phone: &str, operator: &str| Typed {
            amount: amount.into(),
            phone: phone.into(),
            operator: operator.into(),
            ..Typed::default()
        };
        let check = |service, typed: Typed, expect| {
            assert_eq!(ordered(service, &typed, Language::English).err(), expect);
        };
        check(Service::Transfer, typed("۱٬۰۰۰", "", ""), None);
        check(Service::Transfer, typed("0", "", ""), Some(Wrong::Amount));
        check(Service::Bill, typed("", "", ""), Some(Wrong::Bill));
        check(Service::TopUp, typed("100000", "۰۹۱۲۱۲۳۴۵۶۷", "mci"), None);
        check(Service::TopUp, typed("100001", "09121234567", "mci"), Some(Wrong::Phone));
        check(Service::TopUp, typed("100000", "02112345678", "mci"), Some(Wrong::Phone));
        check(Service::TopUp, typed("100000", "09121234567", "other"), Some(Wrong::Phone));
        check(Service::Balance, typed("", "", ""), None);
    }
}
