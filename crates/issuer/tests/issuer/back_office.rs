//! The back office: cards are added, shown, changed, found and unlocked, by operators only.

use crate::bank::{Bank, CARD, CLOSED, Node, OTHER_CARD, Told, UNKNOWN, on_both_stores, same};
use crate::guess::wrong;
use crate::messages::{Wish, pan, phone};
use crate::wires::http;

on_both_stores! {
    only_operators_come_in,
    a_card_is_added_once,
    errors_name_their_places,
    a_card_is_found_and_shown_without_its_secrets,
    a_new_phone_ends_the_open_pins,
    a_new_expiry_is_the_one_that_counts,
    a_blocked_card_does_not_pay_and_a_closed_one_stays_closed,
    a_locked_card_is_unlocked,
    two_changes_at_once_both_hold,
}

async fn only_operators_come_in(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    for peer in [None, Some("router"), Some("nobody")] {
        node.admin.peers_are(peer);
        for (method, path, body) in [
            ("GET", &*card, ""),
            ("PUT", &card, "{}"),
            ("POST", "", "{}"),
            ("POST", "/find", "{}"),
            ("GET", "/x", ""),
        ] {
            let reply = node.admin(method, path, body).await;
            same(
                (reply.status, reply.problem().as_str()),
                (401, "unknown-asker"),
                &format!("{peer:?} {method}"),
            )?;
        }
        let reply = node.admin("POST", &format!("{card}/unlock"), "").await;
        same(reply.status, 401, "unlock")?;
    }
    Ok(())
}

