//! Whether a node's clock agrees with its store's.
//!
//! What one node writes by its clock, another reads by its own: a card's time never goes back, leases and respites end by it. One
//! instant from a clock that is an hour ahead, and for an hour no PIN of that card runs out and no lock of it ends, at any node; a
//! payment that its merchant may verify for twenty minutes is taken back at once. So a node that is off begins nothing, and what must
//! get through (a reversal, a host's answer) is written by the store's time. That is asked every second, and reckoned between by the
//! machine's steady clock, so that a clock that is set is found out by the very next decision.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ramz_domain::{Clock, Moment, limits};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::{Store, StoreFault};

/// A node's clock beside its store's. A store that is one node's has none of its own: then it always agrees.
pub struct Agreed {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    said: Mutex<Said>,
    /// Whether the store has said what time it is yet.
    asked: watch::Sender<bool>,
}

/// What a store has said of the time.
#[derive(Clone, Copy, Default)]
enum Said {
    #[default]
    Nothing,
    /// It has no clock but this machine's.
    NoOther,
    Time(Seen),
}

/// A store's time.
#[derive(Clone, Copy)]
struct Seen {
    theirs: Moment,
    /// When it was that …
    then: Instant,
    /// … give or take so much: it was so sometime between the question and an answer that took long.
    within: Duration,
}

impl Seen {
    fn now(self) -> Moment {
        self.theirs.plus(self.then.elapsed())
    }

    /// Whether this says more than what was known: it is as exact, or it contradicts it.
    fn says_more_than(self, known: Said) -> bool {
        let Said::Time(known) = known else { return true };
        self.within <= known.within || apart(self.now(), known.now()) > self.within + known.within
    }
}

fn apart(one: Moment, other: Moment) -> Duration {
    one.since(other).max(other.since(one))
}

/// Nothing is begun by this clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClockOff {
    /// It is so far from the store's.
    #[error("this node's clock is {0:?} from the store's: set them")]
    Apart(Duration),
    /// Nobody knows yet.
    #[error("this node's store has not said yet what time it is")]
    Unasked,
}

