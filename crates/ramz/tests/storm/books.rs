//! What the switch did and was told, held against what the card host booked.

use std::fmt;

use ramz_iso8583::Message;
use ramz_sim::host::CardHost;

/// How a payment ended for the switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// Answered 00.
    Approved,
    /// Answered anything else.
    Declined,
    /// Reversed, and the reversal was answered.
    Reversed,
}

/// One payment, as it was sent first.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) message: Message,
    pub(crate) code: String,
    pub(crate) end: End,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace = self.message.get(11).unwrap_or_default();
        write!(f, "trace {trace}: {:?} with {:?}", self.end, self.code)
    }
}

/// The payments that one PIN was presented for.
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
}

impl Page {
    /// What does not agree, in words.
    pub(crate) fn disagreements(&self, host: &CardHost) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut spent = 0;
        for entry in &self.entries {
            let asked = host.asked(&entry.message);
            spent += asked.debits;
            let held = asked.debits - asked.credits;
            let agrees = match entry.end {
                End::Approved => held == 1,
                // An approval that nobody undoes, or a debit that nobody was told of.
                End::Declined | End::Reversed => held == 0,
            };
            if !agrees {
                wrong.push(format!("{entry:?}, and the host has {asked:?}"));
            }
        }
        if spent > 1 {
            wrong.push(format!("one PIN was spent {spent} times: {:?}", self.entries));
        }
        wrong
    }
}
