//! Two operators, two binds, and bad days on one of them: no text is lost, none goes after its expiry.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use ramz_domain::Phone;
use ramz_sim::smsc::Smsc;
use ramz_sms::{
    port::{Accepted, SendError, Sender as _},
    smpp::{LinkState, SmppConfig},
};
use rusmpp::CommandStatus;
use tokio::task::JoinHandle;

use crate::lab::{Bank, Lab, until};

/// Two operators that deliver to phones of their own, and one bank.
struct Two {
    first: Lab,
    second: Lab,
    a: Arc<Smsc>,
    b: Arc<Smsc>,
    bank: Bank,
}

impl Two {
    async fn bound(tune: impl Fn(&mut SmppConfig)) -> Two {
        let two = Two::start(tune).await;
        until("both are bound", || (two.a.bound(), two.b.bound()) == (1, 1)).await;
        until("and the bank knows", || two.bank.sender.lines().iter().all(|line| line.down.is_none())).await;
        two
    }

    async fn start(tune: impl Fn(&mut SmppConfig)) -> Two {
        let first = Lab::new().await;
        let mut second = Lab::new().await;
        second.clock = first.clock.clone();
        let (a, b) = (first.open(), second.open());
        let binds = [("a", &first), ("b", &second)].map(|(name, lab)| {
            let mut config = lab.config();
            config.bind = name.into();
            tune(&mut config);
            config
        });
        let bank = first.bank_with(binds.into());
        Two { first, second, a, b, bank }
    }

    fn sending(&self, n: usize, text: &str) -> JoinHandle<Result<Accepted, SendError>> {
        let (bank, text) = (self.bank.clone(), text.to_owned());
        tokio::spawn(async move { bank.send_to(&phone(n), &text).await })
    }

    /// The texts on a phone, of either operator.
    fn on_phone(&self, n: usize) -> Vec<String> {
        let phone = Phone::parse(&phone(n)).unwrap();
        let both = [&self.first, &self.second].map(|lab| lab.handsets.messages(&phone));
        both.iter().flatten().map(|message| message.text.expose().to_owned()).collect()
    }

    fn submits(&self) -> (u64, u64) {
        (self.a.submits_seen(), self.b.submits_seen())
    }

    fn counted(&self, bind: usize, outcome: &str) -> u64 {
        self.bank.sender.lines()[bind].submitted[outcome]
    }
}

fn phone(n: usize) -> String {
    format!("0912{n:07}")
}

#[tokio::test]
async fn a_quiet_service_uses_its_first_bind_and_a_busy_one_both() {
    let two = Two::bound(|config| config.window = 2).await;
    for n in 0..3 {
        two.bank.send_to(&phone(n), "x").await.unwrap();
    }
    assert_eq!(two.submits(), (3, 0));
    two.a.hold();
    two.b.hold();
    let sending: Vec<_> = (3..9).map(|n| two.sending(n, "x")).collect();
    until("both windows are full", || two.submits() == (5, 2)).await;
    two.a.release();
    two.b.release();
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
    let (a, b) = two.submits();
    assert_eq!(a + b, 9);
}

#[tokio::test]
async fn no_text_is_lost_when_a_bind_goes_in_the_middle_of_a_burst() {
    let two = Two::bound(|_| {}).await;
    two.a.cut_after(20);
    const TEXTS: usize = 300;
    let sending: Vec<_> = (0..TEXTS).map(|n| two.sending(n, "رمز:0472013")).collect();
    let mut unknown = 0;
    for (n, sent) in sending.into_iter().enumerate() {
        match sent.await.unwrap() {
            Ok(_) => {}
            // Written and not answered: the caller sends the same again, as the outbox does.
            Err(SendError::Unknown) => {
                unknown += 1;
                two.bank.send_to(&phone(n), "رمز:0472013").await.unwrap();
            }
            Err(other) => panic!("text {n}: {other}"),
        }
        assert!((1..=2).contains(&two.on_phone(n).len()), "text {n}");
    }
    // No more than what was in the window of the bind that went.
    assert!((1..=16).contains(&unknown), "{unknown} in doubt");
    assert_eq!(u64::try_from(unknown).unwrap(), two.counted(0, "unknown"));
    assert!(two.b.submits_seen() > 0);
}

