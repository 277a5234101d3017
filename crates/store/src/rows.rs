//! What every store refuses before it touches a row: keys, instants, heads and entries out of their bounds, and a row
//! named twice in one batch.
//!
//! One place for all stores, so that a test against memory tells what SQLite would say. Whether a swap wins is not
//! here: that is the guard, and it stands in each store's own statements.

use ramz_domain::Moment;

use crate::{Change, Head, Outcome, StoreFault, Swap, Table};

/// A row's key has at least one byte (the empty key is where paging begins) …
pub const KEY_BYTES_MIN: usize = 1;
/// … and at most as many as two keyed hashes.
pub const KEY_BYTES_MAX: usize = 64;

/// The shard of an aggregate: the last byte of its key, which is a random one in every kind of key.
pub fn shard_of(key: &[u8]) -> u8 {
    key.last().copied().unwrap_or(0)
}

/// What one change writes, as the unit that one batch may hold once. In this order a transaction takes its rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum RowName<'a> {
    /// A versioned row.
    Row(Table, &'a [u8]),
    /// A message of an owner.
    Message(&'a [u8], &'a [u8; 16]),
}

impl Change {
    /// The row it writes.
    pub(crate) fn row(&self) -> RowName<'_> {
        match self {
            Change::Swap(swap) => RowName::Row(swap.table, &swap.key),
            Change::Lease { owner, id, .. } | Change::Settle { owner, id } => RowName::Message(owner, id),
        }
    }

    /// The aggregate it belongs to: what keeps its order, also between a card and its messages.
    pub(crate) fn aggregate(&self) -> (Table, &[u8]) {
        match self {
            Change::Swap(swap) => (swap.table, &swap.key),
            Change::Lease { owner, .. } | Change::Settle { owner, .. } => (Table::Card, owner),
        }
    }
}

/// The order in which a transaction takes the changes of a batch: positions, by table and key.
///
/// # Errors
/// [`StoreFault::Statement`] if a change is out of bounds or a row is named twice.
pub(crate) fn in_row_order(batch: &[Change]) -> Result<Vec<usize>, StoreFault> {
    batch.iter().try_for_each(check)?;
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|at| batch[*at].row());
    // In this order a row that is named twice stands beside itself.
    if order.windows(2).any(|two| batch[two[0]].row() == batch[two[1]].row()) {
        return Err(refused("a batch names a row twice"));
    }
    Ok(order)
}

/// Puts outcomes that were found in row order back into the order of the batch.
pub(crate) fn in_batch_order(order: &[usize], found: &[Outcome]) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Lost; order.len()];
    for (at, outcome) in order.iter().zip(found) {
        outcomes[*at] = *outcome;
    }
    outcomes
}

/// The head that a row must have for this swap: where its entries begin.
pub(crate) fn head_before(swap: &Swap) -> u64 {
    swap.head.seq - swap.journal.len() as u64
}

/// What a swap whose version fits but whose head does not is told, in every store.
pub(crate) fn broken_head(table: Table) -> StoreFault {
    StoreFault::Statement(format!("{table}: the swap's head does not continue the row's journal"))
}

fn check(change: &Change) -> Result<(), StoreFault> {
    match change {
        Change::Swap(swap) => check_swap(swap),
        Change::Lease { owner, expected, until, .. } => {
            check_key(owner)?;
            check_moment(*expected)?;
            check_moment(*until)
        }
        Change::Settle { owner, .. } => check_key(owner),
    }
}

fn check_swap(swap: &Swap) -> Result<(), StoreFault> {
    check_key(&swap.key)?;
    swap.due.map_or(Ok(()), check_moment)?;
    swap.forget_after.map_or(Ok(()), check_moment)?;
    if swap.table == Table::Card && swap.forget_after.is_some() {
        return Err(refused("a card is never forgotten: forget_after must be None"));
    }
    for (at, sealed) in swap.sealed.iter().enumerate() {
        let before = &swap.sealed[..at];
        if sealed.column.is_empty() || before.iter().any(|other| other.column == sealed.column) {
            return Err(refused("a sealed column is named twice, or has no name"));
        }
    }
    check_journal(swap)?;
    for (at, message) in swap.outbox.iter().enumerate() {
        check_moment(message.expires)?;
        check_moment(message.leased_until)?;
        if swap.outbox[..at].iter().any(|other| other.id == message.id) {
            return Err(refused("two messages of one swap have the same id"));
        }
    }
    Ok(())
}

fn check_journal(swap: &Swap) -> Result<(), StoreFault> {
    if i64::try_from(swap.head.seq).is_err() {
        return Err(refused("the head's number is out of bounds"));
    }
    let count = swap.journal.len() as u64;
    let Some(before) = swap.head.seq.checked_sub(count) else {
        return Err(refused("the head counts fewer entries than the swap writes"));
    };
    for (seq, entry) in (before + 1..).zip(&swap.journal) {
        check_moment(entry.at)?;
        if entry.seq != seq {
            return Err(refused("journal entries are not numbered up to the head without gaps"));
        }
    }
    if swap.journal.last().is_some_and(|last| last.mac != swap.head.mac) {
        return Err(refused("the head's MAC is not the last entry's"));
    }
    if swap.expected.is_none() && (before != 0 || (count == 0 && swap.head != Head::EMPTY)) {
        return Err(refused("a new row's journal begins with entry 1"));
    }
    Ok(())
}

fn check_key(key: &[u8]) -> Result<(), StoreFault> {
    if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(());
    }
    Err(StoreFault::Statement(format!(
        "a key has {} bytes: it must have {KEY_BYTES_MIN} to {KEY_BYTES_MAX}",
        key.len()
    )))
}

fn check_moment(moment: Moment) -> Result<(), StoreFault> {
    match i64::try_from(moment.unix_ms()) {
        Ok(_) => Ok(()),
        Err(_) => Err(refused("an instant lies beyond what a store can hold (63 bits of milliseconds)")),
    }
}

fn refused(why: &str) -> StoreFault {
    StoreFault::Statement(why.to_owned())
}
