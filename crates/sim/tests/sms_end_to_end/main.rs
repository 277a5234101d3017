//! A bank's SMPP bind against the simulated operator, over loopback, up to the handset.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod expiry;
mod lab;
mod raw;
mod receipts;
mod sending;
mod texts;
mod two_binds;
mod web;
