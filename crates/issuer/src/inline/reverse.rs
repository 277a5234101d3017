//! 0400 and 0420: note the reversal, commit, pass it on. It never revives a PIN.

use ramz_domain::CardId;
use ramz_domain::card::{Answer, Command, Mark, Reversal};
use ramz_iso8583::Message;

use super::transaction::{message_mark, pan, reference_mark, reversal_mark, trace_mark};
use super::{Inline, Refused, reply};
use crate::engine::{EngineFault, Found};
use crate::undo::NOT_FOUND;

/// What a reversal says of its original: field 90, and the terminal.
pub(super) struct Original<'a> {
    stan: &'a str,
    transmitted: &'a str,
    acquirer: &'a str,
    terminal: &'a str,
}

impl<'a> Original<'a> {
    /// DE90: type, trace number, transmission time, acquirer, forwarder.
    pub(super) fn read(request: &'a Message) -> Result<Option<Original<'a>>, Refused> {
        let Some(data) = request.get(90) else { return Ok(None) };
        let garbled = Refused::Format(90, "42 digits: type, trace number, time, acquirer, forwarder");
        let parts = (data.get(4..10), data.get(10..20), data.get(20..31));
        let (Some(stan), Some(transmitted), Some(acquirer)) = parts else { return Err(garbled) };
        let terminal = request.get(41).ok_or(Refused::Format(41, "the terminal"))?;
        Ok(Some(Original { stan, transmitted, acquirer, terminal }))
    }

    pub(super) fn mark(&self) -> Mark {
        self.sent_at(self.transmitted)
    }

    /// Whenever it was sent.
    fn trace(&self) -> Mark {
        trace_mark(self.stan, self.acquirer, self.terminal)
    }

    fn sent_at(&self, transmitted: &str) -> Mark {
        reversal_mark(self.stan, transmitted, self.acquirer, self.terminal)
    }
}

impl Inline {
    pub(super) async fn reverse(&self, request: Message) -> Result<Message, Refused> {
        let named = request.bytes(90).map(<[u8]>::to_vec);
        let mut answer = self.reversed(request).await?;
        // To the switch its original is what it called it.
        if let Some(named) = named.filter(|_| answer.has(90)) {
            answer.set(90, named);
        }
        Ok(answer)
    }

    async fn reversed(&self, mut request: Message) -> Result<Message, Refused> {
        let pan = pan(&request)?;
        // A partial reversal (DE95: the amount that stays) changes an amount, not the fact that the PIN was spent and
        // answered. Many switches send zeros in a full one.
        let full = request.get(95).is_none_or(|amounts| amounts.bytes().take(12).all(|digit| digit == b'0'));
        // Also by a number that the card had: what was paid with it can be reversed.
        let Some(Found { card, .. }) = self.engine.find(&pan).await.map_err(to_come_again)? else {
            return self.pass(&request).await;
        };
        match self.first_message(card, &request).await {
            Ok(Some(first)) => request.set(90, first),
            // What a partial one calls its original by is the host's matter.
            Err(Refused::Format(..)) if !full => {}
            read => _ = read?,
        }
        if !full {
            return self.pass(&request).await;
        }
        let (original, trace, reference) = match (Original::read(&request)?, reference_mark(&request)) {
            (Some(original), _) => (original.mark(), Some(original.trace()), None),
            (None, Some(reference)) => (reference, None, Some(reference)),
            (None, None) => return Err(Refused::Format(90, "the original's data, or DE37 and DE41")),
        };
        let reversal = Reversal { original, trace, reference, itself: message_mark(&request) };
        let noted = self.engine.tell(card, Command::Reverse(reversal)).await;
        match noted.map_err(to_come_again)? {
            Answer::NotAwaited => Err(Refused::Silence),
            // Ours is durable and goes on until the host has it: the switch need not wait for that, nor the host undo twice.
            Answer::ReversedByUs => Ok(reply::done(&request)),
            Answer::Reversed { asked: true, .. } => self.pass_until_found(&request).await,
            _ => self.pass(&request).await,
        }
    }

    /// It may have overtaken its payment, and that be approved when it comes: a host that does not find it is not believed yet. The
    /// switch hears nothing and sends it again.
    async fn pass_until_found(&self, request: &Message) -> Result<Message, Refused> {
        let answer = self.pass(request).await?;
        if answer.get(39) == Some(NOT_FOUND) {
            tracing::warn!(
                "the card host does not find a payment that it was asked about: its reversal is to come again"
            );
            return Err(Refused::Silence);
        }
        Ok(answer)
    }

    /// Field 90, of the payment's first message: a repeat has a transmission time of its own, and a switch may name that. The card and
    /// its host know the payment by the first's. `None` if there is nothing to set right.
    async fn first_message(&self, card: CardId, request: &Message) -> Result<Option<String>, Refused> {
        let Some(original) = Original::read(request)? else { return Ok(None) };
        let Some(state) = self.engine.look(card).await.map_err(to_come_again)? else { return Ok(None) };
        let mut sent = state.sent().map(|(mark, time)| (mark, format!("{time:010}")));
        if state.sent().any(|(mark, _)| mark == original.mark()) {
            return Ok(None);
        }
        let first = sent.find(|(mark, time)| original.sent_at(time) == *mark);
        let data = request.get(90).unwrap_or_default();
        Ok(first.map(|(_, time)| format!("{}{time}{}", &data[..10], &data[20..])))
    }
}

/// Whatever it says, an answer acknowledges a reversal: a switch that has one may drop it, and the debit stands. Without one it comes
/// again.
fn to_come_again(fault: EngineFault) -> Refused {
    tracing::error!(%fault, "a reversal could not be dealt with, and is to come again");
    Refused::Silence
}
