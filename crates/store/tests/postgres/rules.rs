//! The rules of a distributed engine, held by PostgreSQL itself: the schema is laid out in partitions by shard, as such an engine
//! would place it, and what a statement touches is read from its plan.
//!
//! * Every key contains the shard, or the partitioned table could not have it.
//! * A statement that a payment waits for names one shard, and its plan has that shard's partitions and no others.
//! * No sequence, no foreign key, no lock that is not a row's.
//! * The whole suite passes on it: no row lies in a shard that is not its own.

use std::fmt::Write as _;
use std::sync::Arc;

use ramz_store::conformance;
use ramz_store::{
    Change, Committer, Head, Outcome, PostgresConfig, PostgresStore, Store, Swap, Table, shard_of,
};
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;

use crate::server::Server;
use crate::{SERVER, config};

/// The aggregate that statements are tried for; its shard has partitions of its own.
const KEY: &[u8] = b"card";
const MIGRATIONS: &str = concat!(
    include_str!("../../migrations/postgres/0001_start.sql"),
    include_str!("../../migrations/postgres/0002_nodes.sql"),
    include_str!("../../migrations/postgres/0003_lease_alone.sql"),
    include_str!("../../migrations/postgres/0004_journal_in_line.sql")
);

/// The schema in partitions: one for the shard of [`KEY`], one for all others.
fn partitioned() -> String {
    let mut sql = String::new();
    let ours = shard_of(KEY);
    let mut table = "";
    for line in MIGRATIONS.lines() {
        if let Some(name) = line.strip_prefix("CREATE TABLE ").and_then(|rest| rest.strip_suffix(" (")) {
            table = name;
        }
        if line.starts_with(')') {
            let _ = writeln!(sql, ") PARTITION BY LIST (shard);");
            let _ = writeln!(sql, "CREATE TABLE {table}_ours PARTITION OF {table} FOR VALUES IN ({ours});");
            let _ = writeln!(sql, "CREATE TABLE {table}_elsewhere PARTITION OF {table} DEFAULT;");
        } else {
            let _ = writeln!(sql, "{line}");
        }
    }
    sql
}

/// A statement with values in place of its parameters: one change of [`KEY`].
fn with_values(sql: &str, types: &[Type]) -> String {
    let mut text = sql.to_owned();
    for (at, kind) in types.iter().enumerate().rev() {
        let value = match *kind {
            Type::INT2 => shard_of(KEY).to_string(),
            Type::INT8 => "1".to_owned(),
            Type::BYTEA => format!("'\\x{}'::bytea", hex::encode(KEY)),
            Type::INT8_ARRAY => "'{1}'".to_owned(),
            Type::TEXT_ARRAY => "'{pan}'".to_owned(),
            Type::BYTEA_ARRAY => format!("ARRAY['\\x{}'::bytea]", hex::encode(KEY)),
            ref other => panic!("a parameter of {other}: {sql}"),
        };
        text = text.replace(&format!("${}", at + 1), &value);
    }
    text
}

