//! 0400 and 0420: note the reversal, commit, pass it on. It never revives a PIN.

use ramz_domain::card::{Command, Mark};
use ramz_iso8583::Message;

use super::transaction::{pan, reference_mark, reversal_mark};
use super::{Inline, Refused};

impl Inline {
    pub(super) async fn reverse(&self, request: Message) -> Result<Message, Refused> {
        let pan = pan(&request)?;
        // A partial reversal (DE95) changes an amount, not the fact that the PIN was spent and answered.
        let full = !request.has(95);
        if full && let Some(card) = self.engine.find(&pan).await? {
            let reference = reference_mark(&request);
            let original = original(&request)?;
            let Some(reversal) = original.or(reference) else {
                return Err(Refused::Format(90, "the original's data, or DE37 and DE41"));
            };
            self.engine.tell(card, Command::Reverse { reversal, reference }).await?;
        }
        self.pass(&request).await
    }
}

/// DE90: type, trace number, transmission time, acquirer, forwarder.
fn original(request: &Message) -> Result<Option<Mark>, Refused> {
    let Some(data) = request.get(90) else { return Ok(None) };
    let garbled = Refused::Format(90, "42 digits: type, trace number, time, acquirer, forwarder");
    let parts = (data.get(4..10), data.get(10..20), data.get(20..31));
    let (Some(stan), Some(transmitted), Some(acquirer)) = parts else { return Err(garbled) };
    let terminal = request.get(41).ok_or(Refused::Format(41, "the terminal"))?;
    Ok(Some(reversal_mark(stan, transmitted, acquirer, terminal)))
}
