//! The port: versioned rows, changed by compare-and-swap in batches, with journal and outbox in the same transaction.
//!
//! The store knows nothing of cards, PINs or keys: bodies, sealed columns and entries are bytes to it.
//! The guard is in the SQL (`WHERE key = $1 AND version = $2`), so that no caller can forget it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ramz_domain::Moment;

/// The kinds of rows. Each is a table of its own, distributed by its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// A card: the truth for spending.
    Card,
    /// Keyed hash of a PAN → card id.
    CardIndex,
    /// One PIN request per (asker, idempotency key).
    Admission,
    /// A payment at a payment page (the gateway's own store).
    Payment,
    /// A phone: its cards and its texts.
    Phone,
    /// A device with the app: its key and its cards.
    Device,
    /// An activation of the app, found by the half of its code on the receipt.
    Activation,
    /// A node that shares the store with others, and what it tells them.
    Node,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 8] = [
        Table::Card,
        Table::CardIndex,
        Table::Admission,
        Table::Payment,
        Table::Phone,
        Table::Device,
        Table::Activation,
        Table::Node,
    ];
}

/// A row's key: 16 random bytes (card, payment) or the bytes of a keyed hash. At most 64 bytes. A journal is found by it alone, so
/// rows with entries have keys that no other table has.
pub type Key = Vec<u8>;

/// A row's version: 1 when inserted, one more after each swap.
pub type Version = u64;

/// Where a row's journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Number of the last entry; 0 if there is none.
    pub seq: u64,
    /// Its MAC; zeros if there is none.
    pub mac: [u8; 32],
}

impl Head {
    /// The head of a row without entries.
    pub const EMPTY: Head = Head { seq: 0, mac: [0; 32] };
}

/// A sealed column: a name and ciphertext.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The column's name, for example `pan`.
    pub column: &'static str,
    /// Ciphertext; `None` removes the column.
    pub bytes: Option<Vec<u8>>,
}

/// A row as read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What the next swap must expect.
    pub version: Version,
    /// The encoded state.
    pub body: Vec<u8>,
    /// The sealed columns that are set.
    pub sealed: Vec<(String, Vec<u8>)>,
    /// Where the journal ends.
    pub head: Head,
}

/// A journal entry to be written with a swap, or as read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalEntry {
    /// Its number within the row, from 1, without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Moment,
    /// The encoded entry: never a PAN, phone, PIN, or amount together with a card's number.
    pub entry: Vec<u8>,
    /// The journal key's version.
    pub key_version: u32,
    /// MAC of this entry and, through the one before, of all.
    pub mac: [u8; 32],
}

/// A message: what is to be done, as ids or sealed. An SMS's text and PIN are made at sending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxNew {
    /// Random, unique.
    pub id: [u8; 16],
    /// What to do (encoded).
    pub body: Vec<u8>,
    /// Of no use after this instant.
    pub expires: Moment,
    /// The writing node works on it until then.
    pub leased_until: Moment,
}

/// A message that its owner has left: its lease is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxRow {
    /// The row it belongs to: a card's, a phone's or an admission's key.
    pub owner: Key,
    /// As written.
    pub id: [u8; 16],
    /// As written.
    pub body: Vec<u8>,
    /// As written.
    pub expires: Moment,
    /// To be expected by the lease that takes it over.
    pub leased_until: Moment,
    /// How often it was leased.
    pub attempts: u32,
}

/// One aggregate's change. All of it happens or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Puts a new state in place of the one that was read.
    Swap(Swap),
    /// Takes an outbox row over: wins only if its lease is still the expected one.
    Lease {
        /// The row it belongs to.
        owner: Key,
        /// The outbox row.
        id: [u8; 16],
        /// What was read.
        expected: Moment,
        /// The new end of the lease.
        until: Moment,
    },
    /// Removes an outbox row: sent, or of no use any more. Wins if it was there.
    Settle {
        /// The row it belongs to.
        owner: Key,
        /// The outbox row.
        id: [u8; 16],
    },
}

