//! Bad input at every door: a clear error or a closed connection, and the lab goes on as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request};
use ramz_api::net::Connector;
use ramz_iso8583::{Message, Mti};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::known::Lab;
use crate::processes::certificates::Tls;
use crate::processes::process::run;
use crate::processes::surroundings::{Tcp, TlsClient};
use crate::processes::wires::{Reply, Site, fresh_key};

/// A head or a handshake that does not come to its end is cut after ten seconds.
const CUT_WITHIN: Duration = Duration::from_secs(20);

/// How a door is reached, counted from the portal's port.
#[derive(Clone)]
struct Way {
    name: &'static str,
    port: u16,
    connector: Arc<dyn Connector>,
}

/// Doors that speak HTTP, as those come in who may.
fn web(lab: &Lab) -> Vec<(Way, Site)> {
    let asker = || TlsClient::with(&lab.tls()) as Arc<dyn Connector>;
    let operator = TlsClient::with(&operator(lab)) as Arc<dyn Connector>;
    let plain = || Arc::new(Tcp) as Arc<dyn Connector>;
    let ways = [
        ("portal", 0, plain()),
        ("shop", 1, plain()),
        ("gateway", 2, plain()),
        ("router", 10, asker()),
        ("router's metrics", 19, plain()),
        ("bank", 20, asker()),
        ("back office", 22, operator),
        ("bank's metrics", 29, plain()),
    ];
    let of = |(name, more, connector): (_, u16, Arc<dyn Connector>)| {
        let port = lab.port + more;
        let site = Site::new(Arc::clone(&connector), &format!("http://localhost:{port}"));
        (Way { name, port, connector }, site)
    };
    ways.into_iter().map(of).collect()
}

fn operator(lab: &Lab) -> Tls {
    let file = |name: &str| lab.folder.path().join("data").join(name);
    Tls { ca: file("ca.pem"), cert: file("operator.lab.pem"), key: file("operator.lab.key") }
}

/// Every port, as anybody can reach it.
fn ports(lab: &Lab) -> Vec<Way> {
    let names = [
        ("portal", 0),
        ("shop", 1),
        ("gateway", 2),
        ("router", 10),
        ("router's metrics", 19),
        ("bank", 20),
        ("switch", 21),
        ("back office", 22),
        ("SMSC", 24),
        ("card host", 26),
        ("bank's metrics", 29),
    ];
    names.map(|(name, more)| Way { name, port: lab.port + more, connector: Arc::new(Tcp) }).to_vec()
}

/// Writes bytes and reads until the other side closes; it must, once we have said that nothing follows.
async fn raw(way: &Way, bytes: &[u8]) -> Vec<u8> {
    let mut stream = way.connector.connect("localhost", way.port).await.unwrap();
    let mut answer = Vec::new();
    let talk = async {
        // A door may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut buffer = [0; 4096];
        while let Ok(read) = stream.read(&mut buffer).await {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&buffer[..read]);
        }
    };
    assert!(
        timeout(CUT_WITHIN, talk).await.is_ok(),
        "{} does not close after {} bytes",
        way.name,
        bytes.len()
    );
    answer
}

/// A stream of bytes that looks like nothing (xorshift).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_at_every_door_is_closed_and_forgotten() {
    let mut lab = Lab::open("debug").await;
    // Half a message each, held open while all else is going on.
    let mut held = Vec::new();
    for way in ports(&lab) {
        for beginning in [&b"P"[..], b"\x16\x03\x01", b"\x00\x40\x30\x32", b"\x00\x00\x00\x30\x00\x00"] {
            for _ in 0..8 {
                let mut stream = way.connector.connect("localhost", way.port).await.unwrap();
                stream.write_all(beginning).await.unwrap();
                held.push(stream);
            }
        }
    }
    let mut doors = JoinSet::new();
    let through_tls = web(&lab).into_iter().map(|(way, _)| way);
    for way in ports(&lab).into_iter().chain(through_tls) {
        doors.spawn(async move {
            for seed in 1..=8 {
                raw(&way, &noise(seed, 1 << (seed + 4))).await;
            }
            raw(&way, b"").await;
            raw(&way, &[0; 4096]).await;
            raw(&way, &[0xFF; 70_000]).await;
            raw(&way, &b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ".repeat(4000)).await;
            raw(
                &way,
                b"POST /v1/pin-requests HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
            )
            .await;
            raw(
                &way,
                b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
            )
            .await;
        });
    }
    while let Some(door) = doors.join_next().await {
        door.unwrap();
    }
    still_serves(&mut lab).await;
    drop(held);
}

