//! The door for PIN requests: one answer for every card, one request for one key, and every error named.

use crate::bank::{Bank, CARD, CLOSED, NO_PHONE, Node, OTHER_CARD, Told, UNKNOWN, on_both_stores, same};
use crate::guess::wrong;
use crate::messages::{EXPIRY, Wish, pan, phone};
use crate::wires::{Reply, http};

on_both_stores! {
    every_card_gets_the_same_202,
    one_key_is_one_request,
    what_nobody_waits_for_is_not_admitted,
    every_error_is_named,
    a_key_may_be_quoted,
    an_asker_of_its_own_keeps_to_what_it_may,
    the_sms_shows_what_is_paid,
}

/// The answer without what is random in it: the request's id.
fn normal(mut reply: Reply) -> Result<Reply, String> {
    let id = reply.json()["request"].as_str().ok_or("no request id")?.to_owned();
    same(id.len(), 36, "an id's length")?;
    reply.body = reply.body.replace(&id, "ID");
    Ok(reply)
}

async fn every_card_gets_the_same_202(bank: &Bank, node: Node) -> Told {
    // One card is locked, one was asked for too often.
    const LOCKED: u32 = 5;
    bank.add(&node, LOCKED, Some(LOCKED)).await;
    let wish = Wish::purchase(41_000);
    let pin = bank.pin(&node, LOCKED, &wish).await?;
    for _ in 0..3 {
        bank.pay(&node, LOCKED, &wish, &wrong(&pin)).await?;
    }
    for _ in 0..4 {
        bank.ask_pin(&node, OTHER_CARD, &wish).await;
    }
    bank.settled().await?;
    let first = normal(bank.ask_pin(&node, CARD, &wish).await)?;
    same(first.status, 202, "a known card")?;
    for (n, what) in [
        (UNKNOWN, "an unknown card"),
        (LOCKED, "a locked card"),
        (NO_PHONE, "a card without a phone"),
        (CLOSED, "a closed card"),
        (OTHER_CARD, "a card asked for too often"),
    ] {
        same(normal(bank.ask_pin(&node, n, &wish).await)?, first.clone(), what)?;
    }
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 1, "SMS to the known card")?;
    same(bank.operator.texts(&phone(LOCKED)).len(), 1, "SMS to the locked card, before it was")?;
    same(bank.operator.texts(&phone(OTHER_CARD)).len(), 1, "SMS to the card asked for too often")?;
    same(bank.operator.texts(&phone(CLOSED)).len(), 0, "SMS to the closed card")
}

async fn one_key_is_one_request(bank: &Bank, node: Node) -> Told {
    let (key, body) = (bank.key(), Wish::purchase(42_000).json(&pan(CARD)));
    let first = node.pin_request("page one", &key, &body).await;
    same(first.status, 202, "the first")?;
    same(node.pin_request("page one", &key, &body).await, first.clone(), "the same again")?;
    let spaced = body.replace(":{", " : {\n");
    same(
        node.pin_request("page one", &key, &spaced).await.body,
        first.body.clone(),
        "the same, written otherwise",
    )?;
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 1, "SMS")?;
    for other in [Wish::purchase(42_001).json(&pan(CARD)), Wish::purchase(42_000).json(&pan(OTHER_CARD))] {
        let refused = node.pin_request("page one", &key, &other).await;
        same((refused.status, refused.problem()), (409, "idempotency-conflict".into()), "another body")?;
    }
    let independent =
        node.pin_request("page two", &key, &Wish::purchase(42_002).json(&pan(OTHER_CARD))).await;
    same(independent.status, 202, "another asker's")?;
    same(independent.body == first.body, false, "another asker's id is the same")?;
    // After a day the key is forgotten; until then it is kept by every node.
    bank.advance(24 * 3600 - 1);
    let second = bank.node().await;
    same(
        second.pin_request("page one", &key, &body).await.body,
        first.body,
        "the same, a day later, on another node",
    )
}

/// The deadline that the router passes on. The same refusal for every card, and nothing is left of it: the key is free.
async fn what_nobody_waits_for_is_not_admitted(bank: &Bank, node: Node) -> Told {
    let key = bank.key();
    let ask = async |n: u32, deadline: &str, amount: u64| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
            ("ramz-asker", "page one"),
            ("ramz-deadline-ms", deadline),
        ];
        let body = Wish::purchase(amount).json(&pan(n));
        http(node.running.api, "POST", "/v1/pin-requests", &headers, &body).await
    };
    let late = ask(CARD, "0", 43_000).await;
    same((late.status, late.problem()), (503, "issuer-unavailable".into()), "after its deadline")?;
    same(ask(UNKNOWN, "0", 43_000).await, late, "of a card that is not there")?;
    bank.settled().await?;
    same(bank.operator.attempts(), 0, "SMS")?;
    same(ask(CARD, "60000", 43_001).await.status, 202, "another request with that key, in time")?;
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), 1, "SMS")
}

