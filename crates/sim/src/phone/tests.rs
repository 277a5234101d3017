//! The phone against a bank that is as strict with proofs and counters as the real one, and loses answers when it is told to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use ramz_api::app::{
    ACTIVATIONS, Activate, AddCard, BankView, CARDS, Ceiling, Check, ClockHint, ClockView, ControlView,
    DeviceKey, Expected, Jwk, ReceiveKey, Resync, Slot, SlotView, TIME, TokenView, presented,
    seed_associated, verify,
};
use ramz_domain::oath::{Inputs, Suite, shown};
use ramz_domain::{DeviceId, Pan, Pin, TokenId};
use ramz_keys::{KeyRing, Keys as _, Place, Received, SoftKeys};
use serde_json::{Value, json};

use super::*;

const URL: &str = "http://localhost:8723";
const DEVICE: DeviceId = DeviceId([0xd1; 16]);
const EXPIRY: [u8; 4] = *b"2911";
const START: Moment = Moment::from_unix_ms(1_795_000_020_000);

/// Counts up: no two draws are alike.
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed) + 0x0102_0304_0506_0708;
            chunk.copy_from_slice(&next.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Moved by hand.
struct Hand(AtomicU64);

impl Hand {
    fn at(now: Moment) -> Arc<Hand> {
        Arc::new(Hand(AtomicU64::new(now.unix_ms())))
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::Relaxed))
    }
}

/// A request that the bank has taken.
struct Taken {
    method: Method,
    counter: Option<u64>,
    body: Vec<u8>,
}

#[derive(Default)]
struct Books {
    key: Option<DeviceKey>,
    counter: u64,
    taken: Vec<Taken>,
    /// Reference and seed of each card that was added.
    tokens: Vec<(TokenId, Vec<u8>)>,
    /// Control codes that were right, by their minute.
    controls: Vec<u64>,
    /// How many of the next answers do not arrive.
    lose: usize,
    /// What the next requests are answered instead.
    refuse: Vec<Problem>,
    ceiling: u8,
    /// Beside how things stand at the bank: what the phone had kept when each write arrived.
    kept_at_arrival: Vec<u64>,
}

struct Bank {
    books: Mutex<Books>,
    keys: SoftKeys,
    clock: Arc<Hand>,
    /// The counter in the state that was kept last.
    kept: Arc<AtomicU64>,
}

impl Bank {
    fn books(&self) -> MutexGuard<'_, Books> {
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
                (StatusCode::OK, json!({ "now_ms": now.unix_ms(), "cards": cards }))
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
fn code_of(seed: &[u8], question: &str, step: u64) -> String {
    let suite = Suite::parse("OCRA-1:HOTP-SHA256-7:QN08-T1M").unwrap();
    let inputs = Inputs { question, ..Inputs::default() };
    shown(suite.keyed(seed).asked(&inputs).unwrap().at(step), 7).to_string()
}

fn step_of(now: Moment) -> u64 {
    now.unix_ms() / 60_000
}

fn shown_card(reference: TokenId, books: &Books) -> TokenView {
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
        clock: ClockView { drift_steps: 0, hint: ClockHint::Ok },
        added: START.rfc3339(),
        first_day_max: None,
        refusals: Vec::new(),
    }
}

#[async_trait]
impl Way for Bank {
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let answered = self.answer(&request);
        let mut books = self.books();
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
struct Shelf {
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

struct Scene {
    bank: Arc<Bank>,
    clock: Arc<Hand>,
    entropy: Arc<Counting>,
    shelf: Arc<Mutex<Vec<u8>>>,
    full: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Scene {
        Scene::with_clocks(START, START)
    }

    /// The bank's clock and the phone's.
    fn with_clocks(bank: Moment, phone: Moment) -> Scene {
        let entropy = Arc::new(Counting::default());
        let keys =
            SoftKeys::new(KeyRing::generate(entropy.as_ref()), Arc::clone(&entropy) as Arc<dyn Entropy>);
        let (kept, clock) = (Arc::default(), Hand::at(bank));
        let bank = Arc::new(Bank { books: Mutex::default(), keys, clock, kept });
        Scene { bank, clock: Hand::at(phone), entropy, shelf: Arc::default(), full: Arc::default() }
    }

