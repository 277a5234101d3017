//! An SMS whose node dies before it is sent: another node sends it, and nobody sends it after its expiry.

use std::time::{Duration, Instant};

use ramz_domain::Phone;
use serde_json::json;
use tokio::time::sleep;

use crate::node::{Mortal as _, Node};
use crate::processes::bank::{Bank, IIN, card, payee};
use crate::processes::process::free_ports;
use crate::processes::server::Server;
use crate::processes::until;
use crate::processes::wires::{fresh_key, pan};

const VALID_FOR: Duration = Duration::from_secs(30);
/// A lease, a sweep, and some room.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(26);

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_of_a_dead_node_is_sent_by_another_and_never_too_late() {
    let server = Server::start();
    let bank = Bank::open().await;
    bank.quick_keys();
    let store = json!({ "url": server.url("") });
    let policy = json!({ "valid_for_s": VALID_FOR.as_secs(), "ask_again_after_s": VALID_FOR.as_secs() });
    let nowhere = format!("127.0.0.1:{}", free_ports(1));
    // The first one's operator is not there: its SMS wait.
    let mut first = Node::new(&bank, "first", &store, |settings| {
        settings["bank"]["policy"] = policy.clone();
        settings["sms"]["address"] = json!(nowhere);
    });
    let mut second =
        Node::new(&bank, "second", &store, |settings| settings["bank"]["policy"] = policy.clone());
    for node in [&mut first, &mut second] {
        node.begin(&bank);
        node.up();
    }
    let ends = first.ends(&bank, &bank.shutdown);
    let phones = ["09120000001", "09120000002"];
    let pans = [pan(IIN, 1), pan(IIN, 2)];
    for (pan, phone) in pans.iter().zip(phones) {
        bank.account(pan);
        assert_eq!(ends.office.post("/admin/v1/cards", &card(pan, phone)).await.status, 201);
    }
    let waiting = || server.sql("ramz", "SELECT count(*) FROM outbox WHERE expires < leased_until + 600000");
    let ask = async |at: usize| {
        let asked = ends.api.ask(fresh_key(), &payee().request(pans[at].expose(), 5_000)).await.unwrap();
        assert_eq!(asked.status, 202);
        until("the SMS is committed", async || (waiting() == "1").then_some(())).await;
    };
    second.ready().await;
    ask(0).await;
    first.kill();
    let killed = Instant::now();
    bank.pin_comes(phones[0], 5_000).await;
    let after = killed.elapsed();
    assert!(after < TAKEN_OVER_WITHIN, "taken over after {after:.1?}");
    until("it is settled", async || (waiting() == "0").then_some(())).await;

    first.begin(&bank);
    first.up();
    ask(1).await;
    first.kill();
    second.kill();
    sleep(VALID_FOR).await;
    second.begin(&bank);
    second.ready().await;
    until("it is settled as of no use", async || (waiting() == "0").then_some(())).await;
    let texts = bank.handsets.messages(&Phone::parse(phones[1]).unwrap());
    assert!(texts.is_empty(), "{} SMS came after their PIN had run out", texts.len());
    println!("taken over after {after:.1?}");
}
