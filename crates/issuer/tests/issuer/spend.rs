//! A PIN is spent once, also by many at the same instant and on two nodes; and only by its own payment, in its time.

use std::time::Duration;

use ramz_iso8583::Message;
use tokio::task::JoinSet;

use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same};
use crate::messages::{Wish, code};

on_both_stores! {
    a_pin_pays_once,
    of_64_at_once_one_pays,
    of_64_on_two_nodes_one_pays,
    another_amount_burns_the_pin,
    another_payee_burns_the_pin,
    another_kind_burns_the_pin,
    a_pin_is_good_for_120_seconds,
    every_kind_of_payment_is_paid,
}

/// Longer than a card host may take, with 64 at once.
const ANSWERED_BY_THEN: Duration = Duration::from_secs(20);

/// Field 39 of each answer, or `silence`, sorted.
pub(crate) async fn codes(nodes: &[&Node], messages: Vec<Message>) -> Result<Vec<String>, String> {
    let mut asking = JoinSet::new();
    for (at, message) in messages.into_iter().enumerate() {
        let link = nodes[at % nodes.len()].switch[0].clone();
        asking.spawn(async move { link.ask(message, ANSWERED_BY_THEN).await });
    }
    let mut codes = Vec::new();
    while let Some(answer) = asking.join_next().await {
        codes.push(match answer.unwrap() {
            Ok(answer) => code(&answer),
            Err(error) if error.was_sent() => "silence".to_owned(),
            Err(error) => return Err(error.to_string()),
        });
    }
    codes.sort();
    Ok(codes)
}

/// So many of each, sorted.
pub(crate) fn of(parts: &[(usize, &str)]) -> Vec<String> {
    parts.iter().flat_map(|(count, code)| vec![(*code).to_owned(); *count]).collect()
}

pub(crate) async fn a_pin_pays_once(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(1_250_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(pin.len(), 7, "digits")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the right PIN")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the same PIN again")?;
    same(bank.spent(CARD), 1_250_000, "debited")?;
    same(bank.state(CARD).await.failures(), 0, "a spent PIN is no guess; failures")?;
    same(
        bank.story(CARD).await,
        ["Created", "PinIssued", "PinSpent", "HostAnswered"].map(String::from).to_vec(),
        "story",
    )
}

pub(crate) async fn of_64_at_once_one_pays(bank: &Bank, node: Node) -> Told {
    one_of_64_pays(bank, &[&node]).await
}

pub(crate) async fn of_64_on_two_nodes_one_pays(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    one_of_64_pays(bank, &[&node, &second]).await
}

async fn one_of_64_pays(bank: &Bank, nodes: &[&Node]) -> Told {
    let wish = Wish::purchase(40_000);
    let pin = bank.pin(nodes[0], CARD, &wish).await?;
    let payments = (0..64).map(|_| bank.payment(CARD, &wish, &pin)).collect();
    (bank.build.attack)();
    same(codes(nodes, payments).await?, of(&[(1, "00"), (63, "55")]), "answers")?;
    same(bank.spent(CARD), 40_000, "debited")?;
    same(bank.host.asked_in_all().times, 1, "asked of the host")?;
    let state = bank.state(CARD).await;
    same(state.failures(), 0, "failures")?;
    let pin = bank.pin(nodes[0], CARD, &wish).await?;
    same(bank.pay(nodes[0], CARD, &wish, &pin).await?, "00".into(), "the next PIN: the card is not locked")
}

pub(crate) async fn another_amount_burns_the_pin(bank: &Bank, node: Node) -> Told {
    burns(bank, &node, &Wish::purchase(1_000_001)).await
}

async fn another_payee_burns_the_pin(bank: &Bank, node: Node) -> Told {
    burns(bank, &node, &Wish::purchase(1_000_000).at("000000140332125")).await
}

async fn another_kind_burns_the_pin(bank: &Bank, node: Node) -> Told {
    burns(bank, &node, &Wish::purchase(1_000_000).of("top_up")).await
}

async fn burns(bank: &Bank, node: &Node, other: &Wish) -> Told {
    let wish = Wish::purchase(1_000_000);
    let pin = bank.pin(node, CARD, &wish).await?;
    same(bank.pay(node, CARD, other, &pin).await?, "59".into(), "for another payment")?;
    same(bank.state(CARD).await.failures(), 1, "counted")?;
    same(bank.pay(node, CARD, &wish, &pin).await?, "55".into(), "then for its own")?;
    same(bank.state(CARD).await.failures(), 1, "a burnt PIN counts no more")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")?;
    same(
        bank.story(CARD).await,
        ["Created", "PinIssued", "PinBurnt", "Refused"].map(String::from).to_vec(),
        "story",
    )
}

async fn a_pin_is_good_for_120_seconds(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(7_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.advance(119);
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "after 119 s")?;
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.advance(120);
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "after 120 s")?;
    same(bank.state(CARD).await.failures(), 0, "an expired PIN is no guess; failures")
}

async fn every_kind_of_payment_is_paid(bank: &Bank, node: Node) -> Told {
    for kind in ["purchase", "transfer", "bill", "top_up", "balance"] {
        let amount = if kind == "balance" { 0 } else { 9_000 };
        let wish = Wish::purchase(amount).of(kind);
        let pin = bank.pin(&node, CARD, &wish).await?;
        same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), kind)?;
    }
    same(bank.spent(CARD), 4 * 9_000, "debited")
}
