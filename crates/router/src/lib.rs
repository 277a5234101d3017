#![doc = include_str!("../README.md")]

mod askers;
mod breaker;
pub mod config;
mod counts;
mod current;
mod desk;
mod directory;
mod leaving;
mod page;
mod retries;
mod ways;

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::OptionFuture;
use ramz_api::{
    client::BadBase,
    metrics::Show,
    net::{Connector, Door},
    serve::{DoorTimes, serve},
    tap::SharedTap,
};
use ramz_domain::{Clock, Entropy};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use askers::AskerError;
pub use config::{AskerConfig, BankConfig, Config};
pub use directory::{DirectoryError, check_banks};

use crate::{
    askers::Askers,
    counts::Counts,
    current::{Current, File},
    desk::{Desk, Room},
    directory::Directory,
    ways::Way,
};

/// What a router takes from its surroundings.
pub struct Ports {
    /// The wall clock: the askers' rates, and how long a failure is remembered.
    pub clock: Arc<dyn Clock>,
    /// Names incidents.
    pub entropy: Arc<dyn Entropy>,
    /// Where payment pages come in; mutual TLS inside.
    pub door: Arc<dyn Door>,
    /// Where an operator's tools come in, if they may.
    pub metrics_door: Option<Arc<dyn Door>>,
    /// Where the public reads the directory of banks, if it may; no certificate is asked for.
    pub directory_door: Option<Arc<dyn Door>>,
    /// What else has metrics to show there.
    pub watched: Vec<Arc<dyn Show>>,
    /// How banks are reached; mutual TLS inside.
    pub banks: Arc<dyn Connector>,
    /// Told what goes over the wires, masked.
    pub tap: SharedTap,
}

/// A router that is serving.
#[derive(Debug)]
pub struct Running {
    /// Where payment pages come in.
    pub address: SocketAddr,
    /// Where an operator's tools come in.
    pub metrics_address: Option<SocketAddr>,
    /// Where the public reads the directory of banks.
    pub directory_address: Option<SocketAddr>,
    /// Ends when the router was shut down and has drained.
    pub task: JoinHandle<()>,
}

/// Why a router does not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No room, or more than can be held.
    #[error("in_flight: write 1 to {}", config::IN_FLIGHT_MAX)]
    InFlight,
    /// Longer than a process has to stop.
    #[error(
        "leave_after_s: write at most {}: the process ends {:?} after SIGTERM, and what is in flight needs the rest",
        config::LEAVE_AFTER_S_MAX,
        ramz_domain::limits::STOP_WITHIN
    )]
    LeaveAfter,
    /// The directory's file cannot be read.
    #[error("cannot read the directory of banks {path}: {source}")]
    DirectoryFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The directory contradicts itself.
    #[error("directory of banks: {0}")]
    Directory(#[from] DirectoryError),
    /// An asker is written wrong.
    #[error(transparent)]
    Asker(#[from] AskerError),
    /// A way to a bank that the directory does not have.
    #[error("banks: the directory has no bank {0:?}; use an id that it has")]
    UnknownBank(String),
    /// Two ways to one bank.
    #[error("banks: {0:?} is listed twice; keep one")]
    BankTwice(String),
    /// A way whose URL cannot be used.
    #[error("banks: {id:?}: {source}")]
    Url {
        /// The bank's id.
        id: String,
        /// What is wrong with it.
        source: BadBase,
    },
}

/// Starts a router; it serves until `shutdown`. Then it says that it is not ready and tells its connections to close, goes
/// on answering until whoever balances the load has noticed (`leave_after_s`), answers what is in flight and ends.
///
/// # Errors
/// If the configuration or the directory makes no sense: nothing was served then.
pub async fn start(config: Config, ports: Ports, shutdown: CancellationToken) -> Result<Running, StartError> {
    config.check_numbers()?;
    let (file, directory) = match config.directory {
        None => (None, Directory::parse(directory::SHIPPED)?),
        Some(path) => {
            let needed = config.banks.iter().map(|bank| bank.id.clone()).collect();
            let (file, directory) = File::open(path, needed).await?;
            (Some(file), directory)
        }
    };
    known_once(&config.banks, &directory)?;
    let ways = ways_to(&config.banks, &ports)?;
    let askers = Askers::new(&config.askers, ports.clock.now())?;
    let current = Arc::new(Current::new(directory));
    if let Some(file) = file {
        tokio::spawn(file.follow(Arc::clone(&current), shutdown.clone()));
    }
    let Ports { clock, entropy, door, metrics_door, directory_door, watched, tap, .. } = ports;
    let counts = Counts::default();
    let room = Room::with(config.in_flight);
    let doors = ["api", "directory"].map(DoorTimes::new);
    let desk = Arc::new(Desk { askers, current, ways, clock, tap, counts, room, doors });

    let address = door.address();
    let metrics_address = metrics_door.as_ref().map(|door| door.address());
    let directory_address = directory_door.as_ref().map(|door| door.address());
    let closing = leaving::closing(shutdown.clone(), Duration::from_secs(config.leave_after_s.into()));
    let routes = leaving::last_answers(desk::routes(Arc::clone(&desk)), shutdown.clone());
    let pages = serve(door, desk.doors[0].timing(routes), Arc::clone(&entropy), closing.clone());
    let public = directory_door.map(|door| {
        let routes = leaving::last_answers(page::routes(Arc::clone(&desk)), shutdown.clone());
        serve(door, desk.doors[1].timing(routes), Arc::clone(&entropy), closing)
    });
    let task = tokio::spawn(async move {
        // Operators see the drain: their door closes after the others.
        let drained = CancellationToken::new();
        let metrics = metrics_door
            .map(|door| serve(door, counts::routes(desk, watched, shutdown), entropy, drained.clone()));
        let others = async {
            tokio::join!(pages, OptionFuture::from(public));
            drained.cancel();
        };
        tokio::join!(others, OptionFuture::from(metrics));
    });
    Ok(Running { address, metrics_address, directory_address, task })
}

/// One way to a bank, and to those of the directory only.
fn known_once(banks: &[BankConfig], directory: &Directory) -> Result<(), StartError> {
    for (n, BankConfig { id, .. }) in banks.iter().enumerate() {
        if directory.bank(id).is_none() {
            return Err(StartError::UnknownBank(id.clone()));
        }
        if banks[..n].iter().any(|before| before.id == *id) {
            return Err(StartError::BankTwice(id.clone()));
        }
    }
    Ok(())
}

fn ways_to(banks: &[BankConfig], ports: &Ports) -> Result<HashMap<String, Way>, StartError> {
    let mut ways = HashMap::new();
    for BankConfig { id, url } in banks {
        let (connector, clock, entropy) = (&ports.banks, &ports.clock, &ports.entropy);
        let way = Way::new(id, url, Arc::clone(connector), Arc::clone(clock), Arc::clone(entropy))
            .map_err(|source| StartError::Url { id: id.clone(), source })?;
        ways.insert(id.clone(), way);
    }
    Ok(ways)
}
