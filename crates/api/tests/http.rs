//! Both ends of HTTP over loopback: what `serve` guards against, and what `client` tells.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Extension, Json, Router,
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use ramz_api::{
    client::{ANSWER_BYTES_MAX, AskError, CallError, Http, PinRequests},
    metrics::Page,
    net::{BoxStream, Connector, Door, Peer},
    problem::{Kind, Problem},
    serve::{App, DoorTimes, JsonBody, serve},
};
use ramz_domain::{Entropy, limits};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Loopback without TLS; every peer has the same name.
struct Loopback {
    listener: TcpListener,
    accepted: Arc<AtomicUsize>,
}

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.listener.accept().await?;
        self.accepted.fetch_add(1, Ordering::SeqCst);
        Ok((Box::pin(stream), Peer { address, name: Some("page".to_owned()) }))
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

struct Dial;

#[async_trait]
impl Connector for Dial {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(TcpStream::connect((host, port)).await?))
    }
}

/// 1, 2, 3 …
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(u8::try_from(self.0.fetch_add(1, Ordering::SeqCst) + 1).unwrap());
    }
}

struct Service {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

async fn service(app: impl Into<App> + Send + 'static) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let door = Arc::new(Loopback { listener, accepted: Arc::clone(&accepted) });
    let (address, shutdown) = (door.address(), CancellationToken::new());
    let task = tokio::spawn(serve(door, app, Arc::new(Counting::default()), shutdown.clone()));
    Service { address, accepted, shutdown, task }
}

impl Service {
    fn client(&self) -> Http {
        client_of(self.address, Duration::from_secs(10))
    }
}

fn client_of(address: SocketAddr, timeout: Duration) -> Http {
    Http::new(Arc::new(Dial), &format!("http://{address}"), timeout).unwrap()
}

fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let builder =
        Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    builder.body(body.into()).unwrap()
}

async fn problem(service: &Service, request: Request<Bytes>) -> (Problem, HeaderMap) {
    let answer = service.client().send(request).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    let problem = Problem::read(answer.status(), answer.body()).expect("a problem of ours");
    (problem, answer.headers().clone())
}

