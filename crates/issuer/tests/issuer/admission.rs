//! The card's work that follows an admission: taken up again when it was cut off, until its PIN would be out of date,
//! and never held up by what is broken beside it.

use std::sync::Arc;

use ramz_domain::Digest;
use ramz_store::faults::{Failing, FaultyStore};
use ramz_store::{MemoryStore, Table};
use uuid::Uuid;

use crate::bank::{Bank, Build, CARD, Node, OTHER_CARD, Told, same, tried};
use crate::messages::{Wish, pan, phone};
use crate::undo::more_texts_than_a_page;

/// Runs a scenario over a store that can fail.
pub(crate) async fn faulty(scenario: impl AsyncFn(&Bank, Node, &FaultyStore) -> Told) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let told = tried(Build::over(store.clone()), async |bank, node| scenario(bank, node, &store).await);
    assert_eq!(told.await, Ok(()));
}

/// Asks while the card cannot be written, so that the work is cut off.
pub(crate) async fn cut_off(bank: &Bank, node: &Node, store: &FaultyStore, n: u32, key: &str) -> Told {
    store.poison(Table::Card, &bank.card(n).0);
    let batches = store.batches().len();
    let reply = node.pin_request("page one", key, &Wish::purchase(51_000).json(&pan(n))).await;
    same(reply.status, 202, "the answer does not depend on the card's work")?;
    crate::bank::until("the work has failed", async || store.batches().len() >= batches + 2).await?;
    store.heal();
    same(bank.operator.texts(&phone(n)).len(), 0, "SMS so far")
}

#[tokio::test]
async fn work_that_was_cut_off_is_taken_up_again() {
    faulty(async |bank, node, store| {
        cut_off(bank, &node, store, CARD, &bank.key()).await?;
        bank.advance(16);
        let sms = bank.text_after(CARD, 0).await?;
        same(bank.pay(&node, CARD, &Wish::purchase(51_000), &sms.pin()).await?, "00".into(), "the PIN")?;
        bank.settled().await?;
        same(bank.operator.texts(&phone(CARD)).len(), 1, "SMS")
    })
    .await;
}

#[tokio::test]
async fn work_that_is_too_late_is_let_go() {
    faulty(async |bank, node, store| {
        cut_off(bank, &node, store, CARD, &bank.key()).await?;
        bank.advance(121);
        bank.settled().await?;
        same(bank.operator.attempts(), 0, "SMS")
    })
    .await;
}

#[tokio::test]
async fn a_crash_in_the_work_is_taken_up_by_another_node() {
    faulty(async |bank, node, store| {
        cut_off(bank, &node, store, CARD, &bank.key()).await?;
        bank.crash(node);
        bank.advance(16);
        let node = bank.node().await;
        let sms = bank.text_after(CARD, 0).await?;
        same(bank.pay(&node, CARD, &Wish::purchase(51_000), &sms.pin()).await?, "00".into(), "the PIN")
    })
    .await;
}

#[tokio::test]
async fn a_broken_record_does_not_hold_up_the_others() {
    faulty(async |bank, node, store| {
        let key = bank.key();
        cut_off(bank, &node, store, CARD, &key).await?;
        bank.advance(1);
        cut_off(bank, &node, store, OTHER_CARD, &bank.key()).await?;
        let asked = Uuid::parse_str(&key).unwrap();
        let tie = Digest::of(&[b"admission", b"page one", asked.as_bytes()]);
        let row = [asked.as_bytes(), &tie.0[..16]].concat();
        same(store_has(bank, &row).await, true, "the record is found")?;
        // As what the messages of a row are changes of.
        store.poison(Table::Card, &row);
        bank.advance(16);
        bank.text_after(OTHER_CARD, 0).await?;
        store.heal();
        bank.text_after(CARD, 0).await.map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_cut_off_is_found_behind_more_texts_than_a_page_that_no_node_can_send() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::shared())));
    let told = tried(Build::over(store.clone()), async |bank, node| {
        cut_off(bank, &node, &store, CARD, &bank.key()).await?;
        more_texts_than_a_page(bank, &node).await?;
        let card = bank.card(CARD).0;
        let version =
            async || bank.store().read(Table::Card, &card).await.map(|row| row.map(|row| row.version));
        let before = version().await.unwrap();
        bank.advance(16);
        let worked = async || version().await.is_ok_and(|version| version > before);
        crate::bank::until("the card has its PIN", worked).await
    });
    assert_eq!(told.await, Ok(()));
}

async fn store_has(bank: &Bank, key: &[u8]) -> bool {
    bank.store().read(Table::Admission, key).await.unwrap().is_some()
}

#[tokio::test]
async fn an_admission_of_unknown_outcome_is_asked_again() {
    for failing in [Failing::UnknownWritten, Failing::UnknownNotWritten, Failing::Statement] {
        faulty(async |bank, node, store| {
            let (key, body) = (bank.key(), Wish::purchase(52_000).json(&pan(CARD)));
            store.next_commits([Some(failing)]);
            let fault = node.pin_request("page one", &key, &body).await;
            same((fault.status, fault.problem().as_str()), (500, "fault"), "the first time")?;
            same(fault.json()["incident"].as_str().is_some(), true, "an incident is named")?;
            let reply = node.pin_request("page one", &key, &body).await;
            same(reply.status, 202, "the same again")?;
            bank.advance(16);
            bank.text_after(CARD, 0).await?;
            bank.settled().await?;
            same(bank.operator.texts(&phone(CARD)).len(), 1, "SMS")
        })
        .await;
    }
}
