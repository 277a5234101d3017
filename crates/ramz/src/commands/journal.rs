//! `ramz journal verify`: whether anybody has altered what was decided.

use std::sync::Arc;

use clap::{Args, Subcommand};
use ramz_domain::{CardId, Entropy};
use ramz_store::{Store, Table};

use super::{Settings, say};
use crate::config::IssuerConfig;
use crate::roles::{open_keys, open_store};
use crate::system::SystemEntropy;

/// Cards looked at in one step.
const PAGE: usize = 256;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Journal,
}

#[derive(Debug, Subcommand)]
enum Journal {
    /// Check every card's chain of entries against its head. The issuer must not be running on this store
    Verify(Settings),
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let Journal::Verify(settings) = options.command;
    let config: IssuerConfig = settings.load()?.table("issuer")?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let keys = open_keys(&config.keys, &entropy)?;
    let store = open_store(&config.store)?;
    let (mut cards, mut entries, mut broken) = (0u64, 0u64, 0u64);
    let mut after = Vec::new();
    loop {
        let page = store.keys_after(Table::Card, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for key in page {
            let Ok(card) = <[u8; 16]>::try_from(key.as_slice()).map(CardId) else { continue };
            cards += 1;
            match ramz_issuer::engine::verify_journal(store.as_ref(), &keys, card).await {
                Ok(count) => entries += count,
                Err(why) => {
                    broken += 1;
                    say::line(format!("card {card}: {why}"));
                }
            }
        }
    }
    say::line(format!("{cards} cards, {entries} entries, {broken} broken chains"));
    anyhow::ensure!(broken == 0, "the journal was altered");
    Ok(())
}
