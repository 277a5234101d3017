//! What the SMSC sends to a bank: delivery receipts, and texts from phones.

use ramz_domain::{Moment, Phone, card::ReceiptState};
use ramz_sms::coding::{Cut, Part};
use rusmpp::{
    pdus::{DeliverSm, SubmitSm},
    tlvs::MessageDeliveryRequestTlvValue,
    types::{COctetString, OctetString},
    values::{
        Ansi41Specific, DataCoding, EsmClass, GsmFeatures, MessageState, MessageType, MessagingMode, Npi,
        Ton, UserMessageReference,
    },
};

use crate::handsets::time;

/// The receipt of a short message, in the words of SMPP 3.4, appendix B; without the text, whatever others put there.
pub(super) fn receipt(of: &SubmitSm, id: &str, told: ReceiptState, at: Moment) -> Option<DeliverSm> {
    let (stat, delivered, state) = match told {
        ReceiptState::Delivered => ("DELIVRD", 1, MessageState::Delivered),
        ReceiptState::Expired => ("EXPIRED", 0, MessageState::Expired),
        ReceiptState::Undeliverable => ("UNDELIV", 0, MessageState::Undeliverable),
        ReceiptState::Rejected => ("REJECTD", 0, MessageState::Rejected),
        ReceiptState::Unknown => ("UNKNOWN", 0, MessageState::Unknown),
    };
    let date = time::receipt_date(at);
    let words = format!(
        "id:{id} sub:001 dlvrd:{delivered:03} submit date:{date} done date:{date} stat:{stat} err:000 text:"
    );
    let receipt = DeliverSm::builder()
        .source_addr_ton(of.dest_addr_ton)
        .source_addr_npi(of.dest_addr_npi)
        .source_addr(of.destination_addr.clone())
        .dest_addr_ton(of.source_addr_ton)
        .dest_addr_npi(of.source_addr_npi)
        .destination_addr(of.source_addr.clone())
        .esm_class(esm_class(MessageType::ShortMessageContainsMCDeliveryReceipt, GsmFeatures::NotSelected))
        .short_message(OctetString::from_string(words).ok()?)
        .push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(
            COctetString::from_string(id.to_owned()).ok()?,
        ))
        .push_tlv(MessageDeliveryRequestTlvValue::MessageState(state));
    Some(receipt.build())
}

/// A part of a text from a phone to a short code, under the phone's own reference of it.
pub(super) fn text(
    from: &Phone,
    short_code: &str,
    cut: &Cut,
    part: &Part,
    reference: u16,
) -> Option<DeliverSm> {
    let features = if cut.parts.len() > 1 { GsmFeatures::UdhiIndicator } else { GsmFeatures::NotSelected };
    let deliver = DeliverSm::builder()
        .source_addr_ton(Ton::International)
        .source_addr_npi(Npi::Isdn)
        .source_addr(COctetString::from_string(from.expose().to_owned()).ok()?)
        .dest_addr_ton(Ton::NetworkSpecific)
        .dest_addr_npi(Npi::Unknown)
        .destination_addr(COctetString::from_string(short_code.to_owned()).ok()?)
        .esm_class(esm_class(MessageType::Default, features))
        .data_coding(DataCoding::from(cut.alphabet.data_coding()))
        .short_message(OctetString::from_slice(&part.octets).ok()?)
        .push_tlv(MessageDeliveryRequestTlvValue::UserMessageReference(UserMessageReference::new(reference)));
    Some(deliver.build())
}

/// `Ansi41Specific` must be said: its default is 0x08.
fn esm_class(message_type: MessageType, features: GsmFeatures) -> EsmClass {
    EsmClass::new(MessagingMode::Default, message_type, Ansi41Specific::Other(0), features)
}
