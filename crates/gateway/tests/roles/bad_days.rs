//! Reversals on bad days: the bank away for hours, answers that come late, a store that fails between answer and note, a
//! restart, a bank that swallows everything. Whatever the bank approved and the merchant did not get is undone, once.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use ramz_domain::{Clock as _, limits};
use ramz_store::faults::{Failing, FaultyStore};
use ramz_store::{Change, Head, MemoryStore, SqliteStore, Store, Swap, Table};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

use crate::kinds::{of, opened};
use crate::rig::{PAN, Rig, Will, browse, call, rig, rig_on, until, until_within};
use crate::undoing::lost;

const OF_ANOTHER_BANK: &str = "6221067000000017";

async fn paid(rig: &Rig, wanted: &Value, pan: &str) -> String {
    let id = opened(rig, wanted).await;
    let answer = rig.browse(&id).await.pay(pan).await.json;
    assert_eq!(answer["result"], "paid", "{answer}");
    id
}

#[tokio::test]
async fn each_kind_that_moves_money_is_reversed_with_what_it_paid() {
    for kind in ["purchase", "transfer", "bill", "top_up"] {
        let rig = rig().await;
        let id = paid(&rig, &of(kind), PAN).await;
        rig.pass(1200);
        rig.until_state(&id, "reversal", "acknowledged").await;
        let (payment, reversal) = (&rig.bank.seen("0200")[0], &rig.bank.seen("0420")[0]);
        for field in [2, 3, 4, 12, 13, 18, 32, 37, 41, 42, 49, 103] {
            assert_eq!(reversal.get(field), payment.get(field), "{kind}, field {field}");
        }
        // The same tags but the CVV2, which is the last.
        let sent = payment.get(48).unwrap().strip_suffix("010049371").unwrap();
        assert_eq!(reversal.get(48).unwrap_or_default(), sent, "{kind}");
        assert!(rig.look(&id).await["rrn"].is_null());
    }
}

#[tokio::test]
async fn a_bank_that_is_away_for_hours_gets_its_reversal_when_it_is_back() {
    let rig = rig().await;
    let id = paid(&rig, &of("transfer"), PAN).await;
    rig.switch.hold_down(true);
    rig.switch.cut();
    for _ in 0..12 {
        rig.pass(1200);
        until("a pending reversal", async || rig.look(&id).await["reversal"] == "pending").await;
    }
    assert!(rig.bank.seen("0420").len() + rig.bank.seen("0421").len() <= 1, "none, or one lost in the cut");
    rig.switch.hold_down(false);
    until("its end", async || {
        rig.pass(400);
        rig.look(&id).await["reversal"] == "acknowledged"
    })
    .await;
    let times = rig.bank.seen("0420").len();
    rig.pass(86_400);
    assert_eq!((times, rig.bank.seen("0420").len()), (1, 1), "the first is a 0420, and there is no second");
}

#[tokio::test]
async fn a_reversal_that_is_answered_late_ends_once() {
    let rig = rig().await;
    let id = paid(&rig, &of("bill"), PAN).await;
    let go = Arc::new(Notify::new());
    *rig.bank.reversals.lock().unwrap() = Will::Wait(Arc::clone(&go));
    rig.pass(1200);
    rig.bank.wait_for("0420", 1).await;
    // Its lease runs out before the answer comes: another node asks again.
    let other = rig.another().await;
    rig.clock.advance(30);
    other.running.sweep();
    rig.bank.wait_for("0421", 1).await;
    go.notify_waiters();
    rig.until_state(&id, "reversal", "acknowledged").await;
    rig.pass(86_400);
    other.running.sweep();
    assert_eq!((rig.bank.seen("0420").len(), rig.bank.seen("0421").len()), (1, 1));
}

