//! The harness for the binary as a process: start it, wait for its word, talk to it over its sockets, end it.
//!
//! What stands outside a role in production stands here, in the test's own process: the switch and the page as clients,
//! card host and SMSC from the simulators. Nothing of the role's own code is called.

pub(crate) mod bank;
pub(crate) mod certificates;
pub(crate) mod database;
pub(crate) mod process;
#[path = "../../../store/tests/postgres/server.rs"]
pub(crate) mod server;
pub(crate) mod surroundings;
pub(crate) mod wires;

use std::time::Duration;

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is there; panics with `what` if it never is.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
