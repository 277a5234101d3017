//! What every store must do, as named cases: one suite, run on each of them.
//!
//! A case gets an empty store and says in words what it found wrong. Cases that need a store to be opened again are
//! [`reopened`]. What only one store can show (crashes, full disks, locks) is in that store's own tests.
//! [`broken`] has stores that break a promise, to see that the suite notices.

pub mod broken;
mod outbox;
mod rows;
mod sample;
mod swaps;
mod sweep;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::{Store, StoreFault};

pub use self::sample::reopened;

/// A case that does not end by then has failed: nothing in it waits for a clock.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a store did wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreFault> for Wrong {
    fn from(fault: StoreFault) -> Wrong {
        Wrong(format!("fault: {fault}"))
    }
}

type Found = Pin<Box<dyn Future<Output = Result<(), Wrong>> + Send>>;

/// One thing that a store must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// A sentence.
    pub name: &'static str,
    run: fn(Arc<dyn Store>) -> Found,
}

impl Case {
    /// Tries it on an empty store.
    ///
    /// # Errors
    /// What the store did wrong.
    pub async fn run(&self, empty: Arc<dyn Store>) -> Result<(), Wrong> {
        // In a task of its own: a panic of the store is a failure of the case, not of the suite.
        match tokio::time::timeout(CASE_TIMEOUT, tokio::spawn((self.run)(empty))).await {
            Ok(Ok(found)) => found,
            Ok(Err(panicked)) => Err(Wrong(format!("panicked: {panicked}"))),
            Err(_) => Err(Wrong(format!("did not end within {CASE_TIMEOUT:?}"))),
        }
    }
}

/// Makes a [`Case`] of an `async fn(Arc<dyn Store>) -> Result<(), Wrong>`, named by its path.
macro_rules! cases {
    ($($function:path),* $(,)?) => {
        vec![$(Case { name: stringify!($function), run: |store| Box::pin($function(store)) }),*]
    };
}

/// All cases.
pub fn cases() -> Vec<Case> {
    cases![
        swaps::an_insert_wins_once,
        swaps::a_swap_of_another_version_loses,
        swaps::of_64_swaps_of_one_version_one_wins,
        swaps::of_64_inserts_one_wins,
        swaps::a_lost_swap_writes_nothing_beside,
        swaps::a_batch_has_winners_and_losers,
        swaps::each_swap_of_a_batch_writes_its_own_entries,
        swaps::a_batch_with_a_bad_change_writes_nothing,
        swaps::a_batch_names_a_row_once,
        swaps::keys_have_1_to_64_bytes,
        swaps::tables_are_apart,
        swaps::a_commit_is_read_at_once,
        rows::sealed_columns_are_set_replaced_removed_and_stay,
        rows::a_row_and_its_sealed_columns_are_of_one_instant,
        rows::the_head_and_the_body_read_back,
        rows::a_swap_without_entries_keeps_the_head,
        rows::a_head_that_does_not_continue_the_journal_is_refused,
        rows::a_journal_is_read_in_order_and_in_pages,
        rows::keys_are_listed_in_pages,
        outbox::a_message_is_due_when_its_lease_is_over,
        outbox::of_64_takers_one_gets_the_lease,
        outbox::a_message_is_settled_once,
        outbox::messages_are_due_oldest_lease_first,
        outbox::a_message_is_written_and_settled_in_one_batch,
        sweep::due_rows_come_oldest_first_and_limited,
        sweep::a_cleared_due_is_not_found,
        sweep::only_what_has_run_out_is_forgotten,
        sweep::a_forgotten_row_leaves_nothing_and_may_come_again,
        sweep::cards_are_never_forgotten,
    ]
}

/// Tries every case on a store of its own: what failed, by name. `fresh` makes an empty store.
pub async fn run(fresh: impl AsyncFn() -> Arc<dyn Store>) -> Vec<(&'static str, Wrong)> {
    let mut failures = Vec::new();
    for case in cases() {
        if let Err(wrong) = case.run(fresh().await).await {
            failures.push((case.name, wrong));
        }
    }
    failures
}

/// Says what differs, if it does.
fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Wrong> {
    if found == expected {
        return Ok(());
    }
    Err(Wrong(format!("{what}: found {found:?}, expected {expected:?}")))
}

/// Says what is not so.
fn so(what: &str, holds: bool) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(Wrong(format!("not so: {what}"))) }
}

/// Expects a [`StoreFault::Statement`].
fn refused<T: fmt::Debug>(what: &str, found: Result<T, StoreFault>) -> Result<(), Wrong> {
    match found {
        Err(StoreFault::Statement(_)) => Ok(()),
        other => Err(Wrong(format!("{what}: found {other:?}, expected a statement fault"))),
    }
}
