//! The town: pages that ask for PINs, and a switch that pays with them and, when it hears nothing, repeats or reverses until it
//! is answered.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ramz_domain::Pan;
use ramz_iso8583::{Message, Mti};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::books::{End, Entry, Page};
use crate::phone;
use crate::processes::bank::{ASKER, Bank, EXPIRY, IIN, OPERATOR, ZONE_KEY, card, payee};
use crate::processes::surroundings::TlsClient;
use crate::processes::wires::{Site, Switch, fresh_key, pan};
use crate::seeded::Seeded;

const CARDS: usize = 600;
const ADDED_AT_ONCE: usize = 32;
const WORKERS: usize = 24;
/// A switch that has heard nothing does something about it.
const SILENT_AFTER: Duration = Duration::from_secs(3);
/// A payer who gets no SMS gives up.
const NO_SMS_AFTER: Duration = Duration::from_secs(15);
/// Before what was not answered is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Everything the workers share.
pub(crate) struct Town {
    pub(crate) bank: Bank,
    api: Site,
    switch: Switch,
    seeded: Seeded,
    cards: Vec<Pan>,
    free: Mutex<VecDeque<usize>>,
    pages: Mutex<Vec<Page>>,
    ending: AtomicBool,
    last: AtomicU64,
}

impl Town {
    /// Adds the cards through the back office; pages and switch come over the given ports.
    pub(crate) async fn new(bank: Bank, api: u16, switch: u16, seeded: Seeded) -> Arc<Town> {
        let cards: Vec<Pan> = (0..CARDS).map(|n| pan(IIN, u32::try_from(n).unwrap())).collect();
        let office = bank.site(2, OPERATOR);
        let numbers: Vec<usize> = (0..CARDS).collect();
        for some in numbers.chunks(ADDED_AT_ONCE) {
            let mut adding = JoinSet::new();
            for n in some {
                bank.account(&cards[*n]);
                let (office, body) = (office.clone(), card(&cards[*n], &dialled(*n)));
                adding.spawn(async move { office.post("/admin/v1/cards", &body).await });
            }
            while let Some(added) = adding.join_next().await {
                let added = added.unwrap();
                assert_eq!(added.status, 201, "{}", added.text);
            }
        }
        let api = Site::new(TlsClient::with(&bank.tls(ASKER)), &format!("https://localhost:{api}"));
        let switch = Switch::to(&format!("127.0.0.1:{switch}"), &ZONE_KEY, &bank.shutdown);
        Arc::new(Town {
            bank,
            api,
            switch,
            seeded,
            cards,
            // The last is kept for the fresh payment.
            free: Mutex::new((0..CARDS - 1).collect()),
            pages: Mutex::default(),
            ending: AtomicBool::new(false),
            last: AtomicU64::new(0),
        })
    }

