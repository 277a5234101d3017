//! Texts from phones: what the operator is told of them, and when.

use std::time::Duration;

use ramz_sms::{
    port::{Sender as _, TEXT_AWAITED_FOR, TEXTS_AWAITED_MAX, TEXTS_QUEUED_MAX, Texted},
    smpp::pdu::{self, Frame},
};
use rusmpp::{
    CommandId, CommandStatus, Pdu,
    pdus::{DeliverSm, SubmitSmResp},
    tlvs::MessageDeliveryRequestTlvValue as Tlv,
    types::{AnyOctetString, COctetString, OctetString},
    values::{DataCoding, EsmClass, MessagePayload, Ton, UserMessageReference},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::rig::{Bank, Peer, config};

const OK: CommandStatus = CommandStatus::EsmeRok;
const LATER: CommandStatus = CommandStatus::EsmeRxTAppn;

fn text(words: &[u8]) -> DeliverSm {
    DeliverSm::builder()
        .esm_class(EsmClass::from(0))
        .source_addr_ton(Ton::International)
        .source_addr(COctetString::from_string("989121234567".into()).unwrap())
        .dest_addr_ton(Ton::NetworkSpecific)
        .destination_addr(COctetString::from_string("30003303".into()).unwrap())
        .short_message(OctetString::from_slice(words).unwrap())
        .build()
}

fn coded(data_coding: u8, words: &[u8]) -> DeliverSm {
    let mut text = text(words);
    text.data_coding = DataCoding::from(data_coding);
    text
}

fn with(mut text: DeliverSm, parameters: impl IntoIterator<Item = Tlv>) -> DeliverSm {
    parameters.into_iter().for_each(|parameter| text.push_tlv(parameter));
    text
}

fn of_class(esm_class: u8, words: &[u8]) -> DeliverSm {
    let mut text = text(words);
    text.esm_class = EsmClass::from(esm_class);
    text
}

fn from(ton: Ton, address: &str) -> DeliverSm {
    let mut text = text(b"6104");
    text.source_addr_ton = ton;
    text.source_addr = COctetString::from_string(address.into()).unwrap();
    text
}

impl Peer {
    async fn deliver(&mut self, sequence: u32, text: DeliverSm) {
        self.put(&pdu::encode(OK, sequence, text)).await;
    }

    /// Nothing comes for so long, though it is asked whether the line is alive.
    async fn hears_nothing_for(&mut self, span: Duration) {
        if let Ok(frame) = timeout(span, self.read_request()).await {
            panic!("{:?} came", frame.id);
        }
    }
}

fn answer(frame: &Frame) -> (CommandId, u32, CommandStatus) {
    assert!(matches!(frame.pdu(), Ok(Pdu::DeliverSmResp(_))), "with the body that the standard asks for");
    (frame.id, frame.sequence, frame.status)
}

const fn said(sequence: u32, status: CommandStatus) -> (CommandId, u32, CommandStatus) {
    (CommandId::DeliverSmResp, sequence, status)
}

/// So many were taken, to be delivered later, and unreadable.
fn counts(bank: &Bank) -> [u64; 3] {
    let lines = bank.sender.lines();
    ["taken", "later", "unreadable"].map(|word| lines.iter().map(|line| line.texts[word]).sum())
}

async fn next(texts: &mut mpsc::Receiver<Texted>) -> Texted {
    timeout(Duration::from_secs(600), texts.recv()).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_text_is_answered_once_it_is_accepted() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    assert!(bank.sender.texts().is_none(), "for whoever asks first");
    let mut peer = bank.bound().await;
    let reference = Tlv::UserMessageReference(UserMessageReference::new(0x1234));
    peer.deliver(7, with(text(b"6104"), [reference])).await;
    let texted = next(&mut texts).await;
    assert_eq!(texted.from.expose(), "989121234567");
    assert_eq!((&*texted.to, texted.words.expose(), texted.reference), ("30003303", "6104", Some(0x1234)));
    peer.hears_nothing_for(Duration::from_secs(2)).await;
    assert_eq!(counts(&bank), [0, 0, 0]);
    texted.taken.accept();
    assert_eq!(answer(&peer.read().await), said(7, OK));
    assert_eq!(counts(&bank), [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_comes_again() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    peer.deliver(1, text(b"6104")).await;
    next(&mut texts).await.taken.later();
    assert_eq!(answer(&peer.read().await), said(1, LATER));
    peer.deliver(2, text(b"6104")).await;
    drop(next(&mut texts).await);
    assert_eq!(answer(&peer.read().await), said(2, LATER), "without a word");
    let since = Instant::now();
    peer.deliver(3, text(b"6104")).await;
    let texted = next(&mut texts).await;
    assert_eq!(answer(&peer.read().await), said(3, LATER), "too late");
    assert_eq!(since.elapsed().as_secs(), TEXT_AWAITED_FOR.as_secs());
    texted.taken.accept();
    peer.hears_nothing_for(Duration::from_secs(20)).await;
    peer.deliver(4, text(b"6104")).await;
    next(&mut texts).await.taken.accept();
    assert_eq!(answer(&peer.read().await), said(4, OK));
    assert_eq!(counts(&bank), [1, 3, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_up_comes_again() {
    let mut bank = Bank::start(config(), 4096);
    let mut peer = bank.bound().await;
    peer.deliver(1, text(b"6104")).await;
    assert_eq!(answer(&peer.read().await), said(1, LATER), "nobody has asked for texts");
    let mut texts = bank.sender.texts().unwrap();
    peer.deliver(2, text(b"6104")).await;
    next(&mut texts).await.taken.accept();
    assert_eq!(answer(&peer.read().await), said(2, OK));
    drop(texts);
    peer.deliver(3, text(b"6104")).await;
    assert_eq!(answer(&peer.read().await), said(3, LATER), "whoever had asked is gone");
    assert_eq!(counts(&bank), [1, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_does_not_come_again() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    let part = [0x05, 0x00, 0x03, 0x07, 0x02, 0x01, b'6', b'1'];
    let unreadable = [
        ("a name", from(Ton::Alphanumeric, "Bank")),
        ("a name of digits", from(Ton::Alphanumeric, "09121234567")),
        ("a short code", from(Ton::NetworkSpecific, "30003304")),
        ("a short number", from(Ton::Unknown, "12345")),
        ("no sender", from(Ton::Unknown, "")),
        ("octets", coded(0x04, b"6104")),
        ("a coding of others", coded(0x06, b"6104")),
        ("septets that are none", text(&[0x80])),
        ("half a character", coded(0x08, &[0x06])),
        ("a part", of_class(0x40, &part)),
        ("a header that does not fit", of_class(0x40, &[0x09, 0x00])),
        ("a segment", with(text(b"6104"), [Tlv::SarTotalSegments(2)])),
    ];
    let count = u64::try_from(unreadable.len()).unwrap();
    for ((what, deliver), sequence) in unreadable.into_iter().zip(1..) {
        peer.deliver(sequence, deliver).await;
        assert_eq!(answer(&peer.read().await), said(sequence, OK), "{what}");
        assert!(texts.try_recv().is_err(), "{what} was handed on");
    }
    assert_eq!(counts(&bank), [0, 0, count]);
}

#[tokio::test(start_paused = true)]
async fn whatever_a_phone_writes_in_is_read() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    let ucs2 = |words: &str| words.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let payload =
        |octets: &[u8]| [Tlv::MessagePayload(MessagePayload::new(AnyOctetString::from_slice(octets)))];
    let readable = [
        ("@1234", text(&[0x00, b'1', b'2', b'3', b'4'])),
        ("1234", coded(0x01, b"1234")),
        ("é1234", coded(0x03, &[0xE9, b'1', b'2', b'3', b'4'])),
        ("کارت ۱۲۳۴", coded(0x08, &ucs2("کارت ۱۲۳۴"))),
        ("۱۲۳۴", with(coded(0x08, b""), payload(&ucs2("۱۲۳۴")))),
        ("1234", with(text(b""), payload(b"1234"))),
        ("1234", of_class(0x40, &[0x03, 0x24, 0x01, 0x00, b'1', b'2', b'3', b'4'])),
        ("1234", of_class(0x40, &[0x05, 0x00, 0x03, 0x07, 0x01, 0x01, b'1', b'2', b'3', b'4'])),
        ("1234", with(text(b"1234"), [Tlv::SarTotalSegments(1)])),
        ("", text(b"")),
    ];
    for ((words, deliver), sequence) in readable.into_iter().zip(1..) {
        peer.deliver(sequence, deliver).await;
        let texted = next(&mut texts).await;
        assert_eq!(texted.words.expose(), words);
        texted.taken.accept();
        assert_eq!(answer(&peer.read().await), said(sequence, OK));
    }
}

#[tokio::test(start_paused = true)]
async fn one_phone_however_its_operator_writes_it() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    for (ton, address) in [
        (Ton::International, "989121234567"),
        (Ton::International, "+989121234567"),
        (Ton::Unknown, "09121234567"),
        (Ton::National, "09121234567"),
        (Ton::National, "9121234567"),
    ] {
        peer.deliver(1, from(ton, address)).await;
        let texted = next(&mut texts).await;
        assert_eq!(texted.from.expose(), "989121234567", "{ton:?} {address}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_goes_on_while_answers_are_awaited() {
    let mut bank = Bank::start(config(), 1 << 16);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    peer.deliver(1, text(b"1111")).await;
    peer.deliver(2, text(b"2222")).await;
    let (first, second) = (next(&mut texts).await, next(&mut texts).await);
    peer.put(&pdu::encode(OK, 3, Pdu::EnquireLink)).await;
    assert_eq!(peer.read().await.id, CommandId::EnquireLinkResp);
    let sending = bank.send("x");
    let submit = peer.read().await;
    assert_eq!(submit.id, CommandId::SubmitSm);
    peer.put(&pdu::encode(OK, submit.sequence, SubmitSmResp::default())).await;
    assert!(sending.await.unwrap().is_ok());
    second.taken.accept();
    assert_eq!(answer(&peer.read().await), said(2, OK), "each as soon as it is known");
    first.taken.accept();
    assert_eq!(answer(&peer.read().await), said(1, OK));
}

#[tokio::test(start_paused = true)]
async fn so_many_are_awaited_on_a_line_and_no_more() {
    let mut bank = Bank::start(config(), 1 << 20);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    let most = u32::try_from(TEXTS_AWAITED_MAX).unwrap();
    for sequence in 1..=most + 1 {
        peer.deliver(sequence, text(b"6104")).await;
    }
    assert_eq!(answer(&peer.read().await), said(most + 1, LATER));
    next(&mut texts).await.taken.accept();
    assert_eq!(answer(&peer.read().await), said(1, OK));
    peer.deliver(most + 2, text(b"6104")).await;
    for sequence in (2..=most).chain([most + 2]) {
        next(&mut texts).await.taken.accept();
        assert_eq!(answer(&peer.read().await), said(sequence, OK), "a place is free again");
    }
    assert_eq!(counts(&bank), [u64::from(most) + 1, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn more_than_wait_for_their_receiver_come_again() {
    let binds = TEXTS_QUEUED_MAX / TEXTS_AWAITED_MAX + 1;
    let mut bank = Bank::start_all(vec![config(); binds], 1 << 20);
    let _texts = bank.sender.texts().unwrap();
    let mut peers = Vec::new();
    for _ in 0..binds {
        peers.push(bank.bound().await);
    }
    let each = u32::try_from(TEXTS_AWAITED_MAX).unwrap();
    let (last, others) = peers.split_last_mut().unwrap();
    for peer in others {
        for sequence in 1..=each {
            peer.deliver(sequence, text(b"6104")).await;
        }
        peer.hears_nothing_for(Duration::from_millis(1)).await;
    }
    last.deliver(1, text(b"6104")).await;
    assert_eq!(
        answer(&last.read().await),
        said(1, LATER),
        "there was room on the line, and none in the queue"
    );
}

#[tokio::test(start_paused = true)]
async fn texts_of_all_binds_come_to_one_receiver_and_are_answered_where_they_came() {
    let mut bank = Bank::start_all(vec![config(), config()], 4096);
    let mut texts = bank.sender.texts().unwrap();
    let (mut a, mut b) = (bank.bound().await, bank.bound().await);
    a.deliver(5, text(b"1111")).await;
    let first = next(&mut texts).await;
    b.deliver(5, text(b"2222")).await;
    let second = next(&mut texts).await;
    assert_eq!((first.words.expose(), second.words.expose()), ("1111", "2222"));
    second.taken.later();
    assert_eq!(answer(&b.read().await), said(5, LATER));
    a.hears_nothing_for(Duration::from_secs(1)).await;
    first.taken.accept();
    assert_eq!(answer(&a.read().await), said(5, OK));
    b.hears_nothing_for(Duration::from_secs(1)).await;
    let each: Vec<_> =
        bank.sender.lines().iter().map(|line| (line.texts["taken"], line.texts["later"])).collect();
    assert!(each.contains(&(1, 0)) && each.contains(&(0, 1)), "{each:?}");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_lost_meanwhile_takes_its_texts_with_it() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    for sequence in 1..=3 {
        peer.deliver(sequence, text(b"6104")).await;
    }
    let lost = [next(&mut texts).await, next(&mut texts).await];
    drop(peer);
    let mut peer = bank.bound().await;
    let [first, second] = lost;
    first.taken.accept();
    second.taken.later();
    next(&mut texts).await.taken.accept();
    peer.hears_nothing_for(Duration::from_secs(20)).await;
    assert_eq!(counts(&bank), [0, 0, 0]);
    // The operator delivers it again, over the line that there is.
    peer.deliver(1, text(b"6104")).await;
    next(&mut texts).await.taken.accept();
    assert_eq!(answer(&peer.read().await), said(1, OK));
}

#[tokio::test(start_paused = true)]
async fn a_closing_line_waits_briefly_for_its_texts() {
    let mut bank = Bank::start(config(), 4096);
    let mut texts = bank.sender.texts().unwrap();
    let mut peer = bank.bound().await;
    peer.deliver(1, text(b"1111")).await;
    peer.deliver(2, text(b"2222")).await;
    let (first, _never) = (next(&mut texts).await, next(&mut texts).await);
    let since = Instant::now();
    bank.shutdown.cancel();
    sleep(Duration::from_millis(500)).await;
    first.taken.accept();
    assert_eq!(answer(&peer.read().await), said(1, OK));
    assert_eq!(peer.read().await.id, CommandId::Unbind);
    assert!((1..5).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
}
