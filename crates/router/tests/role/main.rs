//! The whole router over loopback: real HTTP on both sides, small banks behind it, a clock moved by hand.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod forwarding;
mod operating;
mod refusals;
mod world;
