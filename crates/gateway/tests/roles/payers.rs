//! Payers are told apart by what the proxy in front says, if the operator names its header: hashed, and never in the clear.

use std::sync::Arc;

use axum::http::StatusCode;
use ramz_store::{MemoryStore, SqliteStore};

use crate::rig::{OTHER_PAN, PAN, Rig, logs, rig, rig_as};

const FROM: &str = "203.0.113.71";
const ELSEWHERE: &str = "198.51.100.204";

/// The payers that the router was told of.
fn payers(rig: &Rig) -> Vec<Option<String>> {
    let asked = rig.asked.requests.lock().unwrap();
    asked.iter().map(|(_, body)| body.get("payer").map(|payer| payer.as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn payers_are_told_apart_and_no_address_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.db");
    let rig = rig_as(Arc::new(SqliteStore::open(&file).unwrap()), "X-Real-IP").await;
    let one = rig.browse(&rig.payment().await).await;
    let other = rig.browse(&rig.payment().await).await;
    for (browser, pan, press, from) in
        [(&one, PAN, 1, FROM), (&one, OTHER_PAN, 2, ELSEWHERE), (&other, PAN, 3, FROM)]
    {
        let sent = browser.ask_from(pan, press, &[("x-real-ip", from)]).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    }
    let told = payers(&rig);
    assert!(told.iter().all(|payer| payer.as_ref().is_some_and(|payer| payer.len() == 64)), "{told:?}");
    assert_eq!(told[0], told[2], "one address is one payer, at any payment");
    assert_ne!(told[0], told[1], "two are two");

    // The next day's name is another: a bank cannot follow a payer for longer.
    rig.clock.advance(24 * 3600);
    let next = rig.browse(&rig.payment().await).await;
    next.ask_from(PAN, 4, &[("x-real-ip", FROM)]).await;
    let told = payers(&rig);
    assert_ne!(told[0], told[3]);

    let sent: String = rig.asked.requests.lock().unwrap().iter().map(|(_, body)| body.to_string()).collect();
    let mut searched: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    searched.extend([sent.into_bytes(), logs().bytes()]);
    assert!(searched.iter().map(Vec::len).sum::<usize>() > 10_000, "something was searched");
    for bytes in searched {
        for address in [FROM, ELSEWHERE] {
            let at = bytes.windows(address.len()).position(|window| window == address.as_bytes());
            let near = at.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(80)..at]));
            assert!(near.is_none(), "an address stands after {near:?}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_repeat_from_elsewhere_is_the_same_request() {
    let rig = rig_as(Arc::new(MemoryStore::new()), "x-real-ip").await;
    let browser = rig.browse(&rig.payment().await).await;
    for from in [FROM, ELSEWHERE] {
        let sent = browser.ask_from(PAN, 1, &[("x-real-ip", from)]).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
    }
    let asked = rig.asked.requests.lock().unwrap().clone();
    assert_eq!((asked.len(), &asked[0]), (2, &asked[1]));
}

#[tokio::test]
async fn without_the_setting_or_its_header_no_payer_is_told() {
    let plain = rig().await;
    let browser = plain.browse(&plain.payment().await).await;
    for (press, headers) in
        [(1, [("x-real-ip", FROM)]), (2, [("x-forwarded-for", FROM)]), (3, [("forwarded", FROM)])]
    {
        let sent = browser.ask_from(PAN, press, &headers).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
        plain.clock.advance(120);
    }
    assert_eq!(payers(&plain), [None, None, None]);

    let rig = rig_as(Arc::new(MemoryStore::new()), "x-real-ip").await;
    let browser = rig.browse(&rig.payment().await).await;
    let many: [&[(&str, &str)]; 3] =
        [&[], &[("x-forwarded-for", FROM)], &[("x-real-ip", FROM), ("x-real-ip", ELSEWHERE)]];
    for (press, headers) in (1..).zip(many) {
        let sent = browser.ask_from(PAN, press, headers).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.text);
        rig.clock.advance(120);
    }
    assert_eq!(payers(&rig), [None, None, None]);
}
