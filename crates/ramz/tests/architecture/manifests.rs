//! What every manifest of the house has in common: lints, edition and licence from the root, versions in the root only,
//! no Cargo features.

use toml::{Table, Value};

use crate::{assert_none, metadata};

/// Keys of `[package]` that come from the root.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

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
    if manifest.get("features").is_some() {
        faults.push(format!("{name}: has Cargo features; whatever is built is always built"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (dependency, value) in manifest.get(section).and_then(Value::as_table).into_iter().flatten() {
            if !inherits(Some(value)) {
                faults.push(format!("{name}: {dependency} must take its version from the root"));
            }
            if value.get("optional").is_some() {
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
        assert!(package.features.is_empty(), "{}: has Cargo features", package.name);
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
    check(&with("[features]\nfast = []\n"), &["m: has Cargo features; whatever is built is always built"]);
}
