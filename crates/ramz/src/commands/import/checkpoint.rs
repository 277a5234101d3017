//! How far an import has come, beside the file that it is of. It holds numbers and a hash, no card.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Mode;
use crate::system::files::write_private;

/// What became of the rows so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Only checked.
    #[serde(skip)]
    pub(super) good: u64,
    pub(super) added: u64,
    #[serde(default)]
    pub(super) changed: u64,
    pub(super) existing: u64,
    pub(super) refused: u64,
}

impl Counts {
    pub(super) fn rows(&self) -> u64 {
        self.good + self.added + self.changed + self.existing + self.refused
    }

    /// What became of the rows, in words.
    pub(super) fn words(&self, mode: Mode) -> String {
        let Counts { added, changed, existing, refused, .. } = self;
        match mode {
            Mode::Add => {
                format!("{added} cards added, {existing} were there already, {refused} rows refused")
            }
            Mode::Update => format!("{added} cards added, {changed} changed, {refused} rows refused"),
        }
    }
}

/// A place to go on from: every row up to it has its outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Of the whole input: another file, or a mended one, begins anew.
    input_sha256: String,
    /// The back office: another one has none of the cards.
    url: String,
    /// Cards that are there are changed: without it, those of the rows so far were not.
    #[serde(default)]
    update: bool,
    pub(super) rows: u64,
    pub(super) counts: Counts,
    /// The report's length; what stands behind it is of rows that are sent again.
    pub(super) report_bytes: u64,
}

impl Checkpoint {
    /// The one at this place, if it is of this input, this back office and this mode; otherwise the beginning.
    pub(super) fn resume(
        place: &Path,
        input_sha256: &str,
        url: &str,
        mode: Mode,
    ) -> anyhow::Result<Checkpoint> {
        let beginning = Checkpoint {
            input_sha256: input_sha256.to_owned(),
            url: url.to_owned(),
            update: mode == Mode::Update,
            rows: 0,
            counts: Counts::default(),
            report_bytes: 0,
        };
        let bytes = match std::fs::read(place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(beginning),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", place.display())),
        };
        let found: Checkpoint = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is no checkpoint; take it away to begin anew", place.display()))?;
        let same = found.input_sha256 == beginning.input_sha256
            && found.url == beginning.url
            && found.update == beginning.update;
        Ok(if same { found } else { beginning })
    }

    /// Keeps it, after the report has been flushed to this length.
    pub(super) fn keep(&mut self, place: &Path, report_bytes: u64) -> anyhow::Result<()> {
        self.report_bytes = report_bytes;
        write_private(place, &serde_json::to_vec(self)?)
    }

    /// All is done.
    pub(super) fn forget(place: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot take {} away", place.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_with_the_same_file_office_and_mode_only() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("c");
        let mut at = Checkpoint::resume(&place, "aa", "https://one", Mode::Add).unwrap();
        at.rows = 640;
        at.keep(&place, 12).unwrap();
        let again = |hash: &str, url: &str, mode| Checkpoint::resume(&place, hash, url, mode).unwrap();
        let same = again("aa", "https://one", Mode::Add);
        assert_eq!((same.rows, same.report_bytes), (640, 12));
        for (hash, url, mode) in [
            ("bb", "https://one", Mode::Add),
            ("aa", "https://two", Mode::Add),
            ("aa", "https://one", Mode::Update),
        ] {
            assert_eq!(again(hash, url, mode).rows, 0, "{hash} {url} {mode:?}");
        }
        std::fs::write(&place, "{").unwrap();
        assert!(Checkpoint::resume(&place, "aa", "https://one", Mode::Add).is_err());
        Checkpoint::forget(&place).unwrap();
        Checkpoint::forget(&place).unwrap();
    }

    #[test]
    fn one_of_the_first_release_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("c");
        let kept = r#"{"input_sha256":"aa","url":"u","rows":64,"counts":{"added":60,"existing":4,"refused":0},"report_bytes":0}"#;
        std::fs::write(&place, kept).unwrap();
        let found = Checkpoint::resume(&place, "aa", "u", Mode::Add).unwrap();
        assert_eq!((found.rows, found.counts.rows()), (64, 64));
    }
}
