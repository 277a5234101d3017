//! Starting an issuer: the parts in order, and the way to stop them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ramz_api::app::BankView;
use ramz_api::metrics::Show;
use ramz_api::net::{Connector, Door};
use ramz_api::openapi;
use ramz_api::serve::{DoorTimes, serve};
use ramz_api::tap::SharedTap;
use ramz_domain::card::PolicyError;
use ramz_domain::{CardId, Clock, Entropy, limits};
use ramz_keys::{KeyFault, Keys, PinBlockFormat};
use ramz_link::{Link, LinkConfig, Names, Shape, ShapeError, listen};
use ramz_sms::port::Sender;
use ramz_store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Admissions;
use crate::app::{self, AppDoor, Whence};
use crate::config::{AppConfig, Config, ConfigError, HostConfig, VerifierConfig};
use crate::counts::Counts;
use crate::engine::{Engine, Parts, Rules};
use crate::inline::{BankAtTerminal, Inline, Zone};
use crate::limits::Limits;
use crate::nodes::Nodes;
use crate::outbox::{self, BankName, Others, Outbox};
use crate::phones::Texts;
use crate::receipts::Receipts;
use crate::shape::{self, Checked};
use crate::sweeper::Swept;
use crate::undo::Undo;
use crate::web;
use crate::web::back_office::BackOffice;
use crate::web::health::Health;
use crate::web::pin_requests::PinRequestDoor;
use crate::web::verifications::{VerificationDoor, Verifier};

/// What an issuer is handed.
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The keys.
    pub keys: Arc<dyn Keys>,
    /// What must survive.
    pub store: Arc<dyn Store>,
    /// The line to the operator.
    pub sender: Arc<dyn Sender>,
    /// The rules; [`crate::engine::TheRules`] outside of tests.
    pub rules: Arc<dyn Rules>,
    /// PIN requests; mutual TLS inside.
    pub api: Arc<dyn Door>,
    /// The back office; mutual TLS inside.
    pub admin: Arc<dyn Door>,
    /// The app, if the bank has one.
    pub app: Option<Arc<dyn Door>>,
    /// The switch.
    pub switch: Arc<dyn Door>,
    /// Health and metrics.
    pub metrics: Option<Arc<dyn Door>>,
    /// What else has metrics to show there.
    pub watched: Vec<Arc<dyn Show>>,
    /// To the card host.
    pub host: Arc<dyn Connector>,
    /// Who watches.
    pub tap: SharedTap,
}

/// An issuer that runs.
pub struct Running {
    /// What decides: for the lab and for tests.
    pub engine: Arc<Engine>,
    /// The card host's link.
    pub host: Arc<Link>,
    /// Where PIN requests are taken.
    pub api: SocketAddr,
    /// Where the switch comes.
    pub switch: SocketAddr,
    /// Where the back office comes.
    pub admin: SocketAddr,
    /// Where the app comes, if it may.
    pub app: Option<SocketAddr>,
    tasks: TaskTracker,
}

/// Why an issuer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The policy may not run.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A setting that cannot be used.
    #[error(transparent)]
    Config(ConfigError),
    /// A layout or header that cannot be used.
    #[error("issuer: {place}: {error}")]
    Shape {
        /// Which link: `switch` or `host`.
        place: &'static str,
        /// What is wrong with it.
        error: ShapeError,
    },
    /// A PIN block format that is not spoken.
    #[error("issuer: {place}: there is no PIN block format {format}; write 0, 3 (TDEA) or 4 (AES)")]
    Format {
        /// Which link: `switch` or `host`.
        place: &'static str,
        /// The format asked for.
        format: u8,
    },
    /// An IIN that is not six digits.
    #[error("issuer: {0:?} is not an IIN of six digits")]
    Iin(String),
    /// A door for the app, and no key that phones could seal to.
    #[error("issuer: the app needs a receive key: {0}; add one with `ramz keys rotate receive`")]
    NoReceiveKey(KeyFault),
    /// A door for the app without its public address, or the address without the door.
    #[error("issuer: listen.app and bank.app.public_url belong together: write both, or none")]
    HalfAnApp,
    /// The key file cannot serve a link.
    #[error(
        "issuer: the key file has no zone {zone:?} for PIN block format {format}; add it with `ramz keys zone`"
    )]
    Zone {
        /// The zone asked for.
        zone: String,
        /// The format asked for.
        format: PinBlockFormat,
    },
}

