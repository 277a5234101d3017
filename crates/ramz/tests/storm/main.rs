//! Bad days on every line at once: between page and issuer, issuer and SMSC, issuer and card host, switch and issuer. A seed
//! drives delay, cuts, half-open lines, duplicates and overtaking for a while; then it is calm, everybody finishes what they
//! began, and the books must agree:
//!
//! * what the switch was told is approved was debited and not given back; what it was told is declined, or what it reversed, was not
//!   debited or was given back: no approval that nobody undoes;
//! * a PIN is debited at most once, whoever presents it again;
//! * no SMS reaches a phone after its PIN has run out;
//! * every card's journal is whole, and nothing panicked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod books;
#[path = "../processes/mod.rs"]
#[expect(dead_code, reason = "every target uses another part of the harness")]
mod processes;
mod proxy;
#[path = "../kill/seeded.rs"]
mod seeded;
mod switch;

use std::sync::Arc;
use std::time::Duration;

use books::End;
use processes::bank::Bank;
use processes::process::{free_ports, run};
use proxy::{Framing, Proxy};
use ramz_domain::Phone;
use seeded::Seeded;
use serde_json::json;
use switch::Town;
use tokio::time::{sleep, timeout};

/// How long the storm lasts. `STORM_S` says otherwise.
const STORM: Duration = Duration::from_secs(20);
/// Host time-outs, reconnecting, lease and sweep: by then everybody is done.
const DONE_WITHIN: Duration = Duration::from_secs(120);
/// The shortest that a policy allows, so that SMS get late.
const VALID_FOR_S: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_the_lines_do_the_books_agree() {
    let seeded = Seeded::from_environment();
    let bank = Bank::open().await;
    bank.quick_keys();
    let lines = lines(&bank, &seeded).await;
    let mut issuer = bank.start();
    bank.ready().await;
    let town = Town::new(bank, lines.api, lines.switch, seeded.clone()).await;
    let workers = town.begin();
    for line in &lines.all {
        line.storm(true);
    }
    let given = std::env::var("STORM_S").ok().map(|s| Duration::from_secs(s.parse().unwrap()));
    sleep(given.unwrap_or(STORM)).await;
    // On a slow machine it lasts until there was something to weather.
    let weathered = async {
        while town.count(End::Approved) < 40
            || town.count(End::Reversed) < 5
            || lines.all.iter().any(|l| l.faults() == 0)
        {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let weathered = timeout(DONE_WITHIN, weathered).await;
    for line in &lines.all {
        line.storm(false);
    }
    town.end();
    let told: Vec<String> = lines.all.iter().map(|line| line.told()).collect();
    let finished = timeout(DONE_WITHIN, workers).await;
    assert!(finished.is_ok(), "not done ({seeded}) {told:#?}\n{}", issuer.complaints());
    town.a_fresh_payment().await;
    let ends = [End::Approved, End::Declined, End::Reversed].map(|end| town.count(end));

    let pages = town.pages();
    let wrong: Vec<String> = pages.iter().flat_map(|page| page.disagreements(&town.bank.host)).collect();
    assert_eq!(wrong, Vec::<String>::new(), "({seeded}) {told:#?}");
    assert_eq!(town.late_texts(VALID_FOR_S), Vec::<String>::new(), "({seeded})");
    let [approved, declined, reversed] = ends;
    assert!(weathered.is_ok(), "{approved} approved, {reversed} reversed: too few ({seeded}) {told:#?}");

    assert_eq!(issuer.terminate().0.code(), Some(0), "{}", issuer.said());
    assert!(!issuer.said().contains("panicked"), "{}", issuer.said());
    let settings = town.bank.file("issuer.toml");
    let verified = run(["journal", "verify", "--config", settings.to_str().unwrap()], "");
    assert_eq!(verified.code, Some(0), "{}{} ({seeded})", verified.out, verified.err);
    assert!(verified.out.ends_with(", 0 broken chains\n"), "{}", verified.out);
    // Shown with `--nocapture`: how hard it was.
    println!(
        "{approved} approved, {declined} declined, {reversed} reversed; {told:#?}; {}",
        verified.out.trim()
    );
}

/// The lines, each behind a port of its own.
struct Lines {
    all: Vec<Arc<Proxy>>,
    api: u16,
    switch: u16,
}

/// Puts a proxy on every line, and writes the issuer's settings anew.
async fn lines(bank: &Bank, seeded: &Seeded) -> Lines {
    let [api, switch, host, smsc] = [free_ports(1), free_ports(1), free_ports(1), free_ports(1)];
    let start = |name, framing, one_in, port, to| {
        Proxy::start(name, framing, one_in, port, to, seeded, &bank.shutdown)
    };
    let all = vec![
        start("page to issuer", Framing::Bytes, 20, api, bank.port).await,
        start("switch to issuer", Framing::Iso8583, 16, switch, bank.port + 1).await,
        start("issuer to card host", Framing::Iso8583, 16, host, bank.host_port()).await,
        // Without an SMS nothing is paid.
        start("issuer to SMSC", Framing::Smpp, 60, smsc, bank.smpp_port()).await,
    ];
    let mut settings = bank.issuer_settings();
    settings["bank"]["host"]["address"] = json!(format!("127.0.0.1:{host}"));
    settings["sms"]["address"] = json!(format!("127.0.0.1:{smsc}"));
    settings["bank"]["policy"] = json!({ "valid_for_s": VALID_FOR_S, "ask_again_after_s": VALID_FOR_S });
    bank.settings("issuer.toml", &json!({ "issuer": settings }));
    Lines { all, api, switch }
}

/// A phone's number as a text.
fn phone(n: usize) -> Phone {
    Phone::parse(&format!("0912{n:07}")).unwrap()
}
