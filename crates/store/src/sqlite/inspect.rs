//! A look at a store's file from outside: nothing is made, taken, migrated or locked. For `ramz doctor`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::migrate;

/// What a file is, as far as it can be seen from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inspected {
    /// There is none: it is made at the first start.
    Missing,
    /// A process has it open.
    InUse {
        /// `process 123`, or `another process`.
        holder: String,
    },
    /// A store with this schema.
    Store {
        /// The file's newest migration. Above `known` a newer release has been here, and this one does not start.
        found: u32,
        /// This release's newest migration.
        known: u32,
    },
}

/// Looks at a store's file.
///
/// # Errors
/// What is wrong with it: unreadable, damaged, of another program, altered, or left for a database.
pub fn inspect(path: &Path) -> Result<Inspected, String> {
    if !path.try_exists().map_err(|error| error.to_string())? {
        return Ok(Inspected::Missing);
    }
    if let Some(holder) = holder(path) {
        return Ok(Inspected::InUse { holder });
    }
    let look = || -> Result<(i32, Vec<(u32, String)>), rusqlite::Error> {
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let id = file.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let landed = if id == migrate::APPLICATION_ID { migrate::landed(&file)? } else { Vec::new() };
        Ok((id, landed))
    };
    let (id, landed) = look().map_err(|error| error.to_string())?;
    if id != migrate::APPLICATION_ID {
        return Err("a database of another program: choose another path".to_owned());
    }
    if let Some(to) = migrate::moved(&landed) {
        return Err(format!("its rows were copied into {to}, which is the truth since"));
    }
    let found = landed.last().map_or(0, |(number, _)| *number);
    let known = migrate::LANDED.last().map_or(0, |migration| migration.number);
    let is_altered = |ours: &&migrate::Migration| {
        landed.iter().any(|(number, was)| *number == ours.number && *was != migrate::sum(ours))
    };
    if let Some(altered) = migrate::LANDED.iter().find(is_altered) {
        let number = altered.number;
        return Err(format!(
            "migration {number} was altered after it landed: put it back, and write a new one instead"
        ));
    }
    Ok(Inspected::Store { found, known })
}

/// Who holds the lock beside the file. Taken for a moment if nobody does.
fn holder(path: &Path) -> Option<String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let mut lock = File::open(beside).ok()?;
    if lock.try_lock_shared().is_ok() {
        return None;
    }
    let mut text = String::new();
    let read = lock.read_to_string(&mut text).ok();
    Some(match read.and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(id) => format!("process {id}"),
        None => "another process".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;

    #[test]
    fn a_look_changes_nothing_and_says_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        assert_eq!(inspect(&path), Ok(Inspected::Missing));
        assert!(!path.exists());
        let store = SqliteStore::open(&path).unwrap();
        let own = format!("process {}", std::process::id());
        assert_eq!(inspect(&path), Ok(Inspected::InUse { holder: own }));
        drop(store);
        let known = migrate::LANDED.len() as u32;
        assert_eq!(inspect(&path), Ok(Inspected::Store { found: known, known }));
        let newer = Connection::open(&path).unwrap();
        newer.execute("INSERT INTO migration VALUES (?1, 'x')", [known + 1]).unwrap();
        assert_eq!(inspect(&path), Ok(Inspected::Store { found: known + 1, known }));
        newer.execute("UPDATE migration SET checksum = 'x' WHERE number = 1", []).unwrap();
        drop(newer);
        assert!(inspect(&path).unwrap_err().contains("migration 1 was altered"));
        assert!(SqliteStore::open(&path).is_err());
        let foreign = folder.path().join("f.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(inspect(&foreign).unwrap_err().contains("another program"));
        std::fs::write(&foreign, "nonsense, and enough of it to be no header of a database at all").unwrap();
        assert!(inspect(&foreign).is_err());
    }
}
