//! `POST /app/activations`: both halves of the code, and the key that requests will be signed with.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ramz_api::app::{Activate, Activated, Jwk, ReceiveKey};
use ramz_api::net::Peer;
use ramz_api::problem::Problem;
use ramz_api::serve::JsonBody;
use ramz_domain::limits;

use super::{AppDoor, Shared};
use crate::devices::{self, Halves, Known};
use crate::engine::EngineFault;

pub(super) async fn activate(
    State(door): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let body = Activate::parse(&body)?;
    let (keys, now) = (door.engine.keys.as_ref(), door.engine.clock.now());
    let from = door.whence.of(peer.address.ip(), &headers, &door.counts, now);
    let within = door.limits.activation(keys, from, &body.sms_code, now);
    let tried = within.map_err(|f| door.problem(&f.into()))?.map_err(Problem::too_many_requests)?;
    let halves = Halves { receipt: &body.receipt_code, sms: &body.sms_code };
    let known = devices::activate(&door.engine, &halves, &body.device_key, &body.device_name).await;
    let Some(known) = known.map_err(|f| door.problem(&f))? else {
        door.counts.app("refused");
        return Err(Problem::wrong_code());
    };
    door.limits.was_right(tried);
    door.counts.app("activated");
    tracing::info!(device = %known.id, "device activated");
    let view = door.activated(&known).map_err(|f| door.problem(&f))?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

impl AppDoor {
    fn activated(&self, known: &Known) -> Result<Activated, EngineFault> {
        Ok(Activated {
            device: known.id.to_string(),
            receive_key: self.receive_key()?,
            bank: self.bank.clone(),
            add_cards_until: known.device.activated.plus(limits::CARDS_ADDED_WITHIN).rfc3339(),
            now_ms: self.engine.clock.now().unix_ms(),
        })
    }

    /// The newest, which seeds are to be sealed to.
    pub(super) fn receive_key(&self) -> Result<ReceiveKey, EngineFault> {
        let key = self.engine.keys.receive_key()?;
        let jwk = Jwk::from_sec1(&key.public).map_err(|error| EngineFault::Row(error.to_string()))?;
        Ok(ReceiveKey { version: key.version, jwk })
    }
}
