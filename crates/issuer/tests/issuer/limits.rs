//! How many SMS go out: the button can neither flood a phone nor keep a card's holder from paying, and who presses it
//! learns nothing of it.

use std::iter::repeat_n;
use std::sync::Arc;
use std::time::Duration;

use ramz_domain::card::NotSent;
use ramz_issuer::config::LimitsConfig;
use ramz_store::MemoryStore;
use ramz_store::faults::{Failing, FaultyStore};
use tokio::task::JoinSet;

use crate::bank::{Bank, Build, CARD, Node, OTHER_CARD, Told, on_both_stores, same, tried, until};
use crate::messages::{Wish, pan, phone};
use crate::settings::limits;
use crate::wires::{Reply, http};

on_both_stores! {
    a_flood_is_a_few_sms,
    a_flood_over_two_nodes_is_a_few_sms,
    the_holder_pays_while_a_stranger_presses_the_button,
    no_request_ends_the_pin_that_is_about_to_be_used,
    what_is_limited_gets_the_same_202,
    what_holds_is_shown_and_lifted,
    a_restart_forgets_nothing_of_a_card,
}

/// The body of a request whose payer is told apart.
fn from(payer: &str, wish: &Wish, n: u32) -> String {
    wish.json(&pan(n)).replacen('{', &format!(r#"{{"payer":"payer-of-a-page-{payer}","#), 1)
}

async fn ask_from(bank: &Bank, node: &Node, payer: &str, wish: &Wish, n: u32) -> Reply {
    node.pin_request("page one", &bank.key(), &from(payer, wish, n)).await
}

pub(crate) async fn a_flood_is_a_few_sms(bank: &Bank, node: Node) -> Told {
    flood(bank, &[&node]).await
}

pub(crate) async fn a_flood_over_two_nodes_is_a_few_sms(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    flood(bank, &[&node, &second]).await
}

/// An hour of pressing the button, eight at once, for ever other amounts: a third of what a card is sent in an hour.
async fn flood(bank: &Bank, nodes: &[&Node]) -> Told {
    (bank.build.attack)();
    for round in 0..12 {
        let mut asking = JoinSet::new();
        for n in 0..8 {
            let wish = Wish::purchase(1_000 + round * 8 + n);
            let (key, body) = (bank.key(), wish.json(&pan(CARD)));
            let to = nodes[usize::try_from(n).unwrap() % nodes.len()].running.api;
            asking.spawn(async move {
                let headers = [
                    ("content-type", "application/json"),
                    ("idempotency-key", &*key),
                    ("ramz-asker", "page"),
                ];
                http(to, "POST", "/v1/pin-requests", &headers, &body).await.status
            });
        }
        while let Some(status) = asking.join_next().await {
            same(status.unwrap(), 202, "a request")?;
        }
        bank.settled().await?;
        bank.advance(121);
    }
    let story = bank.story(CARD).await;
    same(story.iter().filter(|entry| *entry == "PinIssued").count(), 5, "PINs issued")?;
    same(bank.operator.texts(&phone(CARD)).len(), 5, "SMS")?;
    let not_sent = story.iter().filter(|entry| *entry == "PinNotSent").count();
    same(not_sent, 12 * 8 - 5, "entries that say so")
}

async fn the_holder_pays_while_a_stranger_presses_the_button(bank: &Bank, node: Node) -> Told {
    for round in 0..30 {
        for n in 0..3 {
            ask_from(bank, &node, "stranger", &Wish::purchase(5_000 + round * 3 + n), CARD).await;
        }
        bank.settled().await?;
        if round % 10 == 9 {
            let (wish, before) = (Wish::purchase(1_250_000), bank.operator.texts(&phone(CARD)).len());
            same(ask_from(bank, &node, "holder", &wish, CARD).await.status, 202, "the holder's request")?;
            let pin = bank.text_after(CARD, before).await?.pin();
            same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the holder's payment")?;
        }
        bank.advance(121);
    }
    same(bank.operator.texts(&phone(CARD)).len(), 5 + 3, "SMS: the stranger's share, and the holder's")
}

async fn no_request_ends_the_pin_that_is_about_to_be_used(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(1_250_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for n in 0..20 {
        bank.ask_pin(&node, CARD, &Wish::purchase(1_250_001 + n)).await;
        ask_from(bank, &node, &format!("stranger {n}").replace(' ', "-"), &Wish::purchase(7), CARD).await;
    }
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len() <= 3, true, "a few SMS")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the holder's payment")
}

async fn what_is_limited_gets_the_same_202(bank: &Bank, node: Node) -> Told {
    let normal = |mut reply: Reply| -> Result<Reply, String> {
        let id = reply.json()["request"].as_str().ok_or("no request id")?.to_owned();
        reply.body = reply.body.replace(&id, "ID");
        Ok(reply)
    };
    let wish = |n: u64| Wish::purchase(9_000 + n);
    let first = normal(ask_from(bank, &node, "one", &wish(0), OTHER_CARD).await)?;
    same(first.status, 202, "a request that is served")?;
    for n in 1..40 {
        let reply = normal(ask_from(bank, &node, "one", &wish(n), CARD).await)?;
        same(reply, first.clone(), "a request beyond the card's, the door's and the payer's limit")?;
    }
    bank.settled().await?;
    let metrics = http(node.metrics, "GET", "/metrics", &[], "").await.body;
    for why in [NotSent::DoorLimit, NotSent::PayerLimit] {
        let line = format!("ramz_pins_not_sent_total{{reason=\"{}\"}}", why.code());
        same(metrics.contains(&line), true, &line)?;
    }
    Ok(())
}

async fn what_holds_is_shown_and_lifted(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    for n in 0..60 {
        ask_from(bank, &node, &format!("door-{n}"), &Wish::purchase(100 + n), CARD).await;
        bank.settled().await?;
        bank.advance(130);
    }
    let shown = node.admin("GET", &card, "").await.json();
    same(shown["unspent_sms"].as_u64(), Some(40), "SMS in a day")?;
    // The first went out 60 × 130 s ago.
    same(shown["sms_held_until"].as_str(), Some("2026-11-25T01:52:44Z"), "held until")?;
    same(bank.operator.texts(&phone(CARD)).len(), 40, "SMS")?;
    let lifted = node.admin("POST", &format!("{card}/unlock"), "").await.json();
    same(lifted["sms_held_until"].is_null(), true, "lifted")?;
    bank.pin(&node, CARD, &Wish::purchase(1)).await.map(drop)
}

async fn a_restart_forgets_nothing_of_a_card(bank: &Bank, node: Node) -> Told {
    for n in 0..5 {
        bank.pin(&node, CARD, &Wish::purchase(100 + n)).await?;
        bank.settled().await?;
        bank.advance(121);
    }
    bank.crash(node);
    let node = bank.node().await;
    bank.ask_pin(&node, CARD, &Wish::purchase(200)).await;
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 5, "SMS")
}

async fn with(limits: LimitsConfig, scenario: impl AsyncFn(&Bank, Node) -> Told) {
    let told = tried(Build { limits, ..Build::default() }, scenario).await;
    assert_eq!(told, Ok(()));
}

#[tokio::test]
async fn a_phone_is_not_flooded_by_its_cards() {
    with(LimitsConfig { phone_in_2_min: 4, ..limits() }, async |bank, node| {
        let cards = [11, 12, 13, 14, 15];
        for n in cards {
            bank.add(&node, n, Some(CARD)).await;
            bank.ask_pin(&node, n, &Wish::purchase(50_000)).await;
            bank.settled().await?;
        }
        same(bank.operator.texts(&phone(CARD)).len(), 4, "SMS to the phone")?;
        same(
            bank.story(15).await,
            ["Created", "PinIssued", "PinNotSent"].map(String::from).to_vec(),
            "story",
        )?;
        same(bank.state(15).await.open(bank.now()).count(), 0, "a PIN that nobody knows is not left open")?;
        let shown = node.admin("GET", &format!("/{}", bank.card(15)), "").await.json();
        same(shown["phone_held_until"].is_string(), true, "shown at each of its cards")?;
        bank.advance(31);
        bank.ask_pin(&node, 15, &Wish::purchase(50_000)).await;
        until("one more comes", async || bank.operator.texts(&phone(CARD)).len() == 5).await
    })
    .await;
}

/// Or the limit would be passed just when the store has too much to do.
#[tokio::test]
async fn what_a_phone_is_not_to_get_stays_back_though_that_could_not_be_noted_at_first() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let build =
        Build { limits: LimitsConfig { phone_in_2_min: 1, ..limits() }, ..Build::over(store.clone()) };
    let told = tried(build, async |bank, node| {
        bank.pin(&node, CARD, &Wish::purchase(50_000)).await?;
        bank.settled().await?;
        let before = store.batches().len();
        // The request and the card's work are written, and nothing after them.
        store.next_commits([None, None].into_iter().chain(repeat_n(Some(Failing::Unavailable), 40)));
        bank.ask_pin(&node, CARD, &Wish::purchase(60_000)).await;
        // Its refusal, and that the request is done with: together, or one after the other.
        until("no more is written", async || store.batches().len() >= before + 3).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let noted = bank.story(CARD).await.contains(&"PinNotSent".to_owned());
        same(noted, false, "it could not be noted")?;
        store.heal();
        bank.advance(16);
        until("it is noted", async || bank.story(CARD).await.contains(&"PinNotSent".to_owned())).await?;
        same(bank.operator.texts(&phone(CARD)).len(), 1, "SMS to the phone")
    })
    .await;
    assert_eq!(told, Ok(()));
}

