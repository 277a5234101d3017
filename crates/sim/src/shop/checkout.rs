//! An order, of goods (`POST /checkout`) or of a service, becomes a payment at the gateway, and the payer goes to its page.

use std::sync::Arc;

use axum::{
    extract::{Form, State, rejection::FormRejection},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use ramz_domain::{Language, Rial, ambient, digits};

use super::{
    Shop,
    basket::{Basket, typed_quantity},
    goods,
    orders::Order,
    pages::{self, Notice},
};
use crate::portal::headers;

/// What the gateway is asked to take a payment for.
pub(super) struct Ordered {
    /// The merchant API's `kind`.
    pub(super) kind: &'static str,
    pub(super) amount: Rial,
    /// In the customer's words.
    pub(super) what: String,
    /// The member that names a payee, and its value.
    pub(super) extra: Option<(&'static str, serde_json::Value)>,
    /// Whether it is what the basket holds.
    pub(super) from_basket: bool,
}

/// What is bought.
enum Bought {
    Goods(Basket),
    GiftCard(Rial),
}

pub(super) async fn check_out(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let language = pages::language(&headers, None);
    let Ok(Form(fields)) = form else { return pages::notice(&shop, language, Notice::Malformed) };
    let Some(bought) = bought(&fields, &headers) else {
        return pages::notice(&shop, language, Notice::Malformed);
    };
    let from_basket = fields.is_empty();
    let amount = match &bought {
        Bought::Goods(basket) => basket.total(),
        Bought::GiftCard(amount) => *amount,
    };
    if amount == Rial::ZERO {
        return pages::notice(&shop, language, Notice::EmptyBasket);
    }
    let what = describe(&bought, language);
    open(&shop, language, Ordered { kind: "purchase", amount, what, extra: None, from_basket }).await
}

/// Makes the payment, and sends the customer to its page.
pub(super) async fn open(shop: &Shop, language: Language, ordered: Ordered) -> Response {
    let number = order_number(shop);
    let description = match language {
        Language::Persian => format!("سفارش {}: {}", digits::persian(&number), ordered.what),
        Language::English => format!("Order {number}: {}", ordered.what),
    };
    let made = match shop.merchant.make(&ordered, &number, &description, &shop.callback).await {
        Ok(made) => made,
        Err(error) => {
            tracing::warn!(%error, "no payment was made");
            return pages::notice(shop, language, Notice::GatewayAway { retry: "/" });
        }
    };
    // A payer is sent to the gateway's pages and nowhere else, whatever an answer says.
    let at_gateway = headers::origin(&made.page).is_some_and(|origin| origin == shop.gateway_origin);
    if !at_gateway || !is_payment_id(&made.payment) {
        tracing::warn!("the gateway's answer names no page or payment of its own");
        return pages::notice(shop, language, Notice::GatewayAway { retry: "/" });
    }
    let Ordered { kind, amount, from_basket, .. } = ordered;
    shop.orders.keep(Order { payment: made.payment, number, kind, amount, from_basket, settled: None });
    Redirect::to(&spoken(made.page, language)).into_response()
}

/// The payment page in the customer's language. It speaks Persian unless asked; an address that asks something already is left as it is.
fn spoken(page: String, language: Language) -> String {
    if language == Language::Persian || page.contains(['?', '#']) {
        return page;
    }
    format!("{page}?lang={}", language.code())
}

/// Reads the form: a gift card, products, or else the basket. Not garbled, or nothing at all.
fn bought(fields: &[(String, String)], headers: &HeaderMap) -> Option<Bought> {
    if let Some((_, amount)) = fields.iter().find(|(name, _)| name == "amount") {
        return goods::typed_amount(amount).map(Bought::GiftCard);
    }
    if fields.is_empty() {
        return Some(Bought::Goods(Basket::of(headers)));
    }
    let mut basket = Basket::default();
    for (id, quantity) in fields {
        basket.add(goods::find(id)?, typed_quantity(quantity)?);
    }
    Some(Bought::Goods(basket))
}

/// Whether a text may stand in a path as a payment's id.
pub(super) fn is_payment_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Eight random digits: enough for a shop that remembers five hundred orders.
fn order_number(shop: &Shop) -> String {
    format!("{:08}", u32::from_be_bytes(ambient::random_bytes(shop.entropy.as_ref())) % 100_000_000)
}

fn describe(bought: &Bought, language: Language) -> String {
    match bought {
        Bought::GiftCard(_) => match language {
            Language::Persian => "کارت هدیه".to_owned(),
            Language::English => "Gift card".to_owned(),
        },
        Bought::Goods(basket) => {
            let names: Vec<&str> = basket.0.iter().map(|(good, _)| good.name(language)).take(2).collect();
            let more = basket.0.len() - names.len();
            let names = names.join(if language == Language::Persian { "، " } else { ", " });
            match (more, language) {
                (0, _) => names,
                (n, Language::Persian) => format!("{names} و {} کالای دیگر", digits::persian(&n.to_string())),
                (n, Language::English) => format!("{names} and {n} more"),
            }
        }
    }
}
