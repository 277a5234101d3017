//! A router from its configuration.

use ramz_router::{Ports, Running};
use tokio_util::sync::CancellationToken;

use super::{Surroundings, mutual_tls, optional_door, tls, tls_door};
use crate::config::RouterConfig;

/// Starts a router; it runs until `shutdown`.
pub(crate) async fn start(
    config: &RouterConfig,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Running> {
    let tls = tls(&config.tls, around, shutdown)?;
    let Surroundings { clock, entropy, tap, .. } = around.clone();
    let ports = Ports {
        clock,
        entropy,
        door: tls_door(&config.listen.api, &tls).await?,
        metrics_door: optional_door(&config.listen.metrics).await?,
        directory_door: optional_door(&config.listen.directory).await?,
        banks: mutual_tls(&tls),
        watched: vec![tls],
        tap,
    };
    Ok(ramz_router::start(config.harim.clone(), ports, shutdown.clone()).await?)
}
