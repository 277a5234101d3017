//! One bound session, as senders see it: its window, its pace, and what became of a submit.
//!
//! A submit is waiting, then handed (its bytes are about to be written), then answered, and what is reported is what
//! happened: the step from waiting to handed is one channel, which the caller closes to give up; one of the two comes first,
//! and a submit that was given up is never written. What was handed and yet not begun to be written, because the line took no
//! more, is taken back ([`super::write`]) and reported as not sent.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ramz_domain::{Moment, limits};
use rusmpp::CommandStatus;
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::{SmppConfig, submit::Submit, trace::Told};

/// What became of a submit.
pub(super) enum Submitted {
    /// The SMSC took it, under this id.
    Accepted(String),
    /// The SMSC said no.
    Status(CommandStatus),
    /// Not written: its PIN ran out first.
    Expired,
    /// Not written: the session ended first, or its time was up.
    NotSent,
    /// Written, and no answer came.
    Unknown,
}

/// The bound session. See the module.
pub(super) struct Session {
    jobs: mpsc::Sender<Job>,
    /// Submits that may be in flight.
    pub(super) window: Arc<Semaphore>,
    width: usize,
    pace: Mutex<Pace>,
    /// An answer did not come in time, and nothing has come since: asked about at once, and the last choice meanwhile.
    suspect: AtomicBool,
    pub(super) ask_now: Notify,
}

/// How an SMSC is spared: an operator's agreed rate, and pauses while it throttles, longer each time, until a submit is
/// taken again.
struct Pace {
    resume: Instant,
    step: Duration,
    /// Between two submits at the agreed rate; nothing if none is agreed.
    interval: Duration,
    /// When the next submit would go at an even pace. One may be [`Pace::ahead`] of it.
    next: Instant,
}

/// A part to submit.
pub(super) struct Part {
    pub(super) submit: Submit,
    /// What the tap is told of it, if anybody watches.
    pub(super) told: Option<Told>,
    /// When its PIN runs out.
    pub(super) not_after: Moment,
}

/// A part on its way to the line.
pub(super) struct Job {
    pub(super) part: Part,
    pub(super) handed: oneshot::Sender<()>,
    pub(super) answer: oneshot::Sender<Submitted>,
}

/// What [`Session::submit`] queued.
pub(super) type Jobs = mpsc::Receiver<Job>;

impl Session {
    /// A session, and the queue that its line works off.
    pub(super) fn new(config: &SmppConfig) -> (Session, Jobs) {
        let width = config.window.clamp(1, limits::SMPP_WINDOW_MAX);
        let (jobs, queue) = mpsc::channel(width);
        let now = Instant::now();
        let interval = config.rate_per_s.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
        let session = Session {
            jobs,
            window: Arc::new(Semaphore::new(width)),
            width,
            pace: Mutex::new(Pace { resume: now, step: limits::RECONNECT_FIRST, interval, next: now }),
            suspect: AtomicBool::new(false),
            ask_now: Notify::new(),
        };
        (session, queue)
    }

    /// Submits a part. The caller holds a permit of the window. Waits until `give_up`, and no longer than `stuck_after`, for
    /// the line to take it, and then `response_timeout` for its answer.
    pub(super) async fn submit(
        &self,
        part: Part,
        give_up: Instant,
        stuck_after: Duration,
        response_timeout: Duration,
    ) -> Submitted {
        let (handed, mut was_handed) = oneshot::channel();
        let (answer, mut answered) = oneshot::channel();
        if self.jobs.try_send(Job { part, handed, answer }).is_err() {
            return Submitted::NotSent;
        }
        let give_up = give_up.min(Instant::now() + stuck_after);
        let handed = match timeout_at(give_up, &mut was_handed).await {
            Ok(handed) => handed.is_ok(),
            Err(_) => {
                was_handed.close();
                // Now it is decided: it was handed just before, or never will be.
                was_handed.try_recv().is_ok()
            }
        };
        if !handed {
            return answered.try_recv().unwrap_or(Submitted::NotSent);
        }
        match timeout(response_timeout, answered).await {
            Ok(Ok(submitted)) => submitted,
            Ok(Err(_)) => Submitted::Unknown,
            Err(_) => {
                self.doubt();
                Submitted::Unknown
            }
        }
    }

    /// Whether its line is gone: what is submitted now is not sent.
    pub(super) fn has_ended(&self) -> bool {
        self.jobs.is_closed()
    }

