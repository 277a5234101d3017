//! What the store alone allows: the rows that a pair leaves, written in group commits, without an issuer. A caller for each lane of
//! the store: one for a file.
//!
//! The same changes in the same order, as many bytes each: admitted, issued with a message, sent, spent, answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ramz_domain::ambient::{name_in_order, random_bytes};
use ramz_domain::{Clock as _, Moment};
use ramz_store::{Change, Head, JournalEntry, OutboxNew, Store, Swap, Table};
use tokio::task::JoinSet;

use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;

/// Pairs that one transaction takes.
const PAIRS: usize = 64;
/// Cards in turn.
const CARDS: usize = 4096;
/// Bytes of a card's state with the five answers that it remembers in a run, of an admission's record, the message with its sealed
/// request, a journal entry and the message of an SMS.
const CARD: usize = 1200;
const RECORD: usize = 56;
const REQUEST: usize = 350;
const ENTRY: usize = 80;
const MESSAGE: usize = 16;

/// A card as it was last written.
struct Card {
    key: Vec<u8>,
    version: u64,
    seq: u64,
}

/// Pairs a second, for so many seconds.
pub(super) async fn measure(store: Arc<dyn Store>, seconds: u64) -> anyhow::Result<f64> {
    let callers = store.lanes().count.max(1);
    let mut all = Vec::with_capacity(callers);
    for _ in 0..callers {
        let mut cards: Vec<Card> = (0..CARDS / callers).map(|_| Card::new()).collect();
        for some in cards.chunks_mut(PAIRS) {
            store.commit(some.iter_mut().map(|card| card.change(Vec::new())).collect()).await?;
        }
        all.push(cards);
    }
    let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let mut working = JoinSet::new();
    for cards in all {
        working.spawn(pairs(Arc::clone(&store), cards, until));
    }
    let mut pairs = 0;
    while let Some(made) = working.join_next().await {
        pairs += made??;
    }
    Ok(f64::from(pairs) / began.elapsed().as_secs_f64())
}

/// Pairs of these cards in turn until then; says how many.
async fn pairs(store: Arc<dyn Store>, mut cards: Vec<Card>, until: Instant) -> anyhow::Result<u32> {
    let mut pairs = 0;
    while Instant::now() < until {
        for some in cards.chunks_mut(PAIRS) {
            batch(store.as_ref(), some).await?;
            pairs += u32::try_from(some.len())?;
        }
    }
    Ok(pairs)
}

/// One pair of each card.
async fn batch(store: &dyn Store, cards: &mut [Card]) -> anyhow::Result<()> {
    let name = || name_in_order(SystemClock.now(), &SystemEntropy);
    let admissions: Vec<Vec<u8>> = cards.iter().map(|_| [&name()[..], &random()].concat()).collect();
    let messages: Vec<[u8; 16]> = cards.iter().map(|_| name()).collect();
    // Entries lie by their instant, on PostgreSQL: one that stood still would have them lie anywhere.
    let at = SystemClock.now();
    let message =
        |id: &[u8; 16], bytes| OutboxNew { id: *id, body: vec![1; bytes], expires: at, leased_until: at };
    let admitted = admissions.iter().zip(&messages).map(|(key, id)| {
        let forget_after = Some(Moment::from_unix_ms(1_800_000_000_000));
        let swap = swap(Table::Admission, key, None, RECORD);
        Change::Swap(Swap { outbox: vec![message(id, REQUEST)], forget_after, ..swap })
    });
    store.commit(admitted.collect()).await?;
    let issued = cards.iter_mut().zip(&messages).map(|(card, id)| card.change(vec![message(id, MESSAGE)]));
    store.commit(issued.collect()).await?;
    let settled = |owner: &Vec<u8>, id: &[u8; 16]| Change::Settle { owner: owner.clone(), id: *id };
    store.commit(admissions.iter().zip(&messages).map(|(key, id)| settled(key, id)).collect()).await?;
    store.commit(cards.iter().zip(&messages).map(|(card, id)| settled(&card.key, id)).collect()).await?;
    for _ in ["spent", "answered"] {
        store.commit(cards.iter_mut().map(|card| card.change(Vec::new())).collect()).await?;
    }
    Ok(())
}

impl Card {
    fn new() -> Card {
        Card { key: random(), version: 0, seq: 0 }
    }

    /// Its next state, with an entry.
    fn change(&mut self, outbox: Vec<OutboxNew>) -> Change {
        let expected = (self.version > 0).then_some(self.version);
        self.version += 1;
        self.seq += 1;
        let (at, mac) = (SystemClock.now(), [9; 32]);
        let entry = JournalEntry { seq: self.seq, at, entry: vec![3; ENTRY], key_version: 1, mac };
        let swap = swap(Table::Card, &self.key, expected, CARD);
        Change::Swap(Swap { head: Head { seq: self.seq, mac }, journal: vec![entry], outbox, ..swap })
    }
}

fn swap(table: Table, key: &[u8], expected: Option<u64>, bytes: usize) -> Swap {
    Swap {
        table,
        key: key.to_vec(),
        expected,
        body: vec![5; bytes],
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    }
}

fn random() -> Vec<u8> {
    random_bytes::<16>(&SystemEntropy).to_vec()
}
