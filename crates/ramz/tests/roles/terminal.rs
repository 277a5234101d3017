//! `ramz terminal` as a process, against a small issuer of the test's own over both layouts.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ramz_api::net::{Door as _, Peer};
use ramz_api::tap::NoTap;
use ramz_iso8583::{Layout, Message, MtiClass, de48};
use ramz_link::{Answer, Names, listen};
use serde_json::{Value, json};

use crate::house::good;
use crate::processes::bank::{Bank, ZONE_KEY};
use crate::processes::process::{Said, run};
use crate::processes::surroundings::Loopback;

const PAN: &str = "6104337000000016";

/// Answers by the service; keeps what it was asked.
#[derive(Default)]
struct Issuer(Mutex<Vec<Message>>);

#[async_trait]
impl Answer for Issuer {
    async fn answer(&self, request: Message, _from: &Peer) -> Option<Message> {
        let (code, told): (&str, &[(&str, &str)]) = match request.get(3).unwrap() {
            "900000" => (
                "00",
                &[
                    (de48::PRINT, "نیمه‌ی نخست\nکد"),
                    (de48::RECEIPT_CODE, "40718265"),
                    (de48::APP_ADDRESS, "https://app.bank.example/"),
                ],
            ),
            "910000" => ("00", &[(de48::SHOW, "آیا درست است؟"), (de48::MASKED_PHONE, "0912***1101")]),
            "920000" => ("55", &[(de48::REFUSAL, "wrong_pin")]),
            "921000" => ("57", &[(de48::SHOW, "بی‌موبایل"), (de48::REFUSAL, "no_phone")]),
            _ => ("00", &[]),
        };
        let mut answer = Message::new(request.mti().response());
        for field in [3, 7, 11, 12, 13, 32, 37, 41, 42] {
            answer.set(field, request.bytes(field).unwrap());
        }
        if request.mti().class() == MtiClass::Financial {
            let amount = request.get(4).unwrap();
            self.0.lock().unwrap().push(request.clone());
            answer.set(39, if amount == "000020000000" { "51" } else { "00" });
            if request.get(3) == Some("310000") {
                answer.set(54, "0002364C000012500000");
            }
            return Some(answer);
        }
        answer.set(39, code);
        let mut tags = de48::Tags::new();
        told.iter().for_each(|(tag, text)| tags.set(tag, *text));
        tags.put_into(&mut answer).unwrap();
        self.0.lock().unwrap().push(request);
        Some(answer)
    }
}

/// An issuer that answers, and the files that a terminal is started from.
struct Counter {
    bank: Bank,
    issuer: Arc<Issuer>,
}

impl Counter {
    async fn open(layout: &str) -> Counter {
        let (bank, issuer) = (Bank::open().await, Arc::new(Issuer::default()));
        let door = Loopback::bind(0).await;
        let address = door.address().to_string();
        let names = Names { ours: "bank".into(), theirs: "switch".into() };
        let layout_read = Layout::named(layout).unwrap();
        let stop = bank.shutdown.child_token();
        tokio::spawn(listen(door, layout_read, Vec::new(), issuer.clone(), Arc::new(NoTap), names, stop));
        bank.quick_key_file("terminal.keys", &[("switch", &ZONE_KEY)]);
        let counter = Counter { bank, issuer };
        counter.bank.settings("terminal.toml", &counter.settings(&address, layout));
        counter.card("card.json", &json!({ "pan": PAN, "expiry": "0912", "pin": "1234" }));
        counter
    }

    fn settings(&self, address: &str, layout: &str) -> Value {
        let keys = json!({ "file": self.bank.file("terminal.keys"), "passphrase_file": self.bank.file("passphrase") });
        json!({ "terminal": { "address": address, "layout": layout, "machine": "cashless", "keys": keys } })
    }

    fn card(&self, name: &str, card: &Value) {
        self.bank.write(name, &card.to_string());
    }

    fn run(&self, words: &[&str]) -> Said {
        self.run_with("terminal.toml", "card.json", words, "")
    }