    /// It does not do what it should: it is asked, and others are preferred until it is heard of.
    pub(super) fn doubt(&self) {
        self.suspect.store(true, Ordering::Relaxed);
        self.ask_now.notify_one();
    }

    /// Something came from the SMSC.
    pub(super) fn heard(&self) {
        if self.suspect.load(Ordering::Relaxed) {
            self.suspect.store(false, Ordering::Relaxed);
        }
    }

    /// How little it is to be chosen: smaller is better. The share of its window in use, and last if it is suspect.
    pub(super) fn reluctance(&self) -> (bool, usize) {
        const SHARES: usize = 1024;
        (self.suspect.load(Ordering::Relaxed), self.in_window() * SHARES / self.width)
    }

    /// Short messages that hold a place in the window.
    pub(super) fn in_window(&self) -> usize {
        self.width.saturating_sub(self.window.available_permits())
    }

    /// When the next submit may go.
    pub(super) fn resume(&self) -> Instant {
        let pace = self.pace();
        if pace.interval.is_zero() {
            return pace.resume;
        }
        pace.next.checked_sub(pace.ahead()).map_or(pace.resume, |even| even.max(pace.resume))
    }

    /// Whether it pauses because the SMSC told it to.
    pub(super) fn is_throttled(&self, now: Instant) -> bool {
        self.pace().resume > now
    }

    /// Takes a turn at the agreed rate, if there is one now.
    pub(super) fn take_turn(&self) -> bool {
        let mut pace = self.pace();
        let now = Instant::now();
        if now < pace.resume {
            return false;
        }
        if pace.interval.is_zero() {
            return true;
        }
        if pace.next > now + pace.ahead() {
            return false;
        }
        pace.next = pace.next.max(now) + pace.interval;
        true
    }

    /// The SMSC throttles: pause, longer each time in a row. `jitter` is between 0 and 1. What was under way when the pause began is
    /// throttled as well, and says nothing new.
    pub(super) fn slow_down(&self, jitter: f64) {
        let mut pace = self.pace();
        let now = Instant::now();
        if pace.resume > now {
            return;
        }
        pace.resume = now + pace.step.mul_f64(0.5 + jitter / 2.0);
        pace.step = (pace.step * 2).min(limits::RECONNECT_LAST);
    }

    /// The SMSC takes submits.
    pub(super) fn at_ease(&self) {
        self.pace().step = limits::RECONNECT_FIRST;
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// A tenth of a second's submits may go at once: operators count by the second, timers tick by the millisecond.
    fn ahead(&self) -> Duration {
        const AT_ONCE: Duration = Duration::from_millis(100);
        AT_ONCE.saturating_sub(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agreed_rate_is_kept() {
        let mut config = SmppConfig::new("bank", "h:1", "x", String::new().into(), "Bank").unwrap();
        config.rate_per_s = NonZeroU32::new(50);
        let (session, _jobs) = Session::new(&config);
        let since = Instant::now();
        let mut turns = Vec::new();
        while since.elapsed() < Duration::from_secs(10) {
            while session.take_turn() {
                turns.push(since.elapsed());
            }
            tokio::time::sleep_until(session.resume()).await;
        }
        assert!((495..=506).contains(&turns.len()), "{} turns in ten seconds", turns.len());
        let in_second = |s: u64| turns.iter().filter(|at| at.as_secs() == s).count();
        assert!((0..10).all(|s| in_second(s) <= 56), "{:?}", (0..10).map(in_second).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_that_is_throttled_together_pauses_once() {
        let config = SmppConfig::new("bank", "h:1", "x", String::new().into(), "Bank").unwrap();
        let (session, _jobs) = Session::new(&config);
        for _ in 0..16 {
            session.slow_down(1.0);
        }
        assert_eq!(session.resume() - Instant::now(), limits::RECONNECT_FIRST);
        tokio::time::sleep_until(session.resume()).await;
        session.slow_down(1.0);
        assert_eq!(session.resume() - Instant::now(), limits::RECONNECT_FIRST * 2, "the next in a row");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_rate_has_no_burst() {
        let mut config = SmppConfig::new("bank", "h:1", "x", String::new().into(), "Bank").unwrap();
        config.rate_per_s = NonZeroU32::new(1);
        let (session, _jobs) = Session::new(&config);
        assert!(session.take_turn());
        assert!(!session.take_turn());
        tokio::time::sleep_until(session.resume()).await;
        assert!(session.take_turn());
    }
}
