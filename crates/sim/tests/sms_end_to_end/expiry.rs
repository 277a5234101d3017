//! A text whose PIN has run out is never handed over, whatever it was waiting for.

use std::time::Duration;

use ramz_sms::port::{Given, SendError, Sender as _};

use crate::lab::{Lab, until};

const LIFE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn while_waiting_for_the_bind() {
    let lab = Lab::new().await;
    let mut config = lab.config();
    config.patience = Duration::from_secs(30);
    let bank = lab.bank(config);
    let sending = tokio::spawn({
        let bank = bank.clone();
        async move { bank.send("رمز:0472013").await }
    });
    tokio::task::yield_now().await;
    lab.clock.advance(LIFE);
    assert_eq!(sending.await.unwrap(), Err(SendError::Expired));
    let smsc = lab.open();
    until("the bank is bound", || bank.sender.is_up()).await;
    bank.send("رمز:1111111").await.unwrap();
    assert_eq!((smsc.submits_seen(), lab.shown()), (1, vec!["رمز:1111111".to_owned()]));
}

#[tokio::test]
async fn while_waiting_for_room_in_the_window() {
    let lab = Lab::new().await;
    let smsc = lab.open();
    let mut config = lab.config();
    config.window = 1;
    config.patience = Duration::from_secs(30);
    config.response_timeout = Duration::from_secs(30);
    let bank = lab.bank(config);
    until("the bank is bound", || bank.sender.is_up()).await;
    smsc.hold();
    let send = |text: &'static str| {
        let bank = bank.clone();
        tokio::spawn(async move { bank.send(text).await })
    };
    let first = send("رمز:1111111");
    until("the first was seen", || smsc.submits_seen() == 1).await;
    let second = send("رمز:2222222");
    tokio::task::yield_now().await;
    lab.clock.advance(LIFE);
    assert_eq!(second.await.unwrap(), Err(SendError::Expired));
    smsc.release();
    assert!(first.await.unwrap().is_ok(), "the first was handed over in time");
    assert_eq!((smsc.submits_seen(), lab.shown()), (1, vec!["رمز:1111111".to_owned()]));
}

#[tokio::test]
async fn while_the_operator_throttles() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.throttle_next(1000);
    let sending = tokio::spawn({
        let bank = bank.clone();
        async move { bank.send("رمز:0472013").await }
    });
    until("it was throttled", || smsc.submits_seen() >= 1).await;
    lab.clock.advance(LIFE);
    assert_eq!(sending.await.unwrap(), Err(SendError::Expired));
    assert!(lab.shown().is_empty());
}

#[tokio::test]
async fn between_two_parts() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.hold();
    let sending = tokio::spawn({
        let bank = bank.clone();
        async move { bank.send(&"ر".repeat(100)).await }
    });
    until("the first part was seen", || smsc.submits_seen() == 1).await;
    lab.clock.advance(LIFE);
    smsc.release();
    assert_eq!(sending.await.unwrap(), Err(SendError::Expired));
    assert_eq!((smsc.submits_seen(), lab.shown().len()), (1, 0));
}

#[tokio::test]
async fn at_once() {
    let (lab, smsc, bank) = Lab::bound().await;
    let phone = ramz_domain::Phone::parse(crate::lab::PHONE).unwrap();
    for left in [0, 1, 999] {
        let sms = ramz_sms::port::Outgoing {
            to: phone.clone(),
            text: ramz_sms::port::SmsText::new("x".into()),
            not_after: crate::lab::START.plus(Duration::from_millis(left)),
        };
        assert_eq!(bank.sender.send(sms, &mut Given::default()).await, Err(SendError::Expired));
    }
    assert_eq!((smsc.submits_seen(), lab.shown().len()), (0, 0));
}
