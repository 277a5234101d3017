//! Where a worker reads the SMS of its card: at a lab's handsets over HTTP, or at handsets in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::Request;
use ramz_api::client::Http;
use ramz_domain::{Phone, Pin, Rial};
use ramz_sim::handsets::Handsets;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::TIMEOUT;

/// Between two looks at a handset over HTTP.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The phones.
pub(super) enum Phones {
    /// Over HTTP.
    Portal(Http),
    /// In this process.
    Here(Arc<Inbox>),
}

/// What a worker waits with. Made before it asks, so that no SMS can come too early.
pub(super) enum Waiting<'a> {
    Portal(&'a Http),
    Here(oneshot::Receiver<Pin>),
}

impl Phones {
    /// Begins to wait for the SMS of this payment.
    pub(super) fn expect(&self, phone: &Phone, amount: Rial) -> Waiting<'_> {
        match self {
            Phones::Portal(portal) => Waiting::Portal(portal),
            Phones::Here(inbox) => Waiting::Here(inbox.expect(phone, amount)),
        }
    }
}

impl Waiting<'_> {
    /// The PIN of the SMS that names this amount.
    pub(super) async fn pin(self, phone: &Phone, amount: Rial) -> anyhow::Result<Pin> {
        match self {
            Waiting::Portal(portal) => looked_for(portal, phone, amount).await,
            Waiting::Here(pin) => timeout(TIMEOUT, pin).await.context("no SMS came")?.context("no SMS came"),
        }
    }
}

async fn looked_for(portal: &Http, phone: &Phone, amount: Rial) -> anyhow::Result<Pin> {
    let until = Instant::now() + TIMEOUT;
    let path = format!("/handsets/{}/messages", phone.expose());
    while Instant::now() < until {
        let answer = portal.send(Request::get(&path).body(Bytes::new())?).await?;
        let messages: Vec<Value> = serde_json::from_slice(answer.body())?;
        let mut texts = messages.iter().rev().filter_map(|message| message["text"].as_str());
        if let Some(pin) = texts.find_map(|text| pin_of(text, amount)) {
            return Ok(pin);
        }
        sleep(LOOK_EVERY).await;
    }
    bail!("no SMS came")
}

/// The PIN in a text, if the text is for this amount.
fn pin_of(text: &str, amount: Rial) -> Option<Pin> {
    text.contains(&format!(":{} ", amount.with_commas())).then_some(())?;
    Pin::parse(text.lines().find_map(|line| line.strip_prefix("رمز:"))?.trim()).ok()
}

/// Hands each SMS to the worker that waits for it.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<HashMap<String, (Rial, oneshot::Sender<Pin>)>>,
}

impl Inbox {
    /// An inbox behind handsets.
    pub(super) fn behind(handsets: &Arc<Handsets>) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::default());
        let (here, handsets) = (Arc::clone(&inbox), Arc::clone(handsets));
        let mut arrivals = handsets.arrivals();
        tokio::spawn(async move {
            loop {
                match arrivals.recv().await {
                    Ok(arrival) => here.came(arrival.phone.expose(), arrival.message.text.expose()),
                    Err(RecvError::Lagged(_)) => here.look_at_all(&handsets),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        inbox
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, (Rial, oneshot::Sender<Pin>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, phone: &Phone, amount: Rial) -> oneshot::Receiver<Pin> {
        let (sender, pin) = oneshot::channel();
        self.waiting().insert(phone.expose().to_owned(), (amount, sender));
        pin
    }

    fn came(&self, phone: &str, text: &str) {
        let mut waiting = self.waiting();
        let Some(pin) = waiting.get(phone).and_then(|(amount, _)| pin_of(text, *amount)) else { return };
        if let Some((_, sender)) = waiting.remove(phone) {
            // A worker that gave up needs none.
            drop(sender.send(pin));
        }
    }

    /// Some arrivals were missed: what the phones keep tells.
    fn look_at_all(&self, handsets: &Handsets) {
        let phones: Vec<String> = self.waiting().keys().cloned().collect();
        for phone in phones.iter().filter_map(|phone| Phone::parse(phone).ok()) {
            if let Some(last) = handsets.messages(&phone).last() {
                self.came(phone.expose(), last.text.expose());
            }
        }
    }
}
