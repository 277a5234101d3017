//! The journal in line: where a new entry lies, and the way back to a row's entries.
//!
//! Entries lie in the order of their ids, which begin with the instant, so those of one commit share pages whatever rows they belong to.
//! The row names its last entry, and each entry the one before it. What was written before there was a line, and what was copied from a
//! file, lies by its owner in `journal`: a row's journal is both, and an entry in line may follow one that is not.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::sql::{Form, Text};
use crate::{JournalEntry, Table};

/// Where an entry lies.
pub(super) type Id = [u8; 16];

/// Six bytes of the instant; ten that no other entry of that millisecond has, for they are made from what it is an entry of. (Should two
/// ever have the same, the second is refused as a whole, and tried again at another instant by who asked for it.)
pub(super) fn id(owner: &[u8], entry: &JournalEntry) -> Id {
    let mut of = DefaultHasher::new();
    owner.hash(&mut of);
    entry.seq.hash(&mut of);
    let mut id = [0; 16];
    id[..6].copy_from_slice(&entry.at.unix_ms().to_be_bytes()[2..]);
    id[6..14].copy_from_slice(&of.finish().to_be_bytes());
    id[14..].copy_from_slice(&entry.seq.to_be_bytes()[6..]);
    id
}

/// What a swap with entries has for its first, in the order of its parameters; and then its last one's id.
pub(super) const FIRST: [(&str, &str); 6] = [
    ("first_id", "bytea"),
    ("first_at", "int8"),
    ("first_entry", "bytea"),
    ("first_key_version", "int8"),
    ("first_mac", "bytea"),
    ("last_entry", "bytea"),
];

/// A row names its new last entry, and keeps what it had named: only what a statement has written can it tell.
pub(super) const POINTERS: &str =
    ", entry_before = r.last_entry, last_entry = coalesce(c.last_entry, r.last_entry)";

/// What a swap that won hands to [`first`].
pub(super) const FIRST_RETURNED: &str = ", r.entry_before, c.head_before, c.first_id, c.first_at, c.first_entry, c.first_key_version, c.first_mac";

/// Writes the first entries of swaps that won.
pub(super) fn first(text: &mut Text) {
    text.push(", firsts AS (INSERT INTO journal_in_line (shard, id, previous, owner, seq, at, entry, key_version, mac) SELECT ");
    text.shard_of("won.key");
    text.push(
        ", won.first_id, won.entry_before, won.key, won.head_before + 1, won.first_at, won.first_entry,",
    );
    text.push(" won.first_key_version, won.first_mac FROM won WHERE won.first_id IS NOT NULL)");
}

/// Writes entries that say themselves which one they follow: a new row's, and those behind a first.
pub(super) fn entries(text: &mut Text) {
    text.push(", entries AS (INSERT INTO journal_in_line (shard, id, previous, owner, seq, at, entry, key_version, mac) SELECT ");
    text.shard_of("j.owner");
    text.push(", j.id, j.previous, j.owner, j.seq, j.at, j.entry, j.key_version, j.mac FROM ");
    let columns = [
        ("id", "bytea"),
        ("previous", "bytea"),
        ("owner", "bytea"),
        ("seq", "int8"),
        ("at", "int8"),
        ("entry", "bytea"),
        ("key_version", "int8"),
        ("mac", "bytea"),
    ];
    text.arrays("j", &columns);
    text.that_won("j.owner");
    text.push(")");
}

