//! What the issuer has done, counted for its metrics. No card, no amount: only how often.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ramz_domain::card::NotSent;

/// A counter's name, its help, and its one label.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Counter(&'static str, &'static str, &'static str);

static AUTHORISATIONS: Counter =
    Counter("ramz_authorisations_total", "Answers to authorisations by response code.", "response_code");
static NOT_SENT: Counter =
    Counter("ramz_pins_not_sent_total", "PIN requests that were admitted and not sent, by reason.", "reason");
static REVERSALS: Counter = Counter(
    "ramz_reversals_total",
    "Reversals of our own: committed with a 91, acknowledged by the host.",
    "state",
);
static VERIFICATIONS: Counter = Counter(
    "ramz_verifications_total",
    "Answers to verifications over HTTP by response code; 00: approved.",
    "response_code",
);

/// How often, by counter and label.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<&'static Counter, BTreeMap<String, u64>>>);

impl Counts {
    /// One more answer with this response code; only two-digit codes are kept apart.
    pub(crate) fn answered(&self, response_code: &str) {
        let known = response_code.len() == 2 && response_code.bytes().all(|b| b.is_ascii_digit());
        self.add(&AUTHORISATIONS, if known { response_code } else { "other" });
    }

    /// One more PIN that was asked for and not sent.
    pub(crate) fn not_sent(&self, why: NotSent) {
        self.add(&NOT_SENT, why.code());
    }

    /// One more reversal of our own is in this state.
    pub(crate) fn reversal(&self, state: &'static str) {
        self.add(&REVERSALS, state);
    }

    /// One more verification was answered.
    pub(crate) fn verified(&self, response_code: &str) {
        self.add(&VERIFICATIONS, response_code);
    }

    fn add(&self, counter: &'static Counter, label: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = counts.entry(counter).or_default();
        match labels.get_mut(label) {
            Some(count) => *count += 1,
            None => drop(labels.insert(label.to_owned(), 1)),
        }
    }

    /// In Prometheus' text format.
    pub(crate) fn prometheus(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for counter in [&AUTHORISATIONS, &NOT_SENT, &REVERSALS, &VERIFICATIONS] {
            let Counter(name, help, label) = counter;
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} counter\n"));
            for (value, count) in counts.get(counter).into_iter().flatten() {
                text.push_str(&format!("{name}{{{label}=\"{value}\"}} {count}\n"));
            }
        }
        text
    }
}
