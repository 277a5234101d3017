//! One batch, one transaction, one trip: BEGIN, a statement for each table and kind, COMMIT, all sent before the first answer.
//!
//! Which fault follows is decided here. A statement's error means that nothing is written, for the COMMIT behind it then ends
//! nothing but the attempt. A connection that ends, or a COMMIT that errs, leaves the outcome unknown: the statements were
//! sent with it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ramz_domain::limits;
use tokio_postgres::{Error, Row as Found};

use super::fault::{self, During, Failure};
use super::place::STANDS;
use super::pool::{Pool, Question, Taken};
use super::sql::{Form, Statements};
use super::steps::{self, Kind, Name, Step, group};
use crate::rows::{broken_head, in_batch_order, in_row_order};
use crate::{Change, Outcome, StoreFault};

/// How often a batch is tried again that another transaction was in the way of, or a fail-over.
const ATTEMPTS: usize = 5;
/// How often a change is tried that stands alone, and whose row somebody else holds.
const ATTEMPTS_HELD: usize = 3;
/// Said in a careful transaction. Half a batch, and half of that, is tried to find the row that is held: none of them waits as long as
/// the first has. (An ordinary one, of another node on the same row, is over sooner.)
const BRIEFLY: &str = "SET LOCAL lock_timeout = '200ms'";
/// For so long after something was held, or damaged, one is careful.
const CAREFUL_FOR: Duration = Duration::from_secs(10);

/// Whether a batch had to be given up lately because of one of its rows. Then locks are not waited for as long, and no statement commits
/// by itself: of one that fails before its COMMIT it is known that nothing is written, whatever it fails with.
#[derive(Default)]
pub(crate) struct Care(Mutex<Option<Instant>>);

impl Care {
    fn is_called_for(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn call_for(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + CAREFUL_FOR);
    }
}

/// Commits a batch.
pub(crate) async fn batch(
    writers: &Pool,
    care: &Care,
    form: Form,
    batch: &[Change],
) -> Result<Vec<Outcome>, StoreFault> {
    let mut order = in_row_order(batch)?;
    if order.is_empty() {
        return Ok(Vec::new());
    }
    // Kinds one after the other, rows in key order within: a stable sort keeps it.
    order.sort_by_key(|at| group(&batch[*at], form));
    let steps = steps::of(form, batch, &order);
    let mut why = String::new();
    for attempt in 1..=ATTEMPTS {
        let taken = writers.take().await?;
        match transact(&taken, form, &steps, care.is_called_for()).await {
            Ok(found) => return Ok(in_batch_order(&order, &outcomes(&steps, &order, &found))),
            Err(Ended { failure, broken, careful }) => {
                if careful {
                    care.call_for();
                }
                if matches!(failure, Failure::Fault(StoreFault::Unknown(_))) {
                    taken.leave_in_doubt().await;
                } else if broken {
                    taken.leave();
                }
                match failure {
                    Failure::Held(text) if batch.len() > 1 => return Err(StoreFault::Held(text)),
                    Failure::Held(text) if attempt >= ATTEMPTS_HELD => {
                        return Err(StoreFault::Unavailable(text));
                    }
                    Failure::Again(text) | Failure::Held(text) => why = text,
                    Failure::Fault(fault) => return Err(fault),
                }
            }
        }
    }
    Err(StoreFault::Unavailable(format!("gave up after {ATTEMPTS} attempts: {why}")))
}

struct Ended {
    failure: Failure,
    /// Whether the connection must not be used again.
    broken: bool,
    /// Whether care is called for from now on.
    careful: bool,
}

impl Ended {
    /// Of a connection that is not used again, and nobody's row.
    fn without_a_word(failure: Failure) -> Ended {
        Ended { failure, broken: true, careful: false }
    }
}

