//! Several nodes on one PostgreSQL, killed, cut off and failed over under load. What the clients asked and heard is recorded with its
//! order, and must be linearizable, card by card, against a small model of a card's PINs; every debit, every journal must agree.
//!
//! `NODES_S` says how long the bad day of three nodes lasts, in seconds; `SEED` takes a seed again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod books;
mod card;
mod day;
mod failing_over;
#[path = "../../../store/tests/postgres/fill.rs"]
mod fill;
mod history;
mod inside;
#[path = "../../../store/tests/postgres/line.rs"]
mod line;
mod linear;
mod load;
mod misled;
mod node;
#[path = "../processes/mod.rs"]
#[expect(dead_code, reason = "every target uses another part of the harness")]
mod processes;
#[path = "../kill/seeded.rs"]
mod seeded;
mod size;
mod taking_over;
mod teeth;
mod three;

use processes::server;
