//! What must survive, atomically: versioned rows, group commit, journal, outbox
