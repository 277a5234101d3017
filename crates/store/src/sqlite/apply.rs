//! One batch, one transaction: `BEGIN IMMEDIATE`, guarded statements in row order, `COMMIT`.
//!
//! Which fault follows from which error is decided here: before COMMIT is sent, nothing is written and we know it; from
//! then on, nobody knows until the file is opened again.

use ramz_domain::Moment;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::fault::{of_commit, of_statement};
use super::statements::{self, ENTRY, LEASE, MESSAGE, NEXT_ENTRY, SETTLE};
use crate::rows::{broken_head, head_before, in_batch_order, in_row_order};
use crate::{Change, JournalEntry, Outcome, StoreFault, Swap, Table};

/// A number that the checks have found to fit, or a bound that means "all".
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn instant(moment: Option<Moment>) -> Option<i64> {
    moment.map(|moment| int(moment.unix_ms()))
}

/// Commits a batch. After [`StoreFault::Unknown`] the connection must not be used again.
pub(crate) fn batch(connection: &mut Connection, batch: &[Change]) -> Result<Vec<Outcome>, StoreFault> {
    let order = in_row_order(batch)?;
    let transaction = begin(connection)?;
    let mut found = Vec::with_capacity(batch.len());
    {
        let mut prepared = Prepared { connection: &transaction, statements: Vec::new() };
        for at in &order {
            found.push(apply(&mut prepared, &batch[*at])?);
        }
    }
    transaction.commit().map_err(|error| of_commit(&error))?;
    Ok(in_batch_order(&order, &found))
}

/// Forgets rows with their sealed columns and journal, in one transaction.
pub(crate) fn forget(
    connection: &mut Connection,
    table: Table,
    now: Moment,
    limit: usize,
) -> Result<usize, StoreFault> {
    let fault = |error: rusqlite::Error| of_statement("forgetting rows", &error);
    let of = statements::of(table);
    let now = int(now.unix_ms());
    let transaction = begin(connection)?;
    let old: Vec<Vec<u8>> = {
        let mut statement = transaction.prepare_cached(of.old).map_err(fault)?;
        let keys = statement.query_map(params![now, int(limit as u64)], |row| row.get(0)).map_err(fault)?;
        keys.collect::<Result<_, _>>().map_err(fault)?
    };
    for key in &old {
        transaction
            .prepare_cached(of.forget_entries)
            .and_then(|mut s| s.execute(params![key, 0]))
            .map_err(fault)?;
        // Sealed columns go with the row (ON DELETE CASCADE).
        transaction
            .prepare_cached(of.forget)
            .and_then(|mut s| s.execute(params![key, now]))
            .map_err(fault)?;
    }
    transaction.commit().map_err(|error| of_commit(&error))?;
    Ok(old.len())
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, StoreFault> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| {
        // Whatever hinders a transaction from beginning, it is not a change's doing.
        match of_statement("beginning a transaction", &error) {
            StoreFault::Statement(text) => StoreFault::Unavailable(text),
            fault => fault,
        }
    })
}

/// The statements that a batch has used so far: looked up once a batch, and not once a change.
struct Prepared<'c> {
    connection: &'c Connection,
    statements: Vec<(&'static str, CachedStatement<'c>)>,
}

impl<'c> Prepared<'c> {
    fn get(&mut self, sql: &'static str) -> Result<&mut CachedStatement<'c>, rusqlite::Error> {
        // Each text stands in one place, so where it stands names it; the same text elsewhere would be prepared twice.
        let at = match self.statements.iter().position(|(known, _)| std::ptr::eq(*known, sql)) {
            Some(at) => at,
            None => {
                self.statements.push((sql, self.connection.prepare_cached(sql)?));
                self.statements.len() - 1
            }
        };
        Ok(&mut self.statements[at].1)
    }
}

fn apply(prepared: &mut Prepared<'_>, change: &Change) -> Result<Outcome, StoreFault> {
    let mut run = |doing: &str, sql: &'static str, params: &[&dyn rusqlite::ToSql]| {
        let rows = prepared.get(sql).and_then(|statement| statement.execute(params));
        rows.map(won).map_err(|error| of_statement(doing, &error))
    };
    match change {
        Change::Swap(swap) => {
            let outcome = apply_swap(prepared, swap)
                .map_err(|error| of_statement(&format!("swapping a row of {}", swap.table), &error))?;
            outcome.ok_or_else(|| broken_head(swap.table))
        }
        Change::Lease { owner, id, expected, until } => {
            let (expected, until) = (int(expected.unix_ms()), int(until.unix_ms()));
            run("leasing a message", LEASE, params![owner, id.as_slice(), expected, until])
        }
        Change::Settle { owner, id } => run("settling a message", SETTLE, params![owner, id.as_slice()]),
    }
}

