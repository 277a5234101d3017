//! What must survive, atomically: versioned rows, group commit, journal, outbox.

mod port;

pub use port::{
    Change, Head, JournalEntry, Key, OutboxNew, OutboxRow, Outcome, Row, Sealed, Store, StoreFault, Swap,
    Table, Version,
};