#[tokio::test]
async fn a_payee_and_an_iin_are_limited_over_all_cards() {
    for limits in [LimitsConfig { payee_in_hour: 2, ..limits() }, LimitsConfig { iin_per_s: 2, ..limits() }] {
        with(limits, async |bank, node| {
            for n in [21, 22, 23] {
                bank.add(&node, n, Some(n)).await;
                same(bank.ask_pin(&node, n, &Wish::purchase(60_000)).await.status, 202, "a request")?;
                bank.settled().await?;
            }
            let sent = [21, 22, 23].map(|n| bank.operator.texts(&phone(n)).len());
            same(sent, [1, 1, 0], "SMS")?;
            same(bank.story(23).await, ["Created", "PinNotSent"].map(String::from).to_vec(), "story")
        })
        .await;
    }
}

#[tokio::test]
async fn only_the_askers_own_rate_is_told() {
    with(LimitsConfig { asker_per_s: 5, ..limits() }, async |bank, node| {
        let wish = Wish::purchase(70_000);
        for _ in 0..5 {
            same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "a request")?;
        }
        for body in [wish.json(&pan(CARD)), "{".to_owned()] {
            let refused = node.pin_request("page one", &bank.key(), &body).await;
            same((refused.status, refused.problem().as_str()), (429, "too-many-requests"), "one more")?;
            same(refused.head.to_lowercase().contains("retry-after: 1"), true, "Retry-After")?;
        }
        let metrics = http(node.metrics, "GET", "/metrics", &[], "").await.body;
        let counted = "ramz_pin_requests_total{outcome=\"too-many-requests\"} 2\n";
        same(metrics.contains(counted), true, "they are counted")?;
        let other = node.pin_request("page two", &bank.key(), &wish.json(&pan(OTHER_CARD))).await;
        same(other.status, 202, "another asker")?;
        bank.clock.advance(Duration::from_secs(1));
        same(bank.ask_pin(&node, OTHER_CARD, &wish).await.status, 202, "a second later")
    })
    .await;
}

#[tokio::test]
async fn a_payer_must_not_be_named() {
    with(limits(), async |_, node| {
        let wish = Wish::purchase(80_000);
        for payer in ["192.0.2.77", "a name with spaces", "", "2001:db8::1:2:3:4:5"] {
            let body = wish.json(&pan(CARD)).replacen('{', &format!(r#"{{"payer":"{payer}","#), 1);
            let reply = node.pin_request("page one", "8e03978e-40d5-43dd-bc93-0000000fffff", &body).await;
            same((reply.status, reply.pointers()), (400, vec!["/payer".to_owned()]), payer)?;
        }
        Ok(())
    })
    .await;
}
