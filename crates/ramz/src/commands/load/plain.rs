//! What the disk and SQLite allow: the rows that a pair leaves, written in group commits by one caller, without an issuer.
//!
//! The same changes in the same order, as many bytes each: admitted, issued with a message, sent, spent, answered.

use std::path::Path;
use std::time::{Duration, Instant};

use ramz_domain::Moment;
use ramz_domain::ambient::random_bytes;
use ramz_store::{Change, Head, JournalEntry, OutboxNew, Sealed, SqliteStore, Store as _, Swap, Table};

use crate::system::SystemEntropy;

/// Pairs that one transaction takes.
const PAIRS: usize = 64;
/// Cards in turn.
const CARDS: usize = 4096;
/// Bytes of a card's state, of an admission's record, its sealed request, a journal entry and a message.
const CARD: usize = 400;
const RECORD: usize = 80;
const REQUEST: usize = 330;
const ENTRY: usize = 80;
const MESSAGE: usize = 16;

/// A card as it was last written.
struct Card {
    key: Vec<u8>,
    version: u64,
    seq: u64,
}

/// Pairs a second, for so many seconds.
pub(super) async fn measure(path: &Path, seconds: u64) -> anyhow::Result<f64> {
    let store = SqliteStore::open(path)?;
    let mut cards: Vec<Card> = (0..CARDS).map(|_| Card { key: random(), version: 0, seq: 0 }).collect();
    for some in cards.chunks_mut(PAIRS) {
        store.commit(some.iter_mut().map(|card| card.change(Vec::new())).collect()).await?;
    }
    let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let mut pairs = 0_u32;
    while Instant::now() < until {
        for some in cards.chunks_mut(PAIRS) {
            batch(&store, some).await?;
            pairs += u32::try_from(some.len())?;
        }
    }
    Ok(f64::from(pairs) / began.elapsed().as_secs_f64())
}

/// One pair of each card.
async fn batch(store: &SqliteStore, cards: &mut [Card]) -> anyhow::Result<()> {
    let admissions: Vec<Vec<u8>> = cards.iter().map(|_| [random(), random()].concat()).collect();
    let messages: Vec<[u8; 16]> = cards.iter().map(|_| random_bytes(&SystemEntropy)).collect();
    let soon = Some(Moment::from_unix_ms(1_800_000_000_000));
    let admitted = |key: &Vec<u8>, expected, bytes, due| {
        let sealed = vec![Sealed { column: "admission.request", bytes }];
        Change::Swap(swap(Table::Admission, key, expected, RECORD, sealed, due))
    };
    store
        .commit(admissions.iter().map(|key| admitted(key, None, Some(vec![7; REQUEST]), soon)).collect())
        .await?;
    let at = Moment::from_unix_ms(1_700_000_000_000);
    let issued = cards.iter_mut().zip(&messages).map(|(card, id)| {
        card.change(vec![OutboxNew { id: *id, body: vec![1; MESSAGE], expires: at, leased_until: at }])
    });
    store.commit(issued.collect()).await?;
    store.commit(admissions.iter().map(|key| admitted(key, Some(1), None, None)).collect()).await?;
    let sent =
        cards.iter().zip(&messages).map(|(card, id)| Change::Settle { owner: card.key.clone(), id: *id });
    store.commit(sent.collect()).await?;
    for _ in ["spent", "answered"] {
        store.commit(cards.iter_mut().map(|card| card.change(Vec::new())).collect()).await?;
    }
    Ok(())
}

impl Card {
    /// Its next state, with an entry.
    fn change(&mut self, outbox: Vec<OutboxNew>) -> Change {
        let expected = (self.version > 0).then_some(self.version);
        self.version += 1;
        self.seq += 1;
        let (at, mac) = (Moment::from_unix_ms(1_700_000_000_000), [9; 32]);
        let entry = JournalEntry { seq: self.seq, at, entry: vec![3; ENTRY], key_version: 1, mac };
        let swap = swap(Table::Card, &self.key, expected, CARD, Vec::new(), None);
        Change::Swap(Swap { head: Head { seq: self.seq, mac }, journal: vec![entry], outbox, ..swap })
    }
}

fn swap(
    table: Table,
    key: &[u8],
    expected: Option<u64>,
    bytes: usize,
    sealed: Vec<Sealed>,
    due: Option<Moment>,
) -> Swap {
    Swap {
        table,
        key: key.to_vec(),
        expected,
        body: vec![5; bytes],
        sealed,
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due,
        forget_after: None,
    }
}

fn random() -> Vec<u8> {
    random_bytes::<16>(&SystemEntropy).to_vec()
}