#[expect(clippy::too_many_lines, reason = "the parts in order, read as one list")]
/// Starts an issuer. It runs until `shutdown`; [`Running::stopped`] waits until all it had read is answered.
pub fn start(config: &Config, ports: Ports, shutdown: &CancellationToken) -> Result<Running, StartError> {
    let checked = shape::check(config)?;
    if ports.app.is_none() == checked.policy.app.offered {
        return Err(StartError::HalfAnApp);
    }
    let Checked { policy, rates, switch: (switch_shape, switch_format), host: (host_shape, host_format) } =
        checked;
    let limits = Arc::new(Limits::new(rates, ports.store.is_shared()));
    let keys = &ports.keys;
    let switch_zone = zone(keys.as_ref(), &config.switch.zone, switch_format)?;
    let host_zone = zone(keys.as_ref(), &config.host.zone, host_format)?;
    let verifiers = verifiers(keys.as_ref(), config)?;
    let bank = format!("bank {}", config.id);
    let link = host_link(&bank, &config.host, host_shape);
    let (queue, dispatches) = mpsc::channel(outbox::QUEUE);
    let (api, switch, admin) = (ports.api.address(), ports.switch.address(), ports.admin.address());
    let tasks = TaskTracker::new();
    let counts = Arc::new(Counts::default());

    // What was read at the shutdown is still asked of the host: its line ends when nothing asks any more.
    let hosts_end = CancellationToken::new();
    let names = Names { ours: bank.clone(), theirs: "card host".into() };
    let (clock, entropy) = (&ports.clock, &ports.entropy);
    let tap = || Arc::clone(&ports.tap);
    let host = Link::start(
        link,
        ports.host,
        Arc::clone(clock),
        Arc::clone(entropy),
        tap(),
        names,
        hosts_end.clone(),
    );
    let engine = Engine::new(Parts {
        store: Arc::clone(&ports.store),
        keys: Arc::clone(keys),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        policy,
        rules: ports.rules,
        outbox: queue,
        counts: Arc::clone(&counts),
    });
    let admissions = Admissions::new(Arc::clone(&engine), Arc::clone(&limits), Arc::clone(&counts));
    let bank_name = BankName {
        id: config.id.clone(),
        fa: config.name_fa.clone(),
        en: config.name_en.clone(),
        short_code: config.short_code.clone(),
        app_address: config.app.public_url.clone(),
    };
    let texts = Texts::new(Arc::clone(&engine), Arc::clone(&counts));
    let receipts = Receipts::start(&engine, ports.sender.as_ref(), &tasks, shutdown);
    let undo = Undo::new(Arc::clone(&engine), Arc::clone(&host), Arc::clone(&counts));
    let outbox = Outbox::new(
        Arc::clone(&engine),
        Arc::clone(&ports.sender),
        bank_name,
        receipts,
        Others { undo, admissions: Arc::clone(&admissions) },
        Arc::clone(&limits),
        Arc::clone(&counts),
    );
    let swept = Swept { engine: Arc::clone(&engine), outbox: Arc::clone(&outbox), texts: Arc::clone(&texts) };
    tasks.spawn(swept.run(shutdown.clone()));
    let (agreed, ending) = (Arc::clone(&engine.agreed), shutdown.clone());
    tasks.spawn(async move { ending.run_until_cancelled(agreed.keep()).await });
    tasks.spawn(Nodes::new(Arc::clone(&engine), Arc::clone(&limits)).run(shutdown.clone()));
    if let Some(inbound) = ports.sender.texts() {
        tasks.spawn(texts.run(inbound, shutdown.clone()));
    }
    tasks.spawn(outbox.run(dispatches, shutdown.clone()));

    let inline = Inline::new(
        Arc::clone(&engine),
        Arc::clone(&host),
        Arc::clone(&counts),
        switch_zone,
        host_zone,
        config.host.on_silence,
        BankAtTerminal { short_code: config.short_code.clone(), app_address: config.app.public_url.clone() },
    );
    let names = Names { ours: bank.clone(), theirs: "switch".into() };
    tasks.spawn(listen(
        ports.switch,
        switch_shape.layout,
        switch_shape.header,
        Arc::new(inline),
        tap(),
        names,
        shutdown.clone(),
    ));

    let times = [DoorTimes::new("api"), DoorTimes::new("admin"), DoorTimes::new("app")];
    let door = pin_request_door(config, bank, &admissions, &limits, entropy, tap());
    let verifications = Arc::new(VerificationDoor {
        engine: Arc::clone(&engine),
        entropy: Arc::clone(entropy),
        counts: Arc::clone(&counts),
        iins: config.iins.iter().cloned().collect(),
        verifiers,
    });
    let routes = web::pin_requests::routes(door)
        .merge(web::verifications::routes(verifications))
        .merge(openapi::route(openapi::of_an_issuer()));
    let answering = serve(ports.api, times[0].timing(routes), Arc::clone(entropy), shutdown.clone());
    tasks.spawn(async move {
        answering.await;
        admissions.drain().await;
    });
    let app = match ports.app {
        Some(door) => {
            // A key file of an earlier release has none: better said now than to the first phone.
            keys.receive_key().map_err(StartError::NoReceiveKey)?;
            let (address, routes) =
                (door.address(), app::routes(app_door(config, &engine, &limits, &counts, tap())));
            tasks.spawn(serve(door, times[2].timing(routes), Arc::clone(entropy), shutdown.clone()));
            Some(address)
        }
        None => None,
    };
    let office = BackOffice {
        engine: Arc::clone(&engine),
        limits,
        operators: config.operators.iter().cloned().collect(),
        iins: config.iins.iter().cloned().collect(),
    };
    let office = web::back_office::routes(Arc::new(office));
    tasks.spawn(serve(ports.admin, times[1].timing(office), Arc::clone(entropy), shutdown.clone()));
    let (sender, doors, watched) = (ports.sender, times.to_vec(), ports.watched);
    let health = Health {
        engine: Arc::clone(&engine),
        host: Arc::clone(&host),
        sender,
        counts,
        doors,
        watched,
        shutdown: shutdown.clone(),
    };
    let all = shown(tasks, ports.metrics, health, Arc::clone(entropy), hosts_end);
    Ok(Running { engine, host, api, switch, admin, app, tasks: all })
}

