//! The sweeper: whatever is in doubt or was not verified in time is reversed, until the bank has answered.
//!
//! A due row is taken by a swap that also sets when it is next due, so of several nodes one asks. The first message is 0420,
//! each later one 0421 with the same trace number. A crash at any point leaves the row due.
//!
//! A bank that swallows reversals for hours has a share of the asking and no more: what is due beyond it is put off, so that
//! the others' reversals, which are due later, are come to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ramz_domain::{PaymentId, limits};
use ramz_keys::Place;
use ramz_store::Table;
use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    authorise::REVERSAL_COLUMN,
    gateway::Gateway,
    message::Undo,
    payment::{Due, Payment, Trace, asked_for},
    rows::{self, Column, NotChanged},
};

/// Reversals asked for at the same time. What is due beyond it is put off.
const AT_ONCE: usize = 256;
/// Of them, over one link: four banks may be dead before a fifth's are put off for them.
const AT_ONE_BANK: usize = 64;
/// Looks without a pause, while each finds as many due rows as one look takes and puts some off. What was put off is due
/// later than what was not come to, so nobody is passed over twice. A look that lets unpaid payments expire is none of them.
const LOOKS_AT_A_TIME: usize = 8;
/// Due rows that do not decode and are passed over; with more, some hold up others again.
const UNREADABLE_MAX: usize = 65_536;
/// Pages of old payments that one look forgets at most: three thousand a second are opened before they pile up.
const FORGETTING: usize = 64;

/// Sweeps until the shutdown: every few seconds, and when woken. A bank that is slow to answer holds up no other look: what
/// was taken is not due while it is asked for. At the end, what was asked for gets its answer.
pub(crate) async fn sweep(gateway: Arc<Gateway>, shutdown: CancellationToken) {
    if shutdown.run_until_cancelled(gateway.agreed.asked()).await.is_none() {
        return;
    }
    let mut sweeper = Sweeper {
        gateway: Arc::clone(&gateway),
        asked: JoinSet::new(),
        share: HashMap::new(),
        unreadable: HashSet::new(),
    };
    let mut looks = 0;
    loop {
        // By a clock that is ahead everything would be due: what is being authorised, and what its merchant may still verify.
        if gateway.agreed.hold().is_err() {
            if shutdown.run_until_cancelled(sleep(limits::SWEEP_EVERY)).await.is_none() {
                break;
            }
            continue;
        }
        let looked = sweeper.look().await;
        gateway.forget_old().await;
        // There is more, and room was made for it: look again at once.
        looks += usize::from(looked.expired == 0);
        let is_more = looked.full && looked.expired + looked.stepped_over > 0;
        if is_more && looks < LOOKS_AT_A_TIME && !shutdown.is_cancelled() {
            continue;
        }
        looks = 0;
        tokio::select! {
            () = gateway.sweep.notified() => {}
            () = sleep(limits::SWEEP_EVERY) => {}
            () = shutdown.cancelled() => break,
        }
    }
    while sweeper.asked.join_next().await.is_some() {}
}

struct Sweeper {
    gateway: Arc<Gateway>,
    /// Reversals in the air; each says its link at its end.
    asked: JoinSet<String>,
    /// Per link, how many of them.
    share: HashMap<String, usize>,
    /// Due rows that this release does not read.
    unreadable: HashSet<PaymentId>,
}

/// What a look found.
#[derive(Default)]
struct Looked {
    /// As many due rows as it asked for.
    full: bool,
    /// Payments that nobody paid in time.
    expired: usize,
    /// What was put off, or found unreadable for the first time.
    stepped_over: usize,
}

impl Sweeper {
    async fn look(&mut self) -> Looked {
        while let Some(ended) = self.asked.try_join_next() {
            self.give_back(ended);
        }
        let most = limits::SWEEP_ROWS + self.unreadable.len();
        let due = self.gateway.payments.store().due(Table::Payment, self.gateway.now(), most).await;
        let rows = due.unwrap_or_else(|fault| {
            tracing::error!(%fault, "cannot look for payments to reverse");
            Vec::new()
        });
        let mut looked = Looked { full: rows.len() == most, ..Looked::default() };
        let mut moving = JoinSet::new();
        for (key, row) in rows {
            let Ok(id) = key.try_into().map(PaymentId) else { continue };
            let Some(payment) = Payment::decode(&row.body) else {
                looked.stepped_over += usize::from(self.passed_over(id));
                continue;
            };
            let gateway = Arc::clone(&self.gateway);
            // Of one that nobody paid no bank is asked, so it is of no bank's share.
            let Some(link) = payment.link().map(str::to_owned) else {
                moving.spawn(async move { (gateway.put_off(id).await, true) });
                continue;
            };
            let taken = self.share.entry(link.clone()).or_default();
            if self.asked.len() >= AT_ONCE || *taken >= AT_ONE_BANK {
                moving.spawn(async move { (gateway.put_off(id).await, false) });
                continue;
            }
            *taken += 1;
            self.asked.spawn(async move {
                gateway.reverse(id).await;
                link
            });
        }
        // Side by side, and so in few commits: however many nobody paid, they hold up no reversal that is due after them.
        while let Some(moved) = moving.join_next().await {
            match moved {
                Ok((true, true)) => looked.expired += 1,
                Ok((true, false)) => looked.stepped_over += 1,
                Ok((false, _)) => {}
                Err(error) => tracing::error!(%error, "a payment's task ended badly; it stays due"),
            }
        }
        looked
    }

