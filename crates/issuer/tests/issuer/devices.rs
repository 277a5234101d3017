//! Devices: listed, renamed, and taken away from the app, the terminal and the back office; and what a taken one can do.

use ramz_api::app::{self, Control, of_device};
use ramz_domain::card::Purpose;
use ramz_domain::{DeviceId, Pin, TokenId};
use ramz_iso8583::de48::{self, CHOICE, SHOW};
use ramz_store::Table;
use serde_json::json;

use crate::bank::{Bank, CARD, FIRST_PIN, Node, OTHER_CARD, Told, on_both_stores, same};
use crate::messages::{Wish, code, phone, set_tag};
use crate::phone::Phone;
use crate::terminal::service;

on_both_stores! {
    devices_are_listed_and_renamed,
    a_terminal_lists_and_removes,
    the_back_office_removes,
    a_removed_device_is_off_all_its_cards,
    a_revocation_that_was_cut_off_goes_on,
    a_lost_hint_keeps_no_code_alive,
    no_code_pays_after_the_revocation_was_answered,
    a_new_phone_ends_what_the_old_one_had,
    a_card_is_on_two_devices_at_most,
    a_card_whose_app_was_ended_takes_no_device_from_the_others,
    cards_that_were_taken_off_elsewhere_take_no_place,
}

