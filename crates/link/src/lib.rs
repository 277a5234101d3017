#![doc = include_str!("../README.md")]

mod calendar;
mod fact;
mod flights;
mod frame;
mod line;
mod link;
mod listen;
mod network;
mod numbers;
mod salvage;
mod shape;

use std::time::Duration;

pub use calendar::Civil;
pub use fact::Names;
pub use flights::AskError;
pub use link::{Link, LinkConfig, Place};
pub use listen::{Answer, listen};
pub use numbers::{Numbers, rrn};
pub use shape::{Shape, ShapeError};

/// Frames in a row that do not decode before a connection is closed: one is an accident, this many are a peer that
/// speaks another layout.
const GARBLED_IN_A_ROW_MAX: u32 = 16;
/// A peer that takes nothing of what is written to it for so long is cut.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
