//! At the end: what was read before it is answered as at any time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use ramz_domain::card::{Candidate, CardAt, Command, Decided, Evidence, Policy};
use ramz_issuer::engine::{Rules, TheRules};

use crate::bank::{Build, CARD, same, tried, until};
use crate::messages::{Wish, code};
use crate::wires::http;

/// Decides nothing about payments until it may.
#[derive(Default)]
struct Held {
    may: Mutex<bool>,
    told: Condvar,
    waits: AtomicBool,
}

impl Held {
    fn let_go(&self) {
        *self.may.lock().unwrap() = true;
        self.told.notify_all();
    }
}

impl Rules for Held {
    fn candidates(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<Candidate> {
        TheRules.candidates(card, command, expiry_matches, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        if matches!(command, Command::Authorise(_)) {
            self.waits.store(true, Ordering::SeqCst);
            let mut may = self.may.lock().unwrap();
            while !*may {
                may = self.told.wait(may).unwrap();
            }
        }
        TheRules.decide(card, command, evidence, policy)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_read_before_the_stop_is_asked_of_the_host() {
    let held = Arc::new(Held::default());
    let told = tried(Build { rules: held.clone(), ..Build::default() }, async |bank, node| {
        let wish = Wish::purchase(18_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        let answer = node.asking(0, &bank.payment(CARD, &wish, &pin));
        until("its decision", async || held.waits.load(Ordering::SeqCst)).await?;
        node.stop.cancel();
        let stops = async || http(node.metrics, "GET", "/readyz", &[], "").await.body == "shutting down\n";
        until("the stop is under way", stops).await?;
        held.let_go();
        same(code(&answer.await?), "00".into(), "the answer")?;
        same(bank.spent(CARD), 18_000, "what the host booked")?;
        node.running.stopped().await;
        until("the host's line ends, when all is answered", async || !node.running.host.is_up()).await
    });
    assert_eq!(told.await, Ok(()));
}
