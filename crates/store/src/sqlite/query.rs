//! What is read: each call in one read transaction, so that a row and its sealed columns are of one instant. Calls that wait together
//! share one.

use ramz_domain::Moment;
use rusqlite::{Connection, Error, OptionalExtension, Row as Found, params};

use super::apply::int;
use super::statements::{self, ENTRIES, MESSAGES_DUE};
use crate::{Head, JournalEntry, Key, OutboxRow, Row, Table};

/// One row with its sealed columns.
pub(crate) fn row(connection: &Connection, table: Table, key: &[u8]) -> Result<Option<Row>, Error> {
    let snapshot = Snapshot::begin(connection)?;
    let row = row_in(connection, table, key)?;
    snapshot.end()?;
    Ok(row)
}

/// Rows whose work is due, oldest first.
pub(crate) fn due(
    connection: &Connection,
    table: Table,
    now: Moment,
    limit: usize,
) -> Result<Vec<(Key, Row)>, Error> {
    let snapshot = Snapshot::begin(connection)?;
    let keys: Vec<Key> = connection
        .prepare_cached(statements::of(table).due)?
        .query_map(params![int(now.unix_ms()), int(limit as u64)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(row) = row_in(connection, table, &key)? {
            rows.push((key, row));
        }
    }
    snapshot.end()?;
    Ok(rows)
}

/// Keys in order.
pub(crate) fn keys(
    connection: &Connection,
    table: Table,
    after: &[u8],
    limit: usize,
) -> Result<Vec<Key>, Error> {
    connection
        .prepare_cached(statements::of(table).keys)?
        .query_map(params![after, int(limit as u64)], |row| row.get(0))?
        .collect()
}

/// Journal entries in order.
pub(crate) fn journal(
    connection: &Connection,
    owner: &[u8],
    after: u64,
    limit: usize,
) -> Result<Vec<JournalEntry>, Error> {
    connection
        .prepare_cached(ENTRIES)?
        .query_map(params![owner, int(after), int(limit as u64)], |row| {
            Ok(JournalEntry {
                seq: number(row, 0)?,
                at: Moment::from_unix_ms(number(row, 1)?),
                entry: row.get(2)?,
                key_version: row.get(3)?,
                mac: row.get(4)?,
            })
        })?
        .collect()
}

/// How many entries there are in all.
pub(crate) fn entries(connection: &Connection) -> Result<u64, Error> {
    connection.query_row("SELECT count(*) FROM journal", [], |row| number(row, 0))
}

/// Messages whose lease is over, oldest lease first.
pub(crate) fn messages_due(
    connection: &Connection,
    now: Moment,
    limit: usize,
) -> Result<Vec<OutboxRow>, Error> {
    connection
        .prepare_cached(MESSAGES_DUE)?
        .query_map(params![int(now.unix_ms()), int(limit as u64)], |row| {
            Ok(OutboxRow {
                owner: row.get(0)?,
                id: row.get(1)?,
                body: row.get(2)?,
                expires: Moment::from_unix_ms(number(row, 3)?),
                leased_until: Moment::from_unix_ms(number(row, 4)?),
                attempts: row.get(5)?,
            })
        })?
        .collect()
}

/// A read transaction: what is read in it is of one instant. Its two statements are prepared once a connection, and not parsed for each
/// row that is read. Within another one it is a part of that.
pub(crate) struct Snapshot<'c>(Option<&'c Connection>);

impl<'c> Snapshot<'c> {
    pub(crate) fn begin(connection: &'c Connection) -> Result<Snapshot<'c>, Error> {
        if !connection.is_autocommit() {
            return Ok(Snapshot(None));
        }
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        Ok(Snapshot(Some(connection)))
    }

    pub(crate) fn end(self) -> Result<(), Error> {
        match self.0 {
            Some(connection) => connection.prepare_cached("COMMIT")?.execute([]).map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Left by an error or a panic: the connection must be as before for the next read.
        if let Some(connection) = self.0
            && !connection.is_autocommit()
        {
            drop(connection.execute_batch("ROLLBACK"));
        }
    }
}

fn row_in(connection: &Connection, table: Table, key: &[u8]) -> Result<Option<Row>, Error> {
    let of = statements::of(table);
    let row = connection
        .prepare_cached(of.read)?
        .query_row([key], |row| {
            let head = Head { seq: number(row, 2)?, mac: row.get(3)? };
            Ok(Row { version: number(row, 0)?, body: row.get(1)?, sealed: Vec::new(), head })
        })
        .optional()?;
    let Some(mut row) = row else { return Ok(None) };
    let mut statement = connection.prepare_cached(of.sealed)?;
    let sealed = statement.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    row.sealed = sealed.collect::<Result<_, _>>()?;
    Ok(Some(row))
}

/// A number that was never negative when it was written.
fn number(row: &Found<'_>, column: usize) -> Result<u64, Error> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(column, number))
}