async fn a_card_is_added_once(bank: &Bank, node: Node) -> Told {
    let again = node.admin("POST", "", &format!(r#"{{"pan":"{}","expiry":"3001"}}"#, pan(CARD))).await;
    same((again.status, again.problem().as_str()), (409, "already-exists"), "the same card")?;
    same(again.body.contains(&bank.card(CARD).to_string()), true, "its id is named")?;
    same(again.body.contains(&pan(CARD)), false, "its number is named")?;
    let wish = Wish::purchase(81_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "nothing of it changed")?;
    // At the same instant, over two nodes.
    let other = bank.node().await;
    let body = format!(r#"{{"pan":"{}","expiry":"3001"}}"#, pan(UNKNOWN));
    let (one, two) = tokio::join!(node.admin("POST", "", &body), other.admin("POST", "", &body));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    same(statuses, [201, 409], "two additions at once")
}

async fn errors_name_their_places(bank: &Bank, node: Node) -> Told {
    let bad =
        r#"{"pan":"6104337000000011","expiry":"2913","phone":"x","status":"new","language":"de","limit":1}"#;
    let reply = node.admin("POST", "", bad).await;
    same((reply.status, reply.problem().as_str()), (400, "malformed"), "a bad card")?;
    let pointers = ["/limit", "/pan", "/expiry", "/phone", "/language", "/status"].map(String::from).to_vec();
    same(reply.pointers(), pointers, "the places")?;
    same(reply.body.contains("6104337000000011"), false, "the value is repeated")?;
    let reply = node.admin("POST", "", r#"{"pan":"4111111111111111","expiry":"2911"}"#).await;
    same((reply.status, reply.problem().as_str()), (404, "unknown-issuer"), "a foreign card")?;
    let reply =
        node.admin("PUT", &format!("/{}", bank.card(CARD)), &format!(r#"{{"pan":"{}"}}"#, pan(CARD))).await;
    same((reply.status, reply.pointers()), (400, vec!["/pan".to_owned()]), "a new number")?;
    for (method, path) in [("GET", ""), ("PUT", ""), ("POST", "/unlock")] {
        for card in ["00000000000000000000000000000000", "x"] {
            let reply = node.admin(method, &format!("/{card}{path}"), "{}").await;
            same((reply.status, reply.problem().as_str()), (404, "not-found"), "a card that is not there")?;
        }
    }
    let reply = http(node.running.admin, "POST", "/admin/v1/cards", &[], "{}").await;
    same((reply.status, reply.problem().as_str()), (415, "media-type"), "no media type")
}

async fn a_card_is_found_and_shown_without_its_secrets(bank: &Bank, node: Node) -> Told {
    let found = node.admin("POST", "/find", &format!(r#"{{"pan":"{}"}}"#, pan(CARD))).await;
    let id = found.json()["card"].as_str().unwrap_or("").to_owned();
    same(id.clone(), bank.card(CARD).to_string(), "the id")?;
    let missing = node.admin("POST", "/find", &format!(r#"{{"pan":"{}"}}"#, pan(UNKNOWN))).await;
    same(missing.status, 404, "an unknown card")?;
    let changed = node.admin("PUT", &format!("/{id}"), r#"{"customer":"c-77","product":"debit"}"#).await;
    same(changed.status, 200, "a change")?;
    let wish = Wish::purchase(82_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.pay(&node, CARD, &wish, &wrong(&pin)).await?;
    let shown = node.admin("GET", &format!("/{id}"), "").await;
    let json = shown.json();
    let words = |name: &str| json[name].as_str().unwrap_or("").to_owned();
    same(words("pan"), format!("610433******{}", &pan(CARD)[12..]), "the number")?;
    same(words("phone"), "98912***01".into(), "the phone")?;
    same([words("customer"), words("product")], ["c-77".into(), "debit".into()], "the bank's words")?;
    let numbers = (json["failures"].as_u64(), json["open_pins"].as_u64(), json["locked"].as_bool());
    same(numbers, (Some(1), Some(1), Some(false)), "the state")?;
    for secret in [&pan(CARD), &phone(CARD), &pin, "2911"] {
        same(shown.body.contains(secret), false, "a secret is shown")?;
    }
    Ok(())
}

async fn a_new_phone_ends_the_open_pins(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    let wish = Wish::purchase(83_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let body = format!(r#"{{"phone":"+{}"}}"#, phone(CARD));
    same(
        node.admin("PUT", &card, &body).await.json()["open_pins"].as_u64(),
        Some(1),
        "the same phone; open PINs",
    )?;
    let body = format!(r#"{{"phone":"+{}"}}"#, phone(50));
    same(
        node.admin("PUT", &card, &body).await.json()["open_pins"].as_u64(),
        Some(0),
        "a new phone; open PINs",
    )?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "55".into(), "the PIN that went to the old phone")?;
    same(bank.state(CARD).await.failures(), 0, "failures")?;
    same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "a request")?;
    bank.settled().await?;
    let texts = (bank.operator.texts(&phone(CARD)).len(), bank.operator.texts(&phone(50)).len());
    same(texts, (1, 1), "texts to the old and to the new phone")?;
    same(node.admin("PUT", &card, r#"{"phone":""}"#).await.json()["phone"].is_null(), true, "no phone")?;
    bank.ask_pin(&node, CARD, &Wish::purchase(83_500)).await;
    bank.settled().await?;
    same(bank.operator.texts(&phone(50)).len(), 1, "texts after the phone is gone")
}

async fn a_new_expiry_is_the_one_that_counts(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(84_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(
        node.admin("PUT", &format!("/{}", bank.card(CARD)), r#"{"expiry":"3212"}"#).await.status,
        200,
        "a change",
    )?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "54".into(), "the old expiry")?;
    let mut payment = bank.payment(CARD, &wish, &pin);
    payment.set(14, "3212");
    same(crate::messages::code(&node.ask(&payment).await?), "00".into(), "the new expiry")
}

async fn a_blocked_card_does_not_pay_and_a_closed_one_stays_closed(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    let wish = Wish::purchase(85_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    same(node.admin("PUT", &card, r#"{"status":"blocked"}"#).await.status, 200, "blocked")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "57".into(), "a blocked card")?;
    same(node.admin("PUT", &card, r#"{"status":"active"}"#).await.status, 200, "active again")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "an active card")?;
    let reopened = node.admin("PUT", &format!("/{}", bank.card(CLOSED)), r#"{"status":"active"}"#).await;
    same(reopened.json()["status"].as_str().unwrap_or("").to_owned(), "closed".into(), "a closed card")?;
    same(bank.pay(&node, CLOSED, &wish, "1234567").await?, "57".into(), "a closed card's payment")
}

async fn a_locked_card_is_unlocked(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    let wish = Wish::purchase(86_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    for _ in 0..3 {
        bank.pay(&node, CARD, &wish, &wrong(&pin)).await?;
    }
    let shown = node.admin("GET", &card, "").await.json();
    same(
        (shown["locked"].as_bool(), shown["locked_until"].as_str()),
        (Some(true), Some("2026-11-24T02:07:44Z")),
        "locked",
    )?;
    let shown = node.admin("POST", &format!("{card}/unlock"), "").await.json();
    same((shown["locked"].as_bool(), shown["failures"].as_u64()), (Some(false), Some(0)), "unlocked")?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the open PIN")
}

async fn two_changes_at_once_both_hold(bank: &Bank, node: Node) -> Told {
    let other = bank.node().await;
    let card = format!("/{}", bank.card(OTHER_CARD));
    for round in 0..20 {
        for body in [r#"{"status":"active"}"#, r#"{"language":"fa"}"#] {
            same(node.admin("PUT", &card, body).await.status, 200, "a change")?;
        }
        let block = node.admin("PUT", &card, r#"{"status":"blocked"}"#);
        let (blocked, english) = tokio::join!(block, other.admin("PUT", &card, r#"{"language":"en"}"#));
        same((blocked.status, english.status), (200, 200), "two changes")?;
        let shown = node.admin("GET", &card, "").await.json();
        let words = (shown["status"].as_str().unwrap_or(""), shown["language"].as_str().unwrap_or(""));
        same(words, ("blocked", "en"), &format!("both changes, round {round}"))?;
    }
    Ok(())
}
