//! `ramz store copy`: from the file into the database, checked, told as a table.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use ramz_domain::{CardId, Entropy};
use ramz_issuer::engine::journal_mac;
use ramz_keys::SoftKeys;
use ramz_store::copy::{Compared, Copy, CopyError, Progress};
use ramz_store::{JournalEntry, SqliteStore};
use tokio::time::Instant;

use crate::commands::say;
use crate::config::{KeysConfig, StoreConfig};
use crate::roles::open_keys;
use crate::system::SystemEntropy;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) async fn run(store: &StoreConfig, keys: Option<&KeysConfig>) -> anyhow::Result<()> {
    let (file, database) = (store.file(), store.database(&SystemEntropy)?);
    // Before the file is held for the copy.
    let keys = match keys {
        Some(keys) => Some(fitting(keys, file).await),
        None => None,
    };
    let mut copy = Copy::open(file, &database).await?;
    let there = copy.there();
    if there > 0 {
        say::note(&format!("going on after {there} rows, where it stopped"));
    }
    let told = Told::new();
    let written = copy.write(|at| told.at("written", at)).await;
    told.end();
    let written = written?;
    let compared = copy.check(|at| told.at("checked", at)).await;
    told.end();
    let compared = compared?;
    table(&compared);
    let different = compared.iter().filter(|table| !table.equal()).count();
    anyhow::ensure!(
        different == 0,
        "{different} tables differ between {} and the database, on which no node will start: empty the database, and copy again",
        file.display()
    );
    say::line(format!(
        "{written} rows written, {there} were there already; every row is the same on both sides"
    ));
    say::line(format!(
        "the database is the truth from now on: no role starts on {} any more",
        file.display()
    ));
    let whole = chains(&copy, keys, &told).await?;
    anyhow::ensure!(whole, "the journal was altered, in the file already: the copy is as the file was");
    Ok(())
}

fn table(compared: &[Compared]) {
    say::line(format!("{:<17} {:>12} {:>12}  {:<16}", "table", "file", "database", "SHA-256"));
    for table in compared {
        let ((of_file, hash), (of_database, other)) = (table.file, table.database);
        let hash = hex::encode(&hash[..8]);
        let verdict =
            if table.equal() { hash } else { format!("{hash} DIFFERS: {}", hex::encode(&other[..8])) };
        say::line(format!("{:<17} {of_file:>12} {of_database:>12}  {verdict}", table.table));
    }
}

/// The keys, if they are the file's: under another bank's every journal would look altered.
async fn fitting(keys: &KeysConfig, file: &Path) -> anyhow::Result<SoftKeys> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let opened = open_keys(keys, &entropy)?;
    // A file that is held, left or damaged is told by the copy itself.
    if file.exists()
        && let Ok(store) = SqliteStore::open(file)
    {
        let named = || format!("key file {}", keys.file.display());
        ramz_issuer::keys_fit_but_for_the_journal(&store, &opened).await.with_context(named)?;
    }
    Ok(opened)
}

/// Whether every journal ends at its row's head; with the keys, also whether each entry is what was decided.
async fn chains(copy: &Copy, opened: Option<anyhow::Result<SoftKeys>>, told: &Told) -> anyhow::Result<bool> {
    let without = match &opened {
        Some(Err(error)) => {
            say::note(&format!(
                "{error:#}: the journals' MACs cannot be made, only their order is looked at"
            ));
            ", their MACs not looked at"
        }
        _ => "",
    };
    let keys: Option<SoftKeys> = opened.and_then(Result::ok);
    let mac = |key: &[u8], previous: &[u8; 32], entry: &JournalEntry| -> Result<Option<[u8; 32]>, String> {
        let card = <[u8; 16]>::try_from(key).map(CardId);
        match (&keys, card) {
            (Some(keys), Ok(card)) => {
                journal_mac(keys, card, previous, entry).map(Some).map_err(|error| error.to_string())
            }
            _ => Ok(None),
        }
    };
    let chains = copy.chains(&mac, |entries| told.entries(entries)).await;
    told.end();
    let unread = |error: CopyError| {
        let why = if let CopyError::Database(why) = error { why } else { error.to_string() };
        anyhow::anyhow!(
            "the copy is done, and only its journals could not be looked at: {why}; `ramz journal verify` does that too"
        )
    };
    let chains = chains.map_err(unread)?;
    for broken in &chains.told {
        say::line(format!("journal of {broken}"));
    }
    let (rows, entries, broken) = (chains.rows, chains.entries, chains.broken);
    say::line(format!("{rows} journals, {entries} entries, {broken} broken chains{without}"));
    Ok(broken == 0)
}

/// How far it is: a bar on a terminal, a line now and then elsewhere. On standard error, beside the result.
struct Told {
    bar: Option<ProgressBar>,
    told: Cell<Instant>,
}

impl Told {
    fn new() -> Told {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style =
                ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}  {elapsed} of about {duration}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Told { bar, told: Cell::new(Instant::now()) }
    }

    fn at(&self, what: &str, Progress { rows, of }: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(rows);
            bar.set_message(format!("{rows} rows {what}"));
        } else {
            let percent = rows.saturating_mul(100) / of.max(1);
            self.line(|| format!("{percent}%, {rows} rows {what}"));
        }
    }

    fn entries(&self, entries: u64) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{entries} entries of journals looked at")),
            None => self.line(|| format!("{entries} entries of journals looked at")),
        }
    }

    fn line(&self, words: impl Fn() -> String) {
        if self.told.get().elapsed() >= LINE_EVERY {
            self.told.set(Instant::now());
            say::note(&words());
        }
    }

    /// No more of this part.
    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message("");
            bar.reset();
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
