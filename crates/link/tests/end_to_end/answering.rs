//! The answering side: order, bounds, peers that go away, peers that are slow, the shutdown.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::Peer;
use ramz_domain::limits;
use ramz_iso8583::{Message, Mti, encode};
use ramz_link::Answer;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

use crate::loopback::{
    Approve, Hand, Hold, PATIENCE, PipesDoor, answer, answer_at, approved, ascii, purchase, until,
};

#[tokio::test]
async fn network_messages_are_answered_here() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    for kind in ["001", "301", "002"] {
        let mut request = Message::new(Mti::NETWORK);
        request.set(7, "1124015509");
        request.set(11, "000001");
        request.set(70, kind);
        switch.write(&request).await;
        assert_eq!(switch.read().await, approved(&request));
    }
    listening.tap.has("0810 sign-off 00").await;
}

#[tokio::test]
async fn key_exchange_is_passed_on_and_a_network_message_without_kind_is_not() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    let mut request = Message::new(Mti::NETWORK);
    request.set(11, "000001");
    request.set(48, "99002hi");
    switch.write(&request).await;
    let refused = switch.read().await;
    assert_eq!((refused.get(39), refused.get(48)), (Some("30"), Some("15015format_error:70")));
    request.set(70, "161");
    switch.write(&request).await;
    assert_eq!(switch.read().await, approved(&request));
}

#[tokio::test]
async fn answers_overtake_each_other() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    for trace in 1..=3 {
        switch.write(&purchase(trace)).await;
        until("it is asked", || host.len() == usize::try_from(trace).unwrap()).await;
    }
    let (last, go) = host.0.lock().unwrap().pop().unwrap();
    go.send(approved(&last)).unwrap();
    assert_eq!(switch.read().await, approved(&purchase(3)));
    host.release();
    let rest = [switch.read().await, switch.read().await];
    assert!(rest.contains(&approved(&purchase(1))) && rest.contains(&approved(&purchase(2))));
}

#[tokio::test]
async fn no_more_is_read_than_is_worked_on() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    let most = limits::LINK_IN_FLIGHT_MAX;
    for trace in 1..=most + 10 {
        switch.write(&purchase(u32::try_from(trace).unwrap())).await;
    }
    until("the bound is reached", || host.len() == most).await;
    // Another connection has a bound of its own.
    let mut other = Hand::connect(listening.address).await;
    other.write(&purchase(1)).await;
    until("another connection is served", || host.len() == most + 1).await;
    host.release();
    for _ in 0..most {
        switch.read().await;
    }
    until("the rest is read", || host.len() == 10).await;
    host.release();
}

#[tokio::test]
async fn a_peer_that_stops_within_a_frame_holds_up_nobody() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut slow = Hand::connect(listening.address).await;
    let frame = encode(&ascii(), &purchase(1)).unwrap();
    slow.write_bytes(&u16::try_from(frame.len()).unwrap().to_be_bytes()[..1]).await;
    for trace in 2..10 {
        let mut quick = Hand::connect(listening.address).await;
        quick.write(&purchase(trace)).await;
        assert_eq!(quick.read().await, approved(&purchase(trace)));
    }
    // Byte by byte it gets there, too.
    slow.write_bytes(&u16::try_from(frame.len()).unwrap().to_be_bytes()[1..]).await;
    for byte in &frame {
        slow.write_bytes(&[*byte]).await;
        slow.0.flush().await.unwrap();
    }
    assert_eq!(slow.read().await, approved(&purchase(1)));
}

#[tokio::test(start_paused = true)]
async fn who_connects_and_says_nothing_is_hung_up_on() {
    let (door, mut switch) = PipesDoor::with_one();
    let _listening = answer_at(door, Arc::new(Approve), b"");
    for _ in 0..59 {
        sleep(Duration::from_secs(5)).await;
        switch.write_bytes(&[0, 0]).await;
    }
    let began = Instant::now();
    assert!(switch.read_frame().await.is_none());
    assert_eq!(began.elapsed().as_secs(), 5);

    // Who has said something may be silent for longer.
    let (door, mut switch) = PipesDoor::with_one();
    let _listening = answer_at(door, Arc::new(Approve), b"");
    for trace in 1..=3 {
        switch.write(&purchase(trace)).await;
        assert_eq!(switch.read().await, approved(&purchase(trace)));
        sleep(Duration::from_secs(10 * 60)).await;
    }
}

#[tokio::test]
async fn what_a_peer_started_is_finished_though_it_has_gone() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    switch.write(&purchase(1)).await;
    until("it is asked", || host.len() == 1).await;
    let (request, go) = host.0.lock().unwrap().pop().unwrap();
    switch.0.set_zero_linger().unwrap();
    drop(switch);
    // If the task had been cut off, nobody would be there to take the answer.
    let mut next = Hand::connect(listening.address).await;
    next.write(&purchase(2)).await;
    until("another is asked", || host.len() == 1).await;
    go.send(approved(&request)).expect("the task still waits");
    host.release();
    assert_eq!(next.read().await, approved(&purchase(2)));
    listening.tap.has("0210 purchase 00").await;
}

#[tokio::test]
async fn a_peer_that_has_said_all_still_gets_its_answers() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    switch.write(&purchase(1)).await;
    switch.0.shutdown().await.unwrap();
    until("it is asked", || host.len() == 1).await;
    host.release();
    assert_eq!(switch.read().await, approved(&purchase(1)));
    switch.ended().await;
}

#[tokio::test]
async fn a_shutdown_takes_nothing_new_and_answers_what_is_in_flight() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    let mut idle = Hand::connect(listening.address).await;
    switch.write(&purchase(1)).await;
    until("it is asked", || host.len() == 1).await;
    listening.shutdown.cancel();
    idle.ended().await;
    assert!(!listening.task.is_finished());
    host.release();
    assert_eq!(switch.read().await, approved(&purchase(1)));
    switch.ended().await;
    timeout(PATIENCE, listening.task).await.expect("it ends").unwrap();
    assert!(tokio::net::TcpStream::connect(listening.address).await.is_err(), "the door is closed");
}

/// Panics, is silent, or answers what no layout can express, as the trace number says.
struct Faulty;

#[async_trait]
impl Answer for Faulty {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        match request.get(11) {
            Some("000001") => panic!("on purpose"),
            Some("000002") => None,
            Some(trace @ ("000003" | "000004")) => {
                let mut wrong = approved(&request);
                wrong.set(4, "x");
                wrong.set(39, if trace == "000003" { "55" } else { "00" });
                Some(wrong)
            }
            _ => Some(approved(&request)),
        }
    }
}

#[tokio::test]
async fn a_fault_in_one_answer_harms_no_other() {
    let listening = answer(Arc::new(Faulty), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    // The fourth is an approval: if it cannot be told, only silence lets the other side reverse it.
    for trace in [1, 2, 4, 3] {
        switch.write(&purchase(trace)).await;
    }
    let malfunction = switch.read().await;
    assert_eq!((malfunction.get(11), malfunction.get(39)), (Some("000003"), Some("96")));
    switch.write(&purchase(5)).await;
    assert_eq!(switch.read().await, approved(&purchase(5)));
}

#[tokio::test]
async fn answers_nobody_asked_for_are_ignored() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    switch.write(&approved(&purchase(1))).await;
    switch.write(&purchase(2)).await;
    assert_eq!(switch.read().await, approved(&purchase(2)));
    listening.tap.has("0210 purchase 00 (an answer nobody asked for, ignored)").await;
}
