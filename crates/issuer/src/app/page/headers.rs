//! What a browser may do with the page: Content Security Policy Level 3 with Trusted Types, and the headers beside it.
//!
//! A script that gets into this page takes what is typed there. So scripts come from this door alone, no text ever becomes one
//! (Trusted Types; the one policy makes the worker's address), nothing is sent or loaded elsewhere, and nobody shows
//! the page in a frame whom the bank has not named.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types worker; frame-ancestors";

/// What the page needs it may do itself: fingerprint, copying a code, and taking the SMS's half. No frame in it may, and all
/// else nobody.
pub(super) const PERMISSIONS: &str = "publickey-credentials-get=(self), publickey-credentials-create=(self), \
    clipboard-write=(self), otp-credentials=(self), accelerometer=(), autoplay=(), camera=(), \
    clipboard-read=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), \
    hid=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    picture-in-picture=(), serial=(), usb=(), xr-spatial-tracking=()";

/// The policy of a page that these origins may frame. They were checked with the configuration.
pub(super) fn policy(framed_by: &[String]) -> HeaderValue {
    let framed_by = if framed_by.is_empty() { "'none'".to_owned() } else { framed_by.join(" ") };
    // What no header can hold frames nothing and runs nothing.
    HeaderValue::try_from(format!("{POLICY} {framed_by}"))
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// The headers of every answer of the page.
pub(super) async fn of_the_page(policy: HeaderValue, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    to_nobody_else(&mut response);
    response
}

/// The headers of every other answer: of a device's own cards nothing is kept on the way, or beside the app.
pub(in crate::app) async fn of_an_answer(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    to_nobody_else(&mut response);
    response
}

fn to_nobody_else(response: &mut Response) {
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (resource, "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_frames_the_page_unless_the_bank_says_so() {
        let text = |framed_by: &[&str]| {
            let framed_by: Vec<_> = framed_by.iter().map(|origin| (*origin).to_owned()).collect();
            policy(&framed_by).to_str().unwrap().to_owned()
        };
        assert!(text(&[]).ends_with("; frame-ancestors 'none'"));
        let two = ["http://localhost:8700", "https://portal.bank.example"];
        assert!(text(&two).ends_with(&format!("; frame-ancestors {} {}", two[0], two[1])));
        assert_eq!(text(&["a\nb"]), "default-src 'none'; frame-ancestors 'none'");
    }
}