    fn phone(&self, state: PhoneState) -> Phone {
        let shelf = Shelf {
            bytes: Arc::clone(&self.shelf),
            counter: Arc::clone(&self.bank.kept),
            full: Arc::clone(&self.full),
        };
        let way: Arc<dyn Way> = Arc::clone(&self.bank) as Arc<dyn Way>;
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Phone::new(state, way, Box::new(shelf), clock, Arc::clone(&self.entropy) as Arc<dyn Entropy>)
    }

    async fn activated(&self) -> Phone {
        let mut phone = self.phone(PhoneState::new(URL, self.entropy.as_ref()));
        phone.activate(&pin("12345678"), &pin("87654321"), "test").await.unwrap();
        phone
    }

    async fn with_card(&self) -> (Phone, TokenId) {
        let mut phone = self.activated().await;
        phone.add_card(&pan(), EXPIRY).await.unwrap();
        let reference = phone.state().cards()[0].reference;
        (phone, reference)
    }

    /// As after the end of the process: what is known is what was kept.
    fn restarted(&self) -> Phone {
        self.phone(PhoneState::decode(&self.shelf.lock().unwrap()).unwrap())
    }

    fn advance(&self, seconds: u64) {
        for clock in [&self.clock, &self.bank.clock] {
            clock.advance(Duration::from_secs(seconds));
        }
    }

    fn lose(&self, answers: usize) {
        self.bank.books().lose = answers;
    }

    fn refuse(&self, problem: Problem) {
        self.bank.books().refuse.push(problem);
    }
}

fn pin(digits: &str) -> Pin {
    Pin::parse(digits).unwrap()
}

fn pan() -> Pan {
    Pan::parse("6104337000000016").unwrap()
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_never_lends_its_counter() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.lose(1);
    assert_eq!(phone.set_ceiling(card, Slot::Second, 1).await, Err(CallError::TimedOut.into()));
    // Also not after the process has ended there.
    let mut phone = scene.restarted();
    phone.set_ceiling(card, Slot::Second, 1).await.unwrap();
    let books = scene.bank.books();
    let counters: Vec<u64> = books.taken.iter().filter_map(|taken| taken.counter).collect();
    assert_eq!(counters, [1, 2, 3]);
    assert_eq!(books.taken.last().unwrap().method, Method::PUT);
}

#[tokio::test]
async fn what_is_sent_was_kept_before() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    phone.check(card).await.unwrap();
    phone.remove(card).await.unwrap();
    {
        let books = scene.bank.books();
        let counters: Vec<u64> = books.taken.iter().filter_map(|taken| taken.counter).collect();
        assert_eq!((counters.len(), &books.kept_at_arrival), (3, &counters));
    }
    // What cannot be kept is not sent.
    scene.full.store(1, Ordering::Relaxed);
    let asked = scene.bank.books().taken.len();
    assert!(matches!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::NotKept(_))));
    assert_eq!(scene.bank.books().taken.len(), asked);
}

#[tokio::test]
async fn a_card_whose_answer_was_lost_is_added_again_under_the_same_reference_and_seed() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    scene.lose(1);
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(CallError::TimedOut.into()));
    assert!(phone.state().cards().is_empty());
    // Also when the minutes in which it needs no proof have passed meanwhile: the bank has it.
    scene.advance(700);
    let mut phone = scene.restarted();
    phone.add_card(&pan(), EXPIRY).await.unwrap();
    assert_eq!((phone.state().cards().len(), scene.bank.books().tokens.len()), (1, 1));
    let sent = |n: usize| AddCard::parse(&scene.bank.books().taken[n].body).unwrap();
    assert_eq!(sent(1).reference, sent(2).reference);
    assert_ne!(sent(1).seed, sent(2).seed, "sealed anew");
}

#[tokio::test]
async fn a_card_whose_answer_was_lost_comes_with_the_list() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    scene.lose(1);
    phone.add_card(&pan(), EXPIRY).await.unwrap_err();
    phone.cards().await.unwrap();
    let card = phone.state().cards()[0].reference;
    phone.check(card).await.unwrap();
    // And what the bank has no more goes with the list.
    scene.bank.books().tokens.clear();
    phone.cards().await.unwrap();
    assert!(phone.state().cards().is_empty());
}

