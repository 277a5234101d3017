//! Taking a device away: marked first, so that it can do nothing more and a crash cannot stop what follows; then each of its cards, one
//! after the other; and only then is it answered. A card remembers the device for a while, so that what was on its way comes too late.

use ramz_domain::DeviceId;
use ramz_domain::card::{AppCommand, Command};
use ramz_domain::limits;
use ramz_store::Table;

use super::{change, find};
use crate::engine::{Engine, EngineFault};
use std::sync::Arc;

/// Revokes a device. False: there is none. Told again, it ends the same.
pub(crate) async fn revoke(engine: &Arc<Engine>, id: DeviceId) -> Result<bool, EngineFault> {
    let now = engine.clock.now();
    if change(engine, id, |device| device.revoke(now)).await?.is_none() {
        return Ok(false);
    }
    finish(engine, id).await?;
    Ok(true)
}

/// Takes up revocations that were cut off: for the sweeper. Says how many.
pub(crate) async fn resume(engine: &Arc<Engine>) -> Result<usize, EngineFault> {
    let mut taken = 0;
    for (key, _) in engine.store.due(Table::Device, engine.clock.now(), limits::SWEEP_ROWS).await? {
        let id =
            DeviceId(key.try_into().map_err(|_| EngineFault::Row("a device's key has 16 bytes".into()))?);
        // One that cannot be ended must not hold up the others.
        match finish(engine, id).await {
            Ok(()) => taken += 1,
            Err(fault) => {
                tracing::error!(device = %id, %fault, "a revocation could not be ended; trying again")
            }
        }
    }
    Ok(taken)
}

async fn finish(engine: &Arc<Engine>, id: DeviceId) -> Result<(), EngineFault> {
    let Some(known) = find(engine, id).await? else { return Ok(()) };
    for card in known.device.cards() {
        match engine.tell(card.card, Command::App(AppCommand::Revoke(id))).await {
            Ok(_) | Err(EngineFault::NoCard) => {}
            Err(fault) => return Err(fault),
        }
    }
    let done = known.device.cards().to_vec();
    change(engine, id, |device| {
        done.iter().for_each(|card| _ = device.unlink(card.token));
    })
    .await?;
    Ok(())
}
