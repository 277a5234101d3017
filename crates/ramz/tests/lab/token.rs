//! `ramz token` against the lab's bank: from the receipt of an ATM to a withdrawal with a PIN that a phone computed. What a code is
//! worth is the issuer's tests'; here the whole way is gone, by commands that an outsider can type.

use std::fs;
use std::path::PathBuf;

use ramz_domain::Moment;
use serde_json::{Value, json};

use crate::known::Lab;
use crate::processes::process::{Said, run};
use crate::processes::until;

/// A phone as commands: its store and passphrase are files.
struct Phone<'a> {
    lab: &'a Lab,
    folder: PathBuf,
}

impl Phone<'_> {
    fn of<'a>(lab: &'a Lab, name: &str) -> Phone<'a> {
        let folder = lab.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("passphrase"), "open sesame\n").unwrap();
        Phone { lab, folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// `ramz token …`, whatever comes of it.
    fn tries(&self, words: &[&str], input: &str) -> Said {
        let (store, passphrase) = (self.file("token"), self.file("passphrase"));
        let with = ["token", "--store", &store, "--passphrase-file", &passphrase];
        run([&with[..], words].concat(), input)
    }

    #[track_caller]
    fn does(&self, words: &[&str], input: &str) -> String {
        let said = self.tries(words, input);
        assert_eq!(said.code, Some(0), "{words:?}: {}", said.err);
        said.out
    }

    #[track_caller]
    fn fails(&self, words: &[&str], input: &str) -> String {
        let said = self.tries(words, input);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{words:?}");
        said.err
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.does(&[words, &["--json"]].concat(), "")).unwrap()
    }

    fn code(&self, words: &[&str]) -> String {
        self.json(&[&["code"], words].concat())["code"].as_str().unwrap().to_owned()
    }

    /// The beginning of a later minute, by the bank's clock; the phone asks for it. What happens in one minute then does.
    async fn next_minute(&self) {
        let told = self.lab.portal.post("/lab/clock", &json!({ "advance_s": 60 })).await.json();
        let now = Moment::parse_rfc3339(told["now"].as_str().unwrap()).unwrap();
        self.lab.advance(60 - now.unix_ms() / 1000 % 60).await;
        self.json(&["list"]);
    }

    /// From the ATM's receipt and the SMS to the device.
    async fn activated(&self, bank: usize, card: &Value) {
        let told = terminal(
            self.lab,
            bank,
            "terminal",
            card,
            card["static_first_pin"].as_str().unwrap(),
            &["activate-app"],
        );
        assert_eq!(told["response_code"], "00", "{told}");
        let receipt = told["receipt_half"].as_str().unwrap();
        let sms = until("the SMS with the other half", async || {
            let texts = self.lab.texts(card["phone"].as_str().unwrap()).await;
            texts.iter().rev().find_map(|text| eight_digits(text))
        })
        .await;
        let codes = json!({ "receipt_code": receipt, "sms_code": sms }).to_string();
        let url = self.lab.text(&format!("/banks/{bank}/app"));
        let words = ["activate", "--bank", url, "--name", "test", "--codes-file", "-"];
        let wrong = json!({ "receipt_code": receipt, "sms_code": "00000000" }).to_string();
        assert!(self.fails(&words, &wrong).contains("The codes do not activate a device"));
        assert!(self.does(&words, &codes).starts_with("device "));
    }
}

/// `ramz terminal … <words>` at one of the bank's machines, with this PIN.
fn terminal(lab: &Lab, bank: usize, machine: &str, card: &Value, pin: &str, words: &[&str]) -> Value {
    let id = lab.text(&format!("/banks/{bank}/id"));
    let settings = lab.folder.path().join(format!("data/{id}-{machine}.toml"));
    let input = json!({ "pan": card["pan"], "expiry": card["expiry"], "pin": pin }).to_string();
    let with = ["terminal", "--config", settings.to_str().unwrap(), "--card-file", "-", "--json"];
    serde_json::from_str(&run([&with[..], words].concat(), &input).out).unwrap()
}

/// The first run of exactly eight digits.
fn eight_digits(text: &str) -> Option<String> {
    let folded = ramz_domain::digits::fold(text);
    let runs = folded.split(|c: char| !c.is_ascii_digit());
    runs.map(str::to_owned).find(|run| run.len() == 8)
}

