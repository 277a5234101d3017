//! The back office: cards are added, shown, changed, found and unlocked, by operators only.

use ramz_domain::CardId;
use ramz_domain::card::Purpose;
use ramz_keys::{IndexPurpose, Keys as _};
use ramz_store::{Change, Head, Swap, Table};
use serde_json::json;

use crate::bank::{Bank, CARD, CLOSED, Node, OTHER_CARD, Told, UNKNOWN, on_both_stores, same};
use crate::codes::{make_first_pin_dynamic, read};
use crate::doubles::Logs;
use crate::guess::wrong;
use crate::messages::{EXPIRY, Wish, code, pan, phone, reversal};
use crate::phone::Phone;
use crate::terminal::served;
use crate::verification::outcome;
use crate::wires::http;

on_both_stores! {
    only_operators_come_in,
    no_page_comes_in_with_an_operators_certificate,
    the_journal_says_who_did_what,
    a_card_is_added_once,
    errors_name_their_places,
    what_has_no_such_id_is_no_wrong_path,
    a_card_is_found_and_shown_without_its_secrets,
    a_new_phone_ends_the_open_pins,
    a_new_expiry_is_the_one_that_counts,
    a_blocked_card_does_not_pay_and_a_closed_one_stays_closed,
    a_locked_card_is_unlocked,
    the_banks_lock_is_no_guess,
    a_card_that_is_on_the_device_is_told_so,
    each_use_of_a_pin_shows_its_tries_and_its_lock,
    two_changes_at_once_both_hold,
    an_old_number_is_no_card_any_more,
    the_back_office_finds_no_card_by_an_old_number,
    an_addition_that_was_cut_off_is_found_and_goes_on,
    a_number_of_another_card_is_not_given_twice,
    a_phone_has_sixteen_cards,
    a_closed_card_loses_what_was_switched_on,
}

async fn only_operators_come_in(bank: &Bank, node: Node) -> Told {
    let logs = Logs::all();
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
    // A core system that is not let in yet, and writes the number where the id belongs.
    node.admin("GET", "/6104337999999991", "").await;
    let logs = String::from_utf8_lossy(&logs.bytes()).into_owned();
    same(logs.contains("refused at the back office"), true, "the log was looked through")?;
    same(logs.contains("6104337999999991"), false, "a number in the log")
}

async fn no_page_comes_in_with_an_operators_certificate(bank: &Bank, node: Node) -> Told {
    let path = format!("/admin/v1/cards/{}/lock", bank.card(CARD));
    for header in [("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")] {
        let told = http(node.running.admin, "POST", &path, &[header], "").await;
        same((told.status, told.problem().as_str()), (403, "not-allowed"), header.0)?;
    }
    same(bank.state(CARD).await.failures(), 0, "locked")?;
    same(http(node.running.admin, "POST", &path, &[], "").await.status, 200, "a program")
}

