//! Issuer processes that share one bank, and one database.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::processes::bank::{ASKER, Bank, OPERATOR, ZONE_KEY, start};
use crate::processes::process::{Process, free_ports};
use crate::processes::surroundings::TlsClient;
use crate::processes::until;
use crate::processes::wires::{Reply, Site, Switch};

/// A node that dies, and comes again with the same doors.
pub(crate) trait Mortal {
    /// Starts it, and waits for nothing.
    fn begin(&mut self, bank: &Bank);

    /// Ends it where it stands.
    fn kill(&mut self);

    /// Starts it again if it has ended by itself, as whoever supervises it would.
    fn supervise(&mut self, _: &Bank) {}
}

/// One node: its doors stay the same when it is started again.
pub(crate) struct Node {
    name: String,
    port: u16,
    process: Option<Process>,
}

impl Node {
    /// Writes its settings: the bank's, with ports and a store of its own.
    pub(crate) fn new(bank: &Bank, name: &str, store: &Value, change: impl FnOnce(&mut Value)) -> Node {
        let port = free_ports(4);
        let listen = |nth: u16| format!("127.0.0.1:{}", port + nth);
        let mut settings = bank.issuer_settings();
        settings["listen"] =
            json!({ "api": listen(0), "switch": listen(1), "admin": listen(2), "metrics": listen(3) });
        settings["store"] = store.clone();
        settings["bank"]["policy"] = policy()["policy"].clone();
        change(&mut settings);
        bank.settings(&format!("{name}.toml"), &json!({ "issuer": settings }));
        Node { name: name.to_owned(), port, process: None }
    }

    /// Waits until it reaches database, card host and SMSC.
    pub(crate) async fn ready(&self) {
        ready(self.port + 3).await;
    }

    /// What it says of itself now.
    pub(crate) async fn readiness(&self) -> Option<Reply> {
        readiness(self.port + 3).await
    }

    /// Waits for its line.
    pub(crate) fn up(&mut self) {
        let process = self.process.as_mut().unwrap();
        assert!(process.line().contains("ready"));
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// Its ends, as outside programs have them.
    pub(crate) fn ends(&self, bank: &Bank, shutdown: &CancellationToken) -> Ends {
        let site = |nth: u16, name| {
            let url = format!("https://localhost:{}", self.port + nth);
            Site::new(TlsClient::with(&bank.tls(name)), &url)
        };
        Ends {
            api: site(0, ASKER),
            office: site(2, OPERATOR),
            switch: Switch::to(&format!("127.0.0.1:{}", self.port + 1), &ZONE_KEY, shutdown),
        }
    }
}

impl Mortal for Node {
    fn begin(&mut self, bank: &Bank) {
        let (settings, log) = (format!("{}.toml", self.name), format!("{}.log", self.name));
        self.process = Some(start("issuer", &bank.file(&settings), &bank.file(&log)));
    }

    /// `kill -9`.
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Where its database is cut off while it starts, it says so and ends.
    fn supervise(&mut self, bank: &Bank) {
        let process = self.process();
        if !process.runs() {
            let said = process.said();
            assert!(said.contains("store: ") && !said.contains("panicked"), "{}: {said}", self.name);
            self.begin(bank);
        }
    }
}

/// No PIN runs out while a test lasts.
pub(crate) fn policy() -> Value {
    json!({ "policy": { "valid_for_s": 600, "ask_again_after_s": 600 } })
}

/// Waits until the node whose metrics are on this port reaches database, card host and SMSC.
pub(crate) async fn ready(port: u16) {
    until("a node is ready", async || readiness(port).await.filter(|reply| reply.status == 200)).await;
}

async fn readiness(port: u16) -> Option<Reply> {
    let request = axum::http::Request::get("/readyz").body(axum::body::Bytes::new()).unwrap();
    Site::plain(&format!("http://localhost:{port}")).call(request).await.ok()
}

/// What reaches a node.
pub(crate) struct Ends {
    pub(crate) api: Site,
    pub(crate) office: Site,
    pub(crate) switch: Switch,
}
