//! How many texts a second one bind hands over: a closed loop over loopback, both ends in this process.
//!
//!     cargo run --release -p ramz-sms --example speed -- [WINDOW …]
//!
//! Each worker words a PIN text, hands it to the sender and waits for the operator's answer, as the outbox does: wording,
//! alphabet, cutting, encoding, window, expiry, write, read, answer. There are twice as many workers as places in the window. The
//! other end is a sink: it cuts the stream into PDUs and answers each `submit_sm` with an id of its own, decoding nothing.

use std::{
    error::Error,
    io,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ramz_api::{
    net::{BoxStream, Connector},
    tap::NoTap,
};
use ramz_domain::{Clock, Entropy, Language, Moment, PaymentKind, Phone, Pin, Rial};
use ramz_sms::{
    port::{Given, Outgoing, Sender as _},
    smpp::{SmppConfig, SmppSender, Surroundings},
    texts::{PinText, pin_text},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

const MEASURED: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);

struct Since(Instant);

impl Clock for Since {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(1_795_485_164_000).plus(self.0.elapsed())
    }
}

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

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let windows: Vec<usize> =
        std::env::args().skip(1).map(|window| window.parse()).collect::<Result<_, _>>()?;
    let windows = if windows.is_empty() { vec![16, 64, 256] } else { windows };
    for language in [Language::English, Language::Persian] {
        for window in &windows {
            let told = measure(*window, language).await?;
            say(&told)?;
        }
    }
    Ok(())
}

async fn measure(window: usize, language: Language) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let sink = tokio::spawn(async move { sink(listener.accept().await?.0).await });
    let mut config = SmppConfig::new("bank", &address, "mellat", String::from("pw").into(), "Bank Mellat")?;
    config.window = window;
    let clock = Arc::new(Since(Instant::now()));
    let around = Surroundings {
        connector: Arc::new(Tcp),
        clock: clock.clone(),
        entropy: Arc::new(Fixed),
        tap: Arc::new(NoTap),
    };
    let shutdown = CancellationToken::new();
    let sender = SmppSender::start(vec![config], &around, shutdown.clone());
    while !sender.is_up() {
        sleep(Duration::from_millis(1)).await;
    }
    let (texts, parts) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut workers = JoinSet::new();
    for n in 0..2 * window {
        let (sender, clock) = (sender.clone(), clock.clone());
        let (texts, parts) = (texts.clone(), parts.clone());
        let to = Phone::parse(&format!("0912{n:07}"))?;
        workers.spawn(async move {
            loop {
                let not_after = clock.now().plus(Duration::from_secs(120));
                let Some(text) = text(language, not_after) else { return };
                let sms = Outgoing { to: to.clone(), text, not_after };
                let Ok(accepted) = sender.send(sms, &mut Given::default()).await else { return };
                texts.fetch_add(1, Ordering::Relaxed);
                parts.fetch_add(u64::try_from(accepted.parts).unwrap_or(0), Ordering::Relaxed);
            }
        });
    }
    sleep(WARM_UP).await;
    let began = (Instant::now(), texts.load(Ordering::Relaxed), parts.load(Ordering::Relaxed));
    sleep(MEASURED).await;
    let millis = NonZeroU64::new(u64::try_from(began.0.elapsed().as_millis())?).unwrap_or(NonZeroU64::MIN);
    let per_s = |counter: &AtomicU64, before: u64| (counter.load(Ordering::Relaxed) - before) * 1000 / millis;
    let told = format!(
        "{language:?} window {window:>4}: {:>7} texts/s, {:>7} submit_sm/s",
        per_s(&texts, began.1),
        per_s(&parts, began.2)
    );
    let lost = workers.len() < 2 * window || workers.try_join_next().is_some();
    workers.abort_all();
    shutdown.cancel();
    drop(sender);
    sink.await??;
    if lost { Err("a text was not taken".into()) } else { Ok(told) }
}

fn text(language: Language, expires: Moment) -> Option<ramz_sms::port::SmsText> {
    let pin = Pin::parse("0472013").ok()?;
    let (bank, payee) = match language {
        Language::Persian => ("بانک ملت", "فروشگاه نمونه"),
        Language::English => ("Bank Mellat", "Sample Shop"),
    };
    let amount = Rial::new(1_250_000).ok()?;
    let (kind, origin) = (PaymentKind::Purchase, Some("pay.example"));
    Some(pin_text(language, &PinText { bank, kind, payee, amount, pin: &pin, expires, origin }))
}

/// Answers what comes until the other end goes.
async fn sink(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut read, mut answers) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    let mut id = 0_u64;
    while stream.read_buf(&mut read).await? > 0 {
        let mut at = 0;
        while let Some(header) = read[at..].first_chunk::<16>() {
            let word = |n: usize| header[4 * n..4 * n + 4].try_into().map_or(0, u32::from_be_bytes);
            let length = usize::try_from(word(0)).unwrap_or(usize::MAX).max(16);
            if read.len() - at < length {
                break;
            }
            at += length;
            let body = match word(1) {
                // submit_sm, and bind_transceiver with the system_id it asks for.
                0x04 => {
                    id += 1;
                    format!("{id:016x}\0")
                }
                0x09 => "sink\0".to_owned(),
                0x15 | 0x06 => String::new(),
                _ => continue,
            };
            let length = u32::try_from(16 + body.len()).unwrap_or(16);
            for word in [length, word(1) | 0x8000_0000, 0, word(3)] {
                answers.extend_from_slice(&word.to_be_bytes());
            }
            answers.extend_from_slice(body.as_bytes());
        }
        read.drain(..at);
        stream.write_all(&answers).await?;
        answers.clear();
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    use io::Write as _;
    writeln!(io::stdout().lock(), "{line}")
}
