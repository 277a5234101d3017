//! The bank that the phone is tried against, its clock, and where the phone's state is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use ramz_api::app::{
    ACTIVATIONS, Activate, AddCard, BankView, CARDS, Ceiling, Check, ClockHint, ClockView, ControlView,
    DeviceKey, Expected, Jwk, ReceiveKey, Resync, SlotView, TIME, TokenView, presented, seed_associated,
    verify,
};
use ramz_domain::oath::{Inputs, Suite, shown};
use ramz_domain::{DeviceId, Pan, Pin, TokenId};
use ramz_keys::{KeyRing, Keys as _, Place, Received, SoftKeys};
use serde_json::{Value, json};

use super::super::*;

pub(super) const URL: &str = "http://localhost:8723";
pub(super) const DEVICE: DeviceId = DeviceId([0xd1; 16]);
pub(super) const EXPIRY: [u8; 4] = *b"2911";
pub(super) const START: Moment = Moment::from_unix_ms(1_795_000_020_000);

/// Counts up: no two draws are alike.
#[derive(Default)]
pub(super) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self
                .0
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
                .wrapping_add(0x0102_0304_0506_0708);
            chunk.copy_from_slice(&next.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Moved by hand.
pub(super) struct Hand(AtomicU64);

impl Hand {
    fn at(now: Moment) -> Arc<Hand> {
        Arc::new(Hand(AtomicU64::new(now.unix_ms())))
    }

    pub(super) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Hand {
    /// Also back.
    fn turn(&self, seconds: i64) {
        let turned = self.0.load(Ordering::Relaxed).saturating_add_signed(seconds * 1000);
        self.0.store(turned, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::Relaxed))
    }
}

/// A request that the bank has taken.
pub(super) struct Taken {
    pub(super) method: Method,
    pub(super) counter: Option<u64>,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Books {
    key: Option<DeviceKey>,
    counter: u64,
    pub(super) taken: Vec<Taken>,
    /// Reference and seed of each card that was added.
    pub(super) tokens: Vec<(TokenId, Vec<u8>)>,
    /// Control codes that were right, by their minute.
    pub(super) controls: Vec<u64>,
    /// How many of the next answers do not arrive.
    lose: usize,
    /// How many of the next requests do not arrive.
    pub(super) block: usize,
    /// What the phone's clock does during the next requests, in seconds, the next one last.
    pub(super) sleeps: Vec<i64>,
    /// What the next requests are answered instead.
    refuse: Vec<Problem>,
    ceiling: u8,
    /// Beside how things stand at the bank: what the phone had kept when each write arrived.
    pub(super) kept_at_arrival: Vec<u64>,
}

pub(super) struct Bank {
    pub(super) books: Mutex<Books>,
    pub(super) keys: SoftKeys,
    pub(super) clock: Arc<Hand>,
    /// The phone's.
    phones: Arc<Hand>,
    /// The counter in the state that was kept last.
    pub(super) kept: Arc<AtomicU64>,
}

impl Bank {
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<(StatusCode, Value), Problem> {
        let (path, now) = (request.uri().path().to_owned(), self.clock.now());
        let mut books = self.books();
        let mut counter = None;
        if path != TIME && path != ACTIVATIONS {
            let presented = presented(request.headers())?;
            let (method, url) = (request.method().as_str(), format!("{URL}{path}"));
            let key = books.key.clone().ok_or_else(Problem::no_such_device)?;
            let (device, body) = (presented.device, request.body());
            assert_eq!(device, DEVICE);
            counter = verify(presented.proof, &Expected { method, url: &url, device, key: &key, body, now })?
                .counter;
        }
        if let Some(counter) = counter {
            if counter <= books.counter {
                return Err(Problem::counter_used());
            }
            books.counter = counter;
            books.kept_at_arrival.push(self.kept.load(Ordering::Relaxed));
        }
        books.taken.push(Taken { method: request.method().clone(), counter, body: request.body().to_vec() });
        if let Some(no) = books.refuse.pop() {
            return Err(no);
        }
        self.done(&mut books, request, &path, now)
    }

    fn done(
        &self,
        books: &mut Books,
        request: &Request<Bytes>,
        path: &str,
        now: Moment,
    ) -> Result<(StatusCode, Value), Problem> {
        let body = request.body();
        let view =
            |reference: TokenId, books: &Books| serde_json::to_value(shown_card(reference, books)).unwrap();
        Ok(match (request.method().as_str(), path) {
            ("GET", TIME) => (StatusCode::OK, json!({ "now_ms": now.unix_ms() })),
            ("POST", ACTIVATIONS) => {
                books.key = Some(Activate::parse(body)?.device_key);
                (StatusCode::CREATED, self.activated(now))
            }
            ("POST", CARDS) => {
                let AddCard { reference, seed, .. } = AddCard::parse(body)?;
                let associated = seed_associated(DEVICE, reference);
                let received = Received {
                    version: seed.key,
                    enc: &seed.enc,
                    ciphertext: &seed.ciphertext,
                    associated: &associated,
                };
                let place = Place { row: &[1; 16], column: "seed" };
                let taken = self.keys.take_seed(&received, place, &reference.0).unwrap();
                let seed = self.keys.open(place, &taken.sealed).unwrap()[16..].to_vec();
                match books.tokens.iter().find(|(known, _)| *known == reference) {
                    Some((_, known)) if *known != seed => return Err(Problem::token_exists()),
                    Some(_) => {}
                    None => books.tokens.push((reference, seed)),
                }
                (StatusCode::CREATED, view(reference, books))
            }
            ("GET", CARDS) => {
                let cards: Vec<Value> = books.tokens.iter().map(|(known, _)| view(*known, books)).collect();
                let key = self.activated(now)["receive_key"].clone();
                (StatusCode::OK, json!({ "now_ms": now.unix_ms(), "receive_key": key, "cards": cards }))
            }
            (_, path) => {
                let (reference, what) =
                    path["/app/cards/".len()..].split_once('/').unwrap_or((&path[11..], ""));
                let reference = TokenId::parse(reference).unwrap();
                if !books.tokens.iter().any(|(known, _)| *known == reference) {
                    return Err(Problem::not_found());
                }
                let step = step_of(now);
                match what {
                    "" => books.tokens.retain(|(known, _)| *known != reference),
                    "check" => books.control(reference, &[step], &[Check::parse(body)?.control_code])?,
                    "resync" => books.control(reference, &[step - 1, step], &Resync::parse(body)?.codes)?,
                    "ceiling" => {
                        let asked = Ceiling::parse(body)?;
                        if asked.ceiling == 0 || books.ceiling != 0 && asked.ceiling > books.ceiling {
                            let code = asked.control_code;
                            let code = code.ok_or_else(|| Problem::control_code_missing("/control_code"))?;
                            books.control(reference, &[step], &[code])?;
                        }
                        books.ceiling = asked.ceiling;
                    }
                    other => panic!("{other}"),
                }
                (StatusCode::OK, view(reference, books))
            }
        })
    }

    fn activated(&self, now: Moment) -> Value {
        let key = self.keys.receive_key().unwrap();
        let bank =
            BankView {
                id: "mellat".into(), name_fa: "بانک ملت".into(), name_en: "Bank Mellat".into()
            };
        serde_json::to_value(ramz_api::app::Activated {
            device: DEVICE.to_string(),
            receive_key: ReceiveKey { version: key.version, jwk: Jwk::from_sec1(&key.public).unwrap() },
            bank,
            add_cards_until: now.plus(limits::CARDS_ADDED_WITHIN).rfc3339(),
            now_ms: now.unix_ms(),
        })
        .unwrap()
    }
}

impl Books {
    fn control(&mut self, reference: TokenId, steps: &[u64], codes: &[Pin]) -> Result<(), Problem> {
        let (_, seed) = self.tokens.iter().find(|(known, _)| *known == reference).unwrap();
        for (step, code) in steps.iter().zip(codes) {
            if code.expose() != code_of(seed, "90000000", *step) || self.controls.contains(step) {
                return Err(Problem::control_code_wrong("/control_code"));
            }
        }
        self.controls.extend(steps);
        Ok(())
    }
}

/// Computed anew from the suite's text, the question and the minute.
pub(super) fn code_of(seed: &[u8], question: &str, step: u64) -> String {
    let suite = Suite::parse("OCRA-1:HOTP-SHA256-7:QN08-T1M").unwrap();
    let inputs = Inputs { question, ..Inputs::default() };
    shown(suite.keyed(seed).asked(&inputs).unwrap().at(step), 7).to_string()
}

pub(super) fn step_of(now: Moment) -> u64 {
    now.unix_ms() / 60_000
}

pub(super) fn shown_card(reference: TokenId, books: &Books) -> TokenView {
    let slot = |on, ceiling| SlotView { on, ceiling, locked: false, locked_until: None };
    TokenView {
        reference: reference.to_string(),
        card_ending: "0016".into(),
        bank: "mellat".into(),
        digits: 7,
        ceilings: vec![1_000_000, 5_000_000],
        first: slot(false, 0),
        second: slot(true, books.ceiling),
        control: ControlView { locked: false, locked_until: None },
        clock: ClockView { drift_steps: 0, control_steps: 0, hint: ClockHint::Ok },
        added: START.rfc3339(),
        first_day_max: None,
        refusals: Vec::new(),
    }
}

#[async_trait]
impl Way for Bank {
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        {
            let mut books = self.books();
            if books.block > 0 {
                books.block -= 1;
                return Err(CallError::TimedOut);
            }
        }
        let answered = self.answer(&request);
        let mut books = self.books();
        if let Some(seconds) = books.sleeps.pop() {
            self.phones.turn(seconds);
        }
        if books.lose > 0 {
            books.lose -= 1;
            return Err(CallError::TimedOut);
        }
        let (status, body) = match answered {
            Ok((status, json)) => (status, json.to_string().into_bytes()),
            Err(problem) => (problem.kind.status(), problem.to_json()),
        };
        Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap())
    }
}

