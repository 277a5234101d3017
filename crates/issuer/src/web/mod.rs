//! The issuer's doors for HTTP: PIN requests, back office, health. Shared by them: who the peer is, and faults.

pub mod back_office;
pub mod health;
mod lines;
pub mod pin_requests;
pub mod verifications;

use ramz_api::net::Peer;
use ramz_api::problem::{self, Problem};
use ramz_domain::Entropy;
use ramz_store::StoreFault;

use crate::engine::EngineFault;

/// The name in the peer's certificate, if there was one.
fn certified(peer: &Peer) -> Option<&str> {
    peer.name.as_deref()
}

/// What a fault looks like from outside: an incident; what is overloaded says so.
pub(crate) fn fault(entropy: &dyn Entropy, fault: &EngineFault) -> Problem {
    match fault {
        EngineFault::Busy | EngineFault::Stopping => Problem::issuer_unavailable(1),
        // A database that fails over, or is full: nothing is wrong with the request, and nothing of it is written.
        EngineFault::Store(StoreFault::Unavailable(why)) => {
            tracing::error!(%why, "a request is refused: the store is away");
            Problem::issuer_unavailable(1)
        }
        EngineFault::ClockOff(_) => Problem::issuer_unavailable(1),
        fault => {
            let incident = problem::incident(entropy);
            tracing::error!(%incident, %fault, "a request failed");
            Problem::fault(incident)
        }
    }
}
