//! `ramz journal verify`: a journal that was altered behind our back is found. `ramz journal show`: what is in it.

use serde_json::json;

use crate::processes::bank::{ASKER, Bank, IIN, OPERATOR, card, payee};
use crate::processes::database::Kept;
use crate::processes::process::{Said, run};
use crate::processes::until;
use crate::processes::wires::{Site, fresh_key, pan};

const PHONE: &str = "09120001101";
/// What `ramz journal verify` says of a store that was written to under its hands.
const MEANWHILE: &str = "nodes wrote meanwhile";

fn verify(bank: &Bank) -> Said {
    run(["journal", "verify", "--config", bank.file("issuer.toml").to_str().unwrap()], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_entry_is_told() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let (office, api) = (bank.site(2, OPERATOR), bank.site(0, ASKER));
    let mut ids = Vec::new();
    for number in 1..=3 {
        let pan = pan(IIN, number);
        let added = office.post("/admin/v1/cards", &card(&pan, PHONE)).await;
        assert_eq!(added.status, 201, "{}", added.text);
        let id = added.json()["card"].as_str().unwrap().to_owned();
        let amount = 1_000 + u64::from(number);
        assert_eq!(api.ask(fresh_key(), &payee().request(pan.expose(), amount)).await.unwrap().status, 202);
        bank.pin_comes(PHONE, amount).await;
        for verb in ["lock", "unlock"] {
            assert_eq!(office.post(&format!("/admin/v1/cards/{id}/{verb}"), &json!({})).await.status, 200);
        }
        ids.push(id);
    }
    assert_eq!(issuer.terminate().0.code(), Some(0));

    let whole = verify(&bank);
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    assert!(
        whole.out.starts_with("3 cards, ") && whole.out.ends_with(", 0 broken chains\n"),
        "{}",
        whole.out
    );

    let (owner, journal) = (bank.kept.bytes(&ids[1]), bank.kept.journal());
    let alter = |sql: &str| {
        assert_eq!(
            bank.kept.sql("issuer", &format!("{sql} WHERE owner = {owner} AND seq = 2 RETURNING seq")),
            "2"
        );
    };
    let entry = format!("SELECT {} FROM {journal} WHERE owner = {owner} AND seq = 2", bank.kept.hex("entry"));
    let entry = hex::decode(bank.kept.sql("issuer", &entry)).unwrap();
    let set = |entry: &[u8]| {
        alter(&format!("UPDATE {journal} SET entry = {}", bank.kept.bytes(&hex::encode(entry))))
    };
    // Each byte, by its lowest bit.
    for at in [0, entry.len() / 2, entry.len() - 1] {
        let mut altered = entry.clone();
        altered[at] ^= 1;
        set(&altered);
        broken(&verify(&bank), &ids[1]);
    }
    set(&entry);
    assert_eq!(verify(&bank).code, Some(0), "put back, it is whole again");
    alter(&format!("DELETE FROM {journal}"));
    broken(&verify(&bank), &ids[1]);
    // With its row a card would be gone from the list, but not from the journal.
    let gone = format!("DELETE FROM card WHERE key = {owner} RETURNING 1");
    assert_eq!(bank.kept.sql("issuer", &gone), "1");
    let told = verify(&bank);
    assert_eq!(told.code, Some(1), "{}", told.out);
    assert!(told.out.contains("entries belong to no card"), "{}", told.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_banks_keys_are_told_and_no_altered_journal() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan(IIN, 1), PHONE)).await;
    let id = added.json()["card"].as_str().unwrap().to_owned();
    assert_eq!(issuer.terminate().0.code(), Some(0));
    assert_eq!(verify(&bank).code, Some(0));
    let own = std::fs::read(bank.file("issuer.keys")).unwrap();
    bank.quick_keys();
    let told = verify(&bank);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{}", told.err);
    let is_about_keys =
        told.err.contains("issuer.keys: this key file is not the store's: none of the 1 cards");
    assert!(is_about_keys && !told.err.contains("altered"), "{}", told.err);

    // With its own keys an entry that was altered is one, also if there is no other card to know the keys by.
    std::fs::write(bank.file("issuer.keys"), own).unwrap();
    let newest = format!("WHERE owner = {} RETURNING seq", bank.kept.bytes(&id));
    let (journal, nothing) = (bank.kept.journal(), bank.kept.bytes("00"));
    for altered in [format!("UPDATE {journal} SET entry = {nothing}"), format!("DELETE FROM {journal}")] {
        assert_eq!(bank.kept.sql("issuer", &format!("{altered} {newest}")), "1");
        broken(&verify(&bank), &id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_database_a_journal_is_whole_also_while_it_is_written() {
    let bank = Bank::keeping(Kept::database).await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let office = bank.site(2, OPERATOR);
    let added = office.post("/admin/v1/cards", &card(&pan(IIN, 1), PHONE)).await;
    let id = added.json()["card"].as_str().unwrap().to_owned();
    // Somebody writes all the time, and it is looked at until an entry falls into a look: of one card a look is short.
    let settings = bank.file("issuer.toml");
    let looked = tokio::task::spawn_blocking(move || {
        let mut looked = Vec::new();
        while looked.len() < 100 {
            looked.push(run(["journal", "verify", "--config", settings.to_str().unwrap()], ""));
            if looked.last().is_some_and(|said| said.err.contains(MEANWHILE)) {
                break;
            }
        }
        looked
    });
    let mut written = 0;
    while !looked.is_finished() {
        for verb in ["lock", "unlock"] {
            assert_eq!(office.post(&format!("/admin/v1/cards/{id}/{verb}"), &json!({})).await.status, 200);
            written += 1;
        }
    }
    let looked = looked.await.unwrap();
    for said in &looked {
        assert_eq!(said.code, Some(0), "{written} written: {}{}", said.out, said.err);
        let whole = said.out.starts_with("1 cards, ") && said.out.ends_with(", 0 broken chains\n");
        assert!(whole, "{}", said.out);
    }
    assert!(looked.last().unwrap().err.contains(MEANWHILE), "{written} written in {} looks", looked.len());
    let settings = bank.file("issuer.toml");
    let shown = run(["journal", "show", &id, "--config", settings.to_str().unwrap()], "");
    assert_eq!(shown.out.lines().count(), written + 1, "{}", shown.err);
    assert_eq!(issuer.terminate().0.code(), Some(0));
    let whole = verify(&bank);
    assert!(whole.code == Some(0) && whole.err.is_empty(), "{}{}", whole.out, whole.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_is_no_altered_journal() {
    let bank = Bank::keeping(Kept::database).await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let office = bank.site(2, OPERATOR);
    // One more than a look at the keys takes.
    for number in 1..=6 {
        let phone = format!("0912000120{number}");
        let added = office.post("/admin/v1/cards", &card(&pan(IIN, number), &phone)).await;
        assert_eq!(added.status, 201, "{}", added.text);
    }
    assert_eq!(issuer.terminate().0.code(), Some(0));
    assert_eq!(verify(&bank).code, Some(0));
    let last = bank.kept.sql("issuer", "SELECT encode(key, 'hex') FROM card ORDER BY key DESC LIMIT 1");
    let stuck = format!(
        "ALTER TABLE card_sealed RENAME TO card_kept;
         CREATE VIEW card_sealed AS SELECT * FROM card_kept
            WHERE key <> '\\x{last}' OR (SELECT pg_sleep(60)) IS NULL"
    );
    bank.kept.sql("issuer", &stuck);
    let told = verify(&bank);
    assert_eq!(told.code, Some(1), "{}", told.out);
    assert!(told.err.contains(&format!("reading the journal of card {last}")), "{}", told.err);
    assert!(told.out.contains("5 cards looked at, 0 broken chains"), "{}", told.out);
    assert!(!told.err.contains("altered"), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_not_whole_and_is_not_made() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let named = bank.file("nobodys.db");
    let mut config: toml::Table = std::fs::read_to_string(bank.file("issuer.toml")).unwrap().parse().unwrap();
    // In a file, whatever the others of this run are kept in.
    config["issuer"]["store"] =
        toml::Value::Table(toml::Table::from_iter([("path".to_owned(), named.to_str().unwrap().into())]));
    bank.write("issuer.toml", &config.to_string());
    let said = verify(&bank);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("there is no store at") && said.out.is_empty(), "{}{}", said.out, said.err);
    assert!(!named.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_an_sms_is_listed() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let (office, api) = (bank.site(2, OPERATOR), bank.site(0, ASKER));
    let pan = pan(IIN, 1);
    let added = office.post("/admin/v1/cards", &card(&pan, PHONE)).await;
    let id = added.json()["card"].as_str().unwrap().to_owned();
    assert_eq!(api.ask(fresh_key(), &payee().request(pan.expose(), 1_000)).await.unwrap().status, 202);
    let pin = bank.pin_comes(PHONE, 1_000).await;
    let metrics = Site::plain(&bank.at("http", 3));
    until("the receipts are counted", async || {
        let text = metrics.get("/metrics").await.text;
        let counted =
            |line: &str| line.starts_with("ramz_sms_receipts_total") && line.ends_with("\"delivered\"} 2");
        text.lines().any(counted).then_some(())
    })
    .await;
    let ready = metrics.get("/readyz").await.text;
    assert!(ready.contains("SMS bind 127.0.0.1:") && ready.contains(" up\n"), "{ready}");
    // What has come is journalled before it ends.
    assert_eq!(issuer.terminate().0.code(), Some(0));
    let show = |card: &str| {
        run(["journal", "show", card, "--config", bank.file("issuer.toml").to_str().unwrap()], "")
    };
    let shown = show(&id);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let lines: Vec<&str> = shown.out.lines().collect();
    assert!(lines[0].contains("Created") && lines[1].contains("PinIssued"), "{}", shown.out);
    assert!(lines[2].contains("SMS delivered, ") && lines.len() == 3, "one for both parts: {}", shown.out);
    for secret in [PHONE, &PHONE[1..], pan.expose(), &pin] {
        assert!(!shown.out.contains(secret), "{}", shown.out);
    }
    assert_eq!(show(&"0".repeat(32)).code, Some(1));
    assert_eq!(verify(&bank).code, Some(0));
}

#[track_caller]
fn broken(said: &Said, card: &str) {
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains(&format!("card {card}: ")), "{}", said.out);
    assert!(said.out.ends_with(", 1 broken chains\n"), "{}", said.out);
    assert!(said.err.contains("the journal was altered"), "{}", said.err);
}