#[tokio::test]
async fn what_one_smsc_cannot_take_goes_to_the_other() {
    let two = Two::bound(|_| {}).await;
    for status in [CommandStatus::EsmeRsyserr, CommandStatus::EsmeRsubmitfail, CommandStatus::EsmeRxTAppn] {
        two.a.refuse_next(status);
        two.bank.send_to(&phone(0), "x").await.unwrap();
    }
    assert_eq!((two.submits(), two.on_phone(0).len()), ((3, 3), 3));
    // Neither can: that is told, and each was asked once.
    two.a.refuse_next(CommandStatus::EsmeRsyserr);
    two.b.refuse_next(CommandStatus::EsmeRsubmitfail);
    let failed = SendError::Failed { status: "ESME_RSUBMITFAIL".into() };
    assert_eq!(two.bank.send_to(&phone(0), "x").await, Err(failed));
    assert_eq!(two.submits(), (4, 4));
    // What is about the message itself is asked of nobody else.
    two.a.refuse_next(CommandStatus::EsmeRinvdstadr);
    assert!(matches!(two.bank.send_to(&phone(0), "x").await, Err(SendError::Refused { .. })));
    assert_eq!(two.submits(), (5, 4));
}

#[tokio::test]
async fn what_was_not_written_goes_to_the_other_at_once() {
    // Nothing but a fail-over can have it sent: the first has no room in its window, and does not come back.
    let two = Two::bound(|config| {
        config.window = 1;
        config.patience = Duration::from_secs(30);
        config.response_timeout = Duration::from_secs(30);
    })
    .await;
    two.a.hold();
    two.b.hold();
    let written = [two.sending(0, "x"), two.sending(1, "x")];
    until("both windows are full", || two.submits() == (1, 1)).await;
    let waiting = two.sending(2, "رمز:0472013");
    tokio::task::yield_now().await;
    two.a.go_away();
    two.b.release();
    waiting.await.unwrap().unwrap();
    assert_eq!(two.submits(), (1, 2));
    assert_eq!(two.on_phone(2), ["رمز:0472013"]);
    let ended = futures_util::future::join_all(written).await;
    let ended: Vec<_> = ended.into_iter().map(|ended| ended.unwrap().map(|_| ())).collect();
    assert_eq!(ended, [Err(SendError::Unknown), Ok(())]);
}

#[tokio::test]
async fn no_text_goes_after_its_expiry_when_a_bind_goes() {
    let two = Two::bound(|config| {
        config.window = 1;
        config.patience = Duration::from_secs(30);
        config.response_timeout = Duration::from_secs(30);
    })
    .await;
    two.a.hold();
    two.b.hold();
    let _written = [two.sending(0, "x"), two.sending(1, "x")];
    until("both windows are full", || two.submits() == (1, 1)).await;
    let waiting: Vec<_> = (2..10).map(|n| two.sending(n, "رمز:0472013")).collect();
    tokio::task::yield_now().await;
    two.first.clock.advance(Duration::from_secs(120));
    two.a.go_away();
    two.b.release();
    for sent in waiting {
        assert_eq!(sent.await.unwrap(), Err(SendError::Expired));
    }
    assert_eq!(two.submits(), (1, 1));
}

#[tokio::test]
async fn both_down_and_one_comes_back() {
    let two = Two::bound(|config| config.patience = Duration::from_secs(30)).await;
    two.a.go_away();
    two.b.go_away();
    until("neither is bound", || !two.bank.sender.is_up()).await;
    let LinkState::Down(told) = two.bank.sender.state() else { panic!("it is down") };
    assert!(told.contains("a: ") && told.contains("; b: "), "each has its reason: {told}");
    let waiting: Vec<_> = (0..8).map(|n| two.sending(n, "رمز:0472013")).collect();
    tokio::task::yield_now().await;
    two.b.come_back();
    for (n, sent) in waiting.into_iter().enumerate() {
        sent.await.unwrap().unwrap();
        assert_eq!(two.on_phone(n).len(), 1);
    }
    assert_eq!(two.submits(), (0, 8));
    let lines = two.bank.sender.lines();
    assert!(lines[0].down.is_some() && lines[1].down.is_none(), "{lines:?}");
}

#[tokio::test]
async fn a_half_open_bind_is_found_out_and_left() {
    let two = Two::bound(|config| {
        config.response_timeout = Duration::from_millis(1500);
        config.patience = Duration::from_secs(20);
    })
    .await;
    two.a.fall_silent();
    // The first text finds out; enquire_link follows at once, though it would be due in half a minute only.
    assert_eq!(two.bank.send_to(&phone(0), "x").await, Err(SendError::Unknown));
    for n in 1..5 {
        two.bank.send_to(&phone(n), "x").await.unwrap();
    }
    until("it was left, and bound anew", || two.a.binds_seen() == 2 && two.a.bound() >= 1).await;
    until("and is used again", || two.bank.sender.lines()[0].down.is_none()).await;
    let before = two.a.submits_seen();
    two.bank.send_to(&phone(5), "x").await.unwrap();
    assert_eq!(two.a.submits_seen(), before + 1);
    assert_eq!(two.b.submits_seen(), 4);
}

