//! The other side: the database. While it is copied into, a row among its migrations keeps every node from starting on the half of it.

use std::fmt::Write as _;
use std::pin::pin;

use futures_util::StreamExt as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, RowStream};

use super::CopyError;
use super::relation::{Cell, IN_LINE, Kind, Line, Relation, Sum};
use crate::postgres::fault::words;
use crate::postgres::migrate;
use crate::postgres::place::Place;
use crate::{PostgresConfig, PostgresError};

/// The database.
pub(super) struct Database {
    pub(super) place: Place,
    client: Client,
}

impl Database {
    /// Connects, looks at the schema or brings it up, and says by its mark that a copy is under way. Whether there was one.
    pub(super) async fn open(
        config: &PostgresConfig,
        relations: &[Relation],
    ) -> Result<(Database, bool), CopyError> {
        let place = Place::new(config)?;
        let mut client = place.open().await?.client;
        migrate::prepare(&mut client, config.migrate).await?;
        let mut under_way = migrate::is_unfinished(&client).await?;
        let filled = first_filled(&client, names(relations)).await?;
        match filled {
            Some(relation) if !under_way => return Err(CopyError::NotEmpty(relation)),
            None if under_way => under_way = false,
            None => migrate::begin_copy(&client).await?,
            Some(_) => {}
        }
        Ok((Database { place, client }, under_way))
    }

    /// Connects, and changes nothing.
    pub(super) async fn look(config: &PostgresConfig) -> Result<Database, CopyError> {
        let place = Place::new(config)?;
        let client = place.open().await?.client;
        Ok(Database { place, client })
    }

    /// Whether it has the mark that keeps nodes from starting.
    pub(super) async fn is_marked(&self) -> Result<bool, CopyError> {
        Ok(migrate::is_unfinished(&self.client).await?)
    }

    /// Sets that mark.
    pub(super) async fn mark(&self) -> Result<(), CopyError> {
        Ok(migrate::begin_copy(&self.client).await?)
    }

    /// The sum of a table's rows, which pass by one after another.
    pub(super) async fn sum(&self, relation: &Relation) -> Result<Sum, CopyError> {
        let (columns, order) = (relation.names(|name, _| name.to_owned()), relation.order("COLLATE \"C\""));
        let sql = format!("SELECT shard, {columns} FROM {} ORDER BY {order}, shard", relation.name);
        let mut rows = pin!(stream(&self.client, &sql).await?);
        let mut sum = Sum::default();
        while let Some(row) = rows.next().await {
            let row = row.map_err(failed)?;
            let cell = |(at, (_, kind)): (usize, &(&str, Kind))| {
                let at = at + 1;
                Ok(match kind {
                    Kind::Bytes => Cell::Bytes(row.try_get(at)?),
                    Kind::Text => Cell::Text(row.try_get(at)?),
                    Kind::Number => Cell::Number(row.try_get(at)?),
                })
            };
            let cells: Result<Vec<Cell>, tokio_postgres::Error> =
                relation.columns.iter().enumerate().map(cell).collect();
            let shard = row.try_get(0).map_err(failed)?;
            sum.add(&Line { shard, cells: cells.map_err(failed)? });
        }
        Ok(sum)
    }

    /// Writes new rows, all or none.
    pub(super) async fn write(&self, relation: &Relation, lines: &[Line]) -> Result<(), CopyError> {
        let shards: Vec<i16> = lines.iter().map(|line| line.shard).collect();
        let mut values: Vec<Box<dyn ToSql + Sync + Send + '_>> = vec![Box::new(shards)];
        values.extend((0..relation.columns.len()).map(|at| array(relation.columns[at].1, lines, at)));
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        let statement = self.client.prepare(&insert(relation)).await.map_err(failed)?;
        let written = self.client.execute(&statement, &values).await.map_err(failed)?;
        if written != lines.len() as u64 {
            return Err(CopyError::Written { relation: relation.name.clone() });
        }
        Ok(())
    }

    /// Whether a node has written to the journal here.
    pub(super) async fn has_entries_in_line(&self) -> Result<bool, CopyError> {
        Ok(first_filled(&self.client, vec![IN_LINE]).await?.is_some())
    }

    /// Takes the mark away: nodes may start.
    pub(super) async fn end_copy(&self) -> Result<(), CopyError> {
        Ok(migrate::end_copy(&self.client).await?)
    }
}

/// The first table of a database that has rows, as [`super::filled`] tells it.
pub(super) async fn filled(
    config: &PostgresConfig,
    relations: &[Relation],
) -> Result<Option<String>, CopyError> {
    let client = Place::new(config)?.open().await?.client;
    first_filled(&client, names(relations)).await
}

/// Of all tables, also the one that a file has not.
fn names(relations: &[Relation]) -> Vec<&str> {
    relations.iter().map(|relation| relation.name.as_str()).chain([IN_LINE]).collect()
}

async fn first_filled(client: &Client, names: Vec<&str>) -> Result<Option<String>, CopyError> {
    for name in names {
        // Before its migration a table is not there.
        let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
        if !there.get::<_, bool>(0) {
            continue;
        }
        let sql = format!("SELECT EXISTS (SELECT FROM {name})");
        if client.query_one(&sql, &[]).await?.get(0) {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// What a statement gives, row by row.
pub(super) async fn stream(client: &Client, sql: &str) -> Result<RowStream, CopyError> {
    client.query_raw(sql, std::iter::empty::<&(dyn ToSql + Sync)>()).await.map_err(failed)
}

pub(super) fn failed(error: tokio_postgres::Error) -> CopyError {
    CopyError::Database(words(&error))
}

fn insert(relation: &Relation) -> String {
    let columns = relation.names(|name, _| name.to_owned());
    let mut sql = format!("INSERT INTO {} (shard, {columns}) SELECT * FROM unnest($1::int2[]", relation.name);
    for (at, (_, kind)) in relation.columns.iter().enumerate() {
        let kind = match kind {
            Kind::Bytes => "bytea",
            Kind::Text => "text",
            Kind::Number => "int8",
        };
        // Writing to a String does not fail.
        let _ = write!(sql, ", ${}::{kind}[]", at + 2);
    }
    sql.push(')');
    sql
}

/// One column of many rows, as a parameter.
fn array(kind: Kind, lines: &[Line], at: usize) -> Box<dyn ToSql + Sync + Send + '_> {
    let cells = lines.iter().map(|line| &line.cells[at]);
    match kind {
        Kind::Bytes => {
            let bytes =
                cells.map(|cell| if let Cell::Bytes(bytes) = cell { Some(bytes.as_slice()) } else { None });
            Box::new(bytes.collect::<Vec<_>>())
        }
        Kind::Text => {
            let texts =
                cells.map(|cell| if let Cell::Text(text) = cell { Some(text.as_str()) } else { None });
            Box::new(texts.collect::<Vec<_>>())
        }
        Kind::Number => {
            let numbers = cells.map(|cell| if let Cell::Number(number) = cell { *number } else { None });
            Box::new(numbers.collect::<Vec<_>>())
        }
    }
}

impl From<tokio_postgres::Error> for CopyError {
    fn from(error: tokio_postgres::Error) -> CopyError {
        failed(error)
    }
}

impl From<PostgresError> for CopyError {
    fn from(error: PostgresError) -> CopyError {
        CopyError::Place(error)
    }
}
