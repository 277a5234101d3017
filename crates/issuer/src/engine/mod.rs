//! The engine: read the row, decide, commit by compare-and-swap, and only then answer.
//!
//! ```text
//!   tell ─▶ the card's turn ─▶ read row ─▶ fold the waiting commands ─▶ one swap ─▶ won: answer all
//!                                 ▲                                        └─ lost or unknown: again
//! ```
//!
//! One queue a card: its commands fold in memory and commit as one swap, together with journal and outbox. PINs are compared
//! again after a lost swap. Rows are kept between folds to save reading them; nothing depends on that, and another node may
//! own the card the next moment (`kept`).

mod evidence;
mod fold;
mod kept;
mod later;
mod outgoing;
mod row;
mod rules;
mod turns;

use std::sync::Arc;

use ramz_domain::card::{Answer, CardState, Command, Policy};
use ramz_domain::{CardId, ChallengeId, Clock, Entropy, Moment, Pan, Phone, Pin};
use ramz_keys::{IndexPurpose, KeyFault, Keys, PinBlock, Place};
use ramz_store::{Agreed, ClockOff, Committer, OutboxNew, Sealed, Store, StoreFault, Table, Version, Watch};
use tokio::sync::mpsc;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::counts::Counts;
use kept::{Beside, Known};
pub(crate) use later::Waited;
pub(crate) use outgoing::{Outgoing, open_old_phone, open_reversal};
pub use row::{CardColumns, JournalRecord, PAN_COLUMN, PHONE_COLUMN, Profile, journal_mac, verify_journal};
pub(crate) use row::{
    PROFILE_COLUMN, SEED_COLUMNS, body as row_body, chain, found as row_found, index_body, index_key,
};
pub use rules::{Rules, TheRules};

/// What decides about cards. Shared by the doors of a role.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: Committer,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
    pub(crate) counts: Arc<Counts>,
    rules: Arc<dyn Rules>,
    turns: turns::Turns,
    kept: kept::Kept,
    pub(crate) agreed: Arc<Agreed>,
    pub(crate) later: later::Later,
    outbox: mpsc::Sender<Dispatch>,
}

/// A message that was committed to the outbox and is this node's to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispatch {
    /// The card; or the phone, of words of help.
    pub card: CardId,
    /// The outbox row.
    pub id: [u8; 16],
    /// The outbox row's body: which PIN for which request, or which reversal.
    pub body: Vec<u8>,
    /// Of no use afterwards.
    pub expires: Moment,
    /// Another node may take it over then.
    pub leased_until: Moment,
    /// How often it was leased, this time included.
    pub attempts: u32,
}

impl Dispatch {
    /// A message that is committed now, at its first lease.
    pub(crate) fn of(card: CardId, new: &OutboxNew) -> Dispatch {
        let OutboxNew { id, body, expires, leased_until } = new.clone();
        Dispatch { card, id, body, expires, leased_until, attempts: 1 }
    }
}

/// What an authorisation presents beside its data.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The card's number: a PIN block is bound to it.
    pub pan: Pan,
    /// Year and month as the card shows them, `YYMM`.
    pub expiry: [u8; 4],
    /// DE52.
    pub pin_block: PinBlock,
    /// The zone whose key it is under.
    pub zone: String,
}

/// Something for one card to decide. It has no `Debug`: a reversal's data has the card number.
#[derive(Clone)]
pub struct Job {
    /// What is asked.
    pub command: Command,
    /// The PIN and expiry, for [`Command::Authorise`] and [`Command::Prove`].
    pub presented: Option<Presented>,
    /// Sealed columns that change with it.
    pub sealed: Vec<Sealed>,
    /// The row it was made from, if it repeats what stood there: on a row that has changed nothing is decided
    /// ([`EngineFault::Changed`]).
    pub made_from: Option<Version>,
    /// The asker's idempotency key, for [`Command::Request`]: logs know the request by it, as far as the SMS.
    pub request: Option<Uuid>,
    /// What our own reversal needs of the payment, for [`Command::GiveUp`].
    pub reversal: Option<Zeroizing<Vec<u8>>>,
    /// Which of its numbers the card was found by: by one that it has no more, it is no card ([`EngineFault::NoCard`]).
    pub issue: Option<u32>,
    /// The phone that the card had until now: it is told as well.
    pub old_phone: Option<Phone>,
    /// Control codes, for [`Command::App`].
    pub codes: Vec<Pin>,
    /// Who of the bank asks for it.
    pub by: By,
}