    /// A row that a newer release has written stays due: only that can end it. The next look finds as many more. `true`: it is new to us.
    fn passed_over(&mut self, id: PaymentId) -> bool {
        let new = self.unreadable.len() < UNREADABLE_MAX && self.unreadable.insert(id);
        if new {
            tracing::error!(payment = %id, "a payment that is due does not decode: a newer release has written it, or it is damaged");
        }
        new
    }

    /// One reversal of this link is over. A task that panicked says no link: its share is given back with the next start.
    fn give_back(&mut self, ended: Result<String, JoinError>) {
        match ended {
            Ok(link) => {
                if let Some(taken) = self.share.get_mut(&link) {
                    *taken = taken.saturating_sub(1);
                }
            }
            Err(error) => tracing::error!(%error, "a reversal's task ended badly; it stays due"),
        }
    }
}

impl Gateway {
    /// Moves a due row out of the way of others: later, or to its end if nobody paid it. `true`: it was moved.
    async fn put_off(&self, id: PaymentId) -> bool {
        let now = self.now();
        let moved = self.payments.change(id, |payment| {
            payment.put_off(now);
            Ok::<_, ()>(((), Column::Keep))
        });
        match moved.await {
            Ok(_) => true,
            Err(not) => {
                tracing::error!(payment = %id, ?not, "a reversal that must wait cannot be put off");
                false
            }
        }
    }

    async fn forget_old(&self) {
        for _ in 0..FORGETTING {
            match self.payments.store().forget(Table::Payment, self.now(), limits::SWEEP_ROWS).await {
                Ok(limits::SWEEP_ROWS) => {}
                Ok(_) => break,
                Err(fault) => {
                    tracing::error!(%fault, "cannot forget old payments");
                    break;
                }
            }
        }
    }

    async fn reverse(&self, id: PaymentId) {
        let now = self.now();
        let taken = self.payments.change(id, |payment| Ok::<_, ()>((payment.sweep(now), Column::Keep))).await;
        let (due, payment) = match taken {
            Ok((Some(taken), payment)) => (taken, payment),
            Ok((None, _)) => return,
            Err(NotChanged::Fault(fault)) => {
                tracing::error!(payment = %id, %fault, "a payment that is due cannot be taken up");
                return;
            }
            Err(NotChanged::Decided(())) => return,
        };
        match self.ask_reversal(id, &due, payment.was_approved()).await {
            Asked::Acknowledged => {
                let now = self.now();
                let done = self.payments.change(id, |payment| {
                    payment.reversed(&due, now);
                    let column = if payment.due().is_none() { Column::Remove } else { Column::Keep };
                    Ok::<_, ()>(((), column))
                });
                match done.await {
                    Ok(_) => tracing::info!(payment = %id, rrn = due.trace.rrn, "reversed"),
                    Err(not) => {
                        tracing::error!(payment = %id, ?not, "a reversal was acknowledged but not kept")
                    }
                }
            }
            Asked::NotSent => {
                let now = self.now();
                let back = self.payments.change(id, |payment| {
                    payment.not_reversed(&due, now);
                    Ok::<_, ()>(((), Column::Keep))
                });
                if let Err(not) = back.await {
                    tracing::warn!(payment = %id, ?not, "a reversal that was not sent counts as sent");
                }
            }
            Asked::NumberTaken(undo) => {
                let now = self.now();
                let renumbered = self.payments.change(id, |payment| {
                    payment.not_reversed(&due, now);
                    Ok::<_, ()>(((), Column::Put(undo.clone())))
                });
                if let Err(not) = renumbered.await {
                    tracing::error!(payment = %id, ?not, "a reversal could not be given another number");
                }
            }
            Asked::Again => {}
        }
    }

