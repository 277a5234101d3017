#![doc = include_str!("../README.md")]

pub mod envelope;
pub mod pinblock;
mod port;
mod receive;
mod soft;

pub use envelope::Argon2Params;
pub use port::{
    ChainLink, IndexPurpose, KeyFault, KeyVersion, Keys, PinBlock, PinBlockFormat, PinSource, Place,
    ReceiveKey, Received, Tag, TakenSeed,
};
pub use receive::{NotAReceiveKey, SealedSeed, seal_seed};
pub use soft::{KeyFileError, KeyRing, Purpose, RingView, SoftKeys, ZoneCipher, ZoneError, ZoneKey};