#[tokio::test]
async fn a_card_that_was_refused_begins_anew_the_next_time() {
    let scene = Scene::new();
    let mut phone = scene.activated().await;
    scene.refuse(Problem::card_not_accepted());
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(Problem::card_not_accepted().into()));
    phone.add_card(&pan(), EXPIRY).await.unwrap();
    let sent = |n: usize| AddCard::parse(&scene.bank.books().taken[n].body).unwrap().reference;
    assert_ne!(sent(1), sent(2));
    // Of one whose first answer was lost a later no says nothing.
    scene.lose(1);
    let other = Pan::parse("6104337000000024").unwrap();
    phone.add_card(&other, EXPIRY).await.unwrap_err();
    scene.refuse(Problem::too_many_requests(3));
    phone.add_card(&other, EXPIRY).await.unwrap_err();
    phone.add_card(&other, EXPIRY).await.unwrap();
    assert_eq!((sent(3), sent(4)), (sent(4), sent(5)));
}

#[tokio::test]
async fn after_ten_minutes_a_card_is_added_with_another_ones_control_code() {
    let scene = Scene::new();
    let (mut phone, first) = scene.with_card().await;
    scene.advance(700);
    let other = Pan::parse("6104337000000024").unwrap();
    phone.add_card(&other, EXPIRY).await.unwrap();
    let sent = AddCard::parse(&scene.bank.books().taken.last().unwrap().body).unwrap();
    let control = sent.control.unwrap();
    let now = scene.bank.clock.now();
    let seed = scene.bank.books().tokens[0].1.clone();
    assert_eq!((control.card, control.code.expose()), (first, &*code_of(&seed, "90000000", step_of(now))));
    // Without any card there is nothing to prove by, and nothing is sent.
    let alone = Scene::new();
    let mut phone = alone.activated().await;
    alone.advance(700);
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::NoControl));
    assert_eq!(alone.bank.books().taken.len(), 1);
}

#[tokio::test]
async fn codes_are_those_of_the_suite_for_slot_ceiling_and_minute() {
    let scene = Scene::new();
    let (phone, card) = scene.with_card().await;
    let seed = scene.bank.books().tokens[0].1.clone();
    for minute in [0, 1, 60 * 24 * 365] {
        let now = START.plus(Duration::from_secs(60 * minute));
        for (slot, ceiling, question) in [
            (Slot::First, 0, "10000000"),
            (Slot::First, 2, "10020000"),
            (Slot::Second, 0, "20000000"),
            (Slot::Second, 1, "20010000"),
        ] {
            let code = phone.code(card, slot, ceiling, now).unwrap();
            assert_eq!(code.pin.expose(), code_of(&seed, question, step_of(now)));
        }
        let control = phone.control_code(card, now).unwrap();
        assert_eq!(control.pin.expose(), code_of(&seed, "90000000", step_of(now)));
    }
    assert_eq!(phone.code(card, Slot::First, 3, START).unwrap_err(), PhoneError::NoStep { step: 3, most: 2 });
    assert_eq!(phone.code(TokenId([0; 16]), Slot::First, 0, START).unwrap_err(), PhoneError::NoCard);
}

#[tokio::test]
async fn a_code_says_how_long_it_is_shown() {
    let (phone, card) = Scene::new().with_card().await;
    // START is the 0th second of a minute.
    for (after_ms, left_s) in [(0, 60), (1, 60), (1_000, 59), (59_001, 1), (59_999, 1), (60_000, 60)] {
        let code = phone.code(card, Slot::Second, 0, START.plus(Duration::from_millis(after_ms))).unwrap();
        assert_eq!(code.left_s, left_s, "after {after_ms} ms");
        assert_eq!(code.until.unix_ms() % 60_000, 0);
    }
}

#[tokio::test]
async fn a_phone_whose_clock_is_wrong_goes_by_the_banks() {
    for phone_s_off in [-86_400 * 30, -600, 45, 3600] {
        let wrong = Moment::from_unix_ms(START.unix_ms().saturating_add_signed(phone_s_off * 1000));
        let scene = Scene::with_clocks(START, wrong);
        let (mut phone, card) = scene.with_card().await;
        phone.check(card).await.unwrap();
        // Its clock is put right, and it does not know: the next request is not of the bank's time.
        let ahead = Duration::from_secs(7200);
        scene.clock.advance(ahead);
        scene.bank.clock.advance(Duration::from_secs(60));
        assert_eq!(phone.check(card).await, Err(Problem::clock_is_off().into()));
        phone.sync_time().await.unwrap();
        let mut phone = scene.restarted();
        phone.resync(card).await.unwrap_err();
        scene.advance(60);
        phone.check(card).await.unwrap();
    }
}

