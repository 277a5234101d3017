//! An issuer from its configuration.

use std::sync::Arc;

use anyhow::Context as _;
use ramz_issuer::engine::TheRules;
use ramz_issuer::{Ports, Running};
use ramz_sms::smpp::{self, SmppSender};
use ramz_store::Table;
use tokio_util::sync::CancellationToken;

use super::{Surroundings, open_keys, open_own_store, optional_door, plain, plain_door, tls, tls_door};
use crate::config::IssuerConfig;
use crate::system::files::read_secret;

/// Starts an issuer; it runs until `shutdown`.
pub(crate) async fn start(
    config: &IssuerConfig,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Running> {
    let keys = Arc::new(open_keys(&config.keys, &around.entropy)?);
    let store = open_own_store(&config.store, around.entropy.as_ref(), Table::Card, Table::Payment).await?;
    let named = || format!("key file {}", config.keys.file.display());
    ramz_issuer::keys_fit(store.as_ref(), keys.as_ref()).await.with_context(named)?;
    let listen = &config.listen;
    let tls = tls(&config.tls, around, shutdown)?;
    let (api, admin) = (tls_door(&listen.api, &tls).await?, tls_door(&listen.admin, &tls).await?);
    let app = optional_door(&listen.app).await?;
    let (switch, metrics) = (plain_door(&listen.switch).await?, optional_door(&listen.metrics).await?);
    let binds = config.sms.binds(&format!("bank {}", config.bank.id), |file| read_secret(file))?;
    let Surroundings { clock, entropy, tap, .. } = around.clone();
    let around_sms = smpp::Surroundings {
        connector: plain(),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        tap: Arc::clone(&tap),
    };
    let sender = SmppSender::start(binds, &around_sms, shutdown.child_token());
    let ports = Ports {
        clock,
        entropy,
        keys,
        store,
        sender,
        rules: Arc::new(TheRules),
        api,
        admin,
        app,
        switch,
        metrics,
        watched: vec![tls],
        host: plain(),
        tap,
    };
    let running = ramz_issuer::start(&config.bank, ports, shutdown)?;
    running.knows_the_time().await;
    Ok(running)
}
