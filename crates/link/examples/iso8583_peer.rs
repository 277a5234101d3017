//! Both sides of a link for a foreign peer to try, in the layout of the first argument: a listener that approves every
//! request, and, with an address as the second, a link to that address that asks what it is told to on standard input.
//!
//! Prints `listening 127.0.0.1:PORT`. Each line on standard input is one or more trace numbers: purchases with them are asked
//! over the link, all at once, and the answers' response codes, or why there is none, printed in a line. Ends with standard
//! input. What terminal `HELD` asks of the listener is answered when terminal `RELEASE` asks.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Connector, Door, Peer};
use ramz_api::tap::NoTap;
use ramz_domain::{Clock, Entropy, Moment};
use ramz_iso8583::{Layout, Message, Mti};
use ramz_link::{Answer, Link, LinkConfig, Names, listen};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

struct Loopback(TcpListener, SocketAddr);

#[async_trait]
impl Door for Loopback {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, address) = self.0.accept().await?;
        Ok((Box::pin(stream), Peer { address, name: None }))
    }

    fn address(&self) -> SocketAddr {
        self.1
    }
}

struct Dial;

#[async_trait]
impl Connector for Dial {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(TcpStream::connect((host, port)).await?))
    }
}

#[derive(Default)]
struct Approve {
    release: Notify,
}

#[async_trait]
impl Answer for Approve {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        match request.get(41).map(str::trim) {
            Some("HELD") => self.release.notified().await,
            Some("RELEASE") => self.release.notify_one(),
            _ => {}
        }
        let mut answer = Message::new(request.mti().response());
        for field in [3, 4, 7, 11, 32, 37, 41] {
            if let Some(value) = request.bytes(field) {
                answer.set(field, value);
            }
        }
        answer.set(39, "00");
        Some(answer)
    }
}

/// A clock that stands and bytes that are always the same: nothing here is secret.
struct Still;

impl Clock for Still {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(1_732_413_309_000)
    }
}

impl Entropy for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let layout = arguments.next().and_then(|name| Layout::named(&name));
    let layout = layout.ok_or_else(|| io::Error::other("usage: iso8583_peer ascii|bcd [HOST:PORT]"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let listening = tokio::spawn(listen(
        Arc::new(Loopback(listener, address)),
        layout.clone(),
        Vec::new(),
        Arc::new(Approve::default()),
        Arc::new(NoTap),
        Names { ours: "listener".to_owned(), theirs: "peer".to_owned() },
        shutdown.clone(),
    ));
    say(&format!("listening {address}"))?;
    let link = arguments.next().map(|address| {
        let config = LinkConfig {
            name: "peer".to_owned(),
            address,
            layout,
            header: Vec::new(),
            sign_on: true,
            echo_every: Duration::from_millis(300),
            answer_timeout: Duration::from_secs(5),
        };
        let names = Names { ours: "link".to_owned(), theirs: "peer".to_owned() };
        let still = Arc::new(Still);
        Link::start(config, Arc::new(Dial), still.clone(), still, Arc::new(NoTap), names, shutdown.clone())
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let Some(link) = &link else { continue };
        link.came_up().await;
        let asking: Vec<_> = line
            .split_whitespace()
            .map(|trace| {
                let (link, purchase) = (Arc::clone(link), purchase(trace));
                tokio::spawn(async move { link.ask(purchase, Duration::from_secs(5)).await })
            })
            .collect();
        let mut told = Vec::with_capacity(asking.len());
        for answer in asking {
            told.push(match answer.await? {
                Ok(answer) => answer.get(39).unwrap_or("no response code").to_owned(),
                Err(error) => error.to_string(),
            });
        }
        say(&told.join(" "))?;
    }
    shutdown.cancel();
    if let Some(link) = &link {
        link.closed().await;
    }
    listening.await.map_err(io::Error::other)
}

fn purchase(trace: &str) -> Message {
    let mut message = Message::new(Mti::FINANCIAL);
    for (field, value) in
        [(2, "6104337000000016"), (3, "000000"), (4, "000001250000"), (11, trace), (41, "14033212")]
    {
        message.set(field, value);
    }
    message.set(52, [0xA5; 8]);
    message
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
