//! Every row of the table of refusals: status, type, places, and that no bank heard of it.

use std::time::Duration;

use axum::http::{Method, header};
use ramz_api::problem::{Kind, Problem};
use ramz_domain::limits;
use serde_json::{Value, json};

use crate::world::*;

/// Refused with this problem and these pointers, and the bank was not asked.
async fn check(world: &World, body: Value, kind: Kind, pointers: &[&str]) {
    let (problem, _) = world.problem(asked(bytes(&body))).await;
    let found: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!((problem.kind, found.as_slice()), (kind, pointers), "{body}");
}

#[tokio::test]
async fn each_row_of_the_table() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;

    // 400
    check(&world, json!({}), Kind::Malformed, &["/pan", "/payment"]).await;
    let mut body = purchase("6104337000000061");
    body["payment"]["amount"] = json!(-5);
    check(&world, body, Kind::Malformed, &["/pan", "/payment/amount"]).await;

    // 403: a kind, an acquirer and an origin of others, all named at once
    let mut body = purchase(MELLAT);
    body["payment"]["kind"] = json!("top_up");
    body["payment"]["payee"]["acquirer"] = json!("111");
    body["payment"]["origin"] = json!("evil.example");
    let all = ["/payment/kind", "/payment/payee/acquirer", "/payment/origin"];
    check(&world, body, Kind::NotAllowed, &all).await;
    for (pointer, value) in [(all[0], "top_up"), (all[1], "5816720610"), (all[2], "www.pay.example")] {
        let mut body = purchase(MELLAT);
        *body.pointer_mut(pointer).unwrap() = json!(value);
        check(&world, body, Kind::NotAllowed, &[pointer]).await;
    }
    let mut transfer = purchase(MELLAT);
    transfer["payment"]["kind"] = json!("transfer");
    transfer["payment"]["payee"] = json!({ "pan": MELLI });
    check(&world, transfer, Kind::NotAllowed, &["/payment/kind"]).await;

    // 404, and 503 for a bank that is known and has no way
    check(&world, purchase("4111111111111111"), Kind::UnknownIssuer, &["/pan"]).await;
    let (problem, retry) = world.problem(asked(bytes(&purchase(MELLI)))).await;
    assert_eq!((problem.kind, retry.as_deref()), (Kind::IssuerUnavailable, Some("5")));

    // 413, 415, 422
    let (problem, _) = world.problem(asked(vec![b' '; limits::BODY_BYTES_MAX + 1])).await;
    assert_eq!(problem, Problem::too_large());
    let mut request = asked(bytes(&purchase(MELLAT)));
    request.headers_mut().insert(header::CONTENT_TYPE, "text/json".parse().unwrap());
    assert_eq!(world.problem(request).await.0, Problem::media_type());
    let mut request = asked(bytes(&purchase(MELLAT)));
    request.headers_mut().remove("idempotency-key");
    assert_eq!(world.problem(request).await.0, Problem::key_missing());
    let mut request = asked(bytes(&purchase(MELLAT)));
    request.headers_mut().insert("idempotency-key", "again".parse().unwrap());
    assert_eq!(world.problem(request).await.0, Problem::key_missing());

    // 404 and 405 of paths and methods
    assert_eq!(world.problem(get("/v2/pin-requests")).await.0, Problem::not_found());
    for (method, path) in [(Method::GET, "/v1/pin-requests"), (Method::DELETE, "/v1/banks")] {
        let mut request = get(path);
        *request.method_mut() = method;
        assert_eq!(world.problem(request).await.0, Problem::method_not_allowed());
    }
    assert!(bank.sent.lock().unwrap().is_empty(), "no bank hears of what is refused here");
}

#[tokio::test]
async fn who_is_not_registered_learns_nothing_more() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    for name in [None, Some("stranger"), Some("Page"), Some("page "), Some("")] {
        world.door.peers_are(name);
        for body in [bytes(&purchase(MELLAT)), bytes(&purchase("4111111111111111")), b"{".to_vec()] {
            assert_eq!(world.problem(asked(body)).await.0, Problem::unknown_asker(), "{name:?}");
        }
    }
    assert!(bank.sent.lock().unwrap().is_empty());
    assert!(world.trace.facts().iter().all(|fact| fact.title == "401 unknown-asker"));
}

/// A header is no certificate.
#[tokio::test]
async fn a_page_cannot_name_another_asker() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    let mut request = asked(bytes(&purchase(MELLAT)));
    request.headers_mut().insert("ramz-asker", "hasty".parse().unwrap());
    assert_eq!(world.send(request).await.status(), 202);
    assert_eq!(bank.sent.lock().unwrap()[0].1, "page");
}

#[tokio::test]
async fn a_hasty_asker_waits_and_holds_up_nobody() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    world.door.peers_are(Some("hasty"));
    for body in [bytes(&purchase(MELLAT)), b"{".to_vec(), bytes(&purchase("4111111111111111"))] {
        world.send(asked(body)).await;
    }
    let (problem, retry) = world.problem(asked(bytes(&purchase(MELLAT)))).await;
    assert_eq!(
        (problem, retry.as_deref()),
        (Problem::too_many_requests(1), Some("1")),
        "bad requests count too"
    );
    world.door.peers_are(Some("page"));
    assert_eq!(world.send(asked(bytes(&purchase(MELLAT)))).await.status(), 202);
    world.door.peers_are(Some("hasty"));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.send(asked(bytes(&purchase(MELLAT)))).await.status(), 202);
}

#[tokio::test]
async fn garbage_is_answered_and_never_repeated() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    let deep = "[".repeat(limits::BODY_BYTES_MAX);
    for body in [&b""[..], b"\xff\xfe\x00", b"6104337000000016", b"{\"6104337000000016\":1}", deep.as_bytes()]
    {
        let answer = world.send(asked(body.to_vec())).await;
        assert_eq!(answer.status(), 400);
        assert!(!String::from_utf8_lossy(answer.body()).contains("0433700000"));
    }
}
