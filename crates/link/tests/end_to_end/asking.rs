//! The asking side: matching, what was sent and what was not, echo, reconnecting, the shutdown.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ramz_iso8583::{Message, Mti, decode};
use ramz_link::{AskError, LinkConfig};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::loopback::{
    Approve, Hand, Hold, PATIENCE, answer, approved, ascii, ask, bind, config, purchase, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_answers_in_reverse_order_find_their_requests() {
    let host = Arc::new(Hold::default());
    let listening = answer(host.clone(), b"").await;
    let asking = ask(config(listening.address));
    asking.link.came_up().await;
    let mut tasks = JoinSet::new();
    for trace in 1..=800 {
        let link = asking.link.clone();
        tasks.spawn(async move { (trace, link.ask(purchase(trace), PATIENCE).await) });
    }
    until("all are asked", || host.len() == 800).await;
    host.release();
    while let Some(done) = tasks.join_next().await {
        let (trace, answer) = done.unwrap();
        assert_eq!(answer, Ok(approved(&purchase(trace))));
    }
}

#[tokio::test]
async fn headers_are_written_and_passed_over() {
    let listening = answer(Arc::new(Approve), b"ISO70").await;
    let asking = ask(LinkConfig { header: b"other".to_vec(), ..config(listening.address) });
    asking.link.came_up().await;
    assert_eq!(asking.link.ask(purchase(1), PATIENCE).await, Ok(approved(&purchase(1))));
    asking.tap.has("0210 purchase 00").await;
    let titles = ["0800 sign-on", "0810 sign-on 00", "0200 purchase", "0210 purchase 00"];
    assert_eq!(asking.tap.titles(), titles);
    assert_eq!(listening.tap.titles(), titles);
}

#[tokio::test]
async fn a_dropped_connection_loses_what_is_in_flight_and_is_made_again() {
    let (listener, address) = bind().await;
    let asking = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;

    let in_flight = tokio::spawn({
        let link = asking.link.clone();
        async move { link.ask(purchase(1), PATIENCE).await }
    });
    assert_eq!(host.read().await, purchase(1));
    drop(host);
    assert_eq!(in_flight.await.unwrap(), Err(AskError::Lost));
    assert!(!asking.link.is_up());
    assert_eq!(asking.link.ask(purchase(2), PATIENCE).await, Err(AskError::Down));

    let mut host = Hand::accept(&listener).await;
    let sign_on = host.read().await;
    assert!(!asking.link.is_up(), "not before the sign-on is answered");
    assert_eq!(asking.link.ask(purchase(3), PATIENCE).await, Err(AskError::Down));
    host.write(&approved(&sign_on)).await;
    asking.link.came_up().await;
    let (answer, ()) = tokio::join!(asking.link.ask(purchase(4), PATIENCE), async {
        let request = host.read().await;
        assert_eq!(request, purchase(4), "what was refused as not sent never arrives");
        host.write(&approved(&request)).await;
    });
    assert_eq!(answer, Ok(approved(&purchase(4))));
}

#[tokio::test]
async fn a_refused_or_unanswered_sign_on_connects_anew() {
    let (listener, address) = bind().await;
    let asking = ask(LinkConfig { answer_timeout: Duration::from_secs(1), ..config(address) });
    let mut refuses = Hand::accept(&listener).await;
    let mut refusal = approved(&refuses.read().await);
    refusal.set(39, "91");
    refuses.write(&refusal).await;
    refuses.ended().await;
    let mut silent = Hand::accept(&listener).await;
    silent.read().await;
    silent.ended().await;
    assert!(!asking.link.is_up());
    let _host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;
}

#[tokio::test]
async fn an_echo_that_is_unanswered_or_refused_connects_anew() {
    let (listener, address) = bind().await;
    let short = Duration::from_millis(50);
    let asking =
        ask(LinkConfig { sign_on: false, echo_every: short, answer_timeout: PATIENCE, ..config(address) });
    let mut host = Hand::echoed(&listener).await;
    asking.link.came_up().await;
    for _ in 0..3 {
        let echo = host.read().await;
        assert_eq!((echo.mti().as_str(), echo.get(70)), ("0800", Some("301")));
        assert!(asking.link.is_up());
        host.write(&approved(&echo)).await;
    }
    let mut refusal = approved(&host.read().await);
    refusal.set(39, "91");
    host.write(&refusal).await;
    host.ended().await;
    let _host = Hand::echoed(&listener).await;
    asking.shutdown.cancel();
    asking.link.closed().await;

    let asking =
        ask(LinkConfig { sign_on: false, echo_every: short, answer_timeout: short, ..config(address) });
    let mut silent = Hand::echoed(&listener).await;
    assert_eq!(silent.read().await.get(70), Some("301"));
    silent.ended().await;
    let _host = Hand::echoed(&listener).await;
    asking.link.came_up().await;
}

/// A tunnel or a balancer takes connections for a host that is away.
#[tokio::test]
async fn a_connection_is_no_host() {
    let (listener, address) = bind().await;
    let short = Duration::from_millis(50);
    let asking = ask(LinkConfig { sign_on: false, answer_timeout: short, ..config(address) });
    let mut tunnel = Hand::accept(&listener).await;
    assert_eq!(tunnel.read().await.get(70), Some("301"));
    assert!(!asking.link.is_up());
    assert_eq!(asking.link.ask(purchase(1), PATIENCE).await, Err(AskError::Down));
    tunnel.ended().await;
    let _host = Hand::echoed(&listener).await;
    asking.link.came_up().await;
}

#[tokio::test]
async fn a_host_that_signs_off_is_asked_nothing_until_it_signs_on() {
    let (listener, address) = bind().await;
    let short = Duration::from_millis(300);
    let asking = ask(LinkConfig { echo_every: short, ..config(address) });
    let mut host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;
    assert_eq!(host.says("002").await.as_deref(), Some("00"));
    assert!(!asking.link.is_up());
    assert_eq!(asking.link.ask(purchase(1), PATIENCE).await, Err(AskError::Down));
    assert_eq!(host.says("001").await.as_deref(), Some("00"));
    assert!(asking.link.is_up());

    // One that waits to be signed on to, and is not ready yet.
    assert_eq!(host.says("002").await.as_deref(), Some("00"));
    let sign_on = host.read().await;
    assert_eq!((sign_on.mti().as_str(), sign_on.get(70)), ("0800", Some("001")));
    let mut refusal = approved(&sign_on);
    refusal.set(39, "91");
    host.write(&refusal).await;
    host.ended().await;
    let mut host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;

    // And one that is, and is heard meanwhile.
    assert_eq!(host.says("002").await.as_deref(), Some("00"));
    let mut echo = Message::new(Mti::NETWORK);
    echo.set(70, "301");
    let mut echoes = 0;
    let sign_on = loop {
        host.write(&echo).await;
        let read = host.read().await;
        if read.get(70) == Some("001") {
            break read;
        }
        echoes += 1;
        assert!(echoes < 30, "it is not signed on to");
        tokio::time::sleep(short / 6).await;
    };
    host.write(&approved(&sign_on)).await;
    asking.link.came_up().await;
}

#[tokio::test]
async fn what_cannot_be_matched_or_written_is_not_sent() {
    let (listener, address) = bind().await;
    let asking = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;
    let first = tokio::spawn({
        let link = asking.link.clone();
        async move { link.ask(purchase(1), PATIENCE).await }
    });
    assert_eq!(host.read().await, purchase(1));

    assert_eq!(asking.link.ask(purchase(1), PATIENCE).await, Err(AskError::Duplicate));
    let mut unmatchable = purchase(2);
    unmatchable.remove(11);
    let error = asking.link.ask(unmatchable, PATIENCE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "not sent: field 11 (system trace audit number): expected a trace number, to match the answer by, found nothing"
    );
    let mut unwritable = purchase(3);
    unwritable.set(4, "12");
    assert!(matches!(asking.link.ask(unwritable, PATIENCE).await, Err(AskError::Unsendable(_))));

    host.write(&approved(&purchase(1))).await;
    assert!(first.await.unwrap().is_ok());
    let (answer, ()) = tokio::join!(asking.link.ask(purchase(4), PATIENCE), async {
        assert_eq!(host.read().await, purchase(4), "nothing came between");
        host.write(&approved(&purchase(4))).await;
    });
    assert!(answer.is_ok());
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_dropped() {
    let (listener, address) = bind().await;
    let asking = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;
    let error = asking.link.ask(purchase(1), Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error, AskError::TimedOut);
    assert!(error.was_sent());
    assert_eq!(host.read().await, purchase(1));
    host.write(&approved(&purchase(1))).await;
    asking.tap.has("0210 purchase 00 (late, dropped)").await;

    // The same trace number may be used again at once.
    let (answer, ()) = tokio::join!(asking.link.ask(purchase(1), PATIENCE), async {
        let request = host.read().await;
        host.write(&approved(&request)).await;
    });
    assert!(answer.is_ok());
}

#[tokio::test]
async fn the_other_side_may_echo_but_not_ask() {
    let (listener, address) = bind().await;
    let asking = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    host.write(&purchase(1)).await;
    host.write_bytes(&[0, 0]).await;
    host.write_frame(b"garbage").await;
    for (kind, code) in [("301", "00"), ("161", "12")] {
        assert_eq!(host.says(kind).await.as_deref(), Some(code));
    }
    assert!(asking.tap.titles().contains(&"0200 purchase (not asked here, ignored)".to_owned()));
    assert!(asking.tap.titles().contains(&"unreadable message".to_owned()));
    assert!(asking.link.is_up());
}

#[tokio::test]
async fn a_peer_that_speaks_another_layout_is_hung_up_on() {
    let (listener, address) = bind().await;
    let _asking = ask(LinkConfig { sign_on: false, ..config(address) });
    let mut host = Hand::accept(&listener).await;
    for _ in 0..16 {
        host.write_frame(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    }
    host.ended().await;
    let mut host = Hand::accept(&listener).await;
    host.write_bytes(&[0xFF, 0xFF]).await;
    host.ended().await;
}

#[tokio::test]
async fn a_shutdown_lets_answers_come_in_and_signs_off() {
    let (listener, address) = bind().await;
    let asking = ask(config(address));
    let mut host = Hand::signed_on(&listener).await;
    asking.link.came_up().await;
    let in_flight = tokio::spawn({
        let link = asking.link.clone();
        async move { link.ask(purchase(1), PATIENCE).await }
    });
    assert_eq!(host.read().await, purchase(1));
    asking.shutdown.cancel();
    until("it takes nothing new", || !asking.link.is_up()).await;
    assert_eq!(asking.link.ask(purchase(2), PATIENCE).await, Err(AskError::Down));
    host.write(&approved(&purchase(1))).await;
    assert!(in_flight.await.unwrap().is_ok());
    let sign_off = host.read().await;
    assert_eq!((sign_off.mti().as_str(), sign_off.get(70)), ("0800", Some("002")));
    host.write(&approved(&sign_off)).await;
    host.ended().await;
    timeout(PATIENCE, asking.link.closed()).await.expect("it closes");
}

#[tokio::test]
async fn a_link_nobody_owns_closes() {
    let (listener, address) = bind().await;
    let asking = ask(LinkConfig { sign_on: false, ..config(address) });
    let mut host = Hand::echoed(&listener).await;
    asking.link.came_up().await;
    drop(asking.link);
    host.ended().await;
}

/// A host that stops reading: what waits in the queue when its asker gives up must not be written later.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_not_written_when_the_line_moves_again() {
    let (listener, address) = bind().await;
    let asking = ask(LinkConfig { sign_on: false, ..config(address) });
    let mut host = Hand::echoed(&listener).await;
    asking.link.came_up().await;
    let mut not_sent = HashSet::new();
    let mut trace = 0;
    while not_sent.is_empty() {
        let mut tasks = JoinSet::new();
        for _ in 0..200 {
            trace += 1;
            let mut request = purchase(trace);
            for field in 60..=63 {
                request.set(field, [b'x'; 999]);
            }
            let link = asking.link.clone();
            tasks.spawn(async move { (trace, link.ask(request, Duration::from_millis(20)).await) });
        }
        while let Some(done) = tasks.join_next().await {
            let (trace, answer) = done.unwrap();
            if answer == Err(AskError::Down) {
                not_sent.insert(format!("{trace:06}"));
            }
        }
        assert!(trace < 100_000, "the sockets hold all of it");
    }
    assert!(asking.link.is_up());
    let last = tokio::spawn({
        let link = asking.link.clone();
        async move { link.ask(purchase(999_999), PATIENCE).await }
    });
    loop {
        let request = host.read().await;
        assert!(!not_sent.contains(request.get(11).unwrap()), "{:?} was taken back", request.get(11));
        if request.get(11) == Some("999999") {
            host.write(&approved(&request)).await;
            break;
        }
    }
    assert!(last.await.unwrap().is_ok());
}

/// The seam that a PIN hangs on: of everything that was reported as not sent, the host has seen nothing, however the
/// connection ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_reported_as_not_sent_was_never_seen() {
    let (listener, address) = bind().await;
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let host = tokio::spawn({
        let (seen, stop) = (seen.clone(), stop.clone());
        async move {
            for round in 0.. {
                let Ok(accepted) = timeout(PATIENCE, listener.accept()).await else { return };
                let mut hand = Hand(accepted.unwrap().0);
                // Every connection ends after another number of requests, some answered, some not.
                for nth in 0..(round * 37 % 50 + 1) {
                    let Some(frame) = hand.read_frame().await else { break };
                    let request = decode(&ascii(), &frame).unwrap();
                    seen.lock().unwrap().insert(request.get(11).unwrap().to_owned());
                    if nth % 2 == 0 {
                        hand.write(&approved(&request)).await;
                    }
                }
                // What is in the socket already has been seen, as far as the link can know.
                let _ = hand.0.set_zero_linger();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    });
    let asking = ask(LinkConfig { sign_on: false, ..config(address) });
    let trace = Arc::new(AtomicUsize::new(1));
    let reported = Arc::new(Mutex::new((Vec::new(), 0)));
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (link, trace, reported) = (asking.link.clone(), trace.clone(), reported.clone());
        tasks.spawn(async move {
            for _ in 0..15 {
                link.came_up().await;
                let trace = u32::try_from(trace.fetch_add(1, Ordering::Relaxed)).unwrap();
                match link.ask(purchase(trace), Duration::from_millis(5)).await {
                    Err(error) if error.was_sent() => reported.lock().unwrap().1 += 1,
                    Err(_) => reported.lock().unwrap().0.push(format!("{trace:06}")),
                    Ok(_) => {}
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    asking.shutdown.cancel();
    asking.link.closed().await;
    host.abort();
    let _ = host.await;
    let (not_sent, sent) = &*reported.lock().unwrap();
    assert!(*sent > 0, "connections were lost");
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 100);
    for trace in not_sent {
        assert!(!seen.contains(trace), "{trace} was reported as not sent, but was seen");
    }
}
