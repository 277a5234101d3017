//! The one side: the file, held for as long as the copy takes, so that no role writes to it.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row as Found};
use tokio::sync::mpsc;

use super::CopyError;
use super::relation::{Cell, Kind, Line, Relation, Sum};
use crate::OpenError;
use crate::sqlite::place::Place;

/// Rows that go from the reading thread at once …
const PAGE_ROWS: usize = 1000;
/// … and about how many bytes.
const PAGE_BYTES: usize = 4 << 20;

/// The file.
pub(super) struct File {
    place: Place,
}

impl File {
    /// Takes it, and brings it to this release's schema.
    pub(super) fn take(path: &Path) -> Result<File, CopyError> {
        let place = place(path)?;
        drop(place.writer()?);
        Ok(File { place })
    }

    /// Takes one that was left for a database. `None` if it was not.
    pub(super) fn left(path: &Path) -> Result<Option<File>, CopyError> {
        let place = place(path)?;
        match place.writer() {
            Err(OpenError::Moved { .. }) => Ok(Some(File { place })),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(None),
        }
    }

    /// It is a store again.
    pub(super) fn reopen(&self) -> Result<(), CopyError> {
        self.place.reopen()?;
        Ok(())
    }

    /// No role starts on it any more.
    pub(super) fn leave(&self, to: &str) -> Result<(), CopyError> {
        match self.place.leave(to) {
            // Checked once more.
            Ok(()) | Err(OpenError::Moved { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many rows a table has.
    pub(super) async fn count(&self, relation: &Relation) -> Result<u64, CopyError> {
        let sql = format!("SELECT count(*) FROM {}", relation.name);
        let file = self.place.reader()?;
        let count = blocking(move || file.query_row(&sql, [], |row| row.get::<_, i64>(0))).await??;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The sum of a table's first rows.
    pub(super) async fn sum(&self, relation: &Relation, first: u64) -> Result<Sum, CopyError> {
        let (file, relation) = (self.place.reader()?, relation.clone());
        let sum = blocking(move || {
            let mut sum = Sum::default();
            let limit = i64::try_from(first).unwrap_or(i64::MAX);
            walk(&file, &relation, limit, 0, |line| {
                sum.add(&line);
                true
            })?;
            Ok::<_, rusqlite::Error>(sum)
        });
        Ok(sum.await??)
    }

    /// A table's rows after the first ones, in pages: read by a thread of its own while the last page is written.
    pub(super) fn pages(
        &self,
        relation: &Relation,
        after: u64,
    ) -> Result<mpsc::Receiver<Result<Vec<Line>, CopyError>>, CopyError> {
        let (file, relation) = (self.place.reader()?, relation.clone());
        let (sender, pages) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            let (mut page, mut bytes) = (Vec::new(), 0);
            let offset = i64::try_from(after).unwrap_or(i64::MAX);
            let walked = walk(&file, &relation, -1, offset, |line| {
                bytes += line.size();
                page.push(line);
                if page.len() < PAGE_ROWS && bytes < PAGE_BYTES {
                    return true;
                }
                bytes = 0;
                sender.blocking_send(Ok(std::mem::take(&mut page))).is_ok()
            });
            let last = walked.map(|()| page).map_err(CopyError::from);
            if !matches!(&last, Ok(page) if page.is_empty()) {
                // Whoever has gone does not want it.
                drop(sender.blocking_send(last));
            }
        });
        Ok(pages)
    }
}

/// Taking makes a file where there is none; here that would be a copy of nothing.
fn place(path: &Path) -> Result<Place, CopyError> {
    if !path.try_exists().unwrap_or(false) {
        return Err(CopyError::NoFile(path.to_owned()));
    }
    Ok(Place::take(path)?)
}

/// Walks along a table's rows, until one is not wanted any more.
fn walk(
    file: &Connection,
    relation: &Relation,
    limit: i64,
    offset: i64,
    mut each: impl FnMut(Line) -> bool,
) -> Result<(), rusqlite::Error> {
    let (columns, order) = (relation.names(|name, _| name.to_owned()), relation.order(""));
    let sql = format!("SELECT {columns} FROM {} ORDER BY {order} LIMIT ?1 OFFSET ?2", relation.name);
    let mut statement = file.prepare(&sql)?;
    let mut rows = statement.query([limit, offset])?;
    while let Some(row) = rows.next()? {
        if !each(line(relation, row)?) {
            break;
        }
    }
    Ok(())
}

fn line(relation: &Relation, row: &Found<'_>) -> Result<Line, rusqlite::Error> {
    let cell = |(at, (_, kind)): (usize, &(&str, Kind))| {
        Ok(match kind {
            Kind::Bytes => Cell::Bytes(row.get(at)?),
            Kind::Text => Cell::Text(row.get(at)?),
            Kind::Number if row.get_ref(at)? == ValueRef::Null => Cell::Number(None),
            Kind::Number => Cell::Number(Some(row.get(at)?)),
        })
    };
    let cells = relation.columns.iter().enumerate().map(cell).collect::<Result<_, rusqlite::Error>>()?;
    Ok(Line::placed(cells))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CopyError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| CopyError::Stopped)
}
