//! What a `deliver_sm` is: a receipt, word that a message is on its way, or a text from a phone.
//!
//! Only what a phone cannot set makes a receipt: the message type in `esm_class` (SMPP 3.4, 5.2.12), or the two parameters
//! `receipted_message_id` and `message_state`. Words alone never do, however well they look like appendix B: a phone can send
//! words. An operator who sets neither has its receipts taken for texts.

use ramz_domain::{Phone, card::ReceiptState};
use rusmpp::{
    pdus::DeliverSm,
    tlvs::TlvValue,
    values::{MessageState, MessageType},
};

use crate::{coding, port::Receipt};

/// Characters of an id; SMPP's own bound.
const ID_CHARS_MAX: usize = 64;

/// What a `deliver_sm` is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Inbound {
    /// The end of a short message.
    Receipt(Receipt),
    /// A receipt that is not the end: accepted, on its way. Or one that names neither message nor phone.
    OnTheWay,
    /// Something that a phone sent.
    Text,
}

/// Tells what it is. `sender` is ours.
pub(super) fn read(deliver: &DeliverSm, sender: &str) -> Inbound {
    let (mut id_apart, mut state_apart) = (None, None);
    for value in deliver.tlvs().iter().filter_map(|tlv| tlv.value()) {
        match value {
            TlvValue::ReceiptedMessageId(id) => id_apart = Some(id.as_str().trim_end_matches('\0')),
            TlvValue::MessageState(state) => state_apart = Some(*state),
            _ => {}
        }
    }
    let by_type = match deliver.esm_class.message_type {
        MessageType::ShortMessageContainsMCDeliveryReceipt => true,
        MessageType::ShortMessageContainsIntermediateDeliveryNotification => return Inbound::OnTheWay,
        _ => false,
    };
    if !by_type && (id_apart.is_none() || state_apart.is_none()) {
        return Inbound::Text;
    }
    let words = words(deliver);
    let state = match state_apart {
        Some(state) => by_number(state),
        None => field(&words, "stat:").and_then(by_word),
    };
    let mut message_ids = Vec::new();
    for id in [id_apart, field(&words, "id:")].into_iter().flatten() {
        let plain = (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        if plain && !message_ids.iter().any(|known| known == id) {
            message_ids.push(id.to_owned());
        }
    }
    // A receipt comes from the phone; some operators leave the addresses as they were in the submit_sm. A sender that is a number reads
    // as a phone's.
    let phone = [&deliver.source_addr, &deliver.destination_addr]
        .map(|address| address.as_str().trim_end_matches('\0'))
        .into_iter()
        .filter(|address| *address != sender)
        .find_map(|address| Phone::parse(address).ok());
    match (state, phone) {
        (Some(state), Some(phone)) if !message_ids.is_empty() => {
            Inbound::Receipt(Receipt { message_ids, phone, state })
        }
        _ => Inbound::OnTheWay,
    }
}

/// The words of a receipt; nothing if they are in a coding that is none of a text.
fn words(deliver: &DeliverSm) -> String {
    let octets: &[u8] = deliver.short_message();
    let coded = coding::read(u8::from(deliver.data_coding), octets).filter(|words| words.contains("id:"));
    // Many operators send ASCII whatever they say it is.
    coded.or_else(|| std::str::from_utf8(octets).ok().map(str::to_owned)).unwrap_or_default()
}

/// The value after a label of appendix B, up to the next space. The label is a word of its own.
fn field<'a>(words: &'a str, label: &str) -> Option<&'a str> {
    words.split_ascii_whitespace().find_map(|word| {
        let (name, value) = word.split_at_checked(label.len())?;
        name.eq_ignore_ascii_case(label).then_some(value)
    })
}

/// Appendix B's states. `None` if it is not the end of the message.
fn by_word(word: &str) -> Option<ReceiptState> {
    match word.to_ascii_uppercase().as_str() {
        "DELIVRD" => Some(ReceiptState::Delivered),
        "EXPIRED" => Some(ReceiptState::Expired),
        "UNDELIV" | "DELETED" => Some(ReceiptState::Undeliverable),
        "REJECTD" => Some(ReceiptState::Rejected),
        "ACCEPTD" | "ENROUTE" => None,
        _ => Some(ReceiptState::Unknown),
    }
}

