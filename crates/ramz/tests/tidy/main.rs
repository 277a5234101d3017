//! What a reader may rely on in every file: an opening that says what the room is, a length that can be read, names that
//! mean something, secrets read in few places, links that lead somewhere, pages that load nothing from elsewhere.
//!
//! Each rule is a function from text to complaints and is shown complaining about a made-up text. What the compiler's lints
//! hold (printing, unwrapping, unexplained exceptions) is not held a second time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod docs;
mod exposed;
mod reference;
mod rust;
mod web;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A text file of the repository.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extensions: &[&str]) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| extensions.iter().any(|one| e == *one))
    }

    /// A line that can be clicked on.
    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Folders that are made, not written.
const MADE: &[&str] = &[".git", "target", "artefacts", "node_modules", "corpus"];

/// Every text file of the tree, read once, in a stable order. What is not UTF-8 is no text.
fn tree() -> &'static [File] {
    static TREE: OnceLock<Vec<File>> = OnceLock::new();
    TREE.get_or_init(|| {
        let (root, mut files, mut folders) = (root(), Vec::new(), vec![root()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if path.is_dir() && !MADE.contains(&name.as_str()) {
                    folders.push(path);
                } else if let Some(text) =
                    fs::read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok())
                {
                    let path = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                    files.push(File { path, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    })
}

/// Runs one rule over every file it is for.
#[track_caller]
fn hold(extensions: &[&str], rule: impl Fn(&File) -> Vec<String>) {
    let files = tree().iter().filter(|file| file.has_extension(extensions)).collect::<Vec<_>>();
    assert!(!files.is_empty(), "no {extensions:?} in the tree: does the rule look in the right place?");
    assert_none(&files.into_iter().flat_map(rule).collect::<Vec<_>>());
}

/// Fails with every complaint, one a line.
#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What a rule says about a made-up file.
#[track_caller]
fn check(rule: impl Fn(&File) -> Vec<String>, path: &str, text: &str, expect: &[&str]) {
    assert_eq!(rule(&File { path: path.into(), text: text.into() }), expect, "{path}:\n{text}");
}
