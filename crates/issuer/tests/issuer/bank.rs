//! The harness: one bank with its card host, its operator and its switch, and the ways to drive it.
//!
//! Each node runs in a runtime of its own, so that it can be killed at any instant as a process would be: all its tasks
//! stop where they are. What survives is the store.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ramz_api::net::Door;
use ramz_api::tap::{NoTap, SharedTap};
use ramz_domain::card::{CardState, Entry};
use ramz_domain::{CardId, Clock as _, Entropy as _, Moment, Pan, Pin, Rial};
use ramz_iso8583::Message;
use ramz_issuer::config::{LimitsConfig, OnSilence, StaticPinConfig, StaticPinRule};
use ramz_issuer::engine::{JournalRecord, Rules, TheRules, verify_journal};
use ramz_issuer::{Ports, Running, start};
use ramz_keys::{IndexPurpose, KeyRing, Keys as _, SoftKeys, ZoneKey};
use ramz_link::{Link, LinkConfig, Names};
use ramz_sim::host::{Account, AccountState, CardHost};
use ramz_store::{MemoryStore, Store, Table};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::doubles::{CountingKeys, Hand, Logs, Operator, Seeded, Sms, Trace};
use crate::messages::{EXPIRY, Wish, code, pan, phone, set_pin};
use crate::settings::{config, limits};
use crate::wire::Wire;
use crate::wires::{Dial, Loopback, Reply, http};

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const BALANCE: u64 = 1_000_000_000;
pub(crate) const FIRST_PIN: &str = "8351";
/// The static second PIN that the host knows.
pub(crate) const STATIC_PIN: &str = "402917";
/// Card numbers of [`pan`]: cards that the bank has.
pub(crate) const CARD: u32 = 1;
pub(crate) const OTHER_CARD: u32 = 2;
pub(crate) const NO_PHONE: u32 = 3;
pub(crate) const CLOSED: u32 = 4;
pub(crate) const UNKNOWN: u32 = 77;

/// What a scenario says: nothing, or what did not hold.
pub(crate) type Told = Result<(), String>;

