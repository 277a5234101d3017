//! A bind against a peer written by hand.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod bad_days;
mod rig;
mod texts;
