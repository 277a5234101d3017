//! A role's HTTP server over a [`Door`]: HTTP/1.1, every wait and size bounded, drained at the end.
//!
//! What a role need not think of: slow heads, answers that nobody reads, too many connections, bodies that are too large, handlers that panic or
//! hang, and libraries that answer errors in plain text: all of these become problems. TLS is inside the door.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ramz_domain::{Entropy, limits};
use tokio::{sync::Semaphore, time};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    metrics::{Counter, Histogram, Page},
    net::{BoxStream, Door, Peer},
    problem::{self, Problem},
};

/// A handler that has not answered by then is cut: longer than a card host may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// After the shutdown, requests in flight have this long to finish.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request head: ten headers of ours fit many times over.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A door that cannot accept (out of descriptors) is tried again after this.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Serves `app` on `door` until `shutdown`; then takes no more, and returns when the requests in flight are answered,
/// or cut after [`DRAIN_TIMEOUT`].
///
/// Each request carries its [`Peer`] as an extension. At most [`limits::HTTP_CONNECTIONS_MAX`] connections are open.
/// `entropy` names incidents.
pub async fn serve(
    door: Arc<dyn Door>,
    app: impl Into<App>,
    entropy: Arc<dyn Entropy>,
    shutdown: CancellationToken,
) {
    let app = Arc::new(app.into());
    let slots = Arc::new(Semaphore::new(limits::HTTP_CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let accepting = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match door.accept().await {
                Ok((stream, peer)) => {
                    let connection =
                        converse(stream, peer, Arc::clone(&app), Arc::clone(&entropy), shutdown.clone());
                    let cut = cut.clone();
                    connections.spawn(async move {
                        cut.run_until_cancelled(connection).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(door = %door.address(), %error, "cannot accept; trying again");
                    time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
    // Whoever connects now is refused at once, rather than taken by the kernel and never read.
    let address = door.address();
    drop(door);
    connections.close();
    if time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        tracing::warn!(door = %address, open = connections.len(), "cutting requests that did not end");
        cut.cancel();
        connections.wait().await;
    }
}

/// What a door serves: its routes, with the guards around them, and whoever times them.
///
/// The guards are around the router and not layers of it: there each would be two boxes a request.
pub struct App {
    routes: Router,
    times: Option<Arc<DoorTimes>>,
}

impl From<Router> for App {
    fn from(routes: Router) -> App {
        App { routes, times: None }
    }
}

impl App {
    /// Answers a request, also without a socket. Panics and hangs become faults; bare errors of libraries become problems.
    pub async fn answer(&self, mut request: Request, entropy: &dyn Entropy) -> Response {
        let began = time::Instant::now();
        DefaultBodyLimit::max(limits::BODY_BYTES_MAX).apply(&mut request);
        let answer = time::timeout(REQUEST_TIMEOUT, self.routes.clone().oneshot(request));
        let fault = |what| {
            let incident = problem::incident(entropy);
            tracing::error!(%incident, "{what}");
            Problem::fault(incident).into_response()
        };
        let response = match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(Ok(response))) => dressed(response),
            Ok(Err(_)) => fault("a handler did not answer in time"),
            // What it panicked with may hold a secret and is not looked at.
            Err(_) => fault("a handler panicked"),
        };
        if let Some(times) = &self.times {
            times.answered(&response, began);
        }
        response
    }
}

/// How long requests at one door took, and how they ended.
#[derive(Debug)]
pub struct DoorTimes {
    door: &'static str,
    seconds: Histogram,
    /// By the status' first digit, from 1.
    classes: [Counter; 5],
}

impl DoorTimes {
    /// Of a door with this name.
    pub fn new(door: &'static str) -> Arc<DoorTimes> {
        Arc::new(DoorTimes { door, seconds: Histogram::seconds(), classes: Default::default() })
    }

    /// The routes, with their requests counted and timed.
    pub fn timing(self: &Arc<DoorTimes>, routes: Router) -> App {
        App { routes, times: Some(Arc::clone(self)) }
    }

    fn answered(&self, response: &Response, began: time::Instant) {
        self.seconds.took(began.elapsed());
        let class = usize::from(response.status().as_u16() / 100).checked_sub(1);
        if let Some(count) = class.and_then(|class| self.classes.get(class)) {
            count.add_one();
        }
    }

    /// Writes the metrics of a role's doors.
    pub fn show(doors: &[Arc<DoorTimes>], page: &mut Page) {
        let name = "ramz_http_requests_total";
        page.counter(name, "HTTP requests answered, by door and class of status.");
        for door in doors {
            for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&door.classes) {
                page.sample(name, &[("door", door.door), ("status", class)], count.get());
            }
        }
        let name = "ramz_http_request_seconds";
        page.histogram(name, "From an HTTP request's head to its answer, by door.");
        for door in doors {
            door.seconds.show(page, name, &[("door", door.door)]);
        }
    }
}

/// One connection, from its first byte to its last.
async fn converse(
    stream: BoxStream,
    peer: Peer,
    app: Arc<App>,
    entropy: Arc<dyn Entropy>,
    shutdown: CancellationToken,
) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        app.answer(request, &*entropy).map(Ok::<_, Infallible>)
    });
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits::HTTP_WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A peer that left, or spoke no HTTP. The text of a parser's error holds nothing of what was read.
        tracing::debug!(%error, "connection ended early");
    }
}

/// An error that a library answered with an empty body or plain text, as the problem that it is.
fn dressed(response: Response) -> Response {
    let plain =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|t| t.as_bytes().starts_with(b"text/plain"));
    match Problem::of_status(response.status()) {
        Some(problem) if plain => {
            let mut dressed = problem.into_response();
            if let Some(allow) = response.headers().get(header::ALLOW) {
                dressed.headers_mut().insert(header::ALLOW, allow.clone());
            }
            dressed
        }
        _ => response,
    }
}

/// A body of `application/json` within the limit. Refuses with `media-type` or `too-large`.
pub struct JsonBody(
    /// The bytes as they came: not parsed yet.
    pub Bytes,
);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::media_type());
        }
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(JsonBody(bytes)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_large())
            }
            Err(_) => Err(Problem::malformed(Vec::new())),
        }
    }
}

/// Whether the one `Content-Type` is `application/json`; parameters do not matter (RFC 8259 defines none).
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().ok().and_then(|t| t.split(';').next()).unwrap_or("");
    essence.trim().eq_ignore_ascii_case("application/json")
}
