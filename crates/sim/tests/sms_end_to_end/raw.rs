//! The SMSC against peers that do not speak as they should.

use std::time::Duration;

use futures_util::StreamExt as _;
use ramz_sms::smpp::pdu::{self, Frame, FrameCodec};
use rusmpp::{
    CommandId, CommandStatus, Pdu,
    pdus::{BindTransceiver, SubmitSm},
    types::COctetString,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::codec::FramedRead;

use crate::lab::{Lab, PASSWORD, until};

struct Client {
    frames: FramedRead<OwnedReadHalf, FrameCodec>,
    write: OwnedWriteHalf,
}

impl Client {
    async fn connect(lab: &Lab) -> Client {
        let (read, write) = TcpStream::connect(lab.address).await.unwrap().into_split();
        Client { frames: FramedRead::new(read, FrameCodec), write }
    }

    async fn bound(lab: &Lab) -> Client {
        let mut client = Client::connect(lab).await;
        let bind = BindTransceiver::builder()
            .system_id(COctetString::from_string("other".into()).unwrap())
            .password(COctetString::from_string(PASSWORD.into()).unwrap());
        client.put(&pdu::encode(CommandStatus::EsmeRok, 1, bind.build())).await;
        let answer = client.read().await.unwrap();
        assert_eq!((answer.id, answer.status), (CommandId::BindTransceiverResp, CommandStatus::EsmeRok));
        client
    }

    async fn put(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
    }

    /// The next PDU; `None` once the SMSC has closed.
    async fn read(&mut self) -> Option<Frame> {
        let read = tokio::time::timeout(Duration::from_secs(10), self.frames.next());
        read.await.expect("an answer or the end").and_then(Result::ok)
    }
}

fn header(id: u32, length: u32, sequence: u32) -> Vec<u8> {
    [length, id, 0, sequence].iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[tokio::test]
async fn before_a_bind_nothing_is_taken() {
    let lab = Lab::new().await;
    let smsc = lab.open();
    let mut client = Client::connect(&lab).await;
    client.put(&pdu::encode(CommandStatus::EsmeRok, 7, SubmitSm::default())).await;
    let answer = client.read().await.unwrap();
    assert_eq!(
        (answer.id, answer.status, answer.sequence),
        (CommandId::SubmitSmResp, CommandStatus::EsmeRinvbndsts, 7)
    );
    assert_eq!(smsc.submits_seen(), 0);
}

#[tokio::test]
async fn unknown_and_malformed_pdus_are_answered_and_survived() {
    let lab = Lab::new().await;
    let _smsc = lab.open();
    let mut client = Client::bound(&lab).await;
    // A command that nobody knows.
    client.put(&header(0x0000_0777, 16, 8)).await;
    let answer = client.read().await.unwrap();
    assert_eq!(
        (answer.id, answer.status, answer.sequence),
        (CommandId::GenericNack, CommandStatus::EsmeRinvcmdid, 8)
    );
    // A submit_sm that stops in its first field.
    let mut short = header(0x0000_0004, 18, 9);
    short.extend_from_slice(b"ab");
    client.put(&short).await;
    let answer = client.read().await.unwrap();
    assert_eq!(
        (answer.id, answer.status, answer.sequence),
        (CommandId::SubmitSmResp, CommandStatus::EsmeRinvcmdlen, 9)
    );
    // A second bind.
    client.put(&pdu::encode(CommandStatus::EsmeRok, 10, BindTransceiver::default())).await;
    assert_eq!(client.read().await.unwrap().status, CommandStatus::EsmeRalybnd);
    // And it still works.
    client.put(&pdu::encode(CommandStatus::EsmeRok, 11, Pdu::EnquireLink)).await;
    let answer = client.read().await.unwrap();
    assert_eq!((answer.id, answer.sequence), (CommandId::EnquireLinkResp, 11));
    client.put(&pdu::encode(CommandStatus::EsmeRok, 12, Pdu::Unbind)).await;
    assert_eq!(client.read().await.unwrap().id, CommandId::UnbindResp);
    assert!(client.read().await.is_none());
}

#[tokio::test]
async fn a_length_that_no_pdu_has_ends_the_connection() {
    for length in [0, 15, 4097, u32::MAX] {
        let lab = Lab::new().await;
        let smsc = lab.open();
        let mut client = Client::bound(&lab).await;
        client.put(&header(0x15, length, 1)).await;
        let answer = client.read().await.unwrap();
        assert_eq!((answer.id, answer.status), (CommandId::GenericNack, CommandStatus::EsmeRinvcmdlen));
        assert!(client.read().await.is_none());
        until("it is gone", || smsc.bound() == 0).await;
    }
}

#[tokio::test]
async fn fields_that_cannot_be_are_refused_by_name() {
    let lab = Lab::new().await;
    let _smsc = lab.open();
    let mut client = Client::bound(&lab).await;
    let octets = |text: &str| COctetString::from_string(text.into()).unwrap();
    let good = || SubmitSm::builder().source_addr(octets("Bank")).destination_addr(octets("989121234567"));
    let period = |text: &str| rusmpp::types::EmptyOrFullCOctetString::from_string(text.into()).unwrap();
    let words = |bytes: &[u8]| rusmpp::types::OctetString::from_slice(bytes).unwrap();
    let esm_class = rusmpp::values::EsmClass::from(0x40);
    for (submit, status) in [
        (good().destination_addr(octets("12")), CommandStatus::EsmeRinvdstadr),
        (good().source_addr(octets("")), CommandStatus::EsmeRinvsrcadr),
        (good().validity_period(period("0000000002000xxR")), CommandStatus::EsmeRinvexpiry),
        (good().short_message(words(&[0x80])), CommandStatus::EsmeRinvdcs),
        (good().data_coding(4_u8.into()).short_message(words(b"x")), CommandStatus::EsmeRinvdcs),
        (good().esm_class(esm_class).short_message(words(&[9, 9])), CommandStatus::EsmeRinvesmclass),
        (good().short_message(words(b"fine")), CommandStatus::EsmeRok),
    ] {
        client.put(&pdu::encode(CommandStatus::EsmeRok, 5, submit.build())).await;
        assert_eq!(client.read().await.unwrap().status, status);
    }
    assert_eq!(lab.shown(), ["fine"]);
}

#[tokio::test]
async fn a_text_that_came_too_late_for_its_period_is_not_delivered() {
    let lab = Lab::new().await;
    let _smsc = lab.open();
    let mut client = Client::bound(&lab).await;
    let octets = |text: &str| COctetString::from_string(text.into()).unwrap();
    let submit = SubmitSm::builder()
        .source_addr(octets("Bank"))
        .destination_addr(octets("989121234567"))
        .registered_delivery(1_u8.into())
        .validity_period(
            rusmpp::types::EmptyOrFullCOctetString::from_string("231114110105000+".into()).unwrap(),
        )
        .short_message(rusmpp::types::OctetString::from_slice(b"late").unwrap());
    client.put(&pdu::encode(CommandStatus::EsmeRok, 5, submit.build())).await;
    assert_eq!(client.read().await.unwrap().status, CommandStatus::EsmeRok);
    let Ok(Pdu::DeliverSm(receipt)) = client.read().await.unwrap().pdu() else { panic!("a receipt") };
    assert!(receipt.short_message().to_str().unwrap().contains("stat:EXPIRED"));
    assert!(lab.shown().is_empty());
}
