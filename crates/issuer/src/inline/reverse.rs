//! 0400 and 0420: note the reversal, commit, pass it on. It never revives a PIN.

use ramz_domain::card::{Answer, Command, Mark};
use ramz_iso8583::Message;

use super::transaction::{pan, reference_mark, reversal_mark};
use super::{Inline, Refused, reply};
use crate::engine::Found;

impl Inline {
    pub(super) async fn reverse(&self, request: Message) -> Result<Message, Refused> {
        let pan = pan(&request)?;
        // A partial reversal (DE95: the amount that stays) changes an amount, not the fact that the PIN was spent and
        // answered. Many switches send zeros in a full one.
        let full = request.get(95).is_none_or(|amounts| amounts.bytes().take(12).all(|digit| digit == b'0'));
        // Also by a number that the card had: what was paid with it can be reversed.
        if full && let Some(Found { card, .. }) = self.engine.find(&pan).await? {
            let (reversal, reference) = match (original(&request)?, reference_mark(&request)) {
                (Some(original), _) => (original, None),
                (None, Some(reference)) => (reference, Some(reference)),
                (None, None) => return Err(Refused::Format(90, "the original's data, or DE37 and DE41")),
            };
            let noted = self.engine.tell(card, Command::Reverse { reversal, reference }).await?;
            match noted {
                Answer::NotAwaited => return Err(Refused::Silence),
                // Ours is durable and goes on until the host has it: the switch need not wait for that, nor the host undo twice.
                Answer::ReversedByUs => return Ok(reply::done(&request)),
                _ => {}
            }
        }
        self.pass(&request).await
    }
}

/// DE90: type, trace number, transmission time, acquirer, forwarder.
pub(super) fn original(request: &Message) -> Result<Option<Mark>, Refused> {
    let Some(data) = request.get(90) else { return Ok(None) };
    let garbled = Refused::Format(90, "42 digits: type, trace number, time, acquirer, forwarder");
    let parts = (data.get(4..10), data.get(10..20), data.get(20..31));
    let (Some(stan), Some(transmitted), Some(acquirer)) = parts else { return Err(garbled) };
    let terminal = request.get(41).ok_or(Refused::Format(41, "the terminal"))?;
    Ok(Some(reversal_mark(stan, transmitted, acquirer, terminal)))
}
