//! `ramz journal verify`: whether anybody has altered what was decided. `ramz journal show`: what was.

use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ramz_domain::card::Entry;
use ramz_domain::{CardId, Entropy};
use ramz_issuer::engine::JournalRecord;
use ramz_store::Table;
use ramz_store::journal::VerifyError;

use super::{Settings, say};
use crate::config::IssuerConfig;
use crate::roles::{open_keys, open_store_as_it_is};
use crate::system::SystemEntropy;

/// Cards looked at in one step.
const PAGE: usize = 256;
/// A card's entries read at once: the way to a page begins at the journal's end.
const ENTRIES: usize = 4096;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Journal,
}

#[derive(Debug, Subcommand)]
enum Journal {
    /// Check every card's chain of entries against its head. On a file: the issuer must be stopped; on a database nodes may run
    Verify(Settings),
    /// List a card's entries, oldest first: decisions, and what the operator said of each SMS. On a file: the issuer must be
    /// stopped; on a database nodes may run
    Show {
        /// The card's id, as `ramz cards show` tells it
        card: String,
        #[command(flatten)]
        settings: Settings,
    },
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Journal::Verify(settings) => verify(settings).await,
        Journal::Show { card, settings } => {
            let card = CardId::parse(&card).context("a card's id is 32 hexadecimal digits")?;
            show(card, settings).await
        }
    }
}

async fn show(card: CardId, settings: Settings) -> anyhow::Result<()> {
    let config: IssuerConfig = settings.load()?.table("issuer")?;
    let store = open_store_as_it_is(&config.store, &SystemEntropy).await?;
    let mut after = 0;
    loop {
        let page = store.journal(&card.0, after, ENTRIES).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in &page {
            let record = JournalRecord::read(&row.entry).with_context(|| {
                format!("entry {} cannot be read: was it written by a newer release?", row.seq)
            })?;
            let by = record.by.map_or_else(String::new, |by| format!("  by {by}"));
            say::line(format!("{:>6}  {}  {}{by}", row.seq, record.at.rfc3339(), words(&record.entry)));
        }
    }
    anyhow::ensure!(after > 0, "there is no journal of card {card}");
    Ok(())
}

/// An entry in words. Entries hold ids and numbers only, so that their own names will do for most.
fn words(entry: &Entry) -> String {
    match entry {
        Entry::Receipt { challenge, state, after_ms } => {
            let (seconds, tenths) = (after_ms / 1000, after_ms % 1000 / 100);
            format!("SMS {}, {seconds}.{tenths} s after the operator took it (PIN {challenge})", state.word())
        }
        entry => format!("{entry:?}"),
    }
}

async fn verify(settings: Settings) -> anyhow::Result<()> {
    let config: IssuerConfig = settings.load()?.table("issuer")?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let keys = open_keys(&config.keys, &entropy)?;
    let store = open_store_as_it_is(&config.store, &SystemEntropy).await?;
    // Under another file's keys every chain would look broken.
    let named = || format!("key file {}", config.keys.file.display());
    ramz_issuer::keys_fit_but_for_the_journal(store.as_ref(), &keys).await.with_context(named)?;
    // Before the walk: what nodes write during it is at most walked over, and never left over.
    let there = store.entries().await?;
    let (mut cards, mut entries, mut broken) = (0u64, 0u64, 0u64);
    let mut after = Vec::new();
    loop {
        let page = store.keys_after(Table::Card, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        for key in page {
            let Ok(card) = <[u8; 16]>::try_from(key.as_slice()).map(CardId) else { continue };
            match ramz_issuer::engine::verify_journal(store.as_ref(), &keys, card).await {
                Ok(count) => entries += count,
                Err(VerifyError::Store(fault)) => {
                    say::line(format!(
                        "{cards} cards looked at, {broken} broken chains: not all could be read"
                    ));
                    return Err(fault).with_context(|| format!("reading the journal of card {card}"));
                }
                Err(why) => {
                    broken += 1;
                    say::line(format!("card {card}: {why}"));
                }
            }
            cards += 1;
        }
    }
    // A row that was taken away takes no entry along: what the rows lead to is not all there is.
    let strays = there.saturating_sub(entries);
    if broken == 0 && strays > 0 {
        broken += 1;
        say::line(format!("{strays} entries belong to no card: its row was taken away"));
    }
    if store.entries().await? != there {
        say::note(
            "nodes wrote meanwhile: entries of a card whose row was taken away are found for certain only while none runs",
        );
    }
    say::line(format!("{cards} cards, {entries} entries, {broken} broken chains"));
    anyhow::ensure!(broken == 0, "the journal was altered");
    Ok(())
}
