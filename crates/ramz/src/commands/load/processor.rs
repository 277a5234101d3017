//! Processor time that a process has used, as Linux counts it: on a busy machine it tells more than the wall clock does.

use std::path::PathBuf;
use std::time::Duration;

/// Clock ticks a second in `/proc`: fixed at 100 by the kernel's interface to programs (proc(5), `USER_HZ`).
const TICKS: u32 = 100;

/// A process whose time is counted from here on.
pub(super) struct Processor {
    stat: PathBuf,
    began: Duration,
}

impl Processor {
    /// Counts this process, or another by its id.
    pub(super) fn of(process: Option<u32>) -> Processor {
        let name = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
        let stat = PathBuf::from(format!("/proc/{name}/stat"));
        let began = used(&stat).unwrap_or_default();
        Processor { stat, began }
    }

    /// Used since; `None` where there is no such file.
    pub(super) fn used(&self) -> Option<Duration> {
        Some(used(&self.stat)?.saturating_sub(self.began))
    }
}

/// User and system time: fields 14 and 15, counted behind the name, which may hold anything.
fn used(stat: &PathBuf) -> Option<Duration> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    Some(Duration::from_secs(1) * ticks / TICKS)
}
