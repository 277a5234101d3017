//! Taking a device away: marked first, so that it can do nothing more and a crash cannot stop what follows; then each of its cards, one
//! after the other; and only then is it answered. A card remembers the device for a while, so that what was on its way comes too late.

use std::sync::Arc;

use ramz_domain::card::{AppCommand, Command};
use ramz_domain::{CardId, DeviceId, limits};
use ramz_store::Table;

use super::{change, find};
use crate::engine::{By, Engine, EngineFault, Job};

/// Revokes a device. Told again, it ends the same; one that is not there any more is revoked.
pub(crate) async fn revoke(engine: &Arc<Engine>, id: DeviceId, by: By) -> Result<(), EngineFault> {
    let now = engine.clock.now();
    change(engine, id, |device| device.revoke(now)).await?;
    finish(engine, id, by).await
}

/// The same, asked for by a card's holder or bank: that card is told whatever the device's row says, which is but a hint.
pub(crate) async fn revoke_from(
    engine: &Arc<Engine>,
    card: CardId,
    id: DeviceId,
    by: By,
) -> Result<(), EngineFault> {
    revoke(engine, id, by.clone()).await?;
    engine.tell(card, off(id, by)).await.map(|_| ())
}

/// Takes up revocations that were cut off: for the sweeper. Says how many.
pub(crate) async fn resume(engine: &Arc<Engine>) -> Result<usize, EngineFault> {
    let mut taken = 0;
    for (key, _) in engine.store.due(Table::Device, engine.clock.now(), limits::SWEEP_ROWS).await? {
        let id =
            DeviceId(key.try_into().map_err(|_| EngineFault::Row("a device's key has 16 bytes".into()))?);
        // One that cannot be ended must not hold up the others.
        match finish(engine, id, None).await {
            Ok(()) => taken += 1,
            Err(fault) => {
                tracing::error!(device = %id, %fault, "a revocation could not be ended; trying again")
            }
        }
    }
    Ok(taken)
}

/// Takes a device off a card.
fn off(id: DeviceId, by: By) -> Job {
    Job { by, ..Job::from(Command::App(AppCommand::Revoke(id))) }
}

async fn finish(engine: &Arc<Engine>, id: DeviceId, by: By) -> Result<(), EngineFault> {
    let Some(known) = find(engine, id).await? else { return Ok(()) };
    // A card that cannot be told must not leave the codes of those after it good.
    let (mut done, mut failed) = (Vec::new(), None);
    for card in known.device.cards() {
        match engine.tell(card.card, off(id, by.clone())).await {
            Ok(_) | Err(EngineFault::NoCard) => done.push(*card),
            Err(fault) => failed = Some(fault),
        }
    }
    change(engine, id, |device| {
        done.iter().for_each(|card| _ = device.unlink(card.token));
    })
    .await?;
    failed.map_or(Ok(()), Err)
}
