//! Devices with the app: their rows, how one is activated, and how one is taken away.
//!
//! A device's row says who may sign for it, and which cards may be on it. What a code is worth the card's row says.

mod activate;
mod revoke;

use ramz_domain::device::{Device, PhoneTag};
use ramz_domain::{DeviceId, Moment, Phone, limits};
use ramz_keys::{IndexPurpose, KeyFault, Keys};
use ramz_store::{Change, Head, Outcome, Row, Swap, Table};
use subtle::ConstantTimeEq as _;

use crate::engine::{Engine, EngineFault};

pub(crate) use activate::{Halves, activate, begin};
pub(crate) use revoke::{resume, revoke, revoke_from};

/// A revoked device without cards is forgotten after this: until then its holder is told that it is revoked.
const FORGOTTEN_AFTER: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// A device's row, read.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: DeviceId,
    version: u64,
    pub(crate) device: Device,
}

impl Known {
    fn of(id: DeviceId, row: &Row) -> Result<Known, EngineFault> {
        let device = Device::decode(&row.body).map_err(|error| EngineFault::Row(error.to_string()))?;
        Ok(Known { id, version: row.version, device })
    }
}

/// A device, as the store has it now.
pub(crate) async fn find(engine: &Engine, id: DeviceId) -> Result<Option<Known>, EngineFault> {
    let row = engine.store.read(Table::Device, &id.0).await?;
    row.map(|row| Known::of(id, &row)).transpose()
}

/// Changes a device's row: decided again on the fresh row after a lost swap. `None`: there is no such device.
pub(crate) async fn change<T>(
    engine: &Engine,
    id: DeviceId,
    decide: impl Fn(&mut Device) -> T,
) -> Result<Option<(T, Known)>, EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let Some(known) = find(engine, id).await? else { return Ok(None) };
        let mut device = known.device.clone();
        let told = decide(&mut device);
        if device == known.device {
            return Ok(Some((told, known)));
        }
        let swap = Swap { expected: Some(known.version), ..swap(engine, id, &device)? };
        if engine.committer.commit(Change::Swap(swap)).await? == Outcome::Won {
            return Ok(Some((told, Known { version: known.version + 1, device, ..known })));
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

fn swap(engine: &Engine, id: DeviceId, device: &Device) -> Result<Swap, EngineFault> {
    let now: Moment = engine.clock.now();
    let (revoked, empty) = (device.is_revoked(), device.cards().is_empty());
    Ok(Swap {
        table: Table::Device,
        key: id.0.to_vec(),
        expected: None,
        body: device.encode().map_err(|error| EngineFault::Row(error.to_string()))?,
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        // What a crash cuts off is taken up again.
        due: (revoked && !empty).then(|| now.plus(limits::LEASE)),
        forget_after: (revoked && empty).then(|| now.plus(FORGOTTEN_AFTER)),
    })
}

/// What a device keeps of a phone.
fn phone_tag(keys: &dyn Keys, phone: &Phone) -> Result<PhoneTag, KeyFault> {
    let tag = keys.index(IndexPurpose::Phone, &[phone.expose().as_bytes()])?;
    Ok(PhoneTag { version: tag.version, bytes: half(&tag.bytes) })
}

/// Whether a card's phone is the device's.
pub(crate) fn is_phone_of(keys: &dyn Keys, device: &Device, phone: &Phone) -> Result<bool, KeyFault> {
    let known = device.phone;
    let tag = keys.index_at(known.version, IndexPurpose::Phone, &[phone.expose().as_bytes()])?;
    Ok(bool::from(half(&tag.bytes).ct_eq(&known.bytes)))
}

fn half(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}
