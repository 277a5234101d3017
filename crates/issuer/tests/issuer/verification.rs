//! Verification over HTTP: the same PINs, spent by the same rules, for a bank whose switch calls a service.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ramz_domain::{Pan, Pin};
use ramz_keys::{Keys as _, PinBlockFormat};
use ramz_store::faults::{Failing, FaultyStore};
use ramz_store::{MemoryStore, Table};
use tokio::task::JoinSet;

use crate::bank::{Bank, Build, CARD, CLOSED, Node, OTHER_CARD, Told, UNKNOWN, on_both_stores, same, tried};
use crate::doubles::Logs;
use crate::guess::wrong;
use crate::messages::{ACQUIRER, EXPIRY, MERCHANT, TERMINAL, Wish, pan};
use crate::wires::{Reply, http};

on_both_stores! {
    a_right_pin_is_approved_once,
    of_64_verifications_at_once_one_is_approved,
    of_64_on_two_nodes_one_is_approved,
    a_repeat_gets_the_same_answer,
    a_pin_block_is_as_good_as_a_pin,
    wrong_pins_count_and_lock,
    an_outcome_is_taken_once,
    a_reversed_verification_revives_nothing,
    nobody_else_reaches_a_verification,
    every_misuse_is_named,
    each_kind_is_verified,
    no_pin_in_the_clear_is_left_behind,
}

/// What is sent, member by member.
#[derive(Clone)]
pub(crate) struct Ask {
    pan: String,
    expiry: String,
    pub(crate) pin: String,
    payment: String,
    stan: u32,
}

static STANS: AtomicU32 = AtomicU32::new(1);

