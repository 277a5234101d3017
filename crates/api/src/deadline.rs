//! `Ramz-Deadline-Ms`: how long whoever asked will still wait, in milliseconds, told with every PIN request.
//!
//! A span and no instant: two machines need not agree about the time. Each service counts from when it read the head,
//! takes away what it used, and tells the next one what is left. Work that nobody waits for any more is refused before
//! it is begun. A span is a courtesy, not a right: one that is longer than a service's own limit is cut to it.
//!
//! Not here: how long a PIN is good for. This is about waiting for an answer, and reads the machine's monotonic clock.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use ramz_domain::limits;
use tokio::time::Instant;

/// Milliseconds that the asker still waits, a whole number.
pub const RAMZ_DEADLINE_MS: &str = "ramz-deadline-ms";

/// When the asker stops waiting. As an extractor it counts from the request's head: name it before the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(span: Duration) -> Deadline {
        Deadline(Instant::now() + span)
    }

    /// From now on, as long as the asker says, less [`limits::DEADLINE_WAY_BACK`], and [`limits::BANK_TIMEOUT`] at
    /// most. An asker that says nothing, or nothing that can be read, waits that long.
    pub fn read(headers: &HeaderMap) -> Deadline {
        let said = headers.get(RAMZ_DEADLINE_MS).and_then(|value| value.to_str().ok()?.parse().ok());
        let left = said.map(|ms| Duration::from_millis(ms).saturating_sub(limits::DEADLINE_WAY_BACK));
        Deadline::after(left.map_or(limits::BANK_TIMEOUT, |left| left.min(limits::BANK_TIMEOUT)))
    }

    /// What is left of it.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether nobody waits any more.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Deadline {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Deadline, Infallible> {
        Ok(Deadline::read(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(said: Option<&'static str>, expect: Duration) {
        let mut headers = HeaderMap::new();
        if let Some(said) = said {
            headers.insert(RAMZ_DEADLINE_MS, HeaderValue::from_static(said));
        }
        assert_eq!(Deadline::read(&headers).left(), expect, "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_never_longer_than_the_limit() {
        check(Some("1500"), Duration::from_millis(1400));
        check(Some("100"), Duration::ZERO);
        check(Some("0"), Duration::ZERO);
        for beyond in ["5100", "60000", "18446744073709551615"] {
            check(Some(beyond), limits::BANK_TIMEOUT);
        }
        for nonsense in [None, Some("soon"), Some("-1"), Some(""), Some("99999999999999999999999")] {
            check(nonsense, limits::BANK_TIMEOUT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_is_taken_away() {
        let deadline = Deadline::after(Duration::from_millis(300));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!((deadline.left(), deadline.is_over()), (Duration::from_millis(100), false));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(deadline.is_over());
    }
}
