//! Both ends of our SMPP, for peers that are not ours (`tests/peers/smpp`).
//!
//! `smpp_peer smsc` is the simulated operator: prints `{"smpp","http"}` once it listens, and ends with its standard input.
//! `smpp_peer send HOST:PORT` is a bank: binds, sends four texts, prints `{"parts","text"}` or `{"error","text"}` for each; takes a
//! phone's text when it is delivered the second time, prints `{"asked","from","to","reference"}`, and unbinds.
//!
//! `smpp_peer burst HOST:PORT HOST:PORT` is a bank with two binds: sends 400 texts, again what is in doubt as the outbox does, and
//! prints `{"text","attempts"}` or `{"text","error"}` for each, then `{"receipt"}` for each receipt, and ends with its standard
//! input.

use std::{
    error::Error,
    io::{self, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use ramz_api::{
    net::{BoxStream, Connector, Door, Peer},
    tap::NoTap,
};
use ramz_domain::{Clock, Entropy, Language, Moment, PaymentKind, Phone, Pin, Rial};
use ramz_sim::{
    handsets::{self, Handsets},
    smsc::{Account, Smsc},
};
use ramz_sms::{
    port::{Given, Outgoing, SendError, Sender as _, SmsText, Texted},
    smpp::{SmppConfig, SmppSender, Surroundings},
    texts::{PinText, asked, pin_text},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

const PASSWORD: &str = "s3cr3tpw";

/// Time passes from an instant in 2023.
struct Since(Instant);

impl Clock for Since {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(1_699_959_666_000).plus(self.0.elapsed())
    }
}

/// Nothing here must be unpredictable.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x5A);
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["smsc"] => smsc().await,
        ["send", address] => send(address).await,
        ["burst", first, second] => burst([first, second]).await,
        _ => Err("smpp_peer smsc | smpp_peer send HOST:PORT | smpp_peer burst HOST:PORT HOST:PORT".into()),
    }
}

async fn smsc() -> Result<(), Box<dyn Error>> {
    let (smpp, http) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let (smpp_at, http_at) = (smpp.local_addr()?, http.local_addr()?);
    let account = Account {
        system_id: "mellat".into(),
        password: PASSWORD.to_owned().into(),
        name: "bank mellat".into(),
        short_code: "30003303".into(),
    };
    let handsets = Handsets::new();
    let clock = Arc::new(Since(Instant::now()));
    let shutdown = CancellationToken::new();
    let door = Arc::new(Loopback(smpp, smpp_at));
    let smsc = Smsc::start(door, vec![account], handsets.clone(), clock, Arc::new(NoTap), shutdown);
    let app = handsets::router(handsets, vec![smsc]);
    say(&serde_json::json!({ "smpp": smpp_at.to_string(), "http": format!("http://{http_at}") }))?;
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    tokio::select! {
        served = axum::serve(http, app) => served?,
        read = ended => { read??; }
    }
    Ok(())
}

async fn send(address: &str) -> Result<(), Box<dyn Error>> {
    let config =
        SmppConfig::new("bank mellat", address, "mellat", PASSWORD.to_owned().into(), "Bank Mellat")?;
    let clock = Arc::new(Since(Instant::now()));
    let shutdown = CancellationToken::new();
    let around = Surroundings {
        connector: Arc::new(Tcp),
        clock: clock.clone(),
        entropy: Arc::new(Fixed),
        tap: Arc::new(NoTap),
    };
    let sender = SmppSender::start(vec![config], &around, shutdown.clone());
    drop(around);
    let reading = tokio::spawn(read(sender.texts()));
    let not_after = clock.now().plus(Duration::from_secs(120));
    let pin = Pin::parse("0472013")?;
    let purchase = |bank, payee, language| {
        let (kind, origin) = (PaymentKind::Purchase, Some("pay.example"));
        let amount = Rial::new(1_250_000).unwrap_or_default();
        pin_text(language, &PinText { bank, kind, payee, amount, pin: &pin, expires: not_after, origin })
    };
    for text in [
        purchase("بانک ملت", "کتاب‌فروشی نمونه", Language::Persian),
        purchase("Bank Mellat", "Sample Shop", Language::English),
        // An escape and a pair just where a part would end.
        SmsText::new(format!("{}€[{{^}}]{}", "@_".repeat(76), "$".repeat(200))),
        SmsText::new(format!("{}😀{}", "ر".repeat(66), "ی".repeat(80))),
    ] {
        let to = Phone::parse("09121234567")?;
        let sms = Outgoing { to, text: text.clone(), not_after };
        let said = match sender.send(sms, &mut Given::default()).await {
            Ok(accepted) => serde_json::json!({ "text": text.expose(), "parts": accepted.parts }),
            Err(error) => serde_json::json!({ "text": text.expose(), "error": error.to_string() }),
        };
        say(&said)?;
    }
    tokio::time::timeout(Duration::from_secs(10), reading).await???;
    shutdown.cancel();
    // Until it has unbound, which takes four seconds at most.
    let until = Instant::now() + Duration::from_secs(5);
    while Arc::strong_count(&clock) > 2 && Instant::now() < until {
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(200)).await;
    Ok(())
}