impl Ask {
    pub(crate) fn of(n: u32, wish: &Wish, pin: &str) -> Ask {
        let json: serde_json::Value = serde_json::from_str(&wish.json(&pan(n))).unwrap();
        Ask {
            pan: pan(n),
            expiry: EXPIRY.into(),
            pin: format!(r#""pin":"{pin}""#),
            payment: json["payment"].to_string(),
            stan: STANS.fetch_add(1, Ordering::SeqCst),
        }
    }

    fn json(&self) -> String {
        let Ask { pan, expiry, pin, payment, stan } = self;
        format!(
            r#"{{"pan":"{pan}","expiry":"{expiry}","slot":"second",{pin},"payment":{payment},"transaction":
            {{"stan":"{stan:06}","rrn":"{stan:012}","acquirer":"{ACQUIRER}","terminal":"{TERMINAL}",
            "local_time":"2026-11-24T05:22:44"}}}}"#
        )
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

pub(crate) async fn verify(node: &Node, ask: &Ask) -> Reply {
    as_verifier(node, "core", "", &ask.json()).await
}

async fn as_verifier(node: &Node, name: &str, path: &str, body: &str) -> Reply {
    node.api.peers_are(Some(name));
    let reply = http(node.running.api, "POST", &format!("/v1/verifications{path}"), &JSON, body).await;
    node.api.peers_are(Some("router"));
    reply
}

pub(crate) async fn outcome(node: &Node, id: &str, outcome: &str) -> Reply {
    as_verifier(node, "core", &format!("/{id}/outcome"), &format!(r#"{{"outcome":"{outcome}"}}"#)).await
}

/// Verdict and response code.
fn said(reply: &Reply) -> (String, String) {
    let json = reply.json();
    let text = |name: &str| json[name].as_str().unwrap_or("none").to_owned();
    (text("verdict"), text("response_code"))
}

fn id(reply: &Reply) -> String {
    reply.json()["verification"].as_str().unwrap_or("none").to_owned()
}

fn approved() -> (String, String) {
    ("approved".into(), "00".into())
}

fn refused(code: &str) -> (String, String) {
    ("refused".into(), code.into())
}

async fn a_right_pin_is_approved_once(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(101_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let reply = verify(&node, &Ask::of(CARD, &wish, &pin)).await;
    same((reply.status, said(&reply)), (200, approved()), "the right PIN")?;
    same(said(&verify(&node, &Ask::of(CARD, &wish, &pin)).await), refused("55"), "the same PIN again")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "and over ISO 8583")?;
    same(bank.story(CARD).await, ["Created", "PinIssued", "PinSpent"].map(String::from).to_vec(), "story")?;
    same(said(&verify(&node, &Ask::of(UNKNOWN, &wish, &pin)).await), refused("14"), "an unknown card")?;
    same(said(&verify(&node, &Ask::of(CLOSED, &wish, &pin)).await), refused("57"), "a closed card")
}

async fn of_64_verifications_at_once_one_is_approved(bank: &Bank, node: Node) -> Told {
    one_of_64(bank, &[&node]).await
}

async fn of_64_on_two_nodes_one_is_approved(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    one_of_64(bank, &[&node, &second]).await
}

async fn one_of_64(bank: &Bank, nodes: &[&Node]) -> Told {
    let wish = Wish::purchase(102_000);
    let pin = bank.pin(nodes[0], CARD, &wish).await?;
    nodes.iter().for_each(|node| node.api.peers_are(Some("core")));
    let mut asking = JoinSet::new();
    for at in 0..64 {
        let (to, body) = (nodes[at % nodes.len()].running.api, Ask::of(CARD, &wish, &pin).json());
        asking.spawn(async move { said(&http(to, "POST", "/v1/verifications", &JSON, &body).await) });
    }
    let mut verdicts = Vec::new();
    while let Some(told) = asking.join_next().await {
        verdicts.push(told.unwrap());
    }
    same(verdicts.iter().filter(|told| **told == approved()).count(), 1, "approved")?;
    same(verdicts.iter().filter(|told| **told == refused("55")).count(), 63, "refused")?;
    same(bank.state(CARD).await.failures(), 0, "a spent PIN is no guess; failures")
}

async fn a_repeat_gets_the_same_answer(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(103_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let bad = Ask::of(CARD, &wish, &wrong(&pin));
    let right = Ask::of(CARD, &wish, &pin);
    for ask in [&bad, &right] {
        let first = verify(&node, ask).await;
        same(verify(&node, ask).await, first.clone(), "the same again")?;
        // The PIN is not compared: another one under the same identity is no second guess.
        let other = Ask { pin: r#""pin":"0000000""#.into(), ..ask.clone() };
        same(verify(&node, &other).await, first, "the same with another PIN")?;
    }
    same(bank.state(CARD).await.failures(), 0, "failures, after the right one")?;
    let content = Ask { payment: Ask::of(CARD, &Wish::purchase(103_001), &pin).payment, ..right.clone() };
    same(said(&verify(&node, &content).await), refused("94"), "other content")?;
    let first = verify(&node, &right).await;
    bank.crash(node);
    let node = bank.node().await;
    same(verify(&node, &right).await, first.clone(), "after a crash")?;
    same(outcome(&node, &id(&first), "declined").await.status, 200, "its outcome")?;
    same(verify(&node, &right).await, first, "after its outcome: the PIN was right")
}

async fn a_pin_block_is_as_good_as_a_pin(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(104_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let block = |pin: &str, pan: &str| {
        let (pin, pan) = (Pin::parse(pin).unwrap(), Pan::parse(pan).unwrap());
        hex::encode(&bank.soft.make_pin_block(&pin, &pan, "switch", PinBlockFormat::Iso0).unwrap().bytes)
    };
    let with = |format: u8, zone: &str, hex: &str| Ask {
        pin: format!(r#""pin_block":{{"format":{format},"zone":"{zone}","hex":"{hex}"}}"#),
        ..Ask::of(CARD, &wish, &pin)
    };
    for (ask, at) in [
        (with(0, "host", &block(&pin, &pan(CARD))), "/pin_block/zone"),
        (with(3, "switch", &block(&pin, &pan(CARD))), "/pin_block/format"),
        (with(0, "switch", "5a5a5a5a5a5a5a5a"), "/pin_block/hex"),
    ] {
        let reply = verify(&node, &ask).await;
        same((reply.status, reply.pointers()), (400, vec![at.to_owned()]), at)?;
    }
    same(
        said(&verify(&node, &with(0, "switch", &block(&wrong(&pin), &pan(CARD)))).await),
        refused("55"),
        "wrong",
    )?;
    same(said(&verify(&node, &with(0, "switch", &block(&pin, &pan(CARD)))).await), approved(), "right")
}

async fn wrong_pins_count_and_lock(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(105_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let expiry = Ask { expiry: "3005".into(), ..Ask::of(CARD, &wish, &pin) };
    same(said(&verify(&node, &expiry).await), refused("54"), "a wrong expiry")?;
    same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, "55".into(), "one over ISO 8583")?;
    for code in ["55", "75", "75"] {
        same(said(&verify(&node, &Ask::of(CARD, &wish, &wrong(&pin))).await), refused(code), "a wrong PIN")?;
    }
    same(said(&verify(&node, &Ask::of(CARD, &wish, &pin)).await), refused("75"), "the right PIN")?;
    same(bank.keys.compared(), 3, "comparisons")?;
    let pin = bank.pin(&node, OTHER_CARD, &wish).await?;
    let other = Ask::of(OTHER_CARD, &Wish::purchase(105_001), &pin);
    same(said(&verify(&node, &other).await), refused("59"), "the PIN of another payment")
}

async fn an_outcome_is_taken_once(bank: &Bank, node: Node) -> Told {
    for (first, other) in [("approved", "declined"), ("declined", "approved")] {
        let wish = Wish::purchase(106_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let reply = verify(&node, &Ask::of(CARD, &wish, &pin)).await;
        for _ in 0..2 {
            let told = outcome(&node, &id(&reply), first).await;
            same((told.status, told.json()["outcome"].as_str()), (200, Some(first)), "an outcome, twice")?;
        }
        let told = outcome(&node, &id(&reply), other).await;
        same((told.status, told.problem().as_str()), (409, "already-exists"), "another outcome")?;
    }
    let answered = bank.story(CARD).await.into_iter().filter(|entry| entry == "HostAnswered").count();
    same(answered, 2, "entries")
}

async fn a_reversed_verification_revives_nothing(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(107_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let ask = Ask::of(CARD, &wish, &pin);
    let reply = verify(&node, &ask).await;
    same(outcome(&node, &id(&reply), "approved").await.status, 200, "approved")?;
    for _ in 0..2 {
        same(outcome(&node, &id(&reply), "reversed").await.status, 200, "then reversed")?;
    }
    same(outcome(&node, &id(&reply), "approved").await.status, 409, "then approved")?;
    same(said(&verify(&node, &ask).await), refused("12"), "the verification again")?;
    same(said(&verify(&node, &Ask::of(CARD, &wish, &pin)).await), refused("55"), "the PIN in another")
}

async fn nobody_else_reaches_a_verification(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(108_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let ask = Ask::of(CARD, &wish, &pin);
    for name in ["router", "page", "nobody"] {
        let reply = as_verifier(&node, name, "", &ask.json()).await;
        same((reply.status, reply.problem().as_str()), (401, "unknown-asker"), name)?;
    }
    let reply = verify(&node, &ask).await;
    same(said(&reply), approved(), "its own")?;
    let path = format!("/{}/outcome", id(&reply));
    let body = r#"{"outcome":"reversed"}"#;
    for (name, status) in [("router", 401), ("other core", 404)] {
        same(as_verifier(&node, name, &path, body).await.status, status, name)?;
    }
    for unknown in ["8e03978e-40d5-43dd-bc93-6894a57f9324", "x", "%00"] {
        same(outcome(&node, unknown, "approved").await.status, 404, unknown)?;
    }
    let bad = verify(&node, &Ask::of(CARD, &wish, &pin)).await;
    same(
        (said(&bad), outcome(&node, &id(&bad), "approved").await.status),
        (refused("55"), 404),
        "a refused one",
    )?;
    // The same transaction of another verifier is another one.
    same(
        said(&as_verifier(&node, "other core", "", &ask.json()).await),
        refused("55"),
        "another verifier's",
    )?;
    same(outcome(&node, &id(&reply), "approved").await.status, 200, "the outcome, untouched by all that")
}

async fn every_misuse_is_named(bank: &Bank, node: Node) -> Told {
    let ask = Ask::of(CARD, &Wish::purchase(109_000), "0472013");
    let body = ask.json();
    for (from, to, status, at) in [
        (pan(CARD), "4111111111111111".to_owned(), 404, "/pan"),
        ("second".into(), "first".into(), 400, "/slot"),
        ("0472013".into(), "12345".repeat(3), 400, "/pin"),
        ("109000".into(), "-1".into(), 400, "/payment/amount"),
        (MERCHANT.into(), String::new(), 400, "/payment/payee/merchant"),
        ("2026-11-24T05:22:44".into(), "now".into(), 400, "/transaction/local_time"),
    ] {
        let reply = as_verifier(&node, "core", "", &body.replacen(&from, &to, 1)).await;
        same((reply.status, reply.pointers()), (status, vec![at.to_owned()]), at)?;
        same(
            reply.body.contains("0472013") || reply.body.contains(&pan(CARD)[6..]),
            false,
            "repeats a secret",
        )?;
    }
    let plain = http(node.running.api, "POST", "/v1/verifications", &[], &body).await.status;
    same(plain, 401, "a router, without a media type")?;
    node.api.peers_are(Some("core"));
    same(http(node.running.api, "POST", "/v1/verifications", &[], &body).await.status, 415, "no media type")?;
    same(http(node.running.api, "GET", "/v1/verifications", &JSON, "").await.status, 405, "a GET")?;
    same(bank.keys.compared(), 0, "comparisons")
}

async fn each_kind_is_verified(bank: &Bank, node: Node) -> Told {
    for kind in ["purchase", "transfer", "bill", "top_up", "balance"] {
        let wish = Wish::purchase(if kind == "balance" { 0 } else { 9_000 }).of(kind);
        let pin = bank.pin(&node, CARD, &wish).await?;
        same(said(&verify(&node, &Ask::of(CARD, &wish, &pin)).await), approved(), kind)?;
    }
    Ok(())
}

async fn no_pin_in_the_clear_is_left_behind(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(110_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let guess = wrong(&pin);
    for pin in [&guess, &pin] {
        let reply = verify(&node, &Ask::of(CARD, &wish, pin)).await;
        outcome(&node, &id(&reply), "approved").await;
    }
    bank.settled().await?;
    let traced: String = bank.trace.facts().iter().map(|fact| format!("{fact:?}\n")).collect();
    let logs = String::from_utf8_lossy(&Logs::all().bytes()).into_owned();
    let numbers =
        |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect::<Vec<_>>();
    let (traced, logged, stored) = (numbers(&traced), numbers(&logs), bank.stored().await);
    same(stored.len() > 1000, true, "something was looked through")?;
    for secret in [&pin, &guess, &pan(CARD)] {
        same(traced.contains(secret) || logged.contains(secret), false, "in the trace or the log")?;
        same(stored.windows(secret.len()).any(|window| window == secret.as_bytes()), false, "in the store")?;
    }
    Ok(())
}

#[tokio::test]
async fn a_verification_that_cannot_be_kept_is_not_approved() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let told = tried(Build::over(store.clone()), async |bank, node| {
        let wish = Wish::purchase(111_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        let ask = Ask::of(CARD, &wish, &pin);
        // The card's swap fails; then it is kept, and the record that finds it is not.
        for plan in [vec![Some(Failing::Unavailable)], vec![None, Some(Failing::Unavailable)]] {
            store.next_commits(plan);
            let reply = verify(&node, &ask).await;
            same((reply.status, reply.problem().as_str()), (503, "issuer-unavailable"), "not kept")?;
        }
        let reply = verify(&node, &ask).await;
        same(said(&reply), approved(), "the same again")?;
        same(outcome(&node, &id(&reply), "approved").await.status, 200, "its outcome")?;
        store.poison(Table::Card, &bank.card(CARD).0);
        same(outcome(&node, &id(&reply), "reversed").await.status, 500, "an outcome that is not kept")?;
        store.heal();
        same(outcome(&node, &id(&reply), "reversed").await.status, 200, "the same again")
    });
    assert_eq!(told.await, Ok(()));
}
