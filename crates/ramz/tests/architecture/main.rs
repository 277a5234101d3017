//! The tree is the architecture: who may know whom, read from `cargo metadata` and held.
//!
//! Three rooms: [`layers`] holds the table of crates and what each may depend on, [`manifests`] holds what every manifest
//! has in common, [`deny`] holds `deny.toml` (licences, sources, banned crates), which `cargo deny` would hold where it is
//! installed. Each rule is a function over plain values and is shown failing on a made-up house.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod deny;
mod layers;
mod manifests;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every package in the lock file, for every platform, asked for once.
fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().unwrap())
}

/// Fails with every complaint, one a line.
#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
