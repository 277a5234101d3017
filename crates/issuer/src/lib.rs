#![doc = include_str!("../README.md")]

pub mod admission;
mod app;
pub mod cards;
pub mod config;
pub mod counts;
mod devices;
pub mod engine;
mod fit;
pub mod inline;
pub mod limits;
mod nodes;
pub mod outbox;
pub mod phones;
mod receipts;
mod shape;
mod start;
mod sweeper;
pub mod undo;
pub mod web;
pub mod windows;

pub use config::Config;
pub use fit::{Unfit, keys_fit, keys_fit_but_for_the_journal};
pub use shape::shape;
pub use start::{Ports, Running, StartError, start};
