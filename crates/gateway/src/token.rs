//! What ties a page's calls to the page: a cookie that only this browser has, and a token that only this page shows.
//!
//! The token is a hash over the payment's secret and the cookie, so any node can check it and nothing is stored. The cookie
//! is `SameSite=Strict` and `HttpOnly`; the token travels in a header, which another site cannot send without a preflight.

use axum::http::{HeaderMap, header};
use ramz_domain::{Digest, Entropy, PaymentId, ambient::random_bytes};
use subtle::ConstantTimeEq as _;

use crate::{
    payment::Payment,
    problem::{Kind, No},
};

/// The header that carries the token.
pub(crate) const HEADER: &str = "ramz-page";
const COOKIE: &str = "ramz-page";

/// A browser as it is known by its cookie: 32 hexadecimal digits.
pub(crate) struct Browser(String);

impl Browser {
    /// From the request's cookie.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Browser> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == COOKIE)?;
        let fits = value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| Browser(value.to_owned()))
    }

    /// One that has not been here.
    pub(crate) fn fresh(entropy: &dyn Entropy) -> Browser {
        Browser(hex::encode(random_bytes::<16>(entropy)))
    }

    /// The `Set-Cookie` line: for this payment's paths only.
    pub(crate) fn cookie(&self, id: PaymentId, secure: bool) -> String {
        let secure = if secure { "; Secure" } else { "" };
        format!("{COOKIE}={}; Path=/pay/{id}; HttpOnly; SameSite=Strict{secure}", self.0)
    }

    /// The token that this browser's page shows.
    pub(crate) fn token(&self, payment: &Payment) -> String {
        hex::encode(Digest::of(&[b"ramz-page-1", &payment.secret, self.0.as_bytes()]).0)
    }
}

/// Refuses a call that does not come from the page.
pub(crate) fn check(payment: &Payment, headers: &HeaderMap) -> Result<(), No> {
    let stale = || No::new(Kind::StalePage);
    let browser = Browser::of(headers).ok_or_else(stale)?;
    let shown = headers.get(HEADER).ok_or_else(stale)?;
    let same: bool = shown.as_bytes().ct_eq(browser.token(payment).as_bytes()).into();
    if same { Ok(()) } else { Err(stale()) }
}
