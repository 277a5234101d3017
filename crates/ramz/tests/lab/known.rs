//! A lab that runs, and everything that an integrator reads in its `lab.json`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::processes::certificates::Tls;
use crate::processes::database::Kept;
use crate::processes::process::{Process, free_ports};
use crate::processes::surroundings::TlsClient;
use crate::processes::until;
use crate::processes::wires::{Payee, Site, Switch, fresh_key, pin_in, written};

/// From the portal's port to the last bank's.
pub(crate) const PORTS: u16 = 40;

/// A lab with a data folder of its own.
pub(crate) struct Lab {
    pub(crate) process: Process,
    pub(crate) folder: tempfile::TempDir,
    /// What its banks and its gateway keep their rows in.
    pub(crate) kept: Kept,
    pub(crate) port: u16,
    pub(crate) json: Value,
    pub(crate) portal: Site,
    pub(crate) payee: Payee,
    trace: AtomicU64,
    shutdown: CancellationToken,
    _stop: DropGuard,
}

impl Lab {
    /// Starts one; its log goes to a file beside its data.
    pub(crate) async fn open(log: &str) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports(PORTS);
        let data = folder.path().join("data");
        let number = port.to_string();
        let mut arguments =
            vec!["lab", "--port", &number, "--no-open", "--log", log, "--data", data.to_str().unwrap()];
        let kept = Kept::as_told(&data);
        let database = kept.url();
        if let Some(url) = &database {
            arguments.extend(["--database", url]);
        }
        let mut process = Process::start(arguments, &folder.path().join("lab.log"));
        assert_eq!(process.line(), format!("lab ready http://localhost:{port}/"));
        let portal = Site::plain(&format!("http://localhost:{port}"));
        let json = portal.get("/lab.json").await.json();
        let text = |member: &str| json["asker"][member].as_str().unwrap().to_owned();
        let payee = Payee {
            acquirer: text("acquirer"),
            merchant: text("merchant"),
            terminal: text("terminal"),
            name: text("merchant_name"),
            origin: text("origin"),
        };
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone().drop_guard();
        let trace = AtomicU64::new(1);
        Lab { process, folder, kept, port, json, portal, payee, trace, shutdown, _stop: stop }
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.json
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("lab.json has no {pointer}"))
    }

    /// The registered asker's certificate.
    pub(crate) fn tls(&self) -> Tls {
        let [ca, cert, key] =
            ["ca", "cert", "key"].map(|name| PathBuf::from(self.text(&format!("/tls/{name}"))));
        Tls { ca, cert, key }
    }

    /// A door behind mutual TLS, with the asker's certificate.
    pub(crate) fn secured(&self, pointer: &str) -> Site {
        Site::new(TlsClient::with(&self.tls()), self.text(pointer))
    }

    /// The n-th bank's switch port.
    pub(crate) async fn switch(&self, bank: usize) -> Switch {
        let at = |member: &str| self.text(&format!("/banks/{bank}/{member}")).to_owned();
        let key = hex::decode(at("zone/key")).unwrap();
        let switch = Switch::to(&at("iso8583/address"), &key, &self.shutdown);
        switch.link.came_up().await;
        switch
    }

    /// The cards of a bank.
    pub(crate) fn cards(&self, bank: usize) -> Vec<Value> {
        let id = &self.json["banks"][bank]["id"];
        self.json["cards"].as_array().unwrap().iter().filter(|card| card["bank"] == *id).cloned().collect()
    }

    /// The first card of a bank in this state.
    pub(crate) fn card(&self, bank: usize, state: &str) -> Value {
        self.cards(bank).into_iter().find(|card| card["state"] == state).unwrap()
    }

    pub(crate) fn trace(&self) -> u64 {
        self.trace.fetch_add(1, Ordering::SeqCst)
    }

    /// The texts on a phone, oldest first.
    pub(crate) async fn texts(&self, phone: &str) -> Vec<String> {
        let messages = self.portal.get(&format!("/handsets/{phone}/messages")).await.json();
        messages
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Asks for a PIN at a door and waits for its SMS. The whole text, and the PIN.
    pub(crate) async fn pin(&self, door: &Site, card: &Value, amount: u64) -> (String, String) {
        let body = self.payee.request(card["pan"].as_str().unwrap(), amount);
        let reply = door.ask(fresh_key(), &body).await.unwrap();
        assert_eq!(reply.status, 202, "{}", reply.text);
        let phone = card["phone"].as_str().unwrap();
        let wanted = written(amount);
        let text = until("the SMS comes", async || {
            self.texts(phone).await.into_iter().rev().find(|text| text.contains(&wanted))
        })
        .await;
        let pin = pin_in(&text).unwrap_or_else(|| panic!("no PIN in {text:?}"));
        (text, pin)
    }

    /// Pays, in a transaction of its own. The response code.
    pub(crate) async fn pay(&self, switch: &Switch, card: &Value, amount: u64, pin: &str) -> String {
        let (pan, expiry) = (card["pan"].as_str().unwrap(), card["expiry"].as_str().unwrap());
        switch.pay(switch.with_pin(self.payee.payment(pan, expiry, amount, self.trace()), pin)).await
    }

    /// Moves the lab's clock.
    pub(crate) async fn advance(&self, seconds: u64) {
        let moved = self.portal.post("/lab/clock", &json!({ "advance_s": seconds })).await;
        assert_eq!(moved.status, 200, "{}", moved.text);
        assert!(moved.json()["now"].as_str().unwrap().ends_with('Z'), "{}", moved.text);
    }

    /// A card's balance as it is now.
    pub(crate) async fn balance(&self, card: &Value) -> u64 {
        let now = self.portal.get("/lab/cards").await.json();
        let cards = now["cards"].as_array().unwrap();
        cards.iter().find(|one| one["pan"] == card["pan"]).unwrap()["balance"].as_u64().unwrap()
    }
}