impl Agreed {
    /// Of a node's clock with its store's.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Arc<Agreed> {
        Arc::new(Agreed { store, clock, said: Mutex::default(), asked: watch::Sender::new(false) })
    }

    /// # Errors
    /// While this node is further off than [`limits::CLOCKS_APART_MAX`], as far as the store has said; while a shared one has said nothing.
    pub fn hold(&self) -> Result<(), ClockOff> {
        self.or_theirs().map(|_| ()).map_err(|(_, off)| off)
    }

    /// The node's own time, whatever the store says.
    pub fn ours(&self) -> Moment {
        self.clock.now()
    }

    /// Ours, while it agrees; else the store's, and how far it is.
    fn or_theirs(&self) -> Result<Moment, (Moment, ClockOff)> {
        let ours = self.clock.now();
        if !self.clock.is_the_worlds() {
            return Ok(ours);
        }
        let seen = match *self.said() {
            Said::Nothing if self.store.is_shared() => return Err((ours, ClockOff::Unasked)),
            Said::Nothing | Said::NoOther => return Ok(ours),
            Said::Time(seen) => seen,
        };
        let theirs = seen.now();
        let apart = apart(ours, theirs);
        if apart > limits::CLOCKS_APART_MAX + seen.within {
            return Err((theirs, ClockOff::Apart(apart)));
        }
        Ok(ours)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is known how this clock stands to the store's: who sweeps by the clock does not begin before.
    pub async fn asked(&self) {
        if self.store.is_shared() {
            let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
        }
    }

    async fn compare(&self) -> Result<(), StoreFault> {
        let asked = Instant::now();
        let theirs = self.store.clock().await?;
        let took = asked.elapsed();
        // A slow answer is no reason to know nothing: it tells a clock that is further off than that.
        let within = if took <= limits::CLOCK_ANSWER_MAX { Duration::ZERO } else { took / 2 };
        let Some(theirs) = theirs else {
            *self.said() = Said::NoOther;
            self.asked.send_replace(true);
            return Ok(());
        };
        let seen = Seen { theirs, then: asked + took / 2, within };
        {
            let mut said = self.said();
            if seen.says_more_than(*said) {
                *said = Said::Time(seen);
            }
        }
        if within.is_zero() || self.hold().is_ok() {
            self.asked.send_replace(true);
        }
        Ok(())
    }

    /// Asks a shared store for its time; for ever.
    pub async fn keep(&self) {
        if !self.store.is_shared() {
            return;
        }
        let mut tick = interval(limits::CLOCKS_COMPARED_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_off = false;
        loop {
            tick.tick().await;
            if let Err(fault) = self.compare().await {
                tracing::warn!(%fault, "the store could not be asked for the time; trying again");
            }
            let held = self.hold();
            match &held {
                Err(off @ ClockOff::Apart(_)) if !was_off => {
                    tracing::error!(%off, "nothing is begun here until it is set")
                }
                Ok(()) if was_off => tracing::info!("this node's clock agrees with the store's again"),
                _ => {}
            }
            was_off = matches!(held, Err(ClockOff::Apart(_)));
        }
    }
}

/// What is written where others read it.
impl Clock for Agreed {
    fn now(&self) -> Moment {
        self.or_theirs().unwrap_or_else(|(theirs, _)| theirs)
    }

    fn is_the_worlds(&self) -> bool {
        self.clock.is_the_worlds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;
    use crate::faults::FaultyStore;

    const NOON: Moment = Moment::from_unix_ms(1_795_780_800_000);
    const HOUR: Duration = Duration::from_secs(3600);

    struct Still(Moment);

    impl Clock for Still {
        fn now(&self) -> Moment {
            self.0
        }
    }

    fn agreed(ours: Moment) -> Arc<Agreed> {
        let store = MemoryStore::shared();
        store.set_clock(NOON);
        Agreed::new(Arc::new(store), Arc::new(Still(ours)))
    }

    /// Whether who sweeps by it would begin.
    async fn sweeps(agreed: &Agreed) -> bool {
        tokio::time::timeout(Duration::from_millis(50), agreed.asked()).await.is_ok()
    }

    #[tokio::test]
    async fn who_sweeps_waits_for_the_stores_first_word() {
        let early = agreed(NOON);
        assert!(!sweeps(&early).await, "nobody has asked it");
        assert_eq!(early.hold(), Err(ClockOff::Unasked));
        early.compare().await.unwrap();
        assert!(sweeps(&early).await);
        assert_eq!(early.hold(), Ok(()));
        // One that is this node's alone has nothing to say.
        let alone = Agreed::new(Arc::new(MemoryStore::new()), Arc::new(Still(NOON)));
        assert!(sweeps(&alone).await);
        assert_eq!(alone.hold(), Ok(()));
        // Nor has one that knows no time.
        let timeless = Agreed::new(Arc::new(MemoryStore::shared()), Arc::new(Still(NOON)));
        timeless.compare().await.unwrap();
        assert!(sweeps(&timeless).await);
        assert_eq!(timeless.hold(), Ok(()));
    }

    #[tokio::test]
    async fn a_clock_that_is_off_either_way_is_held() {
        for (ours, held) in [(NOON, false), (NOON.plus(HOUR), true), (NOON.minus(HOUR), true)] {
            let agreed = agreed(ours);
            agreed.compare().await.unwrap();
            assert_eq!(agreed.hold().is_err(), held, "{ours:?}");
            let off = agreed.now().since(NOON).max(NOON.since(agreed.now()));
            assert!(off <= limits::CLOCKS_APART_MAX, "what is written, {off:?} off");
        }
    }

    /// A database that is behind says late what time it is, and says it all the same.
    #[tokio::test]
    async fn a_slow_answer_finds_out_a_clock_that_is_off_and_no_other() {
        const SLOW: Duration = Duration::from_millis(600);
        for (ours, off) in [(NOON, false), (NOON.plus(HOUR), true), (NOON.minus(HOUR), true)] {
            let store = Arc::new(MemoryStore::shared());
            store.set_clock(NOON);
            let slow = Arc::new(FaultyStore::new(store.clone()));
            slow.tell_the_time_after(SLOW);
            let agreed = Agreed::new(slow.clone(), Arc::new(Still(ours)));
            agreed.compare().await.unwrap();
            assert_eq!(agreed.hold().is_err(), off, "{ours:?}: {:?}", agreed.hold());
            assert_eq!(sweeps(&agreed).await, !off, "{ours:?}");
            // What a quick answer said stays, unless a slow one cannot be true beside it.
            slow.tell_the_time_after(Duration::ZERO);
            agreed.compare().await.unwrap();
            assert!(sweeps(&agreed).await);
            slow.tell_the_time_after(SLOW);
            store.set_clock(NOON.plus(SLOW));
            agreed.compare().await.unwrap();
            assert_eq!(within(&agreed), Duration::ZERO);
            store.set_clock(NOON.plus(HOUR));
            agreed.compare().await.unwrap();
            assert!(within(&agreed) >= SLOW / 2);
        }
    }

    fn within(agreed: &Agreed) -> Duration {
        match *agreed.said() {
            Said::Time(seen) => seen.within,
            _ => Duration::MAX,
        }
    }
}
