#![doc = include_str!("../README.md")]

pub mod coding;
pub mod port;
pub mod smpp;
pub mod texts;
