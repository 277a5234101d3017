//! Delivery receipts: the operator's word on an SMS, written to the card's journal. Nothing else follows from it.
//!
//! Which card a receipt is about is known by the operator's message id and the phone together, from a bounded hint in the
//! memory of the node that sent the SMS. What a restart loses, or a receipt that comes to another node's bind, is counted at
//! the bind and is in no journal: the hint is not worth a write for each SMS. One entry a text: of a text in parts, the first
//! part that fails decides, or the last that arrives.
//!
//! Receipts are guests: that an SMS arrived waits for the card's next turn, few are written by themselves at once, what does not
//! fit the queue before this is dropped, and an unknown id costs a look into a table.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ramz_domain::card::{Command, ReceiptState};
use ramz_domain::{CardId, ChallengeId, Moment, Phone, limits};
use ramz_sms::port::{Accepted, Receipt, Sender};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Engine, Waited};

/// How often what has waited long enough is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Messages whose receipts this node waits for.
pub(crate) struct Receipts {
    engine: Arc<Engine>,
    /// Whether anybody will hand receipts in.
    wanted: bool,
    awaited: Mutex<Awaited>,
}

/// The hints. Bounded; the oldest goes first.
#[derive(Default)]
struct Awaited {
    by_id: HashMap<Arc<str>, Vec<Part>>,
    order: VecDeque<(Arc<str>, u64)>,
    last: u64,
    /// Receipts that came before the answer to their own submit_sm was seen here.
    ahead: VecDeque<Receipt>,
}

/// A short message, under the id that the operator gave it.
struct Part {
    number: u64,
    phone: Phone,
    text: Arc<Text>,
}

/// The text that it is a part of.
struct Text {
    card: CardId,
    challenge: ChallengeId,
    taken: Moment,
    parts_left: AtomicUsize,
}

/// What is to be journalled.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Noted {
    card: CardId,
    challenge: ChallengeId,
    state: ReceiptState,
    after: Duration,
}

