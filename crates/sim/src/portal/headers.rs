//! What a browser may do with the portal's answers: Content Security Policy Level 3, and two older headers.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

const OWN: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; frame-src";

/// The policy of a page that frames `places` and nothing else. What is no plain origin is left out.
pub(super) fn policy(places: &[&str]) -> HeaderValue {
    let frames: String =
        places.iter().filter_map(|url| origin(url)).flat_map(|origin| [" ", origin]).collect();
    let text = format!("{OWN}{}", if frames.is_empty() { " 'none'" } else { &frames });
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The policy of the shop: its forms lead to its own paths, and over them to the gateway's page; `frames` may show it.
pub(crate) fn shop_policy(gateway: &str, frames: &[&str]) -> HeaderValue {
    let listed = |urls: &[&str], none: &str| {
        let origins: Vec<&str> = urls.iter().filter_map(|url| origin(url)).collect();
        if origins.is_empty() { none.to_owned() } else { origins.join(" ") }
    };
    let text = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; \
         form-action 'self' {}; frame-ancestors {}",
        listed(&[gateway], ""),
        listed(frames, "'none'"),
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The scheme, host and port of an HTTP URL, if nothing in them could end the directive.
pub(crate) fn origin(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let scheme_length = url.len() - authority.len();
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    (end > 0 && authority[..end].bytes().all(plain)).then(|| &url[..scheme_length + end])
}

/// Adds the policy, and that types are as they are named and addresses stay private.
pub(crate) async fn add(policy: HeaderValue, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    headers.extend(fixed);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_get_into_the_policy() {
        for (url, expect) in [
            ("http://localhost:8701", Some("http://localhost:8701")),
            ("https://pay.example/x?y", Some("https://pay.example")),
            ("http://[::1]:8701/", Some("http://[::1]:8701")),
            ("http://a; script-src *", None),
            ("http://a *", None),
            ("http:///x", None),
            ("javascript:alert(1)", None),
            ("", None),
        ] {
            assert_eq!(origin(url), expect, "{url}");
        }
        let text = |places: &[&str]| policy(places).to_str().unwrap().to_owned();
        assert!(text(&["http://localhost:8701", "x"]).ends_with("frame-src http://localhost:8701"));
        assert!(text(&[]).ends_with("frame-src 'none'"));
    }
}
