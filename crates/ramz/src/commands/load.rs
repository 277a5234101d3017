//! `ramz load`: placeholder while the lab comes up.

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Options {}

pub(super) async fn run(_: Options) -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
