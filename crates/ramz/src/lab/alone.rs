//! One bank of the lab without its issuer: folder, certificates, settings, card host and SMSC are there, and the issuer is
//! a process that somebody else starts from the settings. For `ramz load --issuer`, which measures that process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use ramz_api::tap::NoTap;
use ramz_domain::Entropy;
use ramz_sim::handsets::Handsets;
use ramz_store::{Store, copy};
use rustix::fs::FsWord;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::bank::{self, Neighbours};
use super::certificates::{self, ASKER};
use super::folder::Folder;
use super::pinned::{ACQUIRER, BANKS, BankPort, MERCHANT, MERCHANT_FA, ORIGIN, Ports, TERMINAL};
use super::settings;
use crate::config::{Kept, StoreConfig};
use crate::roles::{Surroundings, open_store};
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;
use crate::system::tls::TlsConfig;

/// The first bank is the one.
const BANK: usize = 0;
/// Where free ports are looked for: below the range that outgoing connections are given.
const PORTS: std::ops::Range<u16> = 9_000..30_000;
/// File systems that keep nothing but memory, as Linux numbers them (statfs(2)): tmpfs and ramfs.
const IN_MEMORY: [FsWord; 2] = [0x0102_1994, 0x8584_58f6];

/// What stands around an issuer that is a process of its own.
pub(crate) struct Alone {
    folder: Folder,
    ports: Ports,
    neighbours: Neighbours,
    /// The phones.
    pub(crate) handsets: Arc<Handsets>,
    temporary: TempDir,
}

/// Who is paid, and where PINs are typed.
pub(crate) struct Shop {
    pub(crate) acquirer: &'static str,
    pub(crate) merchant: &'static str,
    pub(crate) terminal: &'static str,
    pub(crate) name: &'static str,
    pub(crate) origin: &'static str,
}

impl Alone {
    /// Makes the folder and starts card host and SMSC.
    ///
    /// The issuer will keep its rows in a database if one is given: an empty one, for its cards are this folder's.
    pub(crate) async fn start(database: Option<&str>, shutdown: &CancellationToken) -> anyhow::Result<Alone> {
        let temporary = tempfile::Builder::new().prefix("ramz-load-").tempdir()?;
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let folder = Folder::open(temporary.path().to_owned(), entropy.as_ref())?;
        certificates::make(&folder)?;
        let ports = free_ports()?;
        settings::write(&folder, &ports, "ascii", None)?;
        if let Some(url) = database {
            keep_in(url, &folder.file(&format!("{}.toml", BANKS[BANK].id)))?;
            is_new(&bank::issuer_config(&folder, BANK)?.store).await?;
        }
        let reread = tokio::sync::watch::channel(0).1;
        let around = Surroundings { clock: Arc::new(SystemClock), entropy, tap: Arc::new(NoTap), reread };
        let handsets = Handsets::new();
        let config = bank::issuer_config(&folder, BANK)?;
        let neighbours =
            bank::neighbours(&folder, &ports, BANK, &config, &handsets, &around, shutdown).await?;
        Ok(Alone { folder, ports, neighbours, handsets, temporary })
    }

    /// The settings that the issuer is to be started from.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.file(&format!("{}.toml", BANKS[BANK].id))
    }

    /// A file beside the issuer's own store, on the same disk.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    /// A store as the issuer's is, and on the same disk: another file, or the same database, while no issuer has it.
    pub(crate) async fn store_beside(&self) -> anyhow::Result<Arc<dyn Store>> {
        let mut config = bank::issuer_config(&self.folder, BANK)?.store;
        config.set_file(self.beside("beside.db"));
        open_store(&config, &SystemEntropy).await
    }

    /// Payments that the card host has debited.
    pub(crate) fn debits(&self) -> u32 {
        self.neighbours.host.asked_in_all().debits
    }

    /// The folder of the issuer's store, if it is in memory: a sync costs nothing there.
    pub(crate) fn in_memory(&self) -> anyhow::Result<Option<&Path>> {
        let config = bank::issuer_config(&self.folder, BANK)?;
        let folder = self.temporary.path();
        let is_file = matches!(config.store.kept(), Kept::File(_));
        Ok((is_file && is_in_memory(folder)?).then_some(folder))
    }

    /// Adds cards in the host and, through its back office, at the running issuer.
    pub(crate) async fn add_cards(&self, count: usize) -> anyhow::Result<()> {
        bank::add_measured(&self.folder, BANK, &self.neighbours.host, count).await.context("adding the cards")
    }

    /// Where PINs are asked for, and how: the issuer knows the asker itself.
    pub(crate) fn api(&self) -> (String, TlsConfig) {
        let file = |end: &str| self.folder.file(&format!("{ASKER}.{end}"));
        let tls =
            TlsConfig { ca_file: self.folder.file("ca.pem"), cert_file: file("pem"), key_file: file("key") };
        (format!("https://localhost:{}", self.ports.bank(BANK, BankPort::Api)), tls)
    }

    /// Where the switch pays, and the zone PIN key there, as hex.
    pub(crate) fn switch(&self) -> anyhow::Result<(String, zeroize::Zeroizing<String>)> {
        let key = self.folder.secret(&format!("{}-switch-zone", BANKS[BANK].id))?;
        Ok((format!("127.0.0.1:{}", self.ports.bank(BANK, BankPort::Switch)), key))
    }

    /// Who is paid.
    pub(crate) fn shop(&self) -> Shop {
        Shop { acquirer: ACQUIRER, merchant: MERCHANT, terminal: TERMINAL, name: MERCHANT_FA, origin: ORIGIN }
    }
}

/// That the database has no rows yet: they would be another bank's, under other keys, and measuring writes among them.
async fn is_new(store: &StoreConfig) -> anyhow::Result<()> {
    let filled = copy::filled(&store.database(&SystemEntropy)?).await?;
    let what = "what is measured needs a database, or a schema, of its own";
    filled.map_or(Ok(()), |table| Err(anyhow!("the database is not empty (table {table}): {what}")))
}

fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    Ok(IN_MEMORY.contains(&rustix::fs::statfs(folder)?.f_type))
}

/// Has the issuer of these settings keep its rows in a database.
fn keep_in(url: &str, settings: &Path) -> anyhow::Result<()> {
    let mut table: toml::Table = std::fs::read_to_string(settings)?.parse()?;
    let store = table.get_mut("issuer").and_then(|issuer| issuer.get_mut("store"));
    let store = store.and_then(toml::Value::as_table_mut).context("the issuer's settings have no store")?;
    store.insert("url".into(), url.into());
    Ok(std::fs::write(settings, toml::to_string(&table)?)?)
}

/// A lab's ports that nobody listens on now.
fn free_ports() -> anyhow::Result<Ports> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let base = PORTS.step_by(70).find(|base| (0..=60).all(|offset| is_free(base + offset)));
    Ports::from(base.context("no 61 free ports in a row")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_memory_is_told_from_one_on_a_disk() {
        // Linux has one here that is always memory, and one that is neither.
        assert!(is_in_memory(Path::new("/dev/shm")).unwrap());
        assert!(!is_in_memory(Path::new("/proc")).unwrap());
        assert!(is_in_memory(Path::new("/no/such/folder")).is_err());
    }
}
