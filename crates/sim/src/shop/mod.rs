//! A shop that is paid through the gateway's merchant API: what a merchant's own server does, and no more.
//!
//! ```text
//! basket ── POST /checkout ──▶ gateway: POST /v1/payments ──▶ 303 to the payment page
//! receipt ◀── POST …/verify ── gateway: GET /v1/payments/{id} ◀── GET /paid?payment=… ── payment page
//! ```
//!
//! The callback is a hint that anybody can forge: what was paid is asked at the gateway, compared with the order that
//! this shop made, and settled for the amount that it expects. Nothing about a card ever passes through here.
//!
//! Beside goods it sells services (`/services`): transfers, bills, mobile credit, the question for a balance.
//!
//! Not here: stock, accounts, delivery. The basket lives in a cookie, the last orders in memory.

mod basket;
mod checkout;
mod goods;
mod merchant;
mod orders;
mod pages;
mod paid;
mod services;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use ramz_api::{client::Http, tap::SharedTap};
use ramz_domain::{Clock, Entropy, Language};
use zeroize::Zeroizing;

pub use self::services::SAMPLES as SAMPLE_BILLS;
use self::{merchant::Merchant, orders::Orders};
use crate::portal::{assets, headers};

/// What a shop needs to know.
pub struct ShopConfig {
    /// The gateway as a browser reaches it; payment pages anywhere else are not redirected to.
    pub gateway_url: String,
    /// The shop's key at the gateway.
    pub api_key: Zeroizing<String>,
    /// The shop as a browser reaches it, `http://localhost:8701`: where the payment page sends the payer back to.
    pub public_url: String,
    /// What the shop is called.
    pub names: Names,
    /// Who may show the shop in a frame: the lab's portal.
    pub frame_ancestors: Vec<String>,
    /// Where the payment page opens.
    pub page_opens: PageOpens,
    /// Who watches the calls to the gateway.
    pub tap: SharedTap,
}

/// Where the payment page opens when the customer pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageOpens {
    /// Where the shop is; inside a frame, only if the gateway lets the frame's page show it.
    InPlace,
    /// In a tab of its own: right for a shop in a frame and a gateway that is in nobody's frame.
    InNewTab,
}

/// A name in each language.
#[derive(Clone, Debug)]
pub struct Names {
    /// In Persian.
    pub persian: String,
    /// In English.
    pub english: String,
}

impl Names {
    fn of(&self, language: Language) -> &str {
        match language {
            Language::Persian => &self.persian,
            Language::English => &self.english,
        }
    }
}

struct Shop {
    names: Names,
    page_opens: PageOpens,
    gateway_origin: String,
    callback: String,
    merchant: Merchant,
    orders: Orders,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
}

/// The shop's routes: `GET /`, `GET /services`, `POST /services/{service}`, `POST /basket`, `POST /checkout`, `GET /paid?payment=…`, and its files.
///
/// `http` is a client of the gateway. `POST /checkout` takes a form: a quantity for each product id (`tea=2`), or
/// `amount=1250000` for a gift card of any amount, or nothing, which is the basket in the cookie.
pub fn router(config: ShopConfig, http: Http, entropy: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Router {
    let frames = config.frame_ancestors.iter().map(String::as_str).collect::<Vec<_>>();
    let policy = headers::shop_policy(&config.gateway_url, &frames);
    let shop = Arc::new(Shop {
        callback: format!("{}/paid", config.public_url.trim_end_matches('/')),
        gateway_origin: headers::origin(&config.gateway_url).unwrap_or_default().to_owned(),
        merchant: Merchant::new(http, config.api_key, config.tap),
        orders: Orders::default(),
        names: config.names,
        page_opens: config.page_opens,
        entropy,
        clock,
    });
    Router::new()
        .route("/", get(pages::home))
        .route("/basket", post(basket::change))
        .route("/checkout", post(checkout::check_out))
        .route("/services", get(pages::services))
        .route("/services/{service}", post(services::order))
        .route("/paid", get(paid::paid))
        .fallback(pages::nothing_here)
        .with_state(shop)
        .merge(assets::shop_router())
        .layer(axum::middleware::map_response(move |response| headers::add(policy.clone(), response)))
}

#[cfg(test)]
mod tests;
