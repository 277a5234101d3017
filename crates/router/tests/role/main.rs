//! The whole router over loopback: real HTTP on both sides, small banks behind it, a clock moved by hand.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod bad_days;
mod forwarding;
mod operating;
mod proxy;
mod public;
mod refusals;
mod world;
