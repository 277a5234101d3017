//! The ways to the banks: a pool, a bound and a short memory for each, so that no bank's trouble is another's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ramz_api::{
    client::{AskError, BadBase, CallError, Http, PinRequests},
    metrics::Histogram,
    net::Connector,
    pin_request::PinRequested,
    problem::{self, Kind, Problem},
};
use ramz_domain::{Clock, Entropy, Moment, limits};
use tokio::{sync::Semaphore, time::Instant};
use uuid::Uuid;

/// A bank that could not be reached is told as unavailable for this long; requests are still tried.
const FAILURE_REMEMBERED: Duration = Duration::from_secs(10);
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
    /// Milliseconds since the Unix epoch; zero for never.
    failed_at: AtomicU64,
    /// How long the bank took.
    pub(crate) seconds: Histogram,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
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
            failed_at: AtomicU64::new(0),
            seconds: Histogram::seconds(),
            clock,
            entropy,
        })
    }

    /// Requests that wait for this bank now.
    pub(crate) fn in_flight(&self) -> usize {
        limits::BANK_IN_FLIGHT_MAX - self.slots.available_permits()
    }

    /// Whether the bank answered when it was last asked, or that was a while ago.
    pub(crate) fn is_available(&self) -> bool {
        let failed_at = Moment::from_unix_ms(self.failed_at.load(Ordering::Relaxed));
        failed_at == Moment::default() || self.clock.now().since(failed_at) >= FAILURE_REMEMBERED
    }

    /// Passes a request on, byte for byte, and its answer back. Never waits for a place in the bank's queue.
    pub(crate) async fn forward(&self, key: Uuid, asker: &str, body: &[u8]) -> Result<PinRequested, Problem> {
        let Ok(_slot) = self.slots.try_acquire() else {
            tracing::warn!(bank = %self.id, "too many requests wait for this bank");
            return Err(Problem::issuer_unavailable(RETRY_SOON_S));
        };
        let began = Instant::now();
        let answer = self.issuer.ask(key, Some(asker), body).await;
        self.seconds.took(began.elapsed());
        let failed = matches!(answer, Err(AskError::Call(CallError::Unreachable(_) | CallError::TimedOut)));
        self.failed_at.store(if failed { self.clock.now().unix_ms() } else { 0 }, Ordering::Relaxed);
        answer.map_err(|error| self.told(error))
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

/// What is told of a bank that has no way here.
pub(crate) fn no_way() -> Problem {
    Problem::issuer_unavailable(RETRY_LATER_S)
}
