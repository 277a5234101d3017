//! How a PIN request is known in the logs, from the page over router and issuer as far as the SMS: by one id, the same at each.
//!
//! The id is the idempotency key. The page makes it at random, it goes over every wire already, and it tells nothing of card
//! or payer. A new one beside it would have to be carried along, and could be lost where the key cannot.

use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

/// What is done for this request, so that every line in it bears its id as `request`.
///
/// At the level of errors: no filter takes the id from a warning.
pub fn span(request: Uuid) -> Span {
    tracing::error_span!("pin_request", %request)
}

/// Whole milliseconds since then, for a line that tells of a hop.
pub fn ms_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
