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
#[cfg(not(feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What `./dist` builds has this one, whose free lists hand out first what was freed last and is still in the processor's cache: a
/// sixth less processor time a pair than with the one above (`docs/performance.md`).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match commands::run(Ramz::parse()).and_then(|()| commands::say::written()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::say::error(&error);
            ExitCode::FAILURE
        }
    }
}
