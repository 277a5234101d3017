//! The sweeper: takes up what a crash or a full queue left behind, and lets old admissions go.

use std::sync::Arc;

use ramz_domain::limits;
use ramz_store::Table;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::admission::Admissions;
use crate::engine::{Engine, EngineFault};
use crate::outbox::Outbox;

/// Sweeps once at the start, then every [`limits::SWEEP_EVERY`], until `shutdown`.
pub(crate) async fn run(
    engine: Arc<Engine>,
    admissions: Arc<Admissions>,
    outbox: Arc<Outbox>,
    shutdown: CancellationToken,
) {
    let mut tick = interval(limits::SWEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        match sweep(&engine, &admissions, &outbox).await {
            Ok((0, 0)) => {}
            Ok((requests, messages)) => tracing::info!(requests, messages, "took up what was left behind"),
            Err(fault) => tracing::error!(%fault, "sweeping failed; trying again"),
        }
    }
}

async fn sweep(
    engine: &Arc<Engine>,
    admissions: &Arc<Admissions>,
    outbox: &Arc<Outbox>,
) -> Result<(usize, usize), EngineFault> {
    // Each does its part, whatever became of the other.
    let (requests, messages) = (admissions.resume().await, outbox.resume().await);
    while engine.store.forget(Table::Admission, engine.clock.now(), limits::SWEEP_ROWS).await?
        == limits::SWEEP_ROWS
    {}
    Ok((requests?, messages?))
}
