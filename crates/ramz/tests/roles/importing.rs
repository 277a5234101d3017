//! `ramz cards import`: killed in the middle it goes on, rows that are refused are told without their cards, twice is once;
//! with `--update` what is there is changed.

use std::fmt::Write as _;
use std::fs;

use ramz_domain::Pan;
use serde_json::Value;

use crate::processes::bank::{Bank, EXPIRY, IIN};
use crate::processes::process::{Process, Said, run};
use crate::processes::until;
use crate::processes::wires::pan;

/// Enough that a kill comes in the middle on any machine.
const ROWS: u32 = 1_200;

fn csv(pans: impl Iterator<Item = Pan>) -> String {
    let mut text = "pan,expiry,phone,customer\n".to_owned();
    for (nth, pan) in pans.enumerate() {
        writeln!(text, "{},{EXPIRY},0912{nth:07},customer {nth}", pan.expose()).unwrap();
    }
    text
}

fn csv_of_phones(phones: &[(Pan, &str)]) -> String {
    let row = |(pan, phone): &(Pan, &str)| format!("{},{EXPIRY},{phone}\n", pan.expose());
    format!("pan,expiry,phone\n{}", phones.iter().map(row).collect::<String>())
}

fn arguments(bank: &Bank, file: &str, more: &[&str]) -> Vec<String> {
    let path = |name: &str| bank.file(name).to_str().unwrap().to_owned();
    let mut all = vec!["cards".into(), "import".into(), "--config".into(), path("operator.toml"), path(file)];
    all.extend(more.iter().map(|argument| (*argument).to_owned()));
    all
}

fn import(bank: &Bank, file: &str, more: &[&str]) -> Said {
    run(arguments(bank, file, more), "")
}

