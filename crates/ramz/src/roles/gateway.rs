//! A gateway from its configuration.

use std::sync::Arc;

use anyhow::Context as _;
use ramz_gateway::{ApiKey, Ports, Running};
use ramz_store::Table;
use tokio_util::sync::CancellationToken;

use super::{Surroundings, mutual_tls, open_keys, open_own_store, optional_door, plain, plain_door, tls};
use crate::config::GatewayConfig;
use crate::system::files::read_secret;

/// Starts a gateway; it runs until `shutdown`.
pub(crate) async fn start(
    config: &GatewayConfig,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Running> {
    let mut page = config.page.clone();
    for merchant in &mut page.merchants {
        if let Some(file) = &merchant.api_key_file {
            let key = ApiKey::new(&read_secret(file)?);
            merchant.api_key = Some(
                key.with_context(|| format!("{}: an API key has 20 characters or more", file.display()))?,
            );
        }
    }
    let tls = tls(&config.tls, around, shutdown)?;
    let Surroundings { clock, entropy, tap, .. } = around.clone();
    let ports = Ports {
        keys: Arc::new(open_keys(&config.keys, &entropy)?),
        store: open_own_store(&config.store, entropy.as_ref(), Table::Payment, Table::Card).await?,
        door: plain_door(&config.listen.page).await?,
        metrics_door: optional_door(&config.listen.metrics).await?,
        router: mutual_tls(&tls),
        watched: vec![tls],
        switch: plain(),
        clock,
        entropy,
        tap,
    };
    Ok(ramz_gateway::start(page, ports, shutdown.clone()).await?)
}
