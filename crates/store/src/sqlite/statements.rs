//! The SQL of the versioned tables, once for each. The guard is here: `WHERE key = ?1 AND version = ?2`.
//!
//! Every statement on a row has the aggregate's key. The three that have none (`due`, `old`, `keys`) are the sweeper's
//! and the verifier's, and no payment waits for them.

use crate::Table;

/// The statements of one table.
pub(crate) struct Statements {
    /// key → version, body, head.
    pub(crate) read: &'static str,
    /// key → sealed columns.
    pub(crate) sealed: &'static str,
    /// key → version, to tell a lost swap from a broken one.
    pub(crate) version: &'static str,
    /// New row, if there is none.
    pub(crate) insert: &'static str,
    /// The first entry of a swap, behind the row's last one. It has the swap's guard: no row, no entry.
    pub(crate) first_entry: &'static str,
    /// Swap with entries, which have just been written: the head moves on from where they begin.
    pub(crate) swap_with_entries: &'static str,
    /// Names the entry just written as the last one of a row that is new.
    pub(crate) link: &'static str,
    /// Swap without entries: the head must be as it is.
    pub(crate) swap: &'static str,
    /// The same of a row that is forgotten when it was to be anyway: SQLite writes an index anew for each column that is set, also to
    /// what it was.
    pub(crate) swap_kept_as_long: &'static str,
    /// Sets a sealed column.
    pub(crate) seal: &'static str,
    /// Removes a sealed column.
    pub(crate) unseal: &'static str,
    /// Rows whose work is due.
    pub(crate) due: &'static str,
    /// Keys that may be forgotten.
    pub(crate) old: &'static str,
    /// Forgets a row's entries, before the row itself: it knows the way.
    pub(crate) forget_entries: &'static str,
    /// Forgets one row, if it still may be.
    pub(crate) forget: &'static str,
    /// Keys in order.
    pub(crate) keys: &'static str,
}

/// The way back from a row's last entry, which `$last` finds, to the one after ?2. The numbers must fall, so that it ends whatever
/// somebody has done to the file.
macro_rules! way_back {
    ($($last:expr),+) => {
        concat!(
            "WITH RECURSIVE last (id) AS (",
            $($last),+,
            "), way (id, previous, seq) AS (
                 SELECT j.id, j.previous, j.seq FROM last CROSS JOIN journal AS j
                 WHERE j.id = last.id AND j.owner = ?1 AND j.seq > ?2
                 UNION ALL
                 SELECT j.id, j.previous, j.seq FROM way CROSS JOIN journal AS j
                 WHERE j.id = way.previous AND j.owner = ?1 AND j.seq < way.seq AND j.seq > ?2)"
        )
    };
}

macro_rules! statements {
    ($table:literal) => {
        Statements {
            read: concat!("SELECT version, body, head_seq, head_mac FROM ", $table, " WHERE key = ?1"),
            sealed: concat!("SELECT name, bytes FROM ", $table, "_sealed WHERE key = ?1 ORDER BY name"),
            version: concat!("SELECT version FROM ", $table, " WHERE key = ?1"),
            insert: concat!(
                "INSERT INTO ",
                $table,
                " (key, version, body, head_seq, head_mac, due, forget_after) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6)",
                " ON CONFLICT (key) DO NOTHING"
            ),
            first_entry: concat!(
                "INSERT INTO journal (previous, owner, seq, at, entry, key_version, mac)",
                " SELECT last_entry, ?1, ?3, ?4, ?5, ?6, ?7 FROM ",
                $table,
                " WHERE key = ?1 AND version = ?2 AND head_seq = ?3 - 1"
            ),
            swap_with_entries: concat!(
                "UPDATE ",
                $table,
                " SET version = version + 1, body = ?3, head_seq = ?4, head_mac = ?5, due = ?6, forget_after = ?7,",
                " last_entry = last_insert_rowid() WHERE key = ?1 AND version = ?2 AND head_seq = ?8"
            ),
            link: concat!("UPDATE ", $table, " SET last_entry = last_insert_rowid() WHERE key = ?1"),
            swap: concat!(
                "UPDATE ",
                $table,
                " SET version = version + 1, body = ?3, due = ?6, forget_after = ?7",
                " WHERE key = ?1 AND version = ?2 AND head_seq = ?4 AND head_mac = ?5"
            ),
            swap_kept_as_long: concat!(
                "UPDATE ",
                $table,
                " SET version = version + 1, body = ?3, due = ?6",
                " WHERE key = ?1 AND version = ?2 AND head_seq = ?4 AND head_mac = ?5 AND forget_after IS ?7"
            ),
            seal: concat!(
                "INSERT INTO ",
                $table,
                "_sealed (key, name, bytes) VALUES (?1, ?2, ?3)",
                " ON CONFLICT (key, name) DO UPDATE SET bytes = excluded.bytes"
            ),
            unseal: concat!("DELETE FROM ", $table, "_sealed WHERE key = ?1 AND name = ?2"),
            due: concat!(
                "SELECT key FROM ",
                $table,
                " WHERE due IS NOT NULL AND due <= ?1 ORDER BY due, key LIMIT ?2"
            ),
            old: concat!(
                "SELECT key FROM ",
                $table,
                " WHERE forget_after IS NOT NULL AND forget_after <= ?1 ORDER BY forget_after, key LIMIT ?2"
            ),
            forget_entries: concat!(
                way_back!("SELECT last_entry FROM ", $table, " WHERE key = ?1"),
                " DELETE FROM journal WHERE id IN (SELECT id FROM way)"
            ),
            forget: concat!("DELETE FROM ", $table, " WHERE key = ?1 AND forget_after <= ?2"),
            keys: concat!("SELECT key FROM ", $table, " WHERE key > ?1 ORDER BY key LIMIT ?2"),
        }
    };
}

