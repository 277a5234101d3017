//! Terminals: an ATM, a branch's cashless terminal and a shop's POS terminal. The first two have the menu «تغییر رمز و خدمات رمز
//! پویا»; an ATM gives cash and balances, too, and a POS terminal takes payments, both with the first PIN.
//!
//! A terminal makes a 0600 of the card in its slot, the first PIN that was typed and the service that was chosen, sends it over
//! a real link to the card's bank, and shows and prints what the 0610 says. `ramz terminal` is the same from a command line.
//!
//! ```text
//!   card in ──PIN──▶ menu ──service──▶ asked ──0610──▶ shown, printed ──▶ menu, or card out
//!                                        │                │
//!                                        │                └──▶ the service that follows (confirm the mobile, remove a device)
//!                                        └──no answer──▶ once more as 0601 ──no answer──▶ "the bank does not answer"
//! ```
//! A payment is asked for once, and undone if it has no answer (`till`).
//!
//! In a real network a terminal knows its own bank's switch only, and that finds the card's bank. Here the terminal finds it,
//! by the card's first six digits, as the payment page does.
//!
//! Deliberately not here: whether a PIN is right and a service allowed, which is the bank's to say; and the page itself, which
//! is in `web/lab/`.

mod machine;
mod message;
mod paid;
mod payments;
mod qr;
mod services;
mod session;
mod till;
mod web;

use std::{sync::Arc, time::Duration};

use ramz_domain::{Clock, Entropy, Iin, Pan};
use ramz_iso8583::{Message, de48::TagError};
use ramz_keys::{KeyFault, Keys, PinBlockFormat};
use ramz_link::{AskError, Link, Numbers, rrn};
use tokio::time::timeout;

use message::Stamp;
use till::Till;

pub use machine::{Identity, Machine};
pub use message::{Answer, CARRIED, Unreadable};
pub use paid::{CARRIED_BY_PAYMENTS, Paid, Reversal};
pub use payments::{NOTE, Paying, Payment, WITHDRAWAL_KEYS, WITHDRAWAL_MAX};
pub use qr::half_blocks;
pub use services::{MENU, Service, reason};
pub use session::{Session, Typed, Wanted};
pub use web::{Terminals, router};

/// How long a bank may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For the first answer. It asks its card host, which has ten seconds (`limits::HOST_TIMEOUT`).
    pub answer: Duration,
    /// For the repeat's, and for each answer to a reversal.
    pub repeat: Duration,
    /// Before a reversal that was not acknowledged is sent again; twice as long each time.
    pub again: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            answer: Duration::from_secs(12),
            repeat: Duration::from_secs(6),
            again: Duration::from_secs(1),
        }
    }
}

/// The way to a bank.
#[derive(Clone)]
pub struct Way {
    /// The first six digits of its cards; none: this bank is asked about every card.
    pub iins: Vec<Iin>,
    /// The link to its switch port.
    pub link: Arc<Link>,
    /// The zone PIN key of PIN blocks, by the name that it has at the terminal.
    pub zone: String,
    /// How PIN blocks look.
    pub format: PinBlockFormat,
    /// Who has the key.
    pub keys: Arc<dyn Keys>,
}

/// One machine.
pub struct Terminal {
    identity: Identity,
    ways: Vec<Way>,
    patience: Patience,
    numbers: Numbers,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No way to a bank with this IIN.
    #[error("no bank is known for the first six digits of this card")]
    UnknownBank,
    /// The bank certainly did not get the request.
    #[error("the bank does not answer: it cannot be reached, and nothing was asked of it ({0})")]
    NotAsked(AskError),
    /// The bank may have got it, and done it.
    #[error("the bank does not answer: it was asked twice, and may have done it ({0})")]
    NoAnswer(AskError),
    /// The process ends.
    #[error("the machine is being switched off; a payment under way may not be reversed")]
    Ended,
    /// An answer that says nothing.
    #[error("the bank's answer cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
    /// The PIN block cannot be made.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The request cannot be made.
    #[error(transparent)]
    Tags(#[from] TagError),
}

impl Terminal {
    /// A machine with its ways to the banks.
    pub fn new(
        identity: Identity,
        ways: Vec<Way>,
        patience: Patience,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Terminal {
        Terminal { identity, ways, patience, numbers: Numbers::new(&*entropy), clock, entropy }
    }

    /// Asks the card's bank for a service. A request that was sent and not answered is sent once more, as a repeat: the bank
    /// does it once, and answers what it answered before.
    ///
    /// # Errors
    /// [`Unanswered`] says whether the bank may have done it.
    pub async fn serve(&self, session: &Session, wanted: &Wanted) -> Result<Answer, Unanswered> {
        let way = self.way(&session.pan).ok_or(Unanswered::UnknownBank)?;
        let block = way.keys.make_pin_block(&session.pin, &session.pan, &way.zone, way.format)?;
        let now = self.clock.now();
        let stamp = Stamp { stan: self.numbers.stan(), rrn: rrn(&*self.entropy, now), now };
        let request = message::request(&self.identity, session, wanted, &block, &stamp)?;
        let answer = match way.link.ask(request.clone(), self.patience.answer).await {
            Ok(answer) => answer,
            Err(error) if error.was_sent() => self.again(way, &request, error).await?,
            Err(error) => return Err(Unanswered::NotAsked(error)),
        };
        Ok(Answer::read(&answer, wanted.service)?)
    }

    /// Pays, or asks for the balance. A payment that was sent and not answered is undone before this returns, or says that it
    /// is not yet. One whose asker is gone when the approval comes is undone, too.
    ///
    /// # Errors
    /// [`Unanswered`]: nothing was asked of the bank, and nothing taken.
    pub async fn pay(&self, session: &Session, paying: Paying) -> Result<Paid, Unanswered> {
        let way = self.way(&session.pan).ok_or(Unanswered::UnknownBank)?;
        let block = way.keys.make_pin_block(&session.pin, &session.pan, &way.zone, way.format)?;
        let now = self.clock.now();
        let stamp = Stamp { stan: self.numbers.stan(), rrn: rrn(&*self.entropy, now), now };
        let till = Till {
            link: Arc::clone(&way.link),
            clock: Arc::clone(&self.clock),
            patience: self.patience,
            paying,
            request: paid::request(&self.identity, session, paying, &block, &stamp),
            rrn: stamp.rrn,
            own_stan: self.numbers.stan(),
        };
        // No word from the task: it was ended with the process.
        till.start().await.unwrap_or(Err(Unanswered::Ended))
    }

    /// What kind of machine it is.
    pub fn machine(&self) -> Machine {
        self.identity.machine
    }

    /// Waits until every bank can be asked; for ever, if one never can.
    pub async fn came_up(&self) {
        for way in &self.ways {
            way.link.came_up().await;
        }
    }

    fn way(&self, pan: &Pan) -> Option<&Way> {
        self.ways.iter().find(|way| way.iins.is_empty() || way.iins.contains(&pan.iin()))
    }

    /// The repeat, as soon as the link is up again. Whatever becomes of it, the first may have been done.
    async fn again(&self, way: &Way, request: &Message, first: AskError) -> Result<Message, Unanswered> {
        let repeated = async {
            way.link.came_up().await;
            way.link.ask(message::repeat(request, self.clock.now()), self.patience.repeat).await
        };
        match timeout(self.patience.repeat, repeated).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Unanswered::NoAnswer(error)),
            Err(_) => Err(Unanswered::NoAnswer(first)),
        }
    }
}
