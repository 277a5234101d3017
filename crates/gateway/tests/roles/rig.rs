//! The stage: a gateway between a router and a bank that the test plays.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use ramz_api::{
    client::Http,
    net::{BoxStream, Connector, Door, Peer},
    problem::Problem,
    serve::serve,
    tap::NoTap,
};
use ramz_domain::{Clock, Entropy, Moment};
use ramz_gateway::{ApiKey, BankLink, Config, Merchant, Ports, Running, start};
use ramz_iso8583::{Layout, Message, de48};
use ramz_keys::{KeyRing, Keys, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::{Answer, Names, listen};
use ramz_store::{MemoryStore, Store};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) use crate::browser::{Browser, browse, card, solve};
pub(crate) use crate::logs::logs;

pub(crate) const PAN: &str = "6104337000000016";
pub(crate) const OTHER_PAN: &str = "6104337000000024";
pub(crate) const PIN: &str = "0472013";
pub(crate) const CVV2: &str = "9371";
pub(crate) const AMOUNT: u64 = 1_250_000;
pub(crate) const API_KEY: &str = "shop-key-0123456789abcdef";
pub(crate) const OTHER_KEY: &str = "other-key-0123456789abcdef";
/// Nothing here takes so long; what does has failed.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

/// A different stream of bytes for each rig, the same in each run.
pub(crate) struct Dice(AtomicU64);

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            chunk.copy_from_slice(&Sha256::digest(n.to_be_bytes())[..chunk.len()]);
        }
    }
}

struct Loopback(TcpListener);

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.0.accept().await?;
        Ok((Box::pin(stream), Peer { address, name: None }))
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

async fn door() -> Arc<Loopback> {
    Arc::new(Loopback(TcpListener::bind("127.0.0.1:0").await.unwrap()))
}

/// Connections that the test can cut.
#[derive(Default)]
pub(crate) struct Wire {
    cut: Mutex<CancellationToken>,
    down: Mutex<bool>,
}

impl Wire {
    /// Ends all connections; new ones may be made.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().unwrap()).cancel();
    }

    /// Refuses new connections, or takes them again.
    pub(crate) fn hold_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }
}

#[async_trait]
impl Connector for Wire {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        if *self.down.lock().unwrap() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let mut far = TcpStream::connect((host, port)).await?;
        let (near, mut middle) = tokio::io::duplex(64 * 1024);
        let cut = self.cut.lock().unwrap().clone();
        tokio::spawn(async move {
            let _ = cut.run_until_cancelled(tokio::io::copy_bidirectional(&mut middle, &mut far)).await;
        });
        Ok(Box::pin(near))
    }
}

/// What the bank does with a request.
#[derive(Clone)]
pub(crate) enum Will {
    Approve,
    Refuse(&'static str, &'static str),
    Silence,
    /// Approves once the test lets it.
    Wait(Arc<Notify>),
    /// Approves another amount than was asked for.
    OtherAmount,
    /// Approves, with this field 54.
    Balance(&'static str),
}

/// The bank: answers as the test wills, and remembers what it was asked.
pub(crate) struct Bank {
    pub(crate) purchases: Mutex<Will>,
    pub(crate) reversals: Mutex<Will>,
    seen: Mutex<Vec<Message>>,
}

impl Bank {
    async fn start() -> (Arc<Bank>, SocketAddr) {
        let bank = Arc::new(Bank {
            purchases: Mutex::new(Will::Approve),
            reversals: Mutex::new(Will::Approve),
            seen: Mutex::default(),
        });
        let door = door().await;
        let address = door.address();
        let names = Names { ours: "bank".into(), theirs: "page".into() };
        tokio::spawn(listen(
            door,
            Layout::named("ascii").unwrap(),
            Vec::new(),
            Arc::clone(&bank) as Arc<dyn Answer>,
            Arc::new(NoTap),
            names,
            CancellationToken::new(),
        ));
        (bank, address)
    }

    pub(crate) fn seen(&self, mti: &str) -> Vec<Message> {
        self.seen.lock().unwrap().iter().filter(|message| message.mti().as_str() == mti).cloned().collect()
    }

    pub(crate) async fn wait_for(&self, mti: &str, count: usize) {
        until(&format!("{count} of {mti}"), async || self.seen(mti).len() >= count).await;
    }
}

#[async_trait]
impl Answer for Bank {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        self.seen.lock().unwrap().push(request.clone());
        let will = if request.mti().as_str() == "0200" { &self.purchases } else { &self.reversals };
        let will = will.lock().unwrap().clone();
        let mut answer = request;
        answer.set_mti(answer.mti().response());
        for field in [14, 48, 52] {
            answer.remove(field);
        }
        match will {
            Will::Approve => answer.set(39, "00"),
            Will::Refuse(code, refusal) => {
                answer.set(39, code);
                let mut tags = de48::Tags::new();
                tags.set(de48::REFUSAL, refusal);
                answer.set(48, tags.encode().unwrap());
            }
            Will::Balance(amounts) => {
                answer.set(39, "00");
                answer.set(54, amounts);
            }
            Will::Silence => return None,
            Will::Wait(go) => {
                go.notified().await;
                answer.set(39, "00");
            }
            Will::OtherAmount => {
                answer.set(39, "00");
                answer.set(4, "000000000001");
            }
        }
        Some(answer)
    }
}

