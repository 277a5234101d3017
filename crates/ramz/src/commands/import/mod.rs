//! `ramz cards import`: many cards from a file, through the back office as `cards add` does for one.
//!
//! ```text
//!   file ─▶ rows, checked ─▶ a few in flight, in order ─▶ added · there already or changed · refused (report)
//!                                                   └─▶ checkpoint beside the file, every so many rows
//! ```
//!
//! Killed anywhere, it goes on at the checkpoint when it is run again; the rows after it are sent once more, which changes
//! nothing. A card that is there is left as it is, or with `--update` gets what its row says. A row that is refused holds up
//! no other.

mod checkpoint;
mod progress;
mod report;
mod rows;
mod turns;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use futures_util::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::{Settings, say};
use crate::client::{BackOffice, Sent};
use crate::config::OperatorConfig;
use checkpoint::{Checkpoint, Counts};
use progress::Progress;
use report::Report;
use rows::{Fault, Row};
use turns::{Turn, Turns};

/// Rows in flight at most: more only wait in the issuer's queue.
const IN_FLIGHT_MAX: u64 = 256;
/// Rows between two checkpoints: what a kill costs to send again.
const CHECKPOINT_EVERY: u64 = 64;
/// Attempts at one row while the back office is away or overloaded.
const ATTEMPTS: u32 = 6;
/// Before the second attempt, doubling.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// CSV with a header row, or JSON Lines: pan, expiry, phone, language, status, customer, product, static_pin_consent,
    /// sms_pin_max, static_pin_max
    file: PathBuf,
    /// Change the cards that are there already: each gets what its row says, and keeps what it does not say. Only pan is
    /// needed then
    #[arg(long)]
    update: bool,
    /// How the file is written; without it, by its ending (.csv, .jsonl, .ndjson)
    #[arg(long)]
    format: Option<Format>,
    /// Where refused rows are told, as CSV: row, column, what; never a card number. Without it, beside the file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Rows sent at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=IN_FLIGHT_MAX))]
    in_flight: u64,
    /// Only check the rows: nothing is sent
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// What becomes of a card that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// It stays as it is.
    Add,
    /// It gets what its row says.
    Update,
}

impl Options {
    fn mode(&self) -> Mode {
        if self.update { Mode::Update } else { Mode::Add }
    }

    fn format(&self) -> anyhow::Result<Format> {
        let ending = self.file.extension().and_then(|ending| ending.to_str()).unwrap_or("");
        match (self.format, ending) {
            (Some(format), _) => Ok(format),
            (None, "csv") => Ok(Format::Csv),
            (None, "jsonl" | "ndjson") => Ok(Format::Jsonl),
            _ => anyhow::bail!("{}: say --format csv or --format jsonl", self.file.display()),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    }
}

/// What became of a row.
enum Outcome {
    Added,
    Changed,
    Existing,
    Refused(Vec<Fault>),
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let (format, mode, shown) = (options.format()?, options.mode(), options.file.display().to_string());
    let size = std::fs::metadata(&options.file).with_context(|| format!("cannot read {shown}"))?.len();
    // A dry run between a stop and the next run must not touch what that one goes on with.
    let ending = if options.dry_run { ".dry-run.csv" } else { ".report.csv" };
    let report_path = options.report.clone().unwrap_or_else(|| options.beside(ending));
    let report = |bytes| Report::begin(&report_path, options.report.is_some(), bytes, &options.file);
    let rows = rows::open(&options.file, format, mode)?;
    let progress = Progress::new(size, mode);
    if options.dry_run {
        let mut report = report(0)?;
        let mut counts = Counts::default();
        for row in rows {
            let Row { number, at, card } = row.with_context(|| shown.clone())?;
            match card {
                Ok(_) => counts.good += 1,
                Err(faults) => {
                    counts.refused += 1;
                    report.tell(number, &faults)?;
                }
            }
            progress.at(at, &counts);
        }
        progress.end();
        say::line(format!("{} rows are good, {} are not; nothing was sent", counts.good, counts.refused));
        return report.end(&counts);
    }
    let config: OperatorConfig = options.settings.load()?.table("operator")?;
    let office = BackOffice::new(&config)?;
    let place = options.beside(".checkpoint");
    let mut done = Checkpoint::resume(&place, &hash(&options.file)?, &config.url, mode)?;
    if done.rows > 0 {
        say::note(&format!("going on after row {}, where it stopped", done.rows));
    }
    let mut report = report(done.report_bytes)?;
    let after = done.rows;
    let waiting = rows.filter(|row| !matches!(row, Ok(row) if row.number <= after));
    let in_flight = usize::try_from(options.in_flight).unwrap_or(1);
    let mut turns = Turns::new(in_flight);
    let sending = stream::iter(waiting).map(|row| {
        let turn = row.as_ref().ok().and_then(|row| row.card.as_ref().ok()?.pan.as_ref());
        let turn = turn.map(|pan| turns.next(pan));
        send(&office, mode, row, turn)
    });
    let mut outcomes = sending.buffered(in_flight);
    let mut since = 0;
    while let Some(outcome) = outcomes.next().await {
        let (number, at, outcome) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                progress.end();
                done.keep(&place, report.flush()?)?;
                let why = format!("stopped after row {}; run it again to go on there", done.rows);
                return Err(error.context(why));
            }
        };
        match outcome {
            Outcome::Added => done.counts.added += 1,
            Outcome::Changed => done.counts.changed += 1,
            Outcome::Existing => done.counts.existing += 1,
            Outcome::Refused(faults) => {
                done.counts.refused += 1;
                report.tell(number, &faults)?;
            }
        }
        done.rows = number;
        since += 1;
        if since % CHECKPOINT_EVERY == 0 {
            done.keep(&place, report.flush()?)?;
        }
        progress.at(at, &done.counts);
    }
    progress.end();
    report.flush()?;
    say::line(done.counts.words(mode));
    Checkpoint::forget(&place)?;
    report.end(&done.counts)
}

/// Sends one row when its turn has come, again while the back office is away.
async fn send(
    office: &BackOffice,
    mode: Mode,
    row: anyhow::Result<Row>,
    turn: Option<Turn>,
) -> anyhow::Result<(u64, u64, Outcome)> {
    let Row { number, at, card } = row?;
    let card = match card {
        Ok(card) => card,
        Err(faults) => return Ok((number, at, Outcome::Refused(faults))),
    };
    if let Some(turn) = &turn {
        turn.comes().await;
    }
    let mut wait = AGAIN_AFTER;
    for attempt in 1.. {
        let sent = match mode {
            Mode::Add => office.try_add(&card).await?,
            Mode::Update => office.try_put(&card).await?,
        };
        let why = match sent {
            Sent::Added => return Ok((number, at, Outcome::Added)),
            Sent::Changed => return Ok((number, at, Outcome::Changed)),
            Sent::Existing => return Ok((number, at, Outcome::Existing)),
            Sent::Refused(problem) => return Ok((number, at, Outcome::Refused(rows::faults(&problem)))),
            Sent::NotNow(why) => why,
        };
        if attempt >= ATTEMPTS {
            return Err(why);
        }
        sleep(wait).await;
        wait *= 2;
    }
    unreachable!("attempts are counted")
}

fn hash(file: &Path) -> anyhow::Result<String> {
    let mut file = File::open(file)?;
    let (mut hash, mut bytes) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&bytes[..read]);
    }
}
