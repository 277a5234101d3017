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
    payment::{Payment, Trace, asked_for},
    rows::{self, Column, NotChanged},
};

/// Reversals asked for at the same time. What is due beyond it is put off.
const AT_ONCE: usize = 256;
/// Of them, over one link: four banks may be dead before a fifth's are put off for them.
const AT_ONE_BANK: usize = 64;
/// Looks without a pause, while each finds as many due rows as one look takes and puts some off. What was put off is due
/// later than what was not come to, so nobody is passed over twice.
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
    let mut asked = JoinSet::new();
    // Per link, how many of them.
    let mut share: HashMap<String, usize> = HashMap::new();
    let mut unreadable = HashSet::new();
    let mut looks = 0;
    loop {
        while let Some(ended) = asked.try_join_next() {
            give_back(&mut share, ended);
        }
        // By a clock that is ahead everything would be due: what is being authorised, and what its merchant may still verify.
        if gateway.agreed.hold().is_err() {
            if shutdown.run_until_cancelled(sleep(limits::SWEEP_EVERY)).await.is_none() {
                break;
            }
            continue;
        }
        let mut put_off = 0;
        let mut full = false;
        let most = limits::SWEEP_ROWS + unreadable.len();
        match gateway.payments.store().due(Table::Payment, gateway.now(), most).await {
            Ok(rows) => {
                full = rows.len() == most;
                for (key, row) in rows {
                    let Ok(id) = key.try_into().map(PaymentId) else { continue };
                    let Some(payment) = Payment::decode(&row.body) else {
                        put_off += usize::from(passed_over(&mut unreadable, id));
                        continue;
                    };
                    let link = payment.link().map(str::to_owned).unwrap_or_default();
                    let taken = share.entry(link.clone()).or_default();
                    if asked.len() >= AT_ONCE || *taken >= AT_ONE_BANK {
                        put_off += usize::from(gateway.put_off(id).await);
                        continue;
                    }
                    *taken += 1;
                    let gateway = Arc::clone(&gateway);
                    asked.spawn(async move {
                        gateway.reverse(id).await;
                        link
                    });
                }
            }
            Err(fault) => tracing::error!(%fault, "cannot look for payments to reverse"),
        }
        for _ in 0..FORGETTING {
            match gateway.payments.store().forget(Table::Payment, gateway.now(), limits::SWEEP_ROWS).await {
                Ok(limits::SWEEP_ROWS) => {}
                Ok(_) => break,
                Err(fault) => {
                    tracing::error!(%fault, "cannot forget old payments");
                    break;
                }
            }
        }
        // There is more, and room was made for it: look again at once.
        looks += 1;
        if full && put_off > 0 && looks < LOOKS_AT_A_TIME && !shutdown.is_cancelled() {
            continue;
        }
        looks = 0;
        tokio::select! {
            () = gateway.sweep.notified() => {}
            () = sleep(limits::SWEEP_EVERY) => {}
            () = shutdown.cancelled() => break,
        }
    }
    while asked.join_next().await.is_some() {}
}

/// A row that a newer release has written stays due: only that can end it. The next look finds as many more. `true`: it is new to us.
fn passed_over(unreadable: &mut HashSet<PaymentId>, id: PaymentId) -> bool {
    let new = unreadable.len() < UNREADABLE_MAX && unreadable.insert(id);
    if new {
        tracing::error!(payment = %id, "a payment that is due does not decode: a newer release has written it, or it is damaged");
    }
    new
}

/// One reversal of this link is over. A task that panicked says no link: its share is given back with the next start.
fn give_back(share: &mut HashMap<String, usize>, ended: Result<String, JoinError>) {
    match ended {
        Ok(link) => {
            if let Some(taken) = share.get_mut(&link) {
                *taken = taken.saturating_sub(1);
            }
        }
        Err(error) => tracing::error!(%error, "a reversal's task ended badly; it stays due"),
    }
}

impl Gateway {
    /// Moves a due row out of the way of others. `true`: it was moved.
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

    async fn reverse(&self, id: PaymentId) {
        let now = self.now();
        let taken = self.payments.change(id, |payment| Ok::<_, ()>((payment.sweep(now), Column::Keep))).await;
        let ((trace, before), payment) = match taken {
            Ok((Some(taken), payment)) => (taken, payment),
            Ok((None, _)) => return,
            Err(NotChanged::Fault(fault)) => {
                tracing::error!(payment = %id, %fault, "a payment that is due cannot be taken up");
                return;
            }
            Err(NotChanged::Decided(())) => return,
        };
        match self.ask_reversal(id, &trace, before, payment.was_approved()).await {
            Asked::Acknowledged => {
                let now = self.now();
                let done = self.payments.change(id, |payment| {
                    payment.reversed(before, now);
                    let column = if payment.due().is_none() { Column::Remove } else { Column::Keep };
                    Ok::<_, ()>(((), column))
                });
                match done.await {
                    Ok(_) => tracing::info!(payment = %id, rrn = trace.rrn, "reversed"),
                    Err(not) => {
                        tracing::error!(payment = %id, ?not, "a reversal was acknowledged but not kept")
                    }
                }
            }
            Asked::NotSent => {
                let now = self.now();
                let back = self.payments.change(id, |payment| {
                    payment.not_reversed(before, now);
                    Ok::<_, ()>(((), Column::Keep))
                });
                if let Err(not) = back.await {
                    tracing::warn!(payment = %id, ?not, "a reversal that was not sent counts as sent");
                }
            }
            Asked::NumberTaken(undo) => {
                let now = self.now();
                let renumbered = self.payments.change(id, |payment| {
                    payment.not_reversed(before, now);
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
    pub(crate) async fn reverse_anew(&self, id: PaymentId, sent: &Trace, undo: &[u8]) {
        let undo = match self.renumbered(id, undo) {
            Ok(undo) => undo,
            Err(why) => {
                tracing::error!(payment = %id, why, "a payment that was sent late cannot be reversed anew");
                return;
            }
        };
        let now = self.now();
        let begun = self.payments.change(id, |payment| match payment.reverse_anew(sent, now) {
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

    async fn ask_reversal(&self, id: PaymentId, trace: &Trace, before: u32, approved: bool) -> Asked {
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
