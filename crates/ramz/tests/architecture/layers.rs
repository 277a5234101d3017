//! The layer table. A crate knows only what its row says; a row only names crates of lower layers.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::DependencyKind;

use crate::{assert_none, metadata, root};

/// One crate of the house.
struct Room {
    layer: u8,
    name: &'static str,
    /// The crates of the house it may depend on.
    knows: &'static [&'static str],
}

const fn room(layer: u8, name: &'static str, knows: &'static [&'static str]) -> Room {
    Room { layer, name, knows }
}

/// Layer 1 is pure, 2 are the words between services, 3 the adapters, 4 the roles, 5 the binary and what throws bytes at all below.
/// Within a layer nobody knows anybody.
const HOUSE: &[Room] = &[
    room(1, "ramz-domain", &[]),
    room(1, "ramz-iso8583", &[]),
    room(2, "ramz-api", &["ramz-domain"]),
    room(3, "ramz-keys", &["ramz-domain"]),
    room(3, "ramz-store", &["ramz-domain"]),
    room(3, "ramz-link", &["ramz-domain", "ramz-iso8583", "ramz-api"]),
    room(3, "ramz-sms", &["ramz-domain", "ramz-api"]),
    room(
        4,
        "ramz-issuer",
        &["ramz-domain", "ramz-iso8583", "ramz-api", "ramz-keys", "ramz-store", "ramz-link", "ramz-sms"],
    ),
    // Stateless, and never near a key or a transaction.
    room(4, "ramz-router", &["ramz-domain", "ramz-api"]),
    room(
        4,
        "ramz-gateway",
        &["ramz-domain", "ramz-iso8583", "ramz-api", "ramz-keys", "ramz-store", "ramz-link"],
    ),
    // A bank's other machines have no store of ours.
    room(4, "ramz-sim", &["ramz-domain", "ramz-iso8583", "ramz-api", "ramz-keys", "ramz-link", "ramz-sms"]),
    room(
        5,
        "ramz",
        &[
            "ramz-domain",
            "ramz-iso8583",
            "ramz-api",
            "ramz-keys",
            "ramz-store",
            "ramz-link",
            "ramz-sms",
            "ramz-issuer",
            "ramz-router",
            "ramz-gateway",
            "ramz-sim",
        ],
    ),
    // What reads bytes of others.
    room(
        5,
        "ramz-fuzz",
        &[
            "ramz-domain",
            "ramz-iso8583",
            "ramz-api",
            "ramz-keys",
            "ramz-sms",
            "ramz-issuer",
            "ramz-router",
            "ramz-gateway",
        ],
    ),
];

/// The simulators are what roles are tried against: tests may know them, whatever the layer.
const TRIED_AGAINST: &str = "ramz-sim";

/// What may not stand behind a pure crate, however deep. `getrandom` is not listed: Cargo unites the features of a
/// workspace, and a cipher's reaches the hashes; that nobody calls it is the lint's to hold (`clippy.toml`).
const IMPURE: &[(&str, &[&str])] = &[
    ("ramz-domain", &["tokio", "serde", "rand", "tracing"]),
    ("ramz-iso8583", &["tokio", "rand", "tracing"]),
];

/// What only the binary may ask for: the operating system's randomness, the command line, errors without a type, and
/// where logs go.
const ONLY_THE_BINARY: &[&str] = &["anyhow", "clap", "getrandom", "rpassword", "tracing-subscriber"];

/// A dependency as a rule sees it.
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    in_tests: bool,
}

/// Rows that contradict the layers: a crate may only know lower ones.
fn table_faults(house: &[Room]) -> Vec<String> {
    let layer = |name: &str| house.iter().find(|room| room.name == name).map(|room| room.layer);
    let mut faults = Vec::new();
    for room in house {
        for known in room.knows {
            match layer(known) {
                Some(below) if below < room.layer => {}
                Some(_) => {
                    faults.push(format!("{} may not know {known}: it is not of a lower layer", room.name))
                }
                None => faults.push(format!("{} knows {known}, which is not in the table", room.name)),
            }
        }
    }
    faults
}

