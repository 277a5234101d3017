//! Rows that a node keeps: nothing depends on them. What another node changed is seen, whether the decision writes or not.

use crate::bank::{Bank, CARD, Node, Told, on_both_stores, same};
use crate::guess::wrong;
use crate::messages::{Wish, code, repeated};

on_both_stores! {
    what_another_node_unlocked_pays_here,
    what_another_node_locked_does_not_pay_here,
    a_pin_that_another_node_spent_is_over_here,
    a_new_phone_at_another_node_gets_the_next_pin_of_this_one,
    what_writes_nothing_spoils_nothing_for_what_is_decided_with_it,
}

/// While the card is locked, a payment is refused and nothing is written: no lost swap would say that the kept row is old.
async fn what_another_node_unlocked_pays_here(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    let wish = Wish::purchase(310_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for expected in ["55", "55", "75", "75"] {
        same(bank.pay(&node, CARD, &wish, &wrong(&pin)).await?, expected.into(), "a wrong PIN")?;
    }
    let unlocked = second.admin("POST", &format!("/{}/unlock", bank.card(CARD)), "").await;
    same(unlocked.status, 200, "unlocked at the other node")?;
    let pin = bank.pin(&second, CARD, &Wish::purchase(320_000).at("000000140332125")).await?;
    let wish = Wish::purchase(320_000).at("000000140332125");
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the other node's PIN, here")
}

async fn what_another_node_locked_does_not_pay_here(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    let wish = Wish::purchase(330_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let locked = second.admin("POST", &format!("/{}/lock", bank.card(CARD)), "").await;
    same(locked.status, 200, "locked at the other node")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "75".into(), "the right PIN, here")?;
    same(bank.host.asked_in_all().times, 0, "asked of the host")
}

async fn a_pin_that_another_node_spent_is_over_here(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    let wish = Wish::purchase(340_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&second, CARD, &wish, &pin).await?, "00".into(), "at the other node")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "then here")?;
    same(bank.spent(CARD), 340_000, "debited")
}

/// The number lies in a sealed column that is kept with the row.
async fn a_new_phone_at_another_node_gets_the_next_pin_of_this_one(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    bank.pin(&node, CARD, &Wish::purchase(350_000)).await?;
    let (old, new) = (crate::messages::phone(CARD), "989127654321");
    let before = bank.operator.texts(&old).len();
    let body = format!(r#"{{"phone":"+{new}"}}"#);
    let changed = second.admin("PUT", &format!("/{}", bank.card(CARD)), &body).await;
    same(changed.status, 200, "changed at the other node")?;
    same(bank.ask_pin(&node, CARD, &Wish::purchase(360_000)).await.status, 202, "a PIN request, here")?;
    crate::bank::until("an SMS comes to the new phone", async || !bank.operator.texts(new).is_empty())
        .await?;
    same(bank.operator.texts(&old).len(), before, "texts to the old phone")
}

/// A repeat writes nothing. Of some at once, one or another comes into one turn with a payment, before it or behind it, on a kept row.
async fn what_writes_nothing_spoils_nothing_for_what_is_decided_with_it(bank: &Bank, node: Node) -> Told {
    let mut paid = Vec::new();
    for n in 0..3 {
        let wish = Wish::purchase(370_000 + n);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let payment = bank.payment(CARD, &wish, &pin);
        let answer = node.ask(&payment).await?;
        same(code(&answer), "00".into(), "a first payment")?;
        paid.push((payment, answer));
    }
    for round in 0..4 {
        let wish = Wish::purchase(380_000 + round);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let payment = bank.payment(CARD, &wish, &pin);
        let repeat = |(first, _): &(_, _)| node.asking(1, &repeated(first));
        let before: Vec<_> = paid.iter().take(2).map(repeat).collect();
        let paying = node.asking(0, &payment);
        let behind = paid.iter().skip(2).map(repeat).collect::<Vec<_>>();
        same(code(&paying.await?), "00".into(), "a payment among repeats")?;
        for (again, (_, first)) in before.into_iter().chain(behind).zip(&paid) {
            let approval = |answer: &ramz_iso8583::Message| answer.get(38).map(str::to_owned);
            same(approval(&again.await?), approval(first), "a repeat's approval")?;
        }
        same(bank.host.asked(&payment).debits, 1, "debited")?;
    }
    for (payment, _) in &paid {
        same(bank.host.asked(payment).debits, 1, "debited of the first")?;
    }
    Ok(())
}
