//! Activation joins two channels: the half on the terminal's receipt finds it, the half by SMS proves it. Whatever is wrong looks the
//! same and takes the same work: a half that no receipt has is written down like one that some receipt has.
//!
//! ```text
//!   terminal ─900000─▶ card: begun ─committed─▶ row by the receipt half ─▶ receipt       (and the other half by SMS)
//!   app ─both halves, its key─▶ row: one try ─committed─▶ device's row ─committed─▶ device id
//! ```

use std::sync::Arc;

use ramz_api::app::DeviceKey;
use ramz_domain::activation::{ActivationRow, Tried};
use ramz_domain::card::{Activation, AppCommand, CardState, CardStatus, Command, Mark};
use ramz_domain::device::Device;
use ramz_domain::{ActivationId, CardId, DeviceId, Phone, Pin, limits};
use ramz_keys::{IndexPurpose, KeyFault};
use ramz_store::{Change, Head, Outcome, Swap, Table};

use super::{Known, find, half, phone_tag};
use crate::engine::{Engine, EngineFault, Job};
use crate::outbox::activation_code;

/// Both halves of a code.
pub(crate) struct Halves<'a> {
    /// On the receipt.
    pub(crate) receipt: &'a Pin,
    /// By SMS.
    pub(crate) sms: &'a Pin,
}

/// A row as it was read, or one that is to be.
struct Found {
    key: [u8; 16],
    version: Option<u64>,
    row: ActivationRow,
}

/// Makes a begun activation one that its receipt finds. Says the half that is printed. A repeat changes nothing.
///
/// # Errors
/// [`EngineFault::Taken`] if another activation of these minutes has the same half: one in a hundred million of them.
pub(crate) async fn begin(engine: &Engine, card: CardId, begun: Activation) -> Result<Pin, EngineFault> {
    let receipt = activation_code(engine.keys.as_ref(), card, begun, Activation::on_the_receipt())?;
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let now = engine.clock.now();
        let found = look_up(engine, &receipt).await?;
        if found.version.is_some() && found.row.of() == Some((card, begun.id)) {
            return Ok(receipt);
        }
        if found.version.is_some() && !found.row.may_be_replaced(now) {
            return Err(EngineFault::Taken);
        }
        let row = ActivationRow::begun(card, begun.id, begun.at);
        if commit(engine, &Found { row, ..found }).await? {
            return Ok(receipt);
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// Activates a device, if both halves are right. The same device again gets the same answer.
pub(crate) async fn activate(
    engine: &Arc<Engine>,
    halves: &Halves<'_>,
    key: &DeviceKey,
    name: &str,
) -> Result<Option<Known>, EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let mut found = look_up(engine, halves.receipt).await?;
        // Of an unknown half a card is looked for as well, and a code made: what takes time is the same.
        let of = found.row.of();
        let (card, id) =
            of.unwrap_or_else(|| (CardId::random(engine.entropy.as_ref()), ActivationId([0; 16])));
        let state = engine.look(card).await?;
        let begun = state.as_ref().and_then(|state| latest(state, id));
        let none = Activation { id, at: engine.clock.now(), key_version: engine.keys.pin_version() };
        let right = activation_code(engine.keys.as_ref(), card, begun.unwrap_or(none), Activation::by_sms())?;
        let matched = bool::from(right.matches(halves.sms)) && begun.is_some();
        let device = device_id(id, key);
        let tried = found.row.try_code(matched, device, engine.clock.now());
        if !commit(engine, &found).await? {
            continue;
        }
        return match tried {
            Tried::No => Ok(None),
            Tried::Granted | Tried::Again => granted(engine, (card, id), device, key, name).await,
        };
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// The card's latest activation, if it is this one.
fn latest(state: &CardState, id: ActivationId) -> Option<Activation> {
    let may = state.status() == CardStatus::Active && state.has_phone();
    state.services().activation.filter(|begun| may && begun.id == id)
}

/// The same for a repeat: no other device's request makes it.
fn device_id(activation: ActivationId, key: &DeviceKey) -> DeviceId {
    let Mark(id) = Mark::of(&[b"ramz-device-1", &activation.0, &key.thumbprint()]);
    DeviceId(id)
}

async fn granted(
    engine: &Arc<Engine>,
    (card, activation): (CardId, ActivationId),
    id: DeviceId,
    key: &DeviceKey,
    name: &str,
) -> Result<Option<Known>, EngineFault> {
    if let Some(known) = find(engine, id).await? {
        return Ok(Some(known).filter(|known| !known.device.is_revoked()));
    }
    let Some(phone) = activated(engine, card, activation, id).await? else { return Ok(None) };
    let phone = phone_tag(engine.keys.as_ref(), &phone)?;
    let device = Device::new(key.to_sec1().to_vec(), phone, name.to_owned(), engine.clock.now());
    // Lost: the same request, twice at once.
    engine.committer.commit(Change::Swap(super::swap(engine, id, &device)?)).await?;
    find(engine, id).await
}

/// The card knows of the device first: whoever takes the app off the card then takes it from this device too. Told to the very row that
/// still says so: with a phone that changes meanwhile, or an app that is switched off, the activation is over. Says the phone.
async fn activated(
    engine: &Arc<Engine>,
    card: CardId,
    activation: ActivationId,
    device: DeviceId,
) -> Result<Option<Phone>, EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let Some((state, columns)) = engine.open(card).await? else { return Ok(None) };
        let Some(phone) = columns.phone.filter(|_| latest(&state, activation).is_some()) else {
            return Ok(None);
        };
        let command = Command::App(AppCommand::Activated(device));
        let job = Job { made_from: Some(columns.version), ..Job::from(command) };
        match engine.tell(card, job).await {
            Err(EngineFault::Changed) => {}
            told => return told.map(|_| Some(phone)),
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// The row that this half finds, under any live index key; or the one that a half without a receipt gets.
async fn look_up(engine: &Engine, receipt: &Pin) -> Result<Found, EngineFault> {
    let keys = keys_of(engine, receipt)?;
    for key in &keys {
        if let Some(stored) = engine.store.read(Table::Activation, key).await? {
            let row =
                ActivationRow::decode(&stored.body).map_err(|error| EngineFault::Row(error.to_string()))?;
            return Ok(Found { key: *key, version: Some(stored.version), row });
        }
    }
    let key = keys.first().copied().ok_or(EngineFault::NoCard)?;
    let row = ActivationRow::unknown(ActivationId::random(engine.entropy.as_ref()), engine.clock.now());
    Ok(Found { key, version: None, row })
}

/// The newest first.
fn keys_of(engine: &Engine, receipt: &Pin) -> Result<Vec<[u8; 16]>, KeyFault> {
    let tags = engine.keys.index_all(IndexPurpose::Activation, &[receipt.expose().as_bytes()])?;
    Ok(tags.into_iter().map(|tag| half(&tag.bytes)).collect())
}

async fn commit(engine: &Engine, found: &Found) -> Result<bool, EngineFault> {
    let Found { key, version, row } = found;
    let swap = Swap {
        table: Table::Activation,
        key: key.to_vec(),
        expected: *version,
        body: row.encode().map_err(|error| EngineFault::Row(error.to_string()))?,
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: Some(row.ends()),
    };
    Ok(engine.committer.commit(Change::Swap(swap)).await? == Outcome::Won)
}