/// The same as a number (5.3.2.35).
fn by_number(state: MessageState) -> Option<ReceiptState> {
    match state {
        MessageState::Delivered => Some(ReceiptState::Delivered),
        MessageState::Expired => Some(ReceiptState::Expired),
        MessageState::Undeliverable | MessageState::Deleted => Some(ReceiptState::Undeliverable),
        MessageState::Rejected => Some(ReceiptState::Rejected),
        MessageState::Scheduled | MessageState::Enroute | MessageState::Accepted => None,
        _ => Some(ReceiptState::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use rusmpp::{
        tlvs::MessageDeliveryRequestTlvValue as Tlv,
        types::{COctetString, OctetString},
        values::{DataCoding, EsmClass},
    };

    use super::*;

    const PHONE: &str = "989121234567";
    const SENDER: &str = "30003303";

    fn tell(deliver: &DeliverSm) -> Inbound {
        read(deliver, SENDER)
    }

    fn deliver(esm_class: u8, words: &[u8]) -> DeliverSm {
        DeliverSm::builder()
            .esm_class(EsmClass::from(esm_class))
            .source_addr(COctetString::from_string(PHONE.into()).unwrap())
            .destination_addr(COctetString::from_string("Bank Mellat".into()).unwrap())
            .short_message(OctetString::from_slice(words).unwrap())
            .build()
    }

    fn apart(mut deliver: DeliverSm, id: Option<&str>, state: Option<MessageState>) -> DeliverSm {
        if let Some(id) = id {
            deliver.push_tlv(Tlv::ReceiptedMessageId(COctetString::from_string(id.into()).unwrap()));
        }
        if let Some(state) = state {
            deliver.push_tlv(Tlv::MessageState(state));
        }
        deliver
    }

    fn receipt(ids: &[&str], state: ReceiptState) -> Inbound {
        let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Inbound::Receipt(Receipt { message_ids, phone: Phone::parse(PHONE).unwrap(), state })
    }

    fn words_of(stat: &str) -> Vec<u8> {
        format!("id:0A7f sub:001 dlvrd:001 submit date:2311141431 done date:2311141431 stat:{stat} err:000 text:رمز")
            .into_bytes()
    }

    #[test]
    fn every_state_of_appendix_b() {
        use ReceiptState::{Delivered, Expired, Rejected, Undeliverable, Unknown};
        for (stat, state) in [
            ("DELIVRD", Some(Delivered)),
            ("EXPIRED", Some(Expired)),
            ("UNDELIV", Some(Undeliverable)),
            ("DELETED", Some(Undeliverable)),
            ("REJECTD", Some(Rejected)),
            ("UNKNOWN", Some(Unknown)),
            ("WHATEVR", Some(Unknown)),
            ("delivrd", Some(Delivered)),
            ("ACCEPTD", None),
            ("ENROUTE", None),
        ] {
            let expect = state.map_or(Inbound::OnTheWay, |state| receipt(&["0A7f"], state));
            assert_eq!(tell(&deliver(0x04, &words_of(stat))), expect, "{stat}");
        }
    }

    #[test]
    fn parameters_lead_and_words_follow() {
        let both =
            apart(deliver(0x04, &words_of("DELIVRD")), Some("2687"), Some(MessageState::Undeliverable));
        assert_eq!(tell(&both), receipt(&["2687", "0A7f"], ReceiptState::Undeliverable));
        let bare = apart(deliver(0x00, b""), Some("2687"), Some(MessageState::Delivered));
        assert_eq!(tell(&bare), receipt(&["2687"], ReceiptState::Delivered), "without the message type");
        let on = apart(deliver(0x04, b""), Some("2687"), Some(MessageState::Enroute));
        assert_eq!(tell(&on), Inbound::OnTheWay);
    }

    #[test]
    fn words_alone_make_no_receipt() {
        for (esm_class, id) in [(0x00, None), (0x40, None), (0x00, Some("2687")), (0x08, None), (0x10, None)]
        {
            let texted = apart(deliver(esm_class, &words_of("DELIVRD")), id, None);
            assert_eq!(tell(&texted), Inbound::Text, "{esm_class:#04x} {id:?}");
        }
        assert_eq!(tell(&deliver(0x20, &words_of("DELIVRD"))), Inbound::OnTheWay);
    }

    #[test]
    fn shapes_that_operators_send() {
        let utf16: Vec<u8> = "id:77 stat:DELIVRD".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut ucs2 = deliver(0x04, &utf16);
        ucs2.data_coding = DataCoding::from(0x08);
        assert_eq!(tell(&ucs2), receipt(&["77"], ReceiptState::Delivered));
        let mut swapped = deliver(0x04, &words_of("DELIVRD"));
        std::mem::swap(&mut swapped.source_addr, &mut swapped.destination_addr);
        assert_eq!(tell(&swapped), receipt(&["0A7f"], ReceiptState::Delivered));
        // And with a sender that would read as a phone.
        swapped.source_addr = COctetString::from_string(SENDER.into()).unwrap();
        assert!(Phone::parse(SENDER).is_ok());
        assert_eq!(tell(&swapped), receipt(&["0A7f"], ReceiptState::Delivered));
        // "msgid:" is another label; without a message there is nothing to receipt.
        for words in ["msgid:5 stat:DELIVRD", "", "id: stat:DELIVRD", "sub:001 stat:DELIVRD"] {
            assert_eq!(tell(&deliver(0x04, words.as_bytes())), Inbound::OnTheWay, "{words}");
        }
    }
}