/// It runs, nothing panicked, and a payment goes through.
async fn still_serves(lab: &mut Lab) {
    assert!(lab.process.runs(), "{}", lab.process.said());
    assert!(!lab.process.said().contains("panicked"), "{}", lab.process.said());
    let (router, switch, card) = (lab.secured("/router/url"), lab.switch(0).await, lab.card(0, "active"));
    let (_, pin) = lab.pin(&router, &card, 77_000).await;
    assert_eq!(lab.pay(&switch, &card, 77_000, &pin).await, "00");
    for more in [0, 1] {
        assert_eq!(Site::plain(&format!("http://localhost:{}", lab.port + more)).get("/").await.status, 200);
    }
    let (status, _) = lab.process.terminate();
    assert_eq!(status.code(), Some(0), "{}", lab.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_told_as_a_problem() {
    let mut lab = Lab::open("warn").await;
    let sites = web(&lab);
    for (way, site) in &sites {
        for (method, path) in [
            (Method::GET, "/no/such/thing"),
            (Method::DELETE, "/healthz"),
            (Method::PATCH, "/v1/pin-requests"),
            (Method::PUT, "/v1/payments"),
            (Method::GET, "/admin/v1/cards/find/../../../etc/passwd"),
            (Method::GET, "/assets/%2e%2e/%2e%2e/Cargo.toml"),
            (Method::POST, "/lab.json"),
            (Method::TRACE, "/"),
            (Method::from_bytes(b"BREW").unwrap(), "/v1/banks"),
        ] {
            let request = Request::builder().method(&method).uri(path).body(Bytes::new()).unwrap();
            let (reply, what) = (site.call(request).await.unwrap(), format!("{} {method} {path}", way.name));
            // People come to these two: what they asked for in vain is told on a page.
            let page = reply.headers.iter().any(|header| header.starts_with("content-type: text/html"));
            if page && matches!(way.name, "shop" | "gateway") {
                assert!(
                    reply.status.is_client_error() && reply.text.contains("<h1"),
                    "{what}: {}",
                    reply.text
                );
            } else {
                refused(&reply, &what);
            }
        }
    }
    let site = |name: &str| &sites.iter().find(|(way, _)| way.name == name).unwrap().1;
    // Over the bound; one that is far over it may be cut off while it is still being sent.
    let long = format!("{{\"pan\":\"{}\"}}", "1".repeat(12 * 1024));
    let huge = Bytes::from("1".repeat(1 << 20));
    let deep = "[".repeat(6000);
    for (door, path) in [
        ("router", "/v1/pin-requests"),
        ("bank", "/v1/pin-requests"),
        ("back office", "/admin/v1/cards"),
        ("back office", "/admin/v1/cards/find"),
        ("gateway", "/v1/payments"),
        ("portal", "/lab/clock"),
        ("portal", "/handsets/09120001101/messages"),
        ("portal", "/handsets/nobody/messages"),
    ] {
        let bodies = [
            "",
            "{",
            "null",
            "[]",
            "\u{0}",
            "{\"pan\":1e999}",
            "{\"pan\":\"\\ud800\"}",
            "\"\\",
            &long,
            &deep,
        ];
        for body in bodies {
            let what = format!("{door} {path} {:.20} ({} bytes)", body, body.len());
            let request = || {
                let request = Request::post(path).header("idempotency-key", fresh_key().to_string());
                request.header("authorization", format!("Bearer {}", lab.text("/gateway/api_key")))
            };
            for kind in ["application/json", "text/plain"] {
                let request = request().header("content-type", kind);
                let request = request.body(Bytes::from(body.to_owned())).unwrap();
                refused(&answered(site(door), &request).await, &what);
            }
        }
        let request =
            Request::post(path).header("content-type", "application/json").body(huge.clone()).unwrap();
        if let Ok(reply) = site(door).call(request).await {
            refused(&reply, &format!("{door} {path} with a huge body"));
        }
    }
    a_key_is_needed(&lab, [site("router"), site("bank")]).await;
    still_serves(&mut lab).await;
}

/// Without a key, or with one that is none.
async fn a_key_is_needed(lab: &Lab, doors: [&Site; 2]) {
    let good = lab.payee.request(lab.card(0, "active")["pan"].as_str().unwrap(), 5_000).to_string();
    for key in [None, Some(""), Some("7"), Some("not-a-uuid"), Some("{}")] {
        for door in doors {
            let mut request = Request::post("/v1/pin-requests").header("content-type", "application/json");
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let reply = answered(door, &request.body(Bytes::from(good.clone())).unwrap()).await;
            refused(&reply, "without a key");
            assert_eq!(reply.status, 422, "{key:?}: {}", reply.text);
        }
    }
}

/// An answer. A door that refuses without reading a body closes afterwards; the pool may learn of that too late.
async fn answered(site: &Site, request: &Request<Bytes>) -> Reply {
    for _ in 0..4 {
        if let Ok(reply) = site.call(request.clone()).await {
            return reply;
        }
    }
    site.call(request.clone()).await.unwrap()
}

/// A refusal is the asker's fault, and says so in the common form.
#[track_caller]
fn refused(reply: &Reply, what: &str) {
    assert!(reply.status.is_client_error(), "{what}: {} {:.300}", reply.status, reply.text);
    let json = reply.headers.iter().any(|header| header == "content-type: application/problem+json");
    assert!(json, "{what}: {:?}", reply.headers);
    let problem: Value = reply.json();
    assert!(problem["type"].is_string() && problem["title"].is_string(), "{what}: {problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: {problem}");
    assert_eq!(problem["status"], reply.status.as_u16(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_leaves_something_out_is_told() {
    let mut lab = Lab::open("warn").await;
    let (switch, card) = (lab.switch(0).await, lab.card(0, "active"));
    let (pan, expiry) = (card["pan"].as_str().unwrap(), card["expiry"].as_str().unwrap());
    let whole = || switch.with_pin(lab.payee.payment(pan, expiry, 5_000, lab.trace()), "1234567");
    // Without field 11 a link would not know the answer again.
    for field in [2, 3, 4, 7, 12, 13, 14, 22, 32, 41, 42, 49, 52] {
        let mut message = whole();
        message.remove(field);
        let code = switch.pay(message).await;
        assert!(matches!(code.as_str(), "12" | "30" | "57"), "without {field}: {code}");
    }
    for (field, value) in [
        (2, "6104337000000017"),
        (3, "990000"),
        (4, "000000000000"),
        (14, "9999"),
        (22, "992"),
        (42, "               "),
        (48, "0100"),
        (48, "010031230200102"),
        (49, "840"),
    ] {
        let mut message = whole();
        message.set(field, value);
        let code = switch.pay(message).await;
        assert!(matches!(code.as_str(), "12" | "14" | "30" | "54" | "57"), "{field} = {value}: {code}");
    }
    // With a PIN that could be guessed: a PIN block of noise is no try.
    lab.pin(&lab.secured("/router/url"), &card, 5_000).await;
    for _ in 0..4 {
        let mut message = whole();
        message.set(52, vec![0x5A; 8]);
        assert_eq!(switch.pay(message).await, "30");
    }
    // What no switch sends.
    for mti in ["0300", "0500", "0620", "0810", "0210"] {
        let mut message = Message::new(Mti::new(mti).unwrap());
        message.set(11, "000777");
        message.set(41, "14033212");
        let _ = timeout(Duration::from_millis(50), switch.link.ask(message, Duration::from_millis(40))).await;
    }
    // Nothing of this has counted.
    let shown = lab.portal.get("/lab/cards").await.json();
    let cards = shown["cards"].as_array().unwrap();
    assert_eq!(cards.iter().find(|one| one["pan"] == card["pan"]).unwrap()["state"], "active");
    still_serves(&mut lab).await;
}

/// An SMPP header: length, command, status, sequence.
fn header(length: u32, command: u32) -> Vec<u8> {
    [length, command, 0, 1].iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_esme_that_may_not_bind_gets_nowhere() {
    const BIND_TRANSCEIVER: u32 = 9;
    const SUBMIT_SM: u32 = 4;
    let mut lab = Lab::open("warn").await;
    let smsc = Way { name: "SMSC", port: lab.port + 24, connector: Arc::new(Tcp) };
    let status =
        |answer: &[u8]| answer.get(8..12).map(|status| u32::from_be_bytes(status.try_into().unwrap()));
    // Version 3.4, type and numbering unknown, any address.
    let rest = b"mellat\0wrong\0\0\x34\0\0\0";
    let length = u32::try_from(16 + rest.len()).unwrap();
    let wrong = raw(&smsc, &[&header(length, BIND_TRANSCEIVER)[..], rest].concat()).await;
    assert!(status(&wrong).is_some_and(|status| status != 0), "a wrong password: {wrong:?}");
    let unbound = raw(&smsc, &header(16, SUBMIT_SM)).await;
    assert_eq!(status(&unbound), Some(4), "ESME_RINVBNDSTS: {unbound:?}");
    for length in [0, 15, u32::MAX, 1 << 30] {
        raw(&smsc, &header(length, BIND_TRANSCEIVER)).await;
    }
    still_serves(&mut lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_with_more_cards_than_the_lab_has_is_told() {
    let lab = Lab::open("warn").await;
    let said = run(["load", "--lab", lab.text("/portal"), "--cards", "40", "--seconds", "1"], "");
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("has 0 cards") && said.err.contains("--measured-cards 40"), "{}", said.err);
}
