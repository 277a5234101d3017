//! An answer that is lost between issuer and router, with the real both and TLS between them: asked again, admitted once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::processes::bank::{ASKER, Bank, IIN, OPERATOR, ROUTER, card, payee, start};
use crate::processes::process::free_ports;
use crate::processes::surroundings::TlsClient;
use crate::processes::wires::{Site, fresh_key, pan};

/// Carries bytes to the issuer and back. Once armed, it cuts the connection on which the next answer comes, and with it
/// the answer.
struct Cutter {
    address: SocketAddr,
    armed: AtomicBool,
    cut: AtomicUsize,
}

impl Cutter {
    async fn before(issuer: u16) -> Arc<Cutter> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cutter = Arc::new(Cutter { address, armed: AtomicBool::new(false), cut: AtomicUsize::new(0) });
        let own = Arc::clone(&cutter);
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let own = Arc::clone(&own);
                tokio::spawn(async move { own.carry(near, issuer).await });
            }
        });
        cutter
    }

    async fn carry(&self, near: TcpStream, issuer: u16) {
        let far = TcpStream::connect(("127.0.0.1", issuer)).await.unwrap();
        let ((mut from_near, mut to_near), (mut from_far, mut to_far)) =
            (near.into_split(), far.into_split());
        let there = async move { drop(tokio::io::copy(&mut from_near, &mut to_far).await) };
        let back = async {
            let mut bytes = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = from_far.read(&mut bytes).await {
                if self.armed.swap(false, Ordering::SeqCst) {
                    self.cut.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if to_near.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_was_lost_is_admitted_once() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let _issuer = bank.start();
    bank.ready().await;
    let cutter = Cutter::before(bank.port).await;
    let port = free_ports(2);
    let payee = payee();
    let settings = json!({ "router": {
        "listen": { "api": format!("127.0.0.1:{port}"), "directory": "", "metrics": format!("127.0.0.1:{}", port + 1) },
        "tls": bank.tls(ROUTER).settings(),
        "harim": {
            "banks": [{ "id": "mellat", "url": format!("https://localhost:{}", cutter.address.port()) }],
            "askers": [{ "name": ASKER, "acquirers": [payee.acquirer], "kinds": ["purchase"], "origins": [payee.origin] }],
        },
    } });
    bank.settings("router.toml", &settings);
    let mut router = start("router", &bank.file("router.toml"), &bank.file("router.log"));
    assert_eq!(router.line(), format!("router ready: api 127.0.0.1:{port}"));
    let site = Site::new(TlsClient::with(&bank.tls(ASKER)), &format!("https://localhost:{port}"));
    let pan = pan(IIN, 1);
    let office = bank.site(2, OPERATOR);
    let added = office.post("/admin/v1/cards", &card(&pan, "09120001101")).await;
    assert_eq!(added.status, 201, "{}", added.text);

    // A connection is pooled, so that what is cut below is an answer and no handshake.
    let warm = site.ask(fresh_key(), &payee.request(pan.expose(), 1_000)).await.unwrap();
    assert_eq!(warm.status, 202, "{}", warm.text);

    let (key, body) = (fresh_key(), payee.request(pan.expose(), 2_000));
    cutter.armed.store(true, Ordering::SeqCst);
    let told = site.ask(key, &body).await.unwrap();
    assert_eq!((told.status.as_u16(), cutter.cut.load(Ordering::SeqCst)), (202, 1), "{}", told.text);
    let metrics = Site::plain(&format!("http://localhost:{}", port + 1)).get("/metrics").await;
    let retried = "ramz_router_bank_retries_total{bank=\"mellat\"} 1";
    assert!(metrics.text.lines().any(|line| line == retried), "{}", metrics.text);

    // The issuer has one record of this key: the one that the lost answer told of is the one that the second told of.
    let again = site.ask(key, &body).await.unwrap();
    assert_eq!(again.json()["request"], told.json()["request"]);
    assert_ne!(again.json()["request"], warm.json()["request"]);
    bank.pin_comes("09120001101", 2_000).await;
}
