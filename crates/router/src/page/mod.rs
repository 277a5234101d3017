//! The directory of all banks as the public reads it, on a plain port of its own: a page, and the same as JSON.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the page, in Persian; `?lang=en` in English |
//! | `GET /v1/banks` | the directory, as askers get it |
//! | `GET /now.json` | how each bank stands now: what the page asks for again and again |
//!
//! Nobody who reads it tells anything: there is no form, no cookie, and no request that carries what was typed.

mod assets;
mod labels;
mod view;

use std::{collections::BTreeMap, sync::Arc};

use askama::Template as _;
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use ramz_api::directory::{self, Bank};
use ramz_domain::Language;
use serde::Deserialize;

use crate::desk::{self, Desk};

/// Nothing from elsewhere, nothing inline, and nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The public routes.
pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/now.json", get(now))
        .route("/favicon.ico", get(async || assets::asset("mark.svg")))
        .route("/assets/{*name}", get(assets::named))
        .route(directory::PATH, get(desk::banks))
        .with_state(desk)
        .layer(middleware::map_response(dressed))
}

#[derive(Deserialize)]
struct Asked {
    lang: Option<String>,
}

async fn page(State(desk): State<Arc<Desk>>, Query(asked): Query<Asked>) -> Response {
    let language = asked.lang.as_deref().and_then(Language::parse).unwrap_or_default();
    let directory = desk.current.get();
    match view::page(&directory, language, |bank| desk.standing(bank)).render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page of banks cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn now(State(desk): State<Arc<Desk>>) -> Json<BTreeMap<String, &'static str>> {
    let directory = desk.current.get();
    Json(directory.banks().iter().map(|bank| (bank.id.clone(), desk.standing(bank).word())).collect())
}

/// How a bank stands towards this router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It is asked, and answers.
    Up,
    /// It is cut off: its breaker is open.
    Down,
    /// There is no way to it.
    None,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Standing::Up => "up",
            Standing::Down => "down",
            Standing::None => "none",
        }
    }
}

impl Desk {
    fn standing(&self, bank: &Bank) -> Standing {
        match self.way(bank) {
            None => Standing::None,
            Some(way) if way.is_available() => Standing::Up,
            Some(_) => Standing::Down,
        }
    }
}

/// The headers of every answer. Assets say themselves how long they may be kept.
async fn dressed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
