//! The file on disk: taking it for this process alone, and opening connections that keep what was promised.
//!
//! Settings, each with its source in SQLite's documentation: `journal_mode=WAL` (readers never wait for the writer),
//! `synchronous=FULL` (the WAL is synced at every COMMIT: an acknowledged transaction survives a power cut),
//! `foreign_keys=ON`, `trusted_schema=OFF` and `cell_size_check=ON` (a damaged file is found rather than believed),
//! `secure_delete=FAST` (what was forgotten is overwritten where that costs no extra write).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::trouble;
use super::migrate;

/// A program beside us (a person's `sqlite3`) may hold the file this long before we give up on a transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Prepared statements one connection keeps: all of ours, some fifteen for each table.
const STATEMENTS_KEPT: usize = 160;
/// Pages of the log (4 KiB each) before they are moved into the file. A hot page is moved once however often it was written, and
/// each move waits for the disk: at SQLite's own 1,000 a busy writer did little else. A crash leaves at most so much to read back.
const CHECKPOINT_PAGES: u32 = 16 * 1024;
/// Page cache of a connection, in KiB. A usual batch fits, so that nothing spills before COMMIT. What is not in it the system has; and
/// SQLite walks over all of it at the end of a transaction that moved rows between pages.
const CACHE_KIB: i64 = 4 * 1024;

/// Why a store's file cannot be opened. The texts name the file and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error("store {path}: already open in {holder}: stop that process first, two may not share the file")]
    InUse {
        /// The store's file.
        path: PathBuf,
        /// `process 123`, or `another process`.
        holder: String,
    },
    /// Folder or file cannot be created or opened.
    #[error("store {path}: {source}: look at the folder and its permissions")]
    Io {
        /// The store's file, its lock, or its folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// SQLite refuses the file: not a database, damaged, read-only, disk full.
    #[error("store {path}: {what}")]
    File {
        /// The store's file.
        path: PathBuf,
        /// SQLite's words and what to do.
        what: String,
    },
    /// A database of another program.
    #[error("store {path}: a database of another program: choose another path")]
    Foreign {
        /// The store's file.
        path: PathBuf,
    },
    /// A newer release has migrated the file.
    #[error("store {path}: has schema {found}, this release knows {known}: start the newer release")]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The file's newest migration.
        found: u32,
        /// This binary's newest migration.
        known: u32,
    },
    /// A migration that has landed in the file differs from the one in this binary.
    #[error(
        "store {path}: migration {number} was altered after it landed: put it back, and write a new one instead"
    )]
    Altered {
        /// The store's file.
        path: PathBuf,
        /// The migration.
        number: u32,
    },
    /// A copy was made of it, and the copy is the truth.
    #[error(
        "store {path}: its rows were copied into {to}, which is the truth since: write that `url` into the configuration, or give the database up and run `ramz store reopen`"
    )]
    Moved {
        /// The store's file.
        path: PathBuf,
        /// The database.
        to: String,
    },
}

/// A store's file, held for this process until dropped.
pub(crate) struct Place {
    path: PathBuf,
    _lock: File,
}

