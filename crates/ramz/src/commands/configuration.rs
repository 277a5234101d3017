//! `ramz config`: is a file right, and what is in force.

use clap::{Args, Subcommand};

use super::{Settings, say};
use crate::config::{Config, Remarks};

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
            let (file, remarks) = sound(settings)?;
            for warning in &remarks.warnings {
                say::note(&format!("warning: {file}: {warning}"));
            }
            say::line("the configuration is good");
        }
        Configuration::Show(settings) => {
            // Secrets are paths in what is sound. What is not may hold one where it was typed, and no role starts from it.
            sound(settings)?;
            say::line(settings.load()?.show()?);
        }
    }
    Ok(())
}

/// A file without errors: how it is called, and what there is to say of it even so.
fn sound(settings: &Settings) -> anyhow::Result<(String, Remarks)> {
    let remarks = Config::check(settings.config.as_deref())?;
    let file = settings.config.as_ref().map_or("defaults".into(), |path| path.display().to_string());
    let errors: Vec<String> = remarks.errors.iter().map(|error| format!("{file}: {error}")).collect();
    anyhow::ensure!(errors.is_empty(), errors.join("\n      "));
    Ok((file, remarks))
}
