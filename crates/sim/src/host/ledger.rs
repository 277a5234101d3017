//! Accounts, the transactions done on them, and what a request does: decided once, under one lock, without waiting.
//!
//! A transaction is known by fields 2, 11, 12, 13, 32 and 41. A repeat gets the first one's answer. A reversal finds its
//! original by field 90 with 2 and 41, else by 37 with 2 and 41; one that comes before its original refuses it.
//!
//! A transfer credits the card of field 103 if it is one of ours, and is only debited if it is another bank's. Its reversal
//! takes the money back; what the payee has spent by then is a debt, paid from what comes in next.

use std::collections::{HashMap, HashSet, VecDeque};

use ramz_domain::{Pan, Rial};
use ramz_iso8583::{Message, Mti, MtiClass, de48};
use ramz_keys::{KeyFault, Keys, PinBlock, PinBlockFormat};
use zeroize::{Zeroize, Zeroizing};

use super::{Account, AccountState, Zone};

/// Accounts of one host.
pub const ACCOUNTS_MAX: usize = 100_000;
/// Transactions, and reversals without original, that are remembered; the oldest are forgotten.
const TRANSACTIONS_MAX: usize = 100_000;

/// The host has as many accounts as it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this card host has {ACCOUNTS_MAX} accounts already")]
pub struct HostFull;

/// How often something came, and what it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Requests and their repeats.
    pub times: u32,
    /// Debits booked: at most one a transaction.
    pub debits: u32,
    /// Debits given back: at most one a transaction.
    pub credits: u32,
}

/// Fields that an answer repeats.
const REPEATED: [u8; 14] = [2, 3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 90];
/// Fields that make a transaction's identity.
const IDENTITY: [u8; 6] = [2, 11, 12, 13, 32, 41];
/// Fields of which a repeat must have the same.
const CONTENT: [u8; 5] = [3, 4, 42, 49, 103];

/// Fields strung together; wiped when forgotten, for it holds a PAN.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key(String);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[derive(Default)]
pub(super) struct Ledger {
    accounts: HashMap<Key, Account>,
    transactions: HashMap<u64, Transaction>,
    /// Identities, and the names that a reversal could use, of each transaction.
    names: HashMap<Key, u64>,
    /// Names of originals that were reversed before they came, oldest first.
    reversed_before: Bounded,
    /// Those are not kept.
    forgets: bool,
    /// Of what is more, so much is approved.
    at_most: Option<Rial>,
    /// What is said of every repeat, in place of the first one's answer.
    says_of_repeats: Option<&'static str>,
    last: u64,
    all: Asked,
    /// What payees of reversed transfers had spent.
    debts: HashMap<Key, u64>,
}

struct Transaction {
    content: Key,
    names: Vec<Key>,
    pan: Key,
    debited: Rial,
    /// The card that a transfer credited here.
    credited: Option<Key>,
    verdict: Verdict,
    reversed: bool,
    asked: Asked,
}

/// What is told of a decision, enough to tell it again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    code: &'static str,
    approval: Option<String>,
    balance: Option<Rial>,
    /// How much, of what was approved in part.
    part: Option<Rial>,
    /// Why, in a word, where the code alone would mislead.
    refusal: Option<&'static str>,
}

#[derive(Default)]
struct Bounded {
    order: VecDeque<Key>,
    keys: HashSet<Key>,
}

impl Ledger {
    pub(super) fn open(&mut self, account: Account) -> Result<(), HostFull> {
        let key = key(account.pan.expose());
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(&key) {
            return Err(HostFull);
        }
        self.accounts.insert(key, account);
        Ok(())
    }

    pub(super) fn balance(&self, pan: &Pan) -> Option<Rial> {
        self.accounts.get(&key(pan.expose())).map(|account| account.balance)
    }

    pub(super) fn asked(&self, request: &Message) -> Asked {
        let named = names(request).into_iter().find_map(|name| self.names.get(&name));
        named.and_then(|id| self.transactions.get(id)).map_or(Asked::default(), |known| known.asked)
    }

    pub(super) fn forget_reversals_of_nothing(&mut self) {
        self.forgets = true;
    }

    pub(super) fn forget_everything(&mut self) {
        self.transactions.clear();
        self.names.clear();
    }

    pub(super) fn approve_at_most(&mut self, amount: Rial) {
        self.at_most = Some(amount);
    }

    pub(super) fn say_of_repeats(&mut self, code: Option<&'static str>) {
        self.says_of_repeats = code;
    }

    pub(super) fn asked_in_all(&self) -> Asked {
        self.all
    }

