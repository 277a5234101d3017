//! Messages: due when their lease is over, leased by compare-and-swap, settled once.

use std::sync::Arc;

use ramz_domain::Moment;

use super::sample::{at, commit, message, one, swap};
use super::{Wrong, refused, same};
use crate::{Change, OutboxRow, Outcome, Store, Table};

fn lease(owner: &[u8], id: u8, expected: Moment, until: Moment) -> Change {
    Change::Lease { owner: owner.to_vec(), id: [id; 16], expected, until }
}

fn settle(owner: &[u8], id: u8) -> Change {
    Change::Settle { owner: owner.to_vec(), id: [id; 16] }
}

pub(super) async fn a_message_is_due_when_its_lease_is_over(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let first = swap(Table::Card, b"card", None, "").with_message(message(1, at(100)));
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    same("before", store.outbox_due(at(99), 10).await?, Vec::new())?;
    let row = |leased_until, attempts| OutboxRow {
        owner: b"card".to_vec(),
        id: [1; 16],
        body: vec![0xb0, 1],
        expires: at(120_000),
        leased_until,
        attempts,
    };
    same("then", store.outbox_due(at(100), 10).await?, vec![row(at(100), 1)])?;
    same("taken", one(&*store, lease(b"card", 1, at(100), at(200))).await?, Outcome::Won)?;
    same("leased again", store.outbox_due(at(199), 10).await?, Vec::new())?;
    same("and due again", store.outbox_due(at(200), 10).await?, vec![row(at(200), 2)])?;
    same("a stale lease", one(&*store, lease(b"card", 1, at(100), at(300))).await?, Outcome::Lost)?;
    same("another's", one(&*store, lease(b"other", 1, at(200), at(300))).await?, Outcome::Lost)?;
    same("another", one(&*store, lease(b"card", 2, at(200), at(300))).await?, Outcome::Lost)?;
    same("unchanged", store.outbox_due(at(200), 10).await?, vec![row(at(200), 2)])?;
    let never = lease(b"card", 1, at(200), Moment::from_unix_ms(u64::MAX));
    refused("a lease beyond what can be held", one(&*store, never).await)
}

pub(super) async fn of_64_takers_one_gets_the_lease(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let first = swap(Table::Card, b"card", None, "").with_message(message(1, at(0)));
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    let gate = Arc::new(tokio::sync::Barrier::new(64));
    let mut tasks = Vec::new();
    for taker in 1..=64 {
        let (store, gate) = (store.clone(), gate.clone());
        tasks.push(tokio::spawn(async move {
            gate.wait().await;
            (taker, one(&*store, lease(b"card", 1, at(0), at(taker))).await)
        }));
    }
    let mut winners = Vec::new();
    for task in tasks {
        let (taker, outcome) = task.await.map_err(|error| Wrong(format!("a task: {error}")))?;
        if outcome? == Outcome::Won {
            winners.push(at(taker));
        }
    }
    same("winners", winners.len(), 1)?;
    let rows = store.outbox_due(at(1000), 10).await?;
    let rows = rows.iter().map(|row| (row.leased_until, row.attempts)).collect();
    same("the message", rows, vec![(winners[0], 2)])
}

pub(super) async fn a_message_is_settled_once(store: Arc<dyn Store>) -> Result<(), Wrong> {
    let first =
        swap(Table::Card, b"card", None, "").with_message(message(1, at(0))).with_message(message(2, at(0)));
    same("insert", commit(&*store, first).await?, Outcome::Won)?;
    same("another's", one(&*store, settle(b"other", 1)).await?, Outcome::Lost)?;
    same("settle", one(&*store, settle(b"card", 1)).await?, Outcome::Won)?;
    same("again", one(&*store, settle(b"card", 1)).await?, Outcome::Lost)?;
    same("a lease of it", one(&*store, lease(b"card", 1, at(0), at(1))).await?, Outcome::Lost)?;
    let left = store.outbox_due(at(1000), 10).await?;
    same("left", left.iter().map(|row| row.id).collect(), vec![[2; 16]])
}

pub(super) async fn messages_are_due_oldest_lease_first(store: Arc<dyn Store>) -> Result<(), Wrong> {
    for (owner, id, until) in [(b"b", 1, 30), (b"a", 2, 10), (b"c", 3, 20), (b"d", 4, 40), (b"e", 5, 10)] {
        let first = swap(Table::Card, owner, None, "").with_message(message(id, at(until)));
        same("insert", commit(&*store, first).await?, Outcome::Won)?;
    }
    let due = async |now, limit| {
        let rows = store.outbox_due(now, limit).await?;
        Ok::<_, Wrong>(rows.iter().map(|row| row.id[0]).collect::<Vec<_>>())
    };
    same("due", due(at(30), 10).await?, vec![2, 5, 3, 1])?;
    same("limited", due(at(30), 3).await?, vec![2, 5, 3])?;
    same("at the end of time", due(Moment::from_unix_ms(u64::MAX), 10).await?.len(), 5)
}

pub(super) async fn a_message_is_written_and_settled_in_one_batch(
    store: Arc<dyn Store>,
) -> Result<(), Wrong> {
    // Rows come before messages, so a settle in the same batch finds what a swap writes, wherever it stands.
    let batch = vec![
        settle(b"card", 1),
        Change::Swap(swap(Table::Card, b"card", None, "").with_message(message(1, at(0)))),
    ];
    same("both", store.commit(batch).await?, vec![Outcome::Won, Outcome::Won])?;
    same("nothing is left", store.outbox_due(at(1000), 10).await?, Vec::new())
}
