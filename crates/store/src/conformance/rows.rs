//! What a row carries: body, sealed columns, head and journal; and listing keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::sample::{commit, entry, swap};
use super::{Wrong, refused, same};
use crate::{Head, Outcome, Store, Table};

pub(super) async fn sealed_columns_are_set_replaced_removed_and_stay(
    store: Arc<dyn Store>,
) -> Result<(), Wrong> {
    let sealed = async || {
        let row = store.read(Table::Card, b"k").await?;
        let text = |(name, bytes): (String, Vec<u8>)| format!("{name}={}", String::from_utf8_lossy(&bytes));
        Ok::<_, Wrong>(row.into_iter().flat_map(|row| row.sealed).map(text).collect::<Vec<_>>().join(" "))
    };
    let bare = |version| swap(Table::Card, b"k", version, "");
    let set = bare(None).with_sealed("phone", Some(b"1")).with_sealed("pan", Some(b"1"));
    same("set", commit(&*store, set).await?, Outcome::Won)?;
    same("columns by name", sealed().await?, "pan=1 phone=1".into())?;
    same("stay", commit(&*store, bare(Some(1))).await?, Outcome::Won)?;
    same("columns", sealed().await?, "pan=1 phone=1".into())?;
    same("replace", commit(&*store, bare(Some(2)).with_sealed("pan", Some(b"2"))).await?, Outcome::Won)?;
    same("columns", sealed().await?, "pan=2 phone=1".into())?;
    let remove = bare(Some(3)).with_sealed("phone", None).with_sealed("none", None);
    same("remove", commit(&*store, remove).await?, Outcome::Won)?;
    same("columns", sealed().await?, "pan=2".into())?;
    same("empty", commit(&*store, bare(Some(4)).with_sealed("pan", Some(b""))).await?, Outcome::Won)?;
    same("columns", sealed().await?, "pan=".into())?;
    let twice = bare(Some(5)).with_sealed("pan", Some(b"3")).with_sealed("pan", None);
    refused("a column twice", commit(&*store, twice).await)
}

pub(super) async fn a_row_and_its_sealed_columns_are_of_one_instant(
    store: Arc<dyn Store>,
) -> Result<(), Wrong> {
    const SWAPS: u64 = 300;
    let numbered = |version: u64| {
        let text = version.to_string();
        swap(Table::Card, b"k", (version > 0).then_some(version), &text)
            .with_sealed("c", Some(text.as_bytes()))
    };
    same("insert", commit(&*store, numbered(0)).await?, Outcome::Won)?;
    let end = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, ended) = (store.clone(), end.clone());
        tokio::spawn(async move {
            loop {
                let Some(row) = store.read(Table::Card, b"k").await? else {
                    return Err(Wrong("the row went away".into()));
                };
                same("the column", row.sealed, vec![("c".to_owned(), row.body.clone())])?;
                same(
                    "the version",
                    row.version.checked_sub(1).map(|n| n.to_string().into_bytes()),
                    Some(row.body),
                )?;
                if ended.load(Ordering::Relaxed) {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        })
    };
    for version in 1..=SWAPS {
        same("swap", commit(&*store, numbered(version)).await?, Outcome::Won)?;
        tokio::task::yield_now().await;
    }
    end.store(true, Ordering::Relaxed);
    reader.await.map_err(|error| Wrong(format!("a task: {error}")))?
}

pub(super) async fn the_head_and_the_body_read_back(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let every_byte: Vec<u8> = (0..=255).cycle().take(16 * 1024).collect();
    let mut first = swap(Table::Payment, b"k", None, "").with_journal(vec![entry(1, "a"), entry(2, "b")]);
    first.body.clone_from(&every_byte);
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    let row = store.read(Table::Payment, b"k").await?;
    let row = row.map(|row| (row.body == every_byte, row.head));
    same("the row", row, Some((true, Head { seq: 2, mac: entry(2, "").mac })))?;
    same("empty body", commit(&*store, swap(Table::Payment, b"e", None, "")).await?, Outcome::Won)?;
    let row = store.read(Table::Payment, b"e").await?.map(|row| (row.body, row.head));
    same("the row", row, Some((Vec::new(), Head::EMPTY)))
}

