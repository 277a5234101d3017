//! What an issuer is handed in these tests: a clock moved by hand, randomness from a seed, an operator that keeps the
//! texts, keys that count how often a PIN was compared, and a tap that remembers.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::tap::{Fact, Tap};
use ramz_domain::Phone;
use ramz_domain::card::ReceiptState;
use ramz_domain::{Clock, Entropy, Moment, Pan, Pin};
use ramz_keys::{
    ChainLink, CodeMatch, CodeSource, IndexPurpose, KeyFault, KeyVersion, Keys, Matches, PinBlock,
    PinBlockFormat, PinSource, Place, ReceiveKey, Received, SoftKeys, Sources, Tag, TakenSeed,
};
use ramz_sms::port::{Accepted, Given, Outgoing, Receipt, SendError, Sender, SmsText, Taken, Texted};
use tokio::sync::{mpsc, watch};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use zeroize::Zeroizing;

/// Where the bank's cardholders text to.
pub(crate) const SHORT_CODE: &str = "30003303";

/// Stands until it is moved. What a database has for the time is none of its business, until it is told so.
pub(crate) struct Hand(AtomicU64, AtomicBool);

impl Hand {
    /// 2026-11-24T01:52:44Z.
    pub(crate) fn new() -> Arc<Hand> {
        Arc::new(Hand(AtomicU64::new(1_795_485_164_000), AtomicBool::new(false)))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// As if somebody had set it.
    pub(crate) fn set(&self, now: Moment) {
        self.0.store(now.unix_ms(), Ordering::SeqCst);
    }

    /// From now on it is held against the store's.
    pub(crate) fn shows_the_worlds_time(&self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.0.load(Ordering::SeqCst))
    }

    fn is_the_worlds(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
}

/// SplitMix64 from a seed: different bytes each time, the same in each run.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Arc<Seeded> {
        Arc::new(Seeded(AtomicU64::new(seed)))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// How the operator feels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    /// Takes everything.
    Up,
    /// No line.
    Down,
    /// Too busy.
    Throttled,
    /// Takes it, and the answer is lost.
    Unknown,
    /// Takes one part more, and can take no other.
    InParts,
    /// Says no.
    Refused,
    /// Takes it in, and neither keeps nor answers it until the mood changes.
    Held,
}

/// One text that reached the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sms {
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) not_after: Moment,
}

impl Sms {
    /// The PIN in it.
    pub(crate) fn pin(&self) -> String {
        let line =
            self.text.lines().find_map(|line| line.strip_prefix("رمز:").or(line.strip_prefix("PIN: ")));
        line.expect("a PIN's line").to_owned()
    }
}

/// Keeps every text. Like the real line, it looks at the expiry right before it takes one.
pub(crate) struct Operator {
    clock: Arc<Hand>,
    mood: watch::Sender<Mood>,
    taken: Mutex<Vec<Sms>>,
    attempts: AtomicUsize,
    parts: Mutex<Vec<usize>>,
    offered_late: AtomicUsize,
    to_receipts: Mutex<Option<mpsc::Sender<Receipt>>>,
    to_texts: Mutex<Option<mpsc::Sender<Texted>>>,
}

impl Operator {
    pub(crate) fn new(clock: Arc<Hand>) -> Arc<Operator> {
        let (mood, taken, attempts) = (watch::Sender::new(Mood::Up), Mutex::default(), AtomicUsize::new(0));
        Arc::new(Operator {
            clock,
            mood,
            taken,
            attempts,
            parts: Mutex::default(),
            offered_late: AtomicUsize::new(0),
            to_receipts: Mutex::default(),
            to_texts: Mutex::default(),
        })
    }

