//! Brings a file to this release's schema: numbered SQL files, each run once, none ever edited after it landed.
//!
//! The file remembers each migration's checksum (SHA-256 of its text), so that an edit is found; and a file that a newer
//! release has touched is refused, because an older one would write rows that the newer one cannot read.

use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest, Sha256};

/// "ramz" in ASCII, kept in the file's header (`PRAGMA application_id`).
pub(crate) const APPLICATION_ID: i32 = 0x7261_6d7a;

/// One step of the schema.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    /// The file's number, from 1 without gaps.
    pub(crate) number: u32,
    /// The file's text.
    pub(crate) sql: &'static str,
}

/// Every migration of this release, in order. New ones are added at the end.
pub(crate) const LANDED: &[Migration] = &[
    Migration { number: 1, sql: include_str!("../../migrations/sqlite/0001_start.sql") },
    Migration { number: 2, sql: include_str!("../../migrations/sqlite/0002_phones.sql") },
    Migration { number: 3, sql: include_str!("../../migrations/sqlite/0003_devices.sql") },
    Migration { number: 4, sql: include_str!("../../migrations/sqlite/0004_nodes.sql") },
    Migration { number: 5, sql: include_str!("../../migrations/sqlite/0005_journal_in_line.sql") },
    Migration { number: 6, sql: include_str!("../../migrations/sqlite/0006_messages_in_line.sql") },
];

/// A number that no migration has: the file's rows were copied into a database, which is the truth since. Every release refuses a file
/// with one above its own, this one with its reason.
const MOVED: u32 = 1_000_000;

/// Why a file cannot be brought to this schema.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Foreign,
    Newer { found: u32, known: u32 },
    Altered { number: u32 },
    Moved { to: String },
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Sql(error)
    }
}

