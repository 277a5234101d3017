//! `ramz lab` as a process, and an outside program that knows nothing but what `lab.json` says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod harim;
mod known;
mod misuse;
#[path = "../processes/mod.rs"]
#[expect(dead_code, reason = "every target uses another part of the harness")]
mod processes;
mod secrets;
mod shape;
mod terminal;
mod token;
