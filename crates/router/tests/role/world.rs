//! What surrounds the router under test: doors whose peer's name is chosen, banks, a clock, a tap.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use ramz_api::{
    client::{Http, PinRequests},
    net::{BoxStream, Connector, Door, Peer},
    pin_request,
    problem::Problem,
    serve::serve,
    tap::{Fact, Tap},
};
use ramz_domain::{Clock, Entropy, Moment};
use ramz_router::{AskerConfig, BankConfig, Config, Ports, Running, start};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const KEY: Uuid = Uuid::from_u128(0x8e03978e_40d5_43dd_bc93_6894a57f9324);
pub(crate) const MELLAT: &str = "6104337000000016";
pub(crate) const MELLI: &str = "6037990000000006";

/// Loopback whose peers all have the name that is set.
pub(crate) struct Loopback {
    listener: TcpListener,
    name: Mutex<Option<String>>,
}

impl Loopback {
    async fn bind(name: Option<&str>) -> Arc<Loopback> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Arc::new(Loopback { listener, name: Mutex::new(name.map(str::to_owned)) })
    }

    /// From the next connection on.
    pub(crate) fn peers_are(&self, name: Option<&str>) {
        *self.name.lock().unwrap() = name.map(str::to_owned);
    }
}

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.listener.accept().await?;
        Ok((Box::pin(stream), Peer { address, name: self.name.lock().unwrap().clone() }))
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

pub(crate) struct Dial;

#[async_trait]
impl Connector for Dial {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(TcpStream::connect((host, port)).await?))
    }
}

pub(crate) struct Hand(AtomicU64);

impl Hand {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[derive(Default)]
pub(crate) struct Trace(Mutex<Vec<Fact>>);

impl Trace {
    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.0.lock().unwrap().clone()
    }
}

impl Tap for Trace {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

/// What a bank was sent: key, asker, body.
pub(crate) type Sent = (String, String, Bytes);

/// A bank that answers as it is told, and remembers what it was sent.
#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) sent: Arc<Mutex<Vec<Sent>>>,
    /// How long it was told that the router waits, in milliseconds.
    pub(crate) deadlines: Arc<Mutex<Vec<u128>>>,
    /// Told when a request has come.
    pub(crate) arrived: Arc<Notify>,
    /// Waited for before an answer, if the bank is held.
    pub(crate) go_on: Arc<Notify>,
    pub(crate) address: SocketAddr,
}

