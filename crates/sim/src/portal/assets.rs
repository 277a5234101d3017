//! The page's files, compiled in from `web/lab/` and `web/shared/`. No file of the running machine is read.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use ramz_api::problem::Problem;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const WOFF2: &str = "font/woff2";
const TEXT: &str = "text/plain; charset=utf-8";
const SVG: &str = "image/svg+xml";

const INDEX: &[u8] = include_bytes!("../../../../web/lab/index.html");
/// All machines: the page looks at its own address.
const TERMINAL: &[u8] = include_bytes!("../../../../web/lab/terminal.html");

macro_rules! files {
    ($($path:literal $name:literal $kind:ident)*) => {
        &[$(($name, $kind, include_bytes!(concat!("../../../../web/", $path, $name)))),*]
    };
}

/// Name under `/assets/`, media type, content.
type File = (&'static str, &'static str, &'static [u8]);

/// What every page of Ramz shares.
static SHARED: &[File] = files![
    "shared/" "tokens.css" CSS
    "shared/" "fonts/vazirmatn-arabic.woff2" WOFF2
    "shared/" "fonts/vazirmatn-latin.woff2" WOFF2
    "shared/" "fonts/vazirmatn.OFL.txt" TEXT
    "shared/" "hues.js" JS
];

/// The shop's.
static SHOP: &[File] = files![
    "lab/" "shop.css" CSS
    "lab/" "goods.svg" SVG
    "lab/" "services.css" CSS
    "lab/" "services.svg" SVG
];

/// The portal's.
static PORTAL: &[File] = files![
    "lab/" "mark.svg" SVG
    "lab/" "atm.svg" SVG
    "lab/" "frame.css" CSS
    "lab/" "stage.css" CSS
    "lab/" "trace.css" CSS
    "lab/" "cards.css" CSS
    "lab/" "compose.css" CSS
    "lab/" "apps.css" CSS
    "lab/" "terminal.css" CSS
    "lab/" "receipt.css" CSS
    "lab/" "main.js" JS
    "lab/" "words.js" JS
    "lab/" "text.js" JS
    "lab/" "clock.js" JS
    "lab/" "phone.js" JS
    "lab/" "wallet.js" JS
    "lab/" "trace.js" JS
    "lab/" "fields.js" JS
    "lab/" "steps.js" JS
    "lab/" "compose.js" JS
    "lab/" "apps.js" JS
    "lab/" "terminal.js" JS
    "lab/" "terminal-words.js" JS
    "lab/" "keypad.js" JS
    "lab/" "receipt.js" JS
    "lab/" "payments.js" JS
    "lab/" "qr.js" JS
];

/// The routes of the page and its files.
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(async || file(HTML, INDEX)))
        .route("/atm", get(async || no_store(file(HTML, TERMINAL))))
        .route("/cashless-terminal", get(async || no_store(file(HTML, TERMINAL))))
        .route("/pos", get(async || no_store(file(HTML, TERMINAL))))
        .route("/favicon.ico", get(async || asset(PORTAL, "mark.svg")))
        .route("/assets/{*name}", get(async |Path(name): Path<String>| asset(PORTAL, &name)))
}

/// The routes of the shop's files.
pub(crate) fn shop_router() -> Router {
    Router::new().route("/assets/{*name}", get(async |Path(name): Path<String>| asset(SHOP, &name)))
}

fn asset(files: &[File], name: &str) -> Response {
    match files.iter().chain(SHARED).find(|(known, ..)| *known == name) {
        Some((_, kind, content)) => file(kind, content),
        None => Problem::not_found().into_response(),
    }
}

/// A newer binary has other files under the same names, so a browser asks each time.
fn file(kind: &'static str, content: &'static [u8]) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}

/// A page that a PIN is typed into is not kept.
fn no_store(mut page: Response) -> Response {
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}