/// Somebody of the bank, by the name in the certificate; nobody, where a cardholder or a payment asks.
pub(crate) type By = Option<Arc<str>>;

/// A card as a number finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The card.
    pub card: CardId,
    /// Which of its numbers this is, from 0. Whether it still counts, the card's row says.
    pub issue: u32,
}

impl From<Command> for Job {
    fn from(command: Command) -> Job {
        Job {
            command,
            presented: None,
            sealed: Vec::new(),
            made_from: None,
            request: None,
            reversal: None,
            issue: None,
            old_phone: None,
            codes: Vec::new(),
            by: None,
        }
    }
}

/// Why there is no answer. Nothing was decided, or nobody knows; never a try.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineFault {
    /// No such card.
    #[error("no card has this id")]
    NoCard,
    /// A phone is registered for as many cards as it may be.
    #[error(transparent)]
    PhoneFull(#[from] ramz_domain::mobile::Full),
    /// A number is another card's.
    #[error("this number is another card's")]
    Taken,
    /// A closed card stays closed.
    #[error("the card is closed")]
    Closed,
    /// More commands wait for this card than may.
    #[error("too many commands are waiting for this card")]
    Busy,
    /// The PIN block does not decode: the sender's fault.
    #[error("{0}")]
    PinBlock(KeyFault),
    /// A key fault.
    #[error(transparent)]
    Keys(KeyFault),
    /// A store fault.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A row that cannot be read or written.
    #[error("{0}")]
    Row(String),
    /// The card is not any more what a job was made from.
    #[error("the card has changed meanwhile")]
    Changed,
    /// The row kept changing under us.
    #[error("gave up after {0} lost swaps: something writes this card in a loop")]
    Contended(usize),
    /// The node is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// Nothing is decided by this clock.
    #[error(transparent)]
    ClockOff(#[from] ClockOff),
}

impl From<KeyFault> for EngineFault {
    fn from(fault: KeyFault) -> EngineFault {
        match fault {
            KeyFault::PinBlock(_) => EngineFault::PinBlock(fault),
            other => EngineFault::Keys(other),
        }
    }
}

/// What an engine is made of.
pub struct Parts {
    /// What must survive.
    pub store: Arc<dyn Store>,
    /// The keys.
    pub keys: Arc<dyn Keys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The bank's choices, checked.
    pub policy: Policy,
    /// [`TheRules`], outside of tests.
    pub rules: Arc<dyn Rules>,
    /// Where committed messages go.
    pub outbox: mpsc::Sender<Dispatch>,
    /// What is done is counted there.
    pub counts: Arc<Counts>,
}

impl Engine {
    /// An engine over its parts.
    pub fn new(parts: Parts) -> Arc<Engine> {
        let Parts { store, keys, clock, entropy, policy, rules, outbox, counts } = parts;
        let committer = Committer::watched(Arc::clone(&store), Some(Arc::clone(&counts) as Arc<dyn Watch>));
        let agreed = Agreed::new(Arc::clone(&store), clock);
        let clock = Arc::clone(&agreed) as Arc<dyn Clock>;
        let (turns, kept, later) = (turns::Turns::default(), kept::Kept::default(), later::Later::default());
        Arc::new(Engine {
            store,
            committer,
            keys,
            clock,
            entropy,
            policy,
            counts,
            rules,
            turns,
            kept,
            agreed,
            later,
            outbox,
        })
    }

    /// Tells a card something and waits until the answer is durable.
    pub async fn tell(self: &Arc<Engine>, card: CardId, job: impl Into<Job>) -> Result<Answer, EngineFault> {
        let waiting = turns::take_a_turn(self, card, job.into())?;
        waiting.await.unwrap_or(Err(EngineFault::Stopping))
    }

    /// A fault while this node's clock is off the store's: nothing new may be begun.
    pub(crate) fn may_decide(&self) -> Result<(), EngineFault> {
        Ok(self.agreed.hold()?)
    }

    /// The card with this number, under any live index key.
    pub async fn find(&self, pan: &Pan) -> Result<Option<Found>, EngineFault> {
        for tag in self.keys.index_all(IndexPurpose::Pan, &[pan.expose().as_bytes()])? {
            let place = row::index_key(&tag);
            if let Some(found) = self.kept.found_at(&place) {
                return Ok(Some(found));
            }
            if let Some(row) = self.store.read(Table::CardIndex, &place).await? {
                let found = row::found(&row.body)?;
                self.kept.found(place, found);
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A card as it is stored now.
    pub async fn look(&self, card: CardId) -> Result<Option<CardState>, EngineFault> {
        let Some(row) = self.store.read(Table::Card, &card.0).await? else { return Ok(None) };
        row::state(&row.body).map(Some)
    }

    /// A card and its sealed columns, opened.
    pub async fn open(&self, card: CardId) -> Result<Option<(CardState, CardColumns)>, EngineFault> {
        let Some(stored) = self.store.read(Table::Card, &card.0).await? else { return Ok(None) };
        let Known { state, beside: Beside { version, sealed, head } } = Known::of(stored)?;
        let entries = head.seq;
        let mut columns =
            CardColumns { version, entries, pan: None, phone: None, profile: Profile::default() };
        for (column, bytes) in &sealed {
            // A seed is opened where a code is compared, and nowhere else.
            if SEED_COLUMNS.contains(&column.as_str()) {
                continue;
            }
            let place = Place { row: &card.0, column };
            let clear = self.keys.open(place, bytes)?;
            let text =
                || std::str::from_utf8(&clear).map_err(|_| EngineFault::Row(format!("{column} is no text")));
            match column.as_str() {
                PAN_COLUMN => columns.pan = Pan::parse(text()?).ok(),
                PHONE_COLUMN => columns.phone = Phone::parse(text()?).ok(),
                row::PROFILE_COLUMN => columns.profile = row::profile(&clear)?,
                _ => {}
            }
        }
        Ok(Some((Arc::unwrap_or_clone(state), columns)))
    }

    /// A card's state and its phone, for whoever sends this PIN: as this node knows them, if it knows the PIN as open. Another node
    /// may have changed the card since; a text is a hint, and what it says is checked when it is used.
    pub(crate) async fn addressee(
        &self,
        card: CardId,
        challenge: ChallengeId,
    ) -> Result<Option<(Arc<CardState>, Option<Phone>)>, EngineFault> {
        let now = self.clock.now();
        let phone =
            |known: &Known| known.beside.sealed.iter().find(|(column, _)| column == PHONE_COLUMN).cloned();
        let of = |known: &Known| (Arc::clone(&known.state), phone(known));
        let known = self.kept.ask(card, |known| known.state.to_send(challenge, now).map(|_| of(known)));
        let (state, phone) = match known.flatten() {
            Some(known) => known,
            None => match self.store.read(Table::Card, &card.0).await? {
                Some(stored) => of(&Known::of(stored)?),
                None => return Ok(None),
            },
        };
        let Some((column, sealed)) = phone else { return Ok(Some((state, None))) };
        let clear = self.keys.open(Place { row: &card.0, column: &column }, &sealed)?;
        let phone = std::str::from_utf8(&clear).ok().and_then(|text| Phone::parse(text).ok());
        Ok(Some((state, phone)))
    }

    /// Whether a card may use a static PIN, as this node knows it. Only who waits for whom hangs on it.
    pub(crate) async fn may_use_static(&self, card: CardId) -> Result<bool, EngineFault> {
        let may = |state: &CardState| state.may_use_static(&self.policy);
        if let Some(known) = self.kept.ask(card, |known| may(&known.state)) {
            return Ok(known);
        }
        Ok(self.look(card).await?.as_ref().is_some_and(may))
    }

    /// The hash a card's expiry is kept as.
    pub fn expiry_tag(
        &self,
        card: CardId,
        expiry: &[u8; 4],
    ) -> Result<ramz_domain::card::ExpiryTag, EngineFault> {
        let tag = self.keys.index(IndexPurpose::Expiry, &[&card.0, expiry])?;
        Ok(ramz_domain::card::ExpiryTag { version: tag.version, bytes: tag.bytes })
    }
}
