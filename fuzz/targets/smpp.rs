//! SMPP: a stream is cut into PDUs or refused, a PDU's body decodes or does not, and a text from a phone is read in every coding and
//! put together from its parts.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ramz_domain::Moment;
use ramz_sms::coding;
use ramz_sms::coding::concat::{Header, Reassembly};
use ramz_sms::smpp::pdu::{FrameCodec, PDU_BYTES_MAX, command_name, encode, encode_refusal, status_name};
use rusmpp::{CommandStatus, Pdu};
use tokio_util::codec::Decoder as _;

fuzz_target!(|bytes: &[u8]| {
    let mut stream = BytesMut::from(bytes);
    let mut texts = Reassembly::new(4);
    let mut left = stream.len();
    while let Ok(Some(frame)) = FrameCodec.decode(&mut stream) {
        assert!(left - stream.len() >= 16 && left - stream.len() <= PDU_BYTES_MAX, "a frame has a length");
        left = stream.len();
        let _ = (command_name(frame.id), status_name(frame.status), frame.is_request());
        assert_eq!(encode_refusal(frame.id, frame.status, frame.sequence).len(), 16);
        let Ok(pdu) = frame.pdu() else { continue };
        if let Pdu::DeliverSm(deliver) = &pdu {
            let octets: &[u8] = deliver.short_message();
            if let Ok((header, body)) = Header::read(octets) {
                let _ = coding::read(u8::from(deliver.data_coding), body);
                if let Some(header) = header
                    && let Some(whole) = texts.take(frame.sequence, header, body, Moment::from_unix_ms(0))
                {
                    let _ = coding::read(u8::from(deliver.data_coding), &whole);
                }
            }
            if let Some(text) = coding::read(u8::from(deliver.data_coding), octets) {
                let _ = coding::cut(&text, 7);
            }
        }
        let written = encode(CommandStatus::EsmeRok, frame.sequence, pdu);
        assert!(written.len() >= 16);
    }
});
