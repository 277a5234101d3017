//! The app as a browser gets it from the door: what is there, under which headers, how large, and what is never compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bank::{Bank, Build, Node};
use crate::wires::{bytes, http};

/// Bytes that a first load may take, fonts and all.
const FIRST_LOAD_MAX: usize = 100_000;
/// The languages' words: one of them is loaded at once.
const LANGUAGES: [&str; 2] = ["/assets/js/words/fa.js", "/assets/js/words/en.js"];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types worker; frame-ancestors";

/// An answer, with its headers by name.
struct Got {
    status: u16,
    headers: BTreeMap<String, String>,
    /// As it came over the wire.
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Without its compression.
    fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        match self.header("content-encoding") {
            "" => plain.extend(&self.body),
            "gzip" => _ = GzDecoder::new(self.body.as_slice()).read_to_end(&mut plain).unwrap(),
            other => panic!("{other} was not asked for"),
        }
        plain
    }

    fn text(&self) -> String {
        String::from_utf8(self.plain()).unwrap()
    }
}

async fn got(node: &Node, path: &str, headers: &[(&str, &str)]) -> Got {
    let (head, body) = bytes(node.running.app.unwrap(), "GET", path, headers, "").await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Got { status, headers, body }
}

/// As a browser asks.
async fn browsed(node: &Node, path: &str) -> Got {
    got(node, path, &[("accept-encoding", "gzip, deflate, br, zstd")]).await
}

/// What the worker is told: each path with its hash.
async fn kept(node: &Node) -> BTreeMap<String, String> {
    let worker = browsed(node, "/sw.js").await.text();
    let list = worker.lines().find_map(|line| line.strip_prefix("const FILES = ")).unwrap();
    serde_json::from_str(list.trim_end_matches(';')).unwrap()
}

async fn bank(framed_by: &[&str]) -> (Bank, Node) {
    let app = Some(framed_by.iter().map(|origin| (*origin).to_owned()).collect());
    let bank = Bank::without_cards(Build { app, ..Build::default() }).await;
    let node = bank.node().await;
    (bank, node)
}

#[tokio::test]
async fn every_answer_of_the_page_says_what_a_browser_may_do_with_it() {
    let (_bank, node) = bank(&[]).await;
    let paths: Vec<_> = kept(&node).await.into_keys().chain(["/sw.js".into()]).collect();
    assert!(["/", "/app.webmanifest", "/assets/js/main.js"].iter().all(|p| paths.iter().any(|q| p == q)));
    for path in &paths {
        let first = browsed(&node, path).await;
        let tag = first.header("etag").to_owned();
        let again = got(&node, path, &[("accept-encoding", "gzip"), ("if-none-match", &tag)]).await;
        assert_eq!((first.status, again.status, again.body.len()), (200, 304, 0), "{path}");
        let other = got(&node, path, &[("if-none-match", "\"00\"")]).await;
        assert_eq!((other.status, other.header("content-encoding")), (200, ""), "{path}");
        for answer in [first, again, other] {
            for (name, value) in [
                ("content-security-policy", &*format!("{POLICY} 'none'")),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cache-control", "no-cache"),
                ("vary", "accept-encoding"),
            ] {
                assert_eq!(answer.header(name), value, "{path}");
            }
            let permissions = answer.header("permissions-policy");
            let own = permissions.split(", ").filter(|one| one.ends_with("=(self)")).collect::<BTreeSet<_>>();
            let mine = [
                "publickey-credentials-get",
                "publickey-credentials-create",
                "clipboard-write",
                "otp-credentials",
            ];
            assert_eq!(own, mine.map(|name| format!("{name}=(self)")).iter().map(String::as_str).collect());
            assert!(
                ["camera=()", "geolocation=()", "microphone=()"].iter().all(|off| permissions.contains(off))
            );
        }
    }
}

#[tokio::test]
async fn the_app_is_framed_by_whom_the_bank_names() {
    let (_bank, node) = bank(&["http://localhost:8700", "https://portal.mellat.example"]).await;
    for path in ["/", "/sw.js"] {
        let page = browsed(&node, path).await;
        let expect = format!("{POLICY} http://localhost:8700 https://portal.mellat.example");
        assert_eq!(page.header("content-security-policy"), expect);
    }
}

#[tokio::test]
async fn what_the_worker_keeps_is_served_and_is_what_it_was_told() {
    let (_bank, node) = bank(&[]).await;
    for (path, integrity) in kept(&node).await {
        let file = browsed(&node, &path).await;
        assert_eq!(format!("sha256-{}", STANDARD.encode(Sha256::digest(file.plain()))), integrity, "{path}");
        let end = if path == "/" { "html" } else { path.rsplit('.').next().unwrap() };
        let kind = match end {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            "woff2" => "font/woff2",
            "webmanifest" => "application/manifest+json",
            other => panic!("{path}: what is {other}?"),
        };
        assert_eq!(file.header("content-type"), kind, "{path}");
        let text = !matches!(end, "woff2" | "webmanifest") && file.plain().len() > 1000;
        assert!(!text || file.header("content-encoding") == "gzip", "{path} is not compressed");
    }
    let worker = browsed(&node, "/sw.js").await;
    assert_eq!(worker.header("content-type"), "text/javascript; charset=utf-8");
    assert!(worker.text().starts_with("const VERSION = \""));
}

