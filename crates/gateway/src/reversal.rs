//! The sweeper: whatever is in doubt or was not verified in time is reversed, until the bank has answered.
//!
//! A due row is taken by a swap that also sets when it is next due, so of several nodes one asks. The first message is 0420,
//! each later one 0421 with the same trace number. A crash at any point leaves the row due.

use std::sync::Arc;

use ramz_domain::{PaymentId, limits};
use ramz_keys::Place;
use ramz_store::Table;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    authorise::REVERSAL_COLUMN,
    gateway::Gateway,
    message::Undo,
    payment::Trace,
    rows::{self, Column, NotChanged, RowFault},
};

/// Reversals asked for at the same time. What is due beyond it waits for the next look.
const AT_ONCE: usize = 256;

/// Sweeps until the shutdown: every few seconds, and when woken. A bank that is slow to answer holds up no other look: what
/// was taken is not due while it is asked for. At the end, what was asked for gets its answer.
pub(crate) async fn sweep(gateway: Arc<Gateway>, shutdown: CancellationToken) {
    let mut asked = JoinSet::new();
    loop {
        while asked.try_join_next().is_some() {}
        match gateway.payments.store().due(Table::Payment, gateway.now(), limits::SWEEP_ROWS).await {
            Ok(rows) => {
                for (key, _) in rows.into_iter().take(AT_ONCE.saturating_sub(asked.len())) {
                    let Ok(key) = key.try_into() else { continue };
                    let gateway = Arc::clone(&gateway);
                    asked.spawn(async move { gateway.reverse(PaymentId(key)).await });
                }
            }
            Err(fault) => tracing::error!(%fault, "cannot look for payments to reverse"),
        }
        if let Err(fault) =
            gateway.payments.store().forget(Table::Payment, gateway.now(), limits::SWEEP_ROWS).await
        {
            tracing::error!(%fault, "cannot forget old payments");
        }
        tokio::select! {
            () = gateway.sweep.notified() => {}
            () = sleep(limits::SWEEP_EVERY) => {}
            () = shutdown.cancelled() => break,
        }
    }
    while asked.join_next().await.is_some() {}
}

impl Gateway {
    async fn reverse(&self, id: PaymentId) {
        let now = self.now();
        let taken = self.payments.change(id, |payment| Ok::<_, ()>((payment.sweep(now), Column::Keep))).await;
        let (trace, before) = match taken {
            Ok((Some(taken), _)) => taken,
            Ok((None, _)) => return,
            Err(NotChanged::Fault(fault)) => {
                tracing::error!(payment = %id, %fault, "a payment that is due cannot be taken up");
                return;
            }
            Err(NotChanged::Decided(())) => return,
        };
        match self.ask_reversal(id, &trace, before).await {
            Asked::Acknowledged => {
                let now = self.now();
                let done = self.payments.change(id, |payment| {
                    payment.reversed(now);
                    Ok::<_, ()>(((), Column::Remove))
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
            Asked::Again => {}
        }
    }

    async fn ask_reversal(&self, id: PaymentId, trace: &Trace, before: u32) -> Asked {
        let undo = match self.undo(id).await {
            Ok(undo) => undo,
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

    async fn undo(&self, id: PaymentId) -> Result<Undo, String> {
        let sealed =
            self.payments.sealed(id, rows::REVERSAL).await.map_err(|fault: RowFault| fault.to_string())?;
        let sealed = sealed.ok_or("its sealed column is gone")?;
        let place = Place { row: &id.0, column: REVERSAL_COLUMN };
        let clear = self.keys.open(place, &sealed).map_err(|fault| fault.to_string())?;
        Undo::decode(&clear).ok_or_else(|| "its sealed column does not decode".into())
    }
}

enum Asked {
    /// The bank has undone it.
    Acknowledged,
    /// Not one byte was sent.
    NotSent,
    /// Sent, and no yes came back.
    Again,
}
