//! The files that the page loads, compiled in: no build step, no third party, nothing to deploy beside the binary.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::gateway::Gateway;

macro_rules! web {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/", $path))
    };
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const WOFF2: &str = "font/woff2";

/// `GET /assets/{path}`.
pub(crate) async fn asset(Path(path): Path<String>) -> Response {
    let (kind, bytes): (&'static str, &'static [u8]) = match path.as_str() {
        "tokens.css" => (CSS, web!("shared/tokens.css")),
        "page.css" => (CSS, web!("page/page.css")),
        "slip.css" => (CSS, web!("page/slip.css")),
        "card.css" => (CSS, web!("page/card.css")),
        "pin.css" => (CSS, web!("page/pin.css")),
        "result.css" => (CSS, web!("page/result.css")),
        "page.js" => (JS, web!("page/page.js")),
        "card.js" => (JS, web!("page/card.js")),
        "destination.js" => (JS, web!("page/destination.js")),
        "hues.js" => (JS, web!("shared/hues.js")),
        "digits.js" => (JS, web!("page/digits.js")),
        "calls.js" => (JS, web!("page/calls.js")),
        "countdown.js" => (JS, web!("page/countdown.js")),
        "proof.js" => (JS, web!("page/proof.js")),
        "result.js" => (JS, web!("page/result.js")),
        "words.js" => (JS, web!("page/words.js")),
        "mark.svg" => (SVG, web!("shared/mark.svg")),
        "girih.svg" => (SVG, web!("page/girih.svg")),
        "fonts/vazirmatn-arabic.woff2" => (WOFF2, web!("shared/fonts/vazirmatn-arabic.woff2")),
        "fonts/vazirmatn-latin.woff2" => (WOFF2, web!("shared/fonts/vazirmatn-latin.woff2")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let cache = if kind == WOFF2 { "public, max-age=604800" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, bytes).into_response()
}

/// `GET /pay/banks.json`: the directory, for the page to name a card's bank.
pub(crate) async fn banks(State(gateway): State<Arc<Gateway>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, gateway.directory.json()).into_response()
}
