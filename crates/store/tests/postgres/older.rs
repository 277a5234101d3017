//! Nodes of the release before beside this one: they write a row's entries by its owner, and name none of those in line. Whoever
//! writes after whom, a row has one journal.

use ramz_domain::Moment;
use ramz_store::{
    Change, Head, JournalEntry, Outcome, PostgresConfig, PostgresStore, Store as _, Swap, Table,
};
use tokio_postgres::Client;

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
        due: None,
        forget_after: Some(Moment::from_unix_ms(5_000)),
    };
    assert_eq!(store.commit(vec![Change::Swap(swap)]).await.unwrap(), [Outcome::Won]);
}

/// What the release before did, to these columns of the tables.
async fn write_as_before(client: &Client, before: u64, count: u64) {
    for seq in before + 1..=before + count {
        let JournalEntry { at, entry, mac, .. } = entry(seq);
        let (seq, at) = (seq as i64, at.unix_ms() as i64);
        let swap = "UPDATE phone SET version = version + 1, head_seq = $2::int8, head_mac = $3 WHERE key = $1 AND head_seq = $2::int8 - 1";
        assert_eq!(client.execute(swap, &[&ROW, &seq, &mac.as_slice()]).await.unwrap(), 1);
        let write = "INSERT INTO journal (shard, owner, seq, at, entry, key_version, mac)
            VALUES (get_byte($1::bytea, length($1::bytea) - 1), $1, $2, $3, $4, 1, $5)";
        client.execute(write, &[&ROW, &seq, &at, &entry, &mac.as_slice()]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_old_and_new_nodes_have_written_has_one_journal() {
    for (schema, sharded) in [("older", false), ("older_sharded", true)] {
        let config = PostgresConfig { sharded, ..config(SERVER.schema(schema)) };
        let store = PostgresStore::open(&config).await.unwrap();
        let client = rules::client(&SERVER, schema).await;
        write(&store, 0, 2).await;
        write_as_before(&client, 2, 2).await;
        write(&store, 4, 1).await;
        write_as_before(&client, 5, 1).await;
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
