//! The group commit: callers hand in one change each, one transaction takes all that wait.
//!
//! There is no timer. A batch is whatever waited while the last one committed, so a lone caller waits for nobody, and
//! many callers share one sync of the disk. A batch holds an aggregate at most once (a card and its messages are one
//! aggregate); a second change of the same one waits for the next batch, in the order of the calls.
//!
//! A store that can take several batches at once has several lanes ([`Store::lanes`]). An aggregate's shard says in which one its
//! changes go, always the same, so lanes have no row in common. Where rows are placed by shard a batch holds one shard's changes.
//!
//! What a caller is told follows from the store's answer: a statement's error is bisected until the poisoned change stands
//! alone, and faults alone; an unknown commit is unknown to every change that was in it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ramz_domain::limits::{COMMIT_BATCH_MAX, COMMIT_QUEUE_MAX, STORE_WAIT_MAX};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::{Change, Lanes, Outcome, Store, StoreFault, shard_of};

/// Gathers changes into batches. One per process and store; shared by reference (`Arc`).
///
/// Dropping it, like [`Committer::shutdown`], lets everything that was handed in be committed first.
pub struct Committer {
    shared: Arc<Shared>,
    /// How many lanes have ended.
    ended: watch::Receiver<usize>,
}

struct Shared {
    queues: Mutex<Queues>,
    /// For each lane: something was handed in, or the queues were closed.
    changed: Vec<Notify>,
}

struct Queues {
    lanes: Vec<Queue>,
    /// In all of them.
    waiting: usize,
    closed: bool,
}

/// What waits in one lane.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    by_shard: bool,
}

struct Waiting {
    change: Change,
    reply: oneshot::Sender<Result<Outcome, StoreFault>>,
}

/// Told of every transaction, after it.
pub trait Watch: Send + Sync {
    /// So many changes were committed, or failed, in one transaction that took so long.
    fn committed(&self, changes: usize, took: Duration);
}

impl Committer {
    /// Starts a task for each lane, on the current tokio runtime. They end when the committer is dropped or shut down.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(store: Arc<dyn Store>) -> Committer {
        Committer::watched(store, None)
    }

    /// The same, with somebody who watches.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn watched(store: Arc<dyn Store>, watch: Option<Arc<dyn Watch>>) -> Committer {
        let Lanes { count, by_shard } = store.lanes();
        let count = count.max(1);
        let queues = Queues {
            lanes: (0..count).map(|_| Queue { by_shard, ..Queue::default() }).collect(),
            waiting: 0,
            closed: false,
        };
        let changed = (0..count).map(|_| Notify::new()).collect();
        let shared = Arc::new(Shared { queues: Mutex::new(queues), changed });
        let (end, ended) = watch::channel(0);
        let end = Arc::new(end);
        for lane in 0..count {
            let closing = Closing { shared: shared.clone(), lane, end: Arc::clone(&end) };
            let (store, watch) = (Arc::clone(&store), watch.clone());
            tokio::spawn(async move { run(store, watch, closing).await });
        }
        Committer { shared, ended }
    }

    /// Commits one change with whatever waits. Returns once it is durable, lost, or failed.
    ///
    /// Dropping the future neither takes back a change that was handed in nor repeats it.
    ///
    /// # Errors
    /// As [`Store::commit`]; [`StoreFault::Unavailable`], at once, if [`COMMIT_QUEUE_MAX`] changes wait already or the
    /// committer is shut down: then nothing is written.
    pub async fn commit(&self, change: Change) -> Result<Outcome, StoreFault> {
        answered(self.shared.hand_in(change)?).await
    }

    /// Commits several independent changes: each has its own outcome, in the order given, and they may come to lie in
    /// different transactions. Either all are handed in or, if the queue has no room for all, none.
    ///
    /// # Errors
    /// One for each change, as [`Committer::commit`].
    pub async fn commit_all(&self, changes: Vec<Change>) -> Vec<Result<Outcome, StoreFault>> {
        let count = changes.len();
        let answers = match self.shared.hand_in_all(changes) {
            Ok(answers) => answers,
            Err(fault) => return vec![Err(fault); count],
        };
        let mut outcomes = Vec::with_capacity(count);
        for answer in answers {
            outcomes.push(answered(answer).await);
        }
        outcomes
    }

    /// Takes no more changes, and returns when all that were handed in are committed and answered.
    pub async fn shutdown(&self) {
        self.shared.close();
        // An error says that the task is gone, which is what we wait for.
        let lanes = self.shared.changed.len();
        drop(self.ended.clone().wait_for(|ended| *ended == lanes).await);
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.shared.close();
    }
}

type Answer = oneshot::Receiver<Result<Outcome, StoreFault>>;

