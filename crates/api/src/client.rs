//! Calls to other services over a [`Connector`]: pooled, timed out, the answer bounded.
//!
//! TLS is inside the connector: a base URL's scheme tells the default port and nothing else. There is no retry here
//! beyond a pooled connection that had closed before anything was sent; who repeats decides with which key.

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Method, Request, Response, StatusCode, Uri, header, uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use ramz_domain::limits;
use tokio::time;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    deadline,
    net::{BoxStream, Connector},
    pin_request::{self, PinRequested},
    problem::Problem,
};

/// An answer's body: a directory of all banks is about 10 KiB.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// A pooled connection that nobody used is closed, before the server does it.
const POOL_IDLE: Duration = Duration::from_secs(8);

/// The base URL cannot be used. It is quoted without what stands before its last `@`, which may be a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a base URL: {0:?}; write http://host:port or https://host:port, without a user or a path")]
pub struct BadBase(pub String);

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke. Whether the request arrived is not known.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No connection or no whole answer in time. Whether the request arrived is not known.
    #[error("did not answer in time")]
    TimedOut,
    /// The answer is over [`ANSWER_BYTES_MAX`].
    #[error("its answer is too large")]
    TooLarge,
    /// An answer that this call does not have.
    #[error("answered {0}, which is no answer to this call")]
    Unexpected(StatusCode),
}

/// A client of one service. Clones share the pool.
#[derive(Clone)]
pub struct Http {
    client: Client<Via, Full<Bytes>>,
    scheme: uri::Scheme,
    authority: uri::Authority,
    timeout: Duration,
}

impl Http {
    /// A client of the service at `base` (`http://localhost:8702`, `https://router.example`). `timeout` bounds a
    /// whole call, from connecting to the answer's last byte.
    ///
    /// # Errors
    /// If `base` is no such URL.
    pub fn new(connector: Arc<dyn Connector>, base: &str, timeout: Duration) -> Result<Http, BadBase> {
        let bad = || BadBase(without_user(base));
        let parts = base.parse::<Uri>().map_err(|_| bad())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(bad()) };
        let bare = parts.path_and_query.is_none_or(|p| p.as_str() == "/");
        let known = scheme == uri::Scheme::HTTP || scheme == uri::Scheme::HTTPS;
        if !bare || !known || authority.as_str().contains('@') {
            return Err(bad());
        }
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(Via(connector));
        Ok(Http { client, scheme, authority, timeout })
    }

    /// Sends a request whose URI is a path (and query), and collects the answer.
    ///
    /// # Errors
    /// As [`CallError`] says; an answer of any status is no error.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        self.send_within(self.timeout, request).await
    }

    /// The same, in less time than usual.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn send_within(
        &self,
        within: Duration,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, CallError> {
        let (mut parts, body) = request.into_parts();
        let mut uri = uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query =
            Some(parts.uri.path_and_query().cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/")));
        parts.uri = Uri::from_parts(uri).map_err(|e| CallError::Unreachable(e.to_string()))?;
        let call = async {
            let request = Request::from_parts(parts, Full::new(body));
            let answer = self.client.request(request).await.map_err(|e| broken(&e))?;
            let (parts, body) = answer.into_parts();
            match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
                Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
                Err(e) if e.is::<LengthLimitError>() => Err(CallError::TooLarge),
                Err(e) => Err(broken(e.as_ref())),
            }
        };
        time::timeout(within.min(self.timeout), call).await.unwrap_or(Err(CallError::TimedOut))
    }
}

/// Why a PIN was not asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// The other side said no, and why.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// There is no answer, or none that makes sense. Ask again with the same key.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// `POST /v1/pin-requests` at a router or an issuer.
#[derive(Clone)]
pub struct PinRequests {
    http: Http,
}

impl PinRequests {
    /// Asks over this client.
    pub fn new(http: Http) -> PinRequests {
        PinRequests { http }
    }

    /// Asks that the payer is sent a PIN. `key` is fresh for a new request and the same for a repeat; `asker` is told
    /// by a router; `body` is sent byte for byte (a repeat must be the same bytes) and the copy made here is wiped.
    ///
    /// # Errors
    /// As [`AskError`] says.
    pub async fn ask(&self, key: Uuid, asker: Option<&str>, body: &[u8]) -> Result<PinRequested, AskError> {
        self.ask_within(self.http.timeout, key, asker, body).await
    }

    /// The same, in less time than usual. The other side is told how long it has, either way ([`deadline`]).
    ///
    /// # Errors
    /// As [`AskError`] says.
    pub async fn ask_within(
        &self,
        within: Duration,
        key: Uuid,
        asker: Option<&str>,
        body: &[u8],
    ) -> Result<PinRequested, AskError> {
        let within = within.min(self.http.timeout);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(pin_request::PATH)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, application/problem+json")
            .header(pin_request::IDEMPOTENCY_KEY, key.to_string())
            .header(deadline::RAMZ_DEADLINE_MS, within.as_millis().to_string());
        if let Some(asker) = asker {
            request = request.header(pin_request::RAMZ_ASKER, asker);
        }
        let body = Bytes::from_owner(Zeroizing::new(body.to_vec()));
        let request = request.body(body).map_err(|e| CallError::Unreachable(e.to_string()))?;
        let answer = self.http.send_within(within, request).await?;
        if answer.status() == StatusCode::ACCEPTED {
            let requested = serde_json::from_slice(answer.body());
            return requested.map_err(|_| CallError::Unexpected(answer.status()).into());
        }
        match Problem::read(answer.status(), answer.body()) {
            Some(problem) => Err(problem.into()),
            None => Err(CallError::Unexpected(answer.status()).into()),
        }
    }
}

/// A URL as it may be shown: a password stands before its last `@`, whatever else is wrong with it.
fn without_user(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"))
}

/// Why a call came to nothing. A connection that took too long is a time-out, not a refusal.
fn broken(error: &(dyn Error + 'static)) -> CallError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut) {
            return CallError::TimedOut;
        }
        cause = error.source();
    }
    CallError::Unreachable(chain(error))
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}

/// The connector as the pool wants it.
#[derive(Clone)]
struct Via(Arc<dyn Connector>);

impl tower::Service<Uri> for Via {
    type Response = Connection1;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Connection1>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = Arc::clone(&self.0);
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let standard = if uri.scheme() == Some(&uri::Scheme::HTTPS) { 443 } else { 80 };
            // The pool may go on connecting after the call that began it was answered over another connection: so this
            // has an end of its own.
            let connecting = connector.connect(host, uri.port_u16().unwrap_or(standard));
            let stream = time::timeout(limits::CONNECT_TIMEOUT, connecting).await;
            let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(Connection1(TokioIo::new(stream)))
        })
    }
}

/// A connection that speaks HTTP/1.1.
struct Connection1(TokioIo<BoxStream>);

impl Connection for Connection1 {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Connection1 {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Connection1 {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
