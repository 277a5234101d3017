//! `ramz store copy`: from a file into PostgreSQL, and paying goes on. What is no copy is refused, and no issuer starts on it.

use serde_json::{Value, json};

use crate::processes::bank::{ASKER, Bank, EXPIRY, IIN, OPERATOR, card, payee};
use crate::processes::database::Kept;
use crate::processes::process::{Said, run};
use crate::processes::wires::{fresh_key, pan};

const PHONE: &str = "09120001101";

/// A bank on its file, and a database beside it.
struct Moving {
    bank: Bank,
    database: Kept,
}

impl Moving {
    async fn open() -> Moving {
        let bank = Bank::keeping(Kept::files).await;
        bank.quick_keys();
        let database = Kept::database(bank.folder.path());
        let mut store = database.settings("issuer");
        store["path"] = bank.kept.settings("issuer")["path"].clone();
        let mut settings = bank.issuer_settings();
        settings["store"] = store;
        bank.settings("moved.toml", &json!({ "issuer": settings }));
        Moving { bank, database }
    }

    /// A `ramz` command with the database in its configuration.
    fn run(&self, command: &[&str]) -> Said {
        run([command, &["--config", self.bank.file("moved.toml").to_str().unwrap()]].concat(), "")
    }

    fn copy(&self) -> Said {
        self.run(&["store", "copy"])
    }

    /// From now on its issuer is started on the database.
    fn moved(&self) {
        std::fs::copy(self.bank.file("moved.toml"), self.bank.file("issuer.toml")).unwrap();
    }
}

/// Runs the issuer until it has a card: its id.
async fn bank_with_a_card(bank: &Bank) -> String {
    let mut issuer = bank.start();
    bank.ready().await;
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan(IIN, 1), PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(issuer.terminate().0.code(), Some(0));
    added.json()["card"].as_str().unwrap().to_owned()
}

/// What the doctor would have done about the issuer's store.
fn advice(bank: &Bank) -> String {
    let looked = run(["doctor", "--config", bank.file("issuer.toml").to_str().unwrap(), "--json"], "");
    let looked: Value = serde_json::from_str(&looked.out).unwrap();
    let store = looked["findings"].as_array().unwrap().iter().find(|found| found["what"] == "issuer store");
    store.unwrap()["todo"].as_str().unwrap().to_owned()
}

