//! What only a misbehaving SMSC or a long time shows.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use ramz_sms::{
    port::{Given, SendError, Sender as _},
    smpp::{LinkState, pdu},
};
use rusmpp::{
    CommandId, CommandStatus, Pdu,
    pdus::{DeliverSm, SubmitSmResp},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::rig::{Bank, LIFE, Memory, config};

fn reason(bank: &Bank) -> String {
    match bank.sender.state() {
        LinkState::Bound => "bound".into(),
        LinkState::Down(reason) => reason,
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_again_slowly() {
    let mut bank = Bank::start(config(), 4096);
    let since = Instant::now();
    let mut binds = 0;
    while since.elapsed() < Duration::from_secs(60) {
        let mut peer = bank.peer().await;
        let bind = peer.read().await;
        peer.put(&pdu::encode_refusal(bind.id, CommandStatus::EsmeRinvpaswd, bind.sequence)).await;
        binds += 1;
    }
    assert!((6..=13).contains(&binds), "{binds} binds in a minute");
    assert!(reason(&bank).contains("password"), "{}", reason(&bank));
    // Mended at the operator's, it comes back by itself.
    bank.bound().await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_smsc_is_tried_ever_more_rarely() {
    let (_, connections) = mpsc::unbounded_channel();
    let memory = Memory { to: None, asked: AtomicU64::new(0), buffer: 64 };
    let bank = Bank::with(vec![config()], memory, connections);
    sleep(Duration::from_millis(500)).await;
    assert!((2..=4).contains(&bank.memory.asked.load(Ordering::SeqCst)), "soon at first");
    sleep(Duration::from_secs(120)).await;
    let asked = bank.memory.asked.load(Ordering::SeqCst);
    assert!((14..=32).contains(&asked), "{asked} tries in two minutes");
    assert!(reason(&bank).contains("no connection to the SMSC at smsc:2775"), "{}", reason(&bank));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_was_taken_is_not_sent_again() {
    let mut bank = Bank::start(config(), 4096);
    let mut peer = bank.bound().await;
    let text = "x".repeat(200);
    let mut given = Given::default();
    let mut seen = Vec::new();
    for (parts, expect) in [(vec![true, false], None), (vec![true], Some(2))] {
        let (sender, sms) = (bank.sender.clone(), bank.sms(&text));
        let sending = tokio::spawn(async move { (sender.send(sms, &mut given).await, given) });
        for takes in parts {
            let frame = peer.read_request().await;
            let sequence = frame.sequence;
            let Ok(Pdu::SubmitSm(submit)) = frame.pdu() else { panic!("a submit_sm") };
            seen.push(submit.short_message()[..6].to_vec());
            let answer = match takes {
                true => pdu::encode(CommandStatus::EsmeRok, sequence, SubmitSmResp::default()),
                false => pdu::encode_refusal(CommandId::SubmitSm, CommandStatus::EsmeRsyserr, sequence),
            };
            peer.put(&answer).await;
        }
        let (answer, after) = sending.await.unwrap();
        assert_eq!(answer.as_ref().ok().map(|accepted| accepted.parts), expect, "{answer:?}");
        given = after;
    }
    // Length of the header, concatenated, its length, the reference, the parts, and which it is.
    let header = |part| vec![5, 0, 3, seen[0][3], 2, part];
    assert_eq!(seen, [header(1), header(2), header(2)]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_peer_that_does_not_read_is_not_sent_late() {
    let mut config = config();
    config.patience = Duration::from_secs(30);
    config.response_timeout = Duration::from_secs(30);
    // Less than one submit_sm fits.
    let mut bank = Bank::start(config, 64);
    let mut peer = bank.bound().await;
    let first = bank.send("first");
    sleep(Duration::from_millis(10)).await;
    let second = bank.send("second");
    sleep(Duration::from_millis(10)).await;
    bank.clock.advance(LIFE);
    let submit = peer.read_request().await;
    assert_eq!(submit.id, CommandId::SubmitSm, "the first was being written already");
    peer.put(&pdu::encode(CommandStatus::EsmeRok, submit.sequence, SubmitSmResp::default())).await;
    assert!(first.await.unwrap().is_ok());
    assert_eq!(second.await.unwrap(), Err(SendError::Expired));
    let third = bank.send("third");
    let Ok(Pdu::SubmitSm(submit)) = peer.read_request().await.pdu() else { panic!("a submit_sm") };
    assert_eq!(submit.short_message().to_str(), Ok("third"));
    third.abort();
}

#[tokio::test(start_paused = true)]
async fn what_is_gathered_into_one_write_is_not_sent_late_either() {
    let mut config = config();
    config.patience = Duration::from_secs(30);
    config.response_timeout = Duration::from_secs(30);
    config.enquire_every = Duration::from_secs(600);
    let mut bank = Bank::start(config, 64);
    let mut peer = bank.bound().await;
    let sending: Vec<_> = (0..5).map(|n| bank.send(&format!("text {n}"))).collect();
    sleep(Duration::from_millis(10)).await;
    bank.clock.advance(LIFE);
    let submit = peer.read_request().await;
    peer.put(&pdu::encode(CommandStatus::EsmeRok, submit.sequence, SubmitSmResp::default())).await;
    let mut sent = Vec::new();
    for sending in sending {
        sent.push(sending.await.unwrap().map(|accepted| accepted.parts));
    }
    sent.sort_by_key(Result::is_err);
    let expired = Err(SendError::Expired);
    assert_eq!(sent, [Ok(1), expired.clone(), expired.clone(), expired.clone(), expired]);
    let next = bank.send("the next");
    let Ok(Pdu::SubmitSm(submit)) = peer.read_request().await.pdu() else { panic!("a submit_sm") };
    assert_eq!(submit.short_message().to_str(), Ok("the next"));
    next.abort();
}

#[tokio::test(start_paused = true)]
async fn what_the_line_had_not_begun_to_take_when_it_ended_goes_over_the_next() {
    let mut config = config();
    config.patience = Duration::from_secs(30);
    let mut bank = Bank::start(config, 64);
    let peer = bank.bound().await;
    let sending: Vec<_> = (0..5).map(|n| bank.send(&format!("text {n}"))).collect();
    sleep(Duration::from_millis(10)).await;
    drop(peer);
    let mut peer = bank.bound().await;
    let mut texts = Vec::new();
    for _ in 0..4 {
        let frame = peer.read_request().await;
        let Ok(Pdu::SubmitSm(submit)) = frame.pdu() else { panic!("a submit_sm") };
        texts.push(submit.short_message().to_str().unwrap().to_owned());
        peer.put(&pdu::encode(CommandStatus::EsmeRok, frame.sequence, SubmitSmResp::default())).await;
    }
    let (mut sent, mut in_doubt) = (Vec::new(), Vec::new());
    for (n, sending) in sending.into_iter().enumerate() {
        match sending.await.unwrap() {
            Ok(_) => sent.push(format!("text {n}")),
            Err(error) => in_doubt.push(error),
        }
    }
    texts.sort();
    assert_eq!((sent, in_doubt), (texts, vec![SendError::Unknown]), "its first bytes are gone");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_full_line_is_neither_sent_late_nor_in_doubt() {
    // The octets of `text 0` as a submit_sm: the line takes the whole of it, and then nothing.
    const SUBMIT: usize = 71;
    let mut config = config();
    config.patience = Duration::from_secs(30);
    config.enquire_every = Duration::from_secs(600);
    let mut bank = Bank::start(config, SUBMIT);
    let mut peer = bank.bound().await;
    let first = bank.send("text 0");
    sleep(Duration::from_millis(10)).await;
    let second = bank.send("text 1");
    sleep(Duration::from_millis(10)).await;
    bank.clock.advance(LIFE);
    let third = bank.send("text 2");
    sleep(Duration::from_millis(10)).await;
    let submit = peer.read_request().await;
    assert_eq!(4 + 12 + submit.body().len(), SUBMIT);
    peer.put(&pdu::encode(CommandStatus::EsmeRok, submit.sequence, SubmitSmResp::default())).await;
    assert!(first.await.unwrap().is_ok());
    assert_eq!(second.await.unwrap(), Err(SendError::Expired), "no byte of it had gone");
    let submit = peer.read_request().await;
    peer.put(&pdu::encode(CommandStatus::EsmeRok, submit.sequence, SubmitSmResp::default())).await;
    assert!(third.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_never_written() {
    let mut config = config();
    config.patience = Duration::from_secs(2);
    config.enquire_every = Duration::from_secs(600);
    let mut bank = Bank::start(config, 64);
    let mut peer = bank.bound().await;
    let first = bank.send("first");
    sleep(Duration::from_millis(10)).await;
    let second = bank.send("second");
    assert_eq!(first.await.unwrap(), Err(SendError::Unknown), "its first bytes are gone");
    assert!(matches!(second.await.unwrap(), Err(SendError::Down(_))), "nothing of it is");
    for (n, text) in [(1, "first"), (2, "third")] {
        if n == 2 {
            bank.send("third");
        }
        let Ok(Pdu::SubmitSm(submit)) = peer.read_request().await.pdu() else { panic!("a submit_sm") };
        assert_eq!(submit.short_message().to_str(), Ok(text));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_leaves_it_unknown() {
    let mut bank = Bank::start(config(), 4096);
    let mut peer = bank.bound().await;
    let since = Instant::now();
    let sending = bank.send("x");
    let submit = peer.read_request().await;
    assert_eq!(sending.await.unwrap(), Err(SendError::Unknown));
    assert_eq!(since.elapsed().as_secs(), 5);
    // Late, wrong and unasked answers harm nothing.
    for sequence in [submit.sequence, 77, 0] {
        peer.put(&pdu::encode(CommandStatus::EsmeRok, sequence, SubmitSmResp::default())).await;
        peer.put(&pdu::encode(CommandStatus::EsmeRinvcmdid, sequence, Pdu::GenericNack)).await;
        peer.put(&pdu::encode(CommandStatus::EsmeRok, sequence, Pdu::UnbindResp)).await;
    }
    let sending = bank.send("x");
    let submit = peer.read_request().await;
    peer.put(&pdu::encode(CommandStatus::EsmeRinvcmdid, submit.sequence, Pdu::GenericNack)).await;
    assert_eq!(sending.await.unwrap(), Err(SendError::Refused { status: "ESME_RINVCMDID".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_silent_smsc_is_left() {
    let mut bank = Bank::start(config(), 4096);
    let mut peer = bank.bound().await;
    let since = Instant::now();
    assert_eq!(peer.read().await.id, CommandId::EnquireLink);
    assert!((29..=30).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    bank.bound().await;
    assert!((34..40).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn requests_of_the_smsc_are_answered() {
    let mut bank = Bank::start(config(), 4096);
    let mut peer = bank.bound().await;
    let mut broken = pdu::encode(CommandStatus::EsmeRok, 3, DeliverSm::default()).to_vec();
    broken.truncate(17);
    broken[3] = 17;
    let ok = CommandStatus::EsmeRok;
    for (request, id, status) in [
        (pdu::encode(ok, 1, Pdu::EnquireLink).to_vec(), CommandId::EnquireLinkResp, ok),
        (pdu::encode(ok, 2, DeliverSm::default()).to_vec(), CommandId::DeliverSmResp, ok),
        (broken, CommandId::DeliverSmResp, ok),
        (
            pdu::encode(ok, 4, rusmpp::pdus::QuerySm::default()).to_vec(),
            CommandId::GenericNack,
            CommandStatus::EsmeRinvcmdid,
        ),
        (pdu::encode(ok, 5, Pdu::Unbind).to_vec(), CommandId::UnbindResp, ok),
    ] {
        peer.put(&request).await;
        let answer = peer.read().await;
        assert_eq!((answer.id, answer.status), (id, status));
    }
    bank.bound().await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_left() {
    let mut bank = Bank::start(config(), 4096);
    let mut peer = bank.bound().await;
    peer.put(&[0xFF; 16]).await;
    while bank.sender.is_up() {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(reason(&bank).contains("command_length"), "{}", reason(&bank));
    bank.bound().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_receipts_is_acknowledged_and_holds_up_no_text() {
    const FLOOD: u32 = 5000;
    let mut bank = Bank::start(config(), 1 << 20);
    let mut peer = bank.bound().await;
    let receipts: Vec<u8> = (1..=FLOOD)
        .flat_map(|n| pdu::encode(CommandStatus::EsmeRok, n, DeliverSm::default()).to_vec())
        .collect();
    peer.put(&receipts).await;
    let sending = bank.send("x");
    let (mut acknowledged, mut submitted_after) = (0, None);
    while acknowledged < FLOOD || submitted_after.is_none() {
        let frame = peer.read().await;
        match frame.id {
            CommandId::DeliverSmResp => acknowledged += 1,
            CommandId::SubmitSm => {
                submitted_after = Some(acknowledged);
                peer.put(&pdu::encode(CommandStatus::EsmeRok, frame.sequence, SubmitSmResp::default())).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(sending.await.unwrap().is_ok());
    assert!(submitted_after.unwrap() < FLOOD / 2, "it waited for {submitted_after:?} receipts");
}
