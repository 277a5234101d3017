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

/// The instant in UTC as RFC 3339 writes it, with milliseconds. The calendar is Hinnant's `civil_from_days`,
/// counted from 1 March of year 0.
fn rfc3339(moment: Moment) -> String {
    let (days, ms) = (moment.unix_ms() / 86_400_000 + 719_468, moment.unix_ms() % 86_400_000);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_rfc_3339() {
        for (ms, expect) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599_001, "2025-12-31T23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(Moment::from_unix_ms(ms)), expect);
        }
    }
}