/// Of one whose outcome nobody knows: that it never came there is as good as undone.
#[tokio::test]
async fn a_bank_that_knows_of_no_such_payment_is_believed_after_a_while() {
    let rig = rig().await;
    *rig.bank.reversals.lock().unwrap() = Will::Refuse("25", "no_such_payment");
    let id = lost(&rig).await;
    until("0420", async || {
        rig.pass(6);
        !rig.bank.seen("0420").is_empty()
    })
    .await;
    for repeat in 1..=7 {
        assert_eq!(rig.look(&id).await["reversal"], "pending", "before repeat {repeat}");
        rig.until_repeated(repeat).await;
    }
    rig.until_state(&id, "reversal", "acknowledged").await;
    rig.pass(86_400);
    assert_eq!(rig.bank.seen("0421").len(), 7);
}

#[tokio::test]
async fn a_bank_that_no_longer_finds_what_it_has_approved_is_never_believed() {
    // Nobody verified it; it was approved in another way than was asked for; the approval came after its reversal had begun.
    let (in_part, other_amount) = (Will::Refuse("10", ""), Will::OtherAmount);
    for (way, will) in
        [("unverified", None), ("in part", Some(in_part)), ("other amount", Some(other_amount))]
    {
        let rig = rig().await;
        *rig.bank.reversals.lock().unwrap() = Will::Refuse("25", "no_such_payment");
        let id = if let Some(will) = will {
            *rig.bank.purchases.lock().unwrap() = will;
            let id = opened(&rig, &of("bill")).await;
            assert_eq!(rig.browse(&id).await.pay(PAN).await.json["result"], "unknown", "{way}");
            id
        } else {
            let id = paid(&rig, &of("bill"), PAN).await;
            rig.pass(1200);
            id
        };
        rig.bank.wait_for("0420", 1).await;
        is_never_believed(&rig, &id, way).await;
    }
    let rig = rig().await;
    *rig.bank.reversals.lock().unwrap() = Will::Refuse("25", "no_such_payment");
    let go = Arc::new(Notify::new());
    *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&go));
    let id = opened(&rig, &of("bill")).await;
    let browser = rig.browse(&id).await;
    let paying = tokio::spawn(async move { browser.pay(PAN).await.json });
    rig.bank.wait_for("0200", 1).await;
    rig.pass(26);
    rig.bank.wait_for("0420", 1).await;
    go.notify_waiters();
    assert_eq!(paying.await.unwrap()["result"], "unknown");
    rig.bank.wait_for("0420", 2).await;
    is_never_believed(&rig, &id, "late").await;
}

/// However often it says that it does not find it; until it has undone it. The payer reads that it is being returned, and no more.
async fn is_never_believed(rig: &Rig, id: &str, way: &str) {
    for repeat in 1..=12 {
        rig.until_repeated(repeat).await;
    }
    *rig.bank.reversals.lock().unwrap() = Will::Approve;
    assert_eq!(rig.look(id).await["reversal"], "pending", "{way}");
    assert_eq!(rig.browse(id).await.seen["state"], "reversing", "{way}");
    rig.until_acknowledged(id).await;
    assert_eq!(rig.browse(id).await.seen["state"], "reversed", "{way}");
}

#[tokio::test]
async fn an_approval_that_could_not_be_noted_is_reversed() {
    for failing in [Failing::UnknownNotWritten, Failing::Unavailable, Failing::Statement] {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let rig = rig_on(Arc::clone(&store) as Arc<dyn Store>).await;
        let go = Arc::new(Notify::new());
        *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&go));
        let id = opened(&rig, &of("top_up")).await;
        let browser = rig.browse(&id).await;
        let paying = tokio::spawn(async move { browser.pay(PAN).await.json });
        rig.bank.wait_for("0200", 1).await;
        store.next_commits(std::iter::repeat_n(Some(failing), 40));
        go.notify_one();
        assert_eq!(paying.await.unwrap()["result"], "unknown", "{failing:?}: never a yes that is not kept");
        store.heal();
        rig.pass(26);
        rig.until_state(&id, "reversal", "acknowledged").await;
        assert_eq!(rig.bank.seen("0420").len(), 1, "{failing:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_as_that_and_when_to_try_again() {
    for failing in [Failing::UnknownNotWritten, Failing::Unavailable] {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let rig = rig_on(Arc::clone(&store) as Arc<dyn Store>).await;
        store.next_commits(std::iter::repeat_n(Some(failing), 40));
        let no = rig.shop(Method::POST, "/v1/payments", &of("purchase")).await;
        assert_eq!((no.status.as_u16(), no.problem()), (503, "store-unavailable"), "{failing:?}");
        assert_eq!(no.headers["retry-after"], "1");
        store.heal();
        opened(&rig, &of("purchase")).await;
    }
}

