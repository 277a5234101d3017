//! A dead bank of two, in every way that a bank can be dead: the other's requests go on; and the dead one is left alone,
//! tried, and asked again.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use axum::{http::StatusCode, response::IntoResponse as _};
use ramz_api::{
    client::AskError,
    deadline::RAMZ_DEADLINE_MS,
    net::{BoxStream, Connector},
    pin_request::{IDEMPOTENCY_KEY, PinRequested},
    problem::{Kind, Problem},
};
use ramz_domain::limits;
use ramz_router::Config;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::Notify};
use uuid::Uuid;

use crate::{
    proxy::{Fault, Proxy},
    world::*,
};

/// What a bank is given here, in milliseconds: little more than is fair, so that a time-out tells of the bank.
const DEADLINE_MS: u128 = limits::BANK_TIME_FAIR.as_millis() + 500;

/// Asks for a card.
async fn ask(world: &World, pan: &str) -> Result<PinRequested, Problem> {
    ask_within(world, DEADLINE_MS, pan).await
}

async fn ask_within(world: &World, ms: u128, pan: &str) -> Result<PinRequested, Problem> {
    let mut request = asked(bytes(&purchase(pan)));
    request.headers_mut().insert(RAMZ_DEADLINE_MS, ms.to_string().parse().unwrap());
    request.headers_mut().insert(IDEMPOTENCY_KEY, fresh().to_string().parse().unwrap());
    let answer = world.send(request).await;
    if answer.status() == StatusCode::ACCEPTED {
        return Ok(serde_json::from_slice(answer.body()).unwrap());
    }
    Err(Problem::read(answer.status(), answer.body()).expect("a problem of ours"))
}

/// A fresh name for a request.
fn fresh() -> Uuid {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    Uuid::from_u128(NEXT.fetch_add(1, Ordering::SeqCst) as u128)
}

/// So many requests at once for the first bank's cards.
async fn asked_at_once(world: &World, times: usize) -> Vec<Result<PinRequested, Problem>> {
    futures_util::future::join_all((0..times).map(|_| ask(world, MELLAT))).await
}

async fn line(world: &World, line: &str) -> bool {
    let metrics = String::from_utf8(world.metrics("/metrics").await.body().to_vec()).unwrap();
    metrics.lines().any(|l| l == line)
}

async fn available(world: &World) -> BTreeMap<String, bool> {
    let banks: ramz_api::directory::Banks =
        serde_json::from_slice(world.send(get("/v1/banks")).await.body()).unwrap();
    banks.banks.into_iter().map(|bank| (bank.id, bank.available)).collect()
}

/// The first bank dies in this way: it is cut off, the second goes on; it comes back, and is asked again.
async fn dies_and_comes_back(fault: Fault) {
    let (first, second) = (Bank::fine().await, Bank::fine().await);
    let proxy = Proxy::before(first.address).await;
    let world = router(&[("mellat", proxy.address), ("melli", second.address)]).await;
    assert!(ask(&world, MELLAT).await.is_ok() && ask(&world, MELLI).await.is_ok());

    proxy.is(fault);
    let answers = asked_at_once(&world, limits::BREAKER_IN_A_ROW as usize).await;
    assert!(answers.iter().all(|a| a.as_ref().is_err_and(|p| p.kind == Kind::IssuerUnavailable)));
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"mellat\"} 2").await, "{fault:?}: it is cut off");
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"melli\"} 0").await);
    let told = available(&world).await;
    assert_eq!((told["mellat"], told["melli"]), (false, true));

    // Nobody goes there, and whoever asks is told at once when to come again.
    let taken = proxy.taken();
    let problem = ask(&world, MELLAT).await.unwrap_err();
    assert_eq!((problem.kind, problem.retry_after_s), (Kind::IssuerUnavailable, Some(5)));
    assert_eq!(proxy.taken(), taken);
    assert!(line(&world, "ramz_router_bank_turned_away_total{bank=\"mellat\",why=\"cut_off\"} 1").await);
    assert!(ask(&world, MELLI).await.is_ok(), "{fault:?}: the other bank");

    // Its wait is over, it is still dead: one probe, twice the wait.
    world.clock.advance(limits::BREAKER_OPEN_FIRST);
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"mellat\"} 1").await, "{fault:?}: half-open");
    assert!(ask(&world, MELLAT).await.is_err());
    let problem = ask(&world, MELLAT).await.unwrap_err();
    assert_eq!(problem.retry_after_s, Some(10), "{fault:?}: the probe failed");

    proxy.is(Fault::None);
    world.clock.advance(2 * limits::BREAKER_OPEN_FIRST);
    assert!(ask(&world, MELLAT).await.is_ok(), "{fault:?}: the probe is a request like any other");
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"mellat\"} 0").await);
    assert!(line(&world, "ramz_router_bank_opened_total{bank=\"mellat\"} 2").await);
    assert!(available(&world).await["mellat"]);
}

