//! PDUs as they come and go: framing, and the few fields that both ends of SMPP 3.4 need.
//!
//! The frame is cut here, so that a body that does not decode costs one PDU and not the session, and so that the body of an
//! error response, which the standard leaves out and some peers do not, is never looked at. Bodies are `rusmpp`'s.

use std::io;

use rusmpp::{
    Command, CommandId, CommandStatus, Pdu, decode::DecodeWithLength, encode::Encode, encode::Length,
    pdus::DeliverSm,
};
use tokio_util::{
    bytes::{Buf, BytesMut},
    codec::Decoder,
};
use zeroize::{Zeroize, Zeroizing};

use super::lenient;

/// The largest PDU that is read. A `submit_sm` has at most 300 octets and what its optional parameters need.
pub const PDU_BYTES_MAX: usize = 4096;

const HEADER_BYTES: usize = 16;

/// A PDU whose body is not looked at yet. Wiped on drop: a body may be a text.
pub struct Frame {
    /// The command.
    pub id: CommandId,
    /// The status; meaningful in responses.
    pub status: CommandStatus,
    /// The sequence number, which a response repeats.
    pub sequence: u32,
    /// Everything after `command_length`.
    bytes: BytesMut,
}

/// The body of a PDU does not have the shape its command asks for. Carries nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the body of the PDU is malformed")]
pub struct Malformed;

/// The stream cannot be cut into PDUs any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Reading failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// A `command_length` that no PDU has.
    #[error("command_length {0} is not between 16 and {PDU_BYTES_MAX}")]
    Length(u32),
}

impl Frame {
    /// The body. That of an error response is not decoded: ask [`Frame::status`] first.
    pub fn pdu(&self) -> Result<Pdu, Malformed> {
        let mut bytes = self.bytes.clone();
        let length = bytes.len();
        let (command, _) = Command::decode(&mut bytes, length).map_err(|_| Malformed)?;
        bytes.zeroize();
        command.pdu().cloned().ok_or(Malformed)
    }

    /// That of a `deliver_sm`, also if its optional parameters are not as they should be.
    pub(super) fn deliver_sm(&self) -> Result<DeliverSm, Malformed> {
        let pdu = self.pdu().or_else(|Malformed| {
            let mended = Zeroizing::new(lenient::mended(self.body()).ok_or(Malformed)?);
            let header = self.bytes.get(..HEADER_BYTES - 4).ok_or(Malformed)?;
            let mut bytes = BytesMut::with_capacity(header.len() + mended.len());
            bytes.extend_from_slice(header);
            bytes.extend_from_slice(&mended);
            Frame { bytes, ..*self }.pdu()
        });
        match pdu? {
            Pdu::DeliverSm(deliver) => Ok(deliver),
            _ => Err(Malformed),
        }
    }

    /// The octets of the body.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES - 4..).unwrap_or_default()
    }

    /// Whether this is a request, to be answered.
    pub fn is_request(&self) -> bool {
        self.id.is_operation()
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Cuts a stream into [`Frame`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameCodec;

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, read: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(prefix) = read.first_chunk::<4>() else {
            return Ok(None);
        };
        let announced = u32::from_be_bytes(*prefix);
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if !(HEADER_BYTES..=PDU_BYTES_MAX).contains(&length) {
            return Err(FrameError::Length(announced));
        }
        if read.len() < length {
            read.reserve(length - read.len());
            return Ok(None);
        }
        read.advance(4);
        let bytes = read.split_to(length - 4);
        let mut header = &bytes[..];
        let id = CommandId::from(header.get_u32());
        let status = CommandStatus::from(header.get_u32());
        let sequence = header.get_u32();
        Ok(Some(Frame { id, status, sequence, bytes }))
    }
}

/// The bytes of a PDU. Wiped on drop: they may be a text or a password.
pub fn encode(status: CommandStatus, sequence: u32, pdu: impl Into<Pdu>) -> Zeroizing<Vec<u8>> {
    let command = Command::new(status, sequence, pdu);
    let length = 4 + command.length();
    let mut bytes = Zeroizing::new(vec![0; length]);
    bytes[..4].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    command.encode(&mut bytes[4..]);
    bytes
}

/// The bytes of a response that says no: a header alone, as SMPP 3.4 asks for most of them.
pub fn encode_refusal(request: CommandId, status: CommandStatus, sequence: u32) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER_BYTES));
    for word in [16, u32::from(request.matching_response()), u32::from(status), sequence] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// The name of a status as the standard writes it, where an operator of ours is likely to meet it; else its number.
