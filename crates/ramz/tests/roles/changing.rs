//! `ramz cards` for one card: what is said of it, and what an operator changes of it. Numbers come in by standard input and files.

use serde_json::json;

use crate::house::good;
use crate::processes::bank::{Bank, EXPIRY, IIN};
use crate::processes::process::{Said, run};
use crate::processes::wires::pan;

fn cards(bank: &Bank, command: &str, rest: &[&str], input: &str) -> Said {
    let settings = bank.file("operator.toml");
    let said = run([&["cards", command, "--config", settings.to_str().unwrap()], rest].concat(), input);
    // Whatever is told, good or bad, names no card and no phone.
    let all = format!("{}{}", said.out, said.err);
    assert!(!all.contains(&format!("{IIN}7")) && !all.contains("9120001"), "{all}");
    said
}

fn has(shown: &str, lines: &[&str]) {
    for line in lines {
        assert!(shown.lines().any(|shown| shown == *line), "{line} is not in\n{shown}");
    }
}

fn refuses(said: &Said, why: &str) {
    assert!(said.code == Some(1) && said.err.contains(why), "{why} is not in {}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_changed_without_an_argument_that_names_it() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let numbers = [1, 2, 3].map(|n| pan(IIN, n));
    let [first, second, third] = numbers.each_ref().map(|pan| pan.expose());
    let whole = json!({
        "pan": first, "expiry": EXPIRY, "phone": "09120001101", "customer": "4711", "product": "gift",
        "static_pin_consent": "2026-11-24T05:22:44+03:30", "sms_pin_max": 2_000_000, "static_pin_max": "500000",
    });
    let file = bank.write("card.json", &whole.to_string());
    let added = good(cards(&bank, "add", &["--file", file.to_str().unwrap()], ""));
    let id = added.trim().strip_prefix("card ").unwrap().strip_suffix(" added").unwrap().to_owned();
    let other = json!({ "pan": second, "expiry": EXPIRY }).to_string();
    good(cards(&bank, "add", &["--file", "-"], &other));

    let shown = good(cards(&bank, "show", &[], &format!("{first}\n")));
    has(
        &shown,
        &[
            "phone       98912***01",
            "customer    4711",
            "product     gift",
            "services    none",
            "devices     none",
            "texted PIN  at most 2,000,000 rial",
            "static PIN  accepted since 2026-11-24T01:52:44Z; at most 500,000 rial, 0 rial paid in 24 hours",
        ],
    );

    // The phone: typed, by a file, taken away; never by saying nothing.
    let typed = good(cards(&bank, "phone", &[], &format!("{first}\n0912 000 1102\n")));
    has(&typed, &["phone       98912***02", "customer    4711"]);
    let file = bank.write("phone.json", r#"{"phone":"+989120001103"}"#);
    has(
        &good(cards(&bank, "phone", &[&id, "--file", file.to_str().unwrap()], "")),
        &["phone       98912***03"],
    );
    refuses(&cards(&bank, "phone", &[&id], ""), "--none");
    refuses(&cards(&bank, "phone", &[&id], "0912\n"), "not a mobile number");
    has(&good(cards(&bank, "show", &[&id], "")), &["phone       98912***03"]);
    has(&good(cards(&bank, "phone", &[&id, "--none"], "")), &["phone       none"]);

    // Another number for the same card.
    let new = format!("{first}\n{third}\n1112\n");
    let reissued = good(cards(&bank, "reissue", &[], &new));
    has(&reissued, &[&format!("card        {id}"), "customer    4711"]);
    assert_eq!(good(cards(&bank, "show", &[], &format!("{third}\n"))), reissued);
    let taken = json!({ "pan": second, "expiry": "1112" }).to_string();
    refuses(&cards(&bank, "reissue", &[&id, "--file", "-"], &taken), "It exists already");
    let foreign = json!({ "pan": pan("603799", 1).expose(), "expiry": "1112" }).to_string();
    refuses(&cards(&bank, "reissue", &[&id, "--file", "-"], &foreign), "/pan");
    refuses(&cards(&bank, "reissue", &[&id], &format!("{second}\n1113\n")), "/expiry");

    good(cards(&bank, "first-pin-off", &[&id], ""));
    has(&good(cards(&bank, "hot-list", &[&id], "")), &["status      hot_listed", "customer    4711"]);

    // Members of a file: what it leaves out stays, and an empty text takes away.
    let change = |members: &str| cards(&bank, "change", &[&id, "--file", "-"], members);
    has(
        &good(change(r#"{"status":"active","product":"","sms_pin_max":1000000}"#)),
        &["status      active", "customer    4711", "texted PIN  at most 1,000,000 rial"],
    );
    assert!(!good(cards(&bank, "show", &[&id], "")).contains("gift"));
    refuses(&change(r#"{"status":"found"}"#), "/status");
    refuses(&change(&json!({ "pan": first }).to_string()), "/pan");
    has(&good(cards(&bank, "show", &[&id], "")), &["status      active"]);
    has(&good(cards(&bank, "close", &[&id], "")), &["status      closed"]);
    refuses(&cards(&bank, "close", &[], &format!("{}\n", pan(IIN, 9).expose())), "no card");
    assert_eq!(issuer.terminate().0.code(), Some(0));
}