/// What a person sees of a card at the back office.
async fn shown(bank: &Bank, id: &str) -> Value {
    let reply = bank.site(2, OPERATOR).get(&format!("/admin/v1/cards/{id}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_issued_before_the_copy_is_spent_once_after_it() {
    let moving = Moving::open().await;
    let (bank, payee) = (&moving.bank, payee());
    let mut issuer = bank.start();
    bank.ready().await;
    let (pan, key) = (pan(IIN, 1), fresh_key());
    bank.account(&pan);
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    let id = added.json()["card"].as_str().unwrap().to_owned();
    let api = bank.site(0, ASKER);
    let asked = api.ask(key, &payee.request(pan.expose(), 1_000)).await.unwrap();
    assert_eq!(asked.status, 202, "{}", asked.text);
    let pin = bank.pin_comes(PHONE, 1_000).await;
    let before = shown(bank, &id).await;

    let held = moving.copy();
    assert_eq!(held.code, Some(1), "{}", held.out);
    assert!(held.err.contains("already open in process"), "{}", held.err);
    assert_eq!(issuer.terminate().0.code(), Some(0));

    let copied = moving.copy();
    assert_eq!(copied.code, Some(0), "{}{}", copied.out, copied.err);
    let table = |name: &str| {
        let line = copied.out.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(table("card")[..3], ["card", "1", "1"], "{}", copied.out);
    assert!(
        copied.out.contains("1 journals, ") && copied.out.contains(" 0 broken chains\n"),
        "{}",
        copied.out
    );
    assert!(copied.out.contains("every row is the same on both sides"), "{}", copied.out);
    for secret in [PHONE, &PHONE[1..], pan.expose(), &pin] {
        assert!(!copied.out.contains(secret) && !copied.err.contains(secret), "{}{}", copied.out, copied.err);
    }

    // On the file, with the configuration of before, every PIN would be good once more.
    let of_before = run(["issuer", "--config", bank.file("issuer.toml").to_str().unwrap()], "");
    assert_eq!(of_before.code, Some(1), "{}", of_before.out);
    assert!(of_before.err.contains("which is the truth since"), "{}", of_before.err);
    let todo = advice(bank);
    assert!(todo.contains("`url`") && todo.contains("`ramz store reopen`"), "{todo}");

    moving.moved();
    let mut issuer = bank.start();
    bank.ready().await;
    assert_eq!(shown(bank, &id).await, before);
    let again = bank.site(0, ASKER).ask(key, &payee.request(pan.expose(), 1_000)).await.unwrap();
    assert_eq!(again.text, asked.text, "a repeat of a request from before has the answer from before");
    let switch = bank.switch();
    switch.link.came_up().await;
    let pay = async |trace| {
        let payment = payee.payment(pan.expose(), EXPIRY, 1_000, trace);
        switch.pay(switch.with_pin(payment, &pin)).await
    };
    assert_eq!(pay(1).await, "00");
    assert_eq!(pay(1).await, "00", "its repeat");
    assert_ne!(pay(2).await, "00", "the PIN is spent");
    assert_eq!(issuer.terminate().0.code(), Some(0));
    let verified = moving.run(&["journal", "verify"]);
    assert!(
        verified.code == Some(0) && verified.out.starts_with("1 cards, "),
        "{}{}",
        verified.out,
        verified.err
    );
    // A second copy would put the spent PIN back.
    for (reopened, says) in [(false, "were copied into"), (true, "the database is not empty (table card)")] {
        if reopened {
            let refused = moving.run(&["store", "reopen"]);
            assert!(
                refused.code == Some(1) && refused.err.contains("a role has run on it"),
                "{}",
                refused.err
            );
            let mut issuer = bank.start();
            bank.ready().await;
            assert_eq!(issuer.terminate().0.code(), Some(0), "the database is as it was");
            assert_eq!(moving.run(&["store", "reopen", "--database-is-lost"]).code, Some(0));
            assert_eq!(moving.run(&["store", "reopen"]).code, Some(1), "it is not left any more");
        }
        let again = moving.copy();
        assert_eq!(again.code, Some(1), "{}", again.out);
        assert!(again.err.contains(says), "{}", again.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_is_given_up_and_no_issuer_starts_on_its_database() {
    let moving = Moving::open().await;
    let bank = &moving.bank;
    bank_with_a_card(bank).await;
    assert_eq!(moving.copy().code, Some(0));
    let reopened = moving.run(&["store", "reopen"]);
    assert_eq!(reopened.code, Some(0), "{}", reopened.err);
    let on_database = run(["issuer", "--config", bank.file("moved.toml").to_str().unwrap()], "");
    assert_eq!(on_database.code, Some(1), "{}", on_database.out);
    assert!(on_database.err.contains("has not come to its end"), "{}", on_database.err);
    // On the file it goes on, and what was copied before is no beginning of it any more.
    let mut issuer = bank.start();
    bank.ready().await;
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan(IIN, 2), PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(issuer.terminate().0.code(), Some(0));
    assert_eq!(moving.copy().code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_none_is_told_and_no_issuer_starts_on_it() {
    let moving = Moving::open().await;
    let bank = &moving.bank;
    bank_with_a_card(bank).await;
    assert_eq!(moving.run(&["store", "migrate"]).code, Some(0));
    moving.database.sql(
        "issuer",
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.bytes = set_byte(NEW.bytes, 0, get_byte(NEW.bytes, 0) # 1); RETURN NEW; END $$;
         CREATE TRIGGER spoil BEFORE INSERT ON card_sealed FOR EACH ROW WHEN (NEW.name = 'card.pan')
            EXECUTE FUNCTION spoil()",
    );
    let spoilt = moving.copy();
    assert_eq!(spoilt.code, Some(1), "{}", spoilt.out);
    assert!(spoilt.err.contains("1 tables differ"), "{}", spoilt.err);
    let differs = |line: &&str| line.contains("DIFFERS");
    let line = spoilt.out.lines().find(differs).unwrap();
    assert!(
        line.starts_with("card_sealed ") && spoilt.out.lines().filter(differs).count() == 1,
        "{}",
        spoilt.out
    );
    let started = moving.run(&["issuer"]);
    assert_eq!(started.code, Some(1), "{}", started.out);
    assert!(started.err.contains("has not come to its end: run `ramz store copy` again"), "{}", started.err);
    // Nor is it gone on with.
    let again = moving.copy();
    assert!(
        again.code == Some(1) && again.err.contains("card_sealed does not hold this file's first rows"),
        "{}",
        again.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_banks_keys_a_copy_is_a_copy_and_no_altered_journal() {
    let moving = Moving::open().await;
    let bank = &moving.bank;
    bank_with_a_card(bank).await;
    bank.quick_keys();
    let copied = moving.copy();
    assert_eq!(copied.code, Some(0), "{}{}", copied.out, copied.err);
    assert!(copied.err.contains("this key file is not the store's"), "{}", copied.err);
    assert!(copied.out.contains(" 0 broken chains, their MACs not looked at\n"), "{}", copied.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_journal_is_told_by_its_key() {
    let moving = Moving::open().await;
    let bank = &moving.bank;
    let id = bank_with_a_card(bank).await;
    // Its order is whole; only who has the key sees it.
    bank.kept.sql("issuer", "UPDATE journal SET entry = x'00' RETURNING seq");
    let copied = moving.copy();
    assert_eq!(copied.code, Some(1), "{}", copied.out);
    assert!(
        copied.out.contains(&format!("journal of {id}: the journal breaks at entry 1")),
        "{}",
        copied.out
    );
    assert!(copied.out.contains("1 broken chains\n"), "{}", copied.out);
    assert!(copied.err.contains("the journal was altered, in the file already"), "{}", copied.err);
}
