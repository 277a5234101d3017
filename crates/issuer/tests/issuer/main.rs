//! The issuer as a whole: started in-process, driven over real sockets, behind a simulated card host, with a clock that
//! is moved by hand.
//!
//! What must hold is written as scenarios: functions of a [`bank::Bank`] that say `Err` with a sentence when it does
//! not hold. Each runs over the memory store and over SQLite, or PostgreSQL with `RAMZ_TEST_STORE=postgres`; those that guard a PIN run once more in `teeth`, over a
//! part that is broken on purpose, and must then fail.

#[cfg(test)]
mod activating;
#[cfg(test)]
mod admission;
#[cfg(test)]
mod app;
#[cfg(test)]
mod back_office;
#[cfg(test)]
mod bank;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod doubles;
#[cfg(test)]
mod doubt;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fit;
#[cfg(test)]
mod guess;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod macs;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod page;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod refuse;
#[cfg(test)]
mod repeat;
#[cfg(test)]
mod request;
#[cfg(test)]
mod request_id;
#[cfg(test)]
mod reverse;
#[cfg(test)]
mod secrets;
// Without `cfg(test)`: the file has its own exception from the lints.
#[path = "../../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod server;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod spend;
#[cfg(test)]
mod static_pin;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod teeth;
#[cfg(test)]
mod teeth_cards;
#[cfg(test)]
mod teeth_codes;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod texting;
#[cfg(test)]
mod undo;
#[cfg(test)]
mod verification;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod wires;
