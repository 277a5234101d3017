//! `ramz issuer`, `ramz router`, `ramz gateway`: one role, until it is asked to stop.

use std::sync::Arc;

use ramz_api::tap::NoTap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::say;
use crate::config::{Config, GatewayConfig, IssuerConfig, RouterConfig};
use crate::roles::{self, Surroundings};
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;

fn around() -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), tap: Arc::new(NoTap) }
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn told_to_stop() -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

pub(super) async fn issuer(config: &Config) -> anyhow::Result<()> {
    let config: IssuerConfig = config.table("issuer")?;
    let shutdown = CancellationToken::new();
    let issuer = roles::issuer::start(&config, &around(), &shutdown).await?;
    say::line(format!(
        "issuer {} ready: api {} switch {} admin {}",
        config.bank.id, issuer.api, issuer.switch, issuer.admin
    ));
    told_to_stop().await?;
    shutdown.cancel();
    issuer.stopped().await;
    Ok(())
}

pub(super) async fn router(config: &Config) -> anyhow::Result<()> {
    let config: RouterConfig = config.table("router")?;
    let shutdown = CancellationToken::new();
    let router = roles::router::start(&config, &around(), &shutdown).await?;
    say::line(format!("router ready: api {}", router.address));
    told_to_stop().await?;
    shutdown.cancel();
    Ok(router.task.await?)
}

pub(super) async fn gateway(config: &Config) -> anyhow::Result<()> {
    let config: GatewayConfig = config.table("gateway")?;
    let shutdown = CancellationToken::new();
    let gateway = roles::gateway::start(&config, &around(), &shutdown).await?;
    say::line(format!("gateway ready: page {}", config.listen.page));
    told_to_stop().await?;
    shutdown.cancel();
    gateway.finished().await;
    Ok(())
}