#[tokio::test]
async fn a_control_code_is_sent_once() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.advance(20);
    scene.lose(1);
    phone.check(card).await.unwrap_err();
    // Perhaps it arrived. The bank is not asked with the same one again.
    let mut phone = scene.restarted();
    assert_eq!(phone.check(card).await, Err(PhoneError::CodeUsed { again_in_s: 40 }));
    // Two in a row need two unused ones.
    scene.advance(40);
    assert_eq!(phone.resync(card).await, Err(PhoneError::CodeUsed { again_in_s: 60 }));
    scene.advance(60);
    phone.resync(card).await.unwrap();
    assert_eq!(phone.check(card).await, Err(PhoneError::CodeUsed { again_in_s: 60 }));
}

#[tokio::test]
async fn a_ceiling_is_lowered_without_a_control_code_and_raised_with_one() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    phone.set_ceiling(card, Slot::Second, 1).await.unwrap();
    assert!(scene.bank.books().controls.is_empty());
    phone.set_ceiling(card, Slot::Second, 2).await.unwrap();
    assert_eq!(scene.bank.books().controls.len(), 1);
    assert_eq!(phone.state().card(card).unwrap().second, SlotTold { on: true, ceiling: 2 });
    let too_high = phone.set_ceiling(card, Slot::Second, 3).await;
    assert_eq!(too_high, Err(PhoneError::NoStep { step: 3, most: 2 }));
}

#[tokio::test]
async fn a_card_that_the_bank_has_no_more_is_taken_off_all_the_same() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.lose(1);
    phone.remove(card).await.unwrap_err();
    assert_eq!(phone.state().cards().len(), 1);
    phone.remove(card).await.unwrap();
    assert!(phone.state().cards().is_empty() && scene.restarted().state().cards().is_empty());
}

#[tokio::test]
async fn an_activation_is_repeated_with_the_same_key() {
    let scene = Scene::new();
    let mut phone = scene.phone(PhoneState::new(URL, scene.entropy.as_ref()));
    scene.lose(1);
    phone.activate(&pin("12345678"), &pin("87654321"), "test").await.unwrap_err();
    let mut phone = scene.restarted();
    phone.activate(&pin("12345678"), &pin("87654321"), "test").await.unwrap();
    let key = |n: usize| Activate::parse(&scene.bank.books().taken[n].body).unwrap().device_key;
    assert_eq!(key(0), key(1));
    let again = phone.activate(&pin("12345678"), &pin("87654321"), "test").await.map(drop);
    assert_eq!(again, Err(PhoneError::AlreadyActivated));
}

#[tokio::test]
async fn what_a_phone_knows_comes_back_and_nothing_of_it_is_printed() {
    let scene = Scene::new();
    let (mut phone, card) = scene.with_card().await;
    scene.lose(1);
    phone.add_card(&Pan::parse("6104337000000024").unwrap(), EXPIRY).await.unwrap_err();
    let state = PhoneState::decode(&phone.state().encode()).unwrap();
    assert_eq!(*state.encode(), *phone.state().encode());
    assert_eq!((state.cards().len(), state.card(card).unwrap().ending.as_str()), (1, "0016"));
    let shown = format!("{phone:?} {state:?} {:?} {:?}", state.cards(), state.cards()[0].seed);
    assert_eq!(shown.matches("Secret(…)").count(), 1, "{shown}");
    let seed = &scene.bank.books().tokens[0].1;
    for secret in
        [format!("{seed:?}"), format!("{:?}", &seed[..4]), format!("{:02x}{:02x}", seed[0], seed[1])]
    {
        assert!(!shown.contains(secret.trim_matches(['[', ']'])), "{shown}");
    }
    let activated = state.activated().unwrap();
    assert_eq!(format!("{state:?}"), format!("PhoneState({}, 1 cards)", activated.device));
    // Bytes that are none.
    let bytes = phone.state().encode();
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(PhoneState::decode(&bytes[..cut]), Err(StateError::Unreadable(_))), "{cut}");
    }
}

#[tokio::test]
async fn before_its_activation_a_phone_asks_for_nothing() {
    let scene = Scene::new();
    let mut phone = scene.phone(PhoneState::new(URL, scene.entropy.as_ref()));
    assert_eq!(phone.add_card(&pan(), EXPIRY).await, Err(PhoneError::NotActivated));
    assert_eq!(phone.cards().await, Err(PhoneError::NotActivated));
    assert!(scene.bank.books().taken.is_empty());
    assert_eq!(format!("{phone:?}"), "Phone(PhoneState(not activated))");
}
