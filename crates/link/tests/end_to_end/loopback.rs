//! Sockets on the loopback interface, a clock that stands, a seed, a tap that remembers, and a peer played by hand.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use ramz_api::tap::{Fact, Tap};
use ramz_domain::{Clock, Entropy, Moment};
use ramz_iso8583::{Layout, Message, Mti, decode, encode};
use ramz_link::{Answer, Link, LinkConfig, Names, listen};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct LoopbackDoor(TcpListener);

#[async_trait]
impl Door for LoopbackDoor {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::pin(stream), Peer { address, name: None }))
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

pub(crate) struct LoopbackConnector;

#[async_trait]
impl Connector for LoopbackConnector {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::pin(stream))
    }
}

struct StandingClock;

impl Clock for StandingClock {
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

/// Remembers all that it is told.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Vec<Fact>>);

impl Tap for Memory {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

impl Memory {
    pub(crate) fn titles(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|fact| fact.title.clone()).collect()
    }

    /// Waits until it was told of something with that title.
    pub(crate) async fn has(&self, title: &str) {
        until(title, || self.titles().iter().any(|told| told == title)).await;
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}

pub(crate) fn ascii() -> Arc<Layout> {
    Layout::named("ascii").unwrap()
}

pub(crate) fn config(address: SocketAddr) -> LinkConfig {
    LinkConfig {
        name: "test".to_owned(),
        address: address.to_string(),
        layout: ascii(),
        header: Vec::new(),
        sign_on: true,
        echo_every: PATIENCE,
        answer_timeout: PATIENCE,
    }
}

/// A link with its tap and its shutdown.
pub(crate) struct Asking {
    pub(crate) link: Arc<Link>,
    pub(crate) tap: Arc<Memory>,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) fn ask(config: LinkConfig) -> Asking {
    ask_over(Arc::new(LoopbackConnector), config)
}

/// Both ends of connections in memory, which tests of long spans need: nothing is under way while the clock leaps.
pub(crate) struct Pipes(mpsc::UnboundedSender<DuplexStream>);

impl Pipes {
    /// What holds so many bytes that nobody reads.
    const BYTES: usize = 4096;

    pub(crate) fn new() -> (Arc<Pipes>, mpsc::UnboundedReceiver<DuplexStream>) {
        let (connected, hosts) = mpsc::unbounded_channel();
        (Arc::new(Pipes(connected)), hosts)
    }
}

#[async_trait]
impl Connector for Pipes {
    async fn connect(&self, _: &str, _: u16) -> io::Result<BoxStream> {
        let (ours, theirs) = duplex(Pipes::BYTES);
        self.0.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Box::pin(ours))
    }
}

/// What such connections come in by.
pub(crate) struct PipesDoor(Mutex<Option<DuplexStream>>);

impl PipesDoor {
    /// One connection that comes in, and then none.
    pub(crate) fn with_one() -> (Arc<PipesDoor>, Hand<DuplexStream>) {
        let (ours, theirs) = duplex(Pipes::BYTES);
        (Arc::new(PipesDoor(Mutex::new(Some(ours)))), Hand(theirs))
    }
}

#[async_trait]
impl Door for PipesDoor {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let next = self.0.lock().unwrap().take();
        match next {
            Some(stream) => Ok((Box::pin(stream), Peer { address: nowhere(), name: None })),
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> SocketAddr {
        nowhere()
    }
}

/// For a link whose connector does not look at it.
pub(crate) fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

pub(crate) fn ask_over(connector: Arc<dyn Connector>, config: LinkConfig) -> Asking {
    let (tap, shutdown) = (Arc::new(Memory::default()), CancellationToken::new());
    let names = Names { ours: "bank".to_owned(), theirs: "card host".to_owned() };
    let entropy = Arc::new(Counted(AtomicU64::new(7)));
    let clock = Arc::new(StandingClock);
    let link = Link::start(config, connector, clock, entropy, tap.clone(), names, shutdown.clone());
    Asking { link, tap, shutdown }
}

/// A listener with its tap and its shutdown.
pub(crate) struct Answering {
    pub(crate) address: SocketAddr,
    pub(crate) tap: Arc<Memory>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

pub(crate) async fn answer(answer: Arc<dyn Answer>, header: &[u8]) -> Answering {
    let door = LoopbackDoor(TcpListener::bind("127.0.0.1:0").await.unwrap());
    answer_at(Arc::new(door), answer, header)
}

pub(crate) fn answer_at(door: Arc<dyn Door>, answer: Arc<dyn Answer>, header: &[u8]) -> Answering {
    let address = door.address();
    let (tap, shutdown) = (Arc::new(Memory::default()), CancellationToken::new());
    let names = Names { ours: "card host".to_owned(), theirs: "bank".to_owned() };
    let listening = listen(door, ascii(), header.to_vec(), answer, tap.clone(), names, shutdown.clone());
    Answering { address, tap, shutdown, task: tokio::spawn(listening) }
}

/// Answers everything with 00.
pub(crate) struct Approve;

#[async_trait]
impl Answer for Approve {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        Some(approved(&request))
    }
}

/// Keeps every request until the test lets it go.
#[derive(Default)]
pub(crate) struct Hold(pub(crate) Mutex<Vec<(Message, oneshot::Sender<Message>)>>);

#[async_trait]
impl Answer for Hold {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        let (go, gone) = oneshot::channel();
        self.0.lock().unwrap().push((request, go));
        gone.await.ok()
    }
}

impl Hold {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Answers what is held with 00, the last first.
    pub(crate) fn release(&self) {
        for (request, go) in self.0.lock().unwrap().drain(..).rev() {
            let _ = go.send(approved(&request));
        }
    }
}

pub(crate) fn approved(request: &Message) -> Message {
    let mut answer = request.clone();
    answer.set_mti(request.mti().response());
    answer.set(39, "00");
    answer
}

/// The 0420 that undoes a purchase.
pub(crate) fn reversal(trace: u32) -> Message {
    let mut message = purchase(trace);
    message.set_mti(Mti::REVERSAL_ADVICE);
    message
}

/// An 0200 of that trace number.
pub(crate) fn purchase(trace: u32) -> Message {
    let mut message = Message::new(Mti::FINANCIAL);
    message.set(2, "6104337000000016");
    message.set(3, "000000");
    message.set(4, "000001250000");
    message.set(11, format!("{trace:06}"));
    message.set(32, "581672061");
    message.set(37, format!("{trace:012}"));
    message.set(41, "14033212");
    message
}

/// A peer that the test plays, on either side.
pub(crate) struct Hand<S = TcpStream>(pub(crate) S);

impl Hand {
    pub(crate) async fn connect(address: SocketAddr) -> Hand {
        Hand(TcpStream::connect(address).await.unwrap())
    }

