//! The circuit breaker of one bank: whether it is asked, left alone, or tried.
//!
//! ```text
//!            failures in a row, or half of a window
//!   closed ─────────────────────────────────────────▶ open ◀───────────┐
//!     ▲                                                 │ its wait ends │ the probe fails: twice the wait
//!     │                 the probe is answered           ▼               │
//!     └───────────────────────────────────────────── half-open ─────────┘
//! ```
//!
//! A plain value: the instant is handed in. Half-open asks one request at a time, a real one: it alone tells whether the
//! whole way works. Outcomes of requests that were let through before the state last changed tell nothing about it now.
//! What counts as a failure is not decided here (`ways`), only that a refusal of the asker is none.

use std::time::Duration;

use ramz_domain::{Moment, limits};

/// How a request ended, as far as the bank is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It answered: accepted, or refused what was asked.
    Answered,
    /// It did not, or not what it should.
    Failed,
    /// Nothing can be said: the asker went away, or did not give it time.
    Unsaid,
}

/// What is told of a bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It is asked.
    Closed = 0,
    /// Its wait is over: the next request is the probe, or the probe is on its way.
    HalfOpen = 1,
    /// It is left alone.
    Open = 2,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { since: Moment, wait: Duration },
    Probing { wait: Duration },
}

/// A leave to ask, to be handed back with the outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leave {
    epoch: u64,
    /// Whether the bank's standing hangs on this one request.
    pub(crate) probe: bool,
}

/// One bank's breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    /// Counts changes of state: a leave of an earlier one decides nothing.
    epoch: u64,
    in_a_row: u32,
    asked: u32,
    failed: u32,
    window_since: Moment,
    opened: u64,
}

impl Breaker {
    /// Closed.
    pub(crate) fn new(now: Moment) -> Breaker {
        let state = State::Closed;
        Breaker { state, epoch: 0, in_a_row: 0, asked: 0, failed: 0, window_since: now, opened: 0 }
    }

    /// Leave to ask the bank now, or how long to leave it alone.
    pub(crate) fn leave(&mut self, now: Moment) -> Result<Leave, Duration> {
        self.mend(now);
        match self.state {
            State::Closed => Ok(Leave { epoch: self.epoch, probe: false }),
            State::Open { since, wait } if now.since(since) < wait => Err(wait - now.since(since)),
            State::Open { wait, .. } => {
                self.enter(State::Probing { wait });
                Ok(Leave { epoch: self.epoch, probe: true })
            }
            // However the probe ends, it does so within a bank's time.
            State::Probing { .. } => Err(limits::BANK_TIMEOUT),
        }
    }

    /// How what was let through ended.
    pub(crate) fn tell(&mut self, leave: Leave, outcome: Outcome, now: Moment) {
        if leave.epoch != self.epoch {
            return;
        }
        match (self.state, outcome) {
            (State::Closed, outcome) => self.count(outcome, now),
            (State::Probing { .. }, Outcome::Answered) => {
                (self.in_a_row, self.asked, self.failed, self.window_since) = (0, 0, 0, now);
                self.enter(State::Closed);
            }
            (State::Probing { wait }, Outcome::Failed) => {
                self.open(now, wait.saturating_mul(2).min(limits::BREAKER_OPEN_LAST));
            }
            // The next one is the probe, at once.
            (State::Probing { wait }, Outcome::Unsaid) => {
                self.enter(State::Open { since: now.minus(wait), wait });
            }
            (State::Open { .. }, _) => {}
        }
    }

