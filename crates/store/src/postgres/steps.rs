//! A batch as statements: changes of one kind share one, as arrays.

use std::ops::Range;

use ramz_domain::Moment;
use tokio_postgres::types::ToSql;

use super::in_line;
use super::sql::{Beside, Form, Statements};
use crate::rows::head_before;
use crate::{Change, JournalEntry, Swap, Table, shard_of};

/// One statement of a batch.
pub(crate) struct Step<'b> {
    pub(crate) sql: &'static str,
    pub(crate) kind: Kind,
    /// Which changes it makes: positions in the order of the batch's rows.
    pub(crate) changes: Range<usize>,
    /// What its answer has of each that won.
    pub(crate) names: Vec<Name<'b>>,
    values: Vec<Box<dyn ToSql + Sync + Send + 'b>>,
}

/// A row's key, or a message's owner and id.
pub(crate) type Name<'b> = (&'b [u8], &'b [u8]);

/// What a statement does, in the order in which a transaction does it: rows before messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Insert(Table),
    Swap(Table),
    Lease,
    Settle,
}

/// What may share a statement: one kind; of one shard, where rows are placed by it.
pub(crate) fn group(change: &Change, form: Form) -> (Kind, i16) {
    let kind = match change {
        Change::Swap(Swap { expected: None, table, .. }) => Kind::Insert(*table),
        Change::Swap(Swap { table, .. }) => Kind::Swap(*table),
        Change::Lease { .. } => Kind::Lease,
        Change::Settle { .. } => Kind::Settle,
    };
    let shard = if form == Form::Sharded { i16::from(shard_of(change.aggregate().1)) } else { 0 };
    (kind, shard)
}

/// The statements of a batch whose changes are in this order: those that share one stand together.
pub(crate) fn of<'b>(form: Form, batch: &'b [Change], order: &[usize]) -> Vec<Step<'b>> {
    let ordered: Vec<&'b Change> = order.iter().map(|at| &batch[*at]).collect();
    let mut from = 0;
    let together = ordered.chunk_by(|one, next| group(one, form) == group(next, form));
    together
        .map(|changes| {
            let range = from..from + changes.len();
            from = range.end;
            step(form, changes, range)
        })
        .collect()
}

impl Step<'_> {
    /// Its parameters.
    pub(crate) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

fn step<'b>(form: Form, changes: &[&'b Change], range: Range<usize>) -> Step<'b> {
    let (kind, shard) = group(changes[0], form);
    let all = Statements::of(form);
    let mut arrays = Arrays { values: Vec::new() };
    if form == Form::Sharded {
        arrays.values.push(Box::new(shard));
    }
    let swaps: Vec<&'b Swap> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Swap(swap) => Some(swap),
            _ => None,
        })
        .collect();
    let sql = match kind {
        Kind::Insert(table) => {
            let beside = beside(&swaps, Entries::OfNewRows);
            arrays.new_rows(&swaps);
            arrays.beside(&swaps, beside, Entries::OfNewRows);
            all.table(table).insert(beside)
        }
        Kind::Swap(table) => {
            let beside = beside(&swaps, Entries::BehindTheFirst);
            arrays.swapped_rows(&swaps);
            if beside.first {
                arrays.first_entries(&swaps);
            }
            arrays.beside(&swaps, beside, Entries::BehindTheFirst);
            all.table(table).swap(beside)
        }
        Kind::Lease => {
            arrays.messages(changes);
            arrays.leases(changes);
            &all.lease
        }
        Kind::Settle => {
            arrays.messages(changes);
            &all.settle
        }
    };
    Step {
        sql,
        kind,
        changes: range,
        names: changes.iter().map(|change| name(change)).collect(),
        values: arrays.values,
    }
}

fn name(change: &Change) -> Name<'_> {
    match change {
        Change::Swap(swap) => (&swap.key, &[]),
        Change::Lease { owner, id, .. } | Change::Settle { owner, id } => (owner, id),
    }
}

/// Which of a swap's entries say themselves which one they follow. The first of a row that was there before does not: it
/// follows whichever the row names.
#[derive(Clone, Copy)]
enum Entries {
    OfNewRows,
    BehindTheFirst,
}

impl Entries {
    /// Each with the one before it.
    fn of(self, swap: &Swap) -> impl Iterator<Item = (Option<&JournalEntry>, &JournalEntry)> {
        let before = std::iter::once(None).chain(swap.journal.iter().map(Some));
        before.zip(&swap.journal).skip(match self {
            Entries::OfNewRows => 0,
            Entries::BehindTheFirst => 1,
        })
    }
}

fn beside(swaps: &[&Swap], which: Entries) -> Beside {
    let mut beside = Beside::default();
    for swap in swaps {
        beside.first |= matches!(which, Entries::BehindTheFirst) && !swap.journal.is_empty();
        beside.sealed |= swap.sealed.iter().any(|sealed| sealed.bytes.is_some());
        beside.unsealed |= swap.sealed.iter().any(|sealed| sealed.bytes.is_none());
        beside.entries |= which.of(swap).next().is_some();
        beside.messages |= !swap.outbox.is_empty();
    }
    beside
}

/// Number as PostgreSQL has it; the checks have found it to fit, or it is a bound that means "all".
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn instant(moment: Option<Moment>) -> Option<i64> {
    moment.map(|moment| int(moment.unix_ms()))
}

fn last_entry(swap: &Swap) -> Option<Vec<u8>> {
    swap.journal.last().map(|entry| in_line::id(&swap.key, entry).to_vec())
}

/// Parameters in the order in which [`super::sql`] numbers them.
struct Arrays<'b> {
    values: Vec<Box<dyn ToSql + Sync + Send + 'b>>,
}