/// Says what did not hold, unless both are equal.
#[track_caller]
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T, what: &str) -> Told {
    let at = std::panic::Location::caller();
    let fault = || format!("{what}: {found:?}, expected {expected:?} ({}:{})", at.file(), at.line());
    if found == expected { Ok(()) } else { Err(fault()) }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) -> Told {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        if Instant::now() > deadline {
            return Err(format!("never: {what}"));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// What a bank is built of.
pub(crate) struct Build {
    pub(crate) store: Arc<dyn Store>,
    /// What is left of the store after a crash, if that is less.
    pub(crate) after_crash: Option<Arc<dyn Store>>,
    pub(crate) rules: Arc<dyn Rules>,
    /// Called when a scenario begins its attack: broken parts behave until then.
    pub(crate) attack: Box<dyn Fn() + Send + Sync>,
    /// Where SQLite keeps its file.
    pub(crate) folder: Option<tempfile::TempDir>,
    /// How switch and host speak.
    pub(crate) wires: [Wire; 2],
    /// How many PINs go out at most.
    pub(crate) limits: LimitsConfig,
    /// What the switch is told when the host is silent.
    pub(crate) on_silence: OnSilence,
    /// Where the static second PIN may be used.
    pub(crate) static_pin: StaticPinConfig,
    /// What may be debited beside an amount.
    pub(crate) fees_max: u64,
    /// Whether cardholders are told unasked.
    pub(crate) alerts: bool,
    /// Whether the bank has an app, and who may frame it.
    pub(crate) app: Option<Vec<String>>,
    /// What the proxy before the app's door says where a request is from with.
    pub(crate) address_header: &'static str,
}

impl Default for Build {
    fn default() -> Build {
        Build::over(Arc::new(MemoryStore::new()))
    }
}

impl Build {
    pub(crate) fn over(store: Arc<dyn Store>) -> Build {
        let wires = <[Wire; 2]>::default();
        Build {
            store,
            after_crash: None,
            rules: Arc::new(TheRules),
            attack: Box::new(|| {}),
            folder: None,
            wires,
            limits: limits(),
            on_silence: OnSilence::Silence,
            static_pin: StaticPinConfig {
                rule: StaticPinRule::Never,
                max: 1_000_000,
                kinds: vec!["purchase".into(), "bill".into(), "top_up".into()],
                exempt_products: vec!["gift".into()],
            },
            fees_max: 0,
            alerts: false,
            app: Some(Vec::new()),
            address_header: "",
        }
    }

    /// The real rule for static PINs, and alerts.
    pub(crate) fn with_static_pins(self) -> Build {
        let static_pin = StaticPinConfig { rule: StaticPinRule::Total24h, ..self.static_pin };
        Build { static_pin, ..self }
    }

    /// Over a store that survives, as the environment says.
    pub(crate) fn durable() -> Build {
        let (store, folder) = crate::durable::open();
        Build { folder, ..Build::over(store) }
    }
}

/// One issuer that runs.
pub(crate) struct Node {
    runtime: Option<Runtime>,
    pub(crate) running: Running,
    pub(crate) api: Arc<Loopback>,
    pub(crate) admin: Arc<Loopback>,
    pub(crate) metrics: SocketAddr,
    /// Two connections of the switch: a repeat may not travel beside its original on one.
    pub(crate) switch: [Arc<Link>; 2],
    /// Asks the node to stop, in order.
    pub(crate) stop: CancellationToken,
    _shutdown: DropGuard,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A bank and its surroundings.
pub(crate) struct Bank {
    pub(crate) clock: Arc<Hand>,
    pub(crate) soft: Arc<SoftKeys>,
    pub(crate) keys: Arc<CountingKeys>,
    pub(crate) operator: Arc<Operator>,
    pub(crate) host: Arc<CardHost>,
    /// The nodes' way to the host.
    pub(crate) way: Arc<Dial>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) host_trace: Arc<Trace>,
    pub(crate) build: Build,
    entropy: Arc<Seeded>,
    store: Mutex<Arc<dyn Store>>,
    host_address: SocketAddr,
    keys_asked: AtomicU64,
    _shutdown: DropGuard,
}

fn names(ours: &str, theirs: &str) -> Names {
    Names { ours: ours.to_owned(), theirs: theirs.to_owned() }
}

impl Bank {
    /// A bank with its cards, and one node.
    pub(crate) async fn open(build: Build) -> (Bank, Node) {
        let bank = Bank::without_cards(build).await;
        let node = bank.node().await;
        for (n, phone_of) in
            [(CARD, Some(CARD)), (OTHER_CARD, Some(OTHER_CARD)), (NO_PHONE, None), (CLOSED, Some(CLOSED))]
        {
            bank.add(&node, n, phone_of).await;
        }
        let closed = node.admin("PUT", &format!("/{}", bank.card(CLOSED)), r#"{"status":"closed"}"#).await;
        assert_eq!(closed.status, 200, "{}", closed.body);
        (bank, node)
    }

    pub(crate) async fn without_cards(build: Build) -> Bank {
        Logs::all();
        let (clock, entropy) = (Hand::new(), Seeded::new(2));
        let mut ring = KeyRing::generate(&*entropy);
        for (zone, wire) in ["switch", "host"].into_iter().zip(&build.wires) {
            let mut key = [0; 16];
            entropy.fill(&mut key);
            ring.add_zone(zone, ZoneKey::new(wire.cipher(), &key).unwrap()).unwrap();
        }
        let soft = Arc::new(SoftKeys::new(ring, entropy.clone()));
        let host = CardHost::reading(soft.clone(), "host", build.wires[1].format());
        let door = Loopback::bind(None).await;
        let host_address = door.address();
        let (shutdown, host_trace) = (CancellationToken::new(), Arc::new(Trace::default()));
        let (layout, header) = build.wires[1].shape();
        let tap: SharedTap = host_trace.clone();
        tokio::spawn(host.clone().run(door, layout, header, tap, names("host", "bank"), shutdown.clone()));
        Bank {
            operator: Operator::new(clock.clone()),
            keys: CountingKeys::new(soft.clone()),
            trace: Arc::default(),
            way: Arc::default(),
            store: Mutex::new(build.store.clone()),
            keys_asked: AtomicU64::new(1),
            _shutdown: shutdown.drop_guard(),
            clock,
            soft,
            host,
            host_trace,
            build,
            entropy,
            host_address,
        }
    }

    /// Starts a node over the bank's store.
    pub(crate) async fn node(&self) -> Node {
        self.node_with(&self.operator).await
    }

    /// The same, with a line of its own to the operator.
    pub(crate) async fn node_with(&self, operator: &Arc<Operator>) -> Node {
        self.node_at(operator, self.clock.clone()).await
    }

    /// And with a clock of its own.
    pub(crate) async fn node_at(&self, operator: &Arc<Operator>, clock: Arc<Hand>) -> Node {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (config, shutdown) = (config(self.host_address, &self.build), CancellationToken::new());
        let (entropy, keys) = (self.entropy.clone(), self.keys.clone());
        let (store, sender, rules) = (self.store(), operator.clone(), self.build.rules.clone());
        let has_app = self.build.app.is_some();
        let (tap, way): (SharedTap, _) = (self.trace.clone(), self.way.clone());
        let stop = shutdown.child_token();
        let shut = stop.clone();
        let started = runtime.spawn(async move {
            let (api, admin) = (Loopback::bind(Some("router")).await, Loopback::bind(Some("operator")).await);
            let (switch, metrics) = (Loopback::bind(Some("switch")).await, Loopback::bind(None).await);
            let app = if has_app { Some(Loopback::bind(None).await as Arc<dyn Door>) } else { None };
            let ports = Ports {
                clock,
                entropy,
                keys,
                store,
                sender,
                rules,
                api: api.clone(),
                admin: admin.clone(),
                switch,
                app,
                metrics: Some(metrics.clone()),
                watched: Vec::new(),
                host: way,
                tap,
            };
            (start(&config, ports, &shut).unwrap(), api, admin, metrics.address())
        });
        let (running, api, admin, metrics) = started.await.unwrap();
        running.host.came_up().await;
        let switch = [0, 1].map(|_| self.switch(running.switch, &shutdown));
        for link in &switch {
            link.came_up().await;
        }
        Node {
            runtime: Some(runtime),
            running,
            api,
            admin,
            metrics,
            switch,
            stop,
            _shutdown: shutdown.drop_guard(),
        }
    }

    fn switch(&self, to: SocketAddr, shutdown: &CancellationToken) -> Arc<Link> {
        let (layout, header) = self.build.wires[0].shape();
        let config = LinkConfig {
            name: "switch".into(),
            address: to.to_string(),
            layout,
            header,
            sign_on: true,
            echo_every: PATIENCE,
            answer_timeout: PATIENCE,
        };
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let names = names("switch", "bank mellat");
        Link::start(
            config,
            Arc::new(Dial::default()),
            clock,
            entropy,
            Arc::new(NoTap),
            names,
            shutdown.clone(),
        )
    }

    /// Kills a node: nothing of it runs on. What the store then has is what is left.
    pub(crate) fn crash(&self, node: Node) {
        drop(node);
        if let Some(left) = &self.build.after_crash {
            *self.store.lock().unwrap() = left.clone();
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.lock().unwrap().clone()
    }

    /// Adds a card to the bank and to its host.
    pub(crate) async fn add(&self, node: &Node, n: u32, phone_of: Option<u32>) {
        let phone = phone_of.map_or(String::new(), |of| format!(r#","phone":"+{}""#, phone(of)));
        let added =
            node.admin("POST", "", &format!(r#"{{"pan":"{}","expiry":"{EXPIRY}"{phone}}}"#, pan(n))).await;
        assert_eq!(added.status, 201, "{}", added.body);
        self.add_to_the_host(n);
    }

    /// Opens an account of card `n` at the host.
    pub(crate) fn add_to_the_host(&self, n: u32) {
        let account = Account {
            pan: Pan::parse(&pan(n)).unwrap(),
            balance: Rial::new(BALANCE).unwrap(),
            first_pin: Some(Pin::parse(FIRST_PIN).unwrap()),
            second_pin: Some(Pin::parse(STATIC_PIN).unwrap()),
            state: AccountState::Open,
        };
        self.host.open(account).unwrap();
    }

    /// The id of card `n`, as hexadecimal digits.
    pub(crate) fn card(&self, n: u32) -> CardId {
        // The index row is what the engine reads, and the memory of who asked it last is not needed here.
        let tag = self.soft.index(IndexPurpose::Pan, &[pan(n).as_bytes()]).unwrap();
        let key = [&tag.version.to_be_bytes()[..], &tag.bytes].concat();
        let (store, (found, receive)) = (self.store(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            found.send(runtime.block_on(store.read(Table::CardIndex, &key))).unwrap();
        });
        let row = receive.recv().unwrap().unwrap().expect("the bank has this card");
        CardId(row.body.try_into().unwrap())
    }

    pub(crate) async fn state(&self, n: u32) -> CardState {
        let row = self.store().read(Table::Card, &self.card(n).0).await.unwrap().unwrap();
        CardState::decode(&row.body).unwrap()
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A fresh idempotency key.
    pub(crate) fn key(&self) -> String {
        let n = self.keys_asked.fetch_add(1, Ordering::SeqCst);
        format!("8e03978e-40d5-43dd-bc93-{n:012x}")
    }

    /// Asks for a PIN as the router does.
    pub(crate) async fn ask_pin(&self, node: &Node, n: u32, wish: &Wish) -> Reply {
        node.pin_request("page one", &self.key(), &wish.json(&pan(n))).await
    }

    /// Asks for a PIN and reads the SMS.
    pub(crate) async fn pin(&self, node: &Node, n: u32, wish: &Wish) -> Result<String, String> {
        let before = self.operator.texts(&phone(n)).len();
        let reply = self.ask_pin(node, n, wish).await;
        same(reply.status, 202, "a PIN request")?;
        let sms = self.text_after(n, before).await?;
        Ok(sms.pin())
    }

    /// Card `n`'s phone texts the short code; the words that come back.
    pub(crate) async fn text(&self, n: u32, words: &str) -> Result<Sms, String> {
        let before = self.operator.texts(&phone(n)).len();
        same(self.operator.text(&phone(n), words, None).await, true, "the text is taken")?;
        self.text_after(n, before).await
    }

    /// What is there of messages and work is done, and nothing more came to the phone than this.
    pub(crate) async fn nothing_more_than(&self, n: u32, texts: usize) -> Told {
        self.settled().await?;
        same(self.operator.texts(&phone(n)).len(), texts, "SMS to the phone")
    }

    /// The SMS to card `n`'s phone that comes after so many.
    pub(crate) async fn text_after(&self, n: u32, before: usize) -> Result<Sms, String> {
        let came = async || self.operator.texts(&phone(n)).len() > before;
        until("an SMS comes", came).await?;
        Ok(self.operator.texts(&phone(n)).remove(before))
    }

    /// Waits until no row has work left and no message waits.
    pub(crate) async fn settled(&self) -> Told {
        let store = self.store();
        let end = self.clock.now().plus(Duration::from_secs(10 * 365 * 86_400));
        let nothing = async || {
            let messages = store.outbox_due(end, 1).await;
            let phones = store.due(Table::Phone, end, 1).await;
            let devices = store.due(Table::Device, end, 1).await;
            messages.is_ok_and(|rows| rows.is_empty())
                && phones.is_ok_and(|rows| rows.is_empty())
                && devices.is_ok_and(|rows| rows.is_empty())
        };
        until("all work is done", nothing).await
    }

    /// The payment as the switch brings it, with a PIN.
    pub(crate) fn payment(&self, n: u32, wish: &Wish, pin: &str) -> Message {
        let mut message = wish.message(&pan(n));
        set_pin(&mut message, pin, &self.soft);
        message
    }

    /// Pays, and says field 39.
    pub(crate) async fn pay(&self, node: &Node, n: u32, wish: &Wish, pin: &str) -> Result<String, String> {
        node.ask(&self.payment(n, wish, pin)).await.map(|answer| code(&answer))
    }

    /// What card `n` has left at the host.
    pub(crate) fn spent(&self, n: u32) -> u64 {
        BALANCE - self.host.balance(&Pan::parse(&pan(n)).unwrap()).unwrap().get()
    }

    /// A card's journal, oldest first.
    pub(crate) async fn entries(&self, n: u32) -> Vec<Entry> {
        let entries = self.store().journal(&self.card(n).0, 0, 10_000).await.unwrap();
        let entry =
            |entry: &ramz_store::JournalEntry| minicbor::decode::<JournalRecord>(&entry.entry).unwrap().entry;
        entries.iter().map(entry).collect()
    }

    /// A card's journal: each entry's name and numbers, oldest first.
    pub(crate) async fn story(&self, n: u32) -> Vec<String> {
        let entries = self.store().journal(&self.card(n).0, 0, 10_000).await.unwrap();
        let word = |entry: &ramz_store::JournalEntry| {
            let record: JournalRecord = minicbor::decode(&entry.entry).unwrap();
            assert!(record.at >= Moment::from_unix_ms(1_795_485_164_000));
            let entry = format!("{:?}", record.entry);
            entry.split([' ', '{']).next().unwrap_or("").to_owned()
        };
        entries.iter().map(word).collect()
    }

    /// Cuts the nodes off from the card host, until [`Self::reconnect`].
    pub(crate) async fn cut_off(&self, node: &Node) -> Told {
        self.way.cut_off(true);
        self.host.drop_connections();
        until("the host's link is down", async || !node.running.host.is_up()).await
    }

    pub(crate) async fn reconnect(&self, node: &Node) -> Told {
        self.way.cut_off(false);
        until("the host's link is up", async || node.running.host.is_up()).await
    }

    /// Waits until the host was asked so often in all.
    pub(crate) async fn host_was_asked(&self, times: u32) -> Told {
        until("the host is asked", async || self.host.asked_in_all().times >= times).await
    }

    /// The first payment of a bank, whose answer is lost with the line to the host: it was debited, and the switch is not told.
    pub(crate) async fn in_doubt(&self, node: &Node, payment: &Message) -> Told {
        self.host.silence_next(1);
        drop(node.asking(0, payment));
        self.host_was_asked(1).await?;
        self.host.drop_connections();
        node.was_silent(1).await?;
        self.reconnect(node).await
    }

    /// Every card's journal verifies.
    pub(crate) async fn journals_are_whole(&self) -> Told {
        let store = self.store();
        for key in store.keys_after(Table::Card, &[], 1000).await.map_err(|fault| fault.to_string())? {
            let card = CardId(key.try_into().map_err(|_| "a card's key has 16 bytes")?);
            let entries = verify_journal(&*store, &*self.soft, card).await.map_err(|why| why.to_string())?;
            if entries == 0 {
                return Err(format!("card {card} has no journal"));
            }
        }
        Ok(())
    }
}

impl Node {
    /// Asks over the switch's first connection.
    pub(crate) async fn ask(&self, message: &Message) -> Result<Message, String> {
        self.ask_over(0, message).await
    }

    pub(crate) async fn ask_over(&self, connection: usize, message: &Message) -> Result<Message, String> {
        let answer = self.switch[connection].ask(message.clone(), PATIENCE).await;
        answer.map_err(|error| format!("no answer: {error}"))
    }

    /// Begins to ask, beside what else happens.
    pub(crate) fn asking(
        &self,
        connection: usize,
        message: &Message,
    ) -> impl Future<Output = Result<Message, String>> + use<> {
        let (link, message) = (self.switch[connection].clone(), message.clone());
        let asked = tokio::spawn(async move { link.ask(message, PATIENCE).await });
        async move { asked.await.unwrap().map_err(|error| format!("no answer: {error}")) }
    }

    /// Waits until so many messages of the switch got no answer.
    pub(crate) async fn was_silent(&self, times: u32) -> Told {
        self.shows(&format!("ramz_authorisations_total{{response_code=\"other\"}} {times}")).await
    }

    /// Waits until its metrics have this in them.
    pub(crate) async fn shows(&self, sample: &str) -> Told {
        let shown = async || http(self.metrics, "GET", "/metrics", &[], "").await.body.contains(sample);
        until(sample, shown).await
    }

    /// A PIN request of the router for an asker.
    pub(crate) async fn pin_request(&self, asker: &str, key: &str, body: &str) -> Reply {
        let headers = [("content-type", "application/json"), ("idempotency-key", key), ("ramz-asker", asker)];
        http(self.running.api, "POST", "/v1/pin-requests", &headers, body).await
    }

    /// A call of the back office, below its cards.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &str) -> Reply {
        let headers = [("content-type", "application/json")];
        http(self.running.admin, method, &format!("/admin/v1/cards{path}"), &headers, body).await
    }
}

/// Runs a scenario, and verifies every journal after it.
pub(crate) async fn tried(build: Build, scenario: impl AsyncFn(&Bank, Node) -> Told) -> Told {
    let (bank, node) = Bank::open(build).await;
    scenario(&bank, node).await?;
    bank.journals_are_whole().await
}

/// Each scenario as two tests: over the memory store, and over one that survives (SQLite, or PostgreSQL).
macro_rules! on_both_stores {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            #[tokio::test]
            async fn in_memory() {
                let told = crate::bank::tried(crate::bank::Build::default(), super::$scenario).await;
                assert_eq!(told, Ok(()));
            }

            #[tokio::test]
            async fn durably() {
                let told = crate::bank::tried(crate::bank::Build::durable(), super::$scenario).await;
                assert_eq!(told, Ok(()));
            }
        }
    )*};
}
pub(crate) use on_both_stores;
