//! What the sweeper finds and what may be forgotten.

use std::sync::Arc;

use ramz_domain::Moment;

use super::sample::{at, commit, entry, swap};
use super::{Wrong, refused, same};
use crate::{Outcome, Store, Table};

const SWEPT: [Table; 6] =
    [Table::Admission, Table::Payment, Table::Phone, Table::Device, Table::Activation, Table::Node];

async fn insert(
    store: &dyn Store,
    table: Table,
    key: &[u8],
    due: Option<u64>,
    forget: Option<u64>,
) -> Result<(), Wrong> {
    let mut row = swap(table, key, None, "");
    (row.due, row.forget_after) = (due.map(at), forget.map(at));
    same("insert", commit(store, row).await?, Outcome::Won)
}

async fn due(store: &dyn Store, table: Table, now: Moment, limit: usize) -> Result<String, Wrong> {
    let rows = store.due(table, now, limit).await?;
    let keys: Vec<_> = rows.iter().map(|(key, _)| String::from_utf8_lossy(key)).collect();
    Ok(keys.join(" "))
}

pub(super) async fn due_rows_come_oldest_first_and_limited(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for table in SWEPT {
        for (key, due) in [("c", 30), ("a", 20), ("b", 10), ("e", 20), ("d", 40)] {
            insert(&*store, table, key.as_bytes(), Some(due), None).await?;
        }
        insert(&*store, table, b"never", None, None).await?;
        same("too early", due(&*store, table, at(9), 10).await?, String::new())?;
        same("due", due(&*store, table, at(30), 10).await?, "b a e c".into())?;
        same("limited", due(&*store, table, at(30), 2).await?, "b a".into())?;
        let all = due(&*store, table, Moment::from_unix_ms(u64::MAX), 10).await?;
        same("at the end of time", all, "b a e c d".into())?;
    }
    let mut whole = swap(Table::Admission, b"whole", None, "body").with_sealed("pan", Some(b"x"));
    whole.due = Some(at(1));
    same("insert", commit(&*store, whole).await?, Outcome::Won)?;
    let rows = store.due(Table::Admission, at(1), 10).await?;
    let read = store.read(Table::Admission, b"whole").await?;
    same("the row as it is read", rows, read.map(|row| (b"whole".to_vec(), row)).into_iter().collect())
}

pub(super) async fn a_cleared_due_is_not_found(store: Arc<dyn Store>) -> Result<(), Wrong> {
    insert(&*store, Table::Admission, b"k", Some(10), None).await?;
    let mut later = swap(Table::Admission, b"k", Some(1), "");
    later.due = Some(at(20));
    same("put off", commit(&*store, later).await?, Outcome::Won)?;
    same("the old instant", due(&*store, Table::Admission, at(19), 10).await?, String::new())?;
    same("the new one", due(&*store, Table::Admission, at(20), 10).await?, "k".into())?;
    same("clear", commit(&*store, swap(Table::Admission, b"k", Some(2), "")).await?, Outcome::Won)?;
    same("after", due(&*store, Table::Admission, at(1000), 10).await?, String::new())
}

pub(super) async fn only_what_has_run_out_is_forgotten(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Card) {
        for (key, forget) in [("a", Some(30)), ("b", Some(10)), ("c", Some(20)), ("d", Some(40)), ("e", None)]
        {
            insert(&*store, table, key.as_bytes(), None, forget).await?;
        }
        let keys = async || {
            let keys = store.keys_after(table, b"", 10).await?;
            Ok::<_, Wrong>(String::from_utf8_lossy(&keys.concat()).into_owned())
        };
        same("too early", store.forget(table, at(9), 10).await?, 0)?;
        same("two", store.forget(table, at(30), 2).await?, 2)?;
        same("the oldest went", keys().await?, "ade".into())?;
        same("the rest", store.forget(table, at(30), 2).await?, 1)?;
        same("no more", store.forget(table, at(30), 2).await?, 0)?;
        same("left", keys().await?, "de".into())?;
    }
    Ok(())
}

pub(super) async fn a_forgotten_row_leaves_nothing_and_may_come_again(
    store: Arc<dyn Store>,
) -> Result<(), Wrong> {
    for _ in 0..2 {
        let mut row = swap(Table::Admission, b"k", None, "")
            .with_sealed("pan", Some(b"x"))
            .with_journal(vec![entry(1, "asked")]);
        (row.due, row.forget_after) = (Some(at(1)), Some(at(2)));
        same("insert", commit(&*store, row).await?, Outcome::Won)?;
        same("forget", store.forget(Table::Admission, at(2), 10).await?, 1)?;
        same("the row", store.read(Table::Admission, b"k").await?, None)?;
        same("its journal", store.journal(b"k", 0, 10).await?, Vec::new())?;
        same("its work", due(&*store, Table::Admission, at(100), 10).await?, String::new())?;
    }
    same("bare", commit(&*store, swap(Table::Admission, b"k", None, "")).await?, Outcome::Won)?;
    let row = store.read(Table::Admission, b"k").await?;
    same("without sealed columns", row.map(|row| row.sealed), Some(Vec::new()))
}

pub(super) async fn cards_are_never_forgotten(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let mut card = swap(Table::Card, b"k", None, "");
    card.forget_after = Some(at(1));
    refused("a card with an end", commit(&*store, card).await)?;
    same("insert", commit(&*store, swap(Table::Card, b"k", None, "")).await?, Outcome::Won)?;
    same("forget", store.forget(Table::Card, at(1000), 10).await?, 0)?;
    same("the card", store.read(Table::Card, b"k").await?.is_some(), true)
}