async fn every_error_is_named(bank: &Bank, node: Node) -> Told {
    let (json, path, address) = ("application/json", "/v1/pin-requests", node.running.api);
    let body = Wish::purchase(43_000).json(&pan(CARD));
    let key = "8e03978e-40d5-43dd-bc93-6894a57f9324";
    let whole = [("content-type", json), ("idempotency-key", key), ("ramz-asker", "page one")];
    let without = |name: &str| whole.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let says = |reply: &Reply, status: u16, problem: &str, pointers: &[&str], what: &str| -> Told {
        same((reply.status, reply.problem().as_str()), (status, problem), what)?;
        same(reply.pointers(), pointers.iter().map(|p| (*p).to_owned()).collect(), what)?;
        same(reply.head.contains("content-type: application/problem+json"), true, what)?;
        same(reply.body.contains(&pan(CARD)[6..]), false, "the answer repeats a card number")
    };
    for peer in [None, Some("nobody")] {
        node.api.peers_are(peer);
        let reply = http(address, "POST", path, &whole, &body).await;
        says(&reply, 401, "unknown-asker", &[], "a peer that is not registered")?;
    }
    node.api.peers_are(Some("router"));
    says(
        &http(address, "POST", path, &without("ramz-asker"), &body).await,
        401,
        "unknown-asker",
        &[],
        "no asker",
    )?;
    says(
        &http(address, "POST", path, &without("idempotency-key"), &body).await,
        422,
        "key-missing",
        &[],
        "no key",
    )?;
    let two = [whole.to_vec(), vec![("idempotency-key", "8e03978e-40d5-43dd-bc93-6894a57f9325")]].concat();
    says(&http(address, "POST", path, &two, &body).await, 422, "key-missing", &[], "two keys")?;
    says(
        &http(address, "POST", path, &without("content-type"), &body).await,
        415,
        "media-type",
        &[],
        "no type",
    )?;
    says(
        &http(address, "POST", path, &whole, &" ".repeat(8193)).await,
        413,
        "too-large",
        &[],
        "a large body",
    )?;
    says(&http(address, "POST", path, &whole, &body[..90]).await, 400, "malformed", &[""], "half a body")?;
    let wrong_pan = body.replace(&pan(CARD), &format!("{}9", &pan(CARD)[..15]));
    says(
        &http(address, "POST", path, &whole, &wrong_pan).await,
        400,
        "malformed",
        &["/pan"],
        "a check digit",
    )?;
    let two_errors = body.replace("43000", "0").replace("pay.example", "PAY.example");
    let pointers = ["/payment/amount", "/payment/origin"];
    says(&http(address, "POST", path, &whole, &two_errors).await, 400, "malformed", &pointers, "two errors")?;
    let foreign = body.replace(&pan(CARD), "4111111111111111");
    says(
        &http(address, "POST", path, &whole, &foreign).await,
        404,
        "unknown-issuer",
        &["/pan"],
        "a foreign card",
    )?;
    says(&http(address, "GET", path, &whole, "").await, 405, "method-not-allowed", &[], "a GET")?;
    says(&http(address, "POST", "/v1/else", &whole, &body).await, 404, "not-found", &[], "another path")?;
    bank.settled().await?;
    same(bank.operator.attempts(), 0, "SMS")
}

async fn a_key_may_be_quoted(bank: &Bank, node: Node) -> Told {
    let (key, body) = (bank.key(), Wish::purchase(43_500).json(&pan(CARD)));
    let quoted = node.pin_request("page one", &format!("\"{key}\""), &body).await;
    same(quoted.status, 202, "a quoted key, as RFC 9651 writes it")?;
    same(node.pin_request("page one", &key, &body).await.body, quoted.body, "the same key, bare")
}

async fn an_asker_of_its_own_keeps_to_what_it_may(bank: &Bank, node: Node) -> Told {
    node.api.peers_are(Some("page"));
    let wish = Wish::purchase(44_000);
    // Its own certificate says who it is; what it writes into the header is not believed.
    let key = bank.key();
    let own = node.pin_request("someone else", &key, &wish.json(&pan(CARD))).await;
    same(own.status, 202, "what it may")?;
    node.api.peers_are(Some("router"));
    let of_the_router = node.pin_request("someone else", &key, &wish.json(&pan(OTHER_CARD))).await;
    same(of_the_router.status, 202, "the same key of the asker that it pretended to be")?;
    node.api.peers_are(Some("page"));
    let strange =
        wish.of("top_up").json(&pan(CARD)).replace("581672061", "581672062").replace("pay.ex", "evil.ex");
    let refused = node.pin_request("page", &bank.key(), &strange).await;
    same((refused.status, refused.problem().as_str()), (403, "not-allowed"), "what it may not")?;
    let pointers = ["/payment/kind", "/payment/payee/acquirer", "/payment/origin"].map(String::from).to_vec();
    same(refused.pointers(), pointers, "the places")
}

async fn the_sms_shows_what_is_paid(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(1_250_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let sms = bank.operator.texts(&phone(CARD)).remove(0);
    // 01:52:44 UTC and 120 s, in Tehran.
    let expected = format!(
        "بانک ملت\nخرید\nفروشگاه نمونه\nمبلغ:1,250,000 ریال\nرمز:{pin}\nاعتبار:05:24:44\n@pay.example #{pin}"
    );
    same(sms.text, expected, "the text")?;
    let english = node.admin("PUT", &format!("/{}", bank.card(OTHER_CARD)), r#"{"language":"en"}"#).await;
    same(english.status, 200, "the language is changed")?;
    same(english.body.contains(EXPIRY), false, "an expiry is shown")?;
    bank.pin(&node, OTHER_CARD, &wish).await?;
    let sms = bank.operator.texts(&phone(OTHER_CARD)).remove(0);
    same(sms.text.starts_with("Bank Mellat\nPurchase\n"), true, "an English text")
}
