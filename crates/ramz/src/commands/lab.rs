//! `ramz lab`: the main job, in one command.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{role, say};
use crate::lab;
use crate::system::tcp::Unbound;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Keep everything in this folder; the default is a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The portal's port; shop, gateway, router and banks follow it
    #[arg(long, value_name = "N", default_value_t = 8700)]
    port: u16,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
    /// How ISO 8583 messages look on every link: ascii, bcd, or the path of a layout file
    #[arg(long, value_name = "LAYOUT", default_value = "ascii")]
    layout: String,
    /// Add so many cards for `ramz load`
    #[arg(long, value_name = "N", default_value_t = 0)]
    measured_cards: usize,
    /// Keep rows in PostgreSQL, not in files: its address, with {} where the bank's id stands, or `gateway`
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// What to log: a level, or levels of targets
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    log: String,
}

impl Options {
    fn lab(&self) -> lab::Options {
        let (data, layout, database) = (self.data.clone(), self.layout.clone(), self.database.clone());
        lab::Options { data, port: self.port, layout, measured_cards: self.measured_cards, database }
    }

    pub(super) fn log_filter(&self) -> String {
        self.log.clone()
    }
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let lab = lab::start(options.lab(), &shutdown).await.map_err(elsewhere)?;
    let mut stop = role::Stop::listen()?;
    say::line(format!("lab ready {}", lab.url));
    if !options.no_open {
        open(&lab.url);
    }
    stop.asked().await;
    shutdown.cancel();
    let end = async {
        lab.stopped().await;
        Ok(())
    };
    role::ended(stop, end).await
}

/// Where a port is taken: how to take others.
fn elsewhere(error: anyhow::Error) -> anyhow::Error {
    let taken = error.chain().any(|cause| cause.downcast_ref::<Unbound>().is_some_and(Unbound::is_taken));
    if taken { anyhow::anyhow!("{error:#} The lab takes other ports with --port") } else { error }
}

/// Opens the portal if there is a desktop; without one the printed address has to do.
fn open(url: &str) {
    let desktop = std::env::var_os("DISPLAY").is_some() || std::env::var_os("WAYLAND_DISPLAY").is_some();
    if desktop {
        let quiet = || Stdio::null();
        let _ = Command::new("xdg-open").arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    }
}
