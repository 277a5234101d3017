//! The app itself, as a browser gets it from the door: one page, its files, the worker that keeps them, and the manifest.
//!
//! The worker is told what there is: every path with its hash. What does not have that hash it does not keep, so that no phone ever
//! keeps files of two releases, also while nodes of both answer.

mod files;
pub(super) mod headers;
mod manifest;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ramz_api::app::BankView;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use self::files::{FILES, File, WORKER};

/// The ends of names of files that no page loads: licences, and icons that a phone fetches once, when the app goes on its home screen.
const NOT_KEPT: &[&str] = &[".txt", ".png"];

/// The routes of the page.
pub(super) fn routes(bank: &BankView, framed_by: &[String]) -> Router {
    let policy = headers::policy(framed_by);
    let manifest = manifest::manifest(bank, &FILES);
    let worker = worker(FILES.iter().chain([&manifest]), &policy);
    let mut routes = Router::new();
    for file in FILES.iter().cloned().chain([manifest, worker]) {
        let path = file.path.clone();
        let file = Arc::new(file);
        routes = routes.route(&path, get(async move |headers: HeaderMap| sent(&file, &headers)));
    }
    routes.layer(middleware::map_response(move |response| headers::of_the_page(policy.clone(), response)))
}

/// The worker's script, after what it is told. What a browser may do with the page is of its version too: phones keep the page with its headers,
/// and take another policy with another version only.
fn worker<'a>(files: impl Iterator<Item = &'a File>, policy: &HeaderValue) -> File {
    let kept = files.filter(|file| !NOT_KEPT.iter().any(|end| file.path.ends_with(end)));
    let kept: Map<_, _> = kept.map(|file| (file.path.clone(), Value::from(file.integrity()))).collect();
    let told = Value::from(kept).to_string();
    let rules = [policy.as_bytes(), headers::PERMISSIONS.as_bytes()].concat();
    let version =
        Sha256::new().chain_update(&told).chain_update(files::worker()).chain_update(rules).finalize();
    let version = hex::encode(&version[..8]);
    let told = format!("const VERSION = \"{version}\";\nconst FILES = {told};\n");
    let script = [told.as_bytes(), files::worker()].concat();
    File::new(WORKER, "text/javascript; charset=utf-8", true, Bytes::from(script))
}

/// A newer release has other files under the same names: a browser asks each time, and is mostly told that nothing changed.
fn sent(file: &File, asked: &HeaderMap) -> Response {
    let zipped = file.zipped.as_ref().filter(|_| takes_gzip(asked));
    let mut tag = hex::encode(&file.hash[..16]);
    if zipped.is_some() {
        tag.push_str("-gzip");
    }
    let tag = format!("\"{tag}\"");
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).is_some_and(|tags| {
        tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = zipped.unwrap_or(&file.plain).clone().into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
        if zipped.is_some() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether gzip is among what the browser takes, and not at quality 0 (RFC 9110, 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_whoever_takes_it() {
        for (accepted, expect) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("x-gzip-not", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), expect, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn another_file_or_policy_is_another_version() {
        let version = |content: &'static str, policy: &'static str| {
            let file = File::new("/a.js", "text/javascript", false, Bytes::from_static(content.as_bytes()));
            let worker = String::from_utf8(
                worker([&file].into_iter(), &HeaderValue::from_static(policy)).plain.to_vec(),
            )
            .unwrap();
            worker.lines().next().unwrap().to_owned()
        };
        assert_eq!(version("1", "a"), version("1", "a"));
        assert_ne!(version("1", "a"), version("2", "a"));
        assert_ne!(version("1", "a"), version("1", "b"), "phones keep the page with its policy");
    }
}
