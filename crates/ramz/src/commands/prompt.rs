//! What a person is asked for: card numbers and PINs come from a prompt or from standard input, never from an argument.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::say;

/// A secret: not shown while it is typed. Without a terminal it is a line of standard input.
pub(super) fn secret(what: &str) -> anyhow::Result<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        let typed = Zeroizing::new(rpassword::prompt_password(format!("{what} (not shown): "))?);
        return Ok(Zeroizing::new(typed.trim().to_owned()));
    }
    line(&format!("{what}: "))
}

/// A line.
pub(super) fn line(question: &str) -> anyhow::Result<Zeroizing<String>> {
    say::ask(question);
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(Zeroizing::new(line.trim().to_owned()))
}

/// A file with a secret in it; `-` is standard input.
pub(super) fn file(file: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        *bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(bytes)
}
