//! Starting a gateway: the links, the directory, the sweeper and the door.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use ramz_api::{
    client::{BadBase, Http, PinRequests},
    metrics::Show,
    net::{Connector, Door},
    openapi,
    serve::{DoorTimes, serve},
    tap::SharedTap,
};
use ramz_domain::{Clock, Entropy, Iin, limits};
use ramz_keys::Keys;
use ramz_link::{Link, LinkConfig, Names, Numbers};
use ramz_store::{Agreed, Store};
use tokio::{task::JoinHandle, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ask, assets, authorise,
    config::{Config, ConfigError},
    directory::Directory,
    gateway::{Bank, Gateway},
    health::{self, Presses, Watched},
    merchants, page, reversal,
    rows::Payments,
    state,
};

/// A call to the router: a bank may take `limits::BANK_TIMEOUT`, and the way there and back a little.
const ROUTER_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a link's connecting, sign-on and echo may take each.
const LINK_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// After the door has closed, work that goes on without its browser has this long.
const WORK_TIMEOUT: Duration = Duration::from_secs(12);

/// Everything that a gateway takes from outside.
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness: ids, tokens, trace numbers.
    pub entropy: Arc<dyn Entropy>,
    /// Look-up hashes, sealing, PIN blocks.
    pub keys: Arc<dyn Keys>,
    /// The payments.
    pub store: Arc<dyn Store>,
    /// Where browsers and merchants come in.
    pub door: Arc<dyn Door>,
    /// Health and metrics, if there is a door for them.
    pub metrics_door: Option<Arc<dyn Door>>,
    /// What else has metrics to show there.
    pub watched: Vec<Arc<dyn Show>>,
    /// The way to the router.
    pub router: Arc<dyn Connector>,
    /// The way to the banks' switches.
    pub switch: Arc<dyn Connector>,
    /// Who watches.
    pub tap: SharedTap,
}

/// Why a gateway does not start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The router's URL.
    #[error("router: {0}")]
    Router(#[from] BadBase),
    /// A zone whose key cannot make PIN blocks of this format.
    #[error("links: the key file has no zone {0:?} that takes this PIN block format")]
    Zone(String),
}

/// A gateway at work.
pub struct Running {
    gateway: Arc<Gateway>,
    task: JoinHandle<()>,
}

impl Running {
    /// Wakes the sweeper before its time, for example after a clock was moved by hand.
    pub fn sweep(&self) {
        self.gateway.sweep.notify_one();
    }

    /// Waits until every bank's link is up; for ever, if one never is.
    pub async fn links_up(&self) {
        for bank in &self.gateway.banks {
            bank.link.came_up().await;
        }
    }

    /// Waits for the end after the shutdown: the door is closed, what was in flight has its end.
    pub async fn finished(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the gateway's task ended badly");
        }
    }
}