/// The router: takes PIN requests, or says what the test wants.
#[derive(Default)]
pub(crate) struct Asked {
    /// Idempotency key and body of each.
    pub(crate) requests: Mutex<Vec<(String, Value)>>,
    pub(crate) refuse: Mutex<Option<Problem>>,
    pub(crate) drop_next: AtomicUsize,
}

async fn pin_requests(
    State(asked): State<Arc<Asked>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> axum::response::Response {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    asked.requests.lock().unwrap().push((key.clone(), body));
    if asked.drop_next.load(Ordering::SeqCst) > 0 {
        asked.drop_next.fetch_sub(1, Ordering::SeqCst);
        return (StatusCode::BAD_GATEWAY, "nothing of ours").into_response();
    }
    if let Some(problem) = asked.refuse.lock().unwrap().clone() {
        return problem.into_response();
    }
    let answer = json!({ "request": key, "valid_for_s": 120, "ask_again_after_s": 120 });
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}

async fn banks() -> Json<Value> {
    Json(json!({ "banks": [{ "id": "mellat", "name_fa": "بانک ملت", "name_en": "Bank Mellat",
                             "iins": ["610433"], "available": true }] }))
}

pub(crate) struct Rig {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) bank: Arc<Bank>,
    /// Of the cards that begin with 622106.
    pub(crate) other_bank: Arc<Bank>,
    pub(crate) asked: Arc<Asked>,
    pub(crate) switch: Arc<Wire>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) running: Running,
    keys: Arc<dyn Keys>,
    config: Config,
    shutdown: CancellationToken,
}

pub(crate) async fn rig() -> Rig {
    rig_on(Arc::new(MemoryStore::new())).await
}

pub(crate) async fn rig_on(store: Arc<dyn Store>) -> Rig {
    rig_as(store, "").await
}

/// With a proxy in front that says in this header where a request is from.
pub(crate) async fn rig_as(store: Arc<dyn Store>, payer_header: &str) -> Rig {
    logs();
    static SEED: AtomicU64 = AtomicU64::new(0);
    let dice = Arc::new(Dice(AtomicU64::new(SEED.fetch_add(1, Ordering::SeqCst) << 32)));
    let (bank, bank_address) = Bank::start().await;
    let (other_bank, other_address) = Bank::start().await;
    let asked = Arc::new(Asked::default());
    let router = Router::new()
        .route("/v1/pin-requests", post(pin_requests))
        .route("/v1/banks", get(banks))
        .with_state(Arc::clone(&asked));
    let router_door = door().await;
    let router_address = router_door.address();
    tokio::spawn(serve(router_door, router, Arc::clone(&dice) as Arc<dyn Entropy>, CancellationToken::new()));

    let mut ring = KeyRing::generate(&*dice);
    ring.add_zone("mellat", ZoneKey::new(ZoneCipher::Tdea, &hex::decode(ZONE).unwrap()).unwrap()).unwrap();
    let keys: Arc<dyn Keys> = Arc::new(SoftKeys::new(ring, Arc::clone(&dice) as Arc<dyn Entropy>));
    let clock = Arc::new(HandClock(AtomicU64::new(1_800_000_000_000)));
    let merchant = |id: &str, key: &str| Merchant {
        id: id.into(),
        name_fa: "فروشگاه <نمونه>".into(),
        name_en: "Sample shop".into(),
        merchant: "000000140332124".into(),
        terminal: "14033212".into(),
        api_key_file: None,
        api_key: ApiKey::new(key),
        callbacks: vec!["https://shop.example".into()],
    };
    let link = |name: &str, iin: &str, address: SocketAddr| BankLink {
        name: name.into(),
        iins: vec![iin.into()],
        address: address.to_string(),
        layout: "ascii".into(),
        header: String::new(),
        zone: "mellat".into(),
        pin_block_format: 0,
        sign_on: true,
    };
    let config = Config {
        payer_header: payer_header.into(),
        frame_ancestors: Vec::new(),
        public_url: "http://localhost:8702".into(),
        origin: "pay.example".into(),
        acquirer: "581672061".into(),
        router: format!("http://{router_address}"),
        merchants: vec![merchant("shop", API_KEY), merchant("other", OTHER_KEY)],
        links: vec![
            link("bank mellat", "610433", bank_address),
            link("bank of others", "622106", other_address),
        ],
        open_for_s: 1200,
        verify_within_s: 1200,
    };
    let switch = Arc::new(Wire::default());
    let open = open(&config, &clock, dice, &keys, &store, &switch).await;
    let Open { running, address, metrics, shutdown } = open;
    Rig { clock, bank, other_bank, asked, switch, store, address, metrics, running, keys, config, shutdown }
}

const ZONE: &str = "0123456789abcdeffedcba98765432100123456789abcdef";

struct Open {
    running: Running,
    address: SocketAddr,
    metrics: SocketAddr,
    shutdown: CancellationToken,
}

