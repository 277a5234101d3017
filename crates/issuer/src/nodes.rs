//! Nodes that share a store tell each other what they let through, so that limits hold over all of them.
//!
//! Each has a row of its own, and writes into it about once a second what it took since the last time (`windows`); the last few times
//! stay, for whoever was late. Each reads the others' rows as often. Nobody waits for this: a payment is decided by what a node knows.
//! A row names no card and no phone: keys are halves of keyed hashes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use minicbor::{Decode, Encode};
use ramz_domain::ambient::random_bytes;
use ramz_domain::limits as bounds;
use ramz_store::{Change, Head, Key, Outcome, Swap, Table, Version};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineFault};
use crate::limits::Limits;
use crate::windows::Taken;

/// Rounds after which a node writes although it has nothing to tell: so the others see that it is there.
const SILENT_ROUNDS: u64 = 10;

/// A node's row.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
struct Row {
    #[n(0)]
    told: VecDeque<Told>,
}

/// What was told at one time.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
struct Told {
    /// Counted from 0.
    #[n(0)]
    number: u64,
    #[n(1)]
    taken: [Vec<Taken>; 2],
}

/// This node among the others.
pub(crate) struct Nodes {
    engine: Arc<Engine>,
    limits: Arc<Limits>,
    key: Key,
    version: Option<Version>,
    row: Row,
    next: u64,
    /// Of each other node: the row's version, and the number that comes next.
    heard: HashMap<Key, (Version, u64)>,
}

impl Nodes {
    pub(crate) fn new(engine: Arc<Engine>, limits: Arc<Limits>) -> Nodes {
        // Random, and new with each start: what this process has let through, no earlier one has.
        let key = random_bytes::<16>(engine.entropy.as_ref()).to_vec();
        Nodes { engine, limits, key, version: None, row: Row::default(), next: 0, heard: HashMap::new() }
    }

    /// Tells and hears until `shutdown`, if the store is shared at all.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        if !self.engine.store.is_shared() {
            return;
        }
        let mut tick = interval(bounds::NODES_TELL_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0;
        while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
            if let Err(fault) = self.round(round % SILENT_ROUNDS == 0).await {
                tracing::warn!(%fault, "what the nodes let through could not be exchanged; trying again");
            }
            round += 1;
        }
    }

    pub(crate) async fn round(&mut self, even_if_silent: bool) -> Result<(), EngineFault> {
        // Each does its part, whatever became of the other.
        let told = self.tell(even_if_silent).await;
        self.hear().await?;
        told
    }

    /// What could not be written stays in the row to be written, and goes with the next.
    async fn tell(&mut self, even_if_silent: bool) -> Result<(), EngineFault> {
        let taken = self.limits.untold();
        if taken.iter().any(|taken| !taken.is_empty()) {
            self.row.told.push_back(Told { number: self.next, taken });
            self.next += 1;
        } else if !even_if_silent {
            return Ok(());
        }
        while self.row.told.len() > bounds::NODES_TELLS_KEPT {
            self.row.told.pop_front();
        }
        let swap = Swap {
            table: Table::Node,
            key: self.key.clone(),
            expected: self.version,
            body: minicbor::to_vec(&self.row).map_err(|error| EngineFault::Row(error.to_string()))?,
            sealed: Vec::new(),
            head: Head::EMPTY,
            journal: Vec::new(),
            outbox: Vec::new(),
            due: None,
            forget_after: Some(self.engine.clock.now().plus(bounds::NODE_KEPT)),
        };
        match self.engine.committer.commit(Change::Swap(swap)).await {
            Ok(Outcome::Won) => {
                self.version = Some(self.version.unwrap_or(0) + 1);
                self.engine.counts.exchanged("told");
                Ok(())
            }
            // Forgotten, after a long pause; or written, though we were not told. The row itself says.
            Ok(Outcome::Lost) => self.look().await,
            Err(fault) => {
                self.look().await?;
                Err(fault.into())
            }
        }
    }

    /// What version our own row has.
    async fn look(&mut self) -> Result<(), EngineFault> {
        let row = self.engine.store.read(Table::Node, &self.key).await?;
        self.version = row.map(|row| row.version);
        Ok(())
    }

    async fn hear(&mut self) -> Result<(), EngineFault> {
        let store = &self.engine.store;
        let keys = store.keys_after(Table::Node, &[], bounds::NODES_MAX).await?;
        self.heard.retain(|key, _| keys.contains(key));
        self.engine.counts.other_nodes(keys.iter().filter(|key| **key != self.key).count());
        for key in keys.into_iter().filter(|key| *key != self.key) {
            let Some(stored) = store.read(Table::Node, &key).await? else { continue };
            let (version, next) = self.heard.get(&key).copied().unwrap_or_default();
            if version == stored.version {
                continue;
            }
            let row: Row = minicbor::decode(&stored.body)
                .map_err(|error| EngineFault::Row(format!("a node's row: {error}")))?;
            let now = self.engine.clock.now();
            let mut last = next;
            for told in row.told.iter().filter(|told| told.number >= next) {
                self.engine.counts.exchanged("heard");
                self.limits.told(&told.taken, now);
                last = told.number + 1;
            }
            self.heard.insert(key, (stored.version, last));
        }
        Ok(())
    }
}