    /// What is told of the bank now.
    pub(crate) fn standing(&self, now: Moment) -> Standing {
        match self.state {
            State::Closed => Standing::Closed,
            State::Open { since, wait } if since <= now && now.since(since) < wait => Standing::Open,
            State::Open { since, .. } if since > now => Standing::Open,
            State::Open { .. } | State::Probing { .. } => Standing::HalfOpen,
        }
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    fn count(&mut self, outcome: Outcome, now: Moment) {
        let failed = match outcome {
            Outcome::Answered => false,
            Outcome::Failed => true,
            Outcome::Unsaid => return,
        };
        if now.since(self.window_since) >= limits::BREAKER_WINDOW {
            (self.asked, self.failed, self.window_since) = (0, 0, now);
        }
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        (self.asked, self.failed) = (self.asked.saturating_add(1), self.failed + u32::from(failed));
        let half = self.asked >= limits::BREAKER_WINDOW_REQUESTS && self.failed >= self.asked.div_ceil(2);
        if self.in_a_row >= limits::BREAKER_IN_A_ROW || half {
            self.open(now, limits::BREAKER_OPEN_FIRST);
        }
    }

    fn open(&mut self, now: Moment, wait: Duration) {
        self.opened += 1;
        self.enter(State::Open { since: now, wait });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    /// A clock that went back must not keep a bank cut off for as long as it went.
    fn mend(&mut self, now: Moment) {
        if let State::Open { since, .. } = &mut self.state {
            *since = (*since).min(now);
        }
        self.window_since = self.window_since.min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_unix_ms(1_800_000_000_000 + ms)
    }

    /// Asks and is answered so.
    fn asked(breaker: &mut Breaker, outcome: Outcome, now: Moment) {
        let leave = breaker.leave(now).expect("it is let through");
        breaker.tell(leave, outcome, now);
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(at(0));
        for _ in 0..limits::BREAKER_IN_A_ROW {
            asked(&mut breaker, Outcome::Failed, at(0));
        }
        assert_eq!(breaker.standing(at(0)), Standing::Open);
        breaker
    }

    #[test]
    fn failures_in_a_row_cut_a_bank_off_and_an_answer_between_them_does_not() {
        let mut breaker = Breaker::new(at(0));
        for _ in 0..10 {
            for _ in 1..limits::BREAKER_IN_A_ROW {
                asked(&mut breaker, Outcome::Failed, at(0));
            }
            for _ in 0..2 * limits::BREAKER_IN_A_ROW {
                asked(&mut breaker, Outcome::Answered, at(0));
            }
        }
        assert_eq!(breaker.standing(at(0)), Standing::Closed);
        let breaker = opened();
        assert_eq!(breaker.opened(), 1);
    }

    #[test]
    fn half_of_a_window_failing_cuts_a_bank_off() {
        let mut breaker = Breaker::new(at(0));
        for n in 0..limits::BREAKER_WINDOW_REQUESTS {
            assert_eq!(breaker.standing(at(1)), Standing::Closed, "too few to tell, after {n}");
            let outcome = if n % 2 == 0 { Outcome::Answered } else { Outcome::Failed };
            asked(&mut breaker, outcome, at(1));
        }
        assert_eq!(breaker.standing(at(1)), Standing::Open);
        // The same failures, spread over time, are a bank that mostly works.
        let mut breaker = Breaker::new(at(0));
        for n in 0..100 {
            let outcome = if n % 2 == 0 { Outcome::Answered } else { Outcome::Failed };
            asked(&mut breaker, outcome, at(n * 1000));
        }
        assert_eq!(breaker.standing(at(100_000)), Standing::Closed);
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let mut breaker = opened();
        assert_eq!(breaker.leave(at(4_999)), Err(Duration::from_millis(1)));
        assert_eq!(breaker.standing(at(5_000)), Standing::HalfOpen);
        let probe = breaker.leave(at(5_000)).unwrap();
        assert!(probe.probe);
        assert!(breaker.leave(at(5_000)).is_err(), "while it is on its way nobody else goes");
        breaker.tell(probe, Outcome::Answered, at(5_100));
        assert_eq!(breaker.standing(at(5_100)), Standing::Closed);
        // Nothing is left of the failures before.
        asked(&mut breaker, Outcome::Failed, at(5_100));
        assert_eq!(breaker.standing(at(5_100)), Standing::Closed);
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_the_last() {
        let mut breaker = opened();
        let mut now = at(0);
        for wait_s in [5, 10, 20, 40, 60, 60] {
            let wait = Duration::from_secs(wait_s);
            assert_eq!(breaker.leave(now), Err(wait));
            now = now.plus(wait);
            asked(&mut breaker, Outcome::Failed, now);
        }
        assert_eq!(breaker.opened(), 7);
    }

    #[test]
    fn a_probe_that_tells_nothing_makes_room_for_the_next() {
        let mut breaker = opened();
        asked(&mut breaker, Outcome::Unsaid, at(5_000));
        assert_eq!(breaker.standing(at(5_000)), Standing::HalfOpen);
        asked(&mut breaker, Outcome::Answered, at(5_000));
        assert_eq!(breaker.standing(at(5_000)), Standing::Closed);
    }

    #[test]
    fn what_was_let_through_before_decides_nothing_afterwards() {
        let mut breaker = Breaker::new(at(0));
        let late: Vec<_> = (0..3).map(|_| breaker.leave(at(0)).unwrap()).collect();
        for _ in 0..limits::BREAKER_IN_A_ROW {
            asked(&mut breaker, Outcome::Failed, at(0));
        }
        breaker.tell(late[0], Outcome::Answered, at(1));
        assert_eq!(
            breaker.standing(at(1)),
            Standing::Open,
            "an answer that was on its way does not close it"
        );
        let probe = breaker.leave(at(5_000)).unwrap();
        breaker.tell(late[1], Outcome::Failed, at(5_001));
        breaker.tell(probe, Outcome::Answered, at(5_002));
        breaker.tell(late[2], Outcome::Failed, at(5_003));
        assert_eq!((breaker.standing(at(5_003)), breaker.opened()), (Standing::Closed, 1));
    }

    #[test]
    fn nothing_said_is_nothing_counted() {
        let mut breaker = Breaker::new(at(0));
        for _ in 0..100 {
            asked(&mut breaker, Outcome::Unsaid, at(0));
        }
        assert_eq!(breaker.standing(at(0)), Standing::Closed);
    }

    #[test]
    fn a_clock_that_goes_back_keeps_no_bank_cut_off() {
        let mut breaker = Breaker::new(at(10_000_000));
        for _ in 0..limits::BREAKER_IN_A_ROW {
            asked(&mut breaker, Outcome::Failed, at(10_000_000));
        }
        assert_eq!(breaker.leave(at(0)), Err(limits::BREAKER_OPEN_FIRST));
        assert!(breaker.leave(at(5_000)).is_ok());
    }
}
