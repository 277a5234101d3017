//! Texts that arrive, and what is said of those that do not.

use std::time::Duration;

use ramz_domain::Language;
use ramz_sms::{
    port::{SendError, Sender as _},
    smpp::LinkState,
};
use rusmpp::CommandStatus;

use crate::lab::{Lab, PHONE, purchase, until};

#[tokio::test]
async fn a_persian_text_arrives_in_two_parts_and_reads_exactly() {
    let (lab, smsc, bank) = Lab::bound().await;
    let text = purchase(Language::Persian);
    let accepted = bank.send(&text).await.unwrap();
    assert_eq!((accepted.parts, accepted.message_ids.len()), (2, 2));
    assert_ne!(accepted.message_ids[0], accepted.message_ids[1]);
    let expect = "بانک ملت\nخرید\nکتاب‌فروشی نمونه\nمبلغ:1,250,000 ریال\nرمز:0472013\nاعتبار:14:33:06\n@pay.example #0472013";
    assert_eq!(lab.shown(), [expect]);
    assert_eq!(smsc.submits_seen(), 2);
    assert_eq!(lab.tap.values("submit_sm", "data_coding"), ["UCS-2", "UCS-2"]);
    assert_eq!(lab.tap.values("submit_sm", "parts"), ["1/2", "2/2"]);
    assert_eq!(lab.tap.values("submit_sm", "destination_addr"), ["98912***67", "98912***67"]);
    assert_eq!(lab.tap.values("submit_sm_resp", "command_status"), ["ESME_ROK", "ESME_ROK"]);
    until("both receipts came", || lab.tap.values("deliver_sm", "receipt") == ["delivered", "delivered"])
        .await;
}

#[tokio::test]
async fn an_english_text_is_one_gsm_7_message() {
    let (lab, _smsc, bank) = Lab::bound().await;
    let accepted = bank.send(&purchase(Language::English)).await.unwrap();
    assert_eq!(accepted.parts, 1);
    let expect = "Bank Mellat\nPurchase\nSample Shop\nAmount: 1,250,000 IRR\nPIN: 0472013\nValid until: 14:33:06\n@pay.example #0472013";
    assert_eq!(lab.shown(), [expect]);
    assert_eq!(lab.tap.values("submit_sm", "data_coding"), ["GSM-7"]);
    let message = &lab.handsets.messages(&ramz_domain::Phone::parse(PHONE).unwrap())[0];
    assert_eq!(message.from, "Bank Mellat");
}

#[tokio::test]
async fn a_throttled_text_is_delivered_once() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.throttle_next(2);
    bank.send("رمز:0472013").await.unwrap();
    assert_eq!(lab.shown().len(), 1);
    assert_eq!(smsc.submits_seen(), 3);
    // A full queue at the operator's is the same.
    smsc.refuse_next(CommandStatus::EsmeRmsgqful);
    bank.send("رمز:0472013").await.unwrap();
    assert_eq!(lab.shown().len(), 2);
}

#[tokio::test]
async fn an_operator_that_keeps_throttling_is_told_of_and_spared() {
    let lab = Lab::new().await;
    let smsc = lab.open();
    let mut config = lab.config();
    config.patience = Duration::from_millis(700);
    let bank = lab.bank(config);
    until("the bank is bound", || bank.sender.is_up()).await;
    smsc.throttle_next(1000);
    assert_eq!(bank.send("x").await, Err(SendError::Throttled));
    assert!(smsc.submits_seen() <= 5, "tried {} times in 0.7 s", smsc.submits_seen());
    assert!(lab.shown().is_empty());
}

#[tokio::test]
async fn a_refused_text_is_not_tried_again() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.refuse_next(CommandStatus::EsmeRinvdstadr);
    let refused = bank.send("x").await;
    assert_eq!(refused, Err(SendError::Refused { status: "ESME_RINVDSTADR".into() }));
    assert_eq!((smsc.submits_seen(), lab.shown().len()), (1, 0));
    smsc.refuse_next(CommandStatus::Other(0x0400));
    assert_eq!(bank.send("x").await, Err(SendError::Refused { status: "status 0x00000400".into() }));
    let long = bank.send(&"x".repeat(1531)).await;
    assert!(matches!(long, Err(SendError::Refused { status }) if status.contains("too long")));
    assert_eq!(smsc.submits_seen(), 2);
}

