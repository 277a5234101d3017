//! One host with three cards, and a link to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use ramz_api::tap::NoTap;
use ramz_domain::{Clock, Entropy, Moment, Pan, Pin, Rial};
use ramz_iso8583::{Layout, Message, Mti};
use ramz_keys::{KeyRing, Keys, PinBlockFormat, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::{Link, LinkConfig, Names};
use ramz_sim::host::{Account, AccountState, CardHost};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const CARD: &str = "6104337000000016";
pub(crate) const CLOSED_CARD: &str = "6104337000000024";
pub(crate) const OTHER_CARD: &str = "6104337000000032";
pub(crate) const FIRST_PIN: &str = "1234";
pub(crate) const SECOND_PIN: &str = "567890";
pub(crate) const BALANCE: u64 = 10_000_000;

pub(crate) struct Bench {
    pub(crate) host: Arc<CardHost>,
    pub(crate) link: Arc<Link>,
    _shutdown: tokio_util::sync::DropGuard,
}

impl Bench {
    pub(crate) async fn new() -> Bench {
        let host = CardHost::new(Arc::new(keys()), "host");
        let cards = [
            (CARD, AccountState::Open),
            (OTHER_CARD, AccountState::Open),
            (CLOSED_CARD, AccountState::Closed),
        ];
        for (pan, state) in cards {
            let account = Account {
                pan: Pan::parse(pan).unwrap(),
                balance: Rial::new(BALANCE).unwrap(),
                first_pin: Some(Pin::parse(FIRST_PIN).unwrap()),
                second_pin: Some(Pin::parse(SECOND_PIN).unwrap()),
                state,
            };
            host.open(account).unwrap();
        }
        let door = Loopback(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = door.address().to_string();
        let shutdown = CancellationToken::new();
        let names = |ours: &str, theirs: &str| Names { ours: ours.to_owned(), theirs: theirs.to_owned() };
        let layout = Layout::named("ascii").unwrap();
        tokio::spawn(host.clone().run(
            Arc::new(door),
            layout.clone(),
            Vec::new(),
            Arc::new(NoTap),
            names("card host", "bank"),
            shutdown.clone(),
        ));
        let config = LinkConfig {
            name: "host".to_owned(),
            address,
            layout,
            header: Vec::new(),
            sign_on: true,
            echo_every: PATIENCE,
            answer_timeout: PATIENCE,
        };
        let link = Link::start(
            config,
            Arc::new(Dial),
            Arc::new(Standing),
            Arc::new(Counted(AtomicU64::new(1))),
            Arc::new(NoTap),
            names("bank", "card host"),
            shutdown.clone(),
        );
        link.came_up().await;
        Bench { host, link, _shutdown: shutdown.drop_guard() }
    }

    pub(crate) async fn ask(&self, request: &Message) -> Message {
        self.link.ask(request.clone(), PATIENCE).await.unwrap()
    }

    /// Asks, and checks the response code and what is left on the card.
    pub(crate) async fn check(&self, request: &Message, code: &str, left: u64) {
        let answer = self.ask(request).await;
        assert_eq!((answer.get(39), self.left()), (Some(code), left), "{request:?}");
        assert!(!answer.has(52));
    }

    pub(crate) fn left(&self) -> u64 {
        self.host.balance(&Pan::parse(CARD).unwrap()).unwrap().get()
    }
}

/// A web purchase whose dynamic PIN the issuer verified.
pub(crate) fn purchase(trace: u32, amount: u64) -> Message {
    let mut message = Message::new(Mti::FINANCIAL);
    message.set(2, CARD);
    message.set(3, "000000");
    message.set(4, format!("{amount:012}"));
    message.set(7, "1124015509");
    message.set(11, format!("{trace:06}"));
    message.set(12, "052509");
    message.set(13, "1124");
    message.set(22, "812");
    message.set(32, "581672061");
    message.set(37, format!("{trace:012}"));
    message.set(41, "14033212");
    message.set(42, "000000140332124");
    message.set(48, "02001D");
    message.set(49, "364");
    message
}

/// A repeat of it.
pub(crate) fn repeat(of: &Message) -> Message {
    let mut message = of.clone();
    message.set_mti(of.mti().repeat());
    message.set(7, "1124015519");
    message
}

/// A reversal of it, named by field 90, and under another retrieval number.
pub(crate) fn reversal(of: &Message) -> Message {
    let mut message = reversal_by_rrn(of);
    let part = |field: u8| of.get(field).unwrap();
    message.set(90, format!("{}{}{}{:0>11}{:0>11}", of.mti(), part(11), part(7), part(32), ""));
    message.set(37, "999999999999");
    message
}

/// A reversal of it, named by its retrieval number.
pub(crate) fn reversal_by_rrn(of: &Message) -> Message {
    let mut message = Message::new(Mti::REVERSAL_ADVICE);
    for field in [2, 3, 4, 32, 37, 41, 42, 49] {
        message.set(field, of.bytes(field).unwrap());
    }
    message.set(7, "1124015609");
    message.set(11, "900000");
    message
}

/// Without the issuer's word, with the PIN block of a static PIN, entered that way.
pub(crate) fn with_pin(of: &Message, entry: &str, pin: &str) -> Message {
    let mut message = of.clone();
    message.remove(48);
    message.set(22, entry);
    let (pin, pan) = (Pin::parse(pin).unwrap(), Pan::parse(CARD).unwrap());
    let block = keys().make_pin_block(&pin, &pan, "host", PinBlockFormat::Iso0).unwrap();
    message.set(52, block.bytes.as_slice());
    message
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

struct Counted(AtomicU64);

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
    ring.add_zone("host", ZoneKey::new(ZoneCipher::Tdea, &key).unwrap()).unwrap();
    SoftKeys::new(ring, entropy)
}
