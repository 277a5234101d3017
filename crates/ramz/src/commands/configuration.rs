//! `ramz config`: is a file right, and what is in force.

use clap::{Args, Subcommand};

use super::{Settings, say};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Configuration,
}

#[derive(Debug, Subcommand)]
enum Configuration {
    /// Say everything that is wrong with a file, each with its table and key, and what is risky
    Check(Settings),
    /// Show every setting in force, the defaults marked; secrets are known as paths only
    Show(Settings),
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    match &options.command {
        Configuration::Check(settings) => {
            let remarks = Config::check(settings.config.as_deref())?;
            let file = settings.config.as_ref().map_or("defaults".into(), |path| path.display().to_string());
            let errors: Vec<String> = remarks.errors.iter().map(|error| format!("{file}: {error}")).collect();
            anyhow::ensure!(errors.is_empty(), errors.join("\n      "));
            for warning in &remarks.warnings {
                say::note(&format!("warning: {file}: {warning}"));
            }
            say::line("the configuration is good");
        }
        Configuration::Show(settings) => say::line(settings.load()?.show()?),
    }
    Ok(())
}