#[tokio::test]
async fn a_line_lost_during_a_submit_leaves_it_unknown_and_comes_back() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.hold();
    let sending = tokio::spawn({
        let bank = bank.clone();
        async move { bank.send("رمز:0472013").await }
    });
    until("the submit was seen", || smsc.submits_seen() == 1).await;
    smsc.drop_connections();
    assert_eq!(sending.await.unwrap(), Err(SendError::Unknown));
    smsc.release();
    until("the bank is bound again", || bank.sender.is_up()).await;
    // At least once: the same words again.
    bank.send("رمز:0472013").await.unwrap();
    assert_eq!(lab.shown(), ["رمز:0472013", "رمز:0472013"]);
}

#[tokio::test]
async fn a_text_waits_for_a_line_that_comes_back() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.drop_connections();
    until("the bank sees it", || !bank.sender.is_up()).await;
    bank.send("رمز:0472013").await.unwrap();
    assert_eq!(lab.shown(), ["رمز:0472013"]);
}

#[tokio::test]
async fn without_an_operator_the_line_is_down() {
    let lab = Lab::new().await;
    let mut config = lab.config();
    config.patience = Duration::from_millis(200);
    config.response_timeout = Duration::from_millis(50);
    // Somebody accepts, and never answers.
    let bank = lab.bank(config);
    until(
        "it gave up waiting",
        || matches!(bank.sender.state(), LinkState::Down(r) if r.contains("in time")),
    )
    .await;
    assert!(matches!(bank.send("x").await, Err(SendError::Down(_))));
    assert!(!bank.sender.is_up());
}

#[tokio::test]
async fn a_wrong_password_is_said_clearly() {
    let lab = Lab::new().await;
    let smsc = lab.open();
    let mut config = lab.config_with("wr0ngpw");
    config.patience = Duration::from_millis(100);
    let bank = lab.bank(config);
    let reason = "refused the password (ESME_RINVPASWD): check the password file";
    until("the reason is told", || matches!(bank.sender.state(), LinkState::Down(r) if r.ends_with(reason)))
        .await;
    let Err(SendError::Down(told)) = bank.send("x").await else { panic!("it is down") };
    assert!(told.ends_with(reason) && !told.contains("wr0ngpw"), "{told}");
    assert_eq!((smsc.binds_refused(), smsc.bound()), (1, 0));
}

#[tokio::test]
async fn many_texts_at_once_are_not_mixed() {
    let (lab, smsc, bank) = Lab::bound().await;
    let sending = (0..200).map(|n| {
        let bank = bank.clone();
        // To a few phones, two parts each, so that references matter.
        tokio::spawn(async move {
            let text = format!("{n} {}", "ر".repeat(100));
            bank.send_to(&format!("0912123456{}", n % 5), &text).await.unwrap();
        })
    });
    for sent in sending.collect::<Vec<_>>() {
        sent.await.unwrap();
    }
    assert_eq!(smsc.submits_seen(), 400);
    for (phone, count) in lab.handsets.phones() {
        assert_eq!(count, 40);
        let phone = ramz_domain::Phone::parse(&phone).unwrap();
        let mut texts: Vec<_> =
            lab.handsets.messages(&phone).iter().map(|message| message.text.expose().to_owned()).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 40);
        assert!(texts.iter().all(|text| text.ends_with(&"ر".repeat(100))));
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_in_flight_and_unbinds() {
    let (lab, smsc, bank) = Lab::bound().await;
    smsc.hold();
    let sending = tokio::spawn({
        let bank = bank.clone();
        async move { bank.send("رمز:0472013").await }
    });
    until("the submit was seen", || smsc.submits_seen() == 1).await;
    bank.shutdown.cancel();
    smsc.release();
    assert_eq!(sending.await.unwrap().map(|accepted| accepted.parts), Ok(1));
    until("it unbound", || smsc.bound() == 0).await;
    assert_eq!(lab.shown().len(), 1);
    assert_eq!(bank.send("x").await, Err(SendError::Down("shutting down".into())));
}
