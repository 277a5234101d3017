//! An issuer alone: what it still answers when it is asked to stop, and that its store is its own.

use crate::processes::bank::{ASKER, Bank, EXPIRY, IIN, OPERATOR, card, payee};
use crate::processes::process::run;
use crate::processes::until;
use crate::processes::wires::{fresh_key, pan};

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
async fn two_processes_do_not_share_a_store() {
    let bank = Bank::open().await;
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
