//! Who wins, who loses, and what a loser leaves behind: nothing.

use std::sync::Arc;

use super::sample::{at, commit, entry, message, one, swap};
use super::{Wrong, refused, same, so};
use crate::{Change, Head, Outcome, Store, Swap, Table};

const TASKS: usize = 64;

pub(super) async fn an_insert_wins_once(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for table in Table::ALL {
        same("no row", store.read(table, b"k").await?, None)?;
        same("first insert", commit(&*store, swap(table, b"k", None, "first")).await?, Outcome::Won)?;
        same("second insert", commit(&*store, swap(table, b"k", None, "second")).await?, Outcome::Lost)?;
        let row = store.read(table, b"k").await?.map(|row| (row.version, row.body));
        same("the row", row, Some((1, b"first".to_vec())))?;
    }
    Ok(())
}

pub(super) async fn a_swap_of_another_version_loses(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for table in Table::ALL {
        let try_version = async |version, body| commit(&*store, swap(table, b"k", Some(version), body)).await;
        same("no such row", try_version(1, "x").await?, Outcome::Lost)?;
        same("still no row", store.read(table, b"k").await?, None)?;
        same("insert", commit(&*store, swap(table, b"k", None, "one")).await?, Outcome::Won)?;
        for version in [0, 2, 3, u64::MAX, i64::MAX as u64] {
            same("another version", try_version(version, "x").await?, Outcome::Lost)?;
        }
        same("its version", try_version(1, "two").await?, Outcome::Won)?;
        same("the old version", try_version(1, "three").await?, Outcome::Lost)?;
        let row = store.read(table, b"k").await?.map(|row| (row.version, row.body));
        same("the row", row, Some((2, b"two".to_vec())))?;
    }
    Ok(())
}

/// Commits these from a task each, all let go at once: who won.
async fn race(store: &Arc<dyn Store>, swaps: Vec<Swap>) -> Result<Vec<Swap>, Wrong> {
    let gate = Arc::new(tokio::sync::Barrier::new(swaps.len()));
    let mut tasks = Vec::new();
    for swap in swaps {
        let (store, gate) = (store.clone(), gate.clone());
        tasks.push(tokio::spawn(async move {
            gate.wait().await;
            (commit(&*store, swap.clone()).await, swap)
        }));
    }
    let mut winners = Vec::new();
    for task in tasks {
        let (outcome, swap) = task.await.map_err(|error| Wrong(format!("a task: {error}")))?;
        if outcome? == Outcome::Won {
            winners.push(swap);
        }
    }
    Ok(winners)
}

pub(super) async fn of_64_swaps_of_one_version_one_wins(store: Arc<dyn Store>) -> Result<(), Wrong> {
    same("insert", commit(&*store, swap(Table::Card, b"card", None, "")).await?, Outcome::Won)?;
    for round in 1..=5 {
        let tries =
            (0..TASKS).map(|task| swap(Table::Card, b"card", Some(round), &format!("{round}.{task}")));
        let winners = race(&store, tries.collect()).await?;
        same("winners", winners.len(), 1)?;
        let row = store.read(Table::Card, b"card").await?.map(|row| (row.version, row.body));
        same("the row", row, Some((round + 1, winners[0].body.clone())))?;
    }
    Ok(())
}

pub(super) async fn of_64_inserts_one_wins(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let tries = (0..TASKS).map(|task| swap(Table::Admission, b"key", None, &format!("{task}")));
    let winners = race(&store, tries.collect()).await?;
    same("winners", winners.len(), 1)?;
    let row = store.read(Table::Admission, b"key").await?.map(|row| (row.version, row.body));
    same("the row", row, Some((1, winners[0].body.clone())))
}