    /// The next connection of a link, its sign-on answered.
    pub(crate) async fn signed_on(listener: &TcpListener) -> Hand {
        let mut hand = Hand::accept(listener).await;
        let sign_on = hand.read().await;
        assert_eq!((sign_on.mti().as_str(), sign_on.get(70)), ("0800", Some("001")));
        assert_eq!(sign_on.get(7), Some("1124015509"));
        hand.write(&approved(&sign_on)).await;
        hand
    }

    /// The next connection of a link that does not sign on: its first echo answered.
    pub(crate) async fn echoed(listener: &TcpListener) -> Hand {
        let mut hand = Hand::accept(listener).await;
        let echo = hand.read().await;
        assert_eq!((echo.mti().as_str(), echo.get(70)), ("0800", Some("301")));
        hand.write(&approved(&echo)).await;
        hand
    }

    pub(crate) async fn accept(listener: &TcpListener) -> Hand {
        let accepted = timeout(PATIENCE, listener.accept()).await.expect("nobody connected");
        Hand(accepted.unwrap().0)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Hand<S> {
    /// Answers what comes next, which is about the network.
    pub(crate) async fn agrees_to(&mut self, kind: &str) {
        let asked = self.read().await;
        assert_eq!((asked.mti().as_str(), asked.get(70)), ("0800", Some(kind)));
        self.write(&approved(&asked)).await;
    }

    /// Says something about the network: a sign-on, a sign-off or an echo. The answer's code.
    pub(crate) async fn says(&mut self, kind: &str) -> Option<String> {
        let mut message = Message::new(Mti::NETWORK);
        message.set(11, "000009");
        message.set(70, kind);
        self.write(&message).await;
        let answer = self.read().await;
        assert_eq!((answer.mti().as_str(), answer.get(11)), ("0810", Some("000009")));
        answer.get(39).map(str::to_owned)
    }

    pub(crate) async fn write(&mut self, message: &Message) {
        self.write_frame(&encode(&ascii(), message).unwrap()).await;
    }

    pub(crate) async fn write_frame(&mut self, content: &[u8]) {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        self.write_bytes(&[&length[..], content].concat()).await;
    }

    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn read(&mut self) -> Message {
        let frame =
            timeout(PATIENCE, self.read_frame()).await.expect("nothing came").expect("the connection ended");
        decode(&ascii(), &frame).unwrap()
    }

    pub(crate) async fn read_frame(&mut self) -> Option<Vec<u8>> {
        let length = self.0.read_u16().await.ok()?;
        let mut frame = vec![0; usize::from(length)];
        self.0.read_exact(&mut frame).await.ok()?;
        Some(frame)
    }

    /// Waits until the other side has closed the connection, or reset it.
    pub(crate) async fn ended(&mut self) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the connection stays open");
        assert!(rest.is_empty(), "{} more bytes came", rest.len());
    }
}

pub(crate) async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