impl Receipts {
    /// Journals the sender's receipts until `shutdown`. If it has none, nothing is remembered.
    pub(crate) fn start(
        engine: &Arc<Engine>,
        sender: &dyn Sender,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Arc<Receipts> {
        let incoming = sender.receipts();
        let wanted = incoming.is_some();
        let receipts = Arc::new(Receipts { engine: Arc::clone(engine), wanted, awaited: Mutex::default() });
        if let Some(incoming) = incoming {
            tasks.spawn(Arc::clone(&receipts).run(incoming, shutdown.clone()));
        }
        receipts
    }

    /// The operator took an SMS: its receipts are about this challenge.
    pub(crate) fn expect(
        self: &Arc<Self>,
        card: CardId,
        challenge: ChallengeId,
        to: &Phone,
        taken: &Accepted,
    ) {
        if !self.wanted {
            return;
        }
        let parts_left = AtomicUsize::new(taken.message_ids.len());
        let text = Arc::new(Text { card, challenge, taken: self.engine.clock.now(), parts_left });
        let mut awaited = self.awaited();
        for id in taken.message_ids.iter().filter(|id| !id.is_empty()) {
            awaited.expect(id, to, &text);
        }
        let early: Vec<Receipt> = awaited.early(&taken.message_ids, to);
        let noted: Vec<Noted> =
            early.iter().filter_map(|receipt| awaited.take(receipt, text.taken)).collect();
        drop(awaited);
        for noted in noted {
            if let Some(waited) = self.note(noted) {
                let this = Arc::clone(self);
                // At most one a text, and the text was this node's own: no flood comes this way.
                tokio::spawn(async move { this.journal(waited).await });
            }
        }
    }

    /// Journals what comes until `shutdown`; then what has come.
    async fn run(self: Arc<Self>, mut receipts: mpsc::Receiver<Receipt>, shutdown: CancellationToken) {
        let (tasks, slots) = (TaskTracker::new(), Arc::new(Semaphore::new(limits::RECEIPT_WORK_MAX)));
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (ended, due) = tokio::select! {
                biased;
                () = shutdown.cancelled() => (true, self.last(&mut receipts)),
                _ = look.tick() => (false, self.engine.later.overdue(self.engine.clock.now())),
                receipt = receipts.recv() => {
                    (receipt.is_none(), receipt.and_then(|receipt| self.came(receipt)).into_iter().collect())
                }
            };
            for waited in due {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
                let this = Arc::clone(&self);
                tasks.spawn(async move {
                    this.journal(waited).await;
                    drop(slot);
                });
            }
            if ended {
                break;
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// What is still to be written at the end.
    fn last(&self, receipts: &mut mpsc::Receiver<Receipt>) -> Vec<Waited> {
        let came = std::iter::from_fn(|| receipts.try_recv().ok());
        let mut due: Vec<Waited> = came.filter_map(|receipt| self.came(receipt)).collect();
        due.extend(self.engine.later.all());
        due
    }

    fn came(&self, receipt: Receipt) -> Option<Waited> {
        let noted = self.awaited().take_or_keep(receipt, self.engine.clock.now())?;
        self.note(noted)
    }

    /// Keeps it for the card's next turn, or says what is to be written now: what did not arrive is news.
    fn note(&self, noted: Noted) -> Option<Waited> {
        let Noted { card, challenge, state, after } = noted;
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let command = Command::Receipt { challenge, state, after_ms };
        if state != ReceiptState::Delivered {
            return Some((card, vec![command]));
        }
        self.engine.later.put(card, command, self.engine.clock.now().plus(limits::RECEIPT_WAITS))
    }

    async fn journal(&self, (card, commands): Waited) {
        for command in commands {
            if let Err(fault) = self.engine.tell(card, command).await {
                tracing::warn!(%card, %fault, "a receipt was not journalled");
            }
        }
    }

    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    fn expect(&mut self, id: &str, phone: &Phone, text: &Arc<Text>) {
        if self.order.len() >= limits::RECEIPTS_AWAITED_MAX
            && let Some((id, number)) = self.order.pop_front()
        {
            self.forget(&id, number);
        }
        self.last += 1;
        let (id, number) = (Arc::from(plain(id)), self.last);
        self.order.push_back((Arc::clone(&id), number));
        let part = Part { number, phone: phone.clone(), text: Arc::clone(text) };
        self.by_id.entry(id).or_default().push(part);
    }

    fn forget(&mut self, id: &str, number: u64) {
        if let Some(parts) = self.by_id.get_mut(id) {
            parts.retain(|part| part.number != number);
            if parts.is_empty() {
                self.by_id.remove(id);
            }
        }
    }

    /// What a receipt means for its text, or the receipt kept for a while if it is about none that is known.
    fn take_or_keep(&mut self, receipt: Receipt, now: Moment) -> Option<Noted> {
        if let Some(found) = self.find(&receipt) {
            return self.take_found(found, &receipt, now);
        }
        if self.ahead.len() >= limits::RECEIPTS_AHEAD_MAX {
            self.ahead.pop_front();
        }
        self.ahead.push_back(receipt);
        None
    }

    /// The part's hint goes; the text is noted once, when its fate is known.
    fn take(&mut self, receipt: &Receipt, now: Moment) -> Option<Noted> {
        let found = self.find(receipt)?;
        self.take_found(found, receipt, now)
    }

    fn take_found(&mut self, (id, number): (Arc<str>, u64), receipt: &Receipt, now: Moment) -> Option<Noted> {
        let part = self.by_id.get(&id)?.iter().find(|part| part.number == number)?;
        let text = Arc::clone(&part.text);
        self.forget(&id, number);
        let left = text.parts_left.load(Ordering::Relaxed);
        let decided = receipt.state != ReceiptState::Delivered || left == 1;
        let left_now = if decided { 0 } else { left.saturating_sub(1) };
        text.parts_left.store(left_now, Ordering::Relaxed);
        (left > 0 && decided).then(|| Noted {
            card: text.card,
            challenge: text.challenge,
            state: receipt.state,
            after: now.since(text.taken),
        })
    }

    /// The newest part of this id and phone.
    fn find(&self, receipt: &Receipt) -> Option<(Arc<str>, u64)> {
        let known = |id: &str| {
            let (id, parts) = self.by_id.get_key_value(id)?;
            let part = parts.iter().rev().find(|part| part.phone == receipt.phone)?;
            Some((Arc::clone(id), part.number))
        };
        // Most operators write it as in the answer.
        let as_answered = |id: &String| {
            let plain = plain(id);
            known(&plain).or_else(|| other_base(&plain).find_map(|form| known(&form)))
        };
        receipt.message_ids.iter().find_map(as_answered)
    }

    /// Receipts kept that are about one of these ids.
    fn early(&mut self, ids: &[String], phone: &Phone) -> Vec<Receipt> {
        let is_one = |form: &str| ids.iter().any(|id| plain(id) == form);
        let about = |receipt: &Receipt| {
            receipt.phone == *phone
                && receipt
                    .message_ids
                    .iter()
                    .map(|id| plain(id))
                    .any(|plain| is_one(&plain) || other_base(&plain).any(|form| is_one(&form)))
        };
        // Few are kept, and fewer are meant: the others stay where they are.
        let mut early = Vec::new();
        let mut at = 0;
        while let Some(receipt) = self.ahead.get(at) {
            if about(receipt) {
                early.extend(self.ahead.remove(at));
            } else {
                at += 1;
            }
        }
        early
    }
}

/// An id without what operators write differently in answer and receipt: case, and zeros before it.
fn plain(id: &str) -> Cow<'_, str> {
    match id.trim_start_matches('0') {
        "" => Cow::Borrowed(id),
        id if id.bytes().any(|b| b.is_ascii_uppercase()) => Cow::Owned(id.to_ascii_lowercase()),
        id => Cow::Borrowed(id),
    }
}

/// What a receipt's id may have been in the answer if it was not the same: operators write one in ten and the other in sixteen.
fn other_base(plain: &str) -> impl Iterator<Item = String> {
    let in_sixteen = plain.parse::<u128>().ok().map(|value| format!("{value:x}"));
    let in_ten = u128::from_str_radix(plain, 16).ok().map(|value| value.to_string());
    in_sixteen.into_iter().chain(in_ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: CardId = CardId([1; 16]);

    fn phone(n: usize) -> Phone {
        Phone::parse(&format!("0912{n:07}")).unwrap()
    }

    fn at(ms: u64) -> Moment {
        Moment::from_unix_ms(ms)
    }

    fn text(n: u8, parts: usize) -> Arc<Text> {
        let challenge = ChallengeId([n; 16]);
        Arc::new(Text { card: CARD, challenge, taken: at(1000), parts_left: AtomicUsize::new(parts) })
    }

    fn receipt(ids: &[&str], n: usize, state: ReceiptState) -> Receipt {
        Receipt { message_ids: ids.iter().map(|id| (*id).to_owned()).collect(), phone: phone(n), state }
    }

    fn noted(n: u8, state: ReceiptState, after_ms: u64) -> Option<Noted> {
        let after = Duration::from_millis(after_ms);
        Some(Noted { card: CARD, challenge: ChallengeId([n; 16]), state, after })
    }

    use ReceiptState::{Delivered, Undeliverable};

    #[test]
    fn an_id_is_known_in_every_form_that_operators_write() {
        for (answer, receipts) in [
            ("1a2b", &["1a2b", "1A2B", "00001A2B", "6699", "0000006699"][..]),
            ("6699", &["6699", "006699", "1A2B", "1a2b"]),
            ("0000000010", &["10", "0000000010", "a", "A"]),
            ("node-3", &["node-3", "NODE-3"]),
            ("0", &["0"]),
        ] {
            for id in receipts {
                let mut awaited = Awaited::default();
                awaited.expect(answer, &phone(1), &text(7, 1));
                let found = awaited.take_or_keep(receipt(&["?", id], 1, Delivered), at(3500));
                assert_eq!(found, noted(7, Delivered, 2500), "{answer} receipted as {id}");
            }
        }
    }

    #[test]
    fn another_phone_or_another_id_is_not_it() {
        let mut awaited = Awaited::default();
        awaited.expect("1a", &phone(1), &text(7, 1));
        for other in
            [receipt(&["1a"], 2, Delivered), receipt(&["1b"], 1, Delivered), receipt(&[], 1, Delivered)]
        {
            assert_eq!(awaited.take_or_keep(other, at(2000)), None);
        }
        // Two operators that count alike: the phone tells them apart.
        awaited.expect("1a", &phone(2), &text(8, 1));
        assert_eq!(awaited.take_or_keep(receipt(&["1a"], 1, Delivered), at(2000)), noted(7, Delivered, 1000));
        assert_eq!(awaited.take_or_keep(receipt(&["1a"], 2, Delivered), at(2000)), noted(8, Delivered, 1000));
    }

    #[test]
    fn a_text_is_noted_once() {
        let mut awaited = Awaited::default();
        let both = text(7, 2);
        awaited.expect("1", &phone(1), &both);
        awaited.expect("2", &phone(1), &both);
        assert_eq!(awaited.take_or_keep(receipt(&["2"], 1, Delivered), at(2000)), None, "the other part");
        assert_eq!(awaited.take_or_keep(receipt(&["2"], 1, Delivered), at(2000)), None, "the same again");
        assert_eq!(awaited.take_or_keep(receipt(&["1"], 1, Delivered), at(4000)), noted(7, Delivered, 3000));
        let failed = text(8, 2);
        awaited.expect("3", &phone(1), &failed);
        awaited.expect("4", &phone(1), &failed);
        assert_eq!(
            awaited.take_or_keep(receipt(&["3"], 1, Undeliverable), at(2000)),
            noted(8, Undeliverable, 1000)
        );
        assert_eq!(awaited.take_or_keep(receipt(&["4"], 1, Delivered), at(2000)), None);
        assert!(awaited.by_id.is_empty());
    }

    #[test]
    fn a_receipt_may_be_ahead_of_the_answer() {
        let mut awaited = Awaited::default();
        assert_eq!(awaited.take_or_keep(receipt(&["26"], 1, Delivered), at(900)), None);
        awaited.expect("1a", &phone(1), &text(7, 1));
        let early = awaited.early(&["1a".into()], &phone(1));
        assert_eq!(early.len(), 1);
        assert_eq!(awaited.take(&early[0], at(1000)), noted(7, Delivered, 0));
        assert!(awaited.ahead.is_empty());
    }

    #[test]
    fn both_memories_are_bounded() {
        let mut awaited = Awaited::default();
        for n in 0..limits::RECEIPTS_AWAITED_MAX + 10 {
            awaited.expect(&n.to_string(), &phone(1), &text(7, 1));
            awaited.take_or_keep(receipt(&["none"], 2, Delivered), at(1000));
        }
        assert_eq!(awaited.order.len(), limits::RECEIPTS_AWAITED_MAX);
        assert_eq!(awaited.by_id.len(), limits::RECEIPTS_AWAITED_MAX);
        assert_eq!(awaited.ahead.len(), limits::RECEIPTS_AHEAD_MAX);
        assert_eq!(awaited.take_or_keep(receipt(&["3"], 1, Delivered), at(1000)), None, "the oldest went");
        // An id that was used again is not forgotten with its first use.
        let mut awaited = Awaited::default();
        awaited.expect("5", &phone(1), &text(1, 1));
        awaited.expect("5", &phone(1), &text(2, 1));
        let (id, number) = awaited.order[0].clone();
        awaited.forget(&id, number);
        assert_eq!(awaited.take_or_keep(receipt(&["5"], 1, Delivered), at(1000)), noted(2, Delivered, 0));
    }
}
