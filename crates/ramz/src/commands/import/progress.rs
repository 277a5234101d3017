//! How far it is: a bar on a terminal, a line now and then elsewhere. On standard error, so that results can be piped.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::Mode;
use super::checkpoint::Counts;
use crate::commands::say;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Where an import is told.
pub(super) struct Progress {
    size: u64,
    mode: Mode,
    bar: Option<ProgressBar>,
    told: Cell<Instant>,
}

impl Progress {
    /// Over so many bytes.
    pub(super) fn new(size: u64, mode: Mode) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(size);
            let style =
                ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}  {elapsed} of about {duration}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress { size, mode, bar, told: Cell::new(Instant::now()) }
    }

    /// It has come to this byte.
    pub(super) fn at(&self, byte: u64, counts: &Counts) {
        if let Some(bar) = &self.bar {
            bar.set_position(byte);
            bar.set_message(self.words(counts));
        } else if self.told.get().elapsed() >= LINE_EVERY {
            self.told.set(Instant::now());
            let percent = byte.saturating_mul(100) / self.size.max(1);
            say::note(&format!("{percent}%, {}", self.words(counts)));
        }
    }

    fn words(&self, counts: &Counts) -> String {
        let rows = counts.rows();
        // A row that is only checked is neither.
        if counts.good > 0 {
            return format!("{rows} rows, {} refused", counts.refused);
        }
        format!("{rows} rows: {}", counts.words(self.mode))
    }

    /// No more of it.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
