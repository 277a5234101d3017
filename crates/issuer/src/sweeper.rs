//! The sweeper: takes up what a crash or a full queue left behind, and lets go what is over: admissions, phones without cards,
//! activations, revoked devices, nodes that are gone.

use std::sync::Arc;

use ramz_domain::limits;
use ramz_store::Table;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::devices;
use crate::engine::{Engine, EngineFault};
use crate::outbox::Outbox;
use crate::phones::Texts;

/// Tables whose rows are forgotten one day.
const FORGOTTEN: [Table; 5] = [Table::Admission, Table::Phone, Table::Device, Table::Activation, Table::Node];

/// What may have been left behind.
pub(crate) struct Swept {
    pub(crate) engine: Arc<Engine>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) texts: Arc<Texts>,
}

impl Swept {
    /// Sweeps once at the start, then every [`limits::SWEEP_EVERY`], until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        if shutdown.run_until_cancelled(self.engine.agreed.asked()).await.is_none() {
            return;
        }
        let mut tick = interval(limits::SWEEP_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
            // By a clock that is ahead every lease would be over, and every row old.
            if self.engine.may_decide().is_err() {
                continue;
            }
            match self.sweep().await {
                Ok([0, 0, 0]) => {}
                Ok([messages, texts, revocations]) => {
                    tracing::info!(messages, texts, revocations, "took up what was left behind");
                }
                Err(fault) => tracing::error!(%fault, "sweeping failed; trying again"),
            }
        }
    }

    async fn sweep(&self) -> Result<[usize; 3], EngineFault> {
        // Each does its part, whatever became of the others.
        let messages = self.outbox.resume().await;
        let texts = self.texts.resume().await;
        let revocations = devices::resume(&self.engine).await;
        let (store, clock) = (&self.engine.store, &self.engine.clock);
        for table in FORGOTTEN {
            while store.forget(table, clock.now(), limits::SWEEP_ROWS).await? == limits::SWEEP_ROWS {}
        }
        Ok([messages?, texts?, revocations?])
    }
}
