#![doc = include_str!("../README.md")]

mod agreed;
pub mod conformance;
pub mod copy;
pub mod faults;
mod group;
pub mod journal;
mod memory;
mod port;
mod postgres;
mod ready;
mod rows;
mod sqlite;

pub use agreed::{Agreed, ClockOff};
pub use group::{Committer, Watch};
pub use memory::MemoryStore;
pub use port::{
    Change, Head, JournalEntry, Key, Lanes, OutboxNew, OutboxRow, Outcome, Row, Sealed, Store, StoreFault,
    Swap, Table, Version,
};
pub use postgres::{PostgresConfig, PostgresError, PostgresStore, Schema};
pub use ready::ready;
pub use rows::{KEY_BYTES_MAX, KEY_BYTES_MIN, shard_of};
pub use sqlite::{Inspected, OpenError, SqliteStore, inspect};