    /// An authorisation reached the bank after others had begun to reverse it: what was acknowledged may have been that it knew of none.
    /// It is reversed under another number, and so not taken for done.
    /// `approved`: it is known that money was taken.
    pub(crate) async fn reverse_anew(&self, id: PaymentId, sent: &Trace, undo: &[u8], approved: bool) {
        let undo = match self.renumbered(id, undo) {
            Ok(undo) => undo,
            Err(why) => {
                tracing::error!(payment = %id, why, "a payment that was sent late cannot be reversed anew");
                return;
            }
        };
        let now = self.now();
        let begun = self.payments.change(id, |payment| match payment.reverse_anew(sent, approved, now) {
            true => Ok(((), Column::Put(undo.clone()))),
            false => Err(()),
        });
        match begun.await {
            Ok(_) => {
                tracing::warn!(payment = %id, "a payment was sent after it was taken for undone; reversing it anew");
                self.sweep.notify_one();
            }
            Err(NotChanged::Fault(fault)) => {
                tracing::error!(payment = %id, %fault, "a payment that was sent late is not reversed anew");
            }
            Err(NotChanged::Decided(())) => {}
        }
    }

    async fn ask_reversal(&self, id: PaymentId, due: &Due, approved: bool) -> Asked {
        let (trace, before) = (&due.trace, due.before);
        let undone = match self.sealed_undo(id).await {
            Ok(sealed) => self.undo(id, &sealed).map(|undo| (sealed, undo)),
            Err(why) => Err(why),
        };
        let (sealed, undo) = match undone {
            Ok(undone) => undone,
            Err(why) => {
                tracing::error!(payment = %id, why, "a reversal cannot be made; it stays due");
                return Asked::Again;
            }
        };
        let Some(bank) = self.bank_named(&trace.link) else {
            tracing::error!(payment = %id, link = trace.link, "no such link any more; the reversal stays due");
            return Asked::NotSent;
        };
        let message = match undo.reversal(before > 0, self.now()) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(payment = %id, %error, "a reversal cannot be written; it stays due");
                return Asked::NotSent;
            }
        };
        match bank.link.ask(message, limits::HOST_TIMEOUT).await {
            Ok(answer) if answer.get(39) == Some("00") => Asked::Acknowledged,
            // Done before …
            Ok(answer) if answer.get(39) == Some("94") && before > 0 => Asked::Acknowledged,
            // … but this was the first: it is another message of this terminal's that has the number.
            Ok(answer) if answer.get(39) == Some("94") => match self.renumbered(id, &sealed) {
                Ok(undo) => Asked::NumberTaken(undo),
                Err(why) => {
                    tracing::error!(payment = %id, why, "a reversal's number is taken, and it can be given no other");
                    Asked::NotSent
                }
            },
            // It knows of no such payment. That may still be on its way to it, so this is believed only after a while; and never of one
            // that it has approved.
            Ok(answer)
                if answer.get(39) == Some("25")
                    && !approved
                    && asked_for(before) >= limits::REVERSAL_NOT_FOUND_AFTER =>
            {
                tracing::warn!(payment = %id, rrn = trace.rrn, "the bank knows nothing of what is to be reversed");
                Asked::Acknowledged
            }
            Ok(answer) => {
                let code = answer.get(39).unwrap_or("none");
                tracing::error!(payment = %id, rrn = trace.rrn, code, "a reversal was not accepted; repeating");
                Asked::Again
            }
            Err(error) => {
                tracing::warn!(payment = %id, rrn = trace.rrn, %error, "a reversal has no answer; repeating");
                if error.was_sent() { Asked::Again } else { Asked::NotSent }
            }
        }
    }

    async fn sealed_undo(&self, id: PaymentId) -> Result<Vec<u8>, String> {
        let sealed = self.payments.sealed(id, rows::REVERSAL).await.map_err(|fault| fault.to_string())?;
        sealed.ok_or_else(|| "its sealed column is gone".into())
    }

    fn undo(&self, id: PaymentId, sealed: &[u8]) -> Result<Undo, String> {
        let place = Place { row: &id.0, column: REVERSAL_COLUMN };
        let clear = self.keys.open(place, sealed).map_err(|fault| fault.to_string())?;
        Undo::decode(&clear).ok_or_else(|| "its sealed column does not decode".into())
    }

    /// The same with another trace number of our own.
    fn renumbered(&self, id: PaymentId, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let mut undo = self.undo(id, sealed)?;
        undo.renumbered(self.numbers.stan());
        let place = Place { row: &id.0, column: REVERSAL_COLUMN };
        self.keys.seal(place, &undo.encode()).map_err(|fault| fault.to_string())
    }
}

enum Asked {
    /// The bank has undone it.
    Acknowledged,
    /// Not one byte was sent.
    NotSent,
    /// The bank knows another message by its number. What is to be sent instead, sealed.
    NumberTaken(Vec<u8>),
    /// Sent, and no yes came back.
    Again,
}