/// How many texts a burst has, and how many are on their way at once.
const BURST: usize = 400;
const AT_ONCE: usize = 64;

/// Puts off the first text that is delivered, and takes the next.
async fn read(texts: Option<mpsc::Receiver<Texted>>) -> Result<(), String> {
    let mut texts = texts.ok_or("the texts are taken up already")?;
    texts.recv().await.ok_or("no text came")?.taken.later();
    let Texted { from, to, words, reference, taken } = texts.recv().await.ok_or("no text came again")?;
    let digits = asked(&words).map(|asked| asked.digits().to_owned());
    let told =
        serde_json::json!({ "asked": digits, "from": from.expose(), "to": to, "reference": reference });
    say(&told).map_err(|error| error.to_string())?;
    taken.accept();
    Ok(())
}

async fn burst(addresses: [&str; 2]) -> Result<(), Box<dyn Error>> {
    let bind = |address| {
        SmppConfig::new("bank mellat", address, "mellat", PASSWORD.to_owned().into(), "Bank Mellat")
    };
    let binds = addresses.into_iter().map(bind).collect::<Result<Vec<_>, _>>()?;
    let clock = Arc::new(Since(Instant::now()));
    let shutdown = CancellationToken::new();
    let around = Surroundings {
        connector: Arc::new(Tcp),
        clock: clock.clone(),
        entropy: Arc::new(Fixed),
        tap: Arc::new(NoTap),
    };
    let sender = SmppSender::start(binds, &around, shutdown.clone());
    let mut receipts = sender.receipts().ok_or("receipts are asked for")?;
    while sender.lines().iter().any(|line| line.down.is_some()) {
        sleep(Duration::from_millis(10)).await;
    }
    let told = tokio::spawn(async move {
        while let Some(receipt) = receipts.recv().await {
            let (ids, state) = (receipt.message_ids, receipt.state.word());
            let _ = say(&serde_json::json!({ "receipt": state, "ids": ids }));
        }
    });
    let not_after = clock.now().plus(Duration::from_secs(120));
    let texts = futures_util::stream::iter(0..BURST).map(|n| {
        let sender = sender.clone();
        async move {
            let text = format!("text {n}");
            let to = Phone::parse(&format!("0912{n:07}"))?;
            let (mut attempts, mut given) = (0, Given::default());
            let said = loop {
                attempts += 1;
                let sms = Outgoing { to: to.clone(), text: SmsText::new(text.clone()), not_after };
                match sender.send(sms, &mut given).await {
                    Ok(accepted) => {
                        let ids = accepted.message_ids;
                        break serde_json::json!({ "text": text, "attempts": attempts, "ids": ids });
                    }
                    Err(SendError::Unknown) if attempts < 5 => {}
                    Err(error) => break serde_json::json!({ "text": text, "error": error.to_string() }),
                }
            };
            Ok::<_, Box<dyn Error>>(said)
        }
    });
    let mut said = std::pin::pin!(texts.buffer_unordered(AT_ONCE));
    while let Some(said) = said.next().await {
        say(&said?)?;
    }
    say(&serde_json::json!({ "sent": BURST }))?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    told.abort();
    shutdown.cancel();
    Ok(())
}

fn say(what: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{what}")?;
    out.flush()
}
