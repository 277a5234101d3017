//! Whether this node's clock agrees with the store's.
//!
//! A card's time never goes back: one instant from a clock that is an hour ahead, and for an hour no PIN of that card runs out and no
//! lock of it ends, at any node. So a node that is off decides nothing new. The store's time is asked every second, and reckoned
//! between by the machine's steady clock, so that a clock that is set is found out by the very next decision.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ramz_domain::{Clock, Moment, limits};
use ramz_store::{Store, StoreFault};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Engine, EngineFault};

/// The store's time, and when it was that. Nothing, for a store that has no clock of its own.
#[derive(Default)]
pub(crate) struct Agreed(Mutex<Option<(Moment, Instant)>>);

impl Agreed {
    /// How far this node's clock is off, as far as the store ever said.
    fn off_by(&self, clock: &dyn Clock) -> Duration {
        let Some((theirs, then)) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Duration::ZERO;
        };
        let (ours, theirs) = (clock.now(), theirs.plus(then.elapsed()));
        ours.since(theirs).max(theirs.since(ours))
    }

    /// A fault if this node must not decide.
    pub(super) fn hold(&self, clock: &dyn Clock) -> Result<(), EngineFault> {
        let apart = self.off_by(clock);
        if apart > limits::CLOCKS_APART_MAX && clock.is_the_worlds() {
            return Err(EngineFault::ClockOff(apart));
        }
        Ok(())
    }

    async fn compare(&self, store: &dyn Store) -> Result<(), StoreFault> {
        let asked = Instant::now();
        let theirs = store.clock().await?;
        let took = asked.elapsed();
        if took <= limits::CLOCK_ANSWER_MAX {
            let known = theirs.map(|theirs| (theirs, asked + took / 2));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(())
    }
}

impl Engine {
    /// Asks a shared store for its time until `shutdown`.
    pub(crate) async fn keep_time(self: Arc<Self>, shutdown: CancellationToken) {
        if !self.store.is_shared() {
            return;
        }
        let mut tick = interval(limits::CLOCKS_COMPARED_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_off = false;
        while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
            if let Err(fault) = self.agreed.compare(self.store.as_ref()).await {
                tracing::warn!(%fault, "the store could not be asked for the time; trying again");
            }
            let held = self.agreed.hold(self.clock.as_ref());
            match &held {
                Err(fault) if !was_off => tracing::error!(%fault, "nothing is decided here until it is set"),
                Ok(()) if was_off => tracing::info!("this node's clock agrees with the store's again"),
                _ => {}
            }
            was_off = held.is_err();
        }
    }
}
