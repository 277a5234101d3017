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

/// Requests are short and come on many threads: this allocator spends a third of the time that the C library's does on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(Ramz::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::say::error(&error);
            ExitCode::FAILURE
        }
    }
}
