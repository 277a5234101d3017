//! Nodes of the release before beside this one: they write a row's entries by its owner, and name none of those in line. Whoever
//! writes after whom, a row has one journal. And a table that a migration changes is waited for, by it and by nobody else.

use std::time::{Duration, Instant};

use ramz_domain::Moment;
use ramz_store::{
    Change, Head, JournalEntry, Outcome, PostgresConfig, PostgresStore, Store as _, Swap, Table,
};
use sha2::{Digest as _, Sha256};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::{SERVER, config, rules};

const ROW: &[u8] = b"row";

fn entry(seq: u64) -> JournalEntry {
    let at = Moment::from_unix_ms(1_000 + seq);
    JournalEntry { seq, at, entry: format!("entry {seq}").into_bytes(), key_version: 1, mac: [seq as u8; 32] }
}

/// What this release writes.
async fn write(store: &PostgresStore, before: u64, count: u64) {
    let journal: Vec<_> = (before + 1..=before + count).map(entry).collect();
    let version = store.read(Table::Phone, ROW).await.unwrap().map(|row| row.version);
    let swap = Swap {
        table: Table::Phone,
        key: ROW.to_vec(),
        expected: version,
        body: Vec::new(),
        sealed: Vec::new(),
        head: Head { seq: before + count, mac: [(before + count) as u8; 32] },
        journal,
        outbox: Vec::new(),
        due: Some(Moment::from_unix_ms(1)),
        forget_after: Some(Moment::from_unix_ms(5_000)),
    };
    assert_eq!(store.commit(vec![Change::Swap(swap)]).await.unwrap(), [Outcome::Won]);
}

/// What the release before had.
const BEFORE: [&str; 3] = [
    include_str!("../../migrations/postgres/0001_start.sql"),
    include_str!("../../migrations/postgres/0002_nodes.sql"),
    include_str!("../../migrations/postgres/0003_lease_alone.sql"),
];
/// The text of its swaps with entries, and of its sweeper's question.
const SWAP: &str = "WITH won AS (UPDATE phone AS r SET version = r.version + 1, body = c.body,
    head_seq = CASE WHEN r.head_seq = c.head_before AND (c.head_before < c.head_seq OR r.head_mac = c.head_mac) THEN c.head_seq END,
    head_mac = c.head_mac, due = c.due, forget_after = c.forget_after
    FROM unnest($1::bytea[], $2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::bytea[], $7::int8[], $8::int8[])
        AS c(key, expected, body, head_before, head_seq, head_mac, due, forget_after)
    WHERE r.key = c.key AND r.version = c.expected RETURNING r.key),
    entries AS (INSERT INTO journal (shard, owner, seq, at, entry, key_version, mac)
    SELECT get_byte(j.owner, length(j.owner) - 1)::int2, j.owner, j.seq, j.at, j.entry, j.key_version, j.mac
    FROM unnest($9::bytea[], $10::int8[], $11::int8[], $12::bytea[], $13::int8[], $14::bytea[])
        AS j(owner, seq, at, entry, key_version, mac)
    WHERE (j.owner IN (SELECT won.key FROM won)) IS TRUE) SELECT array_agg(won.key) FROM won";
const DUE: &str = "SELECT r.key, r.version, r.body, r.head_seq, r.head_mac, s.names, s.bytes FROM
    (SELECT * FROM phone WHERE due <= $1 ORDER BY due, key LIMIT $2) AS r
    LEFT JOIN LATERAL (SELECT array_agg(d.name ORDER BY d.name) AS names, array_agg(d.bytes ORDER BY d.name) AS bytes
        FROM phone_sealed AS d WHERE d.key = r.key AND d.shard = r.shard) AS s ON true ORDER BY r.due, r.key";

/// A node of the release before, which has prepared its statements before there was a line.
struct Before {
    client: Client,
    swap: Statement,
    due: Statement,
}

impl Before {
    async fn start(schema: &str) -> Before {
        let client = rules::client(&SERVER, schema).await;
        let table = "CREATE TABLE migration (number BIGINT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, works_with BIGINT NOT NULL)";
        client.batch_execute(table).await.unwrap();
        for (number, sql) in (1i64..).zip(BEFORE) {
            client.batch_execute(sql).await.unwrap();
            let sum = hex::encode(Sha256::digest(sql));
            client.execute("INSERT INTO migration VALUES ($1, $2, 1)", &[&number, &sum]).await.unwrap();
        }
        let (swap, due) = (client.prepare(SWAP).await.unwrap(), client.prepare(DUE).await.unwrap());
        Before { client, swap, due }
    }

