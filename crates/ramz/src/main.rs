#![doc = include_str!("../README.md")]

mod client;
mod commands;
mod config;
mod lab;
mod roles;
mod system;

use std::process::ExitCode;

use clap::Parser as _;
use commands::Ramz;

fn main() -> ExitCode {
    match commands::run(Ramz::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::say::error(&error);
            ExitCode::FAILURE
        }
    }
}
