//! `ramz issuer`, `ramz router`, `ramz gateway`: one role, until it is asked to stop.

use std::sync::Arc;

use ramz_api::tap::NoTap;
use ramz_domain::limits;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::say;
use crate::config::{Config, GatewayConfig, IssuerConfig, RouterConfig};
use crate::roles::{self, Surroundings};
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;

fn around() -> anyhow::Result<Surroundings> {
    Ok(Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        tap: Arc::new(NoTap),
        reread: on_hangup()?,
    })
}

/// Counts SIGHUPs: files that changed are read again at once. The process stays.
fn on_hangup() -> anyhow::Result<watch::Receiver<u64>> {
    let (sender, receiver) = watch::channel(0);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            sender.send_modify(|count| *count += 1);
        }
    });
    Ok(receiver)
}

/// SIGTERM and SIGINT, listened for from the moment this is made: before a role says that it is ready, for whoever waits
/// for that word may ask it to stop at once.
pub(super) struct Stop {
    term: Signal,
    int: Signal,
}

impl Stop {
    /// Listens from now on.
    pub(super) fn listen() -> anyhow::Result<Stop> {
        Ok(Stop { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// Waits for either, again each time.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Waits for a role's end, which it was told of: until all it had read is answered, for so long at most; or not at all, if it is
/// told again.
pub(super) async fn ended(
    mut stop: Stop,
    end: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        ended = timeout(limits::STOP_WITHIN, end) => match ended {
            Ok(ended) => ended,
            Err(_) => anyhow::bail!("ended before everything was answered: it took longer than {:?}", limits::STOP_WITHIN),
        },
        () = stop.asked() => anyhow::bail!("ended at once, at the second signal"),
    }
}

pub(super) async fn issuer(config: &Config) -> anyhow::Result<()> {
    let config: IssuerConfig = config.table("issuer")?;
    let shutdown = CancellationToken::new();
    let issuer = roles::issuer::start(&config, &around()?, &shutdown).await?;
    let mut stop = Stop::listen()?;
    say::line(format!(
        "issuer {} ready: api {} switch {} admin {}",
        config.bank.id, issuer.api, issuer.switch, issuer.admin
    ));
    stop.asked().await;
    shutdown.cancel();
    let end = async {
        issuer.stopped().await;
        Ok(())
    };
    ended(stop, end).await
}

pub(super) async fn router(config: &Config) -> anyhow::Result<()> {
    let config: RouterConfig = config.table("router")?;
    let shutdown = CancellationToken::new();
    let router = roles::router::start(&config, &around()?, &shutdown).await?;
    let mut stop = Stop::listen()?;
    say::line(format!("router ready: api {}", router.address));
    stop.asked().await;
    shutdown.cancel();
    ended(stop, async { Ok(router.task.await?) }).await
}

pub(super) async fn gateway(config: &Config) -> anyhow::Result<()> {
    let config: GatewayConfig = config.table("gateway")?;
    let shutdown = CancellationToken::new();
    let gateway = roles::gateway::start(&config, &around()?, &shutdown).await?;
    let mut stop = Stop::listen()?;
    say::line(format!("gateway ready: page {}", config.listen.page));
    stop.asked().await;
    shutdown.cancel();
    let end = async {
        gateway.finished().await;
        Ok(())
    };
    ended(stop, end).await
}