    async fn write(&self, before: u64, count: u64) {
        let due = self.client.query(&self.due, &[&i64::MAX, &10i64]).await.unwrap();
        let [row] = due.as_slice() else { panic!("the row is due") };
        let version: i64 = row.get(1);
        let entries: Vec<_> = (before + 1..=before + count).map(entry).collect();
        let each = |of: &dyn Fn(&JournalEntry) -> i64| entries.iter().map(of).collect::<Vec<_>>();
        let bytes = |of: &dyn Fn(&JournalEntry) -> Vec<u8>| entries.iter().map(of).collect::<Vec<_>>();
        let (seqs, ats) = (each(&|entry| entry.seq as i64), each(&|entry| entry.at.unix_ms() as i64));
        let (texts, macs) = (bytes(&|entry| entry.entry.clone()), bytes(&|entry| entry.mac.to_vec()));
        let (owners, versions) = (vec![ROW; entries.len()], vec![1i64; entries.len()]);
        let (head, end) = (vec![before as i64], vec![(before + count) as i64]);
        let (keys, bodies, dues) = (vec![ROW], vec![b"".as_slice()], vec![1i64]);
        let (versions_before, last_macs, forgotten) =
            (vec![version], vec![macs.last().unwrap().as_slice()], vec![5_000i64]);
        let row: [&(dyn ToSql + Sync); 8] =
            [&keys, &versions_before, &bodies, &head, &end, &last_macs, &dues, &forgotten];
        let journal: [&(dyn ToSql + Sync); 6] = [&owners, &seqs, &ats, &texts, &versions, &macs];
        let values = [&row[..], &journal[..]].concat();
        let found = self.client.query_one(&self.swap, &values).await.unwrap();
        assert_eq!(found.get::<_, Vec<&[u8]>>(0), [ROW]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_old_and_new_nodes_have_written_has_one_journal() {
    for (schema, sharded) in [("older", false), ("older_sharded", true)] {
        let config = PostgresConfig { sharded, ..config(SERVER.schema(schema)) };
        let old = Before::start(schema).await;
        let store = PostgresStore::open(&config).await.unwrap();
        let client = rules::client(&SERVER, schema).await;
        write(&store, 0, 2).await;
        old.write(2, 2).await;
        write(&store, 4, 1).await;
        old.write(5, 1).await;
        write(&store, 6, 3).await;
        let all: Vec<_> = (1..=9).map(entry).collect();
        assert_eq!(store.journal(ROW, 0, 100).await.unwrap(), all);
        for after in 0..=9 {
            let page = store.journal(ROW, after, 2).await.unwrap();
            assert_eq!(page, all[after as usize..].iter().take(2).cloned().collect::<Vec<_>>(), "{after}");
        }
        assert_eq!(store.entries().await.unwrap(), 9);

        // Somebody who bends the way into a ring has not sent anybody round it for ever.
        let ring = "UPDATE journal_in_line SET previous = (SELECT last_entry FROM phone) WHERE seq = 5";
        client.batch_execute(ring).await.unwrap();
        let found = store.journal(ROW, 0, 100).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9]);
        let back = "UPDATE journal_in_line SET previous = (SELECT id FROM journal_in_line WHERE seq = 2) WHERE seq = 5";
        client.batch_execute(back).await.unwrap();
        assert_eq!(store.forget(Table::Phone, Moment::from_unix_ms(5_000), 10).await.unwrap(), 1);
        assert_eq!(store.entries().await.unwrap(), 0);
    }
}

/// How long a payment waits at most behind a migration that waits for somebody. It is half a second, on a machine that does nothing else:
/// what counts is that it does not wait for whoever the migration waits for, who here waits for us.
const LET_THROUGH_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_a_table_lets_others_use_it() {
    let config = config(SERVER.schema("busy"));
    let old = Before::start("busy").await;
    let backup = rules::client(&SERVER, "busy").await;
    backup.batch_execute("BEGIN; SELECT count(*) FROM node").await.unwrap();
    let migrating = tokio::spawn(async move { PostgresStore::migrate(&config).await });
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let using = old.client.execute("UPDATE card SET version = version", &[]);
        tokio::time::timeout(LET_THROUGH_WITHIN, using).await.expect("it is let through").unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!migrating.is_finished());
    backup.batch_execute("COMMIT").await.unwrap();
    let schema = migrating.await.unwrap().unwrap();
    assert_eq!(schema.found, schema.known);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_counted_whichever_table_it_is_in() {
    let store = PostgresStore::open(&config(SERVER.schema("counted"))).await.unwrap();
    let client = rules::client(&SERVER, "counted").await;
    let (by_owner, in_line) = (100_001, 50_000);
    let number = "decode(lpad(to_hex(n), 32, '0'), 'hex')";
    client
        .batch_execute(&format!(
            "INSERT INTO journal SELECT 1, {number}, 1, 1, '', 1, sha256('') FROM generate_series(1, {by_owner}) AS n;
             INSERT INTO journal_in_line SELECT 1, {number}, NULL, '\\x01', n, 1, '', 1, sha256('') FROM generate_series(1, {in_line}) AS n"
        ))
        .await
        .unwrap();
    assert_eq!(store.entries().await.unwrap(), by_owner + in_line);
}

/// Planned while a table is empty, and known to be, a join with it would be a walk through all of it; and the plan stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_found_by_its_index_whatever_the_table_was_like() {
    for (schema, sharded) in [("planned", false), ("planned_sharded", true)] {
        let config = PostgresConfig { sharded, ..config(SERVER.schema(schema)) };
        drop(PostgresStore::open(&config).await.unwrap());
        let client = rules::client(&SERVER, schema).await;
        client.batch_execute(PostgresStore::session()).await.unwrap();
        for state in ["SELECT", "ANALYZE"] {
            client.batch_execute(state).await.unwrap();
            let mut looked = 0;
            for (sql, _) in PostgresStore::statements(sharded) {
                if !sql.contains("way.previous") {
                    continue;
                }
                looked += 1;
                let plan = rules::plan(&client, sql).await;
                let scans = plan.matches("Scan using journal_in_line_pkey on journal_in_line l").count();
                let down = plan.matches("Index Cond: ((id = ").count();
                assert!((scans, down) == (2, 2), "{state}: {sql}\n{plan}");
            }
            assert_eq!(looked, 2);
        }
    }
}
