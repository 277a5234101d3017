//! The tap: where a role tells what went over its wires, decoded and masked, for whoever watches (the lab's trace).
//!
//! A fact here is already masked by the room that tells it. Nothing depends on a tap; production has none.

use std::sync::Arc;

use serde::Serialize;

/// One message seen on a wire.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fact {
    /// Who sent it: `page`, `router`, `bank mellat`, `switch`, `card host`, `smsc`, `phone`.
    pub from: String,
    /// Who received it.
    pub to: String,
    /// `HTTP`, `ISO 8583` or `SMPP`.
    pub wire: &'static str,
    /// One line: `POST /v1/pin-requests`, `0200 purchase`, `submit_sm`.
    pub title: String,
    /// Name and masked value of what it carries, in order.
    pub fields: Vec<(String, String)>,
}

/// A sink of facts. `tell` never waits and never fails.
pub trait Tap: Send + Sync + 'static {
    /// Tells a fact.
    fn tell(&self, fact: Fact);

    /// Whether anybody watches: masking a message for nobody is work that a payment would wait for.
    fn watches(&self) -> bool {
        true
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTap;

impl Tap for NoTap {
    fn tell(&self, _: Fact) {}

    fn watches(&self) -> bool {
        false
    }
}

/// A shared tap.
pub type SharedTap = Arc<dyn Tap>;