async fn open(
    config: &Config,
    clock: &Arc<HandClock>,
    dice: Arc<Dice>,
    keys: &Arc<dyn Keys>,
    store: &Arc<dyn Store>,
    switch: &Arc<Wire>,
) -> Open {
    let (door, metrics_door) = (door().await, door().await);
    let (address, metrics) = (door.address(), metrics_door.address());
    let shutdown = CancellationToken::new();
    let ports = Ports {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: dice,
        keys: Arc::clone(keys),
        store: Arc::clone(store),
        door,
        metrics_door: Some(metrics_door),
        watched: Vec::new(),
        router: Arc::new(Wire::default()),
        switch: Arc::clone(switch) as Arc<dyn Connector>,
        tap: Arc::new(NoTap),
    };
    let running = start(config.clone(), ports, shutdown.clone()).await.unwrap();
    timeout(PATIENCE, running.links_up()).await.expect("the link to the bank comes up");
    Open { running, address, metrics, shutdown }
}

/// A gateway process of its own beside the first, on the same store: what a restart finds, or another node.
pub(crate) struct Another {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
}

impl Rig {
    pub(crate) async fn another(&self) -> Another {
        self.another_on(&self.store).await
    }

    /// On the same files, opened anew.
    pub(crate) async fn another_on(&self, store: &Arc<dyn Store>) -> Another {
        let dice = Arc::new(Dice(AtomicU64::new(1 << 62)));
        let switch = Arc::new(Wire::default());
        let Open { running, address, .. } =
            open(&self.config, &self.clock, dice, &self.keys, store, &switch).await;
        Another { running, address }
    }

    /// Ends the process, without waiting for anything.
    pub(crate) fn shut(&self) {
        self.shutdown.cancel();
    }

    /// Stops, in order.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(30), self.running.finished()).await.expect("a gateway that stops");
    }

    /// Moves the clock and lets the sweeper look.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(seconds);
        self.running.sweep();
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answered {
        call(self.address, method, path, headers, body).await
    }

    /// As the shop's program.
    pub(crate) async fn shop(&self, method: Method, path: &str, body: &Value) -> Answered {
        self.call(method, path, &[("authorization", &format!("Bearer {API_KEY}"))], body).await
    }

    /// A new payment's id.
    pub(crate) async fn payment(&self) -> String {
        let opened = self.shop(Method::POST, "/v1/payments", &order()).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.json);
        opened.json["payment"].as_str().unwrap().to_owned()
    }

    /// A payment as its merchant sees it.
    pub(crate) async fn look(&self, id: &str) -> Value {
        self.shop(Method::GET, &format!("/v1/payments/{id}"), &Value::Null).await.json
    }

    /// Opens the page as a browser does.
    pub(crate) async fn browse(&self, id: &str) -> Browser {
        browse(self.address, id).await
    }

    pub(crate) async fn paid(&self) -> String {
        let id = self.payment().await;
        let answer = self.browse(&id).await.pay(PAN).await;
        assert_eq!(answer.json["result"], "paid", "{}", answer.json);
        id
    }

    /// Moves the clock until the bank was asked so often once more. Whoever asks while the last answer is still on its way is
    /// not sent, and has its turn a few seconds later.
    pub(crate) async fn until_repeated(&self, count: usize) {
        self.pass(400);
        until(&format!("{count} of 0421"), async || {
            let asked = || self.bank.seen("0421").len() >= count;
            if !asked() {
                sleep(Duration::from_millis(100)).await;
                self.pass(if asked() { 0 } else { 6 });
            }
            asked()
        })
        .await;
    }

    /// The same, until the bank has acknowledged it.
    pub(crate) async fn until_acknowledged(&self, id: &str) {
        until("it is acknowledged", async || {
            self.pass(400);
            self.look(id).await["reversal"] == "acknowledged"
        })
        .await;
    }

    pub(crate) async fn until_state(&self, id: &str, member: &str, value: &str) {
        until(&format!("{member} = {value}"), async || self.look(id).await[member] == value).await;
    }
}

pub(crate) fn order() -> Value {
    json!({ "amount": AMOUNT, "kind": "purchase", "order": "A-1", "description": "دو کتاب",
            "callback": "https://shop.example/back?basket=7" })
}

pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answered {
    /// The last part of the problem's type.
    pub(crate) fn problem(&self) -> &str {
        self.json["type"].as_str().and_then(|uri| uri.rsplit('/').next()).unwrap_or("none")
    }
}

pub(crate) async fn call(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answered {
    let http =
        Http::new(Arc::new(Wire::default()), &format!("http://{address}"), Duration::from_secs(20)).unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        Bytes::new()
    } else {
        request = request.header(header::CONTENT_TYPE, "application/json");
        body.to_string().into()
    };
    let answer: Response<Bytes> = http.send(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let text = String::from_utf8_lossy(&body).into_owned();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answered { status: parts.status, headers: parts.headers, text, json }
}

/// Waits for a condition, not for a time.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    until_within(PATIENCE, what, condition).await;
}

pub(crate) async fn until_within(limit: Duration, what: &str, condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(limit, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"));
}