/// Keeps bytes, as a file would.
pub(super) struct Shelf {
    bytes: Arc<Mutex<Vec<u8>>>,
    counter: Arc<AtomicU64>,
    full: Arc<AtomicU64>,
}

impl Keep for Shelf {
    fn keep(&mut self, state: &PhoneState) -> Result<(), NotKept> {
        if self.full.load(Ordering::Relaxed) > 0 {
            return Err(NotKept("the shelf is full".into()));
        }
        *self.bytes.lock().unwrap() = state.encode().to_vec();
        self.counter.store(state.counter(), Ordering::Relaxed);
        Ok(())
    }
}

pub(super) struct Scene {
    pub(super) bank: Arc<Bank>,
    pub(super) clock: Arc<Hand>,
    pub(super) entropy: Arc<Counting>,
    pub(super) shelf: Arc<Mutex<Vec<u8>>>,
    pub(super) full: Arc<AtomicU64>,
}

impl Scene {
    pub(super) fn new() -> Scene {
        Scene::with_clocks(START, START)
    }

    /// The bank's clock and the phone's.
    pub(super) fn with_clocks(bank: Moment, phone: Moment) -> Scene {
        let entropy = Arc::new(Counting::default());
        let keys =
            SoftKeys::new(KeyRing::generate(entropy.as_ref()), Arc::clone(&entropy) as Arc<dyn Entropy>);
        let (kept, clock) = (Arc::default(), Hand::at(bank));
        let phones = Hand::at(phone);
        let bank = Arc::new(Bank { books: Mutex::default(), keys, clock, phones: Arc::clone(&phones), kept });
        Scene { bank, clock: phones, entropy, shelf: Arc::default(), full: Arc::default() }
    }