/// What a statement's plan says that it touches.
pub(crate) async fn plan(client: &tokio_postgres::Client, sql: &str) -> String {
    let prepared = client.prepare(sql).await.unwrap();
    let explain = format!("EXPLAIN (COSTS OFF) {}", with_values(sql, prepared.params()));
    let lines = client.query(&explain, &[]).await.unwrap();
    lines.iter().map(|line| line.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

pub(crate) async fn client(server: &Server, schema: &str) -> tokio_postgres::Client {
    let url = server.url(&format!("&options=-csearch_path%3D{schema}"));
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn what_a_payment_waits_for_touches_one_shard() {
    SERVER.schema("partitions");
    let client = client(&SERVER, "partitions").await;
    client.batch_execute(&partitioned()).await.unwrap();
    let (mut looked, mut elsewhere) = (0, 0);
    for (sql, paying) in PostgresStore::statements(true) {
        let plan = plan(&client, sql).await;
        for word in ["for update", "for share", "advisory", "nextval", "lock table"] {
            assert!(!sql.to_lowercase().contains(word), "{word}: {sql}");
        }
        if paying {
            looked += 1;
            assert!(!plan.contains("_elsewhere"), "{sql}\n{plan}");
            assert!(plan.contains("_ours") || plan.contains("Insert on"), "{sql}\n{plan}");
        } else {
            elsewhere += usize::from(plan.contains("_elsewhere"));
        }
    }
    // Eight tables: each with sixteen forms of insert, twice as many of swap, and a read; lease, settle, journal.
    assert_eq!(looked, 8 * 49 + 3);
    // The sweeper's look everywhere: so a plan does show what is touched. (A card's is never forgotten, which plans may know.)
    assert!(elsewhere >= 8 * 4 + 1 - 2, "{elsewhere}");
    // Nor would the form for one server do: its statements name no shard.
    for (sql, _) in
        PostgresStore::statements(false).iter().filter(|(sql, _)| sql.starts_with("WITH won AS (UPDATE"))
    {
        assert!(plan(&client, sql).await.contains("_elsewhere"), "{sql}");
    }
}

#[tokio::test]
async fn the_schema_has_no_sequence_no_foreign_key_and_a_shard_in_every_key() {
    let ask = |sql: &str| SERVER.sql("ramz", sql);
    PostgresStore::open(&config(SERVER.schema("rules"))).await.unwrap();
    assert_eq!(
        ask("SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'rules'::regnamespace"),
        "0"
    );
    assert_eq!(
        ask(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'rules'::regnamespace"
        ),
        "0"
    );
    let without = "SELECT string_agg(i.indexrelid::regclass::text, ' ') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'rules'::regnamespace AND c.relname <> 'migration' AND i.indisunique AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'shard' AND a.attnum = ANY (i.indkey::int2[]))";
    assert_eq!(ask(without), "", "unique, without the shard");
    let wrong = "INSERT INTO rules.card VALUES (1, '\\x0002', 1, '', 0, sha256(''), NULL, NULL)";
    assert!(
        SERVER.try_sql("ramz", wrong).unwrap_err().contains("check constraint"),
        "a row in another's shard"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_partitions_by_shard_it_is_a_store() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let fresh = async || {
        let name = format!("p{}", next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let url = SERVER.schema(&name);
        // The migration has landed, in its own layout: the tables are there, and the row that says so.
        let first = PostgresStore::open(&config(url.clone())).await.unwrap();
        drop(first);
        let client = client(&SERVER, &name).await;
        let tables = "SELECT 'DROP TABLE ' || string_agg(relname, ', ') FROM pg_class
            WHERE relkind = 'r' AND relname <> 'migration' AND relnamespace = current_schema()::regnamespace";
        let drop_all: String = client.query_one(tables, &[]).await.unwrap().get(0);
        client.batch_execute(&format!("{drop_all}; {}", partitioned())).await.unwrap();
        let sharded = PostgresConfig { sharded: true, ..config(url) };
        Arc::new(PostgresStore::open(&sharded).await.unwrap()) as Arc<dyn Store>
    };
    let failures = conformance::run(fresh).await;
    assert!(failures.is_empty(), "{failures:?}");
}

/// The server refuses a transaction that changes rows of two shards, as an engine might that would need two places for it.
const ONE_SHARD_ONLY: &str = "CREATE FUNCTION one_shard_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF coalesce(current_setting('ramz.shard', true), '') NOT IN ('', NEW.shard::text) THEN
        RAISE 'rows of two shards in one transaction' USING ERRCODE = 'insufficient_resources';
    END IF;
    PERFORM set_config('ramz.shard', NEW.shard::text, true);
    RETURN NEW;
END $$;
CREATE TRIGGER one_shard_only BEFORE INSERT ON card FOR EACH ROW EXECUTE FUNCTION one_shard_only()";

fn insert(number: u64) -> Change {
    Change::Swap(Swap {
        table: Table::Card,
        key: number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().to_vec(),
        expected: None,
        body: vec![1],
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    })
}

/// How many of 300 changes that come at once a server takes that refuses two shards in one transaction.
async fn taken(schema: &str, sharded: bool) -> usize {
    let config = PostgresConfig { sharded, ..config(SERVER.schema(schema)) };
    let store = Arc::new(PostgresStore::open(&config).await.unwrap());
    client(&SERVER, schema).await.batch_execute(ONE_SHARD_ONLY).await.unwrap();
    let committer = Committer::start(store);
    let outcomes = committer.commit_all((1..=300).map(insert).collect()).await;
    committer.shutdown().await;
    outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(Outcome::Won))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_shards() {
    assert_eq!(taken("batches", true).await, 300);
    assert!(taken("mixed_batches", false).await < 300, "the server does not refuse what it should");
}