#[tokio::test]
async fn an_approval_that_was_noted_though_the_store_did_not_know_is_the_merchants() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let rig = rig_on(Arc::clone(&store) as Arc<dyn Store>).await;
    let go = Arc::new(Notify::new());
    *rig.bank.purchases.lock().unwrap() = Will::Wait(Arc::clone(&go));
    let id = opened(&rig, &of("bill")).await;
    let browser = rig.browse(&id).await;
    let paying = tokio::spawn(async move { browser.pay(PAN).await.json });
    rig.bank.wait_for("0200", 1).await;
    store.next_commits([Some(Failing::UnknownWritten)]);
    go.notify_one();
    assert_eq!(paying.await.unwrap()["result"], "paid", "the row says so, and the payer is told");
    assert_eq!(rig.look(&id).await["state"], "paid");
    let verify = format!("/v1/payments/{id}/verify");
    assert_eq!(rig.shop(Method::POST, &verify, &json!({ "amount": 17_000 })).await.json["verified"], true);
    rig.pass(86_400);
    assert!(rig.bank.seen("0420").is_empty(), "what was verified is not undone");
}

#[tokio::test]
async fn a_reversal_goes_on_where_it_was_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let rig = rig_on(Arc::new(SqliteStore::open(&file).unwrap())).await;
    *rig.bank.reversals.lock().unwrap() = Will::Refuse("96", "malfunction");
    let id = paid(&rig, &of("transfer"), PAN).await;
    rig.pass(1200);
    rig.bank.wait_for("0420", 1).await;
    rig.shut();
    // As a crash leaves it: the files as they are, with the first process still holding its own.
    let after = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, after.path().join(from.file_name().unwrap())).unwrap();
    }
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(after.path().join("gateway.db")).unwrap());
    let restarted = rig.another_on(&store).await;
    rig.clock.advance(400);
    restarted.running.sweep();
    rig.bank.wait_for("0421", 1).await;
    *rig.bank.reversals.lock().unwrap() = Will::Approve;
    until("its end", async || {
        rig.clock.advance(400);
        restarted.running.sweep();
        let key = format!("Bearer {}", crate::rig::API_KEY);
        let path = format!("/v1/payments/{id}");
        let told =
            call(restarted.address, Method::GET, &path, &[("authorization", &key)], &Value::Null).await;
        told.json["reversal"] == "acknowledged"
    })
    .await;
    let first = &rig.bank.seen("0420")[0];
    for repeat in rig.bank.seen("0421") {
        for field in [2, 3, 4, 11, 37, 90, 103] {
            assert_eq!(repeat.get(field), first.get(field), "field {field}");
        }
    }
}

#[tokio::test]
async fn a_bank_that_swallows_reversals_holds_up_no_other() {
    /// More than are asked for at once.
    const SWALLOWED: usize = 300;
    let rig = rig().await;
    let mut paying = JoinSet::new();
    let (address, wanted) = (rig.address, of("purchase"));
    for _ in 0..SWALLOWED {
        let id = opened(&rig, &wanted).await;
        paying.spawn(async move { browse(address, &id).await.pay(PAN).await.json["result"] == "paid" });
    }
    assert!(paying.join_all().await.into_iter().all(|paid| paid));
    rig.clock.advance(1);
    // Due last, so whoever takes what is due in its order comes to it last.
    let id = paid(&rig, &wanted, OF_ANOTHER_BANK).await;
    *rig.bank.reversals.lock().unwrap() = Will::Silence;
    rig.pass(1200);
    // However long it takes on a busy machine: what counts is that the bank was not given all there is to ask.
    until_within(Duration::from_secs(60), "the other bank's", async || {
        rig.look(&id).await["reversal"] == "acknowledged"
    })
    .await;
    assert_eq!(rig.other_bank.seen("0420").len(), 1);
    let swallowed = rig.bank.seen("0420").len();
    assert!((1..=64).contains(&swallowed), "{swallowed} are in the air");
}

