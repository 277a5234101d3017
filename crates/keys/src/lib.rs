#![doc = include_str!("../README.md")]

pub mod pinblock;
mod port;
mod receive;
mod soft;

pub use port::{
    ChainLink, IndexPurpose, KeyFault, KeyVersion, Keys, PinBlock, PinBlockFormat, PinSource, Place,
    ReceiveKey, Received, Tag, TakenSeed,
};
pub use receive::{NotAReceiveKey, SealedSeed, seal_seed};
pub use soft::{
    Argon2Params, KeyFileError, KeyRing, Purpose, RingView, SoftKeys, ZoneCipher, ZoneError, ZoneKey,
};