    pub(super) fn phone(&self, state: PhoneState) -> Phone {
        let shelf = Shelf {
            bytes: Arc::clone(&self.shelf),
            counter: Arc::clone(&self.bank.kept),
            full: Arc::clone(&self.full),
        };
        let way: Arc<dyn Way> = Arc::clone(&self.bank) as Arc<dyn Way>;
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Phone::new(state, way, Box::new(shelf), clock, Arc::clone(&self.entropy) as Arc<dyn Entropy>)
    }

    pub(super) async fn activated(&self) -> Phone {
        let mut phone = self.phone(PhoneState::new(URL, self.entropy.as_ref()));
        phone.activate(&pin("12345678"), &pin("87654321"), "test").await.unwrap();
        phone
    }

    pub(super) async fn with_card(&self) -> (Phone, TokenId) {
        let mut phone = self.activated().await;
        phone.add_card(&pan(), EXPIRY).await.unwrap();
        let reference = phone.state().cards()[0].reference;
        (phone, reference)
    }

    /// As after the end of the process: what is known is what was kept.
    pub(super) fn restarted(&self) -> Phone {
        self.phone(PhoneState::decode(&self.shelf.lock().unwrap()).unwrap())
    }

    pub(super) fn advance(&self, seconds: u64) {
        for clock in [&self.clock, &self.bank.clock] {
            clock.advance(Duration::from_secs(seconds));
        }
    }

    pub(super) fn lose(&self, answers: usize) {
        self.bank.books().lose = answers;
    }

    pub(super) fn refuse(&self, problem: Problem) {
        self.bank.books().refuse.push(problem);
    }
}

pub(super) fn pin(digits: &str) -> Pin {
    Pin::parse(digits).unwrap()
}

pub(super) fn pan() -> Pan {
    Pan::parse("6104337000000016").unwrap()
}
