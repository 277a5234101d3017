//! The `submit_sm` of one part, as bytes: all of it but its sequence number and its `validity_period`, which are written in
//! when the part is about to go ([`Submit::aim`]).
//!
//! Encoded here and not by `rusmpp`, which would make the PDU as a value first and forget its pieces unwiped; that its
//! decoder reads the same is tested.

use std::time::Duration;

use ramz_domain::{Moment, Phone};
use rusmpp::CommandId;
use zeroize::Zeroizing;

use crate::coding::{Alphabet, Part};

/// Type of number and numbering plan (SMPP 3.4, 5.2.5 and 5.2.6).
const TON_INTERNATIONAL: u8 = 1;
const TON_NETWORK_SPECIFIC: u8 = 3;
const TON_ALPHANUMERIC: u8 = 5;
const NPI_UNKNOWN: u8 = 0;
const NPI_ISDN: u8 = 1;
/// `esm_class`: the short message starts with a user data header.
const UDHI: u8 = 0x40;
/// Where the sequence number stands.
const SEQUENCE_AT: usize = 12;
/// `YYMMDDhhmmsstnnR`, relative: nothing but hours, minutes and seconds is used.
const PERIOD_CHARS: usize = 16;
/// More than the fields before the text, so that the bytes are never moved while they hold one.
const FIELDS_BYTES_MAX: usize = 96;

/// A source address that SMPP can carry.
#[derive(Clone, Debug)]
pub(super) struct Source {
    ton: u8,
    address: String,
}

impl Source {
    /// A name of 1 to 11 characters (TON 5, NPI 0), or a line of the operator: 3 to 20 digits (TON 3, NPI 0).
    pub(super) fn parse(sender: &str) -> Option<Source> {
        let digits = sender.bytes().all(|b| b.is_ascii_digit());
        let ton = if digits { TON_NETWORK_SPECIFIC } else { TON_ALPHANUMERIC };
        let lengths = if digits { 3..=20 } else { 1..=11 };
        let plain =
            sender.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'.' | b'&'));
        (plain && lengths.contains(&sender.len())).then(|| Source { ton, address: sender.to_owned() })
    }

    /// As phones show it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

/// A `submit_sm`. Wiped on drop: it holds a text.
#[derive(Clone)]
pub(super) struct Submit {
    bytes: Zeroizing<Vec<u8>>,
    period_at: usize,
}

impl Submit {
    /// A part for a phone; `receipt` asks for a delivery receipt. `None` if it does not fit, which [`crate::coding::cut`]
    /// prevents.
    pub(super) fn new(
        source: &Source,
        to: &Phone,
        alphabet: Alphabet,
        part: &Part,
        of: usize,
        receipt: bool,
    ) -> Option<Submit> {
        let text_length = u8::try_from(part.octets.len()).ok()?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(FIELDS_BYTES_MAX + part.octets.len()));
        for word in [0, u32::from(CommandId::SubmitSm), 0, 0] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        // No service type.
        bytes.push(0);
        for (ton, npi, address) in [
            (source.ton, NPI_UNKNOWN, source.address.as_bytes()),
            (TON_INTERNATIONAL, NPI_ISDN, to.expose().as_bytes()),
        ] {
            bytes.extend_from_slice(&[ton, npi]);
            bytes.extend_from_slice(address);
            bytes.push(0);
        }
        let esm_class = if of > 1 { UDHI } else { 0 };
        // Then protocol, priority, and no schedule.
        bytes.extend_from_slice(&[esm_class, 0, 0, 0]);
        let period_at = bytes.len();
        bytes.extend_from_slice(&[0; PERIOD_CHARS + 1]);
        // Receipt, no replacing, the alphabet, no canned message.
        bytes.extend_from_slice(&[u8::from(receipt), 0, alphabet.data_coding(), 0, text_length]);
        bytes.extend_from_slice(&part.octets);
        let length = u32::try_from(bytes.len()).ok()?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        Some(Submit { bytes, period_at })
    }

    /// The bytes to write at that instant under this number. `None` if the PIN has run out: then there is nothing to
    /// write any more.
    pub(super) fn aim(&mut self, sequence: u32, now: Moment, not_after: Moment) -> Option<&[u8]> {
        let period = validity_period(now, not_after)?;
        self.bytes[SEQUENCE_AT..SEQUENCE_AT + 4].copy_from_slice(&sequence.to_be_bytes());
        self.bytes[self.period_at..self.period_at + PERIOD_CHARS].copy_from_slice(&period);
        Some(&self.bytes)
    }
}

/// Whether an SMS may still go at that instant.
pub(super) fn lives(now: Moment, not_after: Moment) -> bool {
    whole_seconds_left(now, not_after) > 0
}

