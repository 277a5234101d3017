//! `ramz load`: measures a running lab from a second process, in a closed loop: ask for a PIN over HTTP, read its SMS at the
//! handset, pay with it over ISO 8583. So many workers, each with cards of its own, each waiting for its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::Request;
use clap::Args;
use hdrhistogram::Histogram;
use ramz_api::client::{Http, PinRequests};
use ramz_api::pin_request::{Checked, PayeeChecked};
use ramz_domain::{Clock as _, Entropy, Pan, PayeeName, PaymentKind, Phone, Pin, Rial};
use ramz_iso8583::{Layout, Message, Mti};
use ramz_keys::{KeyRing, Keys as _, PinBlockFormat, SoftKeys, ZoneCipher, ZoneKey};
use ramz_link::{Link, LinkConfig, Names};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::say;
use crate::lab::measured;
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;
use crate::system::tcp::TcpConnector;
use crate::system::tls::{MutualTls, Tls, TlsConfig};

const TIMEOUT: Duration = Duration::from_secs(15);
/// Between two looks at a handset.
const LOOK_EVERY: Duration = Duration::from_millis(2);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The lab's portal; start the lab with `--measured-cards`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8700")]
    lab: String,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 32)]
    workers: usize,
    /// How long, in seconds
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Cards to use: as many as the lab was started with
    #[arg(long, value_name = "N", default_value_t = 1000)]
    cards: usize,
}

/// Everything a worker needs.
struct Target {
    requests: PinRequests,
    portal: Http,
    link: Arc<Link>,
    keys: SoftKeys,
    acquirer: String,
    merchant: String,
    terminal: String,
    name: PayeeName,
    origin: String,
    trace: AtomicU64,
}

/// Microseconds of each step.
struct Times {
    request: Histogram<u64>,
    sms: Histogram<u64>,
    payment: Histogram<u64>,
}

impl Times {
    fn new() -> anyhow::Result<Times> {
        let histogram = || Histogram::new_with_bounds(1, 60_000_000, 3);
        Ok(Times { request: histogram()?, sms: histogram()?, payment: histogram()? })
    }
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let target = Arc::new(Target::of(&options.lab, &shutdown).await?);
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..options.workers {
        let cards: Vec<usize> = (worker..options.cards).step_by(options.workers).collect();
        workers.spawn(work(Arc::clone(&target), cards, until));
    }
    let mut all = Times::new()?;
    while let Some(worked) = workers.join_next().await {
        let times = worked??;
        all.request.add(times.request)?;
        all.sms.add(times.sms)?;
        all.payment.add(times.payment)?;
    }
    let took = began.elapsed().as_secs_f64();
    let pairs = all.payment.len();
    #[expect(clippy::cast_precision_loss, reason = "a count of seconds' work is far below 2^52")]
    let rate = pairs as f64 / took;
    say::line(format!(
        "{pairs} pairs of request and payment in {took:.1} s with {} workers: {rate:.0}/s",
        options.workers
    ));
    say::line("milliseconds           p50      p90      p99    p99.9      max");
    for (name, times) in
        [("PIN request (202)", &all.request), ("SMS at handset", &all.sms), ("payment (0210)", &all.payment)]
    {
        let at =
            |q: f64| format!("{:9.2}", Duration::from_micros(times.value_at_quantile(q)).as_secs_f64() * 1e3);
        let row: String = [0.5, 0.9, 0.99, 0.999, 1.0].map(at).concat();
        say::line(format!("{name:<17}{row}"));
    }
    shutdown.cancel();
    Ok(())
}

/// One worker: its cards in turn, each used at most as often as a card remembers answers for.
async fn work(target: Arc<Target>, cards: Vec<usize>, until: Instant) -> anyhow::Result<Times> {
    let mut times = Times::new()?;
    for round in 1..=measured::USES {
        for card in &cards {
            if Instant::now() >= until {
                return Ok(times);
            }
            target
                .pair(*card, round, &mut times)
                .await
                .with_context(|| format!("measured card {card}, use {round}"))?;
        }
    }
    say::line("the cards are used up; give the lab and this command more of them");
    Ok(times)
}