    pub(crate) fn is_in(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Texts to a number, oldest first.
    pub(crate) fn texts(&self, phone: &str) -> Vec<Sms> {
        self.taken.lock().unwrap().iter().filter(|sms| sms.to == phone).cloned().collect()
    }

    pub(crate) fn attempts(&self) -> usize {
        self.attempts.load(Ordering::SeqCst)
    }

    /// Of each attempt: how many parts of its text it was said that the operator has.
    pub(crate) fn parts(&self) -> Vec<usize> {
        self.parts.lock().unwrap().clone()
    }

    /// Texts that were handed over after their expiry.
    pub(crate) fn offered_late(&self) -> usize {
        self.offered_late.load(Ordering::SeqCst)
    }

    /// Tells the node that started last what became of an SMS; `id` as [`Self::id`] gave it. Whether there was room for it.
    pub(crate) fn receipt(&self, id: &str, phone: &str, state: ReceiptState) -> bool {
        let phone = Phone::parse(phone).unwrap();
        let receipt = Receipt { message_ids: vec![id.to_owned()], phone, state };
        self.to_receipts.lock().unwrap().as_ref().unwrap().try_send(receipt).is_ok()
    }

    /// A phone texts the short code, to the node that started last. Whether the node took it.
    pub(crate) async fn text(&self, phone: &str, words: &str, reference: Option<u16>) -> bool {
        let (taken, answer) = Taken::awaited();
        let words = SmsText::new(words.to_owned());
        let text =
            Texted { from: Phone::parse(phone).unwrap(), to: SHORT_CODE.into(), words, reference, taken };
        let node = self.to_texts.lock().unwrap().clone().unwrap();
        node.send(text).await.is_ok() && answer.accepted().await
    }

    /// As [`Self::text`], but the node takes so long that the operator does not wait any more.
    pub(crate) async fn text_and_leave(&self, phone: &str, words: &str) {
        let (taken, _) = Taken::awaited();
        let words = SmsText::new(words.to_owned());
        let from = Phone::parse(phone).unwrap();
        let text = Texted { from, to: SHORT_CODE.into(), words, reference: None, taken };
        let node = self.to_texts.lock().unwrap().clone().unwrap();
        node.send(text).await.unwrap();
    }

    /// The id of the `n`th SMS that was tried, from 1.
    pub(crate) fn id(n: usize) -> String {
        format!("{:x}", 0xA000 + n)
    }

    fn keep(&self, sms: &Outgoing) {
        let text = sms.text.expose().to_owned();
        let sms = Sms { to: sms.to.expose().to_owned(), text, not_after: sms.not_after };
        self.taken.lock().unwrap().push(sms);
    }
}

#[async_trait]
impl Sender for Operator {
    async fn send(&self, sms: Outgoing, given: &mut Given) -> Result<Accepted, SendError> {
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst) + 1;
        given.begin(&sms.text, || 0);
        self.parts.lock().unwrap().push(given.message_ids().len());
        if self.clock.now() >= sms.not_after {
            self.offered_late.fetch_add(1, Ordering::SeqCst);
        }
        let mood = *self.mood.borrow();
        if mood == Mood::Held {
            let _ = self.mood.subscribe().wait_for(|mood| *mood != Mood::Held).await;
        }
        let mood = *self.mood.borrow();
        match mood {
            Mood::Down => return Err(SendError::Down("no bind".into())),
            Mood::Throttled => return Err(SendError::Throttled),
            Mood::Refused => return Err(SendError::Refused { status: "ESME_RINVDSTADR".into() }),
            Mood::InParts => {
                given.took(Operator::id(attempt));
                return Err(SendError::Failed { status: "ESME_RSYSERR".into() });
            }
            Mood::Up | Mood::Unknown | Mood::Held => {}
        }
        if self.clock.now() >= sms.not_after {
            return Err(SendError::Expired);
        }
        self.keep(&sms);
        match mood {
            Mood::Unknown => Err(SendError::Unknown),
            _ => Ok(Accepted { parts: 1, message_ids: vec![Operator::id(attempt)] }),
        }
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn is_up(&self) -> bool {
        *self.mood.borrow() != Mood::Down
    }

    fn receipts(&self) -> Option<mpsc::Receiver<Receipt>> {
        let (to_receipts, receipts) = mpsc::channel(64);
        *self.to_receipts.lock().unwrap() = Some(to_receipts);
        Some(receipts)
    }

    fn texts(&self) -> Option<mpsc::Receiver<Texted>> {
        let (to_texts, texts) = mpsc::channel(64);
        *self.to_texts.lock().unwrap() = Some(to_texts);
        Some(texts)
    }
}

/// Counts how often a presented PIN was compared with one.
pub(crate) struct CountingKeys {
    inner: Arc<SoftKeys>,
    compared: AtomicUsize,
    /// Texts that were told apart; none while they are told as they are.
    texts: Mutex<Option<u64>>,
}

impl CountingKeys {
    pub(crate) fn new(inner: Arc<SoftKeys>) -> Arc<CountingKeys> {
        Arc::new(CountingKeys { inner, compared: AtomicUsize::new(0), texts: Mutex::default() })
    }

    /// Broken on purpose: from now on no text is known again.
    pub(crate) fn take_each_text_for_another(&self) {
        *self.texts.lock().unwrap() = Some(0);
    }

