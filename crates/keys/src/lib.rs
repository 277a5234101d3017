#![doc = include_str!("../README.md")]

pub mod pinblock;
mod port;
mod soft;

pub use port::{
    ChainLink, IndexPurpose, KeyFault, KeyVersion, Keys, PinBlock, PinBlockFormat, PinSource, Place, Tag,
};
pub use soft::{
    Argon2Params, KeyFileError, KeyRing, Purpose, RingView, SoftKeys, ZoneCipher, ZoneError, ZoneKey,
};
