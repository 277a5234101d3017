//! `deny.toml`, held without cargo-deny: licences, sources, banned crates. Advisories need a database and are left to
//! cargo-deny itself.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::{assert_none, metadata, root};

/// The parts of `deny.toml` that are held here.
struct Rules {
    allow: Vec<String>,
    /// Crate, and a licence that it alone may have.
    exceptions: Vec<(String, String)>,
    /// Crate, and who may depend on it all the same.
    banned: Vec<(String, Vec<String>)>,
}

impl Rules {
    fn read(text: &str) -> Rules {
        let rules: Table = text.parse().unwrap();
        let list = |value: Option<&Value>| -> Vec<Value> {
            value.and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let words = |value: Option<&Value>| -> Vec<String> { list(value).iter().map(word).collect() };
        let licenses = &rules["licenses"];
        let exceptions = list(licenses.get("exceptions")).into_iter().flat_map(|exception| {
            let name = word(&exception["crate"]);
            words(exception.get("allow")).into_iter().map(move |licence| (name.clone(), licence))
        });
        let banned = list(rules["bans"].get("deny")).into_iter();
        let banned = banned.map(|ban| (word(&ban["crate"]), words(ban.get("wrappers"))));
        Rules {
            allow: words(licenses.get("allow")),
            exceptions: exceptions.collect(),
            banned: banned.collect(),
        }
    }
}

/// The licences that satisfy an SPDX expression with those that are allowed, or `None`. `AND` binds closer than `OR`; the old
/// `A/B` means `OR`.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<BTreeSet<String>> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let found = any_of(&mut rest, allowed);
    if rest.is_empty() { found } else { None }
}

fn any_of(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<BTreeSet<String>> {
    let mut found = all_of(rest, allowed);
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        let other = all_of(rest, allowed);
        found = found.or(other);
    }
    found
}

fn all_of(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<BTreeSet<String>> {
    let mut found = one(rest, allowed);
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        let other = one(rest, allowed);
        found = found.zip(other).map(|(a, b)| a.union(&b).cloned().collect());
    }
    found
}

fn one(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<BTreeSet<String>> {
    let (first, mut after) = rest.split_first()?;
    if *first == "(" {
        let found = any_of(&mut after, allowed);
        *rest = after.strip_prefix(&[")"])?;
        return found;
    }
    let mut licence = (*first).to_owned();
    if let [with @ "WITH", exception, others @ ..] = after {
        licence = format!("{licence} {with} {exception}");
        after = others;
    }
    *rest = after;
    allowed(&licence).then(|| BTreeSet::from([licence]))
}

/// The licences a crate is taken under, or the complaint.
fn licence_of(rules: &Rules, name: &str, expression: Option<&str>) -> Result<BTreeSet<String>, String> {
    let Some(expression) = expression else { return Err(format!("{name} names no licence")) };
    let excepted = |licence: &str| rules.exceptions.iter().any(|(who, what)| who == name && what == licence);
    let allowed = |licence: &str| rules.allow.iter().any(|allow| allow == licence) || excepted(licence);
    satisfied(expression, &allowed)
        .ok_or_else(|| format!("{name} is under {expression}, which deny.toml does not allow"))
}

/// Whether `from` may depend on `to`.
fn is_banned(rules: &Rules, from: &str, to: &str) -> bool {
    rules.banned.iter().any(|(banned, wrappers)| banned == to && !wrappers.iter().any(|who| who == from))
}

fn rules() -> Rules {
    Rules::read(&std::fs::read_to_string(root().join("deny.toml")).unwrap())
}

#[test]
fn every_licence_is_allowed_and_none_is_allowed_for_nothing() {
    let rules = rules();
    let (mut used, mut faults) = (BTreeSet::new(), Vec::new());
    for package in &metadata().packages {
        match licence_of(&rules, &package.name, package.license.as_deref()) {
            Ok(licences) => used.extend(licences.into_iter().map(|l| (package.name.to_string(), l))),
            Err(fault) => faults.push(fault),
        }
    }
    for allowed in rules.allow.iter().filter(|allowed| used.iter().all(|(_, licence)| licence != *allowed)) {
        faults.push(format!("deny.toml allows {allowed}, which no crate needs"));
    }
    for (name, licence) in rules.exceptions.iter().filter(|exception| !used.contains(*exception)) {
        faults.push(format!("deny.toml excepts {name} for {licence}, which it does not need"));
    }
    assert_none(&faults);
}

#[test]
fn every_crate_comes_from_here_or_the_default_registry() {
    let members = &metadata().workspace_members;
    let outside = metadata().packages.iter().filter(|package| match &package.source {
        None => !members.contains(&package.id),
        Some(source) => !source.is_crates_io(),
    });
    assert_none(&outside.map(|package| format!("{} comes from elsewhere", package.name)).collect::<Vec<_>>());
}

#[test]
fn no_banned_crate_came_in() {
    let rules = rules();
    assert!(!rules.banned.is_empty(), "deny.toml bans nothing: was it read?");
    let metadata = metadata();
    let edges = metadata.resolve.as_ref().unwrap().nodes.iter().flat_map(|node| {
        node.deps.iter().map(|dep| (metadata[&node.id].name.as_str(), metadata[&dep.pkg].name.as_str()))
    });
    let faults = edges.filter(|(from, to)| is_banned(&rules, from, to));
    assert_none(
        &faults.map(|(from, to)| format!("{from} brings in {to}, which is banned")).collect::<Vec<_>>(),
    );
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let check = |expression: &str, expect: Option<&[&str]>| {
        let allowed = |licence: &str| ["MIT", "ISC", "Apache-2.0"].contains(&licence);
        let found = satisfied(expression, &allowed);
        assert_eq!(
            found.as_ref().map(|f| f.iter().map(String::as_str).collect()),
            expect.map(<[_]>::to_vec),
            "{expression}"
        );
    };
    check("MIT", Some(&["MIT"]));
    check("GPL-3.0", None);
    check("GPL-3.0 OR MIT", Some(&["MIT"]));
    check("GPL-3.0/MIT", Some(&["MIT"]));
    check("GPL-3.0 AND MIT", None);
    check("ISC AND MIT", Some(&["ISC", "MIT"]));
    check("(GPL-3.0 OR ISC) AND MIT", Some(&["ISC", "MIT"]));
    check("GPL-3.0 OR ISC AND MIT", Some(&["ISC", "MIT"]));
    check("Apache-2.0 WITH LLVM-exception", None);
    check("Apache-2.0 WITH LLVM-exception OR MIT", Some(&["MIT"]));
    check("(MIT", None);
    check("MIT MIT", None);
    check("", None);
}

#[test]
fn what_deny_toml_does_not_allow_is_noticed() {
    let rules = Rules::read(
        "[licenses]\nallow = ['MIT']\nexceptions = [{ crate = 'odd', allow = ['Odd-1.0'] }]\n\
         [bans]\ndeny = [{ crate = 'rand', wrappers = ['proptest'] }]",
    );
    assert!(licence_of(&rules, "a", Some("MIT OR GPL-3.0")).is_ok());
    assert!(licence_of(&rules, "odd", Some("Odd-1.0")).is_ok());
    let fault = |name: &str, licence: Option<&str>| licence_of(&rules, name, licence).unwrap_err();
    assert_eq!(fault("a", Some("Odd-1.0")), "a is under Odd-1.0, which deny.toml does not allow");
    assert_eq!(fault("a", None), "a names no licence");
    assert!(is_banned(&rules, "ramz-keys", "rand"));
    assert!(!is_banned(&rules, "proptest", "rand"));
}
