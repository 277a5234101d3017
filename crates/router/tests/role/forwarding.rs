//! The way to a bank and back: what is passed on, what is made of its answers, and whose trouble stays whose.

use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use ramz_api::{
    client::AskError,
    problem::{FieldError, Kind, Problem},
};
use ramz_domain::limits;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::world::*;

#[tokio::test]
async fn a_request_reaches_the_cards_bank_byte_for_byte() {
    let (mellat, melli) = (Bank::fine().await, Bank::fine().await);
    let world = router(&[("mellat", mellat.address), ("melli", melli.address)]).await;
    let spaced = String::from_utf8(bytes(&purchase(MELLI))).unwrap().replacen('{', " {\n ", 1);
    let requested = world.asking().ask(KEY, None, spaced.as_bytes()).await.unwrap();
    assert_eq!((requested.request, requested.valid_for_s), (Uuid::from_u128(9), 120));
    assert!(mellat.sent.lock().unwrap().is_empty());
    let sent = melli.sent.lock().unwrap().clone();
    assert_eq!(sent, [(KEY.to_string(), "page".to_owned(), spaced.into_bytes().into())]);
}

/// The router recognises no repeat: the bank does, and gets the same key and bytes again.
#[tokio::test]
async fn a_repeat_goes_to_the_bank_under_the_same_key() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    let body = bytes(&purchase(MELLAT));
    let asking = world.asking();
    let answers = [asking.ask(KEY, None, &body).await.unwrap(), asking.ask(KEY, None, &body).await.unwrap()];
    assert_eq!(answers[0], answers[1]);
    let sent = bank.sent.lock().unwrap();
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]));
}

#[tokio::test]
async fn a_merged_bank_is_asked_at_the_bank_that_took_it_over() {
    let sepah = Bank::fine().await;
    let world = router(&[("sepah", sepah.address)]).await;
    let ansar = format!("627381000000000{}", ramz_domain::check_digit("627381000000000"));
    assert_eq!(world.send(asked(bytes(&purchase(&ansar)))).await.status(), 202);
    assert_eq!(sepah.sent.lock().unwrap().len(), 1);
}

/// The answer carries nothing that tells two cards apart.
#[tokio::test]
async fn the_202_is_the_same_for_every_card() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    let one = world.send(asked(bytes(&purchase(MELLAT)))).await;
    let other = world.send(asked(bytes(&purchase("6104337000000024")))).await;
    let headers = |answer: &axum::http::Response<_>| {
        let mut headers = answer.headers().clone();
        headers.remove("date");
        headers
    };
    assert_eq!((one.status(), headers(&one), one.body()), (other.status(), headers(&other), other.body()));
    assert_eq!(one.headers()["cache-control"], "no-store");
}

/// What the asker is told when the bank answers this.
async fn told(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Problem {
    let bank = Bank::open(false, answer).await;
    let world = router(&[("mellat", bank.address)]).await;
    match world.asking().ask(KEY, None, &bytes(&purchase(MELLAT))).await {
        Err(AskError::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_asker_can_mend_passes_as_it_is() {
    for problem in [
        Problem::idempotency_conflict(),
        Problem::malformed(vec![FieldError::new("/payment/amount", "write less")]),
        Problem::too_many_requests(7),
        Problem::unknown_issuer(),
        Problem::issuer_unavailable(9),
    ] {
        let answer = problem.clone();
        assert_eq!(told(move || answer.clone().into_response()).await, problem);
    }
}

#[tokio::test]
async fn what_is_between_router_and_bank_is_503_with_an_incident() {
    let distrust: fn() -> Response = || Problem::unknown_asker().into_response();
    for answer in [
        distrust,
        || Problem::not_allowed(Vec::new()).into_response(),
        || Problem::fault(Uuid::from_u128(5)).into_response(),
        || Problem::key_missing().into_response(),
        || Problem::method_not_allowed().into_response(),
        || (StatusCode::OK, "{}").into_response(),
        || (StatusCode::ACCEPTED, "<html>").into_response(),
        || (StatusCode::BAD_GATEWAY, "proxy").into_response(),
        || "x".repeat(1 << 20).into_response(),
    ] {
        let problem = told(answer).await;
        assert_eq!((problem.kind, problem.retry_after_s), (Kind::IssuerUnavailable, Some(5)));
        assert!(problem.incident.is_some());
    }
}

#[tokio::test]
async fn a_bank_that_is_down_is_503() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let world = router(&[("mellat", address)]).await;
    let (problem, retry) = world.problem(asked(bytes(&purchase(MELLAT)))).await;
    assert_eq!((problem, retry.as_deref()), (Problem::issuer_unavailable(5), Some("5")));
}

/// A bank that takes the connection and says nothing: cut after `limits::BANK_TIMEOUT`.
#[tokio::test]
async fn a_silent_bank_is_503_after_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = router(&[("mellat", silent.local_addr().unwrap())]).await;
    let began = std::time::Instant::now();
    let (problem, _) = world.problem(asked(bytes(&purchase(MELLAT)))).await;
    assert_eq!(problem, Problem::issuer_unavailable(5));
    assert!(began.elapsed() >= limits::BANK_TIMEOUT);
}

#[tokio::test]
async fn a_slow_bank_fills_its_own_queue_and_delays_nobody_else() {
    let (slow, quick) = (Bank::open(true, accepted).await, Bank::fine().await);
    let world = router(&[("mellat", slow.address), ("melli", quick.address)]).await;
    let asking = world.asking();
    let ask = |pan: &'static str| {
        let asking = asking.clone();
        tokio::spawn(async move { asking.ask(Uuid::from_u128(1), None, &bytes(&purchase(pan))).await })
    };
    let held: Vec<_> = (0..limits::BANK_IN_FLIGHT_MAX).map(|_| ask(MELLAT)).collect();
    let full = format!("ramz_router_bank_in_flight{{bank=\"mellat\"}} {}\n", limits::BANK_IN_FLIGHT_MAX);
    let metrics = async || String::from_utf8(world.metrics("/metrics").await.body().to_vec()).unwrap();
    while !metrics().await.contains(&full) || slow.sent.lock().unwrap().len() < limits::BANK_IN_FLIGHT_MAX {
        slow.arrived.notified().await;
    }
    let turned_away = ask(MELLAT).await.unwrap();
    assert_eq!(
        turned_away,
        Err(AskError::Problem(Problem::issuer_unavailable(1))),
        "at once, not after a time-out"
    );
    assert!(ask(MELLI).await.unwrap().is_ok(), "another bank answers while all that are held are held");
    assert!(held.iter().all(|task| !task.is_finished()));
    slow.go_on.notify_waiters();
    for task in held {
        assert!(task.await.unwrap().is_ok());
    }
    assert!(metrics().await.contains("ramz_router_bank_in_flight{bank=\"mellat\"} 0\n"));
}
