//! The `submit_sm` of one part, but for its `validity_period`, which is made when the part is written.

use std::time::Duration;

use ramz_domain::{Moment, Phone};
use rusmpp::{
    pdus::SubmitSm,
    types::{COctetString, EmptyOrFullCOctetString, OctetString},
    values::{
        Ansi41Specific, DataCoding, EsmClass, GsmFeatures, IntermediateNotification, MCDeliveryReceipt,
        MessageType, MessagingMode, Npi, RegisteredDelivery, SmeOriginatedAcknowledgement, Ton,
    },
};
use tokio_util::bytes::Bytes;
use zeroize::Zeroizing;

use crate::coding::{Alphabet, Part};

/// A source address that SMPP can carry.
#[derive(Clone, Debug)]
pub(super) struct Source {
    ton: Ton,
    npi: Npi,
    address: COctetString<1, 21>,
}

impl Source {
    /// A name of 1 to 11 characters (TON 5, NPI 0), or a short code of 3 to 8 digits (TON 3, NPI 0).
    pub(super) fn parse(sender: &str) -> Option<Source> {
        let digits = sender.bytes().all(|b| b.is_ascii_digit());
        let ton = if digits { Ton::NetworkSpecific } else { Ton::Alphanumeric };
        let lengths = if digits { 3..=8 } else { 1..=11 };
        let plain =
            sender.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'.' | b'&'));
        if !plain || !lengths.contains(&sender.len()) {
            return None;
        }
        Some(Source { ton, npi: Npi::Unknown, address: c_octets(sender)? })
    }
}

/// The bytes with their NUL, if they fit. Wiped on drop.
pub(super) fn c_octets<const MAX: usize>(text: &str) -> Option<COctetString<1, MAX>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    COctetString::from_bytes(Bytes::from_owner(bytes)).ok()
}

/// A part for a phone. `None` if it does not fit, which [`crate::coding::cut`] prevents.
pub(super) fn submit_sm(
    source: &Source,
    to: &Phone,
    alphabet: Alphabet,
    part: &Part,
    of: usize,
) -> Option<SubmitSm> {
    let features = if of > 1 { GsmFeatures::UdhiIndicator } else { GsmFeatures::NotSelected };
    // `Ansi41Specific` must be said: its default is 0x08.
    let esm_class =
        EsmClass::new(MessagingMode::Default, MessageType::Default, Ansi41Specific::Other(0), features);
    let receipt = RegisteredDelivery::new(
        MCDeliveryReceipt::McDeliveryReceiptRequestedWhereFinalDeliveryOutcomeIsSuccessOrFailure,
        SmeOriginatedAcknowledgement::NoReceiptSmeAcknowledgementRequested,
        IntermediateNotification::NoIntermediaryNotificationRequested,
        0,
    );
    let short_message = OctetString::from_bytes(Bytes::from_owner(part.octets.clone())).ok()?;
    let pdu = SubmitSm::builder()
        .source_addr_ton(source.ton)
        .source_addr_npi(source.npi)
        .source_addr(source.address.clone())
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(c_octets(to.expose())?)
        .esm_class(esm_class)
        .registered_delivery(receipt)
        .data_coding(DataCoding::from(alphabet.data_coding()))
        .short_message(short_message);
    Some(pdu.build())
}

/// The relative `validity_period` (SMPP 3.4, 7.1.1) until a PIN runs out, in whole seconds and never longer. `None` with
/// less than a second left: then there is nothing to send any more.
pub(super) fn validity_period(now: Moment, not_after: Moment) -> Option<EmptyOrFullCOctetString<17>> {
    /// A day, as no PIN is good for longer; keeps the format's fields simple.
    const LONGEST: Duration = Duration::from_secs(86_399);
    let left = not_after.since(now).min(LONGEST).as_secs();
    if left == 0 {
        return None;
    }
    let period = format!("000000{:02}{:02}{:02}000R", left / 3600, left / 60 % 60, left % 60);
    EmptyOrFullCOctetString::from_string(period).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(now: u64, not_after: u64) -> Option<String> {
        validity_period(Moment::from_unix_ms(now), Moment::from_unix_ms(not_after))
            .map(|p| p.as_str().to_owned())
    }

    #[test]
    fn a_period_is_never_longer_than_the_pin() {
        assert_eq!(period(0, 120_000).as_deref(), Some("000000000200000R"));
        assert_eq!(period(1, 120_000).as_deref(), Some("000000000159000R"));
        assert_eq!(period(0, 3_661_999).as_deref(), Some("000000010101000R"));
        assert_eq!(period(0, 1000).as_deref(), Some("000000000001000R"));
        assert_eq!(period(0, 999), None);
        assert_eq!(period(5, 5), None);
        assert_eq!(period(6, 5), None);
        assert_eq!(period(0, u64::MAX).as_deref(), Some("000000235959000R"));
    }

    #[test]
    fn senders_are_names_or_short_codes() {
        let ton = |sender| Source::parse(sender).map(|source| u8::from(source.ton));
        assert_eq!(ton("Bank Mellat"), Some(5));
        assert_eq!(ton("30003303"), Some(3));
        for bad in ["", "Bank Mellat 2", "بانک", "300033030000", "a\nb", "12"] {
            assert_eq!(ton(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn flags_are_what_an_smsc_expects() {
        let cut = crate::coding::cut(&"ر".repeat(100), 1).unwrap();
        let source = Source::parse("Bank Mellat").unwrap();
        let to = Phone::parse("09121234567").unwrap();
        let pdu = submit_sm(&source, &to, cut.alphabet, &cut.parts[0], cut.parts.len()).unwrap();
        assert_eq!(u8::from(pdu.esm_class), 0x40);
        assert_eq!(u8::from(pdu.registered_delivery), 0x01);
        assert_eq!(u8::from(pdu.data_coding), 0x08);
        assert_eq!(pdu.destination_addr.as_str(), "989121234567");
        let cut = crate::coding::cut("x", 1).unwrap();
        let pdu = submit_sm(&source, &to, cut.alphabet, &cut.parts[0], 1).unwrap();
        assert_eq!((u8::from(pdu.esm_class), u8::from(pdu.data_coding)), (0, 0));
    }
}
