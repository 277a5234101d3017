//! The load: pages that ask for PINs and a switch that pays with them, in a loop, whatever happens to the issuer.
//!
//! What is not answered is asked again: a request under its key, a message as 0201 under its identity. What waits for an
//! SMS longer than a moment is left to a task of its own, so that there is always something in flight when the kill comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ramz_domain::{Pan, Phone};
use ramz_iso8583::Message;
use ramz_link::AskError;
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::pair::{Answered, Paid, Pair};
use crate::processes::bank::{ASKER, Bank, EXPIRY, IIN, OPERATOR, card, payee};
use crate::processes::wires::{Site, Switch, fresh_key, pan};
use crate::seeded::Seeded;

const CARDS: usize = 320;
const WORKERS: usize = 16;
/// More than the eight PINs that are over which a card remembers: a PIN that was spent and forgotten must not come back. A
/// card remembers 32 answers, of which a pair leaves at most three.
const PAIRS_A_CARD: usize = 10;
/// Pairs between two kills: the cards last for twenty lives and the end.
const PAIRS_A_LIFE: usize = 70;
/// A switch that has heard nothing repeats after this.
const REPEAT_AFTER: Duration = Duration::from_secs(4);
/// A worker does not wait longer for one pair.
const MOMENT: Duration = Duration::from_millis(700);
/// Before what was not answered is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Everything the workers share.
pub(crate) struct Load {
    pub(crate) bank: Bank,
    pub(crate) cut: Arc<Cut>,
    seeded: Seeded,
    api: Site,
    switch: Switch,
    cards: Vec<(Pan, String)>,
    /// Cards that nobody uses now, and how often each may be used still.
    free: Mutex<VecDeque<(usize, usize)>>,
    pairs: Mutex<Vec<Pair>>,
    faults: Mutex<Vec<String>>,
    later: Mutex<Vec<JoinHandle<()>>>,
    ending: AtomicBool,
    began: Instant,
    done: AtomicUsize,
    /// Pairs that were begun, and how many may be.
    begun: AtomicUsize,
    allowed: AtomicUsize,
    last: AtomicU64,
}

/// How often something was cut off, and where.
#[derive(Default)]
pub(crate) struct Cut {
    requests: AtomicUsize,
    messages: AtomicUsize,
    inoperative: AtomicUsize,
}

impl Cut {
    /// In words.
    pub(crate) fn told(self: Arc<Cut>) -> String {
        let [requests, messages, inoperative] =
            [&self.requests, &self.messages, &self.inoperative].map(|count| count.load(Ordering::SeqCst));
        format!("{requests} requests and {messages} messages cut off, {inoperative} times 91")
    }
}

/// The workers of a load.
pub(crate) struct Workers(JoinSet<()>, Arc<Load>);

impl Workers {
    /// Waits until each has ended, and what they left to later.
    pub(crate) async fn finished(mut self) {
        while let Some(worker) = self.0.join_next().await {
            worker.unwrap();
        }
        loop {
            let Some(task) = self.1.later.lock().unwrap().pop() else { return };
            task.await.unwrap();
        }
    }
}

impl Load {
    /// Adds the cards through the back office.
    pub(crate) async fn new(bank: Bank, seeded: Seeded) -> Arc<Load> {
        let cards: Vec<(Pan, String)> =
            (0..CARDS).map(|n| (pan(IIN, u32::try_from(n).unwrap()), format!("0912{n:07}"))).collect();
        let office = bank.site(2, OPERATOR);
        let mut adding = JoinSet::new();
        for (pan, phone) in &cards {
            bank.account(pan);
            let (office, body) = (office.clone(), card(pan, phone));
            adding.spawn(async move { office.post("/admin/v1/cards", &body).await });
        }
        while let Some(added) = adding.join_next().await {
            let added = added.unwrap();
            assert_eq!(added.status, 201, "{}", added.text);
        }
        let (api, switch) = (bank.site(0, ASKER), bank.switch());
        Arc::new(Load {
            bank,
            cut: Arc::default(),
            seeded,
            api,
            switch,
            cards,
            // The last is kept for the fresh pair.
            free: Mutex::new((0..CARDS - 1).map(|card| (card, PAIRS_A_CARD)).collect()),
            pairs: Mutex::default(),
            faults: Mutex::default(),
            later: Mutex::default(),
            ending: AtomicBool::new(false),
            began: Instant::now(),
            done: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            allowed: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        })
    }