    /// Does what a request asks for, and answers it.
    pub(super) fn decide(&mut self, request: &Message, keys: &dyn Keys, zone: &Zone) -> Message {
        match request.mti().class() {
            MtiClass::Authorisation | MtiClass::Financial if !request.mti().is_advice() => {
                self.authorise(request, keys, zone)
            }
            MtiClass::Reversal => self.reverse(request),
            _ => answer(request, &Verdict::of("12")),
        }
    }

    fn authorise(&mut self, request: &Message, keys: &dyn Keys, zone: &Zone) -> Message {
        let wanted: &[u8] = if is_inquiry(request) { &[2, 3, 11, 41] } else { &[2, 3, 4, 11, 41] };
        let missing = wanted.iter().copied().find(|field| request.get(*field).is_none());
        if let Some(field) = missing {
            return format_error(request, field);
        }
        self.all.times += 1;
        let mut names = names(request);
        // The first name is the identity; a repeat may bring further ones with a new field 7.
        if let Some(id) = names.first().and_then(|identity| self.names.get(identity)).copied() {
            return self.repeat(id, request);
        }
        let content = joined("content", request, &CONTENT);
        let verdict = if names.iter().any(|name| self.reversed_before.keys.contains(name)) {
            Verdict::of("12")
        } else {
            self.debit(request, keys, zone)
        };
        let debited = match verdict.code {
            "00" if !is_inquiry(request) => amount(request),
            _ => verdict.part,
        };
        let debits = u32::from(debited.is_some());
        self.all.debits += debits;
        self.last += 1;
        names.retain(|name| !self.names.contains_key(name));
        for name in &names {
            self.names.insert(name.clone(), self.last);
        }
        let told = answer(request, &verdict);
        let transaction = Transaction {
            content,
            names,
            pan: key(request.get(2).unwrap_or_default()),
            debited: debited.unwrap_or(Rial::ZERO),
            credited: debited.and_then(|_| self.destination(request)),
            verdict,
            reversed: false,
            asked: Asked { times: 1, debits, credits: 0 },
        };
        self.transactions.insert(self.last, transaction);
        self.forget_oldest();
        told
    }

    fn repeat(&mut self, id: u64, request: &Message) -> Message {
        let Some(known) = self.transactions.get_mut(&id) else { return answer(request, &Verdict::of("96")) };
        known.asked.times += 1;
        for name in names(request) {
            // A link that repeats for ever does not grow a transaction for ever.
            if known.names.len() < 8 && !self.names.contains_key(&name) {
                self.names.insert(name.clone(), id);
                known.names.push(name);
            }
        }
        if let Some(code) = self.says_of_repeats.filter(|_| request.mti().is_repeat()) {
            return answer(request, &Verdict::of(code));
        }
        if known.content != joined("content", request, &CONTENT) {
            return answer(request, &Verdict::of("94"));
        }
        if known.reversed {
            return answer(request, &Verdict::of("12"));
        }
        answer(request, &known.verdict)
    }

    /// Checks a request and books its debit.
    fn debit(&mut self, request: &Message, keys: &dyn Keys, zone: &Zone) -> Verdict {
        let may_be_credited = self.may_be_credited(request);
        let part = self.at_most.filter(|most| kind(request) == "00" && amount(request) > Some(*most));
        let Some(account) = self.accounts.get_mut(&key(request.get(2).unwrap_or_default())) else {
            return Verdict::of("14");
        };
        if account.state == AccountState::Closed {
            return Verdict::of("57");
        }
        match pin_code(account, request, keys, zone) {
            Ok("00") => {}
            Ok(code) => return Verdict::of(code),
            Err(fault) => {
                tracing::warn!(%fault, "the card host cannot check a PIN");
                return Verdict::of("96");
            }
        }
        let kind = kind(request);
        if kind == "40" && !may_be_credited {
            return Verdict { refusal: Some("no_such_payee"), ..Verdict::of("14") };
        }
        match kind {
            "31" => {}
            "00" | "01" | "40" | "50" | "51" => {
                let left = part
                    .or(amount(request))
                    .and_then(|amount| account.balance.get().checked_sub(amount.get()));
                match left.map(Rial::new) {
                    Some(Ok(left)) => account.balance = left,
                    _ => return Verdict::of("51"),
                }
            }
            _ => return Verdict::of("12"),
        }
        let approval = Some(format!("{:06}", (self.last + 1) % 1_000_000));
        let balance = is_inquiry(request).then_some(account.balance);
        if let (Some(to), Some(amount)) = (self.destination(request), amount(request)) {
            self.credit(&to, amount.get());
        }
        Verdict { code: if part.is_some() { "10" } else { "00" }, approval, balance, part, refusal: None }
    }