/// The rows that a checkpoint has, if there is one.
fn kept(bank: &Bank, file: &str) -> Option<u64> {
    let bytes = fs::read(bank.file(&format!("{file}.checkpoint"))).ok()?;
    serde_json::from_slice::<Value>(&bytes).ok()?["rows"].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_goes_on_where_it_stopped() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    // One row of the first hundred is refused: it must be told once, also after the kill.
    let mut text = csv((0..ROWS).map(|n| pan(IIN, n)));
    text.insert_str(text.find("customer 20\n").unwrap() + "customer 20\n".len(), "6104337000000017,0912,,\n");
    bank.write("cards.csv", &text);
    let mut first =
        Process::start(arguments(&bank, "cards.csv", &["--in-flight", "4"]), &bank.file("import.log"));
    until("the import is under way", async || kept(&bank, "cards.csv").filter(|rows| *rows >= 64)).await;
    assert!(first.runs(), "it came to its end before it could be killed: {}", first.said());
    first.kill();
    let at = kept(&bank, "cards.csv").unwrap();
    assert!(at < u64::from(ROWS));

    // Its report is what it was, or it does not go on: what was told before would be lost.
    let elsewhere = import(&bank, "cards.csv", &["--report", bank.file("other.csv").to_str().unwrap()]);
    assert!(elsewhere.code == Some(1) && elsewhere.err.contains("give that report"), "{}", elsewhere.err);
    let second = import(&bank, "cards.csv", &[]);
    assert!(second.err.contains(&format!("going on after row {at}, where it stopped")), "{}", second.err);
    assert_eq!(second.code, Some(1), "one row is refused: {}{}", second.out, second.err);
    assert!(second.out.ends_with("were there already, 1 rows refused\n"), "{}", second.out);
    let number = |of: &str| -> u64 {
        second.out.split(", ").find_map(|part| part.split_once(of)?.0.trim().parse().ok()).unwrap()
    };
    let (added, existing) = (number(" cards added"), number(" were there already"));
    assert_eq!(added + existing, u64::from(ROWS));
    assert!(existing <= 64 + 4, "what had its outcome is not sent again: {existing}");
    let report = fs::read_to_string(bank.file("cards.csv.report.csv")).unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!((lines[0], lines.len()), ("row,column,what", 2), "{report}");
    assert!(lines[1].starts_with("22,pan,") && !report.contains("6104337"), "{report}");
    assert!(!bank.file("cards.csv.checkpoint").exists());

    // The same again, from the beginning: twice is once.
    bank.write("cards.csv", &csv((0..ROWS).map(|n| pan(IIN, n))));
    let third = import(&bank, "cards.csv", &["--in-flight", "32"]);
    let expected = format!("0 cards added, {ROWS} were there already, 0 rows refused\n");
    assert_eq!((third.code, third.out.as_str()), (Some(0), expected.as_str()), "{}", third.err);
    assert!(!bank.file("cards.csv.report.csv").exists());

    assert_eq!(issuer.terminate().0.code(), Some(0));
    let journal = run(["journal", "verify", "--config", bank.file("issuer.toml").to_str().unwrap()], "");
    assert!(journal.out.starts_with(&format!("{ROWS} cards, ")), "{}", journal.out);
    for said in [&issuer.said(), &first.said(), &second.err, &third.err, &second.out] {
        assert!(!said.contains(&format!("{IIN}7")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_changes_what_is_there() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let card = |n| pan(IIN, n);
    bank.write("cards.csv", &csv((0..3).map(card)));
    assert_eq!(import(&bank, "cards.csv", &[]).code, Some(0));

    // The first card has many rows, all in flight together: its last one is the last that the bank hears. The fourth is not
    // there, and cannot be added without its expiry.
    let mut text = "pan,phone,sms_pin_max\n".to_owned();
    for phone in 0..48 {
        writeln!(text, "{},091299999{phone:02},", card(0).expose()).unwrap();
    }
    writeln!(text, "{},-,2000000", card(1).expose()).unwrap();
    writeln!(text, "{},09120001101,", card(3).expose()).unwrap();
    bank.write("changes.csv", &text);
    let changed = import(&bank, "changes.csv", &["--update", "--in-flight", "64"]);
    assert_eq!(
        (changed.code, changed.out.as_str()),
        (Some(1), "0 cards added, 49 changed, 1 rows refused\n"),
        "{}",
        changed.err
    );
    let report = fs::read_to_string(bank.file("changes.csv.report.csv")).unwrap();
    assert!(report.contains("\n50,expiry,") && !report.contains(card(3).expose()), "{report}");
    let settings = bank.file("operator.toml");
    let show = |n| {
        let said = run(
            ["cards", "show", "--config", settings.to_str().unwrap()],
            &format!("{}\n", card(n).expose()),
        );
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.out
    };
    for (n, lines) in [
        (0, ["phone       98912***47", "customer    customer 0"]),
        (1, ["phone       none", "texted PIN  at most 2,000,000 rial"]),
        (2, ["phone       98912***02", "customer    customer 2"]),
    ] {
        let shown = show(n);
        assert!(lines.iter().all(|line| shown.contains(line)), "{n}: {shown}");
    }

    // With its expiry it is added, among those that are changed.
    let line = |n, more: &str| format!("{{\"pan\":\"{}\",{more}}}\n", card(n).expose());
    let expiry = format!("\"expiry\":\"{EXPIRY}\"");
    bank.write("more.jsonl", &[line(3, &expiry), line(2, "\"phone\":\"\"")].concat());
    let more = import(&bank, "more.jsonl", &["--update"]);
    assert_eq!((more.code, more.out.as_str()), (Some(0), "1 cards added, 1 changed, 0 rows refused\n"));
    assert!(show(2).contains("phone       none"));

    // Another time without --update: what is there stays.
    let kept = import(&bank, "cards.csv", &[]);
    assert_eq!(kept.out, "0 cards added, 3 were there already, 0 rows refused\n");
    assert!(show(2).contains("phone       none"));
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

/// Runs another command of `ramz cards`; it must be good.
fn cards(bank: &Bank, command: &str, typed: &str) -> String {
    let said = run(["cards", command, "--config", bank.file("operator.toml").to_str().unwrap()], typed);
    assert_eq!(said.code, Some(0), "{command}: {}", said.err);
    said.out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_number_that_was_replaced_is_refused_and_changes_no_card() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let card = |n| pan(IIN, n);
    bank.write("cards.csv", &csv((0..2).map(card)));
    assert_eq!(import(&bank, "cards.csv", &[]).code, Some(0));
    cards(&bank, "reissue", &format!("{}\n{}\n1112\n", card(0).expose(), card(5).expose()));

    // Yesterday's file still has the old number.
    bank.write("changes.csv", &csv_of_phones(&[(card(0), "09129999999"), (card(1), "09120001102")]));
    let changed = import(&bank, "changes.csv", &["--update"]);
    let expected = "0 cards added, 1 changed, 1 rows refused\n";
    assert_eq!((changed.code, changed.out.as_str()), (Some(1), expected), "{}", changed.err);
    let report = fs::read_to_string(bank.file("changes.csv.report.csv")).unwrap();
    assert!(report.contains("\n1,pan,") && !report.contains(card(0).expose()), "{report}");
    let shown = cards(&bank, "show", &format!("{}\n", card(5).expose()));
    assert!(shown.contains("phone       98912***00"), "{shown}");

    // Nor is it said to be there when it is only added.
    let again = import(&bank, "cards.csv", &[]);
    let expected = "0 cards added, 1 were there already, 1 rows refused\n";
    assert_eq!((again.code, again.out.as_str()), (Some(1), expected), "{}", again.err);
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_about_a_closed_card_holds_up_no_other() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let card = |n| pan(IIN, n);
    bank.write("cards.csv", &csv((0..2).map(card)));
    assert_eq!(import(&bank, "cards.csv", &[]).code, Some(0));
    cards(&bank, "close", &format!("{}\n", card(0).expose()));

    let row = |n, status: &str| format!("{},{status}\n", card(n).expose());
    bank.write("changes.csv", &["pan,status\n", &row(0, "active"), &row(1, "blocked")].concat());
    let changed = import(&bank, "changes.csv", &["--update"]);
    let expected = "0 cards added, 1 changed, 1 rows refused\n";
    assert_eq!((changed.code, changed.out.as_str()), (Some(1), expected), "{}", changed.err);
    let report = fs::read_to_string(bank.file("changes.csv.report.csv")).unwrap();
    assert!(report.contains("\n1,,The card is closed.") && !report.contains(card(0).expose()), "{report}");
    assert!(cards(&bank, "show", &format!("{}\n", card(0).expose())).contains("status      closed"));
    assert!(cards(&bank, "show", &format!("{}\n", card(1).expose())).contains("status      blocked"));
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_was_killed_goes_on_where_it_stopped() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    bank.write("cards.csv", &csv((0..ROWS).map(|n| pan(IIN, n))));
    let slowly = arguments(&bank, "cards.csv", &["--update", "--in-flight", "4"]);
    let mut first = Process::start(slowly, &bank.file("import.log"));
    until("the import is under way", async || kept(&bank, "cards.csv").filter(|rows| *rows >= 64)).await;
    assert!(first.runs(), "it came to its end before it could be killed: {}", first.said());
    first.kill();
    let at = kept(&bank, "cards.csv").unwrap();

    let second = import(&bank, "cards.csv", &["--update"]);
    assert!(second.err.contains(&format!("going on after row {at}, where it stopped")), "{}", second.err);
    let number = |of: &str| -> u64 {
        second.out.split(", ").find_map(|part| part.split_once(of)?.0.trim().parse().ok()).unwrap()
    };
    let (added, changed) = (number(" cards added"), number(" changed"));
    assert_eq!((second.code, added + changed), (Some(0), u64::from(ROWS)), "{}", second.out);
    assert!(changed <= 64 + 4, "what had its outcome is not sent again: {changed}");
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_said() {
    let bank = Bank::open().await;
    let good = pan(IIN, 1);
    let lines = format!("{{\"pan\":\"{0}\",\"expiry\":\"0912\"}}\n{{\"pan\":\"{0}\"}}\n", good.expose());
    bank.write("cards.jsonl", &lines);
    // Checked without an issuer.
    let dry = import(&bank, "cards.jsonl", &["--dry-run"]);
    assert_eq!(
        (dry.code, dry.out.as_str()),
        (Some(1), "1 rows are good, 1 are not; nothing was sent\n"),
        "{}",
        dry.err
    );
    let report = fs::read_to_string(bank.file("cards.jsonl.dry-run.csv")).unwrap();
    assert!(!bank.file("cards.jsonl.report.csv").exists(), "what an import that stopped goes on with");
    assert!(report.contains("\n2,expiry,") && !report.contains(good.expose()), "{report}");
    // Nor is what it was given lost: neither the input nor a file that is no report is written over.
    for (file, report) in [("cards.jsonl", "cards.jsonl"), ("cards.jsonl", "operator.toml")] {
        let (place, before) = (bank.file(report), fs::read(bank.file(report)).unwrap());
        for more in [&["--dry-run"][..], &[]] {
            let said = import(&bank, file, &[&["--report", place.to_str().unwrap()], more].concat());
            assert!(said.code == Some(1) && said.err.contains("name another one"), "{report}: {}", said.err);
            assert_eq!(fs::read(&place).unwrap(), before, "{report}");
        }
    }
    bank.write("headless.csv", &format!("{},0912\n", good.expose()));
    for (file, says) in [("none.csv", "none.csv"), ("headless.csv", "header"), ("operator.toml", "--format")]
    {
        let said = import(&bank, file, &[]);
        assert!(said.code == Some(1) && said.err.contains(says), "{file}: {}", said.err);
        assert!(!said.err.contains(good.expose()) && !said.err.contains("panicked"), "{}", said.err);
    }
    // A quote that nobody closed: the rows behind it are not one refused row, and are not read into memory.
    let behind: String = csv((2..3_000).map(|n| pan(IIN, n))).split_once('\n').unwrap().1.to_owned();
    for behind in [&behind[..200], &behind] {
        let head = csv([good.clone()].into_iter());
        bank.write("quote.csv", &format!("{head}\"{behind}"));
        let said = import(&bank, "quote.csv", &["--dry-run"]);
        assert!(said.code == Some(1) && said.err.contains("a quote not closed"), "{}{}", said.out, said.err);
        assert!(!said.err.contains(good.expose()), "{}", said.err);
    }
    // The issuer is away: nothing is lost, and it says how to go on.
    bank.write("cards.csv", &csv([good.clone()].into_iter()));
    let away = import(&bank, "cards.csv", &[]);
    assert!(away.code == Some(1) && away.err.contains("run it again to go on"), "{}", away.err);
    assert!(away.err.contains("cannot be reached"), "{}", away.err);
    // Another bank's card.
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.write("foreign.csv", &csv([pan("603799", 1), good].into_iter()));
    let foreign = import(&bank, "foreign.csv", &["--report", bank.file("why.csv").to_str().unwrap()]);
    assert_eq!(
        (foreign.code, foreign.out.as_str()),
        (Some(1), "1 cards added, 0 were there already, 1 rows refused\n")
    );
    let why = fs::read_to_string(bank.file("why.csv")).unwrap();
    assert!(why.contains("\n1,pan,") && !why.contains("603799"), "{why}");
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

/// A bank's whole file, as far as a test may take (`RAMZ_IMPORTED` says how many cards): killed on the way and restarted, nothing
/// twice and nothing lost, and no more memory than for a small one.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_file_is_imported_in_bounded_memory() {
    const MEMORY_KIB_MAX: u64 = 48 * 1024;
    let many: u32 = std::env::var("RAMZ_IMPORTED").map_or(12_000, |many| many.parse().unwrap());
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    bank.write("cards.csv", &csv((0..many).map(|n| pan(IIN, n))));
    let mut first =
        Process::start(arguments(&bank, "cards.csv", &["--in-flight", "64"]), &bank.file("import.log"));
    until("it is well on its way", async || {
        kept(&bank, "cards.csv").filter(|rows| *rows >= u64::from(many / 5))
    })
    .await;
    let peak = first.peak_memory_kib();
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
    assert!(first.runs(), "it came to its end before it could be killed: {}", first.said());
    first.kill();

    let second = import(&bank, "cards.csv", &["--in-flight", "64"]);
    assert_eq!(second.code, Some(0), "{}{}", second.out, second.err);
    let numbers: Vec<u64> = second.out.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [added, existing, refused] = numbers[..] else { panic!("{}", second.out) };
    assert_eq!((added + existing, refused), (u64::from(many), 0), "{}", second.out);
    let third = import(&bank, "cards.csv", &["--in-flight", "64"]);
    assert_eq!(third.out, format!("0 cards added, {many} were there already, 0 rows refused\n"));
    assert_eq!(issuer.terminate().0.code(), Some(0));
}
