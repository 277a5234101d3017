//! Brings a database to this release's schema, with several nodes starting at once, and an older release beside.
//!
//! A migration and the row that says it has landed are one transaction, and the row goes first: who comes second waits at its
//! key, finds it taken, and has nothing to do. No lock of the database is needed for that.
//!
//! Each file says which schema a release must know to work with it (`-- works with: N`): migrations add first and take away later, so
//! nodes of two releases run side by side, and an older one that would not be safe is refused.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::fault::words;
use super::place::{Place, PostgresError};

/// One step of the schema.
struct Migration {
    number: i64,
    sql: &'static str,
}

/// Every migration of this release, in order. New ones are added at the end, and none is ever edited.
const LANDED: &[Migration] = &[
    Migration { number: 1, sql: include_str!("../../migrations/postgres/0001_start.sql") },
    Migration { number: 2, sql: include_str!("../../migrations/postgres/0002_nodes.sql") },
    Migration { number: 3, sql: include_str!("../../migrations/postgres/0003_lease_alone.sql") },
    Migration { number: 4, sql: include_str!("../../migrations/postgres/0004_journal_in_line.sql") },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     BIGINT NOT NULL PRIMARY KEY,
    checksum   TEXT   NOT NULL,
    works_with BIGINT NOT NULL
)";

/// A table that others use is waited for only so long: everybody who wants it then waits behind us. (Shorter than the server takes to look
/// for deadlocks, so that it is this that gives way, and no payment.)
const TABLE_WAIT: &str = "SET LOCAL lock_timeout = '500ms'";
/// Then others are let through, and it is tried again, for some minutes: somebody may be reading all of it, as a backup does.
const TABLE_PAUSE: Duration = Duration::from_secs(2);
const TABLE_ATTEMPTS: usize = 120;

/// Whoever creates a table that another one is just creating is told so, and then finds it.
const RACES: usize = 10;

/// What a database's schema is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schema {
    /// Its newest migration; 0 if there is none.
    pub found: i64,
    /// This release's newest one.
    pub known: i64,
}

/// A database that is being copied into has this row among its migrations: the half of a store is none.
const COPY: i64 = 0;

/// Looks at the schema, and brings it up to this release if it may.
pub(crate) async fn bring_up(place: &Place, migrate: bool) -> Result<Schema, PostgresError> {
    let mut client = place.open().await?.client;
    let schema = prepare(&mut client, migrate).await?;
    whole(&client).await?;
    Ok(schema)
}

/// The same for a copy, which goes on where one has stopped.
pub(crate) async fn prepare(client: &mut Client, migrate: bool) -> Result<Schema, PostgresError> {
    if migrate {
        create_table(client).await?;
        for migration in LANDED {
            land_in_the_end(client, migration).await?;
        }
    }
    let schema = look(client).await?;
    if schema.found < schema.known {
        let Schema { found, known } = schema;
        let why =
            format!("the database has schema {found}, this release needs {known}: run `ramz store migrate`");
        return Err(PostgresError::Schema(why));
    }
    Ok(schema)
}

/// What schema there is, without bringing it up.
pub(crate) async fn schema(place: &Place) -> Result<Schema, PostgresError> {
    let client = place.open().await?.client;
    let schema = look(&client).await?;
    if schema.found > 0 {
        whole(&client).await?;
    }
    Ok(schema)
}

/// Refuses a database that a copy has not come to its end in.
async fn whole(client: &Client) -> Result<(), PostgresError> {
    if is_unfinished(client).await? {
        let why = "a copy into this database has not come to its end: run `ramz store copy` again (or it was given up by `ramz store reopen`)";
        return Err(PostgresError::Schema(why.into()));
    }
    Ok(())
}

/// Whether a copy into the database was begun, and not ended.
pub(crate) async fn is_unfinished(client: &Client) -> Result<bool, PostgresError> {
    let found =
        client.query_opt("SELECT FROM migration WHERE number = $1", &[&COPY]).await.map_err(failed)?;
    Ok(found.is_some())
}

/// Says in the database that a copy has begun. No release works with that.
pub(crate) async fn begin_copy(client: &Client) -> Result<(), PostgresError> {
    let sql = "INSERT INTO migration (number, checksum, works_with) VALUES ($1, 'copy', $2)";
    client.execute(sql, &[&COPY, &i64::MAX]).await.map_err(failed)?;
    Ok(())
}