/// All that the page loads before it can be used, in either language, with the worker that it registers. What is imported only
/// when it is wanted the worker fetches afterwards.
#[tokio::test]
async fn a_first_load_is_below_100_kb() {
    let (_bank, node) = bank(&[]).await;
    for language in LANGUAGES {
        let start = ["/", language, "/sw.js"].map(str::to_owned);
        let mut sizes = Vec::new();
        for path in closure(&node, &start, false).await {
            sizes.push((browsed(&node, &path).await.body.len(), path));
        }
        let all: usize = sizes.iter().map(|(size, _)| size).sum();
        sizes.sort();
        let has = |end: &str| sizes.iter().filter(|(_, path)| path.ends_with(end)).count();
        assert!(
            has(".woff2") == 2 && has(".css") > 2 && has(".js") > 20,
            "does this look in the right place?"
        );
        assert!(all < FIRST_LOAD_MAX, "{all} bytes: {sizes:#?}");
    }
}

#[tokio::test]
async fn whatever_the_page_asks_for_is_kept() {
    let (_bank, node) = bank(&[]).await;
    let kept = kept(&node).await;
    let asked = closure(&node, &["/".to_owned()], true).await;
    for path in &asked {
        if path.ends_with(".png") {
            // For the home screen: the browser fetches it, not the page.
            assert_eq!(browsed(&node, path).await.status, 200, "{path}");
        } else {
            assert!(kept.contains_key(path), "{path} is asked for, and is not kept");
        }
    }
    for path in ["/app.webmanifest", "/assets/js/main.js", "/assets/tokens.css"].into_iter().chain(LANGUAGES)
    {
        assert!(asked.contains(path), "{path} was not seen: does this look in the right place?");
    }
}

/// Everything that these lead to. `later`: and what is imported only when it is wanted, or fetched for the home screen.
async fn closure(node: &Node, start: &[String], later: bool) -> BTreeSet<String> {
    let (mut seen, mut next): (BTreeSet<_>, _) = (start.iter().cloned().collect(), start.to_vec());
    while let Some(path) = next.pop() {
        let name = if path == "/" { "/index.html" } else { &path };
        if ![".html", ".css", ".js"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let text = browsed(node, &path).await.text();
        let asked = asked_for(name, &text, later).into_iter().filter(|path| later || !path.ends_with(".png"));
        next.extend(asked.filter(|path| seen.insert(path.clone())));
    }
    seen
}

/// What a file names of the door's files: attributes, `url(…)`, imports.
fn asked_for(name: &str, text: &str, later: bool) -> Vec<String> {
    let after: &[&str] = match name.rsplit('.').next() {
        Some("html") => &["href=\"", "src=\""],
        Some("css") => &["url(\"", "url(", "@import \""],
        Some("js") if later => &[" from \"", "import \"", " from '", "import '", "import(\"", "import('"],
        Some("js") => &[" from \"", "import \"", " from '", "import '"],
        _ => &[],
    };
    let named = after.iter().flat_map(|start| text.split(start).skip(1));
    let named = named.filter_map(|rest| rest.split(['"', '\'', ')', '#', '?']).next());
    named.filter(|named| named.starts_with(['/', '.'])).map(|named| resolved(name, named)).collect()
}

/// `/assets/js/ui/a.js` and `../b.js` make `/assets/js/b.js`.
fn resolved(from: &str, named: &str) -> String {
    if named.starts_with('/') {
        return named.to_owned();
    }
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in named.split('/').filter(|part| *part != ".") {
        if part == ".." { _ = parts.pop() } else { parts.push(part) }
    }
    parts.join("/")
}

#[test]
fn imports_are_found_and_resolved() {
    let text = "import { a } from '../words/fa.js';\nawait import(\"./b.js\");\nimport '/assets/hues.js';\n";
    let at_once = ["/assets/js/words/fa.js", "/assets/hues.js"];
    assert_eq!(asked_for("/assets/js/ui/a.js", text, false), at_once);
    let later = asked_for("/assets/js/ui/a.js", text, true);
    assert_eq!(later, [at_once[0], at_once[1], "/assets/js/ui/b.js"]);
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let (_bank, node) = bank(&[]).await;
    for path in [
        "/index.html",
        "/nothing",
        "/assets/",
        "/assets/sw.js",
        "/assets/tsconfig.json",
        "/assets/fonts/README.md",
        "/assets/../sw.js",
        "/assets/js/%2e%2e/index.html",
        "/app",
        "/app/",
    ] {
        let answer = browsed(&node, path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    let posted = http(node.running.app.unwrap(), "POST", "/", &[], "").await;
    assert_eq!((posted.status, &*posted.problem()), (405, "method-not-allowed"));
}

/// The length of what is compressed tells what is in it: codes go one way here and names the other.
#[tokio::test]
async fn answers_of_the_api_are_neither_compressed_nor_kept() {
    let (_bank, node) = bank(&[]).await;
    for path in ["/app/time", "/app/bank", "/app/cards", "/app/devices", "/v1/openapi.json"] {
        let answer = browsed(&node, path).await;
        assert_eq!(answer.header("content-encoding"), "", "{path}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
    }
    let bank: Value = serde_json::from_str(&browsed(&node, "/app/bank").await.text()).unwrap();
    assert_eq!(bank, json!({ "id": "mellat", "name_fa": "بانک ملت", "name_en": "Bank Mellat" }));
}

#[tokio::test]
async fn a_bank_without_an_app_serves_none_of_it() {
    let bank = Bank::without_cards(Build { app: None, ..Build::default() }).await;
    let node = bank.node().await;
    assert_eq!(node.running.app, None);
    for door in [node.running.api, node.running.admin, node.metrics] {
        for path in ["/", "/sw.js", "/app.webmanifest", "/app/bank", "/app/time", "/assets/js/main.js"] {
            let answer = http(door, "GET", path, &[], "").await;
            assert_eq!(answer.status, 404, "{path}");
        }
    }
}
