//! A request that is proved to be a device's: the only way to a handler of the app's door.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::Method;
use axum::http::header;
use ramz_api::app::{DeviceKey, Expected, presented, verify};
use ramz_api::problem::Problem;
use ramz_api::serve::is_json;

use super::AppDoor;
use crate::devices::{self, Known};
use crate::engine::EngineFault;

/// What was proved.
pub(super) struct Signed {
    /// The device, as its row was after the request's counter was taken.
    pub(super) known: Known,
    /// The body that was signed for.
    pub(super) body: Bytes,
}

impl FromRequest<Arc<AppDoor>> for Signed {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Arc<AppDoor>) -> Result<Signed, Problem> {
        let (parts, body) = request.into_parts();
        // What has a body says of which kind it is; a DELETE mostly has none.
        let has_type = parts.headers.contains_key(header::CONTENT_TYPE);
        if (parts.method == Method::POST || parts.method == Method::PUT || has_type)
            && !is_json(&parts.headers)
        {
            return Err(Problem::media_type());
        }
        let presented = presented(&parts.headers)?;
        let device = presented.device;
        let problem = |fault: &EngineFault| door.problem(fault);
        let known = devices::find(&door.engine, device).await.map_err(|f| problem(&f))?;
        let known = known.filter(|known| !known.device.is_revoked()).ok_or_else(Problem::no_such_device)?;
        let key = DeviceKey::from_sec1(&known.device.key);
        let key = key.map_err(|_| problem(&EngineFault::Row("a device's key is no point".into())))?;
        let url = format!("{}{}", door.public_url, parts.uri.path());
        let method = parts.method.as_str().to_owned();
        let proof = presented.proof.to_owned();
        let body = Bytes::from_request(Request::from_parts(parts, body), &()).await;
        let body = body.map_err(|_| Problem::too_large())?;
        let now = door.engine.clock.now();
        let proof =
            verify(&proof, &Expected { method: &method, url: &url, device, key: &key, body: &body, now })?;
        door.limits.request_of(device, now).map_err(Problem::too_many_requests)?;
        let Some(counter) = proof.counter else { return Ok(Signed { known, body }) };
        let taken = devices::change(&door.engine, device, |row| {
            if row.is_revoked() { None } else { Some(row.take(counter)) }
        });
        match taken.await.map_err(|f| problem(&f))? {
            Some((Some(true), known)) => Ok(Signed { known, body }),
            Some((Some(false), _)) => Err(Problem::counter_used()),
            Some((None, _)) | None => Err(Problem::no_such_device()),
        }
    }
}
