//! What is read: the directory, the document, the operators' port, the trace; and what a start refuses.

use std::{sync::Arc, time::Duration};

use ramz_api::{directory::Banks, tap::NoTap};
use ramz_router::{AskerConfig, BankConfig, Config, Ports, StartError, start};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::*;

#[tokio::test]
async fn the_directory_tells_names_ways_and_who_can_be_asked() {
    // On an address where no other test listens: its port is free for whoever asks next.
    let down = TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
    let (mellat, sepah) = (Bank::fine().await, Bank::fine().await);
    let world = router(&[("mellat", mellat.address), ("sepah", sepah.address), ("melli", down)]).await;
    world.door.peers_are(None);
    let read =
        async || -> Banks { serde_json::from_slice(world.send(get("/v1/banks")).await.body()).unwrap() };
    let available = |banks: &Banks| {
        let ids = banks.banks.iter().filter(|b| b.available).map(|b| b.id.clone());
        ids.collect::<Vec<_>>().join(" ")
    };
    let banks = read().await;
    assert_eq!(banks.banks.len(), 37);
    assert_eq!((banks.banks[0].name_fa.as_str(), banks.banks[0].iins[0].as_str()), ("بانک ملت", "610433"));
    // The first of them is answered for by melli, the others by sepah.
    let merged = "ayandeh kosar ansar ghavamin hekmat mehreghtesad";
    assert_eq!(available(&banks), format!("mellat melli sepah {merged}"));

    world.door.peers_are(Some("page"));
    for _ in 0..ramz_domain::limits::BREAKER_IN_A_ROW {
        assert_eq!(world.send(asked(bytes(&purchase(MELLI)))).await.status(), 503);
    }
    assert_eq!(
        available(&read().await),
        format!("mellat sepah {}", merged.replace("ayandeh ", "")),
        "it is cut off"
    );
    world.clock.advance(ramz_domain::limits::BREAKER_OPEN_FIRST);
    assert_eq!(available(&read().await), format!("mellat melli sepah {merged}"));
}

