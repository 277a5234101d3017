//! Sixty-four clients: sixteen cards at a time, four clients at each. One asks for a PIN at any node; all four present it at once, in
//! transactions and at nodes of their own. Who hears nothing repeats at another node. All of it is written down.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ramz_domain::{CardId, Pan};
use ramz_iso8583::Message;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::card::{Answer, Op, Shown};
use crate::history::History;
use crate::node::Ends;
use crate::processes::bank::{Bank, EXPIRY, IIN, card, payee};
use crate::processes::wires::{fresh_key, pan};
use crate::seeded::Seeded;

const CARDS_AT_ONCE: usize = 16;
const CLIENTS_AT_ONE: usize = 4;
/// Fewer than the spent PINs that a card remembers.
const PINS_A_CARD: usize = 6;
/// Who has heard nothing by then repeats.
const SILENT_AFTER: Duration = Duration::from_secs(3);
/// Lease and sweep, and a restart.
const SMS_WITHIN: Duration = Duration::from_secs(45);
const AGAIN_AFTER: Duration = Duration::from_millis(30);

/// A card of the test's.
pub(crate) struct Owned {
    pub(crate) pan: Pan,
    pub(crate) phone: String,
    pub(crate) id: CardId,
}

/// A transaction and the last word on it.
#[derive(Clone)]
pub(crate) struct Paid {
    pub(crate) card: usize,
    pub(crate) amount: u64,
    pub(crate) message: Message,
    pub(crate) answer: Answer,
}

/// Everything the clients share.
pub(crate) struct Load {
    pub(crate) bank: Bank,
    pub(crate) ends: Vec<Ends>,
    pub(crate) cards: Vec<Owned>,
    pub(crate) history: History,
    pub(crate) paid: Mutex<Vec<Paid>>,
    /// What a 202 said, by card.
    pub(crate) admitted: Mutex<Vec<(usize, Uuid)>>,
    pub(crate) faults: Mutex<Vec<String>>,
    pub(crate) refused: AtomicUsize,
    /// There is no database, and has been none for a while: nothing can be unknown.
    pub(crate) away: AtomicBool,
    /// Cards that were left in the middle, when it was broken off.
    pub(crate) left: Mutex<HashSet<usize>>,
    seeded: Seeded,
    next: AtomicUsize,
    last: AtomicUsize,
    ending: AtomicBool,
    broken_off: AtomicBool,
}

impl Load {
    /// Adds the cards through the first node's back office.
    pub(crate) async fn new(bank: Bank, ends: Vec<Ends>, cards: usize, seeded: Seeded) -> Arc<Load> {
        let mut owned = Vec::with_capacity(cards);
        for n in 0..cards {
            let (pan, phone) = (pan(IIN, u32::try_from(n).unwrap()), format!("0912{n:07}"));
            bank.account(&pan);
            let added = ends[0].office.post("/admin/v1/cards", &card(&pan, &phone)).await;
            assert_eq!(added.status, 201, "{}", added.text);
            let id = CardId::parse(added.json()["card"].as_str().unwrap()).unwrap();
            owned.push(Owned { pan, phone, id });
        }
        Arc::new(Load {
            bank,
            ends,
            cards: owned,
            history: History::new(cards),
            paid: Mutex::default(),
            admitted: Mutex::default(),
            faults: Mutex::default(),
            refused: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            left: Mutex::default(),
            seeded,
            next: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            broken_off: AtomicBool::new(false),
        })
    }

    /// Sets the clients to work; what comes back is done when they are.
    pub(crate) fn begin(self: &Arc<Load>) -> JoinSet<()> {
        let mut tables = JoinSet::new();
        for _ in 0..CARDS_AT_ONCE {
            let this = Arc::clone(self);
            tables.spawn(async move {
                while !this.ending.load(Ordering::SeqCst) {
                    let card = this.next.fetch_add(1, Ordering::SeqCst);
                    if card >= this.cards.len() {
                        return;
                    }
                    if this.clone().life(card).await.is_none() {
                        this.left.lock().unwrap().insert(card);
                    }
                }
            });
        }
        tables
    }

    /// Nobody begins with another PIN.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    /// Nobody waits any more, either: what has no answer now gets none.
    pub(crate) fn break_off(&self) {
        self.end();
        self.broken_off.store(true, Ordering::SeqCst);
    }

    /// `None` once it is broken off.
    fn goes_on(&self) -> Option<()> {
        (!self.broken_off.load(Ordering::SeqCst)).then_some(())
    }

    pub(crate) fn approved(&self) -> usize {
        self.paid.lock().unwrap().iter().filter(|paid| paid.answer == Answer::Approved).count()
    }

    pub(crate) fn fault(&self, what: String) {
        self.faults.lock().unwrap().push(what);
    }

    fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) as u64 + 1
    }

    fn any(&self) -> &Ends {
        &self.ends[usize::try_from(self.seeded.below(self.ends.len() as u64)).unwrap()]
    }

    /// A card's: a few PINs, one after the other, and on some cards guesses until it is locked. `None` if it was left in the middle.
    async fn life(self: Arc<Load>, card: usize) -> Option<()> {
        let guessed = self.seeded.one_in(4);
        for pin in 0..PINS_A_CARD {
            if self.ending.load(Ordering::SeqCst) {
                break;
            }
            let amount = 1_000 + self.number();
            let issued = self.history.call(card, Op::Issue(amount));
            self.admit(card, amount).await?;
            let Some(text) = self.text(card, amount).await? else {
                self.fault(format!("the SMS for {amount} rial of card {card} never came"));
                break;
            };
            self.history.answer(issued, Answer::Issued);
            let mut clients = JoinSet::new();
            for client in 0..CLIENTS_AT_ONE {
                let wrong = if pin + 1 == PINS_A_CARD { guessed } else { guessed && self.seeded.one_in(8) };
                let (this, text) = (Arc::clone(&self), text.clone());
                clients.spawn(async move { this.present(card, amount, &text, wrong, client).await });
            }
            for said in clients.join_all().await {
                said?;
            }
            // Once more, when all is said.
            self.present(card, amount, &text, false, 0).await?;
            let locked = |paid: &Paid| paid.card == card && paid.answer == Answer::Locked;
            if self.paid.lock().unwrap().iter().any(locked) {
                break;
            }
        }
        Some(())
    }

    async fn admit(&self, card: usize, amount: u64) -> Option<()> {
        let (key, body) = (fresh_key(), payee().request(self.cards[card].pan.expose(), amount));
        let id = self.admitted_as(key, &body).await?;
        if self.seeded.one_in(4) {
            let again = self.admitted_as(key, &body).await?;
            if again != id {
                self.fault(format!("an admitted request was forgotten: {id}, then {again}"));
            }
        }
        self.admitted.lock().unwrap().push((card, id));
        Some(())
    }

    /// Asks at any node until it is admitted.
    async fn admitted_as(&self, key: Uuid, body: &Value) -> Option<Uuid> {
        loop {
            self.goes_on()?;
            match timeout(SILENT_AFTER, self.any().api.ask(key, body)).await {
                Ok(Ok(reply)) if reply.status == 202 => {
                    return reply.json()["request"].as_str().unwrap().parse().ok();
                }
                Ok(Ok(reply)) if reply.status == 503 => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                // A commit of unknown outcome: an incident.
                Ok(Ok(reply)) if reply.status == 500 && !self.away.load(Ordering::SeqCst) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                Ok(Ok(reply)) => {
                    self.fault(format!("a request was answered {}: {}", reply.status, reply.text))
                }
                Ok(Err(_)) | Err(_) => {}
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn text(&self, card: usize, amount: u64) -> Option<Option<String>> {
        let until = Instant::now() + SMS_WITHIN;
        while Instant::now() < until {
            if let Some(pin) = self.bank.pin(&self.cards[card].phone, amount) {
                return Some(Some(pin));
            }
            self.goes_on()?;
            sleep(Duration::from_millis(5)).await;
        }
        Some(None)
    }

    /// Presents a PIN in a transaction of its own, until there is an answer.
    async fn present(&self, card: usize, amount: u64, pin: &str, wrong: bool, client: usize) -> Option<()> {
        let transaction = self.number();
        let digits = if wrong { another(pin) } else { pin.to_owned() };
        let payment = payee().payment(self.cards[card].pan.expose(), EXPIRY, amount, transaction);
        let message = self.ends[0].switch.with_pin(payment, &digits);
        let op = Op::Pay(transaction, if wrong { Shown::Wrong } else { Shown::Of(amount) });
        let (mut node, mut was_sent) = (client, false);
        let answer = loop {
            self.goes_on()?;
            let mut now = message.clone();
            if was_sent {
                now.set_mti(now.mti().repeat());
            }
            let called = self.history.call(card, op.clone());
            match self.ends[node % self.ends.len()].switch.link.ask(now, SILENT_AFTER).await {
                Ok(answer) => {
                    let Some(answer) = self.read(&answer) else { continue };
                    self.history.answer(called, answer);
                    break answer;
                }
                Err(error) if error.was_sent() => was_sent = true,
                Err(_) => self.history.never(called),
            }
            node += 1;
            sleep(AGAIN_AFTER).await;
        };
        self.paid.lock().unwrap().push(Paid { card, amount, message, answer });
        Some(())
    }

    fn read(&self, answer: &Message) -> Option<Answer> {
        match answer.get(39) {
            Some("00") => Some(Answer::Approved),
            Some("55") => Some(Answer::Wrong),
            Some("75") => Some(Answer::Locked),
            Some("96") if self.away.load(Ordering::SeqCst) => {
                self.fault("96 though there is no database to be in doubt of: 91 was to be said".into());
                Some(Answer::NotNow)
            }
            Some("91" | "96") => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Some(Answer::NotNow)
            }
            code => {
                self.fault(format!("a payment was answered {code:?}"));
                None
            }
        }
    }
}

/// Another PIN of as many digits.
fn another(pin: &str) -> String {
    pin.chars().map(|digit| if digit == '9' { '0' } else { char::from(digit as u8 + 1) }).collect()
}