/// Two cards of one holder, both on one device.
async fn two_cards(bank: &Bank, node: &Node) -> Result<(Phone, [TokenId; 2]), String> {
    let body = format!(r#"{{"phone":"+{}"}}"#, phone(CARD));
    let moved = node.admin("PUT", &format!("/{}/phone", bank.card(OTHER_CARD)), &body).await;
    same(moved.status, 200, "one phone")?;
    let (device, token) = Phone::with(bank, node, CARD).await?;
    let other = device.add(bank, node, OTHER_CARD).await?;
    Ok((device, [token, other]))
}

async fn pays(bank: &Bank, node: &Node, device: &Phone, n: u32, token: TokenId) -> Result<String, String> {
    let pin = device.code(bank, token, Purpose::SecondPin, 0);
    bank.pay(node, n, &Wish::purchase(1_000), &pin).await
}

async fn devices_are_listed_and_renamed(bank: &Bank, node: Node) -> Told {
    let (device, _) = Phone::with(bank, &node, CARD).await?;
    bank.advance(1);
    let second = Phone::activated_as(bank, &node, CARD, 7).await?;
    second.add(bank, &node, CARD).await?;
    let list = async || device.call(bank, &node, "GET", app::DEVICES, "").await.json()["devices"].clone();
    let listed = list().await;
    let short: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| (one["device"].clone(), one["this"].clone())).collect();
    let expected = vec![
        (json!(device.device.to_string()), json!(true)),
        (json!(second.device.to_string()), json!(false)),
    ];
    same(short, expected, "both, the older first")?;
    let renamed = device.call(bank, &node, "PUT", &of_device(second.device), r#"{"name":"tablet"}"#).await;
    same((renamed.status, renamed.json()["name"].clone()), (200, json!("tablet")), "renamed")?;
    same(list().await[1]["name"].clone(), json!("tablet"), "and listed so")?;
    let stranger = Phone::activated(bank, &node, OTHER_CARD).await?;
    let foreign = stranger.call(bank, &node, "DELETE", &of_device(device.device), "").await;
    same(foreign.status, 404, "a stranger's device")
}

async fn a_terminal_lists_and_removes(bank: &Bank, node: Node) -> Told {
    let shown = async || {
        let answer = node.ask(&service(bank, CARD, "950000", FIRST_PIN)).await?;
        Ok::<_, String>(de48::of(&answer).unwrap().get(SHOW).unwrap_or("").to_owned())
    };
    same(shown().await?.contains("ثبت نشده"), true, "none yet")?;
    let (device, token) = Phone::with(bank, &node, CARD).await?;
    same(shown().await?, "1. گوشی من".into(), "numbered")?;
    let remove = async |choice: &str| {
        let mut message = service(bank, CARD, "951000", FIRST_PIN);
        set_tag(&mut message, CHOICE, choice);
        node.ask(&message).await.map(|answer| code(&answer))
    };
    same(remove("2").await?, "57".into(), "another number")?;
    same(remove("1").await?, "00".into(), "removed")?;
    same(pays(bank, &node, &device, CARD, token).await?, "55".into(), "and pays no more")?;
    let refused = device.call(bank, &node, "GET", app::CARDS, "").await;
    same((refused.status, refused.problem()), (401, "no-such-device".into()), "nor does anything else")
}

async fn the_back_office_removes(bank: &Bank, node: Node) -> Told {
    let (device, token) = Phone::with(bank, &node, CARD).await?;
    let card = bank.card(CARD);
    let listed = node.admin("GET", &format!("/{card}"), "").await.json()["devices"].clone();
    same(
        (listed[0]["id"].clone(), listed[0]["name"].clone()),
        (json!(device.device.to_string()), json!("گوشی من")),
        "listed",
    )?;
    let path = |device: DeviceId| format!("/{card}/devices/{device}");
    same(node.admin("DELETE", &path(DeviceId([7; 16])), "").await.status, 404, "no such device")?;
    let removed = node.admin("DELETE", &path(device.device), "").await;
    same((removed.status, removed.json()["devices"].clone()), (200, json!([])), "removed")?;
    same(node.admin("DELETE", &path(device.device), "").await.status, 200, "told again")?;
    same(pays(bank, &node, &device, CARD, token).await?, "55".into(), "and pays no more")
}

async fn a_removed_device_is_off_all_its_cards(bank: &Bank, node: Node) -> Told {
    let (device, [token, other]) = two_cards(bank, &node).await?;
    same(pays(bank, &node, &device, OTHER_CARD, other).await?, "00".into(), "before")?;
    bank.advance(60);
    same(device.call(bank, &node, "DELETE", &of_device(device.device), "").await.status, 204, "itself")?;
    for (n, token) in [(CARD, token), (OTHER_CARD, other)] {
        same(bank.state(n).await.tokens().len(), 0, "off the card")?;
        same(pays(bank, &node, &device, n, token).await?, "55".into(), "and pays no more")?;
    }
    bank.settled().await
}

async fn a_revocation_that_was_cut_off_goes_on(bank: &Bank, node: Node) -> Told {
    let (device, [token, other]) = two_cards(bank, &node).await?;
    bank.crash(node);
    // As a crash leaves it: marked, and no card told.
    let now = bank.now();
    changed_in_the_store(bank, &device, Some(now), |row| {
        row.revoke(now);
    })
    .await;
    let node = bank.node().await;
    bank.settled().await?;
    for (n, token) in [(CARD, token), (OTHER_CARD, other)] {
        same(pays(bank, &node, &device, n, token).await?, "55".into(), "it went on")?;
    }
    Ok(())
}

/// Its row, as something else has left it.
async fn changed_in_the_store(
    bank: &Bank,
    device: &Phone,
    due: Option<ramz_domain::Moment>,
    change: impl FnOnce(&mut ramz_domain::device::Device),
) {
    let key = device.device.0;
    let row = bank.store().read(Table::Device, &key).await.unwrap().unwrap();
    let mut changed = ramz_domain::device::Device::decode(&row.body).unwrap();
    change(&mut changed);
    let swap = ramz_store::Swap {
        table: Table::Device,
        key: key.to_vec(),
        expected: Some(row.version),
        body: changed.encode().unwrap(),
        sealed: Vec::new(),
        head: ramz_store::Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due,
        forget_after: None,
    };
    bank.store().commit(vec![ramz_store::Change::Swap(swap)]).await.unwrap();
}

async fn a_lost_hint_keeps_no_code_alive(bank: &Bank, node: Node) -> Told {
    let (mine, token) = Phone::with(bank, &node, CARD).await?;
    bank.advance(1);
    let stolen = Phone::activated_as(bank, &node, CARD, 7).await?;
    let theirs = stolen.add(bank, &node, CARD).await?;
    changed_in_the_store(bank, &stolen, None, |row| {
        row.unlink(theirs);
    })
    .await;
    let revoked = mine.call(bank, &node, "DELETE", &of_device(stolen.device), "").await;
    same(revoked.status, 204, "revoked in the app")?;
    same(pays(bank, &node, &stolen, CARD, theirs).await?, "55".into(), "the stolen one's code")?;
    same(pays(bank, &node, &mine, CARD, token).await?, "00".into(), "the other's")
}

pub(crate) async fn no_code_pays_after_the_revocation_was_answered(bank: &Bank, node: Node) -> Told {
    let other = bank.node().await;
    let mut late = 0;
    for round in 0..8 {
        let device = Phone::activated_as(bank, &node, CARD, 100 + round).await?;
        let (token, body) = device.adding(CARD, None);
        let path = format!("/{}/devices/{}", bank.card(CARD), device.device);
        // Added, spent and revoked at once, on two nodes.
        let adding = device.call(bank, &other, "POST", app::CARDS, &body);
        let revoking = async {
            if round % 2 == 1 {
                super::bank::until("it is there", async || !bank.state(CARD).await.tokens().is_empty())
                    .await?;
            }
            let mut told = node.admin("DELETE", &path, "").await;
            while told.status == 404 {
                told = node.admin("DELETE", &path, "").await;
            }
            same(told.status, 200, "revoked")?;
            // From here on nothing pays.
            let pin = device.code(bank, token, Purpose::SecondPin, 0);
            for node in [&node, &other] {
                late += u32::from(bank.pay(node, CARD, &Wish::purchase(1_000), &pin).await? == "00");
            }
            Ok::<(), String>(())
        };
        let (_, revoked) = tokio::join!(adding, revoking);
        revoked?;
        let pin = device.code(bank, token, Purpose::SecondPin, 0);
        late += u32::from(bank.pay(&other, CARD, &Wish::purchase(1_000), &pin).await? == "00");
        same(bank.state(CARD).await.tokens().len(), 0, "off the card")?;
        bank.advance(700);
    }
    same(late, 0, "paid after the revocation was answered")
}

async fn a_new_phone_ends_what_the_old_one_had(bank: &Bank, node: Node) -> Told {
    let (device, token) = Phone::with(bank, &node, CARD).await?;
    let body = format!(r#"{{"phone":"+{}"}}"#, phone(55));
    same(node.admin("PUT", &format!("/{}/phone", bank.card(CARD)), &body).await.status, 200, "a new phone")?;
    same(pays(bank, &node, &device, CARD, token).await?, "55".into(), "its codes")?;
    let again = device.call(bank, &node, "POST", app::CARDS, &device.adding(CARD, None).1).await;
    same((again.status, again.problem()), (403, "card-not-accepted".into()), "nor is it added again")
}

async fn a_card_is_on_two_devices_at_most(bank: &Bank, node: Node) -> Told {
    for n in 0..2 {
        let device = Phone::activated_as(bank, &node, CARD, 20 + n).await?;
        device.add(bank, &node, CARD).await?;
    }
    let third = Phone::activated_as(bank, &node, CARD, 22).await?;
    let refused = third.call(bank, &node, "POST", app::CARDS, &third.adding(CARD, None).1).await;
    same((refused.status, refused.problem()), (409, "device-limit".into()), "a third")
}

/// One card's memory of a device is no word on the device: told that it is gone, a phone erases itself, and its other cards with it.
async fn a_card_whose_app_was_ended_takes_no_device_from_the_others(bank: &Bank, node: Node) -> Told {
    let (device, [token, other]) = two_cards(bank, &node).await?;
    same(code(&node.ask(&service(bank, CARD, "920000", FIRST_PIN)).await?), "00".into(), "ended at an ATM")?;
    bank.advance(700);
    let add = async || {
        let control = Control { card: other, code: Pin::parse(&device.control(bank, other)).unwrap() };
        device.call(bank, &node, "POST", app::CARDS, &device.adding(CARD, Some(control)).1).await
    };
    let early = add().await;
    same((early.status, early.problem()), (409, "card-taken-off".into()), "it says so itself")?;
    same(early.json()["retry_after_s"].clone(), json!(2900), "and until when")?;
    same(pays(bank, &node, &device, OTHER_CARD, other).await?, "00".into(), "the other card stays")?;
    bank.advance(2899);
    same(add().await.problem(), "card-taken-off".into(), "a second too early")?;
    bank.advance(60);
    same(add().await.status, 201, "an hour later")?;
    same(pays(bank, &node, &device, CARD, token).await?, "55".into(), "and not what it had before")
}

/// At a terminal or at the bank a card is told that a device has it no more, and the device is not: sixteen of them closed its row.
async fn cards_that_were_taken_off_elsewhere_take_no_place(bank: &Bank, node: Node) -> Told {
    let (device, [token, other]) = two_cards(bank, &node).await?;
    same(code(&node.ask(&service(bank, CARD, "920000", FIRST_PIN)).await?), "00".into(), "ended at an ATM")?;
    let (card, now) = (bank.card(CARD), bank.now());
    changed_in_the_store(bank, &device, None, |row| {
        (0..14).for_each(|n| _ = row.link(TokenId([n; 16]), card, now).unwrap());
    })
    .await;
    let listed = device.call(bank, &node, "GET", app::DEVICES, "").await.json();
    same(listed["devices"][0]["cards"].clone(), json!(1), "what is really there is counted")?;
    let add = async || {
        let control = Control { card: other, code: Pin::parse(&device.control(bank, other)).unwrap() };
        device.call(bank, &node, "POST", app::CARDS, &device.adding(CARD, Some(control)).1).await
    };
    bank.advance(700);
    let full = add().await;
    same((full.status, full.problem()), (409, "already-exists".into()), "while they may be on their way")?;
    bank.advance(2900);
    same(add().await.status, 201, "and not afterwards")?;
    let row = bank.store().read(Table::Device, &device.device.0).await.unwrap().unwrap();
    let row = ramz_domain::device::Device::decode(&row.body).unwrap();
    same((row.cards().len(), row.card(token)), (2, None), "they are forgotten")?;
    same(row.card(other), Some(bank.card(OTHER_CARD)), "and the one that is there is not")
}