#[tokio::test]
async fn the_document_is_served() {
    let world = router(&[]).await;
    let answer = world.send(get("/v1/openapi.json")).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let document: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn operators_see_health_and_outcomes() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    for body in [bytes(&purchase(MELLAT)), bytes(&purchase(MELLAT)), b"{".to_vec()] {
        world.send(asked(body)).await;
    }
    assert_eq!(world.metrics("/healthz").await.status(), 200);
    assert_eq!(world.metrics("/readyz").await.status(), 200);
    let metrics = world.metrics("/metrics").await;
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(metrics.body().to_vec()).unwrap();
    for line in [
        "ramz_router_pin_requests_total{outcome=\"accepted\"} 2",
        "ramz_router_pin_requests_total{outcome=\"malformed\"} 1",
        "ramz_router_pin_requests_total{outcome=\"fault\"} 0",
        "ramz_router_bank_in_flight{bank=\"mellat\"} 0",
        "ramz_router_bank_available{bank=\"mellat\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    assert_eq!(world.send(get("/metrics")).await.status(), 404, "not on the pages' port");
}

/// Readiness goes first; then, while the door is still open, every answer is the last of its connection; then the door
/// closes; and what was read before is answered before the end.
#[tokio::test]
async fn a_shutdown_answers_what_it_has_read_and_is_not_ready_meanwhile() {
    let (held, fine) = (Bank::open(true, accepted).await, Bank::fine().await);
    let world = router(&[("mellat", held.address), ("melli", fine.address)]).await;
    let before = world.send(asked(bytes(&purchase(MELLI)))).await;
    assert_eq!((before.status().as_u16(), before.headers().get("connection")), (202, None));
    let asking = world.asking();
    let waiting = tokio::spawn(async move { asking.ask(KEY, None, &bytes(&purchase(MELLAT))).await });
    held.arrived.notified().await;
    world.shutdown.cancel();
    assert_eq!(world.metrics("/readyz").await.status(), 503);
    // Who has not noticed yet is answered over a new connection as over an old one, and told to go.
    let meanwhile = world.send(asked(bytes(&purchase(MELLI)))).await;
    assert_eq!(meanwhile.status(), 202);
    assert_eq!(meanwhile.headers()["connection"], "close");
    // The test's own hold on the listener; the router lets go of its.
    drop(world.door);
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while tokio::net::TcpStream::connect(world.running.address).await.is_ok() {
        assert!(std::time::Instant::now() < until, "the door stays open");
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    held.go_on.notify_one();
    assert!(waiting.await.unwrap().is_ok());
    tokio::time::timeout(Duration::from_secs(20), world.running.task).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn the_trace_tells_each_message_masked() {
    let bank = Bank::fine().await;
    let world = router(&[("mellat", bank.address)]).await;
    world.send(asked(bytes(&purchase(MELLAT)))).await;
    let facts = world.trace.facts();
    let told: Vec<_> = facts.iter().map(|f| format!("{} > {}: {}", f.from, f.to, f.title)).collect();
    assert_eq!(
        told,
        [
            "page > router: POST /v1/pin-requests",
            "router > bank mellat: POST /v1/pin-requests",
            "bank mellat > router: 202 accepted",
            "router > page: 202 accepted",
        ]
    );
    let fields = serde_json::to_string(&facts).unwrap();
    assert!(
        fields.contains("610433******0016")
            && fields.contains("1,250,000")
            && fields.contains("فروشگاه نمونه")
    );
    assert!(!fields.contains("0433700000"), "{fields}");
    world.send(asked(bytes(&purchase("6104337000000061")))).await;
    let facts = world.trace.facts();
    assert_eq!(facts.last().unwrap().title, "400 malformed");
    assert!(
        !serde_json::to_string(&facts).unwrap().contains("610433700000006"),
        "nothing of what is no card number"
    );
}

async fn refused(change: impl FnOnce(&mut Config)) -> String {
    let mut config = config(&[]);
    change(&mut config);
    let spare = router(&[]).await;
    let ports = Ports {
        clock: spare.clock.clone(),
        entropy: Arc::new(Sevens),
        door: spare.door.clone(),
        watched: Vec::new(),
        metrics_door: None,
        directory_door: None,
        banks: Arc::new(Dial),
        tap: Arc::new(NoTap),
    };
    let error: StartError = start(config, ports, CancellationToken::new()).await.unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn a_configuration_that_makes_no_sense_is_refused_at_the_start() {
    let bank = |id: &str, url: &str| BankConfig { id: id.to_owned(), url: url.to_owned() };
    assert!(refused(|c| c.banks.push(bank("atlantis", "http://x"))).await.contains("no bank \"atlantis\""));
    assert!(refused(|c| c.banks.push(bank("mellat", "x"))).await.contains("\"mellat\": not a base URL"));
    let twice = |c: &mut Config| c.banks.extend([bank("mellat", "http://x"), bank("mellat", "http://y")]);
    assert!(refused(twice).await.contains("\"mellat\" is listed twice"));
    assert!(refused(|c| c.askers[0].kinds.push("gift".to_owned())).await.contains("no kind \"gift\""));
    assert!(refused(|c| c.directory = Some("no/such/file".into())).await.contains("no/such/file"));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(refused(|c| c.directory = Some(manifest.into())).await.contains("banks.json"));
}

#[test]
fn unknown_members_of_a_configuration_are_refused() {
    let good = "[[banks]]\nid = \"mellat\"\nurl = \"https://x\"\n\
        [[askers]]\nname = \"page\"\nacquirers = []\nkinds = []\norigins = []\n";
    let config: Config = toml::from_str(good).unwrap();
    let AskerConfig { rate_per_s, burst, .. } = config.askers[0];
    assert_eq!((rate_per_s, burst), (500, 1000));
    for bad in ["colour = 1\n", "rate = 5\n"] {
        assert!(toml::from_str::<Config>(&format!("{bad}{good}")).is_err());
        assert!(toml::from_str::<Config>(&format!("{good}{bad}")).is_err());
    }
}
