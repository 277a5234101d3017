//! The page's files, compiled in: no file of the running machine is read. The list is `build.rs`'s: all of `web/app` and `web/shared`.
//!
//! They are compressed once, when the first door is made. What the app's door answers else is never compressed: a length that
//! depends on a secret and on what somebody else wrote tells the secret.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// Name under its folder, and content: `web/app`'s files before `web/shared`'s.
static COMPILED_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// The page itself.
pub(super) const INDEX: &str = "/";
/// The worker, which is told the names of all others.
pub(super) const WORKER: &str = "/sw.js";

/// Media types by the end of a file's name, and whether gzip makes them shorter.
const KINDS: &[(&str, &str, bool)] = &[
    (".html", "text/html; charset=utf-8", true),
    (".css", "text/css; charset=utf-8", true),
    (".js", "text/javascript; charset=utf-8", true),
    (".svg", "image/svg+xml", true),
    (".txt", "text/plain; charset=utf-8", true),
    (".png", "image/png", false),
    (".woff2", "font/woff2", false),
];

/// One file, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Where it is served.
    pub(super) path: String,
    /// Its media type.
    pub(super) kind: &'static str,
    /// As it is.
    pub(super) plain: Bytes,
    /// In gzip (RFC 1952), if that is shorter.
    pub(super) zipped: Option<Bytes>,
    /// SHA-256 of it as it is.
    pub(super) hash: [u8; 32],
}

impl File {
    pub(super) fn new(path: impl Into<String>, kind: &'static str, zip: bool, plain: Bytes) -> File {
        let zipped = if zip { zipped(&plain) } else { None };
        File { path: path.into(), kind, zipped, hash: Sha256::digest(&plain).into(), plain }
    }

    /// Its hash as a browser checks it (Subresource Integrity).
    pub(super) fn integrity(&self) -> String {
        format!("sha256-{}", STANDARD.encode(self.hash))
    }
}

/// All but the worker, in the order of their paths.
pub(super) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = COMPILED_IN.iter().map(|(name, content)| (path(name), *content));
    let files = files.filter(|(path, _)| path != WORKER);
    let mut files: Vec<_> = files
        .map(|(path, content)| {
            let (kind, zip) = kind(if path == INDEX { "index.html" } else { &path });
            File::new(path, kind, zip, Bytes::from_static(content))
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
});

/// The worker as it stands in the tree: what it is told goes before it.
pub(super) fn worker() -> &'static [u8] {
    COMPILED_IN.iter().find(|(name, _)| path(name) == WORKER).map_or(&[], |(_, content)| content)
}

/// Where a file of the tree is served.
fn path(name: &str) -> String {
    match name {
        "index.html" => INDEX.to_owned(),
        "sw.js" => WORKER.to_owned(),
        name => format!("/assets/{name}"),
    }
}

/// What is of no known kind is nothing that a browser would run or show; a test holds that there is none.
fn kind(name: &str) -> (&'static str, bool) {
    let known = KINDS.iter().find(|(end, ..)| name.ends_with(end));
    known.map_or(("application/octet-stream", false), |(_, kind, zip)| (*kind, *zip))
}

fn zipped(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let zipped = encoder.finish().ok()?;
    (zipped.len() < plain.len()).then(|| zipped.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Names under `web/<folder>`, by a walk of its own.
    fn walked(folder: &str) -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web").join(folder);
        let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_owned());
                }
            }
        }
        found
    }

    /// A browser's files are served, each once and as what it is; a type checker's and notes are not.
    #[test]
    fn every_file_of_the_app_is_served_as_what_it_is() {
        let mut expected = BTreeSet::new();
        for name in ["app", "shared"].into_iter().flat_map(walked) {
            match name.extension().and_then(|end| end.to_str()) {
                Some("md" | "json" | "ts") => {}
                Some("html" | "css" | "js" | "svg" | "png" | "woff2" | "txt") => {
                    let served = path(&name.to_string_lossy().replace('\\', "/"));
                    assert!(expected.insert(served), "{name:?} is there twice");
                }
                _ => panic!("{name:?}: say in KINDS what it is, or in build.rs that it is not served"),
            }
        }
        let served: Vec<_> = FILES.iter().map(|file| file.path.clone()).chain([WORKER.into()]).collect();
        assert_eq!(served.len(), expected.len());
        assert_eq!(served.into_iter().collect::<BTreeSet<_>>(), expected);
        assert!(FILES.iter().all(|file| file.kind != "application/octet-stream"));
        assert!(!worker().is_empty());
    }

    #[test]
    fn a_font_is_not_compressed_twice_and_a_script_once() {
        let script = File::new("/a.js", "text/javascript", true, Bytes::from(vec![b'a'; 999]));
        assert!(script.zipped.is_some_and(|zipped| zipped.len() < 100));
        let short = File::new("/b.js", "text/javascript", true, Bytes::from_static(b"1"));
        assert!(short.zipped.is_none(), "it would be longer");
        assert!(FILES.iter().all(|file| file.kind != "font/woff2" || file.zipped.is_none()));
    }
}
