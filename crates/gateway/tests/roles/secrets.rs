//! After a busy run, neither the store's files nor the logs hold a card number, a PIN or a CVV2.

use std::sync::Arc;

use ramz_api::problem::{Kind, Problem};
use ramz_store::SqliteStore;

use crate::kinds::{of, opened};
use crate::rig::{CVV2, OTHER_PAN, PAN, PIN, Will, logs, rig_on};

#[tokio::test]
async fn no_card_data_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let rig = rig_on(Arc::new(SqliteStore::open(&file).unwrap())).await;

    // Paid, refused, asked for, garbled, lost, reversed.
    rig.paid().await;
    let id = rig.payment().await;
    let browser = rig.browse(&id).await;
    assert_eq!(browser.ask(PAN, 1).await.status, 202);
    // A bank whose words repeat what it was sent.
    let repeats = Problem::new(Kind::Malformed, format!("There is no card {OTHER_PAN}."));
    *rig.asked.refuse.lock().unwrap() = Some(repeats);
    assert_eq!(browser.ask(OTHER_PAN, 2).await.problem(), "fault");
    *rig.asked.refuse.lock().unwrap() = None;
    *rig.bank.purchases.lock().unwrap() = Will::Refuse("55", "wrong_pin");
    browser.pay(OTHER_PAN).await;
    browser
        .call(axum::http::Method::POST, "authorise", &serde_json::json!({ "pan": PAN, "pin": [PIN] }))
        .await;

    // A payee that the merchant named, while it may be paid, after it was, and after it was not.
    *rig.bank.purchases.lock().unwrap() = Will::Approve;
    for kind in ["transfer", "bill", "top_up"] {
        opened(&rig, &of(kind)).await;
        let browser = rig.browse(&opened(&rig, &of(kind)).await).await;
        assert_eq!(browser.pay(PAN).await.json["result"], "paid");
        let cancelled = rig.browse(&opened(&rig, &of(kind)).await).await;
        cancelled.call(axum::http::Method::POST, "cancel", &serde_json::json!({})).await;
    }

    *rig.bank.purchases.lock().unwrap() = Will::Silence;
    *rig.bank.reversals.lock().unwrap() = Will::Refuse("96", "");
    let lost = tokio::spawn(async move { browser.pay(PAN).await });
    rig.bank.wait_for("0200", 6).await;
    rig.switch.cut();
    assert_eq!(lost.await.unwrap().json["result"], "unknown");

    let mut searched = 0;
    let mut search = |name: String, bytes: &[u8]| {
        searched += bytes.len();
        // Four digits are found by chance in any large file; as they were typed or sent, they are not.
        let cvv2 = [format!("01004{CVV2}"), format!("\"{CVV2}\"")];
        let payees = ["6037997000000019", "7748317800142", "9351234567"];
        for secret in [PAN, OTHER_PAN, PIN, "6104 3370", &cvv2[0], &cvv2[1]].into_iter().chain(payees) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    };
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        search(path.display().to_string(), &std::fs::read(&path).unwrap());
    }
    search("the logs".into(), &logs().bytes());
    assert!(searched > 10_000, "something was searched");
    rig.stop().await;
}
