#![doc = include_str!("../README.md")]

mod bcd;
mod class;
pub mod de48;
mod decode;
mod encode;
mod error;
mod field;
mod layout;
mod message;
mod mti;
pub mod trace;

pub use decode::decode;
pub use encode::encode;
pub use error::{DecodeError, EncodeError, LayoutError, Place};
pub use field::name;
pub use layout::Layout;
pub use message::Message;
pub use mti::{Mti, MtiClass};
pub use trace::masked;

/// The longest message that is decoded or encoded, in bytes. A network's longest messages are about 2 KiB;
/// this leaves room for several full private fields and still bounds what one peer can make us hold.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024;
