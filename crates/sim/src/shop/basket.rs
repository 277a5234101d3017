//! The basket: product ids and quantities, kept in a cookie (RFC 6265), `saffron.2_tea.1`. Prices never leave the shop.

use axum::{
    extract::{Form, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use ramz_domain::{Rial, digits};
use serde::Deserialize;
use std::sync::Arc;

use super::{
    Shop,
    goods::{self, Good},
    pages::{self, Notice},
};

/// Of one product.
pub(super) const QUANTITY_MAX: u64 = 9;
const COOKIE: &str = "ramz_shop_basket";

/// Products and quantities, each product at most once and at most [`QUANTITY_MAX`] of it.
#[derive(Default, Debug)]
pub(super) struct Basket(pub(super) Vec<(&'static Good, u64)>);

impl Basket {
    /// The basket a browser sent; what is garbled in it is left out.
    pub(super) fn of(headers: &HeaderMap) -> Basket {
        let mut basket = Basket::default();
        for part in cookie(headers, COOKIE).unwrap_or_default().split('_').take(goods::GOODS.len()) {
            if let Some((id, quantity)) = part.split_once('.')
                && let (Some(good), Ok(quantity)) = (goods::find(id), quantity.parse())
            {
                basket.add(good, quantity);
            }
        }
        basket
    }

    /// Adds so many of a product, up to the most there may be.
    pub(super) fn add(&mut self, good: &'static Good, quantity: u64) {
        let quantity = quantity.min(QUANTITY_MAX);
        match self.0.iter_mut().find(|(held, _)| held.id == good.id) {
            Some((_, held)) => *held = (*held + quantity).min(QUANTITY_MAX),
            None if quantity > 0 => self.0.push((good, quantity)),
            None => {}
        }
    }

    fn take_out(&mut self, good: &Good) {
        self.0.iter_mut().filter(|(held, _)| held.id == good.id).for_each(|(_, quantity)| *quantity -= 1);
        self.0.retain(|(_, quantity)| *quantity > 0);
    }

    /// What it costs; at most nine of each product, so it fits.
    pub(super) fn total(&self) -> Rial {
        Rial::new(self.0.iter().map(|(good, quantity)| good.price * quantity).sum()).unwrap_or(Rial::ZERO)
    }

    /// The header that makes a browser keep it.
    pub(super) fn set_cookie(&self) -> HeaderValue {
        let parts: Vec<String> = self.0.iter().map(|(good, n)| format!("{}.{n}", good.id)).collect();
        set_cookie(COOKIE, &parts.join("_"))
    }
}

/// The value of a cookie of that name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// A cookie for this session; `value` is of our own letters.
pub(super) fn set_cookie(name: &str, value: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax"))
        .unwrap_or(HeaderValue::from_static(""))
}

#[derive(Deserialize)]
pub(super) struct Change {
    product: String,
    #[serde(rename = "do")]
    what: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Add,
    Remove,
}

/// `POST /basket`: one more or one less of a product, then the shop's window again.
pub(super) async fn change(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    form: Result<Form<Change>, FormRejection>,
) -> Response {
    let language = pages::language(&headers, None);
    let Ok(Form(Change { product, what })) = form else {
        return pages::notice(&shop, language, Notice::Malformed);
    };
    let Some(good) = goods::find(&product) else { return pages::notice(&shop, language, Notice::Malformed) };
    let mut basket = Basket::of(&headers);
    match what {
        What::Add => basket.add(good, 1),
        What::Remove => basket.take_out(good),
    }
    ([(header::SET_COOKIE, basket.set_cookie())], Redirect::to("/")).into_response()
}

/// A quantity as a form has it; empty is none.
pub(super) fn typed_quantity(text: &str) -> Option<u64> {
    let text = digits::fold(text.trim());
    if text.is_empty() { Some(0) } else { text.parse().ok().filter(|n| *n <= QUANTITY_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cookie: &str, expect: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        let kept = Basket::of(&headers).set_cookie();
        let kept = kept.to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
        assert_eq!(kept, expect, "{cookie}");
    }

    #[test]
    fn a_basket_survives_its_cookie_and_a_forged_one_is_tamed() {
        check("x=1; ramz_shop_basket=saffron.2_tea.1", "saffron.2_tea.1");
        check("ramz_shop_basket=saffron.99999_tea.-1", "saffron.9");
        check("ramz_shop_basket=saffron.9_saffron.9", "saffron.9");
        check("ramz_shop_basket=gold.1_tea_.._tea.0", "");
        check("other=saffron.1", "");
    }
}
