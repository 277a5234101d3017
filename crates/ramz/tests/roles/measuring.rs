//! `ramz load`: what it would measure in vain, or on rows that are not its own, is refused before anything is started.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::processes::bank::Bank;
use crate::processes::database::Kept;
use crate::processes::process::{RAMZ, run};

const DISK: &str = env!("CARGO_TARGET_TMPDIR");

/// `ramz load --issuer` for a moment, with a temporary folder in `folder`; what it said on standard output. One at a time: each takes the first
/// ports that are free, and another would find them so until it listens.
fn measured(folder: &str, more: &[&str]) -> String {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut load = Command::new(RAMZ);
    let said = load.args(["load", "--issuer"]).args(more).env("TMPDIR", folder).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_is_measured_on_a_database_that_has_no_rows() {
    let bank = Bank::keeping(Kept::database).await;
    let url = bank.kept.url().unwrap().replace("{}", "issuer");
    let load = ["load", "--issuer", "--seconds", "1", "--workers", "1", "--cards", "2", "--database", &url];
    let measured = measured(DISK, &load[2..]);
    assert!(measured.contains("durable card changes: "), "{measured}");
    let cards = || bank.kept.sql("issuer", "SELECT count(*) FROM card");
    let before = cards();
    let again = run(load, "");
    assert_eq!((again.code, again.out.as_str()), (Some(1), ""), "{}", again.err);
    assert!(again.err.contains("the database is not empty (table card)"), "{}", again.err);
    assert_eq!(cards(), before, "nothing was written among what is another's");
}

/// Two cards pay sixty times, and the rate asks for more: the first of each worker opens its connections and counts for nothing.
#[test]
fn what_was_due_and_never_begun_is_told() {
    let measured = measured(DISK, &["--seconds", "2", "--workers", "2", "--cards", "2", "--rate", "100"]);
    assert!(measured.contains("58 pairs of request and payment"), "{measured}");
    assert!(measured.contains("at 100 a second 200 were due, 142 of them never begun"), "{measured}");
    assert!(measured.contains("whole pair, from when it was due "), "{measured}");
}

#[test]
fn a_store_in_memory_is_told_with_the_figures() {
    for (folder, told) in [("/dev/shm", true), (DISK, false)] {
        let measured = measured(folder, &["--seconds", "1", "--workers", "1", "--cards", "1"]);
        let in_memory = "NOT ON A DISK: the store was in memory (/dev/shm/";
        assert_eq!(measured.contains(in_memory), told, "{measured}");
    }
}

#[test]
fn a_load_that_makes_no_sense_is_refused_by_name() {
    for (arguments, code, names) in [
        (&["--workers", "0"][..], 2, "--workers"),
        (&["--workers", "10001"], 2, "--workers"),
        (&["--cards", "0"], 2, "--cards"),
        (&["--seconds", "0"], 2, "--seconds"),
        (&["--rate", "0"], 2, "--rate"),
        (&["--rate", "1000001"], 2, "--rate"),
        (&["--lab", "http://localhost:1", "--database", "postgresql://a@b/c"], 2, "--database"),
        (&["--workers", "3", "--cards", "2"], 1, "3 workers need a card each"),
    ] {
        let said = run([&["load"][..], arguments].concat(), "");
        assert!(
            said.code == Some(code) && said.err.contains(names),
            "{arguments:?}: {:?} {}",
            said.code,
            said.err
        );
    }
}
