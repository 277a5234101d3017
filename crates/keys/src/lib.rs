#![doc = include_str!("../README.md")]

pub mod envelope;
pub mod pinblock;
mod port;
mod receive;
mod soft;

pub use envelope::Argon2Params;
pub use port::{
    ChainLink, CodeMatch, CodeSource, IndexPurpose, KeyFault, KeyVersion, Keys, Matches, PinBlock,
    PinBlockFormat, PinSource, Place, ReceiveKey, Received, Sources, Tag, TakenSeed,
};
pub use receive::{NotAReceiveKey, SealedSeed, seal_seed};
pub use soft::{KeyFileError, KeyRing, Purpose, RingView, SoftKeys, ZoneCipher, ZoneError, ZoneKey};