    /// The card that a transfer goes to, if it is one of ours.
    fn destination(&self, request: &Message) -> Option<Key> {
        let is_transfer = request.get(3).is_some_and(|code| code.starts_with("40"));
        request.get(103).filter(|_| is_transfer).map(key).filter(|to| self.accounts.contains_key(to))
    }

    /// Whether a transfer's card may get money: another than the one that pays, and open if it is known here. A card that is
    /// not is another bank's, which is not asked.
    fn may_be_credited(&self, request: &Message) -> bool {
        let Some(to) = request.get(103).filter(|to| request.get(2) != Some(*to)) else { return false };
        self.accounts.get(&key(to)).is_none_or(|account| account.state == AccountState::Open)
    }

    /// Adds to an account, less what it owes.
    fn credit(&mut self, to: &Key, amount: u64) {
        let owed = self.debts.get(to).copied().unwrap_or(0);
        let paid = owed.min(amount);
        if owed > 0 {
            self.debts.insert(to.clone(), owed - paid);
        }
        if let Some(account) = self.accounts.get_mut(to) {
            // Never more than twelve digits: then the account stays as it is rather than wrap.
            account.balance = Rial::new(account.balance.get() + amount - paid).unwrap_or(account.balance);
        }
    }

    /// Takes from an account what is there; the rest is owed.
    fn take_back(&mut self, from: &Key, amount: u64) {
        let Some(account) = self.accounts.get_mut(from) else { return };
        let there = account.balance.get().min(amount);
        account.balance = Rial::new(account.balance.get() - there).unwrap_or(Rial::ZERO);
        if there < amount {
            *self.debts.entry(from.clone()).or_default() += amount - there;
        }
    }

    fn reverse(&mut self, request: &Message) -> Message {
        let missing = [2, 11, 41].into_iter().find(|field| request.get(*field).is_none());
        if let Some(field) = missing {
            return format_error(request, field);
        }
        let names = original_names(request);
        if names.is_empty() {
            return format_error(request, 90);
        }
        let id = names.iter().find_map(|name| self.names.get(name)).copied();
        match id.and_then(|id| self.transactions.get_mut(&id)) {
            Some(original) if !original.reversed => {
                original.reversed = true;
                // A partial reversal says in field 95 how much stays debited.
                let stays = request.get(95).and_then(|amounts| amounts.get(..12)?.parse().ok()).unwrap_or(0);
                let back = original.debited.get().saturating_sub(stays);
                if back > 0 && self.accounts.contains_key(&original.pan) {
                    original.asked.credits += 1;
                    self.all.credits += 1;
                    let (payer, payee) = (original.pan.clone(), original.credited.clone());
                    self.credit(&payer, back);
                    if let Some(payee) = payee {
                        self.take_back(&payee, back);
                    }
                }
            }
            Some(_) => {}
            None if self.forgets => return answer(request, &Verdict::of("25")),
            None => names.into_iter().for_each(|name| self.reversed_before.insert(name)),
        }
        answer(request, &Verdict::of("00"))
    }

    fn forget_oldest(&mut self) {
        let Ok(most) = u64::try_from(TRANSACTIONS_MAX) else { return };
        let Some(oldest) = self.last.checked_sub(most) else { return };
        if let Some(forgotten) = self.transactions.remove(&oldest) {
            for name in forgotten.names {
                self.names.remove(&name);
            }
        }
    }
}

impl Verdict {
    fn of(code: &'static str) -> Verdict {
        Verdict { code, approval: None, balance: None, part: None, refusal: None }
    }
}

