//! What one bind has done, for the metrics.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use rusmpp::CommandStatus;

use super::session::Submitted;

/// What may become of a submit at the line. That it was not sent is no outcome: it goes elsewhere.
const OUTCOMES: [&str; 5] = ["accepted", "refused", "throttled", "unknown", "expired"];
/// What a receipt may say, and those that nobody took up.
const RECEIPTS: [&str; 7] =
    ["delivered", "undeliverable", "expired", "rejected", "unknown", "on the way", "dropped"];
/// What may become of a text from a phone.
const TEXTS: [&str; 3] = ["taken", "later", "unreadable"];

/// Counters, from the start of the process.
#[derive(Default)]
pub(super) struct Counts {
    submitted: [AtomicU64; OUTCOMES.len()],
    receipts: [AtomicU64; RECEIPTS.len()],
    texts: [AtomicU64; TEXTS.len()],
}

impl Counts {
    pub(super) fn submitted(&self, submitted: &Submitted) {
        let word = match submitted {
            Submitted::Accepted(_) => "accepted",
            Submitted::Status(CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful) => "throttled",
            Submitted::Status(_) => "refused",
            Submitted::Unknown => "unknown",
            Submitted::Expired => "expired",
            Submitted::NotSent => return,
        };
        count(&self.submitted, &OUTCOMES, word);
    }

    pub(super) fn receipt(&self, word: &str) {
        count(&self.receipts, &RECEIPTS, word);
    }

    pub(super) fn text(&self, word: &str) {
        count(&self.texts, &TEXTS, word);
    }

    /// By outcome; zeros too, so that a metric is there before it rises.
    pub(super) fn by_outcome(&self) -> BTreeMap<&'static str, u64> {
        read(&self.submitted, &OUTCOMES)
    }

    pub(super) fn by_receipt(&self) -> BTreeMap<&'static str, u64> {
        read(&self.receipts, &RECEIPTS)
    }

    pub(super) fn by_text(&self) -> BTreeMap<&'static str, u64> {
        read(&self.texts, &TEXTS)
    }
}

fn count(counters: &[AtomicU64], words: &[&str], word: &str) {
    if let Some(at) = words.iter().position(|known| *known == word) {
        counters[at].fetch_add(1, Ordering::Relaxed);
    }
}

fn read(counters: &[AtomicU64], words: &[&'static str]) -> BTreeMap<&'static str, u64> {
    words.iter().zip(counters).map(|(word, counter)| (*word, counter.load(Ordering::Relaxed))).collect()
}