async fn answered(answer: Answer) -> Result<Outcome, StoreFault> {
    answer
        .await
        .unwrap_or_else(|_| Err(StoreFault::Unknown("the group commit ended before it answered".into())))
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, change: Change) -> Result<Answer, StoreFault> {
        let (lane, answer) = {
            let mut queues = self.queues();
            queues.room_for(1)?;
            queues.put(change)
        };
        self.changed[lane].notify_one();
        Ok(answer)
    }

    fn hand_in_all(&self, changes: Vec<Change>) -> Result<Vec<Answer>, StoreFault> {
        let answers = {
            let mut queues = self.queues();
            queues.room_for(changes.len())?;
            changes.into_iter().map(|change| queues.put(change).1).collect()
        };
        // A lane that has nothing to do looks, and waits on.
        self.changed.iter().for_each(Notify::notify_one);
        Ok(answers)
    }

    /// A lane's next batch, and whether more may come.
    fn take(&self, lane: usize) -> (Vec<Waiting>, bool) {
        let mut queues = self.queues();
        let batch = queues.lanes[lane].take();
        queues.waiting -= batch.len();
        (batch, queues.closed)
    }

    fn close(&self) {
        self.queues().closed = true;
        self.changed.iter().for_each(Notify::notify_one);
    }
}

impl Queues {
    fn room_for(&self, changes: usize) -> Result<(), StoreFault> {
        if self.closed {
            return Err(StoreFault::Unavailable("the group commit is shut down".into()));
        }
        if self.waiting + changes > COMMIT_QUEUE_MAX {
            return Err(StoreFault::Unavailable(format!(
                "{COMMIT_QUEUE_MAX} changes wait for the group commit already: the store is too slow for this load"
            )));
        }
        Ok(())
    }

    /// Puts a change into its lane, and says which that is.
    fn put(&mut self, change: Change) -> (usize, Answer) {
        let lane = usize::from(shard_of(change.aggregate().1)) % self.lanes.len();
        let (reply, answer) = oneshot::channel();
        self.lanes[lane].waiting.push_back(Waiting { change, reply });
        self.waiting += 1;
        (lane, answer)
    }
}

impl Queue {
    /// The next batch: from the front, each aggregate once, the others stay in their order.
    fn take(&mut self) -> Vec<Waiting> {
        let most = self.waiting.len().min(COMMIT_BATCH_MAX);
        let (mut named, mut goes) = (HashSet::with_capacity(most), Vec::with_capacity(most));
        let mut room = COMMIT_BATCH_MAX;
        let shard = |waiting: &Waiting| shard_of(waiting.change.aggregate().1);
        let only = self.waiting.front().filter(|_| self.by_shard).map(shard);
        for next in &self.waiting {
            if room == 0 {
                break;
            }
            if only.is_some_and(|only| only != shard(next)) {
                goes.push(false);
                continue;
            }
            // A key that is left behind in `named` also holds back what follows it.
            let first = named.insert(next.change.aggregate());
            room -= usize::from(first);
            goes.push(first);
        }
        let looked = goes.len();
        let mut goes = goes.into_iter();
        let (batch, later): (Vec<_>, Vec<_>) =
            self.waiting.drain(..looked).partition(|_| goes.next() == Some(true));
        for next in later.into_iter().rev() {
            self.waiting.push_front(next);
        }
        batch
    }
}

/// Held by a lane's task: when it ends, also by a panic of the store, nobody is left waiting or let in, in no lane.
struct Closing {
    shared: Arc<Shared>,
    lane: usize,
    end: Arc<watch::Sender<usize>>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let left = {
            let mut queues = self.shared.queues();
            let left = std::mem::take(&mut queues.lanes[self.lane].waiting);
            queues.waiting -= left.len();
            left
        };
        self.shared.close();
        for waiting in left {
            let fault = StoreFault::Unavailable("the group commit ended; this change was not tried".into());
            drop(waiting.reply.send(Err(fault)));
        }
        self.end.send_modify(|ended| *ended += 1);
    }
}

async fn run(store: Arc<dyn Store>, watch: Option<Arc<dyn Watch>>, closing: Closing) {
    let (shared, lane) = (&closing.shared, closing.lane);
    loop {
        let (batch, closed) = shared.take(lane);
        if !batch.is_empty() {
            let (changes, began) = (batch.len(), Instant::now());
            commit(&*store, batch).await;
            if let Some(watch) = &watch {
                watch.committed(changes, began.elapsed());
            }
            // Callers that were just answered hand in their next change before the next batch is taken.
            tokio::task::yield_now().await;
        } else if closed {
            return;
        } else {
            shared.changed[lane].notified().await;
        }
    }
}

