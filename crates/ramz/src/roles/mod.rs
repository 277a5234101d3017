//! Roles from their configuration: what each is handed, and how it is started. The lab starts its roles here too.

pub(crate) mod gateway;
pub(crate) mod issuer;
pub(crate) mod router;

use std::sync::Arc;

use anyhow::Context as _;
use ramz_api::net::{Connector, Door};
use ramz_api::tap::SharedTap;
use ramz_domain::{Clock, Entropy};
use ramz_keys::SoftKeys;
use ramz_store::{Inspected, PostgresStore, SqliteStore, Store, StoreFault, Table, inspect};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Kept, KeysConfig, StoreConfig};
use crate::system::files::read_secret;
use crate::system::tcp::{TcpConnector, TcpDoor};
use crate::system::tls::door::TlsDoor;
use crate::system::tls::{MutualTls, Tls, TlsConfig};

/// What every role is handed from outside its configuration.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tap: SharedTap,
    /// Changes when files are to be read again at once.
    pub(crate) reread: watch::Receiver<u64>,
}

async fn plain_door(address: &str) -> anyhow::Result<Arc<dyn Door>> {
    Ok(Arc::new(TcpDoor::bind(address).await?))
}

async fn optional_door(address: &str) -> anyhow::Result<Option<Arc<dyn Door>>> {
    if address.is_empty() { Ok(None) } else { plain_door(address).await.map(Some) }
}

/// A role's certificate, followed until `shutdown`.
fn tls(config: &TlsConfig, around: &Surroundings, shutdown: &CancellationToken) -> anyhow::Result<Arc<Tls>> {
    let tls = Tls::load(config)?;
    tokio::spawn(Arc::clone(&tls).follow(around.reread.clone(), shutdown.clone()));
    Ok(tls)
}

async fn tls_door(address: &str, tls: &Arc<Tls>) -> anyhow::Result<Arc<dyn Door>> {
    Ok(Arc::new(TlsDoor::before(TcpDoor::bind(address).await?, tls)))
}

fn mutual_tls(tls: &Arc<Tls>) -> Arc<dyn Connector> {
    Arc::new(MutualTls::over(tls))
}

fn plain() -> Arc<dyn Connector> {
    Arc::new(TcpConnector)
}

/// Opens a key file. Stretching its passphrase takes a moment, once.
pub(crate) fn open_keys(config: &KeysConfig, entropy: &Arc<dyn Entropy>) -> anyhow::Result<SoftKeys> {
    let passphrase = read_secret(&config.passphrase_file)?;
    let path = config.file.display();
    let sealed = std::fs::read(&config.file)
        .with_context(|| format!("cannot read the key file {path}; make one with `ramz keys init`"))?;
    SoftKeys::open(&sealed, passphrase.as_bytes(), Arc::clone(entropy))
        .with_context(|| format!("key file {path}"))
}

/// Opens a store to look into it: it makes no file, and brings no schema up.
pub(crate) async fn open_store_as_it_is(
    config: &StoreConfig,
    entropy: &dyn Entropy,
) -> anyhow::Result<Arc<dyn Store>> {
    if let Kept::File(path) = config.kept() {
        let shown = path.display();
        match inspect(path).map_err(anyhow::Error::msg).with_context(|| format!("store {shown}"))? {
            Inspected::Missing => anyhow::bail!("there is no store at {shown}"),
            Inspected::Store { found, known } if found > known => {
                anyhow::bail!(
                    "store {shown}: has schema {found}, this release knows {known}: run the newer release"
                )
            }
            Inspected::Store { found, known } if found != known => anyhow::bail!(
                "store {shown}: schema {found}, and this release's is {known}: look with the release that wrote it, or start the role once"
            ),
            Inspected::Store { .. } | Inspected::InUse { .. } => {}
        }
    }
    open_store(&config.as_it_is(), entropy).await
}

/// Opens a role's store to run on it. What the other role keeps stands in `others`: where that is there and `own` is not, the
/// configuration names the wrong store.
async fn open_own_store(
    config: &StoreConfig,
    entropy: &dyn Entropy,
    own: Table,
    others: Table,
) -> anyhow::Result<Arc<dyn Store>> {
    let store = open_store(config, entropy).await?;
    anyhow::ensure!(
        whose(&*store, own, others).await? != Whose::Others,
        "the store is another role's: its table {others} has rows, and {own} has none. Does `store` name the right one?"
    );
    Ok(store)
}

/// Whose rows a store has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The role's own.
    Own,
    /// It has none yet.
    Nobodys,
    /// Another role's, and none of its own.
    Others,
}

/// Looks into the role's own table, and into that of the other role that keeps a store.
pub(crate) async fn whose(store: &dyn Store, own: Table, others: Table) -> Result<Whose, StoreFault> {
    let has = async |table| store.keys_after(table, &[], 1).await.map(|keys| !keys.is_empty());
    Ok(match (has(own).await?, has(others).await?) {
        (true, _) => Whose::Own,
        (false, true) => Whose::Others,
        (false, false) => Whose::Nobodys,
    })
}

/// Opens a store: a file, or a database.
pub(crate) async fn open_store(
    config: &StoreConfig,
    entropy: &dyn Entropy,
) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match config.kept() {
        Kept::File(path) => {
            let opened = SqliteStore::open(path);
            Arc::new(opened.with_context(|| format!("store {}", path.display()))?)
        }
        Kept::Database(config) => Arc::new(PostgresStore::open(&config.database(entropy)?).await?),
    })
}
