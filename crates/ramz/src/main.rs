#![doc = include_str!("../README.md")]

mod client;
mod commands;
mod config;
mod lab;
mod roles;
mod system;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;
use commands::Ramz;

/// Requests are short and come on many threads: with this allocator a pair of request and payment took about a twentieth less
/// processor time at the issuer than with the C library's, on a busy machine (`ramz load --issuer`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(Ramz::parse()).and_then(|()| commands::say::written()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::say::error(&error);
            ExitCode::FAILURE
        }
    }
}
