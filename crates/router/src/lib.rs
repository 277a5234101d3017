#![doc = include_str!("../README.md")]

mod askers;
pub mod config;
mod counts;
mod desk;
mod directory;
mod ways;

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, sync::Arc};

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
pub use directory::DirectoryError;

use crate::{askers::Askers, counts::Counts, desk::Desk, directory::Directory, ways::Way};

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
    /// Ends when the router was shut down and has drained.
    pub task: JoinHandle<()>,
}

/// Why a router does not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
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

/// Starts a router; it serves until `shutdown`, then answers what is in flight and ends.
///
/// # Errors
/// If the configuration or the directory makes no sense: nothing was served then.
pub async fn start(config: Config, ports: Ports, shutdown: CancellationToken) -> Result<Running, StartError> {
    let directory = match config.directory {
        None => Directory::parse(directory::SHIPPED)?,
        Some(path) => match tokio::fs::read(&path).await {
            Ok(bytes) => Directory::parse(&bytes)?,
            Err(source) => return Err(StartError::DirectoryFile { path, source }),
        },
    };
    let ways = ways_to(&config.banks, &directory, &ports)?;
    let askers = Askers::new(&config.askers, ports.clock.now())?;
    let Ports { clock, entropy, door, metrics_door, watched, tap, .. } = ports;
    let desk = Arc::new(Desk {
        askers,
        directory,
        ways,
        clock,
        tap,
        counts: Counts::default(),
        doors: [DoorTimes::new("api")],
    });

    let (address, metrics_address) = (door.address(), metrics_door.as_ref().map(|door| door.address()));
    let pages = serve(
        door,
        desk.doors[0].timing(desk::routes(Arc::clone(&desk))),
        Arc::clone(&entropy),
        shutdown.clone(),
    );
    let task = tokio::spawn(async move {
        let Some(metrics_door) = metrics_door else { return pages.await };
        // Operators see the drain: their door closes after the other.
        let drained = CancellationToken::new();
        let metrics = serve(metrics_door, counts::routes(desk, watched, shutdown), entropy, drained.clone());
        let pages = async {
            pages.await;
            drained.cancel();
        };
        tokio::join!(pages, metrics);
    });
    Ok(Running { address, metrics_address, task })
}

fn ways_to(
    banks: &[BankConfig],
    directory: &Directory,
    ports: &Ports,
) -> Result<HashMap<String, Way>, StartError> {
    let mut ways = HashMap::new();
    for BankConfig { id, url } in banks {
        if directory.bank(id).is_none() {
            return Err(StartError::UnknownBank(id.clone()));
        }
        let (connector, clock, entropy) = (&ports.banks, &ports.clock, &ports.entropy);
        let way = Way::new(id, url, Arc::clone(connector), Arc::clone(clock), Arc::clone(entropy))
            .map_err(|source| StartError::Url { id: id.clone(), source })?;
        if ways.insert(id.clone(), way).is_some() {
            return Err(StartError::BankTwice(id.clone()));
        }
    }
    Ok(ways)
}
