//! Refused rows, told in a file. Only a file that is empty, or an import's report already, is written over.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Error, ErrorKind, Read as _, Result, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::checkpoint::Counts;
use super::rows::Fault;

const COLUMNS: [&str; 3] = ["row", "column", "what"];

/// A report under way.
pub(super) struct Report {
    path: PathBuf,
    rows: csv::Writer<BufWriter<File>>,
    /// Whether it goes if there is nothing in it.
    goes: bool,
}

impl Report {
    /// After so many bytes of an earlier run; from the beginning with 0. Its place is one that was `named`, or the import's own
    /// beside the `input`.
    pub(super) fn begin(path: &Path, named: bool, bytes: u64, input: &Path) -> anyhow::Result<Report> {
        let (file, is_new) =
            take(path, bytes, input).with_context(|| format!("cannot write {}", path.display()))?;
        let rows = csv::Writer::from_writer(BufWriter::new(file));
        let mut report = Report { path: path.to_owned(), rows, goes: is_new || !named };
        if bytes == 0 {
            report.rows.write_record(COLUMNS)?;
        }
        Ok(report)
    }

    pub(super) fn tell(&mut self, row: u64, faults: &[Fault]) -> anyhow::Result<()> {
        for Fault { column, what } in faults {
            self.rows.write_record([row.to_string().as_str(), column, what])?;
        }
        Ok(())
    }

    /// Everything told so far is in the file; its length.
    pub(super) fn flush(&mut self) -> anyhow::Result<u64> {
        self.rows.flush()?;
        let buffered = self.rows.get_ref();
        Ok(buffered.get_ref().metadata()?.len())
    }

    /// No more is told. A run with refused rows is not a good one.
    pub(super) fn end(mut self, counts: &Counts) -> anyhow::Result<()> {
        self.flush()?;
        if counts.refused == 0 {
            if self.goes {
                // An empty report would only make one wonder.
                _ = std::fs::remove_file(&self.path);
            }
            return Ok(());
        }
        anyhow::bail!("{} rows were refused; {} says which and why", counts.refused, self.path.display())
    }
}

/// The file, written up to there, and whether it was not there before.
fn take(path: &Path, bytes: u64, input: &Path) -> Result<(File, bool)> {
    let mut open = OpenOptions::new();
    open.read(true).write(true);
    if bytes == 0 {
        match open.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            new => return new.map(|file| (file, true)),
        }
    }
    let gone = "it is not what it was when the import stopped: give that report, or remove the checkpoint to begin anew";
    let mut file = match open.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && bytes > 0 => return Err(Error::other(gone)),
        opened => opened?,
    };
    let (there, input) = (file.metadata()?, std::fs::metadata(input)?);
    if (there.dev(), there.ino()) == (input.dev(), input.ino()) {
        return Err(Error::other("it is the file that is imported: name another one for the report"));
    }
    let header = COLUMNS.join(",") + "\n";
    let mut head = Vec::new();
    (&file).take(header.len() as u64).read_to_end(&mut head)?;
    if !head.is_empty() && head != header.as_bytes() {
        return Err(Error::other("it is no report of an import, and is left as it is: name another one"));
    }
    if there.len() < bytes {
        return Err(Error::other(gone));
    }
    file.set_len(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, false))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_report_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (input, linked) = (folder.path().join("cards.csv"), folder.path().join("linked.csv"));
        fs::write(&input, "row,column,what\n").unwrap();
        std::os::unix::fs::symlink(&input, &linked).unwrap();
        let other = folder.path().join("other.csv");
        fs::write(&other, "customer,branch\n").unwrap();
        for (path, says) in [(&input, "is imported"), (&linked, "is imported"), (&other, "no report")] {
            let before = fs::read(path).unwrap();
            let error = Report::begin(path, true, 0, &input).err().unwrap();
            assert!(format!("{error:#}").contains(says), "{error:#}");
            assert_eq!(fs::read(path).unwrap(), before);
        }
        // Gone on with, it is neither made nor anything shorter.
        let missing = folder.path().join("missing.csv");
        assert!(Report::begin(&missing, true, 40, &input).is_err() && !missing.exists());
    }

    #[test]
    fn only_a_report_that_an_import_made_goes_when_it_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("cards.csv");
        fs::write(&input, "pan\n").unwrap();
        let at = folder.path().join("report.csv");
        for (before, named, after) in [
            (None, true, None),
            (Some(""), true, Some("row,column,what\n")),
            (Some("row,column,what\n7,pan,x\n"), true, Some("row,column,what\n")),
            (Some("row,column,what\n7,pan,x\n"), false, None),
        ] {
            before.into_iter().for_each(|text| fs::write(&at, text).unwrap());
            Report::begin(&at, named, 0, &input).unwrap().end(&Counts::default()).unwrap();
            assert_eq!(fs::read_to_string(&at).ok().as_deref(), after, "{before:?} {named}");
            _ = fs::remove_file(&at);
        }
    }
}
