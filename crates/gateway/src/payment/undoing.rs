//! Money that goes back: what is in doubt, what was not verified in time, what the bank took in another way than was asked for.

use std::time::Duration;

use ramz_domain::{Moment, limits};

use super::{Payment, State, Trace, Why};

/// Repeats of a reversal wait this long at first, doubling …
const REVERSAL_FIRST: Duration = Duration::from_secs(5);
/// … up to this. They never end before there is an answer.
const REVERSAL_LAST: Duration = Duration::from_secs(300);

/// A reversal that one of the sweepers has taken upon itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Due {
    pub(crate) trace: Trace,
    /// How often it was asked for before.
    pub(crate) before: u32,
    anew: bool,
}

impl Payment {
    /// Nobody knows what the bank did, or that it `approved` what was not asked for: it must be undone. If no money moves there is
    /// nothing to undo, and it may be tried again.
    pub(crate) fn doubt(&mut self, trace: Trace, approved: bool, now: Moment) {
        if !self.moves_money() {
            self.reopen(now);
            return;
        }
        let why = if approved { Why::Approved } else { Why::Unknown };
        self.state = State::Reversing { trace, why, asked: 0, next: now, anew: false };
    }

    /// What the sweeper does with a row that is due: whoever wins the swap asks for the reversal. `None` if there is nothing to do.
    pub(crate) fn sweep(&mut self, now: Moment) -> Option<Due> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        if self.state == State::Open {
            self.state = State::Expired;
            return None;
        }
        if !self.moves_money() {
            // Whoever asked the bank is gone.
            self.reopen(now);
            return None;
        }
        let (trace, why, before, anew) = match &self.state {
            State::Authorising { trace, .. } => (trace.clone(), Why::Unknown, 0, false),
            State::Paid { receipt, .. } => (receipt.trace.clone(), Why::Approved, 0, false),
            State::Reversing { trace, why, asked, anew, .. } => (trace.clone(), *why, *asked, *anew),
            _ => return None,
        };
        // Leased for as long as the asking may take, and then the pause that grows.
        let next = now.plus(limits::HOST_TIMEOUT).plus(pause(before));
        self.state =
            State::Reversing { trace: trace.clone(), why, asked: before.saturating_add(1), next, anew };
        Some(Due { trace, before, anew })
    }

    /// There is no room to ask for its reversal now: it is owed, and asked for a little later. Nothing was sent.
    pub(crate) fn put_off(&mut self, now: Moment) {
        if let Some(due) = self.sweep(now) {
            self.not_reversed(&due, now);
        }
    }

    /// The link that its authorisation went over, if it has one to undo.
    pub(crate) fn link(&self) -> Option<&str> {
        match &self.state {
            State::Authorising { trace, .. } | State::Reversing { trace, .. } => Some(&trace.link),
            State::Paid { receipt, .. } => Some(&receipt.trace.link),
            _ => None,
        }
    }

    /// The reversal was not even sent: the next attempt is still the first.
    pub(crate) fn not_reversed(&mut self, due: &Due, now: Moment) {
        if let State::Reversing { asked, next, anew, .. } = &mut self.state
            && (*asked, *anew) == (due.before + 1, due.anew)
        {
            *asked = due.before;
            *next = now.plus(REVERSAL_FIRST);
        }
    }

    /// The bank acknowledged this reversal. Not if it was begun anew meanwhile.
    pub(crate) fn reversed(&mut self, due: &Due, now: Moment) {
        if let State::Reversing { trace, why, asked, anew, .. } = &self.state
            && *asked > due.before
            && *anew == due.anew
        {
            self.state = State::Reversed { trace: trace.clone(), why: *why, at: now };
        }
    }

    /// Whether it is known that the bank has taken the money.
    pub(crate) fn was_approved(&self) -> bool {
        matches!(&self.state, State::Reversing { why: Why::Approved, .. })
    }

    /// Its authorisation reached the bank late, perhaps after its reversal: that is asked for anew. `false`: it is not in doubt.
    pub(crate) fn reverse_anew(&mut self, sent: &Trace, approved: bool, now: Moment) -> bool {
        let (trace, why, anew) = match &self.state {
            // The end could not be kept, and nobody has swept it yet.
            State::Authorising { trace, .. } => (trace, Why::Unknown, false),
            State::Reversing { trace, why, .. } | State::Reversed { trace, why, .. } => (trace, *why, true),
            _ => return false,
        };
        if trace != sent {
            return false;
        }
        let why = if approved { Why::Approved } else { why };
        self.state = State::Reversing { trace: sent.clone(), why, asked: 0, next: now, anew };
        true
    }
}

fn pause(asked: u32) -> Duration {
    REVERSAL_FIRST.saturating_mul(1 << asked.min(10)).min(REVERSAL_LAST)
}

/// How long a reversal has been asked for at the least, if it was so often.
pub(crate) fn asked_for(times: u32) -> Duration {
    (0..times).map(pause).sum()
}