impl Running {
    /// Whether a card's dynamic PIN is locked now.
    pub async fn locked(&self, card: CardId) -> bool {
        let Ok(Some(state)) = self.engine.look(card).await else { return false };
        state.locked(&self.engine.policy, self.engine.clock.now()).is_some()
    }

    /// Waits until the store has said what time it is, and a while at most: nothing is decided here before.
    pub async fn knows_the_time(&self) {
        let asked = self.engine.agreed.asked();
        if tokio::time::timeout(limits::STORE_WAIT_MAX, asked).await.is_err() {
            tracing::warn!("the store does not say what time it is; nothing is decided until it does");
        }
    }

    /// Waits until everything has ended after the shutdown.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Everything, and a door for operators. They see the drain: their door closes after the others, and the host's line with it.
fn shown(
    tasks: TaskTracker,
    door: Option<Arc<dyn Door>>,
    health: Health,
    entropy: Arc<dyn Entropy>,
    hosts_end: CancellationToken,
) -> TaskTracker {
    let (all, drained) = (TaskTracker::new(), CancellationToken::new());
    if let Some(door) = door {
        all.spawn(serve(door, web::health::routes(Arc::new(health)), entropy, drained.clone()));
    }
    tasks.close();
    all.spawn(async move {
        tasks.wait().await;
        hosts_end.cancel();
        drained.cancel();
    });
    all.close();
    all
}

fn app_door(
    config: &Config,
    engine: &Arc<Engine>,
    limits: &Arc<Limits>,
    counts: &Arc<Counts>,
    tap: SharedTap,
) -> Arc<AppDoor> {
    let (engine, limits, counts) = (Arc::clone(engine), Arc::clone(limits), Arc::clone(counts));
    let bank =
        BankView { id: config.id.clone(), name_fa: config.name_fa.clone(), name_en: config.name_en.clone() };
    let AppConfig { public_url, address_header, framed_by, .. } = config.app.clone();
    let whence = Whence::new(address_header);
    Arc::new(AppDoor { engine, limits, counts, public_url, whence, bank, framed_by, tap })
}

fn pin_request_door(
    config: &Config,
    name: String,
    admissions: &Arc<Admissions>,
    limits: &Arc<Limits>,
    entropy: &Arc<dyn Entropy>,
    tap: SharedTap,
) -> Arc<PinRequestDoor> {
    let askers: BTreeMap<_, _> =
        config.askers.iter().map(|asker| (asker.name.clone(), asker.clone())).collect();
    Arc::new(PinRequestDoor {
        admissions: Arc::clone(admissions),
        limits: Arc::clone(limits),
        entropy: Arc::clone(entropy),
        tap,
        bank: config.id.clone(),
        name,
        iins: config.iins.iter().cloned().collect(),
        routers: config.routers.iter().cloned().collect(),
        askers,
        valid_for_s: config.policy.valid_for_s,
        ask_again_after_s: config.policy.ask_again_after_s,
    })
}

fn verifiers(keys: &dyn Keys, config: &Config) -> Result<BTreeMap<String, Verifier>, StartError> {
    let verifier = |known: &VerifierConfig| {
        let (place, format) = ("verifiers", known.pin_block_format);
        let block = PinBlockFormat::numbered(format).ok_or(StartError::Format { place, format })?;
        Ok((known.name.clone(), Verifier { zone: zone(keys, &known.zone, block)?, format }))
    };
    config.verifiers.iter().map(verifier).collect()
}

fn host_link(bank: &str, host: &HostConfig, shape: Shape) -> LinkConfig {
    LinkConfig {
        name: format!("{bank} → card host"),
        address: host.address.clone(),
        layout: shape.layout,
        header: shape.header,
        sign_on: host.sign_on,
        echo_every: limits::LINK_ECHO_EVERY,
        answer_timeout: Duration::from_secs(5),
    }
}

fn zone(keys: &dyn Keys, name: &str, format: PinBlockFormat) -> Result<Zone, StartError> {
    if keys.zone_takes(name, format) {
        return Ok(Zone { name: name.to_owned(), format });
    }
    Err(StartError::Zone { zone: name.to_owned(), format })
}
