//! The files that the page loads, compiled in: no build step, no third party, nothing to deploy beside the binary.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

macro_rules! web {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/", $path))
    };
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const WOFF2: &str = "font/woff2";

/// `GET /assets/{name}`.
pub(super) async fn named(Path(name): Path<String>) -> Response {
    asset(&name)
}

/// One of them.
pub(super) fn asset(name: &str) -> Response {
    let (kind, bytes): (&'static str, &'static [u8]) = match name {
        "tokens.css" => (CSS, web!("shared/tokens.css")),
        "directory.css" => (CSS, web!("directory/directory.css")),
        "banks.css" => (CSS, web!("directory/banks.css")),
        "directory.js" => (JS, web!("directory/directory.js")),
        "search.js" => (JS, web!("directory/search.js")),
        "hues.js" => (JS, web!("shared/hues.js")),
        "mark.svg" => (SVG, web!("shared/mark.svg")),
        "girih.svg" => (SVG, web!("page/girih.svg")),
        "fonts/vazirmatn-arabic.woff2" => (WOFF2, web!("shared/fonts/vazirmatn-arabic.woff2")),
        "fonts/vazirmatn-latin.woff2" => (WOFF2, web!("shared/fonts/vazirmatn-latin.woff2")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let cache = if kind == WOFF2 { "public, max-age=604800" } else { "no-cache" };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], bytes).into_response()
}
