//! The lab's terminals: over HTTP, and as `ramz terminal` with the settings that the lab has written. What a bank decides is the
//! issuer's tests'; here its answer only has to come back.

use serde_json::{Value, json};

use crate::known::Lab;
use crate::processes::process::run;

#[tokio::test(flavor = "multi_thread")]
async fn every_banks_cards_are_served_at_both_terminals() {
    let lab = Lab::open("warn").await;
    for bank in [0, 1] {
        let card = lab.card(bank, "active");
        for terminal in ["atm", "cashless"] {
            let body = json!({ "pan": card["pan"], "expiry": card["expiry"], "pin": card["static_first_pin"],
                "service": "910000", "terminal": terminal });
            let reply = lab.portal.post("/terminal/services", &body).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            let told = reply.json();
            assert_eq!(told["response_code"].as_str().map(str::len), Some(2), "{told}");
            for member in ["show", "print", "masked_phone", "receipt_half", "refusal", "app_address", "qr"] {
                assert!(told.get(member).is_some(), "no {member} in {told}");
            }
        }
    }
    let facts = lab.portal.get("/trace").await.text;
    for title in ["0600 terminal service", "0610 terminal service"] {
        assert!(facts.contains(title), "no {title} in the trace");
    }
    for path in ["/atm", "/cashless-terminal", "/pos", "/terminal/menu"] {
        let reply = lab.portal.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(
            reply.headers.iter().any(|header| header == "cache-control: no-store"),
            "{path}: {:?}",
            reply.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_banks_cards_pay_with_their_first_pin() {
    let lab = Lab::open("warn").await;
    let pay = async |card: &Value, pin: &str, payment: &str, terminal: &str, amount: Option<u64>| {
        let mut body = json!({ "pan": card["pan"], "expiry": card["expiry"], "pin": pin, "payment": payment,
            "terminal": terminal });
        if let Some(amount) = amount {
            body["amount"] = json!(amount);
        }
        let reply = lab.portal.post("/terminal/payments", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    };
    for bank in [0, 1] {
        let card = lab.card(bank, "active");
        let (pin, had) = (card["static_first_pin"].as_str().unwrap(), card["balance"].as_u64().unwrap());
        for (pin, payment, terminal, amount, code) in [
            (pin, "withdrawal", "atm", Some(1_000_000), "00"),
            (pin, "purchase", "pos", Some(12_345), "00"),
            ("9999", "purchase", "pos", Some(1), "55"),
            (pin, "purchase", "pos", Some(had), "51"),
        ] {
            let told = pay(&card, pin, payment, terminal, amount).await;
            assert_eq!(told["response_code"], code, "{told}");
            assert_eq!((&told["amount"], &told["reversal"]), (&json!(amount), &Value::Null));
        }
        let told = pay(&card, pin, "balance", "atm", None).await;
        assert_eq!(told["balance"], had - 1_000_000 - 12_345, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labs_settings_are_ready_for_the_command() {
    let lab = Lab::open("warn").await;
    for bank in [0, 1] {
        let card = lab.card(bank, "active");
        let id = lab.text(&format!("/banks/{bank}/id")).to_owned();
        let settings = lab.folder.path().join(format!("data/{id}-terminal.toml"));
        let input = json!({ "pan": card["pan"], "pin": card["static_first_pin"] }).to_string();
        let words =
            ["terminal", "--config", settings.to_str().unwrap(), "--card-file", "-", "--json", "sms", "show"];
        let said = run(words, &input);
        let told: Value = serde_json::from_str(&said.out).unwrap();
        let code = told["response_code"].as_str().unwrap_or_else(|| panic!("no answer: {}", said.err));
        assert_eq!(said.code, Some(i32::from(code != "00")), "{told}");
        let settings = lab.folder.path().join(format!("data/{id}-pos.toml"));
        let words = ["terminal", "--config", settings.to_str().unwrap(), "--card-file", "-", "--json"];
        let said = run([&words[..], &["pay", "--amount", "1000"]].concat(), &input);
        let told: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!((said.code, &told["response_code"]), (Some(0), &json!("00")), "{told}");
    }
}
