//! An issuer alone: what it still answers when it is asked to stop, and that its store is its own.

use crate::processes::bank::{ASKER, Bank, EXPIRY, IIN, OPERATOR, card, payee};
use crate::processes::database::Kept;
use crate::processes::process::run;
use crate::processes::until;
use crate::processes::wires::{Site, fresh_key, pan};
use crate::renewing::Connection;

const PHONE: &str = "09120001101";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_answered_before_the_end() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let (pan, payee) = (pan(IIN, 1), payee());
    bank.account(&pan);
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let asked = bank.site(0, ASKER).ask(fresh_key(), &payee.request(pan.expose(), 5_000)).await.unwrap();
    assert_eq!(asked.status, 202);
    let pin = bank.pin_comes(PHONE, 5_000).await;
    let switch = bank.switch();
    switch.link.came_up().await;

    // The host thinks about it while the issuer is told to stop.
    bank.host.hold();
    let payment = switch.with_pin(payee.payment(pan.expose(), EXPIRY, 5_000, 1), &pin);
    let (answer, ended) = tokio::join!(switch.pay(payment.clone()), async {
        until("the host has the request", async || (bank.host.asked(&payment).times == 1).then_some(()))
            .await;
        let ending = tokio::task::spawn_blocking(move || (issuer.terminate(), issuer));
        // The door is shut at once …
        until("the switch's door is shut", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", bank.port + 1)).await.is_err().then_some(())
        })
        .await;
        // … operators see that it is not ready any more …
        until("it is not ready", async || {
            let ready = Site::plain(&bank.at("http", 3)).get("/readyz").await;
            (ready.status == 503 && ready.text == "shutting down\n").then_some(())
        })
        .await;
        // … and what was in flight is answered.
        bank.host.release();
        ending.await.unwrap()
    });
    assert_eq!(answer, "00");
    let ((status, _), issuer) = ended;
    assert_eq!(status.code(), Some(0), "{}", issuer.said());
    assert_eq!(bank.host.asked(&payment).debits, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_has_begun_is_answered_and_an_idle_connection_is_closed() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    let tls = bank.tls(ASKER);
    let (mut begun, mut idle) = (Connection::to(bank.port, &tls), Connection::to(bank.port, &tls));
    assert!(begun.is_answered() && idle.is_answered());
    let body = payee().request(pan(IIN, 1).expose(), 5_000).to_string();
    let head = format!(
        "POST /v1/pin-requests HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         idempotency-key: {}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        fresh_key(),
        body.len()
    );
    // The answer to `Expect` says that the head was read and somebody waits for the body.
    begun.write(&head);
    assert!(begun.read_line().starts_with("HTTP/1.1 100"));
    begun.read_line();
    issuer.signal("TERM");
    assert!(idle.is_closed(), "an idle connection is closed");
    begun.write(&body);
    assert!(begun.read_line().starts_with("HTTP/1.1 202"), "what had begun is answered");
    assert_eq!(issuer.ends().code(), Some(0), "{}", issuer.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_it_at_once() {
    let bank = Bank::open().await;
    bank.quick_keys();
    let mut issuer = bank.start();
    bank.ready().await;
    let (pan, payee) = (pan(IIN, 1), payee());
    bank.account(&pan);
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan, PHONE)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let asked = bank.site(0, ASKER).ask(fresh_key(), &payee.request(pan.expose(), 5_000)).await.unwrap();
    assert_eq!(asked.status, 202);
    let pin = bank.pin_comes(PHONE, 5_000).await;
    let switch = bank.switch();
    switch.link.came_up().await;
    // The host never answers: without a second signal the issuer waits for it.
    bank.host.hold();
    let payment = switch.with_pin(payee.payment(pan.expose(), EXPIRY, 5_000, 1), &pin);
    let paying = tokio::spawn({
        let payment = payment.clone();
        async move { switch.link.ask(payment, std::time::Duration::from_secs(60)).await }
    });
    until("the host has the request", async || (bank.host.asked(&payment).times == 1).then_some(())).await;
    issuer.signal("TERM");
    until("the switch's door is shut", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", bank.port + 1)).await.is_err().then_some(())
    })
    .await;
    assert!(issuer.runs(), "it waits for what it has read");
    issuer.signal("TERM");
    assert_eq!(issuer.ends().code(), Some(1));
    assert!(issuer.said().contains("ended at once, at the second signal"), "{}", issuer.said());
    paying.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_share_a_store() {
    let bank = Bank::keeping(Kept::files).await;
    bank.quick_keys();
    let mut first = bank.start();
    let mut settings = bank.issuer_settings();
    let ports = crate::processes::process::free_ports(4);
    for (nth, door) in ["api", "switch", "admin", "metrics"].iter().enumerate() {
        settings["listen"][door] = serde_json::json!(format!("127.0.0.1:{}", usize::from(ports) + nth));
    }
    let second = bank.settings("second.toml", &serde_json::json!({ "issuer": settings }));
    for command in [vec!["issuer"], vec!["journal", "verify"]] {
        let said = run([command, vec!["--config", second.to_str().unwrap()]].concat(), "");
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(
            said.err.contains("issuer.db") && said.err.contains("already open in process"),
            "{}",
            said.err
        );
    }
    assert!(first.runs());
    // The lock goes with its process, however that ends.
    first.kill();
    let mut third = bank.start();
    assert_eq!(third.terminate().0.code(), Some(0));
}