fn of(card: &Value) -> String {
    json!({ "pan": card["pan"], "expiry": card["expiry"] }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_from_the_receipt_to_the_cash() {
    let lab = Lab::open("warn").await;
    let (card, switch) = (lab.card(0, "active"), lab.switch(0).await);
    let phone = Phone::of(&lab, "phone");
    phone.activated(0, &card).await;
    phone.does(&["add", "--card-file", "-"], &of(&card));
    let ending = &card["pan"].as_str().unwrap()[12..];
    assert_eq!(phone.json(&["list"])["cards"][0]["card_ending"], ending);

    // On the web: once.
    let code = phone.code(&["--card", ending]);
    assert_eq!(lab.pay(&switch, &card, 1_250_000, &code).await, "00");
    assert_eq!(lab.pay(&switch, &card, 1_250_000, &code).await, "55", "the same code again");
    // Above the code's own ceiling, and then it is used up.
    phone.next_minute().await;
    let told = phone.json(&["code", "--ceiling", "1000000"]);
    assert_eq!((&told["ceiling"], &told["ceiling_rial"]), (&json!(1), &json!(1_000_000)));
    let code = told["code"].as_str().unwrap();
    assert_eq!(lab.pay(&switch, &card, 1_000_001, code).await, "61");
    assert_eq!(lab.pay(&switch, &card, 1_000_000, code).await, "55");
    // And above that of the slot.
    phone.does(&["ceiling", "--slot", "second", "--to", "2"], "");
    phone.next_minute().await;
    assert_eq!(lab.pay(&switch, &card, 5_000_001, &phone.code(&[])).await, "61");

    // Where the card is read.
    phone.does(&["first-pin", "on"], "");
    let used = phone.fails(&["first-pin", "off"], "");
    assert!(used.contains("this minute's control code was used"), "{used}");
    let first = phone.code(&["--slot", "first"]);
    let withdraw = ["withdraw", "--amount", "500000"];
    let told = terminal(&lab, 0, "terminal", &card, &first, &withdraw);
    assert_eq!(told["response_code"], "00", "{told}");
    assert_eq!(terminal(&lab, 0, "terminal", &card, &first, &withdraw)["response_code"], "55", "again");
    phone.next_minute().await;
    let told =
        terminal(&lab, 0, "pos", &card, &phone.code(&["--slot", "first"]), &["pay", "--amount", "12345"]);
    assert_eq!(told["response_code"], "00", "{told}");
    phone.next_minute().await;
    phone.next_minute().await;
    phone.does(&["resync"], "");
    phone.next_minute().await;
    phone.does(&["check"], "");
    phone.next_minute().await;
    phone.does(&["first-pin", "off"], "");
    let pin = card["static_first_pin"].as_str().unwrap();
    assert_eq!(terminal(&lab, 0, "terminal", &card, pin, &withdraw)["response_code"], "00", "static again");

    let device = phone.json(&["devices"])["devices"][0]["device"].as_str().unwrap().to_owned();
    assert!(phone.does(&["devices", "rename", &device, "other"], "").contains("  other  1 cards"));
    phone.does(&["remove"], "");
    assert!(phone.fails(&["code"], "").contains("ramz token add"));
    phone.does(&["devices", "revoke", "this"], "");
    assert!(phone.fails(&["list"], "").contains("The device is not known any more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_computes_codes_without_its_bank_and_says_what_it_cannot_do() {
    let mut lab = Lab::open("warn").await;
    let card = lab.card(1, "active");
    let phone = Phone::of(&lab, "phone");
    assert!(phone.fails(&["code"], "").contains("`ramz token activate` makes one"));
    let plain = ["activate", "--bank", "http://bank.example", "--name", "x", "--codes-file", "-"];
    assert!(phone.fails(&plain, "{}").contains("write https://"));
    phone.activated(1, &card).await;
    let again = ["activate", "--bank", "http://localhost:1", "--name", "x", "--codes-file", "-"];
    assert!(phone.fails(&again, "{}").contains("is a device already"));
    assert!(phone.fails(&["code"], "").contains("ramz token add"));
    assert!(phone.fails(&["add", "--card-file", "-"], "{\"pan\": \"x\"}").contains("line 1"));
    phone.does(&["add", "--card-file", "-"], &of(&card));
    let lines = phone.does(&["code", "--ceiling", "1"], "");
    assert!(
        lines.contains("second PIN of …") && lines.contains("up to 1,000,000 rial; the next one in"),
        "{lines}"
    );
    assert!(phone.fails(&["code", "--ceiling", "9"], "").contains("1 (1,000,000)"));
    assert!(phone.fails(&["code", "--card", "0000"], "").contains("no such card"));
    // Another passphrase, and another command that has the store.
    fs::write(phone.folder.join("passphrase"), "open barley\n").unwrap();
    assert!(phone.fails(&["code"], "").contains("the passphrase is wrong"));
    fs::write(phone.folder.join("passphrase"), "open sesame\n").unwrap();
    let lock = fs::File::options().write(true).open(phone.file("token.lock")).unwrap();
    lock.lock().unwrap();
    assert!(phone.fails(&["list"], "").contains("in use by another"));
    drop(lock);
    // Codes need no bank; the rest says that it is away.
    let folder = phone.folder.clone();
    lab.process.terminate();
    let phone = Phone { lab: &lab, folder };
    assert_eq!(phone.code(&[]).len(), 7);
    let away = phone.fails(&["check"], "");
    assert!(away.contains("the bank's app door cannot be reached"), "{away}");
    let told = phone.tries(&["code", "--slot", "first"], "");
    assert!(told.code == Some(0) && told.err.contains("ramz token first-pin on"), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_takes_a_lost_phone_away_with_all_its_cards() {
    let lab = Lab::open("warn").await;
    let card = lab.card(1, "active");
    let phone = Phone::of(&lab, "phone");
    phone.activated(1, &card).await;
    phone.does(&["add", "--card-file", "-"], &of(&card));
    let id = lab.text("/banks/1/id");
    let settings = lab.folder.path().join(format!("data/{id}-operator.toml"));
    let cards = |words: &[&str], input: &str| {
        run([&["cards", words[0], "--config", settings.to_str().unwrap()], &words[1..]].concat(), input)
    };
    let shown = cards(&["show"], &format!("{}\n", card["pan"].as_str().unwrap())).out;
    let after = |name: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {shown}")).split_whitespace().next().unwrap().to_owned()
    };
    let (card, device) = (after("card  "), after("device  "));
    for (device, why) in [("d1", "32 hexadecimal digits"), (&"0".repeat(32), "not")] {
        let no = cards(&["revoke-device", &card, device], "");
        assert!(no.code == Some(1) && no.err.contains(why), "{device}: {}", no.err);
    }
    let revoked = cards(&["revoke-device", &card, &device], "");
    assert_eq!(revoked.code, Some(0), "{}", revoked.err);
    assert!(revoked.out.contains("\ndevices     none\n"), "{}", revoked.out);
    assert!(phone.fails(&["list"], "").contains("The device is not known any more"));
}
