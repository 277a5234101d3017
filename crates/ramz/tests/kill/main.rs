//! `kill -9`, twenty times under load: an issuer on a store on disk, with card host, SMSC, pages and switch in the test's own
//! process, which survive. What was answered is noted here, and held against what is answered later.
//!
//! * An admitted request is never forgotten: the same key has the same id.
//! * A PIN is debited at most once, whoever presents it again, in whatever transaction.
//! * An approval that was answered is repeated word for word; a 91 was not debited.
//! * An SMS of an admitted request comes, after a restart if not before.
//! * Every card's journal is whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod load;
mod pair;
#[path = "../processes/mod.rs"]
#[expect(dead_code, reason = "every target uses another part of the harness")]
mod processes;
mod seeded;

use std::sync::Arc;
use std::time::Duration;

use load::Load;
use processes::bank::Bank;
use processes::process::run;
use seeded::Seeded;
use tokio::time::{Instant, sleep, timeout};

const KILLS: usize = 20;
/// Lease and sweep, and the restart: by then what was cut off is taken up and done.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_survives_kill_9() {
    let began = Instant::now();
    let seeded = Seeded::from_environment();
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let load = Load::new(bank, seeded.clone()).await;
    let workers = load.begin();
    for kill in 1..=KILLS {
        let pairs = load.done();
        load.next_life();
        sleep(Duration::from_millis(seeded.below(1_400))).await;
        issuer.kill();
        if seeded.one_in(4) {
            // Once more, on its way up.
            let mut rising = load.bank.begin();
            sleep(Duration::from_millis(seeded.below(120))).await;
            rising.kill();
        }
        issuer = load.bank.start();
        load.next_life();
        // Every life does some work, whenever it ends.
        let worked = async {
            while load.done() < pairs + 5 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let worked = timeout(TAKEN_UP_WITHIN, worked).await;
        assert!(worked.is_ok(), "no work after kill {kill} ({seeded}):\n{}", load.faults().join("\n"));
    }
    load.bank.ready().await;
    load.end();
    let finished = timeout(TAKEN_UP_WITHIN, workers.finished()).await;
    let pairs = load.pairs();
    let unread: Vec<String> =
        pairs.iter().filter(|pair| pair.pin.is_none()).map(|pair| load.told_of(pair)).collect();
    let said = || format!("{seeded}\n{}\n{}", load.faults().join("\n"), issuer.complaints());
    assert!(unread.is_empty(), "SMS that never came: {unread:#?} {}", said());
    assert!(finished.is_ok(), "not answered to the end: {}", said());

    load.hold_all_to_their_word(&pairs).await;
    assert_eq!(load.faults(), Vec::<String>::new(), "({seeded})");
    let told: usize = pairs.iter().map(|pair| pair.approvals()).sum();
    let debits = load.bank.host.asked_in_all().debits;
    assert_eq!(usize::try_from(debits).unwrap(), told, "every debit was told as 00 ({seeded})");
    assert!(pairs.len() > KILLS * 5, "only {} pairs", pairs.len());

    // And it all still works.
    load.a_fresh_pair().await;
    assert_eq!(load.faults(), Vec::<String>::new(), "({seeded})");
    assert_eq!(issuer.terminate().0.code(), Some(0), "{}", issuer.said());
    assert!(!issuer.said().contains("panicked"), "{}", issuer.said());
    let settings = load.bank.file("issuer.toml");
    let verified = run(["journal", "verify", "--config", settings.to_str().unwrap()], "");
    assert_eq!(verified.code, Some(0), "{}{} ({seeded})", verified.out, verified.err);
    assert!(verified.out.ends_with(", 0 broken chains\n"), "{}", verified.out);
    let Load { cut, .. } = &*load;
    let (cut, pairs, took) = (Arc::clone(cut).told(), pairs.len(), began.elapsed());
    // Shown with `--nocapture`: how hard it was.
    println!("{KILLS} kills, {pairs} pairs, {cut}, {took:.0?}; {}", verified.out.trim());
}
