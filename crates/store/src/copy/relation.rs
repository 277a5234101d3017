//! What is copied, as it lies: every table of the schema, its columns in one order, and its rows in the order of their keys.
//! Nothing is read into the port's words and written out of them again, so nothing can be left out on the way.

use sha2::{Digest as _, Sha256};

use crate::{Table, shard_of};

/// What a column holds, in both stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Bytes,
    Text,
    /// A number, or none.
    Number,
}

/// One table of the schema.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    /// Its columns without the shard, the key's first.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// How many of them are the key. The first is the aggregate's key, whose last byte is the shard.
    pub(super) key: usize,
}

const ROWS: &[(&str, Kind)] = &[
    ("key", Kind::Bytes),
    ("version", Kind::Number),
    ("body", Kind::Bytes),
    ("head_seq", Kind::Number),
    ("head_mac", Kind::Bytes),
    ("due", Kind::Number),
    ("forget_after", Kind::Number),
];
const SEALED: &[(&str, Kind)] = &[("key", Kind::Bytes), ("name", Kind::Text), ("bytes", Kind::Bytes)];
const JOURNAL: &[(&str, Kind)] = &[
    ("owner", Kind::Bytes),
    ("seq", Kind::Number),
    ("at", Kind::Number),
    ("entry", Kind::Bytes),
    ("key_version", Kind::Number),
    ("mac", Kind::Bytes),
];
const OUTBOX: &[(&str, Kind)] = &[
    ("owner", Kind::Bytes),
    ("id", Kind::Bytes),
    ("body", Kind::Bytes),
    ("expires", Kind::Number),
    ("leased_until", Kind::Number),
    ("attempts", Kind::Number),
];

/// Where nodes on a database write: a file has no such table, and a copy leaves it empty.
pub(super) const IN_LINE: &str = "journal_in_line";

impl Relation {
    /// All of them, in the order in which they are copied.
    pub(super) fn all() -> Vec<Relation> {
        let rows = Table::ALL.map(|table| Relation { name: table.to_string(), columns: ROWS, key: 1 });
        let sealed =
            Table::ALL.map(|table| Relation { name: format!("{table}_sealed"), columns: SEALED, key: 2 });
        let others = [("journal", JOURNAL), ("outbox", OUTBOX)];
        let others = others.map(|(name, columns)| Relation { name: name.into(), columns, key: 2 });
        rows.into_iter().chain(sealed).chain(others).collect()
    }

    /// Its columns' names, each as `how` writes it.
    pub(super) fn names(&self, how: impl Fn(&str, Kind) -> String) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, kind)| how(name, *kind)).collect();
        names.join(", ")
    }

    /// The order of its rows, which is the bytes' in both stores, whatever order of words a database has.
    pub(super) fn order(&self, text: &str) -> String {
        let key = self.columns[..self.key].iter();
        let key: Vec<String> = key
            .map(
                |(name, kind)| {
                    if *kind == Kind::Text { format!("{name} {text}") } else { (*name).to_owned() }
                },
            )
            .collect();
        key.join(", ")
    }
}

/// A value as it lies.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Bytes(Vec<u8>),
    Text(String),
    Number(Option<i64>),
}

/// One row as it lies, with the shard that it belongs to or stands in.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) shard: i16,
    pub(super) cells: Vec<Cell>,
}

impl Line {
    /// Of a store that has no shards: the one that its key says.
    pub(super) fn placed(cells: Vec<Cell>) -> Line {
        let shard = match cells.first() {
            Some(Cell::Bytes(key)) => i16::from(shard_of(key)),
            _ => 0,
        };
        Line { shard, cells }
    }

    /// About how much it is to send.
    pub(super) fn size(&self) -> usize {
        let of = |cell: &Cell| match cell {
            Cell::Bytes(bytes) => bytes.len(),
            Cell::Text(text) => text.len(),
            Cell::Number(_) => 8,
        };
        self.cells.iter().map(of).sum()
    }
}

/// How many rows, and a hash over all of them in their order: every value with its length, so that nothing can move from one
/// column or row into the next.
#[derive(Clone, Default)]
pub(super) struct Sum {
    pub(super) rows: u64,
    hash: Sha256,
}

impl Sum {
    pub(super) fn add(&mut self, line: &Line) {
        self.rows += 1;
        self.hash.update(line.shard.to_be_bytes());
        for cell in &line.cells {
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Bytes(bytes) => (1, bytes),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Number(Some(number)) => (3, &number.to_be_bytes()),
                Cell::Number(None) => (4, &[]),
            };
            self.hash.update([kind]);
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    pub(super) fn end(self) -> (u64, [u8; 32]) {
        (self.rows, self.hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(lines: &[Line]) -> (u64, [u8; 32]) {
        let mut sum = Sum::default();
        lines.iter().for_each(|line| sum.add(line));
        sum.end()
    }

    #[test]
    fn a_sum_is_of_every_value_in_its_place() {
        let line = |key: &[u8], name: &str, number| {
            Line::placed(vec![Cell::Bytes(key.to_vec()), Cell::Text(name.into()), Cell::Number(number)])
        };
        let lines = [line(b"ab", "c", Some(1)), line(b"b", "", None)];
        let whole = sum(&lines);
        assert_eq!((whole, lines[0].shard), (sum(&lines.clone()), i16::from(b'b')));
        let mut others = vec![
            vec![lines[1].clone(), lines[0].clone()],
            vec![lines[0].clone()],
            vec![line(b"b", "", None), line(b"ab", "c", Some(1))],
            vec![line(b"ab", "c", Some(2)), lines[1].clone()],
            vec![line(b"ab", "c", None), lines[1].clone()],
            vec![lines[0].clone(), line(b"b", "", Some(0))],
            // The same bytes one after the other, cut elsewhere.
            vec![line(b"a", "bc", Some(1)), lines[1].clone()],
        ];
        others.push(vec![Line { shard: 0, ..lines[0].clone() }, lines[1].clone()]);
        for other in others {
            assert_ne!(sum(&other), whole);
        }
    }
}
