//! From one file into a PostgreSQL database: every row of every table as it lies, then a check of both sides.
//!
//! ```text
//!   open    the file is taken, the tables are empty or an interrupted copy's, the database is marked
//!   write   what is not there yet, in the order of the keys, a page a transaction
//!   check   counts and hashes over all rows, from both sides ─▶ equal: the file is left, the mark goes, nodes may start
//!   chains  every journal against its row's head
//! ```
//!
//! The port does not do for this: it neither shows what is due or may be forgotten, nor inserts a row at a version. So this room has
//! a narrow way of its own to read the one store (`file`) and to write the other (`database`). An interrupted copy goes on
//! where its rows end, if they are the file's first ones, bit for bit.

mod chains;
mod database;
mod file;
mod relation;

use std::path::{Path, PathBuf};

pub use self::chains::Mac;
use self::database::Database;
use self::file::File;
use self::relation::Relation;
use crate::{OpenError, PostgresConfig, PostgresError};

/// Why a copy cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is nothing to copy.
    #[error("store {0}: there is no such file")]
    NoFile(PathBuf),
    /// The file cannot be taken: a role has it open, or it is damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be read.
    #[error("reading the file: {0}")]
    File(#[from] rusqlite::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Place(PostgresError),
    /// The database failed, or the connection to it.
    #[error("the database: {0}: mend that, and run the copy again; it goes on where it stopped")]
    Database(String),
    /// It holds rows, and no copy was interrupted there.
    #[error(
        "the database is not empty (table {0}), and no copy into it was interrupted: a copy needs an empty database or schema"
    )]
    NotEmpty(String),
    /// What is there is not the beginning of this file.
    #[error(
        "the database has an interrupted copy, and its table {0} does not hold this file's first rows: has a role been running on the file since? Empty the database (DROP SCHEMA … CASCADE, or another database), and copy again"
    )]
    Differs(String),
    /// What is there is not what was copied.
    #[error(
        "the database's table {0} is not what was copied: a role has run on it, and what it spent is unspent in the file. Stay with the database"
    )]
    Used(String),
    /// The database took fewer rows than it was given.
    #[error("the database did not take every row of table {relation}: is there a rule or a trigger on it?")]
    Written {
        /// The table.
        relation: String,
    },
    /// This process is ending.
    #[error("stopped")]
    Stopped,
}

/// How far a copy is: rows of all tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Done with.
    pub rows: u64,
    /// Of so many.
    pub of: u64,
}

/// What a table is on both sides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// The table's name.
    pub table: String,
    /// Rows and their hash in the file.
    pub file: (u64, [u8; 32]),
    /// The same in the database.
    pub database: (u64, [u8; 32]),
}

impl Compared {
    /// Whether both are the same.
    pub fn equal(&self) -> bool {
        self.file == self.database
    }
}

/// What the journals in the database are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chains {
    /// Rows with a journal.
    pub rows: u64,
    /// Their entries.
    pub entries: u64,
    /// Journals that do not end at their row's head, or were altered.
    pub broken: u64,
    /// The first of those, each with its key and what is wrong.
    pub told: Vec<String>,
}

/// The first of a store's tables that has rows in this database. A table that is not there yet has none; nothing is changed by looking.
///
/// # Errors
/// [`CopyError`] if the database cannot be read.
pub async fn filled(place: &PostgresConfig) -> Result<Option<String>, CopyError> {
    database::filled(place, &Relation::all()).await
}

/// Makes a file that was left for a database a store again, and gives the database up: no node starts on it from then on. Only if
/// every row is the same on both sides: a PIN that was spent in the database is unspent in the file. Says whether it was left.
///
/// # Errors
/// [`CopyError`]: there is no file, a role has it open, the database cannot be read, or a role has run on it.
pub async fn reopen(path: &Path, from: &PostgresConfig) -> Result<bool, CopyError> {
    let Some(file) = File::left(path)? else { return Ok(false) };
    let database = Database::look(from).await?;
    // Looked at before it is touched: whoever is refused, or interrupted here, has the database as it was.
    same(&file, &database).await?;
    if !database.is_marked().await? {
        database.mark().await?;
        // And once more: a node may have started meanwhile.
        if let Err(error) = same(&file, &database).await {
            database.end_copy().await?;
            return Err(error);
        }
    }
    file.reopen()?;
    Ok(true)
}