/// The statements of a table.
pub(crate) fn of(table: Table) -> &'static Statements {
    static CARD: Statements = statements!("card");
    static CARD_INDEX: Statements = statements!("card_index");
    static ADMISSION: Statements = statements!("admission");
    static PAYMENT: Statements = statements!("payment");
    static PHONE: Statements = statements!("phone");
    static DEVICE: Statements = statements!("device");
    static ACTIVATION: Statements = statements!("activation");
    static NODE: Statements = statements!("node");
    match table {
        Table::Card => &CARD,
        Table::CardIndex => &CARD_INDEX,
        Table::Admission => &ADMISSION,
        Table::Payment => &PAYMENT,
        Table::Phone => &PHONE,
        Table::Device => &DEVICE,
        Table::Activation => &ACTIVATION,
        Table::Node => &NODE,
    }
}

/// The first entry of a new row.
pub(crate) const ENTRY: &str = "INSERT INTO journal (previous, owner, seq, at, entry, key_version, mac)
     VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)";
/// An entry behind the one that was just written.
pub(crate) const NEXT_ENTRY: &str = "INSERT INTO journal (previous, owner, seq, at, entry, key_version, mac)
     VALUES (last_insert_rowid(), ?1, ?2, ?3, ?4, ?5, ?6)";

/// A row's entries in order. Whose key it is nobody says, so each table is asked for its last entry.
pub(crate) const ENTRIES: &str = concat!(
    way_back!(
        "SELECT last_entry FROM card WHERE key = ?1 UNION ALL SELECT last_entry FROM card_index WHERE key = ?1
         UNION ALL SELECT last_entry FROM admission WHERE key = ?1 UNION ALL SELECT last_entry FROM payment WHERE key = ?1
         UNION ALL SELECT last_entry FROM phone WHERE key = ?1 UNION ALL SELECT last_entry FROM device WHERE key = ?1
         UNION ALL SELECT last_entry FROM activation WHERE key = ?1 UNION ALL SELECT last_entry FROM node WHERE key = ?1"
    ),
    " SELECT j.seq, j.at, j.entry, j.key_version, j.mac FROM way CROSS JOIN journal AS j
     WHERE j.id = way.id ORDER BY way.seq LIMIT ?3"
);
/// One message. Writing it is its first lease.
pub(crate) const MESSAGE: &str = "INSERT INTO outbox (owner, id, body, expires, leased_until, attempts)
     VALUES (?1, ?2, ?3, ?4, ?5, 1)";
/// Takes a message over, if nobody else has.
pub(crate) const LEASE: &str = "UPDATE outbox SET leased_until = ?4, attempts = attempts + 1
     WHERE owner = ?1 AND id = ?2 AND leased_until = ?3";
/// A message that is done with.
pub(crate) const SETTLE: &str = "DELETE FROM outbox WHERE owner = ?1 AND id = ?2";
/// Messages whose owner has left them.
pub(crate) const MESSAGES_DUE: &str = "SELECT owner, id, body, expires, leased_until, attempts FROM outbox
     WHERE leased_until <= ?1 ORDER BY leased_until, owner, id LIMIT ?2";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        for at in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(at, 1).unwrap();
        }
        let mut rows = statement.raw_query();
        let mut plan = String::new();
        while let Some(row) = rows.next().unwrap() {
            plan += &row.get::<_, String>(3).unwrap();
            plan.push('\n');
        }
        plan
    }

    #[test]
    fn no_statement_scans_a_table_or_sorts() {
        let connection = Connection::open_in_memory().unwrap();
        super::super::migrate::LANDED.iter().for_each(|step| connection.execute_batch(step.sql).unwrap());
        let mut all = vec![ENTRY, NEXT_ENTRY, MESSAGE, LEASE, SETTLE, MESSAGES_DUE];
        for table in Table::ALL {
            let of = of(table);
            all.extend([of.read, of.sealed, of.version, of.insert, of.first_entry, of.swap_with_entries]);
            all.extend([of.link, of.swap, of.swap_kept_as_long, of.seal, of.unseal]);
            all.extend([of.due, of.forget, of.keys]);
            if table != Table::Card {
                all.push(of.old);
            }
        }
        for sql in all {
            let plan = plan(&connection, sql);
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
        // The way back is walked from end to end, and sorted; each table is only looked into.
        for sql in Table::ALL.iter().map(|table| of(*table).forget_entries).chain([ENTRIES]) {
            let plan = plan(&connection, sql);
            let scans: Vec<&str> = plan.lines().filter(|line| line.starts_with("SCAN")).collect();
            assert!(scans.iter().all(|line| ["SCAN way", "SCAN last"].contains(line)), "{sql}\n{plan}");
        }
    }
}
