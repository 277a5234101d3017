//! Bad days: what a test makes the SMSC do.
//!
//! Everything here changes what the operator does, nothing what it means: a text that is answered late, twice or never was
//! taken all the same.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use ramz_domain::card::ReceiptState;
use rusmpp::CommandStatus;

use super::{Bytes, Line, Smsc};

/// Held answers; beyond it they are let go.
const HELD_MAX: usize = 1024;

/// How the operator feels.
#[derive(Default)]
pub(super) struct Moods {
    /// So many submits are still answered ESME_RTHROTTLED.
    throttle: usize,
    refuse: VecDeque<CommandStatus>,
    /// So many submits are still taken and never answered.
    swallow: usize,
    twice: bool,
    /// After so many submits every connection is cut.
    cut_after: Option<usize>,
    pub(super) away: bool,
    /// While held: whom to answer, and what.
    held: Option<Vec<(Line, Vec<Bytes>)>>,
    held_receipts: Option<Vec<(Line, Bytes)>>,
    pub(super) receipts_say: Option<ReceiptState>,
    pub(super) receipt_ids: ReceiptIds,
    receipts_first: bool,
}

/// How a receipt writes the message's id. Answers to submit_sm have it in hexadecimal, lower case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReceiptIds {
    /// As the answer has it.
    #[default]
    Same,
    /// In decimal, ten digits.
    Decimal,
    /// In hexadecimal, upper case, eight digits.
    UpperHex,
}

/// The answers to one submit.
pub(super) struct Answers {
    pub(super) response: Bytes,
    pub(super) receipt: Option<Bytes>,
}

impl Smsc {
    /// The next `n` submits are answered ESME_RTHROTTLED.
    pub fn throttle_next(&self, n: usize) {
        self.state().moods.throttle = n;
    }

    /// The next submit (after those refused already) is answered with this status.
    pub fn refuse_next(&self, status: CommandStatus) {
        self.state().moods.refuse.push_back(status);
    }

    /// The next `n` submits are taken and never answered, nor receipted.
    pub fn swallow_next(&self, n: usize) {
        self.state().moods.swallow = n;
    }

    /// From now on each submit is answered twice.
    pub fn answer_twice(&self) {
        self.state().moods.twice = true;
    }

    /// After `n` further submits, which are taken, every connection is cut; the last of them is not answered.
    pub fn cut_after(&self, n: usize) {
        self.state().moods.cut_after = Some(n);
    }

    /// Cuts every connection, without a word, and with it the answers that were held for them.
    pub fn drop_connections(&self) {
        let mut state = self.state();
        for line in state.connections.values() {
            line.closed.cancel();
        }
        if let Some(held) = &mut state.moods.held {
            held.clear();
        }
        if let Some(held) = &mut state.moods.held_receipts {
            held.clear();
        }
    }

    /// Cuts every connection, and each new one as soon as it comes, until [`Smsc::come_back`].
    pub fn go_away(&self) {
        self.state().moods.away = true;
        self.drop_connections();
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        self.state().moods.away = false;
    }

    /// The connections that there are become half-open: what comes is lost and nothing is said, not even to enquire_link, but
    /// nobody closes them.
    pub fn fall_silent(&self) {
        for line in self.state().connections.values() {
            line.silent.store(true, Ordering::SeqCst);
        }
    }

    /// From now on submits work and are not answered, until [`Smsc::release`].
    pub fn hold(&self) {
        self.state().moods.held.get_or_insert_default();
    }

    /// Answers what was held, and no longer holds.
    pub fn release(&self) {
        self.answer_held(false);
    }

    /// The same, the last first.
    pub fn release_in_reverse(&self) {
        self.answer_held(true);
    }

    fn answer_held(&self, last_first: bool) {
        let mut held = self.state().moods.held.take().unwrap_or_default();
        if last_first {
            held.reverse();
        }
        for (line, answers) in held {
            answers.into_iter().for_each(|bytes| line.put(bytes));
        }
    }

    /// What receipts say from now on, whatever became of the text; `None`: the truth.
    pub fn receipts_say(&self, state: Option<ReceiptState>) {
        self.state().moods.receipts_say = state;
    }

    /// How receipts write ids from now on.
    pub fn receipt_ids(&self, ids: ReceiptIds) {
        self.state().moods.receipt_ids = ids;
    }

    /// From now on a receipt comes before the answer to its own submit.
    pub fn receipts_first(&self) {
        self.state().moods.receipts_first = true;
    }

    /// From now on receipts wait until [`Smsc::release_receipts`].
    pub fn hold_receipts(&self) {
        self.state().moods.held_receipts.get_or_insert_default();
    }

    /// Sends the receipts that were held, and no longer holds them.
    pub fn release_receipts(&self) {
        let held = self.state().moods.held_receipts.take().unwrap_or_default();
        held.into_iter().for_each(|(line, bytes)| line.put(bytes));
    }

    /// A no to this submit, if it is to have one.
    pub(super) fn mood_to_refuse(&self) -> Option<CommandStatus> {
        let moods = &mut self.state().moods;
        if moods.throttle > 0 {
            moods.throttle -= 1;
            return Some(CommandStatus::EsmeRthrottled);
        }
        moods.refuse.pop_front()
    }

    /// Answers a submit as the operator feels.
    pub(super) fn answer_in_mood(&self, line: &Line, answers: Answers) {
        let mut state = self.state();
        let moods = &mut state.moods;
        if let Some(left) = &mut moods.cut_after {
            *left = left.saturating_sub(1);
            if *left == 0 {
                moods.cut_after = None;
                drop(state);
                return self.drop_connections();
            }
        }
        if moods.swallow > 0 {
            moods.swallow -= 1;
            return;
        }
        let Answers { response, receipt } = answers;
        let mut out = vec![response.clone()];
        if moods.twice {
            out.push(response);
        }
        if let Some(receipt) = receipt {
            match &mut moods.held_receipts {
                Some(held) if held.len() < HELD_MAX => held.push((line.clone(), receipt)),
                _ if moods.receipts_first => out.insert(0, receipt),
                _ => out.push(receipt),
            }
        }
        match &mut moods.held {
            Some(held) if held.len() < HELD_MAX => held.push((line.clone(), out)),
            _ => out.into_iter().for_each(|bytes| line.put(bytes)),
        }
    }
}
