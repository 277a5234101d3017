//! What the issuer has done, counted for its metrics. No card, no amount: only how often.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Answers to authorisations by response code.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    /// One more answer with this response code; only two-digit codes are kept apart.
    pub(crate) fn answered(&self, response_code: &str) {
        let known = response_code.len() == 2 && response_code.bytes().all(|b| b.is_ascii_digit());
        let code = if known { response_code } else { "other" };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(code.to_owned()).or_default() += 1;
    }

    /// In Prometheus' text format.
    pub(crate) fn prometheus(&self) -> String {
        let mut text = String::from(
            "# HELP ramz_authorisations_total Answers to authorisations by response code.\n\
             # TYPE ramz_authorisations_total counter\n",
        );
        for (code, count) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            text.push_str(&format!("ramz_authorisations_total{{response_code=\"{code}\"}} {count}\n"));
        }
        text
    }
}
