#![doc = include_str!("../README.md")]

pub mod handsets;
pub mod host;
pub mod phone;
pub mod portal;
pub mod shop;
pub mod smsc;
pub mod terminal;
pub mod trace;
