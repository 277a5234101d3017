//! The PostgreSQL store on a real server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod conformance;
mod doubt;
mod fill;
mod held;
mod line;
mod older;
mod rules;
#[expect(dead_code, reason = "other crates' tests use the rest")]
mod server;
mod size;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ramz_store::PostgresConfig;
use server::Server;

/// One server for all tests that need nothing special of it.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// How a store at this address is opened: with two connections that commit, since one is what a node has anyway.
fn config(url: String) -> PostgresConfig {
    PostgresConfig { connections: 4, ..PostgresConfig::new(url, [7; 8]) }
}

/// A schema that no other test has.
fn fresh() -> PostgresConfig {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    config(SERVER.schema(&format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed))))
}
