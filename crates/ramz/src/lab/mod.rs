//! The lab: the whole system in one process. Banks, router and payment page with everything a newcomer does not have:
//! card hosts, an SMSC with phones, a shop, and a portal that shows what goes over every wire.
//!
//! The roles are started from configuration files in the data folder, as they would be in production; only the clock and
//! the tap differ. Every byte between them goes over real sockets and the real protocols.

pub(crate) mod alone;
mod bank;
mod cards;
mod certificates;
mod folder;
pub(crate) mod measured;
mod pinned;
mod portal;
mod settings;
mod terminals;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ramz_domain::{Clock, Entropy};
use ramz_sim::handsets::Handsets;
use ramz_sim::trace::Trace;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::roles::{self, Surroundings};
use crate::system::SystemEntropy;
use crate::system::clock::LabClock;
use folder::Folder;
use pinned::{BANKS, Ports};

/// How long the links may take to come up.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// How the lab is to run.
pub(crate) struct Options {
    /// Kept between runs; `None`: a temporary folder.
    pub(crate) data: Option<PathBuf>,
    /// The portal's port; the others follow.
    pub(crate) port: u16,
    /// How ISO 8583 messages look: a shipped layout, or the path of a layout file.
    pub(crate) layout: String,
    /// Cards for `ramz load`, at the first bank.
    pub(crate) measured_cards: usize,
    /// PostgreSQL in place of files: its address, with `{}` for the bank's id, or `gateway`.
    pub(crate) database: Option<String>,
}

/// A lab that runs.
pub(crate) struct Lab {
    /// The portal's address.
    pub(crate) url: String,
    banks: Vec<bank::Bank>,
    gateway: ramz_gateway::Running,
    _temporary: Option<tempfile::TempDir>,
}

/// Starts everything and waits until it can be used.
pub(crate) async fn start(options: Options, shutdown: &CancellationToken) -> anyhow::Result<Lab> {
    let (path, temporary) = match options.data {
        Some(path) => (path, None),
        None => {
            let folder = tempfile::Builder::new().prefix("ramz-lab-").tempdir()?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    let ports = Ports::from(options.port)?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let folder = Folder::open(path, entropy.as_ref())?;
    certificates::make(&folder)?;
    settings::write(&folder, &ports, &layout(options.layout)?, options.database.as_deref())?;
    let clock = Arc::new(LabClock::default());
    let trace = Trace::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let around = Surroundings {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        entropy: Arc::clone(&entropy),
        tap: Arc::clone(&trace) as ramz_api::tap::SharedTap,
        // A terminal that is closed ends the lab; it reads nothing again.
        reread: tokio::sync::watch::channel(0).1,
    };
    let handsets = Handsets::new();
    let mut banks = Vec::new();
    for (number, pinned) in BANKS.iter().enumerate() {
        let bank = bank::start(&folder, &ports, number, &handsets, &around, shutdown).await;
        banks.push(bank.with_context(|| format!("bank {}", pinned.id))?);
    }
    if let Some(first) = banks.first() {
        let adding = bank::add_measured(&folder, 0, &first.host, options.measured_cards);
        adding.await.context("cards for measuring")?;
    }
    let router: crate::config::RouterConfig =
        Config::load(Some(&folder.file("router.toml")))?.table("router")?;
    roles::router::start(&router, &around, shutdown).await.context("router")?;
    let gateway: crate::config::GatewayConfig =
        Config::load(Some(&folder.file("gateway.toml")))?.table("gateway")?;
    // Its neighbours tell what it sends and receives; told at both ends, each message would be seen twice.
    let unwatched = Surroundings { tap: Arc::new(ramz_api::tap::NoTap), ..around.clone() };
    let gateway = roles::gateway::start(&gateway, &unwatched, shutdown).await.context("gateway")?;
    let terminals = portal::start(
        &folder,
        &ports,
        &banks,
        options.measured_cards,
        &handsets,
        trace,
        clock,
        &around,
        shutdown,
    )
    .await?;
    for bank in &banks {
        bank.ready().await.with_context(|| format!("bank {} does not come up", bank.id()))?;
    }
    timeout(READY_WITHIN, gateway.links_up())
        .await
        .context("the gateway's links to the banks do not come up")?;
    // All terminals have the same links.
    timeout(READY_WITHIN, terminals.atm.came_up())
        .await
        .context("the terminals' links to the banks do not come up")?;
    Ok(Lab { url: format!("http://localhost:{}/", ports.portal()), banks, gateway, _temporary: temporary })
}

/// A layout as the settings name it: a file by its whole path, so that a role started from elsewhere finds it too.
fn layout(named: String) -> anyhow::Result<String> {
    if ramz_iso8583::Layout::named(&named).is_some() {
        return Ok(named);
    }
    ramz_link::Shape::read(&named, "")?;
    let path = std::fs::canonicalize(&named).with_context(|| named.clone())?;
    path.into_os_string().into_string().ok().with_context(|| format!("{named}: its path is no text"))
}

impl Lab {
    /// Waits, after the shutdown, until everything that was read is answered and stored.
    pub(crate) async fn stopped(self) {
        self.gateway.finished().await;
        for bank in &self.banks {
            bank.stopped().await;
        }
    }
}