impl Place {
    /// Creates the file if there is none, and takes it. Only the owner may read a new file (0600).
    pub(crate) fn take(path: &Path) -> Result<Place, OpenError> {
        let io = |at: &Path| {
            let path = at.to_owned();
            move |source| OpenError::Io { path, source }
        };
        let name = path.file_name().ok_or_else(|| io(path)(io::ErrorKind::InvalidFilename.into()))?;
        // Two ways to write one path must meet at one lock.
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let path = folder.canonicalize().map_err(io(folder))?.join(name);
        let path = if path.exists() { path.canonicalize().map_err(io(&path))? } else { path };
        let lock = lock(&path)?;
        if !path.exists() {
            own(OpenOptions::new().write(true).create_new(true)).open(&path).map_err(io(&path))?;
            // The file's name must survive too. Its content is SQLite's to sync.
            let folder = path.parent().unwrap_or(Path::new("/"));
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))?;
        }
        Ok(Place { path, _lock: lock })
    }

    /// The file, canonical.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the write connection: settings, then migrations.
    pub(crate) fn writer(&self) -> Result<Connection, OpenError> {
        let mut connection = self.connect()?;
        let refused = |error| self.refused(&error);
        ensure_writable(&connection).map_err(refused)?;
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(refused)?;
        if mode != "wal" {
            let what = format!("no write-ahead log here (got {mode}): put it on a local disk");
            return Err(OpenError::File { path: self.path.clone(), what });
        }
        migrate::run(&mut connection, migrate::LANDED).map_err(|fault| match fault {
            migrate::Fault::Sql(error) => self.refused(&error),
            migrate::Fault::Foreign => OpenError::Foreign { path: self.path.clone() },
            migrate::Fault::Newer { found, known } => {
                OpenError::Newer { path: self.path.clone(), found, known }
            }
            migrate::Fault::Altered { number } => OpenError::Altered { path: self.path.clone(), number },
            migrate::Fault::Moved { to } => OpenError::Moved { path: self.path.clone(), to },
        })?;
        settle_log(&connection).map_err(refused)?;
        Ok(connection)
    }

    /// Leaves the file for a database: no release starts on it from now on.
    pub(crate) fn leave(&self, to: &str) -> Result<(), OpenError> {
        migrate::leave(&self.writer()?, to).map_err(|error| self.refused(&error))
    }

    /// Makes a file that was left for a database a store again. Says whether it was one.
    pub(crate) fn reopen(&self) -> Result<bool, OpenError> {
        migrate::reopen(&self.connect()?).map_err(|error| self.refused(&error))
    }

    /// Opens a connection that only reads.
    pub(crate) fn reader(&self) -> Result<Connection, OpenError> {
        let connection = self.connect()?;
        connection.execute_batch("PRAGMA query_only = ON").map_err(|error| self.refused(&error))?;
        Ok(connection)
    }

    fn connect(&self) -> Result<Connection, OpenError> {
        // Each connection stays with one thread at a time, so SQLite's own mutexes are not needed.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let settle = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
            // Plans that do not hang on what is bound: else a statement whose parameter the planner has once looked at is parsed and
            // planned again whenever it is used.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            connection.execute_batch(&format!(
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
                 PRAGMA cell_size_check = ON; PRAGMA secure_delete = FAST; PRAGMA cache_size = -{CACHE_KIB};
                 PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
            ))?;
            Ok(connection)
        };
        settle().map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &rusqlite::Error) -> OpenError {
        let what = match trouble(error) {
            Some(advice) => format!("{error}: {advice}"),
            None => error.to_string(),
        };
        OpenError::File { path: self.path.clone(), what }
    }
}

/// SQLite opens a file that may not be written for reading only, and would tell at the first payment.
fn ensure_writable(connection: &Connection) -> Result<(), rusqlite::Error> {
    if connection.is_readonly("main")? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    Ok(())
}

/// Moves the log that was found into the file, synced, and begins a new one.
///
/// After a crash or a failed sync the log may hold a transaction that is read from memory and lies on no disk: nobody may be
/// answered from it, nor a later one written behind it (a failed sync is not repeated by the next one).
fn settle_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    Ok(())
}

/// Takes the lock beside the store's file. The system releases it when the process ends, however it ends.
///
/// Not on the file itself: closing any descriptor of it would release SQLite's own POSIX locks.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let io = |source| OpenError::Io { path: beside.clone(), source };
    let mut file = own(OpenOptions::new().read(true).write(true).create(true).truncate(false))
        .open(&beside)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(io)?;
            file.rewind().map_err(io)?;
            write!(file, "{}", std::process::id()).map_err(io)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text).ok();
            let holder = match read.and_then(|_| text.trim().parse::<u32>().ok()) {
                Some(id) => format!("process {id}"),
                None => "another process".to_owned(),
            };
            Err(OpenError::InUse { path: path.to_owned(), holder })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Files of ours are their owner's alone; SQLite gives the write-ahead log the permissions of the file.
#[cfg(unix)]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_file_that_may_only_be_read_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        let read_only = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let error = ensure_writable(&read_only).unwrap_err();
        assert!(trouble(&error).unwrap().contains("write permission"));
    }

    #[test]
    fn connections_keep_what_was_promised() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(&folder.path().join("s.db")).unwrap();
        let writer = place.writer().unwrap();
        let reader = place.reader().unwrap();
        for (connection, query_only) in [(&writer, 0), (&reader, 1)] {
            let get =
                |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
            assert_eq!(get("synchronous").unwrap(), 2);
            assert_eq!(get("foreign_keys").unwrap(), 1);
            assert_eq!(get("query_only").unwrap(), query_only);
            assert_eq!(get("secure_delete").unwrap(), 2);
            let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
            assert_eq!(mode, "wal");
        }
    }

    #[test]
    fn a_statement_is_parsed_once_however_often_it_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(&folder.path().join("s.db")).unwrap();
        let writer = place.writer().unwrap();
        let sql = "SELECT name, bytes FROM card_sealed WHERE key = ?1 ORDER BY name";
        let mut statement = writer.prepare(sql).unwrap();
        for key in [[1_u8; 16], [2; 16], [3; 16]] {
            assert!(!statement.exists([key.as_slice()]).unwrap());
            statement.clear_bindings();
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