pub fn status_name(status: CommandStatus) -> String {
    let name = match status {
        CommandStatus::EsmeRok => "ESME_ROK",
        CommandStatus::EsmeRinvmsglen => "ESME_RINVMSGLEN",
        CommandStatus::EsmeRinvcmdlen => "ESME_RINVCMDLEN",
        CommandStatus::EsmeRinvcmdid => "ESME_RINVCMDID",
        CommandStatus::EsmeRinvbndsts => "ESME_RINVBNDSTS",
        CommandStatus::EsmeRalybnd => "ESME_RALYBND",
        CommandStatus::EsmeRsyserr => "ESME_RSYSERR",
        CommandStatus::EsmeRinvsrcadr => "ESME_RINVSRCADR",
        CommandStatus::EsmeRinvdstadr => "ESME_RINVDSTADR",
        CommandStatus::EsmeRbindfail => "ESME_RBINDFAIL",
        CommandStatus::EsmeRinvpaswd => "ESME_RINVPASWD",
        CommandStatus::EsmeRinvsysid => "ESME_RINVSYSID",
        CommandStatus::EsmeRmsgqful => "ESME_RMSGQFUL",
        CommandStatus::EsmeRinvesmclass => "ESME_RINVESMCLASS",
        CommandStatus::EsmeRsubmitfail => "ESME_RSUBMITFAIL",
        CommandStatus::EsmeRthrottled => "ESME_RTHROTTLED",
        CommandStatus::EsmeRinvexpiry => "ESME_RINVEXPIRY",
        CommandStatus::EsmeRinvdcs => "ESME_RINVDCS",
        CommandStatus::EsmeRxTAppn => "ESME_RX_T_APPN",
        CommandStatus::EsmeRunknownerr => "ESME_RUNKNOWNERR",
        other => return format!("status {:#010x}", u32::from(other)),
    };
    name.to_owned()
}

/// The name of a command as the standard writes it; else its number.
pub fn command_name(id: CommandId) -> String {
    let name = match id {
        CommandId::BindReceiver => "bind_receiver",
        CommandId::BindTransmitter => "bind_transmitter",
        CommandId::BindTransceiver => "bind_transceiver",
        CommandId::SubmitSm => "submit_sm",
        CommandId::SubmitSmResp => "submit_sm_resp",
        CommandId::DeliverSm => "deliver_sm",
        CommandId::DeliverSmResp => "deliver_sm_resp",
        CommandId::DataSm => "data_sm",
        CommandId::Unbind => "unbind",
        CommandId::UnbindResp => "unbind_resp",
        CommandId::EnquireLink => "enquire_link",
        CommandId::EnquireLinkResp => "enquire_link_resp",
        CommandId::AlertNotification => "alert_notification",
        CommandId::Outbind => "outbind",
        CommandId::GenericNack => "generic_nack",
        other => return format!("command {:#010x}", u32::from(other)),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp::pdus::{SubmitSm, SubmitSmResp};

    use super::*;

    fn frames(bytes: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
        let mut read = BytesMut::from(bytes);
        let mut frames = Vec::new();
        loop {
            match FrameCodec.decode(&mut read) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = encode(CommandStatus::EsmeRok, 7, SubmitSm::default()).to_vec();
        bytes.extend_from_slice(&encode(CommandStatus::EsmeRok, 8, Pdu::EnquireLink));
        let (frames, error) = frames(&bytes);
        assert!(error.is_none());
        assert_eq!(
            frames.iter().map(|f| (f.id, f.sequence)).collect::<Vec<_>>(),
            [(CommandId::SubmitSm, 7), (CommandId::EnquireLink, 8)]
        );
        assert!(matches!(frames[0].pdu(), Ok(Pdu::SubmitSm(_))));
    }

    #[test]
    fn a_refusal_is_a_header() {
        let bytes = encode_refusal(CommandId::SubmitSm, CommandStatus::EsmeRthrottled, 9);
        assert_eq!(bytes[..], [0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x58, 0, 0, 0, 9]);
        let (frames, _) = frames(&bytes);
        assert_eq!(
            (frames[0].id, frames[0].status),
            (CommandId::SubmitSmResp, CommandStatus::EsmeRthrottled)
        );
    }

    #[test]
    fn a_bad_body_leaves_the_next_pdu_whole() {
        let mut bad = encode(CommandStatus::EsmeRok, 7, SubmitSm::default()).to_vec();
        bad.truncate(20);
        bad[3] = 20;
        bad.extend_from_slice(&encode(CommandStatus::EsmeRok, 8, SubmitSmResp::default()));
        let (frames, error) = frames(&bad);
        assert!(error.is_none());
        assert_eq!(frames[0].pdu().err(), Some(Malformed));
        assert!(frames[1].pdu().is_ok());
    }

    #[test]
    fn lengths_are_bounded() {
        for length in [0, 15, 4097, u32::MAX] {
            let (_, error) = frames(&length.to_be_bytes());
            assert!(matches!(error, Some(FrameError::Length(found)) if found == length));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            id in prop_oneof![0_u32..0x25, 0x8000_0000_u32..0x8000_0025, any::<u32>()],
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = Vec::new();
            bytes.extend_from_slice(&u32::try_from(16 + body.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&[0; 8]);
            bytes.extend_from_slice(&body);
            let (frames, error) = frames(&bytes);
            prop_assert!(error.is_none() && frames.len() == 1);
            let _ = frames[0].pdu();
        }
    }
}
