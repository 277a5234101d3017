//! What every manifest of the house has in common: lints, edition and licence from the root, versions in the root only,
//! no Cargo features but one. And what tests bring in from other registries: one exact version each.

use toml::{Table, Value};

use crate::{assert_none, metadata, root};

/// Keys of `[package]` that come from the root.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// The one feature, of which crate, and the dependency that it brings: the allocator of what `./dist` builds. Its build needs `make`, which
/// a machine that builds Ramz need not have; no code of ours is more or less with it.
const FEATURE: (&str, &str, &str) = ("ramz", "jemalloc", "tikv-jemallocator");

/// What a member's manifest does on its own that it should take from the root.
fn manifest_faults(name: &str, manifest: &Table) -> Vec<String> {
    let inherits =
        |value: Option<&Value>| value.and_then(|v| v.get("workspace")) == Some(&Value::Boolean(true));
    let mut faults = Vec::new();
    if !inherits(manifest.get("lints")) {
        faults.push(format!("{name}: [lints] must be `workspace = true`"));
    }
    for key in INHERITED {
        if !inherits(manifest.get("package").and_then(|package| package.get(key))) {
            faults.push(format!("{name}: `{key}` must be inherited (`{key}.workspace = true`)"));
        }
    }
    let of_dist = |dependency: &str| (name, dependency) == (FEATURE.0, FEATURE.2);
    let only: Vec<_> = manifest.get("features").and_then(Value::as_table).into_iter().flatten().collect();
    let is_dists = |(feature, brings): &(&String, &Value)| {
        (name, feature.as_str()) == (FEATURE.0, FEATURE.1)
            && brings.to_string() == format!("[\"dep:{}\"]", FEATURE.2)
    };
    if !only.iter().all(is_dists) {
        faults.push(format!("{name}: has Cargo features; whatever is built is always built"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (dependency, value) in manifest.get(section).and_then(Value::as_table).into_iter().flatten() {
            if !inherits(Some(value)) {
                faults.push(format!("{name}: {dependency} must take its version from the root"));
            }
            if value.get("optional").is_some() && !of_dist(dependency) {
                faults.push(format!("{name}: {dependency} is optional, which is a Cargo feature"));
            }
        }
    }
    faults
}

#[test]
fn every_manifest_inherits_from_the_root() {
    for package in metadata().workspace_packages() {
        let manifest: Table = std::fs::read_to_string(&package.manifest_path).unwrap().parse().unwrap();
        assert_none(&manifest_faults(&package.name, &manifest));
    }
}

#[test]
fn a_manifest_that_goes_its_own_way_is_noticed() {
    let good = "[package]\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
                license.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n";
    let check = |text: &str, expect: &[&str]| {
        assert_eq!(manifest_faults("m", &text.parse().unwrap()), expect, "{text}");
    };
    check(good, &[]);
    check(&good.replace("[lints]\nworkspace = true", ""), &["m: [lints] must be `workspace = true`"]);
    check(
        &good.replace("edition.workspace = true", "edition = \"2021\""),
        &["m: `edition` must be inherited (`edition.workspace = true`)"],
    );
    let with = |more: &str| format!("{good}{more}");
    check(&with("[dependencies]\nserde.workspace = true\n"), &[]);
    check(&with("[dependencies]\nserde = \"1\"\n"), &["m: serde must take its version from the root"]);
    check(
        &with("[dev-dependencies]\nserde = { workspace = true, optional = true }\n"),
        &["m: serde is optional, which is a Cargo feature"],
    );
    let features = "has Cargo features; whatever is built is always built";
    check(&with("[features]\nfast = []\n"), &[&format!("m: {features}")]);
    check(&with("[features]\njemalloc = [\"dep:tikv-jemallocator\"]\n"), &[&format!("m: {features}")]);
    let ramz = |text: &str| manifest_faults("ramz", &with(text).parse().unwrap());
    let allocator = "tikv-jemallocator = { workspace = true, optional = true }";
    assert_none(&ramz(&format!(
        "[features]\njemalloc = [\"dep:tikv-jemallocator\"]\n[dependencies]\n{allocator}\n"
    )));
    assert_eq!(
        ramz("[features]\njemalloc = [\"dep:tikv-jemallocator\", \"dep:serde\"]\n"),
        [format!("ramz: {features}")]
    );
    assert_eq!(ramz("[features]\ndefault = [\"jemalloc\"]\n"), [format!("ramz: {features}")]);
}

/// `name==1.2.3`, and nothing else.
fn loose_requirements(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let exact = |line: &&str| line.split_once("==").is_some_and(|(_, version)| is_exact(version));
    lines.filter(|line| !exact(line)).map(str::to_owned).collect()
}

/// Versions of a `package.json` that say a range.
fn loose_packages(text: &str) -> Vec<String> {
    let package: serde_json::Value = serde_json::from_str(text).unwrap();
    let sections =
        ["dependencies", "devDependencies"].into_iter().filter_map(|s| package.get(s)?.as_object());
    let all = sections.flatten();
    all.filter(|(_, version)| !version.as_str().is_some_and(is_exact)).map(|(name, _)| name.clone()).collect()
}

fn is_exact(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c))
}

#[test]
fn what_tests_bring_in_is_one_exact_version() {
    let (mut faults, mut folders, mut seen) = (Vec::new(), vec![root().join("tests")], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let loose = match name.as_str() {
                "node_modules" => continue,
                _ if path.is_dir() => {
                    folders.push(path);
                    continue;
                }
                "requirements.txt" => loose_requirements(&std::fs::read_to_string(&path).unwrap()),
                "package.json" => loose_packages(&std::fs::read_to_string(&path).unwrap()),
                "package-lock.json" => vec!["a lock file, which names a registry".to_owned()],
                _ => continue,
            };
            seen += 1;
            faults.extend(
                loose.into_iter().map(|what| format!("{}: {what}: name one exact version", path.display())),
            );
        }
    }
    assert!(seen > 0, "nothing found in tests/: does the rule look in the right place?");
    assert_none(&faults);
}

#[test]
fn a_loose_version_is_noticed() {
    assert_eq!(loose_requirements("# why\na==1.2\nb>=1\nc\nd==1.*\n"), ["b>=1", "c", "d==1.*"]);
    assert_eq!(
        loose_packages(r#"{ "dependencies": { "a": "1.2.3", "b": "^1.2.3", "c": "*" } }"#),
        ["b", "c"]
    );
}
