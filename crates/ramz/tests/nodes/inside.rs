//! Issuer nodes inside the test's own process: the same library, the same configuration and the same doors (but for TLS), so that a store
//! of the test's making can stand between a node and its database. Each runs in a runtime of its own, and is killed with it: all its
//! tasks stop where they are.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{BoxStream, Door, Peer};
use ramz_api::tap::NoTap;
use ramz_domain::ambient::random_bytes;
use ramz_issuer::engine::TheRules;
use ramz_issuer::{Ports, start};
use ramz_keys::SoftKeys;
use ramz_sms::smpp::{self, SmppConfig, SmppSender};
use ramz_store::{PostgresConfig, PostgresStore, Store};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::node::{Ends, Mortal, ready};
use crate::processes::bank::{ASKER, Bank, OPERATOR, ZONE_KEY};
use crate::processes::process::free_ports;
use crate::processes::surroundings::{Loopback, Random, Tcp, Wall};
use crate::processes::wires::{Site, Switch};

/// Every setting's default, as the binary has them.
const DEFAULTS: &str = include_str!("../../ramz.default.toml");
/// What a node that was just killed has had comes free about then.
const AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Puts something between a node and its database.
pub(crate) type Between = Arc<dyn Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync>;

/// One node.
pub(crate) struct Inside {
    port: u16,
    url: String,
    between: Between,
    runtime: Option<Runtime>,
}

impl Inside {
    /// A node with doors of its own on the database at this address, not started yet.
    pub(crate) fn new(url: String, between: Between) -> Inside {
        Inside { port: free_ports(4), url, between, runtime: None }
    }

    /// Waits until it reaches database, card host and SMSC.
    pub(crate) async fn ready(&self) {
        ready(self.port + 3).await;
    }

    /// Its ends, as outside programs have them.
    pub(crate) fn ends(&self, shutdown: &CancellationToken) -> Ends {
        let site = |nth: u16| Site::plain(&format!("http://localhost:{}", self.port + nth));
        let switch = Switch::to(&format!("127.0.0.1:{}", self.port + 1), &ZONE_KEY, shutdown);
        Ends { api: site(0), office: site(2), switch }
    }
}

impl Mortal for Inside {
    fn begin(&mut self, bank: &Bank) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let settings = bank.issuer_settings();
        let passphrase = std::fs::read_to_string(bank.file("passphrase")).unwrap();
        let sealed = std::fs::read(bank.file("issuer.keys")).unwrap();
        let keys = SoftKeys::open(&sealed, passphrase.trim().as_bytes(), Arc::new(Random)).unwrap();
        let password = std::fs::read_to_string(bank.file("smpp-password")).unwrap();
        let (port, url, between) = (self.port, self.url.clone(), Arc::clone(&self.between));
        runtime.spawn(async move {
            let store = between(Arc::new(open(&url).await));
            run(&settings, keys, password, store, port).await;
        });
        self.runtime = Some(runtime);
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn run(settings: &Value, keys: SoftKeys, password: String, store: Arc<dyn Store>, port: u16) {
    let smsc = settings["sms"]["address"].as_str().unwrap();
    let system_id = settings["sms"]["system_id"].as_str().unwrap();
    let bind = SmppConfig::new("bank", smsc, system_id, password.into(), "Bank Mellat").unwrap();
    let around = smpp::Surroundings {
        connector: Arc::new(Tcp),
        clock: Arc::new(Wall),
        entropy: Arc::new(Random),
        tap: Arc::new(NoTap),
    };
    let shutdown = CancellationToken::new();
    let ports = Ports {
        clock: Arc::new(Wall),
        entropy: Arc::new(Random),
        keys: Arc::new(keys),
        store,
        sender: SmppSender::start(vec![bind], &around, shutdown.clone()),
        rules: Arc::new(TheRules),
        api: Named::bind(port, Some(ASKER)).await,
        switch: Named::bind(port + 1, None).await,
        admin: Named::bind(port + 2, Some(OPERATOR)).await,
        app: None,
        metrics: Some(Named::bind(port + 3, None).await),
        watched: Vec::new(),
        host: Arc::new(Tcp),
        tap: Arc::new(NoTap),
    };
    let running = start(&config(settings), ports, &shutdown).unwrap();
    // Until its runtime is shut down.
    running.stopped().await;
}

/// As a process would open it; once more if the line is cut meanwhile, as whoever watches over processes would.
async fn open(url: &str) -> PostgresStore {
    let config = PostgresConfig::new(url, random_bytes(&Random));
    loop {
        if let Ok(store) = PostgresStore::open(&config).await {
            return store;
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// The bank's settings over the defaults, as a process has them.
fn config(settings: &Value) -> ramz_issuer::config::Config {
    let mut whole: Value = toml::from_str(DEFAULTS).unwrap();
    let bank = &mut whole["issuer"]["bank"];
    lay_over(bank, &settings["bank"]);
    lay_over(bank, &crate::node::policy());
    serde_json::from_value(bank.clone()).unwrap()
}

fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// A loopback port whose peers all have one certificate's name.
struct Named(Arc<Loopback>, Option<&'static str>);

impl Named {
    async fn bind(port: u16, name: Option<&'static str>) -> Arc<dyn Door> {
        // The node that had it before may not have gone yet.
        while TcpListener::bind(("127.0.0.1", port)).await.is_err() {
            sleep(AGAIN_AFTER).await;
        }
        Arc::new(Named(Loopback::bind(port).await, name))
    }
}

#[async_trait]
impl Door for Named {
    async fn accept(&self) -> io::Result<(BoxStream, Peer)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((stream, Peer { name: self.1.map(str::to_owned), ..peer }))
    }

    fn address(&self) -> SocketAddr {
        self.0.address()
    }
}