#[tokio::test]
async fn a_bind_that_throttles_is_spared_and_the_other_takes_over() {
    let two = Two::bound(|_| {}).await;
    two.a.throttle_next(1000);
    for n in 0..20 {
        two.bank.send_to(&phone(n), "x").await.unwrap();
    }
    assert_eq!(two.b.submits_seen(), 20);
    let throttled = two.counted(0, "throttled");
    assert!((1..=6).contains(&throttled), "tried {throttled} times");
    assert_eq!(two.counted(1, "throttled"), 0);
}

#[tokio::test]
async fn a_wrong_password_at_one_does_not_stop_the_other() {
    let first = Lab::new().await;
    let second = Lab::new().await;
    let (a, b) = (first.open(), second.open());
    let bank = first.bank_with(vec![first.config_with("wr0ngpw"), second.config()]);
    until("the second is bound", || bank.sender.is_up()).await;
    bank.send("x").await.unwrap();
    until("the first was refused", || a.binds_refused() > 0).await;
    until("and told", || bank.sender.lines()[0].down.as_ref().is_some_and(|why| why.contains("password")))
        .await;
    assert_eq!((a.submits_seen(), b.submits_seen(), bank.sender.state()), (0, 1, LinkState::Bound));
}

#[tokio::test]
async fn answers_late_out_of_order_and_twice_each_find_their_own() {
    let two = Two::bound(|_| {}).await;
    two.a.answer_twice();
    two.a.hold();
    two.b.go_away();
    until("one is bound", || two.bank.sender.lines()[1].down.is_some()).await;
    let sending: Vec<_> = (0..10).map(|n| two.sending(n, &format!("text {n}"))).collect();
    until("all were seen", || two.a.submits_seen() == 10).await;
    two.a.release_in_reverse();
    let mut ids = Vec::new();
    for (n, sent) in sending.into_iter().enumerate() {
        ids.extend(sent.await.unwrap().unwrap().message_ids);
        assert_eq!(two.on_phone(n), [format!("text {n}")]);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10, "each has its own id");
    assert_eq!(two.counted(0, "accepted"), 10);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_in_doubt_and_the_bind_goes_on() {
    let two = Two::bound(|config| config.response_timeout = Duration::from_millis(1500)).await;
    two.a.swallow_next(1);
    assert_eq!(two.bank.send_to(&phone(0), "x").await, Err(SendError::Unknown));
    two.bank.send_to(&phone(1), "x").await.unwrap();
    assert_eq!(two.a.bound(), 1, "enquire_link was answered");
    assert_eq!(two.counted(0, "unknown"), 1);
}

#[tokio::test]
async fn the_parts_of_a_text_stay_together_and_move_together() {
    let two = Two::bound(|_| {}).await;
    let long = "ر".repeat(200);
    let sending: Vec<_> = (0..40).map(|n| two.sending(n, &long)).collect();
    for (n, sent) in sending.into_iter().enumerate() {
        sent.await.unwrap().unwrap();
        assert_eq!(two.on_phone(n), std::slice::from_ref(&long), "one operator has all parts of text {n}");
    }
    let (a, b) = two.submits();
    assert!(a + b == 120 && b > 0, "{a} and {b}");
}

#[tokio::test]
async fn the_parts_of_a_text_wait_for_their_binds_turn() {
    let two = Two::bound(|config| config.rate_per_s = NonZeroU32::new(5)).await;
    let long = "ر".repeat(200);
    for n in 0..3 {
        two.sending(n, &long).await.unwrap().unwrap();
        assert_eq!(two.on_phone(n), std::slice::from_ref(&long), "one operator has all parts of text {n}");
    }
    let (a, b) = two.submits();
    assert!(a + b == 9 && a % 3 == 0, "{a} and {b}");
}

#[tokio::test]
async fn an_agreed_rate_spills_over() {
    let two = Two::bound(|config| {
        if config.bind == "a" {
            config.rate_per_s = NonZeroU32::new(1);
        }
    })
    .await;
    for n in 0..10 {
        two.bank.send_to(&phone(n), "x").await.unwrap();
    }
    let (a, b) = two.submits();
    assert!(a >= 1 && a + b == 10 && b >= 1, "{a} and {b}");
}