/// Every row, or [`CopyError::Used`].
async fn same(file: &File, database: &Database) -> Result<(), CopyError> {
    for relation in Relation::all() {
        if file.sum(&relation, u64::MAX).await?.end() != database.sum(&relation).await?.end() {
            return Err(CopyError::Used(relation.name));
        }
    }
    if database.has_entries_in_line().await? {
        return Err(CopyError::Used(relation::IN_LINE.into()));
    }
    Ok(())
}

/// The same without a look at the database, which is lost: what was done in it is lost with it. Says whether the file was left.
///
/// # Errors
/// [`CopyError`]: there is no file, or a role has it open.
pub fn reopen_without_database(path: &Path) -> Result<bool, CopyError> {
    let Some(file) = File::left(path)? else { return Ok(false) };
    file.reopen()?;
    Ok(true)
}

/// A copy under way. The file is held until it is dropped.
pub struct Copy {
    file: File,
    database: Database,
    /// The database's address.
    to: String,
    relations: Vec<Relation>,
    /// Rows that are there already, a table each.
    there: Vec<u64>,
    total: u64,
}

impl Copy {
    /// Takes the file, connects, and looks at what is there.
    ///
    /// # Errors
    /// [`CopyError`]: the file is in use, the database is not empty, or holds something else than this file's beginning.
    pub async fn open(from: &Path, to: &PostgresConfig) -> Result<Copy, CopyError> {
        let file = match File::take(from) {
            // Interrupted at its very end: the file is left, and the database not yet open.
            Err(moved @ CopyError::Open(OpenError::Moved { .. })) => {
                if !Database::look(to).await?.is_marked().await? {
                    return Err(moved);
                }
                File::left(from)?.ok_or(moved)?
            }
            taken => taken?,
        };
        let relations = Relation::all();
        let (database, begun) = Database::open(to, &relations).await?;
        let (mut there, mut total) = (Vec::new(), 0);
        for relation in &relations {
            total += file.count(relation).await?;
            let mut rows = 0;
            if begun {
                let sum = database.sum(relation).await?;
                rows = sum.rows;
                if file.sum(relation, rows).await?.end() != sum.end() {
                    return Err(CopyError::Differs(relation.name.clone()));
                }
            }
            there.push(rows);
        }
        Ok(Copy { file, database, to: to.url.clone(), relations, there, total })
    }

    /// Rows that an interrupted copy has left in the database.
    pub fn there(&self) -> u64 {
        self.there.iter().sum()
    }

    /// Writes what is not there yet: how many rows.
    ///
    /// # Errors
    /// [`CopyError`]; what was written before stays, and is gone on with.
    pub async fn write(&mut self, mut told: impl FnMut(Progress)) -> Result<u64, CopyError> {
        let (before, of) = (self.there(), self.total);
        let mut rows = before;
        for (relation, there) in self.relations.iter().zip(&mut self.there) {
            let mut pages = self.file.pages(relation, *there)?;
            while let Some(page) = pages.recv().await {
                let page = page?;
                self.database.write(relation, &page).await?;
                *there += page.len() as u64;
                rows += page.len() as u64;
                told(Progress { rows, of });
            }
        }
        Ok(rows - before)
    }

    /// Reads every row again, from both sides. If all are the same, nodes may start on the database from now on, and none on the file
    /// until it is [reopened](reopen); never on both.
    ///
    /// # Errors
    /// [`CopyError`] if a side cannot be read; a difference is none.
    pub async fn check(&self, mut told: impl FnMut(Progress)) -> Result<Vec<Compared>, CopyError> {
        let mut compared = Vec::new();
        let mut rows = 0;
        for relation in &self.relations {
            let (file, database) =
                tokio::try_join!(self.file.sum(relation, u64::MAX), self.database.sum(relation))?;
            rows += file.rows;
            told(Progress { rows, of: self.total });
            compared.push(Compared {
                table: relation.name.clone(),
                file: file.end(),
                database: database.end(),
            });
        }
        if compared.iter().all(Compared::equal) {
            self.file.leave(&self.to)?;
            self.database.end_copy().await?;
        }
        Ok(compared)
    }

    /// Walks along every journal in the database, up to its row's head. `told` hears how many entries it has come along.
    ///
    /// # Errors
    /// [`CopyError`] if the database cannot be read; a broken journal is none.
    pub async fn chains(&self, mac: Mac<'_>, told: impl FnMut(u64)) -> Result<Chains, CopyError> {
        chains::verify(&self.database, mac, told).await
    }
}
