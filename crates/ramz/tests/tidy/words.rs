//! Words that must not stand in the tree: paths and tools of the machine it was written on, and the addresses of package
//! registries, which belong to whoever builds (a mirror must work without a change here). The lock files name
//! the default registry, because Cargo writes them.

use crate::{File, assert_none, check, tree};

/// In pieces, so that this file is clean.
const FORBIDDEN: &[(&[&str], &str)] = &[
    (&["/wo", "rk/"], "a path of one machine"),
    (&["../sha", "red"], "a path of one machine"),
    (&["farm-", "studio"], "a tool of one machine"),
    (&["farm-", "bench"], "a tool of one machine"),
    (&[".lib", "rary"], "a tool of one machine"),
    (&["crates", ".io"], "a registry's host"),
    (&["pypi", ".org"], "a registry's host"),
    (&["files.python", "hosted"], "a registry's host"),
    (&["npm", "js"], "a registry's host"),
    (&["debian", ".org"], "a registry's host"),
];

fn faults(file: &File) -> Vec<String> {
    if file.path == "Cargo.lock" {
        return vec![];
    }
    let mut faults = Vec::new();
    for (pieces, why) in FORBIDDEN {
        let word = pieces.concat();
        for (n, _) in file.text.lines().enumerate().filter(|(_, line)| line.contains(&word)) {
            faults.push(file.at(n, &format!("names {why}")));
        }
    }
    faults
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    assert_none(&tree().iter().flat_map(faults).collect::<Vec<_>>());
}

#[test]
fn each_forbidden_word_is_found() {
    for (pieces, why) in FORBIDDEN {
        let text = format!("first\nhttps://a.{}/b\n", pieces.concat());
        check(faults, "a.md", &text, &[&format!("a.md:2: names {why}")]);
    }
    check(faults, "a.md", "a framework/ and crates of io\n", &[]);
    check(faults, "Cargo.lock", &FORBIDDEN[5].0.concat(), &[]);
}