async fn transact(
    taken: &Taken<'_>,
    form: Form,
    steps: &[Step<'_>],
    careful: bool,
) -> Result<Vec<Vec<Found>>, Ended> {
    let all = Statements::of(form);
    let ends = |sql: &'static String| Question { sql, values: Vec::new() };
    // A statement that stands alone commits by itself.
    let framed = careful || steps.len() > 1;
    let first = framed.then(|| ends(&all.begin));
    let briefly = careful.then(|| Question { sql: BRIEFLY, values: Vec::new() });
    let last = framed.then(|| ends(&all.commit));
    let middle = steps.iter().map(|step| Question { sql: step.sql, values: step.values() });
    let stood = taken.needs_a_standby().then(|| Question { sql: STANDS, values: Vec::new() });
    let guarded = stood.is_some();
    let before = usize::from(framed) + usize::from(careful);
    let first = first.into_iter().chain(briefly);
    let questions: Vec<Question<'_>> = first.chain(middle).chain(last).chain(stood).collect();
    let Ok(asked) = tokio::time::timeout(limits::STORE_WAIT_MAX, taken.ask(&questions)).await else {
        let text = "the database did not answer in time".to_owned();
        return Err(Ended::without_a_word(Failure::Fault(StoreFault::Unknown(text))));
    };
    let mut answers = asked.map_err(|error| {
        let text = format!("preparing a statement: {}", fault::words(&error));
        Ended::without_a_word(Failure::Again(text))
    })?;
    let stood = guarded.then(|| answers.pop()).flatten();
    // What follows from an earlier error says nothing of its own.
    let failed =
        |answer: &Result<Vec<Found>, Error>| answer.as_ref().is_err_and(|error| !fault::follows(error));
    if let Some(at) = answers.iter().position(failed) {
        let during = if at + 1 == answers.len() { During::Commit } else { During::Statement };
        let kind = steps.get(at.wrapping_sub(before)).map(|step| step.kind);
        if let Err(error) = &answers[at] {
            return Err(ended(error, during, kind));
        }
    }
    if guarded && !stood.is_some_and(|answer| answer.is_ok_and(|found| stands(&found))) {
        let text =
            "the server has no synchronous standbys any more: this may be on one machine only".to_owned();
        return Err(Ended::without_a_word(Failure::Fault(StoreFault::Unknown(text))));
    }
    answers.truncate(before + steps.len());
    Ok(answers.drain(before..).map(Result::unwrap_or_default).collect())
}

/// The answer to [`STANDS`].
pub(super) fn stands(found: &[Found]) -> bool {
    found.first().is_some_and(|found| found.get(0))
}

fn ended(error: &Error, during: During, kind: Option<Kind>) -> Ended {
    let broken = fault::ends_connection(error);
    let failure = match kind {
        Some(Kind::Swap(table)) if fault::is_broken_head(error) => Failure::Fault(broken_head(table)),
        Some(Kind::Insert(table) | Kind::Swap(table)) => {
            fault::of(error, during, &format!("writing rows of {table}"))
        }
        Some(Kind::Lease) => fault::of(error, during, "leasing messages"),
        Some(Kind::Settle) => fault::of(error, during, "settling messages"),
        None => fault::of(error, during, "a transaction"),
    };
    Ended { failure, broken, careful: fault::calls_for_care(error) }
}

/// Which changes won, in row order: those that a statement names in its answer.
fn outcomes(steps: &[Step<'_>], order: &[usize], found: &[Vec<Found>]) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Lost; order.len()];
    for (step, found) in steps.iter().zip(found) {
        let won: HashSet<Name<'_>> = found.first().map(names_of).unwrap_or_default();
        for (outcome, name) in outcomes[step.changes.clone()].iter_mut().zip(&step.names) {
            if won.contains(name) {
                *outcome = Outcome::Won;
            }
        }
    }
    outcomes
}

/// Rows' keys, or messages' owners and ids. Without any an array is NULL.
fn names_of(found: &Found) -> HashSet<Name<'_>> {
    let array = |at: usize| found.get::<_, Option<Vec<&[u8]>>>(at).unwrap_or_default();
    let keys = array(0);
    let ids = if found.len() > 1 { array(1) } else { vec![&[][..]; keys.len()] };
    keys.into_iter().zip(ids).collect()
}
