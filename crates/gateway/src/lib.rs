#![doc = include_str!("../README.md")]

mod about;
mod ask;
mod assets;
mod authorise;
mod balance;
mod body;
mod config;
mod directory;
mod expiry;
mod gateway;
mod health;
mod labels;
mod merchants;
mod message;
mod page;
mod payee;
mod payer;
mod payment;
mod problem;
mod proof;
mod refusals;
mod reversal;
mod rows;
mod running;
mod state;
mod token;
mod words;

pub use config::{ApiKey, BankLink, Config, ConfigError, Merchant};
pub use running::{Ports, Running, StartError, start};
