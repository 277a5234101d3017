//! Books: links lead somewhere, names in backticks exist, every crate introduces itself, the change log is open.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::{File, assert_none, check, hold, root, tree};

/// The text outside fenced and indented examples, line by line with its number.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    file.text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// Targets of `[…](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// `docs/a/../b.md` → `docs/b.md`.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::ParentDir => _ = whole.pop(),
            Component::CurDir => {}
            part => whole.push(part),
        }
        whole
    })
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn dead_links(
    file: &File,
    exists: &dyn Fn(&Path) -> bool,
    text_of: &dyn Fn(&Path) -> Option<String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (n, line) in prose(file) {
        for link in links(line) {
            let (target, place) = link.split_once('#').unwrap_or((link, ""));
            let is_path = target.is_empty() || target.contains('/') || target.contains('.');
            // Rustdoc's own links, and addresses outside.
            if target.contains("://") || target.contains("::") || target.starts_with("mailto:") || !is_path {
                continue;
            }
            let here = Path::new(&file.path);
            let path = if target.is_empty() {
                here.to_owned()
            } else {
                normal(&here.parent().unwrap_or(Path::new("")).join(target))
            };
            if !exists(&path) {
                faults.push(file.at(n, &format!("links to {target}, which is not there")));
            } else if !place.is_empty() && target.is_empty() | target.ends_with(".md") {
                let text = if target.is_empty() { Some(file.text.clone()) } else { text_of(&path) };
                let found = text.is_some_and(|t| t.lines().any(|l| l.starts_with('#') && anchor(l) == place));
                if !found {
                    faults.push(file.at(n, &format!("links to {link}, a heading which is not there")));
                }
            }
        }
    }
    faults
}

/// Names in backticks that look like a test, a key of the configuration or an error's code.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2).map(|span| span.rsplit("::").next().unwrap_or(span));
    spans.filter(|span| {
        let word = span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        word && span.matches('_').count() >= 2
    })
}

fn unknown_names(file: &File, known: &BTreeSet<&str>) -> Vec<String> {
    let names = prose(file).flat_map(|(n, line)| named(line).map(move |name| (n, name)));
    let unknown = names.filter(|(_, name)| !known.contains(name));
    unknown.map(|(n, name)| file.at(n, &format!("names `{name}`, which is nowhere in the code"))).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = root();
    let rule = |file: &File| {
        dead_links(file, &|path| root.join(path).exists(), &|path| {
            std::fs::read_to_string(root.join(path)).ok()
        })
    };
    hold(&["md"], rule);
}

#[test]
fn a_dead_link_is_noticed() {
    let rule = |file: &File| {
        let there = ["docs/a.md", "docs/b/c.md", "README.md"];
        let text = |_: &Path| Some("# One card, one row\n".to_owned());
        dead_links(file, &|path| there.iter().any(|t| Path::new(t) == path), &text)
    };
    let dead = "docs/a.md:1: links to d.md, which is not there";
    check(rule, "docs/a.md", "[d](d.md)", &[dead]);
    check(rule, "docs/a.md", "[c](b/c.md) [r](../README.md) [w](https://example.com/d.md)", &[]);
    check(rule, "docs/b/c.md", "[a](../a.md#one-card-one-row)", &[]);
    let heading = "docs/b/c.md:1: links to ../a.md#two-cards, a heading which is not there";
    check(rule, "docs/b/c.md", "[a](../a.md#two-cards)", &[heading]);
    check(rule, "docs/a.md", "```\n[d](d.md)\n```\n", &[]);
}

#[test]
fn names_in_the_books_are_names_in_the_code() {
    let code = tree().iter().filter(|file| !file.has_extension(&["md"]));
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let known: BTreeSet<&str> = code.flat_map(|file| file.text.split(move |c| !is_word(c))).collect();
    hold(&["md"], |file| unknown_names(file, &known));
}

#[test]
fn a_test_that_only_the_books_know_is_noticed() {
    let known = BTreeSet::from(["a_pin_is_spent_once"]);
    let rule = |file: &File| unknown_names(file, &known);
    check(rule, "a.md", "held by `machine::a_pin_is_spent_once`", &[]);
    let fault = "a.md:1: names `a_pin_is_spent_twice`, which is nowhere in the code";
    check(rule, "a.md", "held by `a_pin_is_spent_twice`", &[fault]);
    check(rule, "a.md", "`wrong_pin`, `A_B_C`, `cargo test a_b_c`", &[]);
}

#[test]
fn every_crate_introduces_itself() {
    let mut faults = Vec::new();
    let text = |path: &str| tree().iter().find(|file| file.path == path).map(|file| file.text.as_str());
    for file in tree() {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        let readme = text(&format!("{folder}/README.md"));
        if readme.is_none_or(|readme| readme.lines().count() < 5) {
            faults.push(format!("{folder}/README.md: must say what the crate is, in five lines or more"));
        }
        // Programs without a library of their own; their README is for whoever runs them.
        if folder == "fuzz" {
            continue;
        }
        let source = ["lib", "main"].iter().find_map(|name| text(&format!("{folder}/src/{name}.rs")));
        if source.is_none_or(|source| !source.contains("#![doc = include_str!(\"../README.md\")]")) {
            faults.push(format!(
                "{folder}/src: must show README.md as its documentation (`#![doc = include_str!(…)]`)"
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn the_change_log_is_open() {
    let log = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(log.lines().any(|line| line == "## Unreleased"), "CHANGELOG.md has no `## Unreleased`");
}