/// Crates and dependencies that the table does not have, and rows that nobody lives in.
fn house_faults(house: &[Room], crates: &[&str], edges: &[Edge<'_>]) -> Vec<String> {
    let mut faults = Vec::new();
    for name in crates.iter().filter(|name| house.iter().all(|room| room.name != **name)) {
        faults.push(format!(
            "{name} is not in the layer table: give it a layer in tests/architecture/layers.rs"
        ));
    }
    for room in house.iter().filter(|room| !crates.contains(&room.name)) {
        faults.push(format!("{} is in the layer table, but not in the workspace", room.name));
    }
    for Edge { from, to, in_tests } in edges {
        let Some(room) = house.iter().find(|room| room.name == *from) else { continue };
        let inside = crates.contains(to);
        let for_tests = *in_tests && (*to == TRIED_AGAINST || to == from);
        if inside && !for_tests && !room.knows.contains(to) {
            faults.push(format!("{from} depends on {to}, which the layer table does not allow"));
        }
        if ONLY_THE_BINARY.contains(to) && room.layer < 5 && !in_tests {
            faults.push(format!("{from} depends on {to}, which only the binary may"));
        }
    }
    faults
}

/// Crates behind a pure one that are not pure. `graph` holds what ships, not what tests use.
fn impure(graph: &BTreeMap<String, BTreeSet<String>>, from: &str, forbidden: &[&str]) -> Vec<String> {
    let (mut seen, mut next) = (BTreeSet::from([from.to_owned()]), vec![from.to_owned()]);
    while let Some(name) = next.pop() {
        for to in graph.get(&name).into_iter().flatten() {
            if seen.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    let found = forbidden.iter().filter(|name| seen.contains(**name));
    found.map(|name| format!("{from} must stay pure, and has {name} behind it")).collect()
}

#[test]
fn the_layer_table_only_points_down() {
    assert_none(&table_faults(HOUSE));
}

#[test]
fn every_crate_keeps_to_its_layer() {
    let packages = metadata().workspace_packages();
    let crates: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let edges = packages.iter().flat_map(|package| {
        package.dependencies.iter().map(|dependency| Edge {
            from: package.name.as_str(),
            to: &dependency.name,
            in_tests: dependency.kind == DependencyKind::Development,
        })
    });
    assert_none(&house_faults(HOUSE, &crates, &edges.collect::<Vec<_>>()));
}

#[test]
fn the_pure_crates_are_pure_all_the_way_down() {
    let metadata = metadata();
    let name = |id| metadata[id].name.to_string();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &metadata.resolve.as_ref().unwrap().nodes {
        // A macro's own dependencies run in the compiler and are not in the crate.
        let shipped =
            node.deps.iter().filter(|d| d.dep_kinds.iter().any(|info| info.kind == DependencyKind::Normal));
        let shipped =
            shipped.filter(|d| !metadata[&d.pkg].targets.iter().any(|target| target.is_proc_macro()));
        graph.entry(name(&node.id)).or_default().extend(shipped.map(|dep| name(&dep.pkg)));
    }
    for (pure, forbidden) in IMPURE {
        assert!(graph.contains_key(*pure), "{pure} is not in the workspace");
        assert_none(&impure(&graph, pure, forbidden));
    }
}

#[test]
fn every_crate_is_on_the_map() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let missing = HOUSE.iter().map(|room| room.name.trim_start_matches("ramz-"));
    let missing = missing.filter(|room| !map.contains(&format!("`{room}`")));
    assert_none(&missing.map(|room| format!("ARCHITECTURE.md does not show `{room}`")).collect::<Vec<_>>());
}

/// A small house with one fault each, to see every rule complain.
mod on_a_made_up_house {
    use super::*;

    const SMALL: &[Room] = &[
        room(1, "ramz-domain", &[]),
        room(3, "ramz-keys", &["ramz-domain"]),
        room(3, "ramz-store", &["ramz-domain"]),
        room(4, "ramz-router", &["ramz-domain"]),
        room(4, "ramz-sim", &["ramz-domain"]),
    ];
    const CRATES: &[&str] = &["ramz-domain", "ramz-keys", "ramz-store", "ramz-router", "ramz-sim"];

    #[track_caller]
    fn check(crates: &[&str], edge: (&str, &str), in_tests: bool, expect: &[&str]) {
        let edge = Edge { from: edge.0, to: edge.1, in_tests };
        assert_eq!(house_faults(SMALL, crates, &[edge]), expect);
    }

    #[test]
    fn a_lower_layer_may_be_known() {
        check(CRATES, ("ramz-keys", "ramz-domain"), false, &[]);
    }

    #[test]
    fn an_adapter_may_not_know_an_adapter() {
        let fault = "ramz-keys depends on ramz-store, which the layer table does not allow";
        check(CRATES, ("ramz-keys", "ramz-store"), false, &[fault]);
        check(CRATES, ("ramz-keys", "ramz-store"), true, &[fault]);
    }

    #[test]
    fn a_role_may_not_know_a_role_but_its_tests_may_know_the_simulators() {
        let fault = "ramz-router depends on ramz-sim, which the layer table does not allow";
        check(CRATES, ("ramz-router", "ramz-sim"), false, &[fault]);
        check(CRATES, ("ramz-router", "ramz-sim"), true, &[]);
    }

    #[test]
    fn a_crate_outside_the_table_is_noticed() {
        let mut crates = CRATES.to_vec();
        crates.push("ramz-helper");
        let fault = "ramz-helper is not in the layer table: give it a layer in tests/architecture/layers.rs";
        check(&crates, ("ramz-keys", "ramz-domain"), false, &[fault]);
    }

    #[test]
    fn a_row_without_a_crate_is_noticed() {
        let fault = "ramz-sim is in the layer table, but not in the workspace";
        check(&CRATES[..4], ("ramz-keys", "ramz-domain"), false, &[fault]);
    }

    #[test]
    fn only_the_binary_asks_the_system() {
        let fault = "ramz-keys depends on getrandom, which only the binary may";
        check(CRATES, ("ramz-keys", "getrandom"), false, &[fault]);
    }

    #[test]
    fn a_row_that_points_sideways_is_noticed() {
        let house = [room(3, "ramz-keys", &["ramz-store"]), room(3, "ramz-store", &["ramz-nobody"])];
        assert_eq!(
            table_faults(&house),
            [
                "ramz-keys may not know ramz-store: it is not of a lower layer",
                "ramz-store knows ramz-nobody, which is not in the table",
            ]
        );
    }

    #[test]
    fn impurity_is_found_however_deep() {
        let graph = [("ramz-domain", "a"), ("a", "b"), ("b", "tokio"), ("c", "serde")];
        let graph = graph.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
        let faults = impure(&graph.into(), "ramz-domain", &["tokio", "serde"]);
        assert_eq!(faults, ["ramz-domain must stay pure, and has tokio behind it"]);
    }
}
