//! Texts from phones: read, handed on, and awaited until their receiver has said what became of them.
//!
//! ```text
//!   read ── cannot be read ──────────────────────────────────────▶ ESME_ROK, unreadable
//!    └─ handed on ── nobody takes texts up, or no room ──────────▶ ESME_RX_T_APPN, later
//!         └─ awaited ── accepted ────────────────────────────────▶ ESME_ROK, taken
//!              ├─ "later", dropped without a word, or too late ──▶ ESME_RX_T_APPN, later
//!              └─ line lost: nothing is answered, and the operator delivers it again
//! ```
//!
//! Deliberately not here: putting the parts of a long text together. What is asked for in a text fits one short message.

use std::sync::Arc;

use ramz_domain::Phone;
use rusmpp::{
    CommandStatus,
    pdus::DeliverSm,
    tlvs::TlvValue,
    values::{GsmFeatures, Ton},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use super::Context;
use crate::{
    coding::{self, concat::Header},
    port::{SmsText, TEXT_AWAITED_FOR, TEXTS_AWAITED_MAX, Taken, TakenAnswer, Texted},
};

/// A temporary error of ours: the operator delivers the text again.
pub(super) const LATER: CommandStatus = CommandStatus::EsmeRxTAppn;

/// A text that was read.
pub(super) struct Text {
    from: Phone,
    to: String,
    words: SmsText,
    reference: Option<u16>,
}

/// Reads a text. `None` if its sender is no phone, its coding is none of a text, or it is a part of a longer one.
pub(super) fn read(deliver: &DeliverSm) -> Option<Text> {
    let (mut payload, mut segments, mut reference) = (None, 1, None);
    for value in deliver.tlvs().iter().filter_map(|tlv| tlv.value()) {
        match value {
            TlvValue::MessagePayload(whole) => payload = Some(whole.value.as_ref()),
            TlvValue::SarTotalSegments(total) => segments = *total,
            TlvValue::UserMessageReference(own) => reference = Some(own.value),
            _ => {}
        }
    }
    // SMPP 3.4, 5.3.2.32: either the one or the other.
    let octets: &[u8] = payload.unwrap_or_else(|| deliver.short_message());
    let with_header = matches!(
        deliver.esm_class.gsm_features,
        GsmFeatures::UdhiIndicator | GsmFeatures::SetUdhiAndReplyPath
    );
    let (header, body) = if with_header { Header::read(octets).ok()? } else { (None, octets) };
    if segments > 1 || header.is_some_and(|header| header.total > 1) {
        return None;
    }
    let from = sender(deliver)?;
    let words = SmsText::new(coding::read(u8::from(deliver.data_coding), body)?);
    let to = deliver.destination_addr.as_str().trim_end_matches('\0').to_owned();
    Some(Text { from, to, words, reference })
}

/// The phone that sent it. Names and short codes are none, though they may be all digits.
fn sender(deliver: &DeliverSm) -> Option<Phone> {
    let address = deliver.source_addr.as_str().trim_end_matches('\0');
    match deliver.source_addr_ton {
        Ton::Alphanumeric | Ton::Abbreviated | Ton::NetworkSpecific => None,
        // A national number may come without its leading 0, and would be read as one of another country.
        Ton::National if !address.starts_with('0') => Phone::parse(&format!("0{address}")).ok(),
        _ => Phone::parse(address).ok(),
    }
}

/// The texts of one line that are awaited.
pub(super) struct Texts {
    to_await: mpsc::Sender<Awaited>,
    room: Arc<Semaphore>,
}

/// A text that is handed on and not answered.
pub(super) struct Awaited {
    sequence: u32,
    answer: TakenAnswer,
    place: OwnedSemaphorePermit,
}

impl Texts {
    /// And the queue of what is to be awaited.
    pub(super) fn new() -> (Texts, mpsc::Receiver<Awaited>) {
        let (to_await, queue) = mpsc::channel(TEXTS_AWAITED_MAX);
        (Texts { to_await, room: Arc::new(Semaphore::new(TEXTS_AWAITED_MAX)) }, queue)
    }

    /// Hands a text on, if there is somebody who takes texts up, and room. Its answer is then awaited under this number.
    pub(super) fn hand_on(&self, text: Text, sequence: u32, context: &Context) -> bool {
        let Text { from, to, words, reference } = text;
        // As many places as the queue has: it is never full.
        let (Ok(place), Ok(queue)) = (self.room.clone().try_acquire_owned(), self.to_await.try_reserve())
        else {
            return false;
        };
        let (taken, answer) = Taken::awaited();
        let texted = Texted { from, to, words, reference, taken };
        let handed_on = context.texts.get().is_some_and(|receiver| receiver.try_send(texted).is_ok());
        if handed_on {
            queue.send(Awaited { sequence, answer, place });
        }
        handed_on
    }

    /// How many are awaited.
    pub(super) fn awaited(&self) -> usize {
        TEXTS_AWAITED_MAX - self.room.available_permits()
    }
}

impl Awaited {
    /// Waits until it is said what became of it: its number, whether it was accepted, and its place, to be kept until that is
    /// answered.
    pub(super) async fn answer(self) -> (u32, bool, OwnedSemaphorePermit) {
        let accepted = timeout(TEXT_AWAITED_FOR, self.answer.accepted()).await.unwrap_or(false);
        (self.sequence, accepted, self.place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp::{
        tlvs::MessageDeliveryRequestTlvValue as Tlv,
        types::{AnyOctetString, COctetString, OctetString},
        values::{DataCoding, EsmClass, MessagePayload},
    };

    use super::*;

    proptest! {
        #[test]
        fn nothing_that_an_operator_passes_on_makes_it_panic(
            esm_class: u8,
            data_coding: u8,
            ton: u8,
            from in "[+0-9 A-Za-z]{0,20}",
            octets in proptest::collection::vec(any::<u8>(), 0..=255),
            payload in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..400)),
            segments in proptest::option::of(any::<u8>()),
        ) {
            let mut deliver = DeliverSm::builder()
                .esm_class(EsmClass::from(esm_class))
                .data_coding(DataCoding::from(data_coding))
                .source_addr_ton(Ton::from(ton))
                .source_addr(COctetString::from_string(from).unwrap())
                .short_message(OctetString::from_slice(&octets).unwrap())
                .build();
            if let Some(payload) = &payload {
                deliver.push_tlv(Tlv::MessagePayload(MessagePayload::new(AnyOctetString::from_slice(payload))));
            }
            if let Some(segments) = segments {
                deliver.push_tlv(Tlv::SarTotalSegments(segments));
            }
            let in_parts = segments.is_some_and(|segments| segments > 1);
            prop_assert!(!(in_parts && read(&deliver).is_some()));
        }
    }
}