impl Bounded {
    fn insert(&mut self, key: Key) {
        if self.keys.insert(key.clone()) {
            self.order.push_back(key);
        }
        if self.order.len() > TRANSACTIONS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

/// Whether the payer proved to be the cardholder: by a dynamic PIN, as the issuer says, or by a static one.
fn pin_code(
    account: &Account,
    request: &Message,
    keys: &dyn Keys,
    zone: &Zone,
) -> Result<&'static str, KeyFault> {
    let tags = request.bytes(48).map(de48::parse).and_then(Result::ok).unwrap_or_default();
    if tags.get(de48::PIN_VERIFIED) == Some(de48::PIN_VERIFIED_DYNAMIC) {
        return Ok("00");
    }
    let entry = request.get(22).and_then(|mode| mode.get(..2));
    let card_present = matches!(entry, Some("02" | "05" | "07" | "90" | "91"));
    let pin = if card_present { &account.first_pin } else { &account.second_pin };
    match (request.bytes(52), pin) {
        // At a terminal somebody can type it again; at a page nobody was to ask without one.
        (None, _) => Ok(if card_present { "55" } else { "57" }),
        (Some(_), None) => Ok("55"),
        (Some(block), Some(pin)) => {
            // A fill that is drawn anew each time is not compared: format 0 has none.
            let (name, format, compared) = (zone.name.as_str(), zone.format, PinBlockFormat::Iso0);
            let mut block = PinBlock { format, bytes: Zeroizing::new(block.to_vec()) };
            if format != compared {
                block = match keys.translate_pin_block(&block, name, &account.pan, name, compared) {
                    Err(KeyFault::PinBlock(_)) => return Ok("55"),
                    translated => translated?,
                };
            }
            let expected = keys.make_pin_block(pin, &account.pan, name, compared)?;
            Ok(if expected == block { "00" } else { "55" })
        }
    }
}

fn kind(request: &Message) -> &str {
    request.get(3).and_then(|code| code.get(..2)).unwrap_or_default()
}

fn is_inquiry(request: &Message) -> bool {
    request.get(3).is_some_and(|code| code.starts_with("31"))
}

fn amount(request: &Message) -> Option<Rial> {
    Rial::new(request.get(4)?.parse().ok()?).ok()
}

fn answer(request: &Message, verdict: &Verdict) -> Message {
    let mut answer = Message::new(request.mti().response());
    for field in REPEATED {
        if let Some(value) = request.bytes(field) {
            answer.set(field, value);
        }
    }
    answer.set(39, verdict.code);
    if let Some(approval) = &verdict.approval {
        answer.set(38, approval.as_str());
    }
    if let Some(part) = verdict.part {
        answer.set(4, part.de4());
    }
    if let Some(balance) = verdict.balance {
        // Account type 00, amount type 01 (ledger) and 02 (available), currency, C for credit, twelve digits.
        let amount = |of: &str| format!("00{of}{}C{}", ramz_domain::RIAL_NUMERIC_CODE, balance.de4());
        answer.set(54, amount("01") + &amount("02"));
    }
    if let Some(refusal) = verdict.refusal {
        let mut tags = de48::Tags::new();
        tags.set(de48::REFUSAL, refusal);
        if let Ok(content) = tags.encode() {
            answer.set(48, content);
        }
    }
    answer
}

fn format_error(request: &Message, field: u8) -> Message {
    let mut told = answer(request, &Verdict::of("30"));
    let mut tags = de48::Tags::new();
    tags.set(de48::REFUSAL, format!("format_error:{field}"));
    if let Ok(content) = tags.encode() {
        told.set(48, content);
    }
    told
}

fn key(text: &str) -> Key {
    Key(text.to_owned())
}

/// Fields with marks between, so that no two lists of values give the same key.
fn joined(what: &str, message: &Message, fields: &[u8]) -> Key {
    // Room for all of it: growing would leave copies behind.
    let mut key = String::with_capacity(256);
    key.push_str(what);
    for field in fields {
        key.push('|');
        if let Some(value) = message.get(*field) {
            key.push('=');
            key.push_str(value);
        }
    }
    Key(key)
}

/// What a transaction can be found by: its identity first, then as a reversal would name it. For a reversal, only that.
fn names(message: &Message) -> Vec<Key> {
    if message.mti().class() == MtiClass::Reversal {
        return original_names(message);
    }
    let mut names = vec![joined("identity", message, &IDENTITY)];
    let part = |field: u8, width: usize| format!("{:0>width$}", message.get(field).unwrap_or_default());
    let (trace, time, acquirer, forwarder) = (part(11, 6), part(7, 10), part(32, 11), part(33, 11));
    let original = format!("{}{trace}{time}{acquirer}{forwarder}", message.mti().first());
    names.push(original_key(message, "90", &original));
    if let Some(rrn) = message.get(37) {
        names.push(original_key(message, "37", rrn));
    }
    names
}

/// What a reversal calls its original by, the surest first.
fn original_names(reversal: &Message) -> Vec<Key> {
    let elements = reversal.get(90).filter(|elements| elements.len() == 42).and_then(|elements| {
        let mti = Mti::new(elements.get(..4)?)?.first();
        Some(original_key(reversal, "90", &format!("{mti}{}", elements.get(4..)?)))
    });
    let by_rrn = reversal.get(37).map(|rrn| original_key(reversal, "37", rrn));
    elements.into_iter().chain(by_rrn).collect()
}

fn original_key(message: &Message, what: &str, value: &str) -> Key {
    let mut key = joined(what, message, &[2, 41]);
    key.0.push('|');
    key.0.push_str(value);
    key
}