#[tokio::test]
async fn a_bank_that_refuses_is_cut_off_and_comes_back() {
    dies_and_comes_back(Fault::Refuse).await;
}

#[tokio::test]
async fn a_bank_that_is_silent_is_cut_off_and_comes_back() {
    dies_and_comes_back(Fault::Silence).await;
}

#[tokio::test]
async fn a_bank_whose_answers_are_lost_is_cut_off_and_comes_back() {
    dies_and_comes_back(Fault::CutAnswer).await;
}

#[tokio::test]
async fn a_bank_that_fails_is_cut_off_and_one_that_refuses_askers_is_not() {
    let failing = Bank::open(false, || Problem::fault(Uuid::from_u128(5)).into_response()).await;
    let strict = Bank::open(false, || Problem::malformed(Vec::new()).into_response()).await;
    let world = router(&[("mellat", failing.address), ("melli", strict.address)]).await;
    for _ in 0..3 * limits::BREAKER_IN_A_ROW {
        assert_eq!(ask(&world, MELLAT).await.unwrap_err().kind, Kind::IssuerUnavailable);
        assert_eq!(ask(&world, MELLI).await.unwrap_err().kind, Kind::Malformed);
    }
    assert_eq!(failing.sent.lock().unwrap().len(), limits::BREAKER_IN_A_ROW as usize);
    assert_eq!(strict.sent.lock().unwrap().len(), 3 * limits::BREAKER_IN_A_ROW as usize);
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"melli\"} 0").await);
}

/// One asker's haste must not cut a bank off from the others.
#[tokio::test]
async fn askers_in_a_hurry_cut_no_bank_off() {
    let slow = Bank::open(true, accepted).await;
    let world = router(&[("mellat", slow.address)]).await;
    for _ in 0..3 * limits::BREAKER_IN_A_ROW {
        assert_eq!(ask_within(&world, 120, MELLAT).await.unwrap_err().kind, Kind::IssuerUnavailable);
    }
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"mellat\"} 0").await);
}

#[tokio::test]
async fn a_deadline_is_carried_along_and_never_grows() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    let limit = limits::BANK_TIMEOUT.as_millis();
    for (said, most) in [(None, limit), (Some("1500"), 1400), (Some("600000"), limit), (Some("x"), limit)] {
        let mut request = asked(bytes(&purchase(MELLAT)));
        if let Some(said) = said {
            request.headers_mut().insert(RAMZ_DEADLINE_MS, said.parse().unwrap());
        }
        assert_eq!(world.send(request).await.status(), 202);
        let told = bank.deadlines.lock().unwrap().pop().unwrap();
        assert!((1..=most).contains(&told), "{said:?}: the bank was given {told} ms");
    }
    let sent = bank.sent.lock().unwrap().len();
    assert_eq!(ask_within(&world, 0, MELLAT).await.unwrap_err().kind, Kind::IssuerUnavailable);
    assert_eq!(bank.sent.lock().unwrap().len(), sent, "the bank was not asked");
}

/// The connection breaks after the bank has the request: the router asks once more, under the same key and with the same
/// bytes, so that the bank makes one admission of both.
#[tokio::test]
async fn a_broken_connection_is_tried_once_more_under_the_same_key() {
    let bank = Bank::fine().await;
    let proxy = Proxy::before(bank.address).await;
    proxy.is(Fault::CutAnswerOnce);
    let world = router(&[("mellat", proxy.address)]).await;
    assert!(ask(&world, MELLAT).await.is_ok());
    {
        let sent = bank.sent.lock().unwrap();
        assert_eq!(sent.len(), 2, "the bank saw it twice");
        assert_eq!(sent[0], sent[1], "and can tell that it is one");
    }
    assert!(line(&world, "ramz_router_bank_retries_total{bank=\"mellat\"} 1").await);
}

#[tokio::test]
async fn nothing_is_tried_more_than_twice_and_a_time_out_only_once() {
    let bank = Bank::fine().await;
    let proxy = Proxy::before(bank.address).await;
    let world = router(&[("mellat", proxy.address)]).await;
    proxy.is(Fault::CutAnswer);
    assert!(ask(&world, MELLAT).await.is_err());
    assert_eq!(bank.sent.lock().unwrap().len(), 2);
    proxy.is(Fault::Silence);
    let taken = proxy.taken();
    assert!(ask(&world, MELLAT).await.is_err());
    assert_eq!(proxy.taken(), taken + 1);
}

