//! One request and its payments: what was asked, and everything that was answered.

use std::time::Duration;

use ramz_iso8583::Message;
use serde_json::Value;
use uuid::Uuid;

/// A PIN that was asked for, and what was done with it.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) card: usize,
    pub(crate) amount: u64,
    pub(crate) key: Uuid,
    pub(crate) body: Value,
    /// What the 202 said.
    pub(crate) id: Value,
    /// When, from the beginning.
    pub(crate) at: Duration,
    /// What the SMS said.
    pub(crate) pin: Option<String>,
    pub(crate) paid: Vec<Paid>,
}

/// A transaction with its last answer.
#[derive(Clone, Debug)]
pub(crate) struct Paid {
    /// As it was sent first.
    pub(crate) message: Message,
    pub(crate) answer: Answered,
}

/// What the switch reads in an 0210.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answered {
    pub(crate) code: String,
    pub(crate) authorisation: Option<String>,
    pub(crate) reference: Option<String>,
}

impl Answered {
    pub(crate) fn of(message: &Message) -> Answered {
        let text = |field| message.get(field).map(str::to_owned);
        Answered { code: text(39).unwrap_or_default(), authorisation: text(38), reference: text(37) }
    }
}

impl Pair {
    /// Transactions that were answered 00.
    pub(crate) fn approvals(&self) -> usize {
        self.paid.iter().filter(|paid| paid.answer.code == "00").count()
    }
}
