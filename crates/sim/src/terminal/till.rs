//! A payment from its 0200 to its end: answered, or undone.
//!
//! ```text
//!   asked ──0210──▶ told, and taken ──nobody there to take it──▶ undone
//!     │
//!     └──sent, no clear yes or no──▶ 0420 ──no 0430──▶ 0421 … ──0430──▶ told: nothing was taken
//!                                                  └──a few times──▶ told: not acknowledged; 0421 goes on beside
//! ```
//! Money is never asked for again as 0201 while a customer stands there: what is not known to be paid is undone.
//!
//! Deliberately not here: a reversal that outlives the process. A machine of a bank writes it down before it sends the 0200;
//! a simulator that ends forgets it, and says to its customer that it was not acknowledged.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ramz_domain::Clock;
use ramz_iso8583::Message;
use ramz_link::Link;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::paid::{acknowledges, reversal};
use super::{Paid, Patience, Paying, Reversal, Unanswered};

/// How often a reversal is sent while the customer waits.
const WAITED_FOR: u32 = 3;
/// The longest wait between two.
const AGAIN_LAST: Duration = Duration::from_secs(60);

/// Where what became of it is told.
type Told = oneshot::Sender<Result<Paid, Unanswered>>;

/// One payment.
pub(super) struct Till {
    pub(super) link: Arc<Link>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Patience,
    pub(super) paying: Paying,
    pub(super) rrn: String,
    /// The 0200.
    pub(super) request: Message,
    /// Field 11 of its reversal.
    pub(super) own_stan: String,
}

impl Till {
    /// In a task of its own: whoever asked may leave, the payment comes to its end.
    pub(super) fn start(self) -> impl Future<Output = Option<Result<Paid, Unanswered>>> {
        let (told, hears) = oneshot::channel();
        tokio::spawn(self.carry_out(told));
        async { hears.await.ok() }
    }

    async fn carry_out(self, told: Told) {
        let read = match self.link.ask(self.request.clone(), self.patience.answer).await {
            Ok(answer) => Paid::read(&answer, &self.rrn, self.paying).map_err(|why| why.to_string()),
            Err(error) if error.was_sent() => Err(error.to_string()),
            Err(error) => return drop(told.send(Err(Unanswered::NotAsked(error)))),
        };
        let moves_money = self.paying.payment.moves_money();
        match read {
            Ok(paid) => {
                let done = paid.is_done();
                // Nobody is there to take cash or goods.
                if told.send(Ok(paid)).is_err() && done && moves_money {
                    tracing::warn!(rrn = %self.rrn, "a payment is reversed: its customer has left");
                    self.undo(None).await;
                }
            }
            Err(why) if moves_money => {
                tracing::warn!(rrn = %self.rrn, %why, "a payment is reversed: it has no answer");
                self.undo(Some(told)).await;
            }
            Err(_) => drop(told.send(Ok(self.silence(None)))),
        }
    }

    /// Sends the reversal until it is acknowledged, or the link is closed for good.
    async fn undo(&self, mut told: Option<Told>) {
        let mut tell = |reversal| {
            if let Some(told) = told.take() {
                // Whoever asked may have left.
                let _ = told.send(Ok(self.silence(Some(reversal))));
            }
        };
        let mut again_after = self.patience.again;
        for attempt in 0_u32.. {
            if self.undone(attempt > 0).await {
                return tell(Reversal::Acknowledged);
            }
            if attempt + 1 >= WAITED_FOR {
                tell(Reversal::Pending);
            }
            tokio::select! {
                () = self.link.closed() => break,
                () = sleep(again_after) => again_after = (again_after * 2).min(AGAIN_LAST),
            }
        }
        tell(Reversal::Pending);
    }

    /// One 0420 or 0421, as soon as the link is up.
    async fn undone(&self, again: bool) -> bool {
        let asked = async {
            self.link.came_up().await;
            let message = reversal(&self.request, &self.own_stan, again, self.clock.now());
            self.link.ask(message, self.patience.repeat).await
        };
        let answer = timeout(self.patience.repeat, asked).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|answer| acknowledges(&answer)))
    }

    fn silence(&self, reversal: Option<Reversal>) -> Paid {
        Paid::silence(&self.rrn, self.paying, reversal)
    }
}
