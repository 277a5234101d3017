//! What the issuer has done and how long it took, counted for its metrics. No card, no amount: only how often and how long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ramz_api::metrics::{Histogram, Page, Show};
use ramz_domain::card::NotSent;
use ramz_store::Watch;

/// Changes that one transaction may take.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// A count for each of a few words.
#[derive(Debug, Default)]
struct ByWord(Mutex<BTreeMap<String, u64>>);

impl ByWord {
    /// Of words that are all known beforehand: none of them is missing because nothing has happened yet.
    fn of(words: &[&str]) -> ByWord {
        ByWord(Mutex::new(words.iter().map(|word| ((*word).to_owned(), 0)).collect()))
    }

    fn add(&self, word: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => _ = counts.insert(word.to_owned(), 1),
        }
    }

    fn show(&self, page: &mut Page, name: &str, label: &str) {
        for (word, count) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            page.sample(name, &[(label, word)], count);
        }
    }
}

/// What an issuer has done.
#[derive(Debug)]
pub struct Counts {
    authorisations: ByWord,
    pin_requests: ByWord,
    card_work: ByWord,
    texts: ByWord,
    terminal: ByWord,
    app: ByWord,
    addresses: ByWord,
    not_sent: ByWord,
    reversals: ByWord,
    verifications: ByWord,
    sms: ByWord,
    node_tells: ByWord,
    other_nodes: AtomicUsize,
    sms_seconds: Histogram,
    host_seconds: Histogram,
    commit_seconds: Histogram,
    commit_changes: Histogram,
}

impl Default for Counts {
    fn default() -> Counts {
        Counts {
            authorisations: ByWord::default(),
            pin_requests: ByWord::default(),
            card_work: ByWord::default(),
            texts: ByWord::default(),
            terminal: ByWord::default(),
            app: ByWord::of(&["activated", "refused"]),
            addresses: ByWord::of(&["told", "missing", "unusable"]),
            not_sent: ByWord::default(),
            reversals: ByWord::default(),
            verifications: ByWord::default(),
            sms: ByWord::default(),
            node_tells: ByWord::of(&["told", "heard"]),
            other_nodes: AtomicUsize::new(0),
            sms_seconds: Histogram::seconds(),
            host_seconds: Histogram::seconds(),
            commit_seconds: Histogram::seconds(),
            commit_changes: Histogram::new(BATCHES),
        }
    }
}

impl Counts {
    /// One more answer with this response code; only two-digit codes are kept apart.
    pub(crate) fn answered(&self, response_code: &str) {
        let known = response_code.len() == 2 && response_code.bytes().all(|b| b.is_ascii_digit());
        self.authorisations.add(if known { response_code } else { "other" });
    }

    /// One more PIN request with this outcome: a problem's type, or `accepted`.
    pub(crate) fn asked(&self, outcome: &str) {
        self.pin_requests.add(outcome);
    }

    /// One more PIN that was asked for and not sent.
    pub(crate) fn not_sent(&self, why: NotSent) {
        self.not_sent.add(why.code());
    }

    /// One more text from a phone, with what came of it.
    pub(crate) fn texted(&self, outcome: &str) {
        self.texts.add(outcome);
    }

    /// One more thing at the app's door, by what became of it.
    pub(crate) fn app(&self, outcome: &str) {
        self.app.add(outcome);
    }

    /// One more request of the app's, by what the proxy in front said of where it is from.
    pub(crate) fn address(&self, what: &str) {
        self.addresses.add(what);
    }

    /// One more service at a terminal, with its response code.
    pub(crate) fn served(&self, response_code: &str) {
        self.terminal.add(response_code);
    }

    /// One more reversal of our own is in this state.
    pub(crate) fn reversal(&self, state: &str) {
        self.reversals.add(state);
    }

    /// One more verification was answered.
    pub(crate) fn verified(&self, response_code: &str) {
        self.verifications.add(response_code);
    }

    /// One more request's card work with this outcome.
    pub(crate) fn worked(&self, outcome: &str) {
        self.card_work.add(outcome);
    }

    /// One more SMS with this end, and how long the operator took.
    pub(crate) fn sent(&self, outcome: &str, took: Duration) {
        self.sms.add(outcome);
        self.sms_seconds.took(took);
    }

    /// This node told the others what it let through, or heard it from one.
    pub(crate) fn exchanged(&self, way: &str) {
        self.node_tells.add(way);
    }

    /// So many other nodes share the store.
    pub(crate) fn other_nodes(&self, count: usize) {
        self.other_nodes.store(count, Ordering::Relaxed);
    }

    /// The card host was asked, and answered or not.
    pub(crate) fn host_took(&self, took: Duration) {
        self.host_seconds.took(took);
    }
}

impl Watch for Counts {
    fn committed(&self, changes: usize, took: Duration) {
        self.commit_changes.counted(u32::try_from(changes).unwrap_or(u32::MAX));
        self.commit_seconds.took(took);
    }
}

impl Show for Counts {
    fn show(&self, page: &mut Page) {
        for (name, help, counts, label) in [
            (
                "ramz_authorisations_total",
                "Answers to authorisations by response code.",
                &self.authorisations,
                "response_code",
            ),
            ("ramz_pin_requests_total", "PIN requests answered, by outcome.", &self.pin_requests, "outcome"),
            (
                "ramz_card_work_total",
                "What became of admitted requests at their cards.",
                &self.card_work,
                "outcome",
            ),
            (
                "ramz_pins_not_sent_total",
                "PIN requests that were admitted and not sent, by reason.",
                &self.not_sent,
                "reason",
            ),
            ("ramz_texts_total", "Texts from phones, by what came of them.", &self.texts, "outcome"),
            (
                "ramz_terminal_services_total",
                "Services at ATM and cashless terminal, by response code.",
                &self.terminal,
                "response_code",
            ),
            ("ramz_app_activations_total", "Tries at activating the app, by outcome.", &self.app, "outcome"),
            (
                "ramz_app_addresses_total",
                "Tries at activating the app, by what the proxy's header said of where they are from.",
                &self.addresses,
                "header",
            ),
            (
                "ramz_reversals_total",
                "Reversals of our own: committed with a 91, acknowledged by the host.",
                &self.reversals,
                "state",
            ),
            (
                "ramz_verifications_total",
                "Answers to verifications over HTTP by response code; 00: approved.",
                &self.verifications,
                "response_code",
            ),
            ("ramz_sms_total", "SMS that came to their end, by outcome.", &self.sms, "outcome"),
            (
                "ramz_node_tells_total",
                "What nodes let through: told to the others, heard from one.",
                &self.node_tells,
                "way",
            ),
        ] {
            page.counter(name, help);
            counts.show(page, name, label);
        }
        page.gauge("ramz_other_nodes", "Other nodes that share the store.");
        page.sample("ramz_other_nodes", &[], self.other_nodes.load(Ordering::Relaxed));
        for (name, help, histogram) in [
            ("ramz_sms_seconds", "From taking an SMS in hand to its end.", &self.sms_seconds),
            (
                "ramz_host_seconds",
                "From asking the card host to its answer, or to giving up.",
                &self.host_seconds,
            ),
            ("ramz_commit_seconds", "A transaction of the store, with its sync.", &self.commit_seconds),
            ("ramz_commit_changes", "Changes in a transaction of the store.", &self.commit_changes),
        ] {
            page.histogram(name, help);
            histogram.show(page, name, &[]);
        }
    }
}
