//! What is no message: answered with its place where that can be, survived always.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use crate::loopback::{Answering, Approve, Hand, answer, approved, purchase};

const PAN: &str = "6104337000000016";

#[tokio::test]
async fn a_garbled_message_is_answered_with_the_field_at_fault() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    let message = |amount: &str, terminal: &str| {
        format!("0200702000000080000016{PAN}000000{amount}000123{terminal}").into_bytes()
    };
    for (frame, code) in [
        (message("0000125000x0", "14033212"), "15014format_error:4"),
        (message("000001250000", "1403\n212"), "15015format_error:41"),
        (message("000001250000", "1403"), "15015format_error:41"),
        (message("000001250000", "14033212more"), "15012format_error"),
    ] {
        switch.write_frame(&frame).await;
        let answer = switch.read().await;
        assert_eq!(answer.mti().as_str(), "0210");
        assert_eq!([11, 39, 48].map(|field| answer.get(field).unwrap()), ["000123", "30", code]);
        assert!(!answer.has(2), "the card number is not repeated");
    }
    listening.tap.has("0210 purchase 30").await;
    switch.write(&purchase(1)).await;
    assert_eq!(switch.read().await, approved(&purchase(1)), "the connection stays");
}

#[tokio::test]
async fn a_garbled_message_that_a_refusal_would_settle_is_met_with_silence() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    for mti in ["0101", "0201", "0120", "0220", "0400", "0420", "0421"] {
        let garbled = format!("{mti}702000000080000016{PAN}0000000000125000x000012314033212");
        switch.write_frame(garbled.as_bytes()).await;
    }
    switch.write(&purchase(1)).await;
    assert_eq!(switch.read().await, approved(&purchase(1)), "and the connection stays");
}

#[tokio::test]
async fn what_has_no_type_or_trace_number_is_met_with_silence() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    switch.write_bytes(&[0, 0, 0, 0]).await;
    for frame in [&b"x"[..], b"0200", b"0200zzzzzzzzzzzzzzzz", b"02100020000000000000x", &[0xFF; 8192]] {
        switch.write_frame(frame).await;
    }
    switch.write(&purchase(1)).await;
    assert_eq!(switch.read().await, approved(&purchase(1)));
}

#[tokio::test]
async fn sixteen_garbled_messages_in_a_row_close_the_connection() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    for round in 0..2 {
        for _ in 0..15 {
            switch.write_frame(b"garbage").await;
        }
        switch.write(&purchase(round)).await;
        assert_eq!(
            switch.read().await,
            approved(&purchase(round)),
            "a good one between: the count begins anew"
        );
    }
    for _ in 0..16 {
        switch.write_frame(b"garbage").await;
    }
    switch.ended().await;
}

#[tokio::test]
async fn a_frame_that_is_too_long_closes_the_connection() {
    let listening = answer(Arc::new(Approve), b"").await;
    let mut switch = Hand::connect(listening.address).await;
    switch.write_bytes(&8193_u16.to_be_bytes()).await;
    switch.ended().await;
}

/// One listener and one well-behaved connection for all cases.
struct Steady {
    runtime: Runtime,
    listening: Answering,
    switch: Hand,
    trace: u32,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_disturb_another_connection(
        raw: Vec<u8>,
        frames in prop::collection::vec(("0[0-9][02][01]", any::<[u8; 8]>(), "[0-9a-zA-Z =]{0,200}"), 0..20)
    ) {
        thread_local! {
            static STEADY: std::cell::RefCell<Option<Steady>> = const { std::cell::RefCell::new(None) };
        }
        STEADY.with_borrow_mut(|steady| {
            let steady = steady.get_or_insert_with(|| {
                let runtime = Runtime::new().unwrap();
                let (listening, switch) = runtime.block_on(async {
                    let listening = answer(Arc::new(Approve), b"").await;
                    let switch = Hand::connect(listening.address).await;
                    (listening, switch)
                });
                Steady { runtime, listening, switch, trace: 0 }
            });
            let mut bytes = Vec::new();
            for (mti, bitmap, rest) in &frames {
                let frame = format!("{mti}{:016X}{rest}", u64::from_be_bytes(*bitmap));
                bytes.extend_from_slice(&u16::try_from(frame.len()).unwrap().to_be_bytes());
                bytes.extend_from_slice(frame.as_bytes());
            }
            bytes.extend_from_slice(&raw);
            steady.trace += 1;
            let asked = purchase(steady.trace);
            steady.runtime.block_on(async {
                let mut stranger = Hand::connect(steady.listening.address).await;
                // It may have been hung up on already.
                let _ = stranger.0.write_all(&bytes).await;
                steady.switch.write(&asked).await;
                assert_eq!(steady.switch.read().await, approved(&asked));
                let _ = stranger.0.shutdown().await;
                while stranger.read_frame().await.is_some() {}
                assert!(!steady.listening.task.is_finished());
            });
        });
    }
}