/// `None`: the version fits, but the head does not continue the journal.
fn apply_swap(prepared: &mut Prepared<'_>, swap: &Swap) -> Result<Option<Outcome>, rusqlite::Error> {
    let rows = match (swap.expected, swap.journal.split_first()) {
        (None, _) => insert(prepared, swap)?,
        // A version that no row can have loses, like any other that is not the row's.
        (Some(version), None) => swap_alone(prepared, swap, i64::try_from(version).unwrap_or(0))?,
        (Some(version), Some((first, others))) => {
            swap_with_entries(prepared, swap, i64::try_from(version).unwrap_or(0), first, others)?
        }
    };
    if won(rows) == Outcome::Won {
        write_beside(prepared, swap)?;
    } else if let Some(version) = swap.expected {
        let present = prepared.get(statements::of(swap.table).version)?;
        let present: Option<i64> = present.query_row([&swap.key], |row| row.get(0)).optional()?;
        if present == i64::try_from(version).ok() && present.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(won(rows)))
}

/// A new row with its entries, if there is none yet.
fn insert(prepared: &mut Prepared<'_>, swap: &Swap) -> Result<usize, rusqlite::Error> {
    let of = statements::of(swap.table);
    let rows = prepared.get(of.insert)?.execute(params![
        swap.key,
        swap.body,
        int(swap.head.seq),
        swap.head.mac.as_slice(),
        instant(swap.due),
        instant(swap.forget_after)
    ])?;
    if let (1.., Some((first, others))) = (rows, swap.journal.split_first()) {
        write_entry(prepared, ENTRY, swap, first)?;
        write_after(prepared, swap, others)?;
        prepared.get(of.link)?.execute([&swap.key])?;
    }
    Ok(rows)
}

/// A swap without entries.
fn swap_alone(prepared: &mut Prepared<'_>, swap: &Swap, version: i64) -> Result<usize, rusqlite::Error> {
    let of = statements::of(swap.table);
    let (head_seq, head_mac) = (int(swap.head.seq), swap.head.mac.as_slice());
    let (due, forget_after) = (instant(swap.due), instant(swap.forget_after));
    let row = params![swap.key, version, swap.body, head_seq, head_mac, due, forget_after];
    // Most rows keep their last day; of the others the first says no, and the second looks at everything again.
    match prepared.get(of.swap_kept_as_long)?.execute(row)? {
        0 => prepared.get(of.swap)?.execute(row),
        rows => Ok(rows),
    }
}

/// The entries, guarded as the swap is, and then the swap, which names the last of them.
fn swap_with_entries(
    prepared: &mut Prepared<'_>,
    swap: &Swap,
    version: i64,
    first: &JournalEntry,
    others: &[JournalEntry],
) -> Result<usize, rusqlite::Error> {
    let of = statements::of(swap.table);
    let written = prepared.get(of.first_entry)?.execute(params![
        swap.key,
        version,
        int(first.seq),
        int(first.at.unix_ms()),
        first.entry,
        first.key_version,
        first.mac.as_slice(),
    ])?;
    if written == 0 {
        return Ok(0);
    }
    write_after(prepared, swap, others)?;
    let (head_seq, head_mac) = (int(swap.head.seq), swap.head.mac.as_slice());
    let (due, forget_after) = (instant(swap.due), instant(swap.forget_after));
    let before = int(head_before(swap));
    let row = params![swap.key, version, swap.body, head_seq, head_mac, due, forget_after, before];
    match prepared.get(of.swap_with_entries)?.execute(row)? {
        // Both have the same guard. Should they ever differ, the transaction must not go on with entries of nobody.
        0 => Err(rusqlite::Error::StatementChangedRows(0)),
        rows => Ok(rows),
    }
}

/// Entries behind the one that was just written.
fn write_after(
    prepared: &mut Prepared<'_>,
    swap: &Swap,
    entries: &[JournalEntry],
) -> Result<(), rusqlite::Error> {
    entries.iter().try_for_each(|entry| write_entry(prepared, NEXT_ENTRY, swap, entry))
}

fn write_entry(
    prepared: &mut Prepared<'_>,
    sql: &'static str,
    swap: &Swap,
    entry: &JournalEntry,
) -> Result<(), rusqlite::Error> {
    let (seq, at) = (int(entry.seq), int(entry.at.unix_ms()));
    let row = params![swap.key, seq, at, entry.entry, entry.key_version, entry.mac.as_slice()];
    prepared.get(sql)?.execute(row).map(drop)
}

/// What else goes with a swap that won: sealed columns, messages.
fn write_beside(prepared: &mut Prepared<'_>, swap: &Swap) -> Result<(), rusqlite::Error> {
    let of = statements::of(swap.table);
    for sealed in &swap.sealed {
        match &sealed.bytes {
            Some(bytes) => prepared.get(of.seal)?.execute(params![swap.key, sealed.column, bytes])?,
            None => prepared.get(of.unseal)?.execute(params![swap.key, sealed.column])?,
        };
    }
    for message in &swap.outbox {
        prepared.get(MESSAGE)?.execute(params![
            swap.key,
            message.id.as_slice(),
            message.body,
            int(message.expires.unix_ms()),
            int(message.leased_until.unix_ms()),
        ])?;
    }
    Ok(())
}

fn won(rows: usize) -> Outcome {
    if rows == 0 { Outcome::Lost } else { Outcome::Won }
}