pub(super) async fn a_swap_without_entries_keeps_the_head(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let first = swap(Table::Card, b"k", None, "").with_journal(vec![entry(1, "a")]);
    let head = first.head;
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    let same_head = swap(Table::Card, b"k", Some(1), "").with_head(head);
    same("swap", commit(&*store, same_head).await?, Outcome::Won)?;
    same("the head", store.read(Table::Card, b"k").await?.map(|row| row.head), Some(head))?;
    for wrong in [Head::EMPTY, Head { seq: 1, mac: [9; 32] }, Head { seq: 2, mac: head.mac }] {
        let other = swap(Table::Card, b"k", Some(2), "").with_head(wrong);
        refused("another head", commit(&*store, other).await)?;
    }
    same("the version", store.read(Table::Card, b"k").await?.map(|row| row.version), Some(2))
}

pub(super) async fn a_head_that_does_not_continue_the_journal_is_refused(
    store: Arc<dyn Store>,
) -> Result<(), Wrong> {
    let late = swap(Table::Card, b"k", None, "").with_journal(vec![entry(2, "late")]);
    refused("a new row that begins with entry 2", commit(&*store, late).await)?;
    let first = swap(Table::Card, b"k", None, "").with_journal(vec![entry(1, "a")]);
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    let next = |entries| swap(Table::Card, b"k", Some(1), "").with_journal(entries);
    refused("a gap before", commit(&*store, next(vec![entry(3, "c")])).await)?;
    refused("a gap between", commit(&*store, next(vec![entry(2, "b"), entry(4, "d")])).await)?;
    refused("entry 1 again", commit(&*store, next(vec![entry(1, "a")])).await)?;
    let other_mac = next(vec![entry(2, "b")]).with_head(Head { seq: 2, mac: [9; 32] });
    refused("a head of another MAC", commit(&*store, other_mac).await)?;
    let far = next(vec![entry(2, "b")]).with_head(Head { seq: 9, mac: entry(2, "").mac });
    refused("a head of another number", commit(&*store, far).await)?;
    same("entries", store.journal(b"k", 0, 10).await?.len(), 1)?;
    // Somebody else's version is lost, whatever the head says: read again.
    let stale = swap(Table::Card, b"k", Some(7), "").with_journal(vec![entry(9, "x")]);
    same("a stale swap", commit(&*store, stale).await?, Outcome::Lost)?;
    same("the next", commit(&*store, next(vec![entry(2, "b")])).await?, Outcome::Won)
}

pub(super) async fn a_journal_is_read_in_order_and_in_pages(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for owner in [b"a", b"b", b"c"] {
        let mut version = None;
        for first in [1, 4, 7, 10] {
            let entries: Vec<_> =
                (first..first + 3).map(|seq| entry(seq, &format!("{seq} of {}", owner[0]))).collect();
            let next = swap(Table::Card, owner, version, "").with_journal(entries);
            same("swap", commit(&*store, next).await?, Outcome::Won)?;
            version = Some(version.unwrap_or(0) + 1);
        }
    }
    let expected: Vec<_> = (1..=12).map(|seq| entry(seq, &format!("{seq} of {}", b'b'))).collect();
    same("all", store.journal(b"b", 0, 100).await?, expected.clone())?;
    let mut pages = Vec::new();
    let mut after = 0;
    loop {
        let page = store.journal(b"b", after, 5).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        same("page is limited", page.len() <= 5, true)?;
        pages.extend(page);
    }
    same("in pages", pages, expected)?;
    same("after the end", store.journal(b"b", u64::MAX, 5).await?, Vec::new())?;
    same("none", store.journal(b"b", 0, 0).await?, Vec::new())?;
    same("nobody's", store.journal(b"d", 0, 5).await?, Vec::new())?;
    same("in all", store.entries().await?, 36)
}

pub(super) async fn keys_are_listed_in_pages(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let mut keys: Vec<Vec<u8>> = (0..25_u8).map(|n| vec![n.wrapping_mul(37), n]).collect();
    keys.extend([vec![0x80], vec![0xff; 64], vec![0], vec![37]]);
    for key in &keys {
        same("insert", commit(&*store, swap(Table::Admission, key, None, "")).await?, Outcome::Won)?;
    }
    same("another table", commit(&*store, swap(Table::Payment, b"zz", None, "")).await?, Outcome::Won)?;
    keys.sort();
    let mut listed: Vec<Vec<u8>> = Vec::new();
    loop {
        let after = listed.last().cloned().unwrap_or_default();
        let page = store.keys_after(Table::Admission, &after, 4).await?;
        if page.is_empty() {
            break;
        }
        same("page is limited", page.len() <= 4, true)?;
        listed.extend(page);
        same("more keys than rows", listed.len() <= keys.len(), true)?;
    }
    same("keys", listed, keys)?;
    same("none", store.keys_after(Table::Admission, b"", 0).await?, Vec::new())
}