    /// Sets the workers to work.
    pub(crate) fn begin(self: &Arc<Load>) -> Workers {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(Arc::clone(self).work());
        }
        Workers(workers, Arc::clone(self))
    }

    /// No new pairs from now on.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    /// Lets the workers begin a life's share of pairs.
    pub(crate) fn next_life(&self) {
        self.allowed.store(self.begun.load(Ordering::SeqCst) + PAIRS_A_LIFE, Ordering::SeqCst);
    }

    /// Pairs that came to their end.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    pub(crate) fn pairs(&self) -> Vec<Pair> {
        self.pairs.lock().unwrap().clone()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    fn fault(&self, what: String) {
        let at = self.began.elapsed();
        self.faults.lock().unwrap().push(format!("{at:.3?}: {what}"));
    }

    /// A pair in words: which card, what for, when, and what its phone got.
    pub(crate) fn told_of(&self, pair: &Pair) -> String {
        let (pan, phone) = &self.cards[pair.card];
        let texts = self.bank.handsets.messages(&Phone::parse(phone).unwrap());
        let texts: Vec<&str> = texts.iter().map(|message| message.text.expose()).collect();
        let paid: Vec<String> = pair.paid.iter().map(|paid| self.told_of_one(paid)).collect();
        let (amount, at) = (pair.amount, pair.at);
        format!("{} of {amount} rial, admitted at {at:.3?} as {}: {paid:?} {texts:?}", pan.masked(), pair.id)
    }

    fn told_of_one(&self, paid: &Paid) -> String {
        let (stan, debits) =
            (paid.message.get(11).unwrap_or_default(), self.bank.host.asked(&paid.message).debits);
        format!("trace {stan} was answered {} with {debits} debits", paid.answer.code)
    }

    async fn work(self: Arc<Load>) {
        while !self.ending.load(Ordering::SeqCst) {
            // However fast this machine is, there is work left for the last life.
            let allowed = self.begun.load(Ordering::SeqCst) < self.allowed.load(Ordering::SeqCst);
            let free = if allowed { self.free.lock().unwrap().pop_front() } else { None };
            let Some((card, left)) = free else {
                sleep(AGAIN_AFTER).await;
                continue;
            };
            self.begun.fetch_add(1, Ordering::SeqCst);
            let this = Arc::clone(&self);
            let mut pair = tokio::spawn(async move {
                this.pair(card).await;
                if left > 1 {
                    this.free.lock().unwrap().push_back((card, left - 1));
                }
            });
            if timeout(MOMENT, &mut pair).await.is_err() {
                self.later.lock().unwrap().push(pair);
            }
        }
    }

    fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// From the request to the last word about its PIN.
    async fn pair(&self, card: usize) {
        let amount = 1_000 + self.number();
        let (pan, phone) = &self.cards[card];
        let (key, body) = (fresh_key(), payee().request(pan.expose(), amount));
        let id = self.admitted(key, &body).await;
        let at = {
            let mut pairs = self.pairs.lock().unwrap();
            pairs.push(Pair {
                at: self.began.elapsed(),
                card,
                amount,
                key,
                body: body.clone(),
                id: id.clone(),
                pin: None,
                paid: Vec::new(),
            });
            pairs.len() - 1
        };
        if self.seeded.one_in(4) {
            self.asked_again(key, &body, &id).await;
        }
        let pin = loop {
            match self.bank.pin(phone, amount) {
                Some(pin) => break pin,
                None => sleep(Duration::from_millis(2)).await,
            }
        };
        self.pairs.lock().unwrap()[at].pin = Some(pin.clone());
        let paid = self.pay(card, amount, &pin).await;
        self.one_debit(card, &paid);
        self.pairs.lock().unwrap()[at].paid = paid;
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    /// Pays with a PIN, and tries to pay with it twice.
    async fn pay(&self, card: usize, amount: u64, pin: &str) -> Vec<Paid> {
        let first = self.payment(card, amount, pin);
        let mut paid = Vec::new();
        if self.seeded.one_in(5) {
            // Two at once.
            let second = self.payment(card, amount, pin);
            let (one, two) =
                tokio::join!(self.settled(first.clone(), false), self.settled(second.clone(), false));
            paid.extend([Paid { message: first, answer: one }, Paid { message: second, answer: two }]);
            return paid;
        }
        match self.sent(first.clone()).await {
            Ok(answer) => paid.push(Paid { message: first.clone(), answer }),
            // A payer who tries anew before the switch repeats.
            Err(error) if error.was_sent() && self.seeded.one_in(2) => {
                let anew = self.payment(card, amount, pin);
                let answer = self.settled(anew.clone(), false).await;
                paid.push(Paid { message: anew, answer });
                let answer = self.settled(first.clone(), true).await;
                paid.push(Paid { message: first, answer });
                return paid;
            }
            Err(error) => {
                let answer = self.settled(first.clone(), error.was_sent()).await;
                paid.push(Paid { message: first.clone(), answer });
            }
        }
        if self.seeded.one_in(3) {
            self.told_again(&paid[0]).await;
        }
        if self.seeded.one_in(2) {
            let anew = self.payment(card, amount, pin);
            let answer = self.settled(anew.clone(), false).await;
            paid.push(Paid { message: anew, answer });
        }
        paid
    }

    fn payment(&self, card: usize, amount: u64, pin: &str) -> Message {
        self.switch.with_pin(payee().payment(self.cards[card].0.expose(), EXPIRY, amount, self.number()), pin)
    }

    /// Asks until it is admitted.
    async fn admitted(&self, key: Uuid, body: &Value) -> Value {
        loop {
            match self.api.ask(key, body).await {
                Ok(reply) if reply.status == 202 => return reply.json()["request"].clone(),
                Ok(reply) if reply.status == 503 => {}
                Ok(reply) => {
                    self.fault(format!("a PIN request was answered {}: {}", reply.status, reply.text))
                }
                Err(_) => _ = self.cut.requests.fetch_add(1, Ordering::SeqCst),
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn asked_again(&self, key: Uuid, body: &Value, id: &Value) {
        let again = self.admitted(key, body).await;
        if again != *id {
            self.fault(format!("an admitted request was forgotten: {id}, then {again}"));
        }
    }

    /// Sends a message once.
    async fn sent(&self, message: Message) -> Result<Answered, AskError> {
        let answer = self.switch.link.ask(message.clone(), REPEAT_AFTER).await;
        if matches!(&answer, Err(error) if error.was_sent()) {
            self.cut.messages.fetch_add(1, Ordering::SeqCst);
        }
        let answered = Answered::of(&answer?);
        if answered.code == "91" {
            self.cut.inoperative.fetch_add(1, Ordering::SeqCst);
            // The switch believes a 91 and reverses nothing.
            let debits = self.bank.host.asked(&message).debits;
            if debits > 0 {
                self.fault(format!("answered 91, and was debited: {message:?}"));
            }
        }
        Ok(answered)
    }

    /// Sends a message, and again as a repeat, until it is answered.
    async fn settled(&self, message: Message, mut was_sent: bool) -> Answered {
        loop {
            let mut now = message.clone();
            if was_sent {
                now.set_mti(now.mti().repeat());
            }
            match self.sent(now).await {
                Ok(answer) => return answer,
                Err(error) => was_sent |= error.was_sent(),
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    /// An approval is the same for ever, and what was refused for its PIN is not approved later.
    async fn told_again(&self, paid: &Paid) {
        let again = self.settled(paid.message.clone(), true).await;
        let same = again == paid.answer;
        if (paid.answer.code == "00" && !same) || (paid.answer.code == "55" && again.code == "00") {
            self.fault(format!("told differently: {:?}, then {again:?}", paid.answer));
        }
    }

    /// What one PIN did at the host, and what the switch was told of it.
    fn one_debit(&self, card: usize, paid: &[Paid]) {
        let each: Vec<(u32, &str)> =
            paid.iter().map(|p| (self.bank.host.asked(&p.message).debits, p.answer.code.as_str())).collect();
        let debits: u32 = each.iter().map(|(debits, _)| debits).sum();
        let honest = each.iter().all(|(debits, code)| (*debits == 1) == (*code == "00"));
        let known = each.iter().all(|(_, code)| matches!(*code, "00" | "55" | "91"));
        let approved = debits == 1 || each.iter().any(|(_, code)| *code == "91");
        if debits > 1 || !honest || !known || !approved {
            let each: Vec<String> = paid.iter().map(|paid| self.told_of_one(paid)).collect();
            self.fault(format!("one PIN of card {card}: {each:?}"));
        }
    }

    /// Everything that was ever answered, asked again at the end.
    pub(crate) async fn hold_all_to_their_word(self: &Arc<Load>, pairs: &[Pair]) {
        let mut asking = JoinSet::new();
        let chunk = pairs.len().div_ceil(WORKERS).max(1);
        for pairs in pairs.chunks(chunk) {
            let (this, pairs) = (Arc::clone(self), pairs.to_vec());
            asking.spawn(async move {
                for pair in pairs {
                    this.asked_again(pair.key, &pair.body, &pair.id).await;
                    for paid in &pair.paid {
                        this.told_again(paid).await;
                    }
                    // Its PIN, once more, with nothing to be had for it.
                    let pin = pair.pin.clone().unwrap_or_default();
                    let anew = this.payment(pair.card, pair.amount, &pin);
                    let answer = this.settled(anew.clone(), false).await;
                    if pair.approvals() > 0 && answer.code != "55" {
                        this.fault(format!("a spent PIN was answered {answer:?}"));
                    }
                    let paid = [&pair.paid[..], &[Paid { message: anew, answer }]].concat();
                    this.one_debit(pair.card, &paid);
                }
            });
        }
        while let Some(asked) = asking.join_next().await {
            asked.unwrap();
        }
    }

    /// A card that nobody has used yet, from request to payment.
    pub(crate) async fn a_fresh_pair(&self) {
        self.pair(CARDS - 1).await;
        let last = self.pairs().pop().unwrap();
        assert_eq!(last.approvals(), 1, "{last:?}");
    }
}