impl<'b> Arrays<'b> {
    fn push<T>(&mut self, values: impl Iterator<Item = T>)
    where
        Vec<T>: ToSql + Sync + Send + 'b,
    {
        self.values.push(Box::new(values.collect::<Vec<T>>()));
    }

    fn new_rows(&mut self, swaps: &[&'b Swap]) {
        self.push(swaps.iter().map(|swap| swap.key.as_slice()));
        self.push(swaps.iter().map(|swap| swap.body.as_slice()));
        self.ends(swaps);
        self.push(swaps.iter().map(|swap| last_entry(swap)));
    }

    /// Rows with what they must have now.
    fn swapped_rows(&mut self, swaps: &[&'b Swap]) {
        self.push(swaps.iter().map(|swap| swap.key.as_slice()));
        // A version that no row can have loses, like any other that is not the row's.
        self.push(swaps.iter().map(|swap| i64::try_from(swap.expected.unwrap_or(0)).unwrap_or(0)));
        self.push(swaps.iter().map(|swap| swap.body.as_slice()));
        self.push(swaps.iter().map(|swap| int(head_before(swap))));
        self.ends(swaps);
    }

    fn ends(&mut self, swaps: &[&'b Swap]) {
        self.push(swaps.iter().map(|swap| int(swap.head.seq)));
        self.push(swaps.iter().map(|swap| swap.head.mac.as_slice()));
        self.push(swaps.iter().map(|swap| instant(swap.due)));
        self.push(swaps.iter().map(|swap| instant(swap.forget_after)));
    }

    /// As [`in_line::FIRST`] has them; nothing for a swap without entries.
    fn first_entries(&mut self, swaps: &[&'b Swap]) {
        let firsts = || swaps.iter().map(|swap| swap.journal.first());
        let ids = swaps.iter().map(|swap| Some(in_line::id(&swap.key, swap.journal.first()?)));
        self.push(ids.map(|id| id.map(|id| id.to_vec())));
        self.push(firsts().map(|entry| entry.map(|entry| int(entry.at.unix_ms()))));
        self.push(firsts().map(|entry| entry.map(|entry| entry.entry.as_slice())));
        self.push(firsts().map(|entry| entry.map(|entry| i64::from(entry.key_version))));
        self.push(firsts().map(|entry| entry.map(|entry| entry.mac.as_slice())));
        self.push(swaps.iter().map(|swap| last_entry(swap)));
    }

    fn beside(&mut self, swaps: &[&'b Swap], beside: Beside, which: Entries) {
        if beside.sealed {
            let set = || {
                let of = |swap: &&'b Swap| {
                    let key = swap.key.as_slice();
                    swap.sealed
                        .iter()
                        .filter_map(move |sealed| Some((key, sealed.column, sealed.bytes.as_deref()?)))
                };
                swaps.iter().flat_map(of)
            };
            self.push(set().map(|(key, _, _)| key));
            self.push(set().map(|(_, column, _)| column));
            self.push(set().map(|(_, _, bytes)| bytes));
        }
        if beside.unsealed {
            let removed = || {
                let of = |swap: &&'b Swap| {
                    let key = swap.key.as_slice();
                    let removed = swap.sealed.iter().filter(|sealed| sealed.bytes.is_none());
                    removed.map(move |sealed| (key, sealed.column))
                };
                swaps.iter().flat_map(of)
            };
            self.push(removed().map(|(key, _)| key));
            self.push(removed().map(|(_, column)| column));
        }
        if beside.entries {
            let entries = || {
                let of = |swap: &&'b Swap| {
                    let swap: &'b Swap = swap;
                    which.of(swap).map(move |entry| (swap.key.as_slice(), entry))
                };
                swaps.iter().flat_map(of)
            };
            self.push(entries().map(|(owner, (_, entry))| in_line::id(owner, entry).to_vec()));
            self.push(entries().map(|(owner, (before, _))| Some(in_line::id(owner, before?).to_vec())));
            self.push(entries().map(|(owner, _)| owner));
            self.push(entries().map(|(_, (_, entry))| int(entry.seq)));
            self.push(entries().map(|(_, (_, entry))| int(entry.at.unix_ms())));
            self.push(entries().map(|(_, (_, entry))| entry.entry.as_slice()));
            self.push(entries().map(|(_, (_, entry))| i64::from(entry.key_version)));
            self.push(entries().map(|(_, (_, entry))| entry.mac.as_slice()));
        }
        if beside.messages {
            let messages = || {
                swaps.iter().flat_map(|swap| swap.outbox.iter().map(|message| (swap.key.as_slice(), message)))
            };
            self.push(messages().map(|(owner, _)| owner));
            self.push(messages().map(|(_, message)| message.id.as_slice()));
            self.push(messages().map(|(_, message)| message.body.as_slice()));
            self.push(messages().map(|(_, message)| int(message.expires.unix_ms())));
            self.push(messages().map(|(_, message)| int(message.leased_until.unix_ms())));
        }
    }

    fn messages(&mut self, changes: &[&'b Change]) {
        self.push(changes.iter().map(|change| name(change).0));
        self.push(changes.iter().map(|change| name(change).1));
    }

    fn leases(&mut self, changes: &[&'b Change]) {
        let leases = || {
            changes.iter().filter_map(|change| match change {
                Change::Lease { expected, until, .. } => {
                    Some((int(expected.unix_ms()), int(until.unix_ms())))
                }
                _ => None,
            })
        };
        self.push(leases().map(|(expected, _)| expected));
        self.push(leases().map(|(_, until)| until));
    }
}