/// This copy's clock beside the store's, until `shutdown`. The store's first word is waited for, and a while at most: nothing is decided here
/// before.
async fn agreeing(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Arc<Agreed> {
    let agreed = Agreed::new(Arc::clone(store), Arc::clone(clock));
    let kept = Arc::clone(&agreed);
    tokio::spawn(async move { shutdown.run_until_cancelled(kept.keep()).await });
    if time::timeout(limits::STORE_WAIT_MAX, agreed.asked()).await.is_err() {
        tracing::warn!("the store does not say what time it is; nothing is decided until it does");
    }
    agreed
}

/// Starts a gateway. It ends, in order, when `shutdown` is cancelled.
///
/// # Errors
/// If the configuration cannot be used, or does not fit the keys.
pub async fn start(config: Config, ports: Ports, shutdown: CancellationToken) -> Result<Running, StartError> {
    config.check()?;
    config.check_api_keys()?;
    let http = Http::new(ports.router, &config.router, ROUTER_TIMEOUT)?;
    let shapes = config.check_links()?;
    for (link, (_, format)) in config.links.iter().zip(&shapes) {
        if !ports.keys.zone_takes(&link.zone, *format) {
            return Err(StartError::Zone(link.zone.clone()));
        }
    }
    // The links outlive the door by a little, so that what is in flight at the shutdown gets its answer.
    let links_down = CancellationToken::new();
    let mut by_iin = HashMap::new();
    let mut banks = Vec::with_capacity(config.links.len());
    for (link, (shape, format)) in config.links.iter().zip(shapes) {
        by_iin.extend(link.iins.iter().filter_map(|iin| Iin::parse(iin)).map(|iin| (iin, banks.len())));
        let how = LinkConfig {
            name: link.name.clone(),
            address: link.address.clone(),
            layout: shape.layout,
            header: shape.header,
            sign_on: link.sign_on,
            echo_every: limits::LINK_ECHO_EVERY,
            answer_timeout: LINK_ANSWER_TIMEOUT,
        };
        let names = Names { ours: "page".into(), theirs: link.name.clone() };
        let link_of = Link::start(
            how,
            Arc::clone(&ports.switch),
            Arc::clone(&ports.clock),
            Arc::clone(&ports.entropy),
            Arc::clone(&ports.tap),
            names,
            links_down.clone(),
        );
        banks.push(Bank { config: link.clone(), format, link: link_of });
    }
    let gateway = Arc::new(Gateway {
        config,
        agreed: agreeing(&ports.store, &ports.clock, shutdown.clone()).await,
        numbers: Numbers::new(&*ports.entropy),
        entropy: Arc::clone(&ports.entropy),
        keys: ports.keys,
        payments: Payments::new(ports.store),
        tap: ports.tap,
        router: PinRequests::new(http.clone()),
        directory: Directory::new(),
        banks,
        by_iin,
        presses: Presses::default(),
        sweep: tokio::sync::Notify::new(),
        work: TaskTracker::new(),
    });
    tokio::spawn(gateway.directory.clone().follow(http, shutdown.clone()));
    let sweeper = tokio::spawn(reversal::sweep(Arc::clone(&gateway), shutdown.clone()));
    let times = DoorTimes::new("page");
    let app = times.timing(app(Arc::clone(&gateway)));
    // Operators see the drain: their door closes after the other.
    let drained = CancellationToken::new();
    let watched = Watched { gateway: Arc::clone(&gateway), doors: [times], others: ports.watched };
    let health = health::routes(Arc::new(watched), shutdown.clone());
    let metrics = show(ports.metrics_door, health, Arc::clone(&ports.entropy), drained.clone());
    let serving = Arc::clone(&gateway);
    let task = tokio::spawn(async move {
        serve(ports.door, app, ports.entropy, shutdown).await;
        serving.work.close();
        if time::timeout(WORK_TIMEOUT, serving.work.wait()).await.is_err() {
            tracing::warn!("authorisations did not end in time; they will be reversed");
        }
        if let Err(error) = sweeper.await {
            tracing::error!(%error, "the sweeper ended badly");
        }
        links_down.cancel();
        for bank in &serving.banks {
            bank.link.closed().await;
        }
        drained.cancel();
        metrics.await;
    });
    Ok(Running { gateway, task })
}

/// Serves health and metrics, if there is a door for them; what is returned waits for the end of it.
fn show(
    door: Option<Arc<dyn Door>>,
    health: Router,
    entropy: Arc<dyn Entropy>,
    until: CancellationToken,
) -> impl Future<Output = ()> {
    let serving = door.map(|door| tokio::spawn(serve(door, health, entropy, until)));
    async move {
        if let Some(serving) = serving
            && let Err(error) = serving.await
        {
            tracing::error!(%error, "the metrics' door ended badly");
        }
    }
}

fn app(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/payments", post(merchants::open))
        .route("/v1/payments/{payment}", get(merchants::look))
        .route("/v1/payments/{payment}/verify", post(merchants::verify))
        .route("/pay/banks.json", get(assets::banks))
        .route("/pay/{payment}", get(page::page))
        .route("/pay/{payment}/state", get(state::state))
        .route("/pay/{payment}/pin", post(ask::pin))
        .route("/pay/{payment}/authorise", post(authorise::authorise))
        .route("/pay/{payment}/cancel", post(state::cancel))
        .route("/assets/{*path}", get(assets::asset))
        .with_state(gateway)
        .merge(openapi::route(merchants::DOCUMENT))
}