impl Target {
    async fn of(portal: &str, shutdown: &CancellationToken) -> anyhow::Result<Target> {
        let plain = Http::new(Arc::new(TcpConnector), portal, TIMEOUT)?;
        let answer = plain.send(Request::get("/lab.json").body(Bytes::new())?).await;
        let answer = answer.with_context(|| format!("no lab at {portal}: start it with `ramz lab`"))?;
        let lab: Value = serde_json::from_slice(answer.body())?;
        let text = |pointer: &str| -> anyhow::Result<String> {
            let found = lab.pointer(pointer).and_then(Value::as_str);
            found.map(str::to_owned).with_context(|| format!("lab.json has no {pointer}"))
        };
        let tls = TlsConfig {
            ca_file: text("/tls/ca")?.into(),
            cert_file: text("/tls/cert")?.into(),
            key_file: text("/tls/key")?.into(),
        };
        let router = Http::new(Arc::new(MutualTls::over(&Tls::load(&tls)?)), &text("/router/url")?, TIMEOUT)?;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let mut ring = KeyRing::generate(entropy.as_ref());
        ring.add_zone("bank", ZoneKey::new(ZoneCipher::Tdea, &hex::decode(text("/banks/0/zone/key")?)?)?)?;
        let link = LinkConfig {
            name: "load → bank".into(),
            address: text("/banks/0/iso8583/address")?,
            layout: Layout::named("ascii").context("the layout ascii")?,
            header: Vec::new(),
            sign_on: true,
            echo_every: Duration::from_secs(20),
            answer_timeout: TIMEOUT,
        };
        let names = Names { ours: "load".into(), theirs: "bank".into() };
        let (connector, clock) = (Arc::new(TcpConnector), Arc::new(SystemClock));
        let tap = Arc::new(ramz_api::tap::NoTap);
        let link =
            Link::start(link, connector, clock, Arc::clone(&entropy), tap, names, shutdown.child_token());
        timeout(TIMEOUT, link.came_up()).await.context("the bank's ISO 8583 port does not take a sign-on")?;
        // Traces start anywhere, so that two runs against one lab are not repeats of each other.
        let trace = SystemClock.now().unix_ms();
        Ok(Target {
            requests: PinRequests::new(router),
            portal: plain,
            link,
            keys: SoftKeys::new(ring, entropy),
            acquirer: text("/asker/acquirer")?,
            merchant: text("/asker/merchant")?,
            terminal: text("/asker/terminal")?,
            name: PayeeName::parse(&text("/asker/merchant_name")?)?,
            origin: text("/asker/origin")?,
            trace: AtomicU64::new(trace),
        })
    }

    /// One PIN asked for, read, and paid with.
    async fn pair(&self, card: usize, round: usize, times: &mut Times) -> anyhow::Result<()> {
        let (pan, phone) = measured::card(card)?;
        let trace = self.trace.fetch_add(1, Ordering::Relaxed);
        let amount = Rial::new(1_000 + trace % 1_000_000)?;
        let began = Instant::now();
        self.ask(&pan, amount).await?;
        times.request.record(micros(began))?;
        let pin = self.read_sms(&phone, amount).await?;
        times.sms.record(micros(began))?;
        let began = Instant::now();
        let answer = self.link.ask(self.payment(&pan, amount, &pin, trace)?, TIMEOUT).await?;
        times.payment.record(micros(began))?;
        match answer.get(39) {
            Some("00") => Ok(()),
            code => bail!(
                "answered {code:?} in round {round}; was the lab started with --measured-cards, and afresh?"
            ),
        }
    }

    async fn ask(&self, pan: &Pan, amount: Rial) -> anyhow::Result<()> {
        let request = Checked {
            pan: pan.clone(),
            kind: PaymentKind::Purchase,
            amount,
            payee: PayeeChecked::Merchant {
                acquirer: self.acquirer.clone(),
                merchant: self.merchant.clone(),
                terminal: self.terminal.clone(),
                name: self.name.clone(),
            },
            origin: self.origin.clone(),
        };
        let key = Uuid::from_bytes(ramz_domain::ambient::random_bytes(&SystemEntropy));
        self.requests.ask(key, None, &request.to_json()).await?;
        Ok(())
    }

    /// The PIN of the SMS that names this amount.
    async fn read_sms(&self, phone: &Phone, amount: Rial) -> anyhow::Result<Pin> {
        let until = Instant::now() + TIMEOUT;
        let path = format!("/handsets/{}/messages", phone.expose());
        let wanted = format!(":{} ", amount.with_commas());
        while Instant::now() < until {
            let answer = self.portal.send(Request::get(&path).body(Bytes::new())?).await?;
            let messages: Vec<Value> = serde_json::from_slice(answer.body())?;
            let texts = messages.iter().rev().filter_map(|message| message["text"].as_str());
            if let Some(text) = texts.into_iter().find(|text| text.contains(&wanted)) {
                let pin = text
                    .lines()
                    .find_map(|line| line.strip_prefix("رمز:"))
                    .context("an SMS without a PIN")?;
                return Ok(Pin::parse(pin.trim())?);
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("no SMS came")
    }

    fn payment(&self, pan: &Pan, amount: Rial, pin: &Pin, trace: u64) -> anyhow::Result<Message> {
        let stan = format!("{:06}", trace % 1_000_000);
        let mut message = Message::new(Mti::FINANCIAL);
        for (field, value) in [
            (2, pan.expose()),
            (3, "000000"),
            (4, &amount.de4()),
            (7, &format!("1124{:06}", trace / 1_000_000 % 1_000_000)),
            (11, &stan),
            (12, "120000"),
            (13, "1124"),
            (14, measured::EXPIRY),
            (22, "812"),
            (25, "59"),
            (32, &self.acquirer),
            (37, &format!("{:012}", trace % 1_000_000_000_000)),
            (41, &self.terminal),
            (42, &self.merchant),
            (49, "364"),
        ] {
            message.set(field, value);
        }
        let block = self.keys.make_pin_block(pin, pan, "bank", PinBlockFormat::Iso0)?;
        message.set(52, block.bytes.to_vec());
        Ok(message)
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
}
