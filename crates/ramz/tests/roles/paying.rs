//! Three processes and one payment, with key files, cards and configuration made by the commands an operator would use.

use std::fs;

use ramz_domain::Pan;
use serde_json::{Value, json};

use crate::house::{House, good};
use crate::processes::bank::{ASKER, Bank, EXPIRY, IIN, STRANGER, card, payee};
use crate::processes::process::{Said, run};
use crate::processes::surroundings::TlsClient;
use crate::processes::wires::{Site, fresh_key, pan, with_json};

const PHONE: &str = "09120001101";
const AMOUNT: u64 = 1_250_000;

/// `ramz cards …` with the operator's settings.
fn cards(bank: &Bank, arguments: &[&str], input: &str) -> Said {
    let settings = bank.file("operator.toml");
    let (command, rest) = arguments.split_first().unwrap();
    run([&["cards", command, "--config", settings.to_str().unwrap()], rest].concat(), input)
}

/// Adds the card with the commands, and looks at what they say. Its id.
fn add(bank: &Bank, pan: &Pan) -> String {
    let file = bank.write("card.json", &card(pan, PHONE).to_string());
    let added = good(cards(bank, &["add", "--file", file.to_str().unwrap()], ""));
    let id =
        added.trim().strip_prefix("card ").and_then(|rest| rest.strip_suffix(" added")).unwrap().to_owned();
    let again = cards(bank, &["add", "--file", file.to_str().unwrap()], "");
    assert!(again.code == Some(1) && again.err.contains(&id), "{}", again.err);
    let by_number = good(cards(bank, &["show"], &format!("{}\n", pan.expose())));
    assert_eq!(by_number, good(cards(bank, &["show", &id], "")));
    for line in [
        "number      610433******",
        "phone       98912***01",
        "status      active",
        "locked      no",
        "open PINs   0",
    ] {
        assert!(by_number.contains(line), "{by_number}");
    }
    assert!(!by_number.contains(pan.expose()) && !by_number.contains(&PHONE[1..]), "{by_number}");
    let by_argument = cards(bank, &["show", pan.expose()], "");
    assert!(by_argument.code == Some(1) && !by_argument.err.contains(pan.expose()), "{}", by_argument.err);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_through_three_processes() {
    let mut house = House::open().await;
    let (bank, payee) = (&house.bank, payee());
    let pan = pan(IIN, 1);
    bank.account(&pan);
    let id = add(bank, &pan);

    // A PIN, through the router, to the handset.
    let ask = async |amount| {
        let reply = house.router(ASKER).ask(fresh_key(), &payee.request(pan.expose(), amount)).await.unwrap();
        assert_eq!(reply.status, 202, "{}", reply.text);
        assert_eq!(reply.json()["valid_for_s"], 120);
        bank.pin_comes(PHONE, amount).await
    };
    let pin = ask(AMOUNT).await;
    assert_eq!(pin.len(), 7);

    // Spent once.
    let switch = bank.switch();
    switch.link.came_up().await;
    let pay = async |amount, pin: &str, trace| {
        switch.pay(switch.with_pin(payee.payment(pan.expose(), EXPIRY, amount, trace), pin)).await
    };
    let before = bank.host.balance(&pan).unwrap().get();
    assert_eq!(pay(AMOUNT, &pin, 1).await, "00");
    assert_eq!(pay(AMOUNT, &pin, 1).await, "00", "a repeat has the first answer");
    assert_eq!(pay(AMOUNT, &pin, 2).await, "55");
    assert_eq!(before - bank.host.balance(&pan).unwrap().get(), AMOUNT);

    // Locked by three wrong ones, unlocked by the bank.
    let right = ask(2_000).await;
    let wrong = if right == "1234567" { "7654321" } else { "1234567" };
    for (trace, code) in [(3, "55"), (4, "55"), (5, "75")] {
        assert_eq!(pay(2_000, wrong, trace).await, code);
    }
    assert_eq!(pay(2_000, &right, 6).await, "75", "a lock holds for the right PIN too");
    let locked = good(cards(bank, &["show", &id], ""));
    assert!(locked.contains("locked      until 20") && locked.contains("wrong PINs  3 in a row"), "{locked}");
    let unlocked = good(cards(bank, &["unlock", &id], ""));
    assert!(unlocked.contains("locked      no") && unlocked.contains("wrong PINs  0"), "{unlocked}");
    let fresh = ask(3_000).await;
    assert_eq!(pay(3_000, &fresh, 7).await, "00");

    open_a_payment(&house).await;
    only_who_is_known(&house, &payee.request(pan.expose(), 4_000)).await;

    for (role, process) in
        [("issuer", &mut house.issuer), ("router", &mut house.router), ("gateway", &mut house.gateway)]
    {
        let (status, after) = process.terminate();
        assert_eq!(status.code(), Some(0), "{role}: {}", process.said());
        assert!(after.as_secs() < 5, "{role} took {after:?} to end");
        assert_eq!(process.more_lines(), Vec::<String>::new(), "{role}: one line on standard output");
        assert!(!process.said().contains("panicked"), "{role}: {}", process.said());
    }
    no_secret_in_logs(&house.bank, &[pan.expose(), &PHONE[1..], &pin, &right, &fresh]);
}

/// The gateway's API takes a payment from a merchant with a key, and from nobody else.
async fn open_a_payment(house: &House) {
    let gateway = Site::plain(&format!("http://localhost:{}", house.gateway_port));
    let wanted =
        json!({ "amount": AMOUNT, "kind": "purchase", "order": "7", "callback": "http://localhost:1/back" });
    let open = async |key: &str| {
        let mut request = with_json(axum::http::Method::POST, "/v1/payments", &wanted);
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        gateway.call(request).await.unwrap()
    };
    let opened = open("0123456789abcdef0123456789abcdef").await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    let page = opened.json()["page"].as_str().unwrap().to_owned();
    let path = page.strip_prefix(&format!("http://localhost:{}", house.gateway_port)).unwrap();
    let shown = gateway.get(path).await;
    assert!(shown.status == 200 && shown.text.contains("value=\"1250000\""), "{}", shown.text);
    assert_eq!(open("0123456789abcdef0123456789abcdee").await.status, 401);
}

/// Certificates decide who comes in.
async fn only_who_is_known(house: &House, body: &Value) {
    let bank = &house.bank;
    for (door, url) in [
        ("router", format!("https://localhost:{}", house.router_port)),
        ("issuer", bank.at("https", 0)),
        ("back office", bank.at("https", 2)),
    ] {
        let nameless = Site::new(TlsClient::without(&bank.tls(ASKER)), &url);
        let refused = nameless.ask(fresh_key(), body).await;
        assert!(refused.is_err(), "{door}: without a certificate: {refused:?}");
        let stranger = Site::new(TlsClient::with(&bank.tls(STRANGER)), &url);
        let refused = stranger.ask(fresh_key(), body).await.unwrap();
        assert_eq!(refused.status, 401, "{door}: not registered: {}", refused.text);
        assert!(refused.text.contains("unknown-asker"), "{door}: {}", refused.text);
    }
    // An asker's certificate opens no back office, and another authority's opens nothing.
    let asker = bank.site(2, ASKER).post("/admin/v1/cards/find", &json!({ "pan": body["pan"] })).await;
    assert_eq!(asker.status, 401);
    let forged = crate::processes::certificates::Authority::new(&bank.file("forged")).certify(ASKER);
    let forged = crate::processes::certificates::Tls { ca: bank.tls(ASKER).ca, ..forged };
    assert!(Site::new(TlsClient::with(&forged), &bank.at("https", 0)).ask(fresh_key(), body).await.is_err());
}

fn no_secret_in_logs(bank: &Bank, secrets: &[&str]) {
    for log in ["issuer.log", "router.log", "gateway.log"] {
        let text = fs::read_to_string(bank.file(log)).unwrap();
        for secret in secrets {
            assert!(!text.contains(secret), "{log} tells a secret:\n{text}");
        }
    }
}