    fn run_with(&self, settings: &str, card: &str, words: &[&str], input: &str) -> Said {
        let at = |name: &str| self.bank.file(name).to_str().unwrap().to_owned();
        let (settings, card_file) = (at(settings), if card.is_empty() { String::new() } else { at(card) });
        let mut arguments = vec!["terminal", "--config", &settings];
        arguments.extend(words);
        if !card.is_empty() {
            arguments.extend(["--card-file", &card_file]);
        }
        let said = run(arguments, input);
        for text in [&said.out, &said.err] {
            assert!(!text.contains(PAN) && !text.contains("panicked"), "{text}");
        }
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_has_its_words_over_both_layouts() {
    for layout in ["ascii", "bcd"] {
        let counter = Counter::open(layout).await;
        for (words, code) in [
            (&["activate-app"][..], "900000"),
            (&["sms", "show"], "910000"),
            (&["sms", "on"], "911000"),
            (&["first-pin", "on"], "930000"),
            (&["first-pin", "off"], "931000"),
            (&["unlock"], "940000"),
            (&["devices", "list"], "950000"),
            (&["devices", "revoke", "2"], "951000"),
        ] {
            let said = good(counter.run(words));
            assert!(said.starts_with("answer        00 Done.\n"), "{said}");
            let seen = counter.issuer.0.lock().unwrap();
            let last = seen.last().unwrap();
            assert_eq!((last.mti().as_str(), last.get(3)), ("0600", Some(code)), "{layout} {words:?}");
            assert_eq!((last.get(2), last.get(14), last.get(18)), (Some(PAN), Some("0912"), Some("6010")));
            assert_eq!(last.get(48), (code == "951000").then_some("140012"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_screen_and_receipt_say() {
    let counter = Counter::open("ascii").await;
    let said = good(counter.run(&["activate-app"]));
    let expect = "answer        00 Done.\nreceipt       نیمه‌ی نخست\n              کد\nreceipt half  40718265\n\
         app           https://app.bank.example/\n";
    assert_eq!(said, expect);
    let said = good(counter.run(&["sms", "show"]));
    assert!(said.contains("screen        آیا درست است؟\nmobile        0912***1101\n"), "{said}");
    let json: Value = serde_json::from_str(&good(counter.run(&["sms", "show", "--json"]))).unwrap();
    let expect = json!({ "response_code": "00", "show": "آیا درست است؟", "print": null, "masked_phone": "0912***1101",
        "receipt_half": null, "refusal": null, "app_address": null, "qr": null, "reason": "Done." });
    assert_eq!(json, expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_with_its_reason_and_fails() {
    let counter = Counter::open("bcd").await;
    let said = counter.run(&["app", "off"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "ramz: the bank answered 55: The first PIN is wrong. (wrong_pin)\n")
    );
    let said = counter.run(&["--json", "sms", "off"]);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.code, &json["response_code"], &json["refusal"]),
        (Some(1), &json!("57"), &json!("no_phone"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_goods_and_balance_are_asked_for_by_the_machine_that_has_them() {
    for layout in ["ascii", "bcd"] {
        let counter = Counter::open(layout).await;
        let machine = |name: &str, machine: &str| {
            let file = counter.bank.file("terminal.toml");
            let text = std::fs::read_to_string(file).unwrap().replace("cashless", machine);
            counter.bank.write(name, &text);
        };
        machine("atm.toml", "atm");
        machine("pos.toml", "pos");
        let said = good(counter.run_with("pos.toml", "card.json", &["pay", "--amount", "250000"], ""));
        assert!(
            said.starts_with("answer        00 Done.\namount        250,000 rial\nreference     "),
            "{said}"
        );
        let said = good(counter.run_with("atm.toml", "card.json", &["balance"], ""));
        assert!(said.contains("balance       12,500,000 rial\n") && !said.contains("amount"), "{said}");
        let cash = ["withdraw", "--amount", "500000", "--json"];
        let json: Value =
            serde_json::from_str(&good(counter.run_with("atm.toml", "card.json", &cash, ""))).unwrap();
        assert_eq!((&json["response_code"], &json["amount"]), (&json!("00"), &json!(500_000)));
        let said = counter.run_with("atm.toml", "card.json", &["withdraw", "--amount", "20000000"], "");
        let expect = "ramz: the bank answered 51: There is not enough on the card.\n";
        assert_eq!((said.code, said.err.as_str()), (Some(1), expect));
        let asked: Vec<_> =
            counter.issuer.0.lock().unwrap().iter().map(|m| m.get(3).unwrap().to_owned()).collect();
        assert_eq!(asked, ["000000", "310000", "010000", "010000"], "{layout}");
        for (settings, words, part) in [
            ("terminal.toml", &["pay", "--amount", "1"][..], "terminal.machine: a purchase is for a pos"),
            ("pos.toml", &["balance"], "terminal.machine: withdrawal and balance are for an atm"),
            ("pos.toml", &["unlock"], "a pos has no menu of services"),
            ("atm.toml", &["withdraw", "--amount", "750000"], "multiples of 500000 up to 20000000"),
        ] {
            let said = counter.run_with(settings, "card.json", words, "");
            assert!(said.code == Some(1) && said.err.contains(part), "{words:?}: {}", said.err);
        }
        assert_eq!(counter.issuer.0.lock().unwrap().len(), 4, "nothing more was asked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_is_typed_or_piped_and_never_an_argument() {
    let counter = Counter::open("ascii").await;
    let said = counter.run_with("terminal.toml", "", &["unlock"], "6104 3370 0000 0016\n\n۱۲۳۴\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        !counter.issuer.0.lock().unwrap().last().unwrap().has(14),
        "an expiry that is not known is not sent"
    );
    let piped = counter.run_with(
        "terminal.toml",
        "",
        &["unlock", "--card-file", "-"],
        r#"{"pan":"6104337000000016","pin":"1234"}"#,
    );
    assert_eq!(piped.code, Some(0), "{}", piped.err);
    for arguments in [&["unlock", PAN][..], &["unlock", "--pin", "1234"], &["unlock", "--pan", PAN], &[]] {
        assert_eq!(run([&["terminal"], arguments].concat(), "").code, Some(2), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_anything_is_asked() {
    let counter = Counter::open("ascii").await;
    counter.card("typo.json", &json!({ "pan": "6104337000000061", "pin": "12" }));
    counter.card("number.json", &json!({ "pan": 6_104_337_000_000_016_u64, "pin": "1234" }));
    counter.bank.settings("unknown.toml", &json!({ "terminal": { "pin": "1234" } }));
    counter.bank.settings("zone.toml", &{
        let mut settings = counter.settings("127.0.0.1:1", "ascii");
        settings["terminal"]["zone"] = json!("elsewhere");
        settings
    });
    for (settings, card, words, part) in [
        ("terminal.toml", "typo.json", &["unlock"][..], "/pan: the check digit"),
        ("terminal.toml", "typo.json", &["unlock"], "/pin: a PIN has 4 to 12 digits"),
        ("terminal.toml", "number.json", &["unlock"], "the card file is no card"),
        ("terminal.toml", "none.json", &["unlock"], "cannot read"),
        ("terminal.toml", "card.json", &["devices", "revoke", "x"], "write the number that the list shows"),
        ("unknown.toml", "card.json", &["unlock"], "unknown field `pin`"),
        ("zone.toml", "card.json", &["unlock"], "no zone \"elsewhere\""),
    ] {
        let said = counter.run_with(settings, card, words, "");
        assert_eq!(said.code, Some(1), "{words:?}");
        assert!(said.err.contains(part), "{}", said.err);
    }
    assert!(counter.issuer.0.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_a_card_before_all_else_is_there() {
    let counter = Counter::open("ascii").await;
    let mut settings = counter.settings("127.0.0.1:1", "ascii");
    counter.bank.settings("away.toml", &settings);
    settings["terminal"]["keys"]["file"] = json!(counter.bank.file("none.keys"));
    counter.bank.settings("keyless.toml", &settings);
    for (settings, part) in [
        ("issuer.toml", "issuer.toml has no table [terminal]; it has: issuer"),
        ("keyless.toml", "none.keys"),
        ("away.toml", "the bank does not answer"),
    ] {
        let said = counter.run_with(settings, "", &["unlock"], "");
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
        assert!(said.err.contains(part) && !said.err.contains("Card number"), "{settings}: {}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_cannot_be_reached_does_not_answer() {
    let counter = Counter::open("ascii").await;
    counter.bank.settings("away.toml", &counter.settings("127.0.0.1:1", "ascii"));
    let said = counter.run_with("away.toml", "card.json", &["unlock", "--json"], "");
    let expect = "the bank does not answer: 127.0.0.1:1 does not take a connection and a sign-on";
    assert_eq!((said.code, said.err.contains(expect)), (Some(1), true), "{}", said.err);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json, json!({ "response_code": null, "reason": expect }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_is_complete() {
    let help = good(run(["terminal", "--help"], ""));
    for part in [
        "activate-app",
        "sms",
        "app",
        "first-pin",
        "unlock",
        "devices",
        "withdraw",
        "pay",
        "balance",
        "--config",
        "--card-file",
        "--json",
        "exit code",
    ] {
        assert!(help.contains(part), "no {part} in:\n{help}");
    }
    assert!(good(run(["terminal", "sms", "--help"], "")).contains("911000"));
    assert!(good(run(["terminal", "devices", "revoke", "--help"], "")).contains("Its number in the list"));
}