/// Retries are paid from a budget: a flood of requests to a bank that breaks each second connection gets a tenth.
#[tokio::test]
async fn retries_do_not_multiply_the_load() {
    let bank = Bank::fine().await;
    let proxy = Proxy::before(bank.address).await;
    let world = router(&[("mellat", proxy.address)]).await;
    let mut broken = 0;
    for n in 0..400 {
        // Two of five break, each in a connection of its own.
        proxy.is(if n % 5 < 2 { Fault::CutAnswerOnce } else { Fault::None });
        broken += usize::from(n % 5 < 2);
        _ = ask(&world, MELLAT).await;
    }
    let retried = bank.sent.lock().unwrap().len() - 400;
    assert_eq!(broken, 160);
    assert!(
        (20..=52).contains(&retried),
        "{retried} retries for {broken} broken connections of 400 requests"
    );
}

/// A connector over which one port is a black hole: connecting to it neither succeeds nor fails.
struct BlackHole {
    port: u16,
    connecting: AtomicUsize,
    arrived: Notify,
}

#[async_trait]
impl Connector for BlackHole {
    async fn connect(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        if port == self.port {
            self.connecting.fetch_add(1, Ordering::SeqCst);
            self.arrived.notify_one();
            std::future::pending::<()>().await;
        }
        Dial.connect(host, port).await
    }
}

/// Bulkheads hold from the first packet on: all places of the black-holed bank are taken by requests that are still
/// connecting, and the other bank's requests pass while every one of them is held.
#[tokio::test]
async fn a_black_hole_holds_its_own_places_and_nobody_elses() {
    let (hole, fine) = (Bank::fine().await, Bank::fine().await);
    let connector = Arc::new(BlackHole {
        port: hole.address.port(),
        connecting: AtomicUsize::new(0),
        arrived: Notify::new(),
    });
    let world =
        router_over(connector.clone(), config(&[("mellat", hole.address), ("melli", fine.address)])).await;
    let asking = world.asking();
    let held: Vec<_> = (0..limits::BANK_IN_FLIGHT_MAX)
        .map(|_| {
            let asking = asking.clone();
            let body = bytes(&purchase(MELLAT));
            tokio::spawn(async move { asking.ask(fresh(), None, &body).await })
        })
        .collect();
    while connector.connecting.load(Ordering::SeqCst) < limits::BANK_IN_FLIGHT_MAX {
        connector.arrived.notified().await;
    }
    let before = connector.connecting.load(Ordering::SeqCst);
    assert!(ask(&world, MELLI).await.is_ok());
    // Which of them ended first is told by the order of things, not by a clock: none had.
    let done = held.iter().filter(|task| task.is_finished()).count();
    for task in held {
        let answer = task.await.unwrap();
        assert!(matches!(answer, Err(AskError::Problem(p)) if p.kind == Kind::IssuerUnavailable));
    }
    assert_eq!(done, 0, "the other bank's request waited for one of the dead bank's");
    assert_eq!(connector.connecting.load(Ordering::SeqCst), before, "a time-out is not tried again");
    assert!(line(&world, "ramz_router_bank_breaker{bank=\"mellat\"} 2").await, "a black hole is cut off");
}

#[tokio::test]
async fn a_request_whose_body_does_not_come_takes_no_place() {
    let melli = Bank::fine().await;
    let config = Config { in_flight: 2, ..config(&[("melli", melli.address)]) };
    let world = router_over(Arc::new(Dial), config).await;
    let head = format!(
        "POST /v1/pin-requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\
         Idempotency-Key: {}\r\n\r\n{{",
        fresh()
    );
    let mut without = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(world.running.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        without.push(stream);
    }
    // Each answered one is evidence that the two, which came before it, were read.
    for _ in 0..20 {
        assert!(ask(&world, MELLI).await.is_ok());
    }
    assert!(line(&world, "ramz_router_in_flight 0").await);
}

/// What is beyond the router's own bound is turned away at once, whichever bank it is for.
#[tokio::test]
async fn what_is_too_much_for_the_router_is_turned_away_at_once() {
    let (mellat, melli) = (Bank::open(true, accepted).await, Bank::fine().await);
    let config = Config { in_flight: 2, ..config(&[("mellat", mellat.address), ("melli", melli.address)]) };
    let world = router_over(Arc::new(Dial), config).await;
    let asking = world.asking();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let asking = asking.clone();
            tokio::spawn(async move { asking.ask(fresh(), None, &bytes(&purchase(MELLAT))).await })
        })
        .collect();
    while mellat.sent.lock().unwrap().len() < 2 {
        mellat.arrived.notified().await;
    }
    let problem = ask(&world, MELLI).await.unwrap_err();
    assert_eq!((problem.kind, problem.retry_after_s), (Kind::IssuerUnavailable, Some(1)));
    assert!(problem.detail.contains("too much in hand"), "{}", problem.detail);
    assert!(melli.sent.lock().unwrap().is_empty() && held.iter().all(|task| !task.is_finished()));
    assert!(line(&world, "ramz_router_in_flight 2").await && line(&world, "ramz_router_shed_total 1").await);
    mellat.go_on.notify_waiters();
    for task in held {
        assert!(task.await.unwrap().is_ok());
    }
    assert!(ask(&world, MELLI).await.is_ok(), "there is room again");
}