pub(super) async fn a_lost_swap_writes_nothing_beside(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let first = swap(Table::Card, b"card", None, "one").with_sealed("pan", Some(b"first"));
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    for expected in [None, Some(7)] {
        let loser = swap(Table::Card, b"card", expected, "two")
            .with_journal(vec![entry(1, "lost")])
            .with_sealed("pan", Some(b"second"))
            .with_sealed("phone", Some(b"second"))
            .with_message(message(1, at(0)));
        same("the swap", commit(&*store, loser).await?, Outcome::Lost)?;
    }
    same("entries", store.journal(b"card", 0, 10).await?, Vec::new())?;
    same("messages", store.outbox_due(at(1_000_000), 10).await?, Vec::new())?;
    let row = store.read(Table::Card, b"card").await?;
    let row = row.map(|row| (row.version, row.body, row.sealed, row.head.seq));
    same("the row", row, Some((1, b"one".to_vec(), vec![("pan".into(), b"first".to_vec())], 0)))?;
    // A row that never was gets nothing either: neither a sealed column nor an entry.
    let nobody = swap(Table::Payment, b"none", Some(1), "")
        .with_journal(vec![entry(1, "lost")])
        .with_sealed("pan", Some(b"x"));
    same("no row", commit(&*store, nobody).await?, Outcome::Lost)?;
    same("its entries", store.journal(b"none", 0, 10).await?, Vec::new())
}

pub(super) async fn a_batch_has_winners_and_losers(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for key in [b"b", b"d"] {
        same("insert", commit(&*store, swap(Table::Card, key, None, "old")).await?, Outcome::Won)?;
    }
    // Not in key order, so that the order of the outcomes is seen to be the batch's.
    let batch = vec![
        Change::Swap(swap(Table::Card, b"d", Some(1), "new")),
        Change::Swap(swap(Table::Card, b"b", Some(9), "new")),
        Change::Settle { owner: b"a".to_vec(), id: [0; 16] },
        Change::Swap(swap(Table::Payment, b"c", None, "new")),
        Change::Swap(swap(Table::Card, b"a", None, "new")),
        Change::Swap(swap(Table::Card, b"0", Some(1), "new")),
    ];
    let outcomes = store.commit(batch).await?;
    use Outcome::{Lost, Won};
    same("outcomes", outcomes, vec![Won, Lost, Lost, Won, Won, Lost])?;
    let mut bodies = Vec::new();
    for (table, key) in
        [(Table::Card, b"a"), (Table::Card, b"b"), (Table::Card, b"d"), (Table::Payment, b"c")]
    {
        bodies.push(store.read(table, key).await?.map(|row| row.body));
    }
    let some = |text: &str| Some(text.as_bytes().to_vec());
    same("bodies", bodies, vec![some("new"), some("old"), some("new"), some("new")])?;
    same("an empty batch", store.commit(Vec::new()).await?, Vec::new())
}

/// Rows of one table whose swaps write no entry, one and several, beside one that loses: each has its own journal afterwards.
pub(super) async fn each_swap_of_a_batch_writes_its_own_entries(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let entries = |key: u8, from: u64, count: u64| -> Vec<_> {
        (from..from + count).map(|seq| entry(seq, &format!("{}{seq}", char::from(key)))).collect()
    };
    let of = |key: u8, version, from, count| {
        swap(Table::Card, &[key], version, "").with_journal(entries(key, from, count))
    };
    let news = [(b'a', 0), (b'b', 1), (b'c', 2), (b'd', 1)];
    let inserts = news.map(|(key, count)| Change::Swap(of(key, None, 1, count))).to_vec();
    same("inserts", store.commit(inserts).await?, vec![Outcome::Won; 4])?;
    let kept = entry(1, "b1");
    let batch = vec![
        Change::Swap(of(b'd', Some(1), 2, 3)),
        Change::Swap(of(b'c', Some(7), 3, 1)),
        Change::Swap(swap(Table::Card, b"b", Some(1), "").with_head(Head { seq: kept.seq, mac: kept.mac })),
        Change::Swap(of(b'a', Some(1), 1, 1)),
    ];
    use Outcome::{Lost, Won};
    same("outcomes", store.commit(batch).await?, vec![Won, Lost, Won, Won])?;
    same("one more each", commit(&*store, of(b'b', Some(2), 2, 1)).await?, Won)?;
    same("and here", commit(&*store, of(b'd', Some(2), 5, 1)).await?, Won)?;
    for (key, count) in [(b'a', 1), (b'b', 2), (b'c', 2), (b'd', 5)] {
        let journal = store.journal(&[key], 0, 10).await?;
        same("a journal", journal, entries(key, 1, count))?;
    }
    same("all of them", store.entries().await?, 10)
}