#[tokio::test]
async fn payments_that_nobody_paid_hold_up_no_reversal() {
    /// More than are looked at within the patience of this test, if looks at them had pauses.
    const UNPAID: u16 = 8192;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let rig = rig_on(Arc::clone(&store)).await;
    let id = payment_id(&opened(&rig, &of("purchase")).await);
    let open = store.read(Table::Payment, &id).await.unwrap().unwrap();
    let due = Some(rig.clock.now().plus(Duration::from_secs(1200)));
    let another = |n: u16| {
        let mut key = id.to_vec();
        key[..2].copy_from_slice(&n.to_be_bytes());
        key[2] ^= 1;
        let (table, body) = (Table::Payment, open.body.clone());
        let (expected, head, forget_after) = (None, Head::EMPTY, None);
        let (sealed, journal, outbox) = (Vec::new(), Vec::new(), Vec::new());
        Change::Swap(Swap { table, key, expected, body, sealed, head, journal, outbox, due, forget_after })
    };
    store.commit((0..UNPAID).map(another).collect()).await.unwrap();
    // Due after all of them.
    rig.clock.advance(1);
    let id = paid(&rig, &of("purchase"), PAN).await;
    rig.pass(1200);
    rig.until_state(&id, "reversal", "acknowledged").await;
    let left = store.due(Table::Payment, rig.clock.now(), 1).await.unwrap();
    assert!(left.is_empty(), "they have expired");
}

fn payment_id(id: &str) -> [u8; 16] {
    hex::decode(id.replace('-', "")).unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_gateway_without_its_store_is_not_ready() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let rig = rig_on(Arc::clone(&store) as Arc<dyn Store>).await;
    let ready = async || {
        let told = call(rig.metrics, Method::GET, "/readyz", &[], &Value::Null).await;
        (told.status.as_u16(), told.text)
    };
    assert_eq!(ready().await, (200, "ready\n".into()));
    store.fail_reads(true);
    assert_eq!(ready().await, (503, "store down\n".into()));
    store.fail_reads(false);
    assert_eq!(ready().await, (200, "ready\n".into()));
}

/// An hour ahead, a copy would take back what its merchant may still verify.
#[tokio::test]
async fn a_copy_that_is_off_the_stores_clock_takes_nothing_back() {
    let store = Arc::new(MemoryStore::shared());
    let rig = rig_on(Arc::clone(&store) as Arc<dyn Store>).await;
    store.set_clock(rig.clock.now());
    let id = paid(&rig, &of("purchase"), PAN).await;
    tokio::time::sleep(limits::CLOCKS_COMPARED_EVERY * 2).await;
    rig.pass(3600);
    let told = call(rig.metrics, Method::GET, "/readyz", &[], &Value::Null).await;
    assert_eq!((told.status.as_u16(), told.text.as_str()), (503, "its clock is not the store's: set them\n"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(rig.bank.seen("0420").is_empty());
    // Nor does it begin anything, or tell the merchant by its own time.
    let no = rig.shop(Method::POST, "/v1/payments", &of("purchase")).await;
    assert_eq!((no.status.as_u16(), no.problem()), (503, "store-unavailable"));
    assert_eq!(rig.look(&id).await["state"], "paid");
    // It is an hour later after all.
    store.set_clock(rig.clock.now());
    until_within(Duration::from_secs(30), "the reversal", async || {
        rig.look(&id).await["reversal"] == "acknowledged"
    })
    .await;
}
