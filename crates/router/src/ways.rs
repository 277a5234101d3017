//! The ways to the banks: a pool, a bound, a breaker and a retry budget for each, so that no bank's trouble is another's.
//!
//! What a request meets on its way, in this order: the asker's deadline, a place in the bank's queue, the bank's breaker.
//! None of them waits. A connection that broke without an answer is tried once more, under the same key, if the breaker,
//! the budget and the deadline allow it; a time-out is not, for nobody knows a reason why the next should be quicker.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ramz_api::{
    client::{AskError, BadBase, CallError, Http, PinRequests},
    deadline::Deadline,
    metrics::Histogram,
    net::Connector,
    pin_request::PinRequested,
    problem::{self, Kind, Problem},
};
use ramz_domain::{Clock, Entropy, ambient, limits};
use tokio::{
    sync::Semaphore,
    time::{self, Instant},
};
use uuid::Uuid;

use crate::{
    breaker::{Breaker, Leave, Outcome, Standing},
    retries::Budget,
};

/// `Retry-After` when a bank is cut off or has no way here.
const RETRY_LATER_S: u32 = 5;
/// `Retry-After` when too many requests wait for a bank.
const RETRY_SOON_S: u32 = 1;

/// The way to one bank.
pub(crate) struct Way {
    /// The bank's id.
    pub(crate) id: String,
    issuer: PinRequests,
    slots: Semaphore,
    breaker: Mutex<Breaker>,
    budget: Budget,
    /// What an operator watches.
    pub(crate) counts: WayCounts,
    /// How long the bank took.
    pub(crate) seconds: Histogram,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Counted since the start.
#[derive(Default)]
pub(crate) struct WayCounts {
    /// Requests tried once more.
    pub(crate) retried: AtomicU64,
    /// Turned away because the breaker was open.
    pub(crate) cut_off: AtomicU64,
    /// Turned away because too many waited.
    pub(crate) full: AtomicU64,
    /// Turned away because the asker's deadline had passed.
    pub(crate) late: AtomicU64,
}

impl Way {
    /// A way over `connector` to the issuer at `url`.
    pub(crate) fn new(
        id: &str,
        url: &str,
        connector: Arc<dyn Connector>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Way, BadBase> {
        Ok(Way {
            id: id.to_owned(),
            issuer: PinRequests::new(Http::new(connector, url, limits::BANK_TIMEOUT)?),
            slots: Semaphore::new(limits::BANK_IN_FLIGHT_MAX),
            breaker: Mutex::new(Breaker::new(clock.now())),
            budget: Budget::full(),
            counts: WayCounts::default(),
            seconds: Histogram::seconds(),
            clock,
            entropy,
        })
    }

    /// Requests that wait for this bank now.
    pub(crate) fn in_flight(&self) -> usize {
        limits::BANK_IN_FLIGHT_MAX - self.slots.available_permits()
    }

    /// The breaker's standing, and how often it has opened.
    pub(crate) fn standing(&self) -> (Standing, u64) {
        let breaker = self.breaker();
        (breaker.standing(self.clock.now()), breaker.opened())
    }

    /// Whether a request would be sent: the bank is not cut off.
    pub(crate) fn is_available(&self) -> bool {
        self.standing().0 != Standing::Open
    }

    /// Passes a request on, byte for byte, and its answer back. Never waits for a place in the bank's queue.
    pub(crate) async fn forward(
        &self,
        deadline: Deadline,
        key: Uuid,
        asker: &str,
        body: &[u8],
    ) -> Result<PinRequested, Problem> {
        if deadline.is_over() {
            return Err(self.turned_away(&self.counts.late, RETRY_SOON_S, "the asker's deadline has passed"));
        }
        let Ok(_slot) = self.slots.try_acquire() else {
            return Err(self.turned_away(&self.counts.full, RETRY_SOON_S, "too many requests wait"));
        };
        let pass = match self.pass() {
            Ok(pass) => pass,
            Err(wait) => {
                let wait_s = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(RETRY_LATER_S);
                return Err(self.turned_away(&self.counts.cut_off, wait_s.max(1), "the bank is cut off"));
            }
        };
        self.budget.earn();
        let probe = pass.leave.probe;
        let mut answer = self.ask(pass, deadline, key, asker, body).await;
        // No connection, or one that broke: under the same key the bank makes one admission of both, if it saw both.
        if matches!(answer, Err(AskError::Call(CallError::Unreachable(_))))
            && !probe
            && let pause = self.pause()
            && deadline.left() > 2 * pause
            && self.budget.pay()
        {
            time::sleep(pause).await;
            if let Ok(pass) = self.pass() {
                self.counts.retried.fetch_add(1, Ordering::Relaxed);
                answer = self.ask(pass, deadline, key, asker, body).await;
            }
        }
        answer.map_err(|error| self.told(error))
    }

    async fn ask(
        &self,
        pass: Pass<'_>,
        deadline: Deadline,
        key: Uuid,
        asker: &str,
        body: &[u8],
    ) -> Result<PinRequested, AskError> {
        let (given, began) = (deadline.left(), Instant::now());
        let answer = self.issuer.ask_within(given, key, Some(asker), body).await;
        self.seconds.took(began.elapsed());
        pass.ends(outcome(&answer, given));
        answer
    }

    fn pass(&self) -> Result<Pass<'_>, Duration> {
        let leave = self.breaker().leave(self.clock.now())?;
        Ok(Pass { way: self, leave, outcome: Outcome::Unsaid })
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From half of the longest to the longest, so that requests that broke together do not come back together.
    fn pause(&self) -> Duration {
        let half = limits::RETRY_PAUSE_MAX / 2;
        let [byte] = ambient::random_bytes(self.entropy.as_ref());
        half + half * u32::from(byte) / 256
    }

    fn turned_away(&self, counter: &AtomicU64, retry_after_s: u32, why: &'static str) -> Problem {
        counter.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(bank = %self.id, why, "a request was turned away");
        Problem::issuer_unavailable(retry_after_s)
    }

    /// What the asker is told of a bank's error. What the asker can mend passes as it is; what is between the
    /// router and the bank is no business of the asker: 503, and an incident for the operator.
    fn told(&self, error: AskError) -> Problem {
        match error {
            AskError::Problem(problem) => match problem.kind {
                Kind::IdempotencyConflict
                | Kind::Malformed
                | Kind::TooManyRequests
                | Kind::UnknownIssuer
                | Kind::IssuerUnavailable => problem,
                // Its own words stay out of our log: they may repeat what was sent.
                kind => {
                    let what = match kind {
                        Kind::UnknownAsker | Kind::NotAllowed => {
                            "the bank does not take this router's requests"
                        }
                        _ => "the bank failed",
                    };
                    let theirs =
                        problem.incident.map(|id| format!(", incident {id} there")).unwrap_or_default();
                    self.incident(what, &format!("{}{theirs}", kind.slug()))
                }
            },
            AskError::Call(error @ (CallError::Unreachable(_) | CallError::TimedOut)) => {
                tracing::warn!(bank = %self.id, %error, "no answer from the bank");
                Problem::issuer_unavailable(RETRY_LATER_S)
            }
            AskError::Call(error) => self.incident("the bank's answer makes no sense", &error.to_string()),
        }
    }

    fn incident(&self, what: &'static str, cause: &str) -> Problem {
        let incident = problem::incident(self.entropy.as_ref());
        tracing::error!(bank = %self.id, %incident, cause, "{what}");
        Problem { incident: Some(incident), ..Problem::issuer_unavailable(RETRY_LATER_S) }
    }
}

/// What an answer says about the bank. A refusal is an answer: no asker's mistake may cut a bank off from the others.
/// Nor may an asker's haste: without fair time, a time-out or "too late" of the bank says nothing.
fn outcome(answer: &Result<PinRequested, AskError>, given: Duration) -> Outcome {
    let had_time = given >= limits::BANK_TIME_FAIR;
    match answer {
        Err(AskError::Call(CallError::Unreachable(_) | CallError::TooLarge | CallError::Unexpected(_))) => {
            Outcome::Failed
        }
        Err(AskError::Call(CallError::TimedOut)) if had_time => Outcome::Failed,
        Err(AskError::Problem(problem)) => match problem.kind {
            Kind::Fault => Outcome::Failed,
            Kind::IssuerUnavailable if had_time => Outcome::Failed,
            Kind::IssuerUnavailable => Outcome::Unsaid,
            _ => Outcome::Answered,
        },
        Err(AskError::Call(CallError::TimedOut)) => Outcome::Unsaid,
        Ok(_) => Outcome::Answered,
    }
}

/// A leave of the breaker that is always handed back: an asker that goes away in the middle leaves no probe behind.
struct Pass<'a> {
    way: &'a Way,
    leave: Leave,
    outcome: Outcome,
}

impl Pass<'_> {
    fn ends(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let now = self.way.clock.now();
        let mut breaker = self.way.breaker();
        let before = breaker.opened();
        breaker.tell(self.leave, self.outcome, now);
        let (opened, closed) =
            (breaker.opened() != before, self.leave.probe && breaker.standing(now) == Standing::Closed);
        drop(breaker);
        if opened {
            tracing::warn!(bank = %self.way.id, "the bank does not answer; it is cut off for a while");
        } else if closed {
            tracing::info!(bank = %self.way.id, "the bank answers again");
        }
    }
}

/// What is told of a bank that has no way here.
pub(crate) fn no_way() -> Problem {
    Problem::issuer_unavailable(RETRY_LATER_S)
}

/// What is told when the router itself has too much in hand.
pub(crate) fn overloaded() -> Problem {
    Problem { detail: OVERLOADED.to_owned(), ..Problem::issuer_unavailable(RETRY_SOON_S) }
}

const OVERLOADED: &str = "The router has too much in hand. Try again after the seconds in Retry-After, with the same Idempotency-Key.";
