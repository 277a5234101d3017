//! `ramz config`: is a file right, and what is in force.

use clap::{Args, Subcommand};

use super::{Settings, say};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Configuration,
}

#[derive(Debug, Subcommand)]
enum Configuration {
    /// Read every table, check the policy's guess budget, and say what is wrong
    Check(Settings),
    /// Show every setting in force; there are no secrets in it
    Show(Settings),
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    match &options.command {
        Configuration::Check(settings) => {
            settings.load()?.check()?;
            say::line("the configuration is good");
        }
        Configuration::Show(settings) => say::line(settings.load()?.show()?),
    }
    Ok(())
}
