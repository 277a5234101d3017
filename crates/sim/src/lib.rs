//! What a bank has and a newcomer has not: card host, SMSC with handsets, shop, and the lab's portal.
//!
//! The simulators speak the real protocols over real sockets. Nothing of a real bank's service depends on this room.

pub mod handsets;
pub mod host;
pub mod portal;
pub mod shop;
pub mod smsc;
pub mod trace;
