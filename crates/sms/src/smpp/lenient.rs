//! A `deliver_sm` whose optional parameters are not as the standard has them: octets too many at the end, strings without their NUL,
//! lengths that other parameters may not have. SMSCs send such, and what is refused they send again, for ever. So what does not decode
//! is cut at the end of its mandatory part, and of the parameters those are put back that are read here, as they should be.

use rusmpp::tlvs::TlvTag;

/// Octets of `receipted_message_id` with its NUL (SMPP 3.4, 5.3.2.12).
const ID_OCTETS_MAX: usize = 65;

/// The body, as it should have been. `None` if its mandatory part is no `deliver_sm`'s.
pub(super) fn mended(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body;
    string(&mut rest)?; // service_type
    for _ in 0..2 {
        octets(&mut rest, 2)?; // ton, npi
        string(&mut rest)?; // source_addr, destination_addr
    }
    octets(&mut rest, 3)?; // esm_class, protocol_id, priority_flag
    string(&mut rest)?; // schedule_delivery_time
    string(&mut rest)?; // validity_period
    octets(&mut rest, 4)?; // registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
    let length = usize::from(*octets(&mut rest, 1)?.first()?);
    octets(&mut rest, length)?;
    let mut mended = body.get(..body.len() - rest.len())?.to_vec();
    while let Some((tag, value)) = parameter(&mut rest) {
        let Some(value) = as_it_should_be(tag, value) else { continue };
        mended.extend_from_slice(&tag.to_be_bytes());
        mended.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
        mended.extend_from_slice(&value);
    }
    Some(mended)
}

/// A parameter that [`super::inbound`] or [`super::texted`] reads; of the others nothing is wanted.
fn as_it_should_be(tag: u16, value: &[u8]) -> Option<Vec<u8>> {
    match TlvTag::from(tag) {
        TlvTag::ReceiptedMessageId => {
            let mut id: Vec<u8> = value.iter().copied().take_while(|octet| *octet != 0).collect();
            id.push(0);
            (id.len() <= ID_OCTETS_MAX).then_some(id)
        }
        TlvTag::MessageState | TlvTag::SarTotalSegments => (value.len() == 1).then(|| value.to_vec()),
        TlvTag::UserMessageReference => (value.len() == 2).then(|| value.to_vec()),
        TlvTag::MessagePayload => Some(value.to_vec()),
        _ => None,
    }
}

/// The next parameter: its tag, its length, so many octets. What is left at the end and is none is nothing.
fn parameter<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let tag = u16::from_be_bytes(octets(rest, 2)?.try_into().ok()?);
    let length = u16::from_be_bytes(octets(rest, 2)?.try_into().ok()?);
    Some((tag, octets(rest, usize::from(length))?))
}

fn string(rest: &mut &[u8]) -> Option<()> {
    let end = rest.iter().position(|octet| *octet == 0)?;
    octets(rest, end + 1).map(drop)
}

fn octets<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use rusmpp::{
        CommandStatus, Pdu,
        pdus::DeliverSm,
        tlvs::{MessageDeliveryRequestTlvValue as Tlv, TlvValue},
        types::{COctetString, OctetString},
        values::MessageState,
    };
    use tokio_util::{bytes::BytesMut, codec::Decoder as _};

    use crate::smpp::pdu::{self, Frame, FrameCodec};

    /// A receipt in words, and in parameters before which and after which these octets stand.
    fn frame(before: &[u8], after: &[u8]) -> Frame {
        let mut deliver = DeliverSm::builder()
            .source_addr(COctetString::from_string("989121234567".into()).unwrap())
            .short_message(OctetString::from_slice(b"id:77 stat:DELIVRD").unwrap())
            .build();
        let bare = pdu::encode(CommandStatus::EsmeRok, 9, deliver.clone()).to_vec();
        deliver.push_tlv(Tlv::MessageState(MessageState::Delivered));
        let whole = pdu::encode(CommandStatus::EsmeRok, 9, deliver).to_vec();
        let mut bytes = [&bare[..], before, &whole[bare.len()..], after].concat();
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        FrameCodec.decode(&mut BytesMut::from(&bytes[..])).unwrap().unwrap()
    }

    /// The id and the state that are read.
    fn read(frame: &Frame) -> (Option<String>, Option<MessageState>) {
        let deliver = frame.deliver_sm().unwrap();
        let octets: &[u8] = deliver.short_message();
        assert_eq!(octets, b"id:77 stat:DELIVRD");
        let mut read = (None, None);
        for value in deliver.tlvs().iter().filter_map(|tlv| tlv.value()) {
            match value {
                TlvValue::ReceiptedMessageId(id) => {
                    read.0 = Some(id.as_str().trim_end_matches('\0').to_owned());
                }
                TlvValue::MessageState(state) => read.1 = Some(*state),
                other => panic!("{other:?}"),
            }
        }
        read
    }

    #[test]
    fn what_smscs_send_beside_the_standard_is_read() {
        let delivered = Some(MessageState::Delivered);
        let id = |text: &[u8]| {
            let length = u16::try_from(text.len()).unwrap();
            [&[0x00, 0x1e][..], &length.to_be_bytes(), text].concat()
        };
        // One octet more, two, a parameter that is cut off, one of the operator's own that is too short for its length.
        for after in [&[0][..], &[0, 0], &[0, 0x1e, 0, 9, 1], &[0x14, 0x01, 0xff, 0xff, 7]] {
            assert!(frame(&[], after).pdu().is_err(), "{after:02x?} is not the standard's");
            assert_eq!(read(&frame(&[], after)), (None, delivered), "{after:02x?}");
        }
        assert_eq!(read(&frame(&id(b"2687"), &[])), (Some("2687".into()), delivered), "without its NUL");
        assert_eq!(read(&frame(&id(b"2687\0\0\0"), &[])), (Some("2687".into()), delivered));
        assert_eq!(read(&frame(&id(&[b'7'; 65]), &[0])), (None, delivered), "no id is so long");
        // A state of four octets, as a number.
        let wide = [0x04, 0x27, 0, 4, 0, 0, 0, 2];
        assert_eq!(read(&frame(&wide, &[])), (None, delivered));
    }

    #[test]
    fn what_has_no_text_where_one_must_be_is_none() {
        for body in [&[][..], &[0; 5], &[b'a'; 40], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 1]]
        {
            assert_eq!(super::mended(body), None, "{body:02x?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic_and_what_it_gives_is_no_longer(
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            if let Some(mended) = super::mended(&body) {
                assert!(mended.len() <= body.len() + 1 + body.len() / 4);
            }
        }
    }

    #[test]
    fn a_whole_one_is_left_as_it_is() {
        assert!(matches!(frame(&[], &[]).pdu(), Ok(Pdu::DeliverSm(_))));
        assert_eq!(read(&frame(&[], &[])), (None, Some(MessageState::Delivered)));
    }
}