pub(super) async fn a_batch_with_a_bad_change_writes_nothing(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let first = swap(Table::Card, b"m", None, "old")
        .with_journal(vec![entry(1, "one")])
        .with_message(message(1, at(0)));
    let head = first.head;
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    // The message exists already, which is seen only after earlier rows were written.
    let bad = swap(Table::Card, b"m", Some(1), "new").with_head(head).with_message(message(1, at(0)));
    let batch = vec![
        Change::Swap(swap(Table::Card, b"a", None, "new").with_journal(vec![entry(1, "a")])),
        Change::Swap(bad),
        Change::Swap(swap(Table::Card, b"z", None, "new").with_message(message(2, at(0)))),
    ];
    refused("the batch", store.commit(batch).await)?;
    same("an earlier row", store.read(Table::Card, b"a").await?, None)?;
    same("its entries", store.journal(b"a", 0, 10).await?, Vec::new())?;
    same("a later row", store.read(Table::Card, b"z").await?, None)?;
    let row = store.read(Table::Card, b"m").await?.map(|row| (row.version, row.body));
    same("the row", row, Some((1, b"old".to_vec())))?;
    same("messages", store.outbox_due(at(0), 10).await?.len(), 1)?;
    // And the store goes on.
    same("the next", commit(&*store, swap(Table::Card, b"a", None, "new")).await?, Outcome::Won)
}

pub(super) async fn a_batch_names_a_row_once(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let twice = ["one", "two"].map(|body| Change::Swap(swap(Table::Card, b"k", None, body)));
    refused("a row twice", store.commit(twice.to_vec()).await)?;
    same("the row", store.read(Table::Card, b"k").await?, None)?;
    let settle = Change::Settle { owner: b"k".to_vec(), id: [1; 16] };
    refused("a message twice", store.commit(vec![settle.clone(), settle]).await)
}

pub(super) async fn keys_have_1_to_64_bytes(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for table in Table::ALL {
        for length in [1, 16, 32, 64] {
            let key = vec![0xff; length];
            same("insert", commit(&*store, swap(table, &key, None, "x")).await?, Outcome::Won)?;
            so("it is found", store.read(table, &key).await?.is_some())?;
        }
        for length in [0, 65, 1000] {
            let key = vec![1; length];
            refused("a swap", commit(&*store, swap(table, &key, None, "x")).await)?;
            same("reading it", store.read(table, &key).await?, None)?;
        }
    }
    let (owner, id) = (vec![1; 65], [1; 16]);
    refused("a settle", one(&*store, Change::Settle { owner: owner.clone(), id }).await)?;
    let lease = Change::Lease { owner, id, expected: at(0), until: at(1) };
    refused("a lease", one(&*store, lease).await)
}

pub(super) async fn tables_are_apart(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let batch = Table::ALL.map(|table| {
        Change::Swap(swap(table, b"k", None, &table.to_string()).with_sealed("c", Some(&[table as u8])))
    });
    same("inserts", store.commit(batch.to_vec()).await?, vec![Outcome::Won; Table::ALL.len()])?;
    for table in Table::ALL {
        let row = store.read(table, b"k").await?.map(|row| (row.body, row.sealed));
        let expected = (table.to_string().into_bytes(), vec![("c".to_owned(), vec![table as u8])]);
        same("the row", row, Some(expected))?;
        same("keys", store.keys_after(table, b"", 10).await?, vec![b"k".to_vec()])?;
    }
    Ok(())
}

pub(super) async fn a_commit_is_read_at_once(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let mut tasks = Vec::new();
    for task in 0..16_u8 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let key = [b'k', task];
            for version in 0..20_u64 {
                let expected = (version > 0).then_some(version);
                let change = swap(Table::Card, &key, expected, &version.to_string());
                same("the swap", commit(&*store, change).await?, Outcome::Won)?;
                let row = store.read(Table::Card, &key).await?.map(|row| (row.version, row.body));
                same("read after it", row, Some((version + 1, version.to_string().into_bytes())))?;
            }
            Ok::<_, Wrong>(())
        }));
    }
    for task in tasks {
        task.await.map_err(|error| Wrong(format!("a task: {error}")))??;
    }
    Ok(())
}