    /// Sets the workers to work; what comes back is done when they are.
    pub(crate) fn begin(self: &Arc<Town>) -> impl Future<Output = ()> + use<> {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let this = self.clone();
            workers.spawn(async move {
                while !this.ending.load(Ordering::SeqCst) {
                    let Some(card) = this.free.lock().unwrap().pop_front() else { return };
                    this.pair(card).await;
                }
            });
        }
        async move {
            while let Some(worked) = workers.join_next().await {
                worked.unwrap();
            }
        }
    }

    /// Nobody begins anything new.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    /// What was done with each PIN.
    pub(crate) fn pages(&self) -> Vec<Page> {
        std::mem::take(&mut *self.pages.lock().unwrap())
    }

    /// Payments that ended so.
    pub(crate) fn count(&self, end: End) -> usize {
        let pages = self.pages.lock().unwrap();
        pages.iter().flat_map(|page| &page.entries).filter(|entry| entry.end == end).count()
    }

    /// When all is calm, a payment simply works.
    pub(crate) async fn a_fresh_payment(&self) {
        self.pair(CARDS - 1).await;
        let pages = self.pages.lock().unwrap();
        let paid = pages.last().unwrap().entries.first().unwrap();
        assert!(paid.code == "00", "{paid:?}");
    }

    /// Texts that came to a phone after the time that stands in them.
    pub(crate) fn late_texts(&self, valid_for_s: u64) -> Vec<String> {
        let mut late = Vec::new();
        for message in (0..CARDS).flat_map(|n| self.bank.handsets.messages(&phone(n))) {
            let valid = message
                .text
                .expose()
                .lines()
                .find_map(|line| line.strip_prefix("اعتبار:"))
                .map(second_of_day);
            // Tehran is 3:30 ahead of UTC.
            let came = (message.received_at.unix_ms() / 1000 + 12_600) % 86_400;
            let left = (valid.unwrap() + 86_400 - came) % 86_400;
            if left > valid_for_s + 1 {
                late.push(format!("{} s after it ran out", 86_400 - left));
            }
        }
        late
    }

    /// One PIN, asked for and presented.
    async fn pair(&self, card: usize) {
        let amount = 1_000 + self.last.fetch_add(1, Ordering::SeqCst);
        let body = payee().request(self.cards[card].expose(), amount);
        self.asked_for(&body).await;
        let Some(pin) = self.read(card, amount).await else { return };
        let mut entries = vec![self.paid(card, amount, &pin).await];
        if self.seeded.one_in(3) {
            // The payer presses again, or somebody has looked over the shoulder.
            entries.push(self.paid(card, amount, &pin).await);
        }
        self.pages.lock().unwrap().push(Page { entries });
    }

    /// Asks under one key until it is admitted.
    async fn asked_for(&self, body: &Value) {
        let key = fresh_key();
        while !self.api.ask(key, body).await.is_ok_and(|reply| reply.status == 202) {
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn read(&self, card: usize, amount: u64) -> Option<String> {
        let until = Instant::now() + NO_SMS_AFTER;
        while Instant::now() < until {
            if let Some(pin) = self.bank.pin(&dialled(card), amount) {
                return Some(pin);
            }
            sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Pays. Without an answer it repeats, or gives up and reverses; and some that were paid are reversed later.
    async fn paid(&self, card: usize, amount: u64, pin: &str) -> Entry {
        let trace = self.last.fetch_add(1, Ordering::SeqCst);
        let message =
            self.switch.with_pin(payee().payment(self.cards[card].expose(), EXPIRY, amount, trace), pin);
        let mut now = message.clone();
        let code = loop {
            match self.sent(&now).await {
                Some(code) => break code,
                None if self.seeded.one_in(2) => {
                    self.reversed(&message).await;
                    return Entry { message, code: "silence".into(), end: End::Reversed };
                }
                None => now.set_mti(now.mti().repeat()),
            }
        };
        let end = match code.as_str() {
            "00" if self.seeded.one_in(8) => {
                self.reversed(&message).await;
                End::Reversed
            }
            "00" => End::Approved,
            _ => End::Declined,
        };
        Entry { message, code, end }
    }

    /// The answer's code; `None` if there is none, or the link would not take the message, which may be sent again.
    async fn sent(&self, message: &Message) -> Option<String> {
        loop {
            match self.switch.link.ask(message.clone(), SILENT_AFTER).await {
                Ok(answer) => return answer.get(39).map(str::to_owned),
                Err(error) if error.was_sent() => return None,
                Err(_) => sleep(AGAIN_AFTER).await,
            }
        }
    }

    /// Sends the reversal, and again as a repeat, until it is answered.
    async fn reversed(&self, original: &Message) {
        let mut reversal = reversal_of(original);
        while self.sent(&reversal).await.as_deref() != Some("00") {
            reversal.set_mti(reversal.mti().repeat());
            sleep(AGAIN_AFTER).await;
        }
    }
}

/// The 0420 that undoes an 0200: its data, and DE90 that names it.
fn reversal_of(original: &Message) -> Message {
    let mut reversal = original.clone();
    reversal.set_mti(Mti::REVERSAL_ADVICE);
    for field in [14, 52] {
        reversal.remove(field);
    }
    let of = |field| original.get(field).unwrap_or_default();
    reversal.set(90, format!("0200{}{}{:0>11}{:011}", of(11), of(7), of(32), 0));
    reversal
}

/// A card's phone as it is dialled.
fn dialled(card: usize) -> String {
    format!("0{}", &phone(card).expose()[2..])
}

fn second_of_day(hms: &str) -> u64 {
    hms.trim().split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().unwrap())
}
