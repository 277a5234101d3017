//! `/app/devices`: the devices that share a card with the one that asks, and that one itself.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ramz_api::app::{DeviceView, DevicesView, Rename};
use ramz_api::problem::Problem;
use ramz_domain::card::CardState;
use ramz_domain::{CardId, DeviceId};

use super::signed::Signed;
use super::{AppDoor, Shared};
use crate::devices::{self, Known};
use crate::engine::EngineFault;

pub(super) async fn list(State(door): Shared, signed: Signed) -> Result<Json<DevicesView>, Problem> {
    let mut devices = door.around(&signed.known).await.map_err(|f| door.problem(&f))?;
    devices.sort_by_key(|known| known.device.activated);
    let mut views = Vec::new();
    for known in &devices {
        views.push(door.seen(known, &signed.known).await.map_err(|f| door.problem(&f))?);
    }
    Ok(Json(DevicesView { devices: views }))
}

pub(super) async fn rename(
    State(door): Shared,
    Path(device): Path<String>,
    signed: Signed,
) -> Result<Json<DeviceView>, Problem> {
    let id = door.near(&signed.known, &device).await?;
    let Rename { name } = Rename::parse(&signed.body)?;
    let renamed = devices::change(&door.engine, id, |device| name.clone_into(&mut device.name)).await;
    let (_, renamed) = renamed.map_err(|f| door.problem(&f))?.ok_or_else(Problem::not_found)?;
    door.seen(&renamed, &signed.known).await.map(Json).map_err(|f| door.problem(&f))
}

pub(super) async fn revoke(
    State(door): Shared,
    Path(device): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let id = door.near(&signed.known, &device).await?;
    let cards = door.shared_with(&signed.known, id).await.map_err(|f| door.problem(&f))?;
    devices::revoke(&door.engine, id, None).await.map_err(|f| door.problem(&f))?;
    // Those that show it are told whatever its own row says, which is but a hint.
    for card in cards {
        devices::revoke_from(&door.engine, card, id, None).await.map_err(|f| door.problem(&f))?;
    }
    tracing::info!(device = %id, by = %signed.known.id, "device revoked in the app");
    Ok(StatusCode::NO_CONTENT)
}

impl AppDoor {
    /// A device as one that may name it sees it, with the cards that are really on it.
    async fn seen(&self, known: &Known, asks: &Known) -> Result<DeviceView, EngineFault> {
        let mut cards = 0;
        for on in known.device.cards() {
            cards += usize::from(self.has(on.card, on.token, known).await?);
        }
        Ok(DeviceView {
            device: known.id.to_string(),
            name: known.device.name.clone(),
            activated: known.device.activated.rfc3339(),
            this: known.id == asks.id,
            cards,
        })
    }

    /// A device that the one that asks may name.
    async fn near(&self, asks: &Known, named: &str) -> Result<DeviceId, Problem> {
        let id = DeviceId::parse(named).ok_or_else(Problem::not_found)?;
        let around = self.around(asks).await.map_err(|f| self.problem(&f))?;
        around.iter().any(|known| known.id == id).then_some(id).ok_or_else(Problem::not_found)
    }

    /// The cards of the one that asks that another is on, too.
    async fn shared_with(&self, asks: &Known, other: DeviceId) -> Result<Vec<CardId>, EngineFault> {
        let mut shared = Vec::new();
        for on in asks.device.cards() {
            let state = self.engine.look(on.card).await?;
            let is_on = |state: CardState| state.tokens().iter().any(|token| token.device == other);
            shared.extend(state.is_some_and(is_on).then_some(on.card));
        }
        Ok(shared)
    }

    /// Itself, and the others that its cards are on.
    async fn around(&self, asks: &Known) -> Result<Vec<Known>, EngineFault> {
        let mut found = vec![asks.clone()];
        for on in asks.device.cards() {
            let Some(state) = self.engine.look(on.card).await? else { continue };
            // Of a card that it really has.
            if state.token(on.token).is_none_or(|token| token.device != asks.id) {
                continue;
            }
            for token in state.tokens() {
                if found.iter().any(|known| known.id == token.device) {
                    continue;
                }
                found.extend(devices::find(&self.engine, token.device).await?);
            }
        }
        Ok(found)
    }
}
