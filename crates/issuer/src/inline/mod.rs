//! Inline between switch and card host (ISO 8583): what carries a second PIN is decided here, the rest passes through.
//!
//! ```text
//!   switch ─0200─▶ [known? slot? kind?] ─▶ engine: spend ─committed─▶ host ─0210─▶ engine: note ─committed─▶ switch
//!                                              └─ refuse ─committed──────────────────────────────────────▶ switch
//! ```
//!
//! DE48 tag 02 ("PIN verified") is only ever set here: it is stripped from every message that comes in.

mod authorise;
mod in_flight;
mod reply;
mod reverse;
mod terminal;
mod transaction;

use std::sync::Arc;

use async_trait::async_trait;
use ramz_api::net::Peer;
use ramz_domain::{Refusal, limits};
use ramz_iso8583::de48::{self, Tags};
use ramz_iso8583::{Message, Mti};
use ramz_keys::{PinBlock, PinBlockFormat};
use ramz_link::{Answer, AskError, Link};
use ramz_store::StoreFault;
use zeroize::Zeroizing;

use crate::config::OnSilence;
use crate::counts::Counts;
use crate::engine::{Engine, EngineFault};
use in_flight::InFlight;
pub use terminal::BankAtTerminal;

/// The door for the switch.
pub struct Inline {
    /// What decides.
    pub engine: Arc<Engine>,
    /// The card host.
    pub host: Arc<Link>,
    /// What was answered.
    pub counts: Arc<Counts>,
    /// Under whose key PIN blocks come in.
    pub switch_zone: Zone,
    /// Under whose key they go on.
    pub host_zone: Zone,
    /// What the switch is told when the host was asked and is silent.
    pub on_silence: OnSilence,
    /// What the bank's terminals say of it.
    pub bank: BankAtTerminal,
    in_flight: InFlight,
}

/// A zone PIN key and the PIN block format used with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// Its name in the key file.
    pub name: String,
    /// ISO 9564-1 format.
    pub format: PinBlockFormat,
}

/// Why a message gets no ordinary answer.
enum Refused {
    /// A refusal of the table.
    No(Refusal),
    /// The sender broke the grammar: which field, and what was expected.
    Format(u8, &'static str),
    /// Our side failed.
    Fault(EngineFault),
    /// Silence: the host was asked, what it did is not known, and no reversal of ours is on its way. The switch reverses.
    Silence,
}

impl From<EngineFault> for Refused {
    fn from(fault: EngineFault) -> Refused {
        match fault {
            EngineFault::PinBlock(_) => Refused::Format(52, "a PIN block under the zone's key"),
            EngineFault::Busy => Refused::No(Refusal::TooOften),
            EngineFault::NoCard => Refused::No(Refusal::NoSuchCard),
            // A database that fails over, or is full: no host was asked.
            EngineFault::Store(StoreFault::Unavailable(why)) => {
                tracing::error!(%why, "an authorisation is refused: the store is away");
                Refused::No(Refusal::IssuerInoperative)
            }
            EngineFault::ClockOff(_) => Refused::No(Refusal::IssuerInoperative),
            fault => Refused::Fault(fault),
        }
    }
}

impl Inline {
    /// The door, over its parts.
    pub fn new(
        engine: Arc<Engine>,
        host: Arc<Link>,
        counts: Arc<Counts>,
        switch_zone: Zone,
        host_zone: Zone,
        on_silence: OnSilence,
        bank: BankAtTerminal,
    ) -> Inline {
        let in_flight = InFlight::default();
        Inline { engine, host, counts, switch_zone, host_zone, on_silence, bank, in_flight }
    }

    async fn answered(&self, request: &Message) -> Result<Message, Refused> {
        let mut request = request.clone();
        let tags =
            de48::of(&request).map_err(|_| Refused::Format(48, "tagged values TTLLLvalue, each tag once"));
        let mut tags = match tags {
            Ok(tags) => tags,
            Err(refused) => return self.in_part(&request, None, refused).await,
        };
        if tags.remove(de48::PIN_VERIFIED) {
            put(&tags, &mut request)?;
        }
        match request.mti().first() {
            Mti::AUTHORISATION | Mti::FINANCIAL => self.authorise(request, tags).await,
            Mti::REVERSAL | Mti::REVERSAL_ADVICE => self.reverse(request).await,
            Mti::ADMINISTRATIVE => self.serve(&request).await,
            // What has happened already, too: an advice asks for nothing that could be refused.
            _ => {
                if request.has(52) {
                    let pan = transaction::pan(&request)?;
                    self.translate_pin(&mut request, &pan)?;
                }
                self.pass(&request).await
            }
        }
    }

    /// Asks the host for what is not ours, and relays its answer.
    async fn pass(&self, request: &Message) -> Result<Message, Refused> {
        match self.host.ask(request.clone(), limits::HOST_TIMEOUT).await {
            Ok(answer) => relayed(answer),
            Err(error) if error.was_sent() => Err(Refused::Silence),
            // The same message is at the host already, and what comes of it will be told to who asked first.
            Err(AskError::Duplicate) => Err(Refused::Silence),
            Err(_) => Err(unasked(request)),
        }
    }
}

/// What field 90 of a reversal names its original by.
pub(crate) fn original_mark(reversal: &Message) -> Option<ramz_domain::card::Mark> {
    Some(reverse::Original::read(reversal).ok().flatten()?.mark())
}

/// The host could not be asked.
fn unasked(request: &Message) -> Refused {
    if request.mti().is_better_unanswered() {
        Refused::Silence
    } else {
        Refused::No(Refusal::IssuerInoperative)
    }
}

/// The host's answer as it goes on: what only we may say is taken out.
fn relayed(mut answer: Message) -> Result<Message, Refused> {
    if let Ok(mut tags) = de48::of(&answer)
        && tags.remove(de48::PIN_VERIFIED)
    {
        put(&tags, &mut answer)?;
    }
    Ok(answer)
}

fn put(tags: &Tags, message: &mut Message) -> Result<(), Refused> {
    tags.put_into(message).map_err(|_| Refused::Format(48, "tagged values that fit the field"))
}

#[async_trait]
impl Answer for Inline {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        let answer = match self.answered(&request).await {
            Ok(answer) => answer,
            Err(Refused::No(refusal)) => reply::refusal(&request, refusal),
            Err(Refused::Format(field, expected)) if request.mti().is_better_unanswered() => {
                let mti = request.mti();
                tracing::error!(%mti, field, expected, "a message that a refusal would settle cannot be read; no answer");
                self.counts.answered("silence");
                return None;
            }
            Err(Refused::Format(field, expected)) => reply::format_error(&request, field, expected),
            Err(Refused::Fault(fault)) => {
                tracing::error!(%fault, "an authorisation failed");
                reply::refusal(&request, Refusal::Malfunction)
            }
            Err(Refused::Silence) => {
                self.counts.answered("silence");
                return None;
            }
        };
        self.counts.answered(answer.get(39).unwrap_or(""));
        Some(answer)
    }
}

/// DE52 as a PIN block of a zone's format.
fn pin_block(request: &Message, zone: &Zone) -> Option<PinBlock> {
    let bytes = request.bytes(52)?;
    Some(PinBlock { format: zone.format, bytes: Zeroizing::new(bytes.to_vec()) })
}