/// Whoever moves a card's phone can take its PINs: that must be found out afterwards, whatever the log was set to.
async fn the_journal_says_who_did_what(bank: &Bank, node: Node) -> Told {
    let card = bank.card(CARD);
    for (method, path, body) in [
        ("PUT", format!("/{card}/phone"), r#"{"phone":"+989120000099"}"#),
        ("PUT", format!("/{card}"), r#"{"expiry":"3105","sms_pin_max":10}"#),
        ("PUT", format!("/{card}"), "{}"),
        ("POST", format!("/{card}/lock"), ""),
        ("POST", format!("/{card}/unlock"), ""),
    ] {
        same(node.admin(method, &path, body).await.status, 200, &path)?;
    }
    let entries = bank.store().journal(&card.0, 0, 100).await.unwrap();
    let of_operators = entries.iter().filter_map(|entry| {
        let record = ramz_issuer::engine::JournalRecord::read(&entry.entry).unwrap();
        Some(format!("{:?} by {}", record.entry, record.by?))
    });
    let told: Vec<_> = of_operators.skip_while(|told| told.starts_with("Created")).collect();
    let updated = |changed: &str| {
        format!("Updated {{ status: Active, has_phone: true, changed: Some({changed}) }} by operator")
    };
    let expected = vec![
        updated("{phone}"),
        updated("{expiry, limits}"),
        updated("{}"),
        "Locked { until: None } by operator".into(),
        "Unlocked { by: Bank } by operator".into(),
    ];
    same(told, expected, "the operator's entries")
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

/// Whoever mistyped an id is not sent to look for another path.
async fn what_has_no_such_id_is_no_wrong_path(bank: &Bank, node: Node) -> Told {
    let card = bank.card(CARD);
    for id in ["00000000000000000000000000000000", "x"] {
        for (method, path, says) in [
            ("GET", format!("/{id}"), "No card here has this id."),
            ("PUT", format!("/{id}"), "No card here has this id."),
            ("POST", format!("/{id}/unlock"), "No card here has this id."),
            ("DELETE", format!("/{id}/devices/{id}"), "No card here has this id."),
            ("DELETE", format!("/{card}/devices/{id}"), "This card has no such device here."),
            ("GET", format!("/{id}/y"), "Check the path;"),
        ] {
            let told = node.admin(method, &path, "{}").await;
            same((told.status, told.problem().as_str()), (404, "not-found"), &path)?;
            same(told.json()["detail"].as_str().is_some_and(|detail| detail.starts_with(says)), true, &path)?;
        }
    }
    for id in ["8e03978e-40d5-43dd-bc93-6894a57f9324", "x"] {
        let told = outcome(&node, id, "approved").await;
        same((told.status, told.problem().as_str()), (404, "not-found"), id)?;
        same(told.body.contains("No verification of yours"), true, id)?;
    }
    Ok(())
}

async fn a_card_is_found_and_shown_without_its_secrets(bank: &Bank, node: Node) -> Told {
    let found = node.admin("POST", "/find", &format!(r#"{{"pan":"{}"}}"#, pan(CARD))).await;
    let id = found.json()["card"].as_str().unwrap_or("").to_owned();
    same(id.clone(), bank.card(CARD).to_string(), "the id")?;
    let missing = node.admin("POST", "/find", &format!(r#"{{"pan":"{}"}}"#, pan(UNKNOWN))).await;
    let told = (missing.status, missing.body.contains("No card here has this number"));
    same(told, (404, true), "an unknown card")?;
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
    let closed = format!("/{}", bank.card(CLOSED));
    let number = format!(r#"{{"pan":"{}","expiry":"3001"}}"#, pan(UNKNOWN));
    for (method, path, body) in
        [("PUT", closed.clone(), r#"{"status":"active"}"#), ("POST", format!("{closed}/reissue"), &number)]
    {
        let told = node.admin(method, &path, body).await;
        same((told.status, told.problem().as_str()), (409, "card-closed"), &path)?;
    }
    same(node.admin("PUT", &closed, r#"{"language":"en"}"#).await.status, 200, "its words may change")?;
    same(node.admin("POST", "", &number).await.status, 201, "the number is free for another card")?;
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

/// Nobody tried a PIN: whoever looks at the card must not take it for an attack.
async fn the_banks_lock_is_no_guess(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    let wish = Wish::purchase(86_500);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let of_all = |shown: &serde_json::Value| {
        let by_bank = |tries: &serde_json::Value| {
            (tries["locked"].as_bool().unwrap_or(false), tries["locked_by_bank"].as_bool())
        };
        [by_bank(shown), by_bank(&shown["first_pin_tries"]), by_bank(&shown["control_tries"])]
    };
    let shown = node.admin("POST", &format!("{card}/lock"), "").await.json();
    same(of_all(&shown), [(true, Some(true)); 3], "locked by the bank")?;
    same(shown["locked_until"].is_null(), true, "until it is unlocked")?;
    let shown = node.admin("POST", &format!("{card}/unlock"), "").await.json();
    same(of_all(&shown), [(false, Some(false)); 3], "unlocked")?;
    for _ in 0..3 {
        bank.pay(&node, CARD, &wish, &wrong(&pin)).await?;
    }
    let shown = node.admin("GET", &card, "").await.json();
    same(of_all(&shown)[0], (true, Some(false)), "locked by guesses")?;
    let shown = node.admin("POST", &format!("{card}/lock"), "").await.json();
    same(of_all(&shown), [(true, Some(true)); 3], "by the bank, too")
}

/// As long as it is there; once the bank has taken it off, it is the used reference that is in the way.
async fn a_card_that_is_on_the_device_is_told_so(bank: &Bank, node: Node) -> Told {
    let phone = Phone::activated(bank, &node, CARD).await?;
    let add = async |body: String| {
        let told = phone.call(bank, &node, "POST", ramz_api::app::CARDS, &body).await;
        (told.status, told.json()["detail"].as_str().unwrap_or("").to_owned())
    };
    let (token, body) = phone.adding(CARD, None);
    same(add(body).await.0, 201, "added")?;
    let (status, detail) = add(phone.adding(CARD, None).1).await;
    let told = (status, detail.starts_with("This card is on this device already"));
    same(told, (409, true), "under a fresh reference")?;
    let path = format!("{}/{token}", ramz_api::app::CARDS);
    same(phone.call(bank, &node, "DELETE", &path, "").await.status, 204, "taken off")?;
    let (status, detail) = add(phone.adding_with(CARD, token, &[9; 32], None)).await;
    same((status, detail.starts_with("Add the card with a fresh reference")), (409, true), "its reference")
}

/// Who asks why a card pays nothing at a cash machine must not be told that it is not locked.
async fn each_use_of_a_pin_shows_its_tries_and_its_lock(bank: &Bank, node: Node) -> Told {
    let card = format!("/{}", bank.card(CARD));
    let (phone, token) = Phone::with(bank, &node, CARD).await?;
    make_first_pin_dynamic(bank, &node, CARD).await?;
    let pin = phone.code(bank, token, Purpose::FirstPin, 0);
    for expected in ["55", "55", "75"] {
        let guess = node.ask(&read(bank, CARD, "withdrawal", 500_000, &wrong(&pin))).await?;
        same(code(&guess), expected.into(), "a wrong first PIN")?;
    }
    let control = wrong(&phone.control(bank, token));
    let body = format!(r#"{{"control_code":"{control}"}}"#);
    let path = format!("{}/{token}/check", ramz_api::app::CARDS);
    same(phone.call(bank, &node, "POST", &path, &body).await.status, 403, "a wrong control code")?;
    let shown = node.admin("GET", &card, "").await.json();
    same((shown["failures"].as_u64(), shown["locked"].as_bool()), (Some(0), Some(false)), "the second PIN")?;
    let first = json!({ "failures": 3, "locked": true, "locked_until": "2026-11-24T02:07:44Z", "locked_by_bank": false });
    same(shown["first_pin_tries"].clone(), first, "the first PIN")?;
    let control = json!({ "failures": 1, "locked": false, "locked_until": null, "locked_by_bank": false });
    same(shown["control_tries"].clone(), control, "control codes")?;
    let shown = node.admin("POST", &format!("{card}/unlock"), "").await.json();
    let none = json!({ "failures": 0, "locked": false, "locked_until": null, "locked_by_bank": false });
    same([&shown["first_pin_tries"], &shown["control_tries"]], [&none, &none], "unlocked")
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

/// The new number pays; the old one is no card's, on a node that has it in memory too, but what was paid with it is reversed.
async fn an_old_number_is_no_card_any_more(bank: &Bank, node: Node) -> Told {
    let (wish, new) = (Wish::purchase(12_000), 600);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let paid = bank.payment(CARD, &wish, &pin);
    same(code(&node.ask(&paid).await?), "00".into(), "with the old number")?;
    let open = bank.pin(&node, CARD, &Wish::purchase(13_000)).await?;
    let other = bank.node().await;
    same(bank.pay(&other, CARD, &wish, &pin).await?, "55".into(), "the other node knows the old number")?;
    bank.add_to_the_host(new);
    let path = format!("/{}/reissue", bank.card(CARD));
    let body = format!(r#"{{"pan":"{}","expiry":"{EXPIRY}"}}"#, pan(new));
    for _ in 0..2 {
        same(node.admin("POST", &path, &body).await.status, 200, "reissued, and told again")?;
    }
    for node in [&node, &other] {
        same(bank.pay(node, CARD, &Wish::purchase(13_000), &open).await?, "14".into(), "the old number")?;
    }
    let before = bank.operator.texts(&phone(CARD)).len();
    same(bank.ask_pin(&node, CARD, &wish).await.status, 202, "the 202 is every card's")?;
    bank.settled().await?;
    same(bank.operator.texts(&phone(CARD)).len(), before, "SMS for the old number")?;
    same(bank.ask_pin(&node, new, &wish).await.status, 202, "asked for the new number")?;
    let sms = bank.text_after(CARD, before).await?;
    same(bank.pay(&node, new, &wish, &sms.pin()).await?, "00".into(), "the new number")?;
    same(code(&node.ask(&reversal(&paid)).await?), "00".into(), "the old number's payment is reversed")?;
    same(bank.spent(CARD), 0, "what the old number paid")
}

/// Whoever has only the old number, such as a file of yesterday, changes and closes no card with it, and is not told which it was.
async fn the_back_office_finds_no_card_by_an_old_number(bank: &Bank, node: Node) -> Told {
    let (id, new) = (bank.card(CARD).to_string(), 601);
    let find = async |n| {
        let told = node.admin("POST", "/find", &format!(r#"{{"pan":"{}"}}"#, pan(n))).await;
        (told.status, told.json()["card"].as_str().map(str::to_owned))
    };
    same(find(CARD).await, (200, Some(id.clone())), "its number")?;
    let body = |n| format!(r#"{{"pan":"{}","expiry":"{EXPIRY}"}}"#, pan(n));
    same(node.admin("POST", &format!("/{id}/reissue"), &body(new)).await.status, 200, "reissued")?;
    same(find(CARD).await, (404, None), "its old number")?;
    same(find(new).await, (200, Some(id.clone())), "its new number")?;
    let other = bank.node().await;
    for node in [&node, &other] {
        let again = node.admin("POST", "", &body(CARD)).await;
        same((again.status, again.problem().as_str()), (409, "already-exists"), "the old number, added")?;
        same(again.pointers(), vec!["/pan".to_owned()], "what is wrong")?;
        same(again.body.contains(&id), false, "the card is named")?;
        let there = node.admin("POST", "", &body(new)).await;
        same((there.status, there.pointers()), (409, Vec::new()), "the new number, added")?;
        same(there.body.contains(&id), true, "the card is not named")?;
    }
    Ok(())
}

/// Between the number's place in the index and the card: it is found, cannot be changed, and the same addition goes on.
async fn an_addition_that_was_cut_off_is_found_and_goes_on(bank: &Bank, node: Node) -> Told {
    let tag = bank.soft.index(IndexPurpose::Pan, &[pan(UNKNOWN).as_bytes()]).unwrap();
    let card = CardId([7; 16]);
    let place = Swap {
        table: Table::CardIndex,
        key: [&tag.version.to_be_bytes()[..], &tag.bytes].concat(),
        expected: None,
        body: card.0.to_vec(),
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    };
    bank.store().commit(vec![Change::Swap(place)]).await.unwrap();
    let found = node.admin("POST", "/find", &format!(r#"{{"pan":"{}"}}"#, pan(UNKNOWN))).await;
    same((found.status, found.json()["card"].as_str()), (200, Some(&*card.to_string())), "its place")?;
    same(node.admin("PUT", &format!("/{card}"), "{}").await.status, 404, "there is no card to change")?;
    let body = format!(r#"{{"pan":"{}","expiry":"{EXPIRY}"}}"#, pan(UNKNOWN));
    let added = node.admin("POST", "", &body).await;
    same((added.status, added.json()["card"].as_str()), (201, Some(&*card.to_string())), "it goes on")
}

async fn a_number_of_another_card_is_not_given_twice(bank: &Bank, node: Node) -> Told {
    let path = format!("/{}/reissue", bank.card(CARD));
    let body = format!(r#"{{"pan":"{}","expiry":"{EXPIRY}"}}"#, pan(OTHER_CARD));
    let taken = node.admin("POST", &path, &body).await;
    same((taken.status, taken.problem().as_str()), (409, "already-exists"), "another card's number")?;
    let foreign = r#"{"pan":"6037991234567893","expiry":"2911"}"#;
    same(node.admin("POST", &path, foreign).await.status, 404, "another bank's number")?;
    same(node.admin("POST", &path, "{}").await.status, 400, "no number")
}

async fn a_phone_has_sixteen_cards(bank: &Bank, node: Node) -> Told {
    let add = async |n: u32| {
        let body = format!(r#"{{"pan":"{}","expiry":"{EXPIRY}","phone":"+{}"}}"#, pan(n), phone(800));
        node.admin("POST", "", &body).await
    };
    for n in 800..816 {
        same(add(n).await.status, 201, "one of sixteen")?;
    }
    let full = add(816).await;
    same((full.status, full.problem().as_str()), (409, "phone-full"), "the seventeenth")?;
    same(
        node.admin("PUT", &format!("/{}/phone", bank.card(800)), r#"{"phone":""}"#).await.status,
        200,
        "taken away",
    )?;
    same(add(816).await.status, 201, "there is room")
}

async fn a_closed_card_loses_what_was_switched_on(bank: &Bank, node: Node) -> Told {
    same(served(bank, &node, CARD, "911000").await?, "00".into(), "PINs by texting")?;
    let shown = node.admin("GET", &format!("/{}", bank.card(CARD)), "").await.json();
    same(shown["services"]["sms"].as_bool(), Some(true), "shown")?;
    let closed = node.admin("POST", &format!("/{}/close", bank.card(CARD)), "").await;
    same((closed.status, closed.json()["status"].as_str()), (200, Some("closed")), "closed")?;
    same(bank.state(CARD).await.services(), Default::default(), "nothing is left on")?;
    same(served(bank, &node, CARD, "911000").await?, "57".into(), "and nothing can be switched on")?;
    let hot = node.admin("PUT", &format!("/{}", bank.card(OTHER_CARD)), r#"{"status":"hot_listed"}"#).await;
    same(hot.json()["status"].as_str(), Some("hot_listed"), "hot-listed")?;
    same(bank.pay(&node, OTHER_CARD, &Wish::purchase(5), "1234567").await?, "57".into(), "a hot-listed card")
}
