//! A request keeps its id in the logs, whoever takes its work up: it stands in the outbox rows of its work and of its SMS.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::admission::{cut_off, faulty};
use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same, until};
use crate::doubles::{Logs, Mood};
use crate::messages::{Wish, pan};

/// What was logged of a request, by message.
fn told(key: &str, message: &str) -> usize {
    let log = String::from_utf8(Logs::all().bytes()).unwrap();
    let span = format!("pin_request{{request={key}}}");
    log.lines().filter(|line| line.contains(&span) && line.contains(message)).count()
}

#[tokio::test]
async fn card_work_that_another_node_takes_up_keeps_the_id() {
    Logs::all();
    let key = "5c1f5f02-9d4c-4a0e-8a57-6f7f3b9f0a01";
    faulty(async |bank, node, store| {
        cut_off(bank, &node, store, CARD, key).await?;
        until("the failure is told", async || told(key, "card work failed") == 1).await?;
        bank.crash(node);
        bank.advance(16);
        let _node = bank.node().await;
        bank.text_after(CARD, 0).await?;
        until("the SMS is told", async || told(key, "SMS handed over") == 1).await?;
        // Whoever hands the SMS over does not wait for who led its work.
        until("the card's work is told", async || told(key, "card work done") == 1).await
    })
    .await;
}

on_both_stores! { an_sms_that_another_node_takes_over_keeps_the_id }

async fn an_sms_that_another_node_takes_over_keeps_the_id(bank: &Bank, node: Node) -> Told {
    Logs::all();
    // Another one for each store: the log is one for all tests.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let key = format!("5c1f5f02-9d4c-4a0e-8a57-{:012x}", NEXT.fetch_add(1, Ordering::SeqCst));
    bank.operator.is_in(Mood::Held);
    node.pin_request("page one", &key, &Wish::purchase(53_000).json(&pan(CARD))).await;
    until("the operator has it in hand", async || bank.operator.attempts() == 1).await?;
    bank.crash(node);
    same(told(&key, "SMS handed over"), 0, "lines of the SMS before the crash")?;
    bank.operator.is_in(Mood::Up);
    bank.advance(16);
    let _node = bank.node().await;
    bank.text_after(CARD, 0).await?;
    until("the SMS is told", async || told(&key, "SMS handed over") == 1).await
}
