//! The one place that writes to a person: results to standard output, errors to standard error.

use std::io::{Error, ErrorKind, Write as _};
use std::sync::OnceLock;

/// Why the first line of a result that could not be written was not.
static UNWRITTEN: OnceLock<Error> = OnceLock::new();

/// One line of a result. A closed pipe is no error; any other is kept for the command's end, which a role does not come to for that.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // Only the first is told.
        let _ = UNWRITTEN.set(error);
    }
}

/// Whether every line has been written: a command whose result is lost has not done what it was asked for.
pub(crate) fn written() -> anyhow::Result<()> {
    match UNWRITTEN.get() {
        Some(error) => anyhow::bail!("standard output cannot be written to: {error}"),
        None => Ok(()),
    }
}

/// Why the command failed, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr().lock(), "ramz: {error:#}");
}

/// Something beside the result, on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A question on standard error, so that results can be piped.
pub(crate) fn ask(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{text}").and_then(|()| err.flush());
}