/// Says that it has ended.
pub(crate) async fn end_copy(client: &Client) -> Result<(), PostgresError> {
    client.execute("DELETE FROM migration WHERE number = $1", &[&COPY]).await.map_err(failed)?;
    Ok(())
}

/// What there is, and whether this release may work with it.
async fn look(client: &Client) -> Result<Schema, PostgresError> {
    let known = LANDED.last().map_or(0, |migration| migration.number);
    let there = client.query_one("SELECT to_regclass('migration') IS NOT NULL", &[]).await.map_err(failed)?;
    if !there.get::<_, bool>(0) {
        return Ok(Schema { found: 0, known });
    }
    let rows = "SELECT number, checksum, works_with FROM migration WHERE number > $1 ORDER BY number";
    let rows = client.query(rows, &[&COPY]);
    let rows = rows.await.map_err(failed)?;
    let mut found = 0;
    for row in &rows {
        let (number, checksum, works_with): (i64, &str, i64) = (row.get(0), row.get(1), row.get(2));
        found = number;
        let ours = LANDED.iter().find(|migration| migration.number == number);
        if ours.is_some_and(|ours| sum(ours.sql) != checksum) {
            return Err(PostgresError::Schema(format!(
                "migration {number} was altered after it landed: put it back, and write a new one instead"
            )));
        }
        if works_with > known {
            return Err(PostgresError::Schema(format!(
                "the database has schema {number}, which needs a release that knows {works_with}; this one knows {known}: start the newer release"
            )));
        }
    }
    Ok(Schema { found, known })
}

async fn create_table(client: &Client) -> Result<(), PostgresError> {
    for _ in 0..RACES {
        match client.batch_execute(TABLE).await {
            Ok(()) => return Ok(()),
            Err(error)
                if [&SqlState::UNIQUE_VIOLATION, &SqlState::DUPLICATE_TABLE, &SqlState::DUPLICATE_OBJECT]
                    .iter()
                    .any(|code| error.code() == Some(code)) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(PostgresError::Schema("the table of migrations could not be created".into()))
}

async fn land_in_the_end(client: &mut Client, migration: &Migration) -> Result<(), PostgresError> {
    for _ in 1..TABLE_ATTEMPTS {
        match land(client, migration).await {
            Err(error) if gave_way(&error) => tokio::time::sleep(TABLE_PAUSE).await,
            landed => return landed.map_err(failed),
        }
    }
    land(client, migration).await.map_err(failed)
}

/// Whether somebody else used a table that the migration changes.
fn gave_way(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

async fn land(client: &mut Client, migration: &Migration) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    let landing =
        "INSERT INTO migration (number, checksum, works_with) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    // A node that is landing it may take longer than a lock is waited for otherwise.
    transaction.batch_execute("SET LOCAL lock_timeout = '10min'").await?;
    let landing = transaction
        .execute(landing, &[&migration.number, &sum(migration.sql), &works_with(migration.sql)])
        .await?;
    if landing == 1 {
        transaction.batch_execute(TABLE_WAIT).await?;
        transaction.batch_execute(migration.sql).await?;
        transaction.commit().await?;
        tracing::info!(number = migration.number, "brought the schema up");
    }
    Ok(())
}

fn sum(sql: &str) -> String {
    hex::encode(Sha256::digest(sql))
}

/// The schema that a release must know to work with this one, as the file says.
fn works_with(sql: &str) -> i64 {
    let said = sql.lines().find_map(|line| line.strip_prefix("-- works with: "));
    // A file that says nothing works with nobody older: with itself, at the least.
    said.and_then(|number| number.trim().parse().ok()).unwrap_or(i64::MAX)
}

fn failed(error: Error) -> PostgresError {
    PostgresError::Schema(format!("the schema could not be read or brought up: {}", words(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_and_say_whom_they_work_with() {
        for (number, migration) in (1..).zip(LANDED) {
            assert_eq!(migration.number, number);
            let works_with = works_with(migration.sql);
            assert!((1..=number).contains(&works_with), "migration {number} works with {works_with}");
        }
        assert_eq!(works_with("CREATE TABLE t ();"), i64::MAX);
    }
}