fn whole_seconds_left(now: Moment, not_after: Moment) -> u64 {
    /// A day, as no PIN is good for longer; keeps the format's fields simple.
    const LONGEST: Duration = Duration::from_secs(86_399);
    not_after.since(now).min(LONGEST).as_secs()
}

/// The relative `validity_period` (SMPP 3.4, 7.1.1) until a PIN runs out, in whole seconds and never longer. `None` with
/// less than a second left.
fn validity_period(now: Moment, not_after: Moment) -> Option<[u8; PERIOD_CHARS]> {
    let left = whole_seconds_left(now, not_after);
    if left == 0 {
        return None;
    }
    let mut period = *b"000000hhmmss000R";
    for (at, value) in [(6, left / 3600), (8, left / 60 % 60), (10, left % 60)] {
        let value = u8::try_from(value).unwrap_or(99);
        period[at] = b'0' + value / 10;
        period[at + 1] = b'0' + value % 10;
    }
    Some(period)
}

#[cfg(test)]
mod tests {
    use rusmpp::{Pdu, pdus::SubmitSm};
    use tokio_util::bytes::BytesMut;
    use tokio_util::codec::Decoder as _;

    use super::*;
    use crate::smpp::pdu::FrameCodec;

    fn period(now: u64, not_after: u64) -> Option<String> {
        validity_period(Moment::from_unix_ms(now), Moment::from_unix_ms(not_after))
            .map(|p| String::from_utf8(p.to_vec()).unwrap())
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
    fn senders_are_names_or_lines_of_the_operator() {
        let ton = |sender| Source::parse(sender).map(|source| source.ton);
        assert_eq!(ton("Bank Mellat"), Some(5));
        assert_eq!((ton("30003303"), ton("30003303001234")), (Some(3), Some(3)));
        for bad in ["", "Bank Mellat 2", "بانک", "300033030000300033030", "a\nb", "12"] {
            assert_eq!(ton(bad), None, "{bad:?}");
        }
    }

    /// The PDU as another's decoder reads it.
    fn read(text: &str, receipt: bool) -> (u32, Box<SubmitSm>) {
        let cut = crate::coding::cut(text, 1).unwrap();
        let source = Source::parse("Bank Mellat").unwrap();
        let to = Phone::parse("09121234567").unwrap();
        let mut submit =
            Submit::new(&source, &to, cut.alphabet, &cut.parts[0], cut.parts.len(), receipt).unwrap();
        let (now, not_after) = (Moment::from_unix_ms(0), Moment::from_unix_ms(120_000));
        let capacity = submit.bytes.capacity();
        assert!(submit.bytes.len() <= capacity && capacity < FIELDS_BYTES_MAX + 200, "it was moved");
        let mut bytes = BytesMut::from(submit.aim(7, now, not_after).unwrap());
        let frame = FrameCodec.decode(&mut bytes).unwrap().unwrap();
        let Ok(Pdu::SubmitSm(pdu)) = frame.pdu() else { panic!("a submit_sm") };
        assert!(pdu.short_message().as_ref() == &cut.parts[0].octets[..]);
        (frame.sequence, Box::new(pdu))
    }

    #[test]
    fn flags_are_what_an_smsc_expects() {
        let (sequence, pdu) = read(&"ر".repeat(100), true);
        assert_eq!(sequence, 7);
        assert_eq!((u8::from(pdu.esm_class), u8::from(pdu.data_coding)), (0x40, 0x08));
        assert_eq!(u8::from(pdu.registered_delivery), 0x01);
        assert_eq!((u8::from(pdu.source_addr_ton), u8::from(pdu.source_addr_npi)), (5, 0));
        assert_eq!((u8::from(pdu.dest_addr_ton), u8::from(pdu.dest_addr_npi)), (1, 1));
        assert_eq!(pdu.source_addr.as_str(), "Bank Mellat");
        assert_eq!(pdu.destination_addr.as_str(), "989121234567");
        assert_eq!(pdu.validity_period.as_str(), "000000000200000R");
        let (_, pdu) = read("x", false);
        assert_eq!((u8::from(pdu.esm_class), u8::from(pdu.data_coding)), (0, 0));
        assert_eq!(u8::from(pdu.registered_delivery), 0);
    }

    #[test]
    fn what_ran_out_has_no_bytes() {
        let cut = crate::coding::cut("x", 1).unwrap();
        let (source, to) = (Source::parse("Bank").unwrap(), Phone::parse("09121234567").unwrap());
        let mut submit = Submit::new(&source, &to, cut.alphabet, &cut.parts[0], 1, true).unwrap();
        let not_after = Moment::from_unix_ms(120_000);
        assert!(submit.aim(1, Moment::from_unix_ms(119_000), not_after).is_some());
        assert!(submit.aim(2, Moment::from_unix_ms(119_001), not_after).is_none());
    }
}
