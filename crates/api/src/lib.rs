#![doc = include_str!("../README.md")]

pub mod address;
pub mod app;
pub mod back_office;
pub mod client;
pub mod deadline;
pub mod directory;
pub mod hop;
mod json;
pub mod metrics;
pub mod net;
pub mod openapi;
pub mod pin_request;
pub mod problem;
pub mod serve;
pub mod tap;
pub mod verification;
