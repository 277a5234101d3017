//! How a copy leaves: it says that it is not ready, lets its connections go one answer at a time, and closes its door only
//! when nobody is sent to it any more. What it has read it answers; nobody's request is lost to a restart.
//!
//! Without the pause a request could be on its way over a connection that has just been closed under it. Draining what is
//! in flight once the door is closed is `ramz_api::serve`'s.

use std::{future::ready, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    response::Response,
};
use tokio::time;
use tokio_util::sync::CancellationToken;

/// From the shutdown on, each answer is the last of its connection.
pub(crate) fn last_answers(routes: Router, shutdown: CancellationToken) -> Router {
    routes.layer(middleware::map_response(move |mut answer: Response| {
        if shutdown.is_cancelled() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        ready(answer)
    }))
}

/// Cancelled so long after the shutdown.
pub(crate) fn closing(shutdown: CancellationToken, pause: Duration) -> CancellationToken {
    let closing = CancellationToken::new();
    let told = closing.clone();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        time::sleep(pause).await;
        told.cancel();
    });
    closing
}