pub(crate) fn accepted() -> Response {
    let answer = json!({ "request": Uuid::from_u128(9), "valid_for_s": 120, "ask_again_after_s": 120 });
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

impl Bank {
    pub(crate) async fn open(
        held: bool,
        answer: impl Fn() -> Response + Clone + Send + Sync + 'static,
    ) -> Bank {
        let door = Loopback::bind(Some("router")).await;
        let bank = Bank {
            sent: Arc::default(),
            deadlines: Arc::default(),
            arrived: Arc::default(),
            go_on: Arc::default(),
            address: door.address(),
        };
        let own = bank.clone();
        let ask = move |request: Request| {
            let (own, answer) = (own.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
                let (key, asker) = (header("idempotency-key"), header("ramz-asker"));
                own.deadlines.lock().unwrap().push(header("ramz-deadline-ms").parse().unwrap());
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                own.sent.lock().unwrap().push((key, asker, body));
                own.arrived.notify_one();
                if held {
                    own.go_on.notified().await;
                }
                answer()
            }
        };
        let app = Router::new().route(pin_request::PATH, post(ask));
        tokio::spawn(serve(door, app, Arc::new(Sevens), CancellationToken::new()));
        bank
    }

    pub(crate) async fn fine() -> Bank {
        Bank::open(false, accepted).await
    }
}

pub(crate) struct World {
    pub(crate) door: Arc<Loopback>,
    pub(crate) clock: Arc<Hand>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: Running,
}

pub(crate) fn config(banks: &[(&str, SocketAddr)]) -> Config {
    let banks = banks.iter().map(|(id, at)| BankConfig { id: (*id).to_owned(), url: format!("http://{at}") });
    let asker = |name: &str, burst| AskerConfig {
        name: name.to_owned(),
        acquirers: vec!["581672061".to_owned()],
        kinds: vec!["purchase".to_owned(), "bill".to_owned()],
        origins: vec!["pay.example".to_owned()],
        rate_per_s: 2,
        burst,
    };
    Config {
        banks: banks.collect(),
        askers: vec![asker("page", 10_000), asker("hasty", 3)],
        directory: None,
        in_flight: ramz_domain::limits::ROUTER_IN_FLIGHT_MAX,
        leave_after_s: 1,
    }
}

pub(crate) async fn router(banks: &[(&str, SocketAddr)]) -> World {
    router_over(Arc::new(Dial), config(banks)).await
}

/// A router that reaches its banks like this.
pub(crate) async fn router_over(connector: Arc<dyn Connector>, config: Config) -> World {
    let (door, metrics) = (Loopback::bind(Some("page")).await, Loopback::bind(None).await);
    let public = Loopback::bind(None).await;
    let (clock, trace) = (Arc::new(Hand(AtomicU64::new(1_800_000_000_000))), Arc::new(Trace::default()));
    let ports = Ports {
        clock: clock.clone(),
        entropy: Arc::new(Sevens),
        door: door.clone(),
        metrics_door: Some(metrics),
        watched: Vec::new(),
        directory_door: Some(public),
        banks: connector,
        tap: trace.clone(),
    };
    let shutdown = CancellationToken::new();
    let running = start(config, ports, shutdown.clone()).await.unwrap();
    World { door, clock, trace, shutdown, running }
}

pub(crate) fn http(address: SocketAddr) -> Http {
    Http::new(Arc::new(Dial), &format!("http://{address}"), Duration::from_secs(20)).unwrap()
}

impl World {
    /// A client with connections of its own.
    pub(crate) fn asking(&self) -> PinRequests {
        PinRequests::new(http(self.running.address))
    }

    pub(crate) async fn send(&self, request: axum::http::Request<Bytes>) -> axum::http::Response<Bytes> {
        http(self.running.address).send(request).await.unwrap()
    }

    /// The problem that a request is answered with, and its Retry-After.
    pub(crate) async fn problem(&self, request: axum::http::Request<Bytes>) -> (Problem, Option<String>) {
        let answer = self.send(request).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let retry = answer.headers().get(header::RETRY_AFTER).map(|v| v.to_str().unwrap().to_owned());
        (Problem::read(answer.status(), answer.body()).expect("a problem of ours"), retry)
    }

    pub(crate) async fn metrics(&self, path: &str) -> axum::http::Response<Bytes> {
        http(self.running.metrics_address.unwrap()).send(get(path)).await.unwrap()
    }
}

pub(crate) fn get(path: &str) -> axum::http::Request<Bytes> {
    axum::http::Request::builder().uri(path).body(Bytes::new()).unwrap()
}

/// A request with all its headers, for tests that take one away.
pub(crate) fn asked(body: impl Into<Bytes>) -> axum::http::Request<Bytes> {
    axum::http::Request::builder()
        .method(Method::POST)
        .uri(pin_request::PATH)
        .header(header::CONTENT_TYPE, "application/json")
        .header(pin_request::IDEMPOTENCY_KEY, KEY.to_string())
        .body(body.into())
        .unwrap()
}

pub(crate) fn purchase(pan: &str) -> Value {
    json!({
        "pan": pan,
        "payment": {
            "kind": "purchase", "amount": 1_250_000,
            "payee": { "acquirer": "581672061", "merchant": "000000140332124",
                       "terminal": "14033212", "name": "فروشگاه نمونه" },
            "origin": "pay.example"
        }
    })
}

pub(crate) fn bytes(body: &Value) -> Vec<u8> {
    serde_json::to_vec(body).unwrap()
}