fn doors() -> Router {
    Router::new()
        .route("/bytes", post(async |JsonBody(body): JsonBody| body.len().to_string()))
        .route("/json", post(async |Json(_): Json<Value>| "fine"))
        .route("/peer", get(async |Extension(peer): Extension<Peer>| peer.name.unwrap_or_default()))
        .route("/panic", get(async || panic!("the PAN is 6104337000000016") as &'static str))
        .route(
            "/gone",
            get(async || (StatusCode::NOT_FOUND, axum::response::Html("<p>gone")).into_response()),
        )
}

#[tokio::test]
async fn a_door_counts_every_answer_and_what_panicked_too() {
    let times = DoorTimes::new("here");
    let service = service(times.timing(doors())).await;
    for path in ["/panic", "/nowhere", "/peer", "/panic"] {
        service.client().send(request(Method::GET, path, "")).await.unwrap();
    }
    let mut page = Page::default();
    DoorTimes::show(&[times], &mut page);
    let page = page.into_text();
    for (class, count) in [("2xx", 1), ("4xx", 1), ("5xx", 2)] {
        let line = format!("ramz_http_requests_total{{door=\"here\",status=\"{class}\"}} {count}\n");
        assert!(page.contains(&line), "{line}{page}");
    }
    assert!(page.contains("ramz_http_request_seconds_count{door=\"here\"} 4\n"), "{page}");
}

#[tokio::test]
async fn whatever_goes_wrong_is_a_problem() {
    let service = service(doors()).await;
    let large = vec![b' '; limits::BODY_BYTES_MAX + 1];
    for (method, path, body, kind) in [
        (Method::GET, "/nowhere", Vec::new(), Kind::NotFound),
        (Method::DELETE, "/bytes", Vec::new(), Kind::MethodNotAllowed),
        (Method::POST, "/bytes", large.clone(), Kind::TooLarge),
        (Method::POST, "/json", large, Kind::TooLarge),
        (Method::POST, "/json", b"{".to_vec(), Kind::Malformed),
    ] {
        let (problem, headers) = problem(&service, request(method, path, body)).await;
        assert_eq!(problem.kind, kind, "{path}");
        if kind == Kind::MethodNotAllowed {
            assert_eq!(headers[header::ALLOW], "POST");
        }
    }
    for media_type in ["text/plain", "application/xml", "application/jsonx", "application/problem+json", ""] {
        for path in ["/bytes", "/json"] {
            let mut request = request(Method::POST, path, "{}");
            request.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().unwrap());
            // axum's own reader takes any +json.
            if path == "/bytes" || !media_type.ends_with("+json") {
                assert_eq!(problem(&service, request).await.0.kind, Kind::MediaType, "{media_type}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_right_goes_through() {
    let service = service(doors()).await;
    let http = service.client();
    let exact = vec![b' '; limits::BODY_BYTES_MAX];
    let answer = http.send(request(Method::POST, "/bytes", exact)).await.unwrap();
    assert_eq!(answer.body(), limits::BODY_BYTES_MAX.to_string().as_str());
    let mut with_charset = request(Method::POST, "/bytes", "{}");
    with_charset
        .headers_mut()
        .insert(header::CONTENT_TYPE, "Application/JSON; charset=utf-8".parse().unwrap());
    assert_eq!(http.send(with_charset).await.unwrap().body(), "2");
    assert_eq!(http.send(request(Method::GET, "/peer", "")).await.unwrap().body(), "page");
    let page = http.send(request(Method::GET, "/gone", "")).await.unwrap();
    assert_eq!((page.status(), page.body().as_ref()), (StatusCode::NOT_FOUND, &b"<p>gone"[..]));
    assert_eq!(service.accepted.load(Ordering::SeqCst), 1, "one pooled connection served all");
}

#[tokio::test]
async fn a_panic_tells_an_incident_and_nothing_else() {
    let service = service(doors()).await;
    let (first, _) = problem(&service, request(Method::GET, "/panic", "")).await;
    let (second, _) = problem(&service, request(Method::GET, "/panic", "")).await;
    assert_eq!((first.kind, second.kind), (Kind::Fault, Kind::Fault));
    assert!(first.incident.is_some() && first.incident != second.incident);
    assert!(!String::from_utf8(first.to_json()).unwrap().contains("6104337"));
    let answer = service.client().send(request(Method::GET, "/peer", "")).await.unwrap();
    assert_eq!(answer.body(), "page", "and the service goes on");
}

#[tokio::test]
async fn a_shutdown_lets_the_answers_in_flight_out() {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&arrived), Arc::clone(&go_on));
    let held = async move || {
        tell.notify_one();
        wait.notified().await;
        "at last"
    };
    let service = service(Router::new().route("/held", get(held))).await;
    let http = service.client();
    let answer = tokio::spawn(async move { http.send(request(Method::GET, "/held", "")).await });
    arrived.notified().await;
    let mut idle = TcpStream::connect(service.address).await.unwrap();
    while service.accepted.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    service.shutdown.cancel();
    let _ = idle.read_to_end(&mut Vec::new()).await;
    assert!(!answer.is_finished(), "the shutdown has been seen, and the answer is still awaited");
    go_on.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().body(), "at last");
    tokio::time::timeout(Duration::from_secs(5), service.task)
        .await
        .expect("idle connections do not hold it")
        .unwrap();
    let refused =
        client_of(service.address, Duration::from_secs(5)).send(request(Method::GET, "/held", "")).await;
    assert!(matches!(refused, Err(CallError::Unreachable(_))), "{refused:?}");
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_own_connection_only() {
    let service = service(doors()).await;
    for noise in [&b"\x16\x03\x01\x02\x00garbage\r\n\r\n"[..], b"GET\r\n\r\n", &[b'A'; 70_000]] {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        // The other end may hang up while we still write.
        let _ = stream.write_all(noise).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
            .await
            .expect("it is cut");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"));
    }
    assert_eq!(service.client().send(request(Method::GET, "/peer", "")).await.unwrap().body(), "page");
}

const KEY: Uuid = Uuid::from_u128(0x11111111_1111_4111_8111_111111111111);

#[tokio::test]
async fn a_pin_is_asked_for_with_the_exact_bytes() {
    let ask = async |headers: HeaderMap, JsonBody(body): JsonBody| {
        assert_eq!(headers["idempotency-key"], "11111111-1111-4111-8111-111111111111");
        assert_eq!(headers["ramz-asker"], "pay.example");
        assert_eq!(body, " { \"exactly\" : 1 } ");
        (StatusCode::ACCEPTED, Json(json!({ "request": KEY, "valid_for_s": 120, "ask_again_after_s": 90 })))
    };
    let service = service(Router::new().route("/v1/pin-requests", post(ask))).await;
    let asked = PinRequests::new(service.client())
        .ask(KEY, Some("pay.example"), b" { \"exactly\" : 1 } ")
        .await
        .unwrap();
    assert_eq!((asked.request, asked.valid_for_s, asked.ask_again_after_s), (KEY, 120, 90));
}

#[tokio::test]
async fn a_no_is_told_apart_from_no_answer() {
    async fn asked(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> AskError {
        let service =
            service(Router::new().route("/v1/pin-requests", post(async move || answer.clone()))).await;
        PinRequests::new(service.client()).ask(KEY, None, b"{}").await.unwrap_err()
    }
    assert_eq!(asked(Problem::too_many_requests(3)).await, AskError::Problem(Problem::too_many_requests(3)));
    for (answer, status) in [
        ((StatusCode::OK, "{}"), StatusCode::OK),
        ((StatusCode::ACCEPTED, "{}"), StatusCode::ACCEPTED),
        ((StatusCode::BAD_GATEWAY, "<html>"), StatusCode::BAD_GATEWAY),
    ] {
        assert_eq!(asked(answer).await, AskError::Call(CallError::Unexpected(status)));
    }
    assert_eq!(asked("x".repeat(ANSWER_BYTES_MAX + 1)).await, AskError::Call(CallError::TooLarge));
}

#[tokio::test]
async fn silence_is_timed_out_and_a_closed_port_unreachable() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = client_of(silent.local_addr().unwrap(), Duration::from_millis(50));
    assert_eq!(http.send(request(Method::GET, "/", "")).await.unwrap_err(), CallError::TimedOut);
    let closed = silent.local_addr().unwrap();
    drop(silent);
    let error =
        client_of(closed, Duration::from_secs(5)).send(request(Method::GET, "/", "")).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable(_)), "{error:?}");
}

#[test]
fn a_base_is_scheme_host_and_port() {
    for (base, good) in [
        ("http://localhost:8702", true),
        ("https://router.example", true),
        ("http://[::1]:80/", true),
        ("localhost:8702", false),
        ("ftp://x", false),
        ("http://x/path", false),
        ("http://user:word@x", false),
        ("", false),
    ] {
        assert_eq!(Http::new(Arc::new(Dial), base, Duration::from_secs(1)).is_ok(), good, "{base}");
    }
    for base in
        ["http://user:secret@router.example", "http://user:se@cret@router.example/path", "user:secret@"]
    {
        let error = Http::new(Arc::new(Dial), base, Duration::from_secs(1)).err().unwrap();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("cret") && !said.contains("user:") && said.contains("…@"), "{said}");
    }
}
