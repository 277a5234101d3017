//! `ramz store`: what an operator does to a store as a whole.

mod copy;

use clap::{Args, Subcommand, ValueEnum};
use ramz_store::{PostgresStore, Schema};

use super::{Settings, say};
use crate::config::{Config, GatewayConfig, IssuerConfig, KeysConfig, StoreConfig};
use crate::system::SystemEntropy;

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
    /// The role's store, and the keys that its journals are chained under, if it has any.
    fn store(&self) -> anyhow::Result<(StoreConfig, Option<KeysConfig>)> {
        let config: Config = self.settings.load()?;
        Ok(match self.role {
            Role::Issuer => {
                let config = config.table::<IssuerConfig>("issuer")?;
                (config.store, Some(config.keys))
            }
            Role::Gateway => (config.table::<GatewayConfig>("gateway")?.store, None),
        })
    }
}

#[derive(Debug, Subcommand)]
enum Store {
    /// Bring a database's schema up to this release. Nodes of the release before may go on running beside it
    Migrate(Which),
    /// Copy a store's file (`path`) into its empty database (`url`), and check every row. The role must be stopped
    ///
    /// Interrupted, it goes on where it stopped when it is run again; no node starts on the half of a copy. The exit code is 0 if
    /// both sides are the same and every journal is whole. From then on the database is the truth, and no role starts on the file.
    Copy(Which),
    /// Let roles start on a store's file (`path`) again, after a copy whose database is given up
    ///
    /// Every row must be the same on both sides, since a PIN that was spent in the database is unspent in the file. No node starts on
    /// the database from then on.
    Reopen(Reopen),
}

#[derive(Debug, Args)]
struct Reopen {
    #[command(flatten)]
    which: Which,
    /// Do not look at the database: it is lost, with all that was done in it, and no node reaches it any more
    #[arg(long)]
    database_is_lost: bool,
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Store::Migrate(which) => migrate(&which.store()?.0).await,
        Store::Copy(which) => {
            let (store, keys) = which.store()?;
            copy::run(&store, keys.as_ref()).await
        }
        Store::Reopen(Reopen { which, database_is_lost }) => {
            let (store, _) = which.store()?;
            let (file, shown) = (store.file(), store.file().display());
            let was_left = if database_is_lost {
                ramz_store::copy::reopen_without_database(file)?
            } else {
                ramz_store::copy::reopen(file, &store.database(&SystemEntropy)?).await?
            };
            anyhow::ensure!(was_left, "{shown} was not left for a database");
            say::line(format!("{shown} is a store again: take `url` out of the configuration"));
            Ok(())
        }
    }
}

async fn migrate(config: &StoreConfig) -> anyhow::Result<()> {
    let Schema { found, known } = PostgresStore::migrate(&config.database(&SystemEntropy)?).await?;
    say::line(format!("the database has schema {found}, this release's is {known}"));
    Ok(())
}