/// A guarded change of one row with what goes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Swap {
    /// The table.
    pub table: Table,
    /// The row's key.
    pub key: Key,
    /// `None`: insert, wins only if no such row exists. `Some`: wins only if the row has this version.
    pub expected: Option<Version>,
    /// The new state.
    pub body: Vec<u8>,
    /// Sealed columns that change; the others stay.
    pub sealed: Vec<Sealed>,
    /// The new end of the journal; the old one if no entry is written.
    pub head: Head,
    /// Entries written if the swap wins.
    pub journal: Vec<JournalEntry>,
    /// Messages written if the swap wins.
    pub outbox: Vec<OutboxNew>,
    /// When the row's own work is due: the sweeper finds it from then on, until this is `None`.
    pub due: Option<Moment>,
    /// When the row may be forgotten ([`Store::forget`]); cards never.
    pub forget_after: Option<Moment>,
}

/// What became of one change of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is durable.
    Won,
    /// Somebody else was first: read again, decide again.
    Lost,
}

/// Why a batch has no outcome.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFault {
    /// The statement of one change failed and nothing of the batch is written. Bisect to find the poisoned one.
    #[error("store: a statement failed: {0}")]
    Statement(String),
    /// Somebody else holds a row of the batch, or what it lies in, and nothing of the batch is written. Bisect, as long as there is time:
    /// the others can be written. Of a batch of one change a store says [`StoreFault::Unavailable`] instead.
    #[error("store: a row is held by somebody else: {0}")]
    Held(String),
    /// COMMIT or fsync failed: written or not, nobody knows. Answer nobody; decide again by identity.
    #[error("store: the outcome of the commit is unknown: {0}")]
    Unknown(String),
    /// Reading failed, or the store is closed, or full.
    #[error("store: {0}")]
    Unavailable(String),
}

/// How many batches a store takes at once, and what one may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lanes {
    /// Batches at once; an aggregate is always in the same lane, so no two of them have a row in common.
    pub count: usize,
    /// Whether a batch holds changes of one shard only ([`crate::shard_of`]).
    pub by_shard: bool,
}

/// What must survive.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Reads a row freshly: every commit that was answered before this call is seen.
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Row>, StoreFault>;

    /// Commits a batch in one durable transaction: rows in key order, journal and outbox rows only for swaps that won.
    /// The outcomes are in the order of the changes. A batch names a row at most once.
    async fn commit(&self, batch: Vec<Change>) -> Result<Vec<Outcome>, StoreFault>;

    /// The same, of a batch that its caller keeps, to halve it if a statement fails. A store that need not have the changes as its
    /// own saves the copy.
    async fn commit_kept(&self, batch: Arc<Vec<Change>>) -> Result<Vec<Outcome>, StoreFault> {
        self.commit(Arc::unwrap_or_clone(batch)).await
    }

    /// How the group commit feeds it: one batch after another, of any rows, unless a store says otherwise.
    fn lanes(&self) -> Lanes {
        Lanes { count: 1, by_shard: false }
    }

    /// Whether other nodes may have the same rows.
    fn is_shared(&self) -> bool {
        false
    }

    /// What time it is where the rows are, if that is another clock than this machine's.
    async fn clock(&self) -> Result<Option<Moment>, StoreFault> {
        Ok(None)
    }

    /// A row's journal entries after `seq`, oldest first, at most `limit`.
    async fn journal(&self, owner: &[u8], after: u64, limit: usize) -> Result<Vec<JournalEntry>, StoreFault>;

    /// How many journal entries there are in all, whosever: for verifying, not for payments. Entries that no row leads to are among them.
    async fn entries(&self) -> Result<u64, StoreFault>;

    /// Keys of a table in order, after `after`, at most `limit`: for verifying and migrating, not for payments.
    async fn keys_after(&self, table: Table, after: &[u8], limit: usize) -> Result<Vec<Key>, StoreFault>;

    /// Rows whose `due` is not after `now`, at most `limit`, oldest first.
    async fn due(&self, table: Table, now: Moment, limit: usize) -> Result<Vec<(Key, Row)>, StoreFault>;

    /// Outbox rows whose lease ended at or before `now`, at most `limit`, oldest lease first.
    async fn outbox_due(&self, now: Moment, limit: usize) -> Result<Vec<OutboxRow>, StoreFault>;

    /// Deletes rows whose `forget_after` is at or before `now`, at most `limit`; says how many went.
    async fn forget(&self, table: Table, now: Moment, limit: usize) -> Result<usize, StoreFault>;
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Table::Card => "card",
            Table::CardIndex => "card_index",
            Table::Admission => "admission",
            Table::Payment => "payment",
            Table::Phone => "phone",
            Table::Device => "device",
            Table::Activation => "activation",
            Table::Node => "node",
        })
    }
}
