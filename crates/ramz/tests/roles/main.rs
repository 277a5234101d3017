//! Each role as its own process, without any of the lab: started from files, driven over its sockets, ended by signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod changing;
mod copying;
mod doctor;
mod house;
mod importing;
mod journal;
mod keys;
mod lost;
mod measuring;
mod metrics;
mod page;
mod paying;
#[path = "../processes/mod.rs"]
#[expect(dead_code, reason = "every target uses another part of the harness")]
mod processes;
mod refusing;
mod renewing;
mod request_id;
mod stopping;
mod terminal;
mod texting;
