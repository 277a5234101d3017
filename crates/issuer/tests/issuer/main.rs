//! The issuer as a whole: started in-process, driven over real sockets, behind a simulated card host, with a clock that
//! is moved by hand.
//!
//! What must hold is written as scenarios: functions of a [`bank::Bank`] that say `Err` with a sentence when it does
//! not hold. Each runs over the memory store and over SQLite; those that guard a PIN run once more in `teeth`, over a
//! part that is broken on purpose, and must then fail.

mod admission;
mod back_office;
mod bank;
mod doubles;
mod faults;
mod guess;
mod messages;
mod outbox;
mod refuse;
mod repeat;
mod request;
mod reverse;
mod secrets;
mod spend;
mod teeth;
mod wires;
