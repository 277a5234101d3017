//! A bank, an operator and phones, over TCP on loopback, with a clock moved by hand.

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
use ramz_api::{
    net::{BoxStream, Connector, Door, Peer},
    tap::{Fact, Tap},
};
use ramz_domain::{Clock, Entropy, Language, Moment, PaymentKind, Phone, Pin, Rial};
use ramz_sim::{
    handsets::Handsets,
    smsc::{Account, Smsc},
};
use ramz_sms::{
    port::{Accepted, Given, Outgoing, SendError, Sender as _, SmsText},
    smpp::{SmppConfig, SmppSender, Surroundings},
    texts::{PinText, pin_text},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// 2023-11-14T11:01:06Z, in Tehran 14:31:06.
pub(crate) const START: Moment = Moment::from_unix_ms(1_699_959_666_000);
pub(crate) const PHONE: &str = "09121234567";
pub(crate) const PASSWORD: &str = "s3cr3tpw";
/// Long enough for anything that is expected; a test that waits so long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(37, Ordering::Relaxed).to_le_bytes()[0];
        }
    }
}

#[derive(Default)]
pub(crate) struct Recorded(Mutex<Vec<Fact>>);

impl Recorded {
    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.0.lock().unwrap().clone()
    }

    /// The values of a field in the facts of that title.
    pub(crate) fn values(&self, title: &str, field: &str) -> Vec<String> {
        let facts = self.facts().into_iter().filter(|fact| fact.title == title);
        facts.flat_map(|fact| fact.fields).filter(|(name, _)| name == field).map(|(_, value)| value).collect()
    }
}

impl Tap for Recorded {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

struct Loopback(TcpListener, SocketAddr);

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::pin(stream), Peer { address, name: None }))
    }

    fn address(&self) -> SocketAddr {
        self.1
    }
}

struct Tcp;

#[async_trait]
impl Connector for Tcp {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::pin(stream))
    }
}

/// The operator's place, before or after it opens.
pub(crate) struct Lab {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) tap: Arc<Recorded>,
    pub(crate) handsets: Arc<Handsets>,
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    door: Mutex<Option<Loopback>>,
}

impl Lab {
    /// The door is there; nobody answers yet.
    pub(crate) async fn new() -> Lab {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Lab {
            clock: Arc::new(HandClock(AtomicU64::new(START.unix_ms()))),
            tap: Arc::default(),
            handsets: Handsets::new(),
            address,
            shutdown: CancellationToken::new(),
            door: Mutex::new(Some(Loopback(listener, address))),
        }
    }

    /// The operator opens.
    pub(crate) fn open(&self) -> Arc<Smsc> {
        let door = self.door.lock().unwrap().take().expect("opened once");
        let account = |system_id: &str, name: &str, short_code: &str| Account {
            system_id: system_id.into(),
            password: PASSWORD.to_owned().into(),
            name: name.into(),
            short_code: short_code.into(),
        };
        let accounts =
            vec![account("mellat", "bank mellat", "30003303"), account("other", "bank other", "30003304")];
        Smsc::start(
            Arc::new(door),
            accounts,
            self.handsets.clone(),
            self.clock.clone(),
            self.tap.clone(),
            self.shutdown.child_token(),
        )
    }

    pub(crate) fn config(&self) -> SmppConfig {
        self.config_with(PASSWORD)
    }

    pub(crate) fn config_with(&self, password: &str) -> SmppConfig {
        let (address, password) = (self.address.to_string(), password.to_owned().into());
        SmppConfig::new("bank mellat", &address, "mellat", password, "Bank Mellat").unwrap()
    }

    /// A bank starts to bind.
    pub(crate) fn bank(&self, config: SmppConfig) -> Bank {
        self.bank_with(vec![config])
    }

    /// A bank with these binds.
    pub(crate) fn bank_with(&self, binds: Vec<SmppConfig>) -> Bank {
        let shutdown = self.shutdown.child_token();
        let around = Surroundings {
            connector: Arc::new(Tcp),
            clock: self.clock.clone(),
            entropy: Arc::new(Counting(AtomicU64::new(1))),
            tap: self.tap.clone(),
        };
        let sender = SmppSender::start(binds, &around, shutdown.clone());
        Bank { sender, clock: self.clock.clone(), shutdown }
    }

    /// An operator, and a bank that is bound to it.
    pub(crate) async fn bound() -> (Lab, Arc<Smsc>, Bank) {
        let lab = Lab::new().await;
        let (smsc, bank) = (lab.open(), lab.bank(lab.config()));
        until("the bank is bound", || bank.sender.is_up()).await;
        (lab, smsc, bank)
    }

    /// What the phone of the tests shows.
    pub(crate) fn shown(&self) -> Vec<String> {
        let phone = Phone::parse(PHONE).unwrap();
        self.handsets.messages(&phone).iter().map(|message| message.text.expose().to_owned()).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) sender: Arc<SmppSender>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) shutdown: CancellationToken,
}

impl Bank {
    /// Sends a text to the phone of the tests, good for two minutes.
    pub(crate) async fn send(&self, text: &str) -> Result<Accepted, SendError> {
        self.send_to(PHONE, text).await
    }

    pub(crate) async fn send_to(&self, phone: &str, text: &str) -> Result<Accepted, SendError> {
        let sms = Outgoing {
            to: Phone::parse(phone).unwrap(),
            text: SmsText::new(text.into()),
            not_after: self.clock.now().plus(Duration::from_secs(120)),
        };
        self.sender.send(sms, &mut Given::default()).await
    }
}

/// The text of a purchase's PIN.
pub(crate) fn purchase(language: Language) -> String {
    let pin = Pin::parse("0472013").unwrap();
    let (bank, payee) = match language {
        Language::Persian => ("بانک ملت", "کتاب‌فروشی نمونه"),
        Language::English => ("Bank Mellat", "Sample Shop"),
    };
    let what = PinText {
        bank,
        kind: PaymentKind::Purchase,
        payee,
        amount: Rial::new(1_250_000).unwrap(),
        pin: &pin,
        expires: START.plus(Duration::from_secs(120)),
        origin: Some("pay.example"),
    };
    pin_text(language, &what).expose().to_owned()
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "in vain: {what}");
}
