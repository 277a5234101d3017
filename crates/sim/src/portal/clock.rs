//! The lab's clock, which anybody may move forward: a PIN's two minutes need not be waited for.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use ramz_api::{
    problem::{FieldError, Problem},
    serve::JsonBody,
};
use ramz_domain::{Clock, Moment};
use serde::Deserialize;
use serde_json::json;

use crate::handsets::time::rfc3339;

/// How far one request moves the clock at most: 31 days, in seconds.
pub const ADVANCE_S_MAX: u64 = 31 * 24 * 3600;

/// A clock that can be moved forward. It moves what decides about PINs; I/O time-outs and TLS stay real.
pub trait LabClock: Clock {
    /// Moves the clock; every later [`Clock::now`] is that much later.
    fn advance(&self, by: Duration);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_s: u64,
}

/// `GET /lab/clock` → `{ "now" }`
pub(super) async fn now(State(clock): State<Arc<dyn LabClock>>) -> Response {
    answer(clock.now())
}

/// `POST /lab/clock { "advance_s" }` → `{ "now" }`
pub(super) async fn advance(
    State(clock): State<Arc<dyn LabClock>>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    match serde_json::from_slice(&body) {
        Ok(Advance { advance_s }) if advance_s <= ADVANCE_S_MAX => {
            clock.advance(Duration::from_secs(advance_s));
            Ok(answer(clock.now()))
        }
        _ => {
            let expected =
                format!("send a whole number of seconds from 0 to {ADVANCE_S_MAX} (31 days), alone");
            Err(Problem::malformed(vec![FieldError::new("/advance_s", expected)]))
        }
    }
}

fn answer(now: Moment) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "now": rfc3339(now) }))).into_response()
}
