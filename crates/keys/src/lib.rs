//! Everything done under a key: one port, a soft implementation, PIN blocks.

mod port;

pub use port::{
    ChainLink, IndexPurpose, KeyFault, KeyVersion, Keys, PinBlock, PinBlockFormat, PinSource, Place, Tag,
};
