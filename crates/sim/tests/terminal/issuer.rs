//! A small issuer that answers terminal services, payments and reversals, and a terminal with a link to it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use ramz_api::tap::{Fact, NoTap, Tap};
use ramz_domain::{Clock, Entropy, Iin, Moment, Pan, Pin};
use ramz_iso8583::{Layout, Message, MtiClass, de48};
use ramz_keys::{KeyRing, Keys, PinBlockFormat, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::{Answer, Link, LinkConfig, Names, listen};
use ramz_sim::terminal::{
    Identity, Machine, Paid, Patience, Paying, Payment, Service, Session, Terminal, Typed, Unanswered,
    Wanted, Way,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a bank that will not answer.
pub(crate) const SHORT: Patience =
    Patience { answer: PATIENT_MS, repeat: PATIENT_MS, again: Duration::from_millis(20) };
const PATIENT_MS: Duration = Duration::from_millis(300);

pub(crate) const CARD: &str = "6104337000000016";
pub(crate) const CARD_WITHOUT_PHONE: &str = "6104337000000040";
pub(crate) const PIN: &str = "1234";
pub(crate) const RECEIPT_HALF: &str = "40718265";
pub(crate) const APP_ADDRESS: &str = "http://localhost:8723/#mellat";
/// What every card has, rial.
pub(crate) const BALANCE: u64 = 5_000_000;
/// A payment of this much gets an answer without a response code …
pub(crate) const UNREADABLE: u64 = 1_500_000;
/// … or is approved in part, in another way …
pub(crate) const IN_PART: u64 = 2_500_000;
pub(crate) const WITH_IDENTIFICATION: u64 = 3_500_000;
/// … or for another amount; or comes too late.
pub(crate) const OTHER_AMOUNT: u64 = 4_000_000;
pub(crate) const TOO_LATE: u64 = 4_500_000;

/// What the issuer was asked, and how it takes it.
#[derive(Default)]
pub(crate) struct Issuer {
    pub(crate) seen: Mutex<Vec<Message>>,
    /// Requests that get no answer, from now on.
    pub(crate) silent_for: AtomicU64,
    tries: AtomicU64,
    /// Answers wait as long as this is so.
    pub(crate) held: watch::Sender<bool>,
}

#[async_trait]
impl Answer for Issuer {
    async fn answer(&self, request: Message, _from: &Peer) -> Option<Message> {
        self.seen.lock().unwrap().push(request.clone());
        let silent = self.silent_for.load(Ordering::SeqCst);
        if silent > 0 {
            self.silent_for.store(silent - 1, Ordering::SeqCst);
            return None;
        }
        let (code, tags) = match request.mti().class() {
            MtiClass::Financial => pay(&request),
            MtiClass::Reversal => ("00", vec![]),
            _ => self.decide(&request),
        };
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        let mut answer = Message::new(request.mti().response());
        for field in [2, 3, 7, 11, 12, 13, 32, 37, 41, 42] {
            answer.set(field, request.bytes(field).unwrap());
        }
        if !code.is_empty() {
            answer.set(39, code);
        }
        if request.get(4).and_then(|amount| amount.parse().ok()) == Some(OTHER_AMOUNT) {
            answer.set(4, "000000000001");
        }
        if request.get(3) == Some("310000") && code == "00" {
            answer.set(54, format!("0002364C{BALANCE:012}"));
        }
        let mut told = de48::Tags::new();
        tags.iter().for_each(|(tag, text)| told.set(tag, *text));
        told.put_into(&mut answer).unwrap();
        Some(answer)
    }
}

type Told = (&'static str, Vec<(&'static str, &'static str)>);

impl Issuer {
    fn decide(&self, request: &Message) -> Told {
        let pan = request.get(2).unwrap();
        if request.bytes(52) != Some(&block_of(pan, PIN)[..]) {
            let failures = self.tries.fetch_add(1, Ordering::SeqCst) + 1;
            return if failures < 3 {
                ("55", vec![(de48::REFUSAL, "wrong_pin")])
            } else {
                ("75", vec![(de48::REFUSAL, "tries_exceeded")])
            };
        }
        match Service::of(request.get(3).unwrap()).unwrap() {
            Service::ShowPhone if pan == CARD_WITHOUT_PHONE => {
                ("57", vec![(de48::SHOW, "موبایلی برای این کارت ثبت نشده است."), (de48::REFUSAL, "no_phone")])
            }
            Service::ShowPhone => {
                ("00", vec![(de48::SHOW, "آیا این موبایل شماست؟"), (de48::MASKED_PHONE, "0912***1101")])
            }
            Service::ActivateSms => (
                "00",
                vec![(de48::SHOW, "رمز پویای پیامکی فعال شد."), (de48::PRINT, "رمز پویای پیامکی\nفعال شد")],
            ),
            Service::ActivateApp => (
                "00",
                vec![
                    (de48::PRINT, "نیمه‌ی نخست کد فعال‌سازی"),
                    (de48::RECEIPT_CODE, RECEIPT_HALF),
                    (de48::APP_ADDRESS, APP_ADDRESS),
                ],
            ),
            Service::ListDevices => ("00", vec![(de48::SHOW, "۱ گوشی آبی\n۲ گوشی سبز")]),
            Service::RevokeDevice => {
                let tags = de48::of(request).unwrap();
                assert_eq!(tags.get(de48::CHOICE), Some("2"));
                ("00", vec![])
            }
            Service::AppOff => ("12", vec![]),
            _ => ("00", vec![]),
        }
    }

    /// Waits until so many requests have come.
    pub(crate) async fn has_seen(&self, count: usize) {
        let seen = async {
            while self.seen.lock().unwrap().len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap();
    }

    /// The requests so far: type, field 3, field 11.
    pub(crate) fn asked(&self) -> Vec<[String; 3]> {
        let of = |message: &Message| {
            [
                message.mti().to_string(),
                message.get(3).unwrap().to_owned(),
                message.get(11).unwrap().to_owned(),
            ]
        };
        self.seen.lock().unwrap().iter().map(of).collect()
    }
}

fn pay(request: &Message) -> Told {
    let amount: u64 = request.get(4).unwrap().parse().unwrap();
    if request.bytes(52) != Some(&block_of(request.get(2).unwrap(), PIN)[..]) {
        return ("55", vec![(de48::SHOW, "رمز را از برنامه بخوانید."), (de48::REFUSAL, "wrong_pin")]);
    }
    match amount {
        UNREADABLE => ("", vec![]),
        IN_PART => ("10", vec![]),
        WITH_IDENTIFICATION => ("08", vec![]),
        TOO_LATE => ("68", vec![]),
        amount if amount > BALANCE => ("51", vec![]),
        _ => ("00", vec![]),
    }
}

/// Terminal and issuer with a link between them.
pub(crate) struct Branch {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) terminal: Arc<Terminal>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) issuer_goes: CancellationToken,
    stop: DropGuard,
}

impl Branch {
    pub(crate) async fn open(layout: &str, patience: Patience) -> Branch {
        Branch::with(layout, patience, Machine::Atm).await
    }

    pub(crate) async fn with(layout: &str, patience: Patience, machine: Machine) -> Branch {
        let door = Loopback(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (address, layout) = (door.address().to_string(), Layout::named(layout).unwrap());
        let (stop, issuer, facts) =
            (CancellationToken::new(), Arc::new(Issuer::default()), Arc::<Facts>::default());
        let issuer_goes = stop.child_token();
        let names = |ours: &str, theirs: &str| Names { ours: ours.to_owned(), theirs: theirs.to_owned() };
        tokio::spawn(listen(
            Arc::new(door),
            layout.clone(),
            Vec::new(),
            issuer.clone(),
            facts.clone(),
            names("bank", "switch"),
            issuer_goes.clone(),
        ));
        let config = LinkConfig {
            name: "terminal".to_owned(),
            address,
            layout,
            header: Vec::new(),
            sign_on: true,
            echo_every: PATIENCE,
            answer_timeout: PATIENCE,
        };
        let entropy = Arc::new(Counted(AtomicU64::new(1)));
        let link = Link::start(
            config,
            Arc::new(Dial),
            Arc::new(Standing),
            entropy.clone(),
            Arc::new(NoTap),
            names("terminal", "bank"),
            stop.clone(),
        );
        link.came_up().await;
        let way = Way {
            iins: vec![Iin::parse("610433").unwrap()],
            link,
            zone: "switch".into(),
            format: PinBlockFormat::Iso0,
            keys: Arc::new(keys()),
        };
        let identity = Identity {
            machine,
            acquirer: "581672061".into(),
            terminal: "1001".into(),
            merchant: "6104330001".into(),
        };
        let terminal = Arc::new(Terminal::new(identity, vec![way], patience, Arc::new(Standing), entropy));
        Branch { issuer, terminal, facts, issuer_goes, stop: stop.drop_guard() }
    }

    /// The terminal by itself, and what keeps its link and its bank alive.
    pub(crate) fn apart(self) -> (Terminal, DropGuard) {
        (Arc::into_inner(self.terminal).unwrap(), self.stop)
    }

    pub(crate) async fn ask(
        &self,
        pan: &str,
        pin: &str,
        service: Service,
        choice: Option<&str>,
    ) -> Result<ramz_sim::terminal::Answer, Unanswered> {
        let session = Session::read(&Typed::new(pan, Some("0712"), pin)).ok().unwrap();
        self.terminal.serve(&session, &Wanted::new(service, choice).unwrap()).await
    }
}

/// Pays at a terminal with a card and a PIN.
pub(crate) async fn pay_at(
    terminal: &Terminal,
    pin: &str,
    payment: Payment,
    amount: Option<u64>,
) -> Result<Paid, Unanswered> {
    let session = Session::read(&Typed::new(CARD, Some("0712"), pin)).ok().unwrap();
    terminal.pay(&session, Paying::new(terminal.machine(), payment, amount).unwrap()).await
}

/// What a tap was told.
#[derive(Default)]
pub(crate) struct Facts(Mutex<Vec<Fact>>);

impl Tap for Facts {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

impl Facts {
    pub(crate) fn titles(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|fact| fact.title.clone()).collect()
    }

    pub(crate) fn whole(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
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

struct Dial;

#[async_trait]
impl Connector for Dial {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(TcpStream::connect((host, port)).await?))
    }
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(1_732_413_309_000)
    }
}

pub(crate) struct Counted(pub(crate) AtomicU64);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(next.into_iter().cycle()).for_each(|(byte, random)| *byte = random);
    }
}

/// Soft keys with one zone, the same every time.
fn keys() -> SoftKeys {
    let entropy = Arc::new(Counted(AtomicU64::new(2)));
    let mut ring = KeyRing::generate(&*entropy);
    let key: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap() << 1);
    ring.add_zone("switch", ZoneKey::new(ZoneCipher::Tdea, &key).unwrap()).unwrap();
    SoftKeys::new(ring, entropy)
}

/// Format 0 has no fill: the same PIN is the same block.
fn block_of(pan: &str, pin: &str) -> Vec<u8> {
    let (pin, pan) = (Pin::parse(pin).unwrap(), Pan::parse(pan).unwrap());
    keys().make_pin_block(&pin, &pan, "switch", PinBlockFormat::Iso0).unwrap().bytes.to_vec()
}