/// Commits a batch and answers everybody in it, halving it as often as a statement of it fails; and while a row of it is held by
/// somebody else, for as long as anybody waits: where all of them are (a whole table, say), each would be waited for alone.
async fn commit(store: &dyn Store, batch: Vec<Waiting>) {
    let (changes, replies): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.change, waiting.reply)).unzip();
    let mut parts = vec![(changes, replies)];
    let mut held_since: Option<Instant> = None;
    let mut is_late = || held_since.get_or_insert_with(Instant::now).elapsed() > STORE_WAIT_MAX;
    while let Some((changes, mut replies)) = parts.pop() {
        let (count, changes) = (changes.len(), Arc::new(changes));
        match store.commit_kept(Arc::clone(&changes)).await {
            Ok(outcomes) if outcomes.len() == count => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // A caller that has gone needs no answer.
                    drop(reply.send(Ok(outcome)));
                }
            }
            Ok(outcomes) => {
                let text = format!("{} outcomes came for {count} changes", outcomes.len());
                fail(replies, &StoreFault::Unknown(text));
            }
            Err(StoreFault::Held(why)) if count == 1 || is_late() => {
                fail(replies, &StoreFault::Unavailable(why));
            }
            Err(StoreFault::Statement(_) | StoreFault::Held(_)) if count > 1 => {
                let mut first = Arc::unwrap_or_clone(changes);
                let second = first.split_off(count / 2);
                let second_replies = replies.split_off(count / 2);
                parts.push((second, second_replies));
                parts.push((first, replies));
            }
            Err(fault) => fail(replies, &fault),
        }
    }
}

fn fail(replies: Vec<oneshot::Sender<Result<Outcome, StoreFault>>>, fault: &StoreFault) {
    tracing::error!(%fault, changes = replies.len(), "a commit failed");
    for reply in replies {
        drop(reply.send(Err(fault.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Swap, Table};

    fn waiting(change: Change) -> Waiting {
        Waiting { change, reply: oneshot::channel().0 }
    }

    fn swap(table: Table, key: &str, body: u8) -> Change {
        Change::Swap(Swap {
            table,
            key: key.as_bytes().to_vec(),
            expected: None,
            body: vec![body],
            sealed: Vec::new(),
            head: Head::EMPTY,
            journal: Vec::new(),
            outbox: Vec::new(),
            due: None,
            forget_after: None,
        })
    }

    /// Changes as `key+body`, a message of `key` as `key+!`.
    fn names(batch: &[Waiting]) -> String {
        let name = |waiting: &Waiting| match &waiting.change {
            Change::Swap(swap) => format!("{}{}", String::from_utf8_lossy(&swap.key), swap.body[0]),
            change => format!("{}!", String::from_utf8_lossy(change.aggregate().1)),
        };
        batch.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_batch_holds_an_aggregate_once_and_order_is_kept() {
        let mut queue = Queue::default();
        let settle = Change::Settle { owner: b"a".to_vec(), id: [1; 16] };
        for change in [
            swap(Table::Card, "a", 1),
            swap(Table::Card, "a", 2),
            swap(Table::Card, "b", 1),
            settle,
            swap(Table::Payment, "a", 9),
            swap(Table::Card, "a", 3),
            swap(Table::Card, "b", 2),
        ] {
            queue.waiting.push_back(waiting(change));
        }
        assert_eq!(names(&queue.take()), "a1 b1 a9");
        assert_eq!(names(&queue.take()), "a2 b2");
        assert_eq!(names(&queue.take()), "a!");
        assert_eq!(names(&queue.take()), "a3");
        assert!(queue.take().is_empty());
    }

    #[test]
    fn where_rows_are_placed_by_shard_a_batch_holds_one_shard() {
        let mut queue = Queue { by_shard: true, ..Queue::default() };
        for (key, body) in [("1a", 1), ("1b", 1), ("2a", 1), ("1a", 2), ("3b", 1), ("4a", 1)] {
            queue.waiting.push_back(waiting(swap(Table::Card, key, body)));
        }
        assert_eq!(names(&queue.take()), "1a1 2a1 4a1");
        assert_eq!(names(&queue.take()), "1b1 3b1");
        assert_eq!(names(&queue.take()), "1a2");
        assert!(queue.take().is_empty());
    }

    #[test]
    fn a_batch_is_bounded() {
        let mut queue = Queue::default();
        for at in 0..COMMIT_BATCH_MAX + 3 {
            queue.waiting.push_back(waiting(swap(Table::Card, &at.to_string(), 0)));
        }
        assert_eq!(queue.take().len(), COMMIT_BATCH_MAX);
        assert_eq!(names(&queue.take()), "5120 5130 5140");
    }
}
