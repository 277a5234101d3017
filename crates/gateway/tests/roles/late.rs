//! A copy that stood still, numbers that another message has, rows of a newer release: what else could leave a payer charged though
//! the merchant was told otherwise.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ramz_domain::Clock as _;
use ramz_store::faults::FaultyStore;
use ramz_store::{Change, Head, MemoryStore, Store, Swap, Table};
use tokio::sync::Notify;

use crate::browser::solve;
use crate::kinds::{of, opened};
use crate::rig::{PAN, Will, rig, rig_on, until};

#[tokio::test]
async fn a_press_is_repeated_a_few_times_and_costs_the_router_no_more() {
    let rig = rig().await;
    let browser = rig.browse(&rig.payment().await).await;
    let proof = solve(browser.seen["challenge"].as_str().unwrap());
    assert_eq!(browser.press(PAN, 1, &proof).await.status, StatusCode::ACCEPTED);
    for _ in 0..4 {
        assert_eq!(browser.press(PAN, 1, "").await.status, StatusCode::ACCEPTED);
    }
    for _ in 0..20 {
        assert_eq!(browser.press(PAN, 1, "").await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(rig.asked.requests.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn rows_that_do_not_decode_hold_up_no_reversal() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let rig = rig_on(Arc::clone(&store)).await;
    let due = Some(rig.clock.now());
    let garbled = |n: u16| {
        let mut key = vec![0xEE; 16];
        key[..2].copy_from_slice(&n.to_be_bytes());
        Change::Swap(Swap {
            table: Table::Payment,
            key,
            expected: None,
            body: vec![0xFF],
            sealed: Vec::new(),
            head: Head::EMPTY,
            journal: Vec::new(),
            outbox: Vec::new(),
            due,
            forget_after: None,
        })
    };
    store.commit((0..700).map(garbled).collect()).await.unwrap();
    let id = rig.paid().await;
    rig.pass(1200);
    rig.until_state(&id, "reversal", "acknowledged").await;
}

#[tokio::test]
async fn a_copy_that_stood_still_after_its_claim_sends_nothing() {
    let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let still = Arc::new(FaultyStore::new(Arc::clone(&inner)));
    let rig = rig_on(Arc::clone(&still) as Arc<dyn Store>).await;
    let other = rig.another_on(&inner).await;
    let id = opened(&rig, &of("bill")).await;
    let browser = rig.browse(&id).await;
    let (go, before) = (Arc::new(Notify::new()), still.batches().len());
    still.answer_late(Arc::clone(&go));
    let paying = tokio::spawn(async move { browser.pay(PAN).await.json });
    until("its claim", async || still.batches().len() > before).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.clock.advance(26);
    other.running.sweep();
    rig.until_state(&id, "reversal", "acknowledged").await;
    go.notify_one();
    assert_eq!(paying.await.unwrap()["result"], "unknown");
    assert_eq!(rig.bank.seen("0200").len(), 0);
}

#[tokio::test]
async fn an_approval_that_comes_after_its_reversal_is_reversed_under_another_number() {
    let rig = rig().await;
    let go = Arc::new(Notify::new());
    *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&go));
    let id = opened(&rig, &of("bill")).await;
    let browser = rig.browse(&id).await;
    let paying = tokio::spawn(async move { browser.pay(PAN).await.json });
    rig.bank.wait_for("0200", 1).await;
    rig.pass(26);
    rig.until_state(&id, "reversal", "acknowledged").await;
    go.notify_waiters();
    assert_eq!(paying.await.unwrap()["result"], "unknown");
    rig.bank.wait_for("0420", 2).await;
    rig.until_state(&id, "reversal", "acknowledged").await;
    let [first, second] = &rig.bank.seen("0420")[..] else { panic!("two reversals") };
    assert_ne!(first.get(11), second.get(11));
    assert_eq!(first.get(90), second.get(90));
}

#[tokio::test]
async fn a_first_reversal_whose_number_is_taken_gets_another() {
    let rig = rig().await;
    let id = rig.paid().await;
    *rig.bank.reversals.lock().unwrap() = Will::Refuse("94", "duplicate");
    rig.pass(1200);
    rig.bank.wait_for("0420", 1).await;
    until("it is asked for anew", async || {
        rig.pass(30);
        rig.bank.seen("0420").len() > 1
    })
    .await;
    assert_eq!(rig.look(&id).await["reversal"], "pending");
    *rig.bank.reversals.lock().unwrap() = Will::Approve;
    until("it is done", async || {
        rig.pass(30);
        rig.look(&id).await["reversal"] == "acknowledged"
    })
    .await;
    let numbers: Vec<_> = rig.bank.seen("0420").iter().map(|m| m.get(11).unwrap().to_owned()).collect();
    let mut own = numbers.clone();
    own.sort_unstable();
    own.dedup();
    assert_eq!(own.len(), numbers.len(), "{numbers:?}");
    assert!(rig.bank.seen("0421").is_empty());
}