    /// Calls that compared, so far.
    pub(crate) fn compared(&self) -> usize {
        self.compared.load(Ordering::SeqCst)
    }
}

impl Keys for CountingKeys {
    fn index(&self, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault> {
        let mut texts = self.texts.lock().unwrap();
        if let (IndexPurpose::Text, Some(count)) = (purpose, texts.as_mut()) {
            *count += 1;
            return self.inner.index(purpose, &[&count.to_be_bytes()]);
        }
        self.inner.index(purpose, parts)
    }

    fn index_all(&self, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Vec<Tag>, KeyFault> {
        self.inner.index_all(purpose, parts)
    }

    fn index_at(&self, version: KeyVersion, purpose: IndexPurpose, parts: &[&[u8]]) -> Result<Tag, KeyFault> {
        self.inner.index_at(version, purpose, parts)
    }

    fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, KeyFault> {
        self.inner.seal(place, clear)
    }

    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        self.inner.open(place, sealed)
    }

    fn pin_version(&self) -> KeyVersion {
        self.inner.pin_version()
    }

    fn pin(&self, source: &PinSource) -> Result<Pin, KeyFault> {
        self.inner.pin(source)
    }

    fn zone_takes(&self, zone: &str, format: PinBlockFormat) -> bool {
        self.inner.zone_takes(zone, format)
    }

    fn pin_block_matches(
        &self,
        block: &PinBlock,
        zone: &str,
        pan: &Pan,
        sources: &Sources<'_>,
    ) -> Result<Matches, KeyFault> {
        self.compared.fetch_add(1, Ordering::SeqCst);
        self.inner.pin_block_matches(block, zone, pan, sources)
    }

    fn code_matches(&self, code: &Pin, codes: &[CodeSource<'_>]) -> Result<Vec<CodeMatch>, KeyFault> {
        self.compared.fetch_add(1, Ordering::SeqCst);
        self.inner.code_matches(code, codes)
    }

    fn make_pin_block(
        &self,
        pin: &Pin,
        pan: &Pan,
        zone: &str,
        format: PinBlockFormat,
    ) -> Result<PinBlock, KeyFault> {
        self.inner.make_pin_block(pin, pan, zone, format)
    }

    fn translate_pin_block(
        &self,
        block: &PinBlock,
        from_zone: &str,
        pan: &Pan,
        to_zone: &str,
        to_format: PinBlockFormat,
    ) -> Result<PinBlock, KeyFault> {
        self.inner.translate_pin_block(block, from_zone, pan, to_zone, to_format)
    }

    fn receive_key(&self) -> Result<ReceiveKey, KeyFault> {
        self.inner.receive_key()
    }

    fn take_seed(
        &self,
        received: &Received<'_>,
        place: Place<'_>,
        owner: &[u8; 16],
    ) -> Result<TakenSeed, KeyFault> {
        self.inner.take_seed(received, place, owner)
    }

    fn journal_version(&self) -> KeyVersion {
        self.inner.journal_version()
    }

    fn chain(&self, version: KeyVersion, link: ChainLink<'_>) -> Result<[u8; 32], KeyFault> {
        self.inner.chain(version, link)
    }
}

/// Remembers what went over the wires, as the trace shows it.
#[derive(Default)]
pub(crate) struct Trace(Mutex<Vec<Fact>>);

impl Trace {
    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.0.lock().unwrap().clone()
    }

    /// The last message of that kind that came to somebody: its fields as `number name`, masked.
    pub(crate) fn last(&self, to: &str, title: &str) -> Option<Fact> {
        self.facts().into_iter().rev().find(|fact| fact.to == to && fact.title.starts_with(title))
    }
}

impl Tap for Trace {
    fn tell(&self, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

/// A field's masked value in a fact.
pub(crate) fn shown(fact: &Fact, field: u8) -> Option<&str> {
    let number = format!("{field} ");
    fact.fields.iter().find(|(name, _)| name.starts_with(&number)).map(|(_, value)| value.as_str())
}

/// Everything that any room of ours logged since the program started, at every level.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// The one log of this program: all its tests write into it.
    pub(crate) fn all() -> Logs {
        static LOGS: OnceLock<Logs> = OnceLock::new();
        let start = || {
            let logs = Logs::default();
            let ours = Targets::new().with_target("ramz", LevelFilter::TRACE);
            let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(logs.clone());
            let subscriber = tracing_subscriber::registry().with(ours).with(lines);
            tracing::subscriber::set_global_default(subscriber).unwrap();
            logs
        };
        LOGS.get_or_init(start).clone()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Logs;

    fn make_writer(&'a self) -> Logs {
        self.clone()
    }
}