/// Runs what the file lacks, all in one transaction.
pub(crate) fn run(connection: &mut Connection, migrations: &[Migration]) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let id: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id != APPLICATION_ID {
        let objects: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if id != 0 || objects != 0 {
            return Err(Fault::Foreign);
        }
        transaction.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID};
             CREATE TABLE migration (number INTEGER NOT NULL PRIMARY KEY, checksum TEXT NOT NULL) STRICT;"
        ))?;
    }
    let found = landed(&transaction)?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if let Some(to) = moved(&found) {
        return Err(Fault::Moved { to: to.to_owned() });
    }
    if let Some((number, _)) = found.last().filter(|(number, _)| *number > known) {
        return Err(Fault::Newer { found: *number, known });
    }
    for migration in migrations {
        let sum = sum(migration);
        match found.iter().find(|(number, _)| *number == migration.number) {
            Some((_, was)) if *was == sum => {}
            Some(_) => return Err(Fault::Altered { number: migration.number }),
            None => {
                transaction.execute_batch(migration.sql)?;
                transaction.execute(
                    "INSERT INTO migration (number, checksum) VALUES (?1, ?2)",
                    params![migration.number, sum],
                )?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Where a file's rows have gone, if they have.
pub(crate) fn moved(landed: &[(u32, String)]) -> Option<&str> {
    landed.last().filter(|(number, _)| *number == MOVED).map(|(_, to)| to.as_str())
}

/// From now on no release starts on the file.
pub(crate) fn leave(connection: &Connection, to: &str) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO migration (number, checksum) VALUES (?1, ?2)";
    connection.execute(sql, params![MOVED, to]).map(|_| ())
}

/// The file is a store again. Says whether it was left.
pub(crate) fn reopen(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.execute("DELETE FROM migration WHERE number = ?1", params![MOVED]).map(|rows| rows > 0)
}

/// What a file remembers of a migration.
pub(crate) fn sum(migration: &Migration) -> String {
    hex::encode(Sha256::digest(migration.sql))
}

pub(crate) fn landed(connection: &Connection) -> Result<Vec<(u32, String)>, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT number, checksum FROM migration ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use ramz_domain::Moment;

    use super::super::{apply, query};
    use super::*;
    use crate::{Change, Head, JournalEntry, OutboxRow, Outcome, Swap, Table};

    const ONE: Migration = Migration { number: 1, sql: "CREATE TABLE a (x INTEGER) STRICT;" };
    const TWO: Migration = Migration { number: 2, sql: "CREATE TABLE b (x INTEGER) STRICT;" };

    #[test]
    fn what_the_file_lacks_is_run_once() {
        let mut file = Connection::open_in_memory().unwrap();
        run(&mut file, &[ONE]).unwrap();
        run(&mut file, &[ONE, TWO]).unwrap();
        run(&mut file, &[ONE, TWO]).unwrap();
        assert_eq!(landed(&file).unwrap().len(), 2);
        file.execute_batch("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)").unwrap();
    }

    #[test]
    fn an_altered_migration_is_refused() {
        let mut file = Connection::open_in_memory().unwrap();
        run(&mut file, &[ONE]).unwrap();
        let edited = Migration { sql: "CREATE TABLE a (x INTEGER, y INTEGER) STRICT;", ..ONE };
        assert!(matches!(run(&mut file, &[edited, TWO]), Err(Fault::Altered { number: 1 })));
        assert_eq!(landed(&file).unwrap().len(), 1, "nothing of a refused run stays");
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut file = Connection::open_in_memory().unwrap();
        run(&mut file, &[ONE, TWO]).unwrap();
        assert!(matches!(run(&mut file, &[ONE]), Err(Fault::Newer { found: 2, known: 1 })));
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let mut file = Connection::open_in_memory().unwrap();
        let poor = Migration { number: 2, sql: "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE b (x);" };
        assert!(matches!(run(&mut file, &[ONE, poor]), Err(Fault::Sql(_))));
        let objects: i64 =
            file.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(objects, 0);
        run(&mut file, &[ONE, TWO]).unwrap();
    }

    /// What was written by owner is found again in line, and goes on from there.
    #[test]
    fn entries_of_before_lie_in_line() {
        let mut file = Connection::open_in_memory().unwrap();
        run(&mut file, &LANDED[..4]).unwrap();
        let rows = [("card", 7_u8, 3_u64), ("phone", 1, 1), ("card", 5, 0), ("activation", 6, 2)];
        for (table, key, entries) in rows {
            let row = format!("INSERT INTO {table} VALUES (?1, 1, x'00', ?2, zeroblob(32), NULL, NULL)");
            file.execute(&row, params![[key], entries as i64]).unwrap();
            for seq in 1..=entries {
                let entry = "INSERT INTO journal VALUES (?1, ?2, 9, ?3, 4, zeroblob(32))";
                file.execute(entry, params![[key], seq as i64, [key, seq as u8]]).unwrap();
            }
        }
        run(&mut file, LANDED).unwrap();
        let of = |file: &Connection, key: u8, after| {
            let found = query::journal(file, &[key], after, 10).unwrap();
            found.into_iter().map(|entry| (entry.seq, entry.entry)).collect::<Vec<_>>()
        };
        for (_, key, entries) in rows {
            let wanted: Vec<_> = (1..=entries).map(|seq| (seq, vec![key, seq as u8])).collect();
            assert_eq!(of(&file, key, 0), wanted);
            assert_eq!(of(&file, key, 1), wanted[wanted.len().min(1)..]);
        }
        let entry = JournalEntry {
            seq: 4,
            at: Moment::from_unix_ms(9),
            entry: vec![7, 4],
            key_version: 4,
            mac: [1; 32],
        };
        let next = Swap {
            table: Table::Card,
            key: vec![7],
            expected: Some(1),
            body: Vec::new(),
            sealed: Vec::new(),
            head: Head { seq: 4, mac: entry.mac },
            journal: vec![entry],
            outbox: Vec::new(),
            due: None,
            forget_after: None,
        };
        assert_eq!(apply::batch(&mut file, &[Change::Swap(next)]).unwrap(), [Outcome::Won]);
        assert_eq!(of(&file, 7, 2), [(3, vec![7, 3]), (4, vec![7, 4])]);
    }

    /// A message that an earlier release wrote is due, and settled.
    #[test]
    fn messages_of_before_are_still_there() {
        let mut file = Connection::open_in_memory().unwrap();
        run(&mut file, &LANDED[..5]).unwrap();
        let at = Moment::from_unix_ms;
        let message = |owner: u8, id: u8| OutboxRow {
            owner: vec![owner],
            id: [id; 16],
            body: vec![owner, id],
            expires: at(8),
            leased_until: at(u64::from(owner)),
            attempts: 2,
        };
        let rows = [message(1, 3), message(2, 2), message(3, 1)];
        for row in &rows {
            let ms = |moment: Moment| moment.unix_ms() as i64;
            file.execute(
                "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![row.owner, row.id, row.body, ms(row.expires), ms(row.leased_until), row.attempts],
            )
            .unwrap();
        }
        run(&mut file, LANDED).unwrap();
        assert_eq!(query::messages_due(&file, at(9), 10).unwrap(), rows);
        let [first, ..] = rows;
        let settle = Change::Settle { owner: first.owner, id: first.id };
        assert_eq!(apply::batch(&mut file, &[settle]).unwrap(), [Outcome::Won]);
        assert_eq!(query::messages_due(&file, at(9), 10).unwrap().len(), 2);
    }

    /// Whatever somebody writes into the file, a walk along a row's entries ends.
    #[test]
    fn a_way_back_that_was_made_a_circle_ends() {
        let mut file = Connection::open_in_memory().unwrap();
        run(&mut file, LANDED).unwrap();
        file.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
             INSERT INTO card VALUES (x'07', 1, x'', 2, zeroblob(32), NULL, NULL, 2);
             INSERT INTO journal VALUES (1, 2, x'07', 1, 9, x'', 4, zeroblob(32)), (2, 1, x'07', 2, 9, x'', 4, zeroblob(32));",
        )
        .unwrap();
        let (ended, end) = mpsc::channel::<()>();
        let stop = file.get_interrupt_handle();
        let watch = thread::spawn(move || {
            if end.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
                stop.interrupt();
            }
        });
        let found = query::journal(&file, &[7], 0, 10).expect("the walk ends by itself");
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
        drop(ended);
        watch.join().unwrap();
    }

    #[test]
    fn another_programs_database_is_refused() {
        let mut file = Connection::open_in_memory().unwrap();
        file.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(run(&mut file, &[ONE]), Err(Fault::Foreign)));
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (number, migration) in (1..).zip(LANDED) {
            assert_eq!(migration.number, number);
        }
    }
}
