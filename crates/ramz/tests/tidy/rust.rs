//! Rust files: how they open, how long they are, what modules are called, who may print a secret.

use crate::{File, check, hold};

const LINES_MAX: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "util", "utils", "helper", "helpers", "manager", "misc"];

/// Types that hold a secret: a derived `Debug` would print it, a derived `Serialize` would send it.
const SECRETS: &[&str] = &[
    "Pan", "Pin", "PinBlock", "Phone", "SmsText", "Secret", "ApiKey", "ZoneKey", "KeyRing", "SoftKeys",
    "Tags",
];

fn opening(file: &File) -> Vec<String> {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let opens = ["//!", "#![doc = include_str!", "#![expect("].iter().any(|start| first.starts_with(start));
    if opens {
        vec![]
    } else {
        vec![file.at(0, "must open with `//!`: what this room is, and what is not here")]
    }
}

fn length(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX {
        return vec![];
    }
    vec![
        file.at(
            LINES_MAX,
            &format!("has {lines} lines, at most {LINES_MAX}: which part is a room of its own?"),
        ),
    ]
}

fn names(file: &File) -> Vec<String> {
    let parts = file.path.trim_end_matches(".rs").split('/');
    let empty = parts.filter(|part| EMPTY_NAMES.contains(part));
    empty.map(|part| format!("{}: `{part}` says nothing about what is inside", file.path)).collect()
}

/// A test that does not run is a comment that compiles.
fn ignored_tests(file: &File) -> Vec<String> {
    let needle = concat!("#[", "ignore");
    let lines = file.text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(needle));
    lines.map(|(n, _)| file.at(n, "an ignored test holds nothing")).collect()
}

fn secrets_that_print(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    let mut derives: Vec<&str> = Vec::new();
    for (n, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            derives.extend(
                line.trim_start_matches("#[derive(").trim_end_matches(")]").split(',').map(str::trim),
            );
            continue;
        }
        if line.starts_with("#[") || line.starts_with("//") {
            continue;
        }
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let named = words.windows(2).find(|pair| matches!(pair[0], "struct" | "enum")).map(|pair| pair[1]);
        if let Some(name) = named.filter(|name| SECRETS.contains(name)) {
            for told in derives.iter().filter(|d| matches!(**d, "Debug" | "Serialize" | "PartialOrd")) {
                faults.push(file.at(n, &format!("`{name}` holds a secret and must not derive {told}")));
            }
        }
        derives.clear();
    }
    faults
}

#[test]
fn every_file_opens_with_what_it_is() {
    hold(&["rs"], opening);
    check(opening, "a.rs", "//! A room.\n", &[]);
    check(opening, "a.rs", "#![doc = include_str!(\"../README.md\")]\n", &[]);
    let fault = "a.rs:1: must open with `//!`: what this room is, and what is not here";
    check(opening, "a.rs", "use std::fmt;\n", &[fault]);
    check(opening, "a.rs", "", &[fault]);
}

#[test]
fn no_file_is_too_long_to_read() {
    hold(&["rs"], length);
    check(length, "a.rs", &"//\n".repeat(600), &[]);
    let fault = "a.rs:601: has 601 lines, at most 600: which part is a room of its own?";
    check(length, "a.rs", &"//\n".repeat(601), &[fault]);
}

#[test]
fn no_module_has_an_empty_name() {
    hold(&["rs"], names);
    check(names, "src/util/a.rs", "", &["src/util/a.rs: `util` says nothing about what is inside"]);
    check(names, "src/helper.rs", "", &["src/helper.rs: `helper` says nothing about what is inside"]);
    check(names, "src/utility_bills.rs", "", &[]);
}

#[test]
fn no_test_is_switched_off() {
    hold(&["rs"], ignored_tests);
    let text = format!("#[test]\n#[{}]\nfn a() {{}}\n", "ignore = \"slow\"");
    check(ignored_tests, "a.rs", &text, &["a.rs:2: an ignored test holds nothing"]);
}

#[test]
fn no_secret_derives_its_own_printing() {
    hold(&["rs"], secrets_that_print);
    let pin = "#[derive(Clone, Debug)]\n/// A PIN.\npub struct Pin(String);\n";
    check(secrets_that_print, "a.rs", pin, &["a.rs:3: `Pin` holds a secret and must not derive Debug"]);
    let other = "#[derive(Debug)]\npub struct PinError;\n#[derive(Clone)]\nstruct Pan(String);\n";
    check(secrets_that_print, "a.rs", other, &[]);
}
