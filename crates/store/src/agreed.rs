//! Whether a node's clock agrees with its store's.
//!
//! What one node writes by its clock, another reads by its own: a card's time never goes back, leases and respites end by it. One
//! instant from a clock that is an hour ahead, and for an hour no PIN of that card runs out and no lock of it ends, at any node; a
//! payment that its merchant may verify for twenty minutes is taken back at once. So a node that is off begins nothing, and what must
//! get through (a reversal, a host's answer) is written by the store's time. That is asked every second, and reckoned between by the
//! machine's steady clock, so that a clock that is set is found out by the very next decision.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ramz_domain::{Clock, Moment, limits};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::{Store, StoreFault};

/// A node's clock beside its store's. A store that is one node's has none of its own: then it always agrees.
pub struct Agreed {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The store's time, and when it was that.
    seen: Mutex<Option<(Moment, Instant)>>,
    /// Whether the store has said anything yet.
    asked: watch::Sender<bool>,
}

/// Nothing is begun by this clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this node's clock is {0:?} from the store's: set them")]
pub struct ClockOff(pub Duration);

impl Agreed {
    /// Of a node's clock with its store's.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Arc<Agreed> {
        Arc::new(Agreed { store, clock, seen: Mutex::default(), asked: watch::Sender::new(false) })
    }

    /// # Errors
    /// While this node is further off than [`limits::CLOCKS_APART_MAX`], as far as the store ever said.
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
        let Some((theirs, then)) = *self.seen.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Ok(ours);
        };
        let theirs = theirs.plus(then.elapsed());
        let apart = ours.since(theirs).max(theirs.since(ours));
        if apart > limits::CLOCKS_APART_MAX && self.clock.is_the_worlds() {
            return Err((theirs, ClockOff(apart)));
        }
        Ok(ours)
    }

    /// Waits until the store has been asked once: who sweeps by the clock does not begin before.
    pub async fn asked(&self) {
        if self.store.is_shared() {
            let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
        }
    }

    async fn compare(&self) -> Result<(), StoreFault> {
        let asked = Instant::now();
        let theirs = self.store.clock().await?;
        let took = asked.elapsed();
        if took <= limits::CLOCK_ANSWER_MAX {
            let known = theirs.map(|theirs| (theirs, asked + took / 2));
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        self.asked.send_replace(true);
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
                Err(off) if !was_off => tracing::error!(%off, "nothing is begun here until it is set"),
                Ok(()) if was_off => tracing::info!("this node's clock agrees with the store's again"),
                _ => {}
            }
            was_off = held.is_err();
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

    const NOON: Moment = Moment::from_unix_ms(1_795_780_800_000);

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

    #[tokio::test]
    async fn who_sweeps_waits_for_the_stores_first_word() {
        let early = agreed(NOON);
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, early.asked()).await.is_err(), "nobody has asked it");
        early.compare().await.unwrap();
        early.asked().await;
        Agreed::new(Arc::new(MemoryStore::new()), Arc::new(Still(NOON))).asked().await;
    }

    #[tokio::test]
    async fn a_clock_that_is_off_either_way_is_held() {
        for (ours, held) in [
            (NOON, false),
            (NOON.plus(Duration::from_secs(3600)), true),
            (NOON.minus(Duration::from_secs(3600)), true),
        ] {
            let agreed = agreed(ours);
            agreed.compare().await.unwrap();
            assert_eq!(agreed.hold().is_err(), held, "{ours:?}");
            let off = agreed.now().since(NOON).max(NOON.since(agreed.now()));
            assert!(off <= limits::CLOCKS_APART_MAX, "what is written, {off:?} off");
        }
    }
}
