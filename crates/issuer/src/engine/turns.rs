//! Turns: each card's commands wait in one bounded queue, and one task at a time works it off.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ramz_domain::card::{Answer, AppCommand, Command};
use ramz_domain::{CardId, limits};
use tokio::sync::oneshot;

use super::{Engine, EngineFault, Job};

/// A command, and who waits for its answer.
pub(super) struct Waiting {
    pub(super) job: Job,
    pub(super) answer: oneshot::Sender<Result<Answer, EngineFault>>,
}

impl Waiting {
    /// Nobody waits for its answer.
    fn unheard(command: Command) -> Waiting {
        Waiting { job: Job::from(command), answer: oneshot::channel().0 }
    }
}

/// The cards that are being worked on, each with the commands that came meanwhile.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<CardId, Vec<Waiting>>>);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, HashMap<CardId, Vec<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a command; true if the card had no task yet.
    fn queue(&self, card: CardId, waiting: Waiting) -> Result<bool, EngineFault> {
        let mut cards = self.lock();
        match cards.get_mut(&card) {
            Some(queue) if queue.len() >= limits::CARD_QUEUE_MAX && may_be_refused(&waiting.job.command) => {
                Err(EngineFault::Busy)
            }
            Some(queue) => {
                queue.push(waiting);
                Ok(false)
            }
            None => {
                cards.insert(card, vec![waiting]);
                Ok(true)
            }
        }
    }

    /// What waits for the card; nothing: its turn is over.
    fn next(&self, card: CardId) -> Vec<Waiting> {
        let mut cards = self.lock();
        let Some(queue) = cards.get_mut(&card) else { return Vec::new() };
        let waiting = std::mem::take(queue);
        if waiting.is_empty() {
            cards.remove(&card);
        }
        waiting
    }
}

/// Whoever knows a card's number can fill its queue with these, and a node whose clock is off takes none of them. What follows from a
/// payment that is under way (the host's answer, its reversal) and what the bank does is bounded by what is in flight, and must get
/// through.
fn may_be_refused(command: &Command) -> bool {
    match command {
        Command::Authorise(_) | Command::Prove { .. } | Command::Request(_) => true,
        // What a device asks for; what takes it away must get through.
        Command::App(app) => !matches!(app, AppCommand::Revoke(_)),
        _ => false,
    }
}

/// If the task panicked, the card must not stay taken for ever: those who wait get a fault.
struct Released<'a>(&'a Turns, CardId);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        // After an ordinary end the card is free already, and may have its next task and commands that wait for it.
        if std::thread::panicking() {
            self.0.lock().remove(&self.1);
        }
    }
}

/// Queues a job; the answer comes through the receiver.
pub(super) fn take_a_turn(
    engine: &Arc<Engine>,
    card: CardId,
    job: Job,
) -> Result<oneshot::Receiver<Result<Answer, EngineFault>>, EngineFault> {
    if may_be_refused(&job.command) {
        engine.may_decide()?;
    }
    let (answer, receiver) = oneshot::channel();
    if engine.turns.queue(card, Waiting { job, answer })? {
        let engine = Arc::clone(engine);
        // A task of its own: a caller that goes away must not take the others' decisions along.
        tokio::spawn(async move {
            let _released = Released(&engine.turns, card);
            loop {
                let mut waiting = engine.turns.next(card);
                if waiting.is_empty() {
                    return;
                }
                // Behind the others: what was made from a row is decided on that row.
                waiting.extend(engine.later.take(card).into_iter().map(Waiting::unheard));
                engine.fold(card, waiting).await;
            }
        });
    }
    Ok(receiver)
}