/// owner, seq, limit → entries after seq in order. Whose key it is nobody says, so each table is asked for its last entry.
pub(super) fn journal(form: Form) -> String {
    let mut text = Text::new(form);
    let (owner, seq, limit) = (text.parameters + 1, text.parameters + 2, text.parameters + 3);
    text.push("WITH RECURSIVE last (id) AS (");
    for (at, table) in Table::ALL.iter().enumerate() {
        let union = if at == 0 { "" } else { " UNION ALL " };
        let _ =
            write!(text.text, "{union}SELECT r.last_entry FROM {table} AS r WHERE r.key = ${owner}::bytea");
        text.in_shard("r");
    }
    text.push("), way AS (");
    way(&mut text, &format!("${owner}::bytea"), &format!(" AND e.seq > ${seq}::int8"));
    text.push(") SELECT way.seq, way.at, way.entry, way.key_version, way.mac FROM way");
    text.push(" UNION ALL SELECT j.seq, j.at, j.entry, j.key_version, j.mac FROM journal AS j");
    let _ = write!(text.text, " WHERE j.owner = ${owner} AND j.seq > ${seq}");
    text.in_shard("j");
    let _ = write!(text.text, " ORDER BY seq LIMIT ${limit}");
    text.text
}

/// owner, its last entry → all of its entries' ids.
pub(super) fn of_owner(form: Form) -> String {
    let mut text = Text::new(form);
    let (owner, last) = (text.parameters + 1, text.parameters + 2);
    let _ = write!(text.text, "WITH RECURSIVE last (id) AS (SELECT ${last}::bytea), way AS (");
    way(&mut text, &format!("${owner}::bytea"), "");
    text.push(") SELECT way.id FROM way");
    text.text
}

/// From what `last` has, step by step. Numbers must fall on the way, so that it ends whatever somebody has done to the tables. Each step
/// is one that can only be made down the index: a join is planned as a walk through all of it where the table was empty once.
fn way(text: &mut Text, owner: &str, and: &str) {
    let first = ("", "last", "last.id", "");
    let next = (" UNION ALL ", "way", "way.previous", " AND e.seq < way.seq");
    for (union, from, step, falls) in [first, next] {
        let _ = write!(
            text.text,
            "{union}SELECT e.* FROM {from} CROSS JOIN LATERAL (SELECT * FROM journal_in_line AS l WHERE l.id = {step} AND l.shard = "
        );
        text.shard_of(owner);
        let _ = write!(text.text, " LIMIT 1) AS e WHERE e.owner = {owner}{and}{falls}");
    }
}

/// keys with the last entry that each is known to have, now, ids of all their entries → forgets rows that still may be and have no
/// newer entry, with all that is theirs.
pub(super) fn forget(table: Table) -> String {
    format!(
        "WITH gone AS (DELETE FROM {table} AS r USING unnest($1::bytea[], $2::bytea[]) AS o(key, last_entry)
            WHERE r.key = o.key AND r.forget_after <= $3 AND r.last_entry IS NOT DISTINCT FROM o.last_entry RETURNING r.key, r.shard),
         in_line AS (DELETE FROM journal_in_line AS e
            WHERE e.id = ANY($4::bytea[]) AND (e.owner IN (SELECT gone.key FROM gone)) IS TRUE),
         sealed AS (DELETE FROM {table}_sealed AS d USING gone WHERE d.key = gone.key AND d.shard = gone.shard),
         entries AS (DELETE FROM journal AS j USING gone WHERE j.owner = gone.key AND j.shard = gone.shard)
         SELECT key FROM gone"
    )
}

#[cfg(test)]
mod tests {
    use ramz_domain::Moment;

    use super::*;

    fn entry(seq: u64, at: u64) -> JournalEntry {
        JournalEntry { seq, at: Moment::from_unix_ms(at), entry: Vec::new(), key_version: 1, mac: [0; 32] }
    }

    #[test]
    fn entries_lie_by_when_they_were_written_and_no_two_have_one_place() {
        let now = 1_800_000_000_000;
        assert!(id(b"one", &entry(9, now)) < id(b"another", &entry(1, now + 1)));
        // The owner's end and the number do not run into each other.
        let ids = [
            id(b"one", &entry(1, now)),
            id(b"one", &entry(2, now)),
            id(b"two", &entry(1, now)),
            id(b"\x01one", &entry(0, now)),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{at}");
        }
    }
}
