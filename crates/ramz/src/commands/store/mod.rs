//! `ramz store`: what an operator does to a store as a whole.

use clap::{Args, Subcommand, ValueEnum};
use ramz_store::{PostgresStore, Schema};

use super::{Settings, say};
use crate::config::{Config, GatewayConfig, IssuerConfig, StoreConfig};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Store,
}

/// Whose store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Role {
    /// `[issuer.store]`
    Issuer,
    /// `[gateway.store]`
    Gateway,
}

#[derive(Debug, Args)]
struct Which {
    /// Whose store: `[issuer.store]` or `[gateway.store]`
    #[arg(long, value_enum, default_value_t = Role::Issuer)]
    role: Role,
    #[command(flatten)]
    settings: Settings,
}

impl Which {
    fn store(&self) -> anyhow::Result<StoreConfig> {
        let config: Config = self.settings.load()?;
        Ok(match self.role {
            Role::Issuer => config.table::<IssuerConfig>("issuer")?.store,
            Role::Gateway => config.table::<GatewayConfig>("gateway")?.store,
        })
    }
}

#[derive(Debug, Subcommand)]
enum Store {
    /// Bring a database's schema up to this release. Nodes of the release before may go on running beside it
    Migrate(Which),
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Store::Migrate(which) => migrate(&which.store()?).await,
    }
}

async fn migrate(config: &StoreConfig) -> anyhow::Result<()> {
    let Schema { found, known } = PostgresStore::migrate(&config.database()?).await?;
    say::line(format!("the database has schema {found}, this release's is {known}"));
    Ok(())
}
