//! Lines of the log on their way out: what comes within a few milliseconds goes in one write, and not in one each.
//!
//! A warning or an error waits for nothing: it is written there and then, behind what waits. So is everything at the end of
//! [`Gathering`] and before the message of a panic. What a kill takes along, or a crash of the machine, is what came in the
//! last [`WITHIN`]. Whoever is faster than the log is read waits for it, as it would without this.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// What comes within so long goes in one write.
const WITHIN: Duration = Duration::from_millis(5);
/// So many bytes wait at most: whoever brings more writes them.
const WAITING_MAX: usize = 64 * 1024;

/// Where lines go: standard error, outside of tests.
type Out = Box<dyn Write + Send>;

/// Hands out writers, one for each line.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

/// Writes what waits, now and then, until it is dropped; and then the rest.
pub(crate) struct Gathering {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    came: Condvar,
    /// Locked before `waiting` is taken from, until that is written: lines keep their order.
    out: Mutex<Out>,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    ended: bool,
}

/// One line.
pub(super) struct Line<'a> {
    shared: &'a Shared,
    /// It waits for nothing.
    at_once: bool,
}

/// Gathers lines for `out`, in a thread of its own.
pub(super) fn gather(out: Out) -> io::Result<(Lines, Gathering)> {
    let shared = Arc::new(Shared { waiting: Mutex::default(), came: Condvar::new(), out: Mutex::new(out) });
    let here = Arc::clone(&shared);
    let thread = thread::Builder::new().name("log".into()).spawn(move || here.write_what_comes())?;
    Ok((Lines(Arc::clone(&shared)), Gathering { shared, thread: Some(thread) }))
}

impl Lines {
    /// Before the message of a panic, what led to it.
    pub(super) fn before_panics(&self) {
        let (shared, then) = (Arc::clone(&self.0), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            shared.write();
            then(panic);
        }));
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.shared.waiting().ended = true;
        self.shared.came.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            drop(thread.join());
        }
        self.shared.write();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_what_comes(&self) {
        loop {
            let waiting = self.waiting();
            let nothing = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.ended;
            let waiting = self.came.wait_while(waiting, nothing).unwrap_or_else(PoisonError::into_inner);
            if waiting.ended {
                return;
            }
            let open = |waiting: &mut Waiting| !waiting.ended;
            drop(self.came.wait_timeout_while(waiting, WITHIN, open));
            self.write();
        }
    }

    /// Writes what waits. A log that cannot be written has nobody to be told.
    fn write(&self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = std::mem::take(&mut self.waiting().bytes);
        let _ = out.write_all(&bytes).and_then(|()| out.flush());
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { shared: &self.0, at_once: true }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        Line { shared: &self.0, at_once: *of.level() <= Level::WARN }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.shared.waiting();
        let first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(bytes);
        let full = waiting.bytes.len() >= WAITING_MAX;
        drop(waiting);
        if full || self.at_once {
            self.shared.write();
        } else if first {
            self.shared.came.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Tells of each write.
    struct Told(Sender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told() -> (Lines, Gathering, Receiver<String>) {
        let (sender, written) = channel();
        let (lines, gathering) = gather(Box::new(Told(sender))).unwrap();
        (lines, gathering, written)
    }

    fn logged(lines: &Lines, log: impl FnOnce()) {
        let layer = tracing_subscriber::fmt::layer().without_time().with_target(false).with_ansi(false);
        let logs = tracing_subscriber::registry().with(layer.with_writer(lines.clone()));
        tracing::subscriber::with_default(logs, log);
    }

    #[test]
    fn a_line_is_written_though_nothing_follows_it() {
        let (lines, _gathering, written) = told();
        for line in ["one", "two"] {
            logged(&lines, || tracing::info!("{line}"));
            assert_eq!(written.recv_timeout(LONG).unwrap(), format!(" INFO {line}\n"));
        }
    }

    #[test]
    fn an_error_is_written_before_its_caller_goes_on_and_behind_what_came_before() {
        let (lines, _gathering, written) = told();
        logged(&lines, || {
            tracing::info!("first");
            tracing::error!("second");
        });
        let both: String = written.try_iter().collect();
        assert_eq!(both, " INFO first\nERROR second\n");
    }

    #[test]
    fn the_end_writes_what_waits() {
        let (lines, gathering, written) = told();
        logged(&lines, || tracing::info!("last"));
        drop(gathering);
        assert_eq!(written.try_iter().collect::<String>(), " INFO last\n");
    }

    #[test]
    fn what_waits_is_bounded_by_whoever_brings_it() {
        let (lines, gathering, written) = told();
        let out = gathering.shared.out.lock().unwrap();
        let (done, ended) = channel();
        let flood = thread::spawn(move || {
            let line = vec![b'x'; WAITING_MAX / 4];
            for _ in 0..4 {
                lines.make_writer_for(&INFO).write_all(&line).unwrap();
            }
            done.send(()).unwrap();
        });
        // The log is not read: whoever brought the last one waits.
        assert!(ended.recv_timeout(WITHIN * 10).is_err());
        assert_eq!(gathering.shared.waiting().bytes.len() % (WAITING_MAX / 4), 0);
        drop(out);
        flood.join().unwrap();
        drop(gathering);
        assert_eq!(written.try_iter().map(|bytes| bytes.len()).sum::<usize>(), WAITING_MAX);
    }

    static INFO: Metadata<'static> = tracing::metadata! {
        name: "", target: "", level: Level::INFO, fields: &[], callsite: &CALLSITE, kind: tracing::metadata::Kind::EVENT
    };
    static CALLSITE: tracing::callsite::DefaultCallsite = tracing::callsite::DefaultCallsite::new(&INFO);
}
