//! What the issuer has done, counted for its metrics. No card, no amount: only how often.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ramz_api::metrics::{Expose, Page};

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
}

impl Expose for Counts {
    fn expose(&self, page: &mut Page) {
        let name = "ramz_authorisations_total";
        page.counter(name, "Answers to authorisations by response code.");
        for (code, count) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            page.sample(name, &[("response_code", code)], count);
        }
    }
}
