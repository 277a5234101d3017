//! Where the database is, and opening connections that keep what was promised.
//!
//! Of several hosts only one that takes writes is used (`target_session_attrs=read-write`, whatever the URL says), so a node
//! follows a fail-over and never decides on a standby's rows. Each connection refuses a server that would lose what it has
//! acknowledged: `fsync=off` always, and without synchronous standbys where high availability is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use super::fault::words;
use super::hosts::{Host, Hosts, Share};
use super::sql::Form;

/// Sent bytes that nobody acknowledges for so long end a connection: a server that vanished, not one that is slow.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
/// An idle connection to a server that vanished is found out by then.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// One that does not answer is asked again so soon …
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(2);
/// … and so often.
const KEEPALIVES: u32 = 3;

/// What every connection is told first. Plans are made once, often while tables are empty: only walks along an index in the order of
/// a batch's keys are good then and later, and two nodes that walk so never wait for each other crosswise. (Bitmaps, each of the one row
/// that has a key, were a tenth of what a card's change cost the server.) A lock is waited for, but not for
/// ever: who waits for it keeps a whole batch waiting.
pub(crate) const SESSION: &str = "SET default_transaction_isolation = 'read committed';
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET enable_bitmapscan = off; SET jit = off; SET max_parallel_workers_per_gather = 0;
SET lock_timeout = '1s'; SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = error";

/// What somebody may want to write behind a URL's `?`: the rest has a setting of its own, or is set here.
const PARAMETERS: &str = "behind its ? there may be sslmode=disable, connect_timeout, options, channel_binding and load_balance_hosts";

/// What a server says of itself, and of this connection.
const ABOUT: &str = "SELECT current_setting('fsync'), current_setting('synchronous_commit'),
    current_setting('synchronous_standby_names'), pg_backend_pid()";

/// A PostgreSQL store: where it is, and how it is used.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgresql://user@host:port,host:port/database`, without a password. Settings as libpq has them.
    pub url: String,
    /// The user's password.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// PEM: who may have signed the servers' certificates. Without it the URL must say `sslmode=disable`.
    pub ca: Option<Vec<u8>>,
    /// Connections at most: half of them commit, the others read. At least two.
    pub connections: usize,
    /// Whether opening brings the schema up to this release.
    pub migrate: bool,
    /// Whether the database is a distributed engine, which places rows by shard.
    pub sharded: bool,
    /// Whether every commit must be on a standby, and reads be confirmed by one.
    pub high_availability: bool,
    /// What its connections are named after at the server: random bytes, so that a process there whose number comes again is not
    /// taken for one of them, and ended.
    pub named: [u8; 8],
}

impl PostgresConfig {
    /// A database that one server keeps whole: three connections, no files, brought to this release's schema.
    pub fn new(url: impl Into<String>, named: [u8; 8]) -> PostgresConfig {
        PostgresConfig {
            url: url.into(),
            password: None,
            ca: None,
            connections: 3,
            migrate: true,
            sharded: false,
            high_availability: false,
            named,
        }
    }
}

/// Why a PostgreSQL store cannot be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PostgresError {
    /// The configuration cannot be used.
    #[error("store: {0}")]
    Config(String),
    /// No host took the connection.
    #[error("store: no PostgreSQL server that takes writes could be reached: {0}")]
    Connect(String),
    /// The server would lose what it has acknowledged.
    #[error("store: {0}")]
    Unsafe(&'static str),
    /// The schema does not fit this release.
    #[error("store: {0}")]
    Schema(String),
}

const SYNCED: &str = "SET synchronous_commit = on";
const SYNCED_AND_APPLIED: &str = "SET synchronous_commit = remote_apply";
/// Asked behind every commit and every read with high availability: whether there was still a standby to wait for. A tool that takes
/// the last one's name away lets what waits, and what comes, be committed on one machine alone.
pub(crate) const STANDS: &str = "SELECT current_setting('synchronous_standby_names') <> ''";

/// The database, and how to come to it.
pub(crate) struct Place {
    hosts: Hosts,
    tls: Option<MakeRustlsConnect>,
    high_availability: bool,
    named: [u8; 8],
    pub(crate) form: Form,
}

/// A connection that was just opened.
pub(crate) struct Opened {
    pub(crate) client: Client,
    /// The server's process, by which it can be ended from another connection.
    pub(crate) backend: Backend,
}

/// One connection's process at the server. The name is random, so it is not another's that has got its number since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    pub(crate) name: String,
}

impl Place {
    /// Reads a configuration; connects nowhere.
    pub(crate) fn new(of: &PostgresConfig) -> Result<Place, PostgresError> {
        let hosts = hosts(&read(of)?)?;
        let tls = of.ca.as_deref().map(tls).transpose()?.map(MakeRustlsConnect::new);
        let form = if of.sharded { Form::Sharded } else { Form::Whole };
        Ok(Place { hosts, tls, high_availability: of.high_availability, named: of.named, form })
    }

    /// Opens a connection, on whichever host takes writes. Each is tried, one after the other, however silent the others are.
    ///
    /// # Errors
    /// What each of them said, or what is wrong with the one that takes writes.
    pub(crate) async fn open(&self) -> Result<Opened, PostgresError> {
        let (time, mut left) = (self.hosts.time(), self.hosts.count());
        let mut said = Vec::with_capacity(left);
        for host in self.hosts.in_turn() {
            match self.open_at(host, time.part(left)).await {
                Ok(opened) => {
                    self.hosts.was_of_use(host);
                    return Ok(opened);
                }
                Err(PostgresError::Connect(why)) => said.push(format!("{}: {why}", host.name)),
                Err(other) => return Err(other),
            }
            left -= 1;
        }
        Err(PostgresError::Connect(said.join("; ")))
    }

    /// The same on one host, at whichever of its addresses.
    async fn open_at(&self, host: &Host, time: Share) -> Result<Opened, PostgresError> {
        let mut why = "it has no address".to_owned();
        let places = match tokio::time::timeout_at(time.until(), host.places()).await {
            Ok(Ok(places)) => places,
            Ok(Err(error)) => return Err(PostgresError::Connect(error.to_string())),
            Err(_) => {
                self.hosts.was_silent(host);
                return Err(PostgresError::Connect("its address was not found in time".into()));
            }
        };
        let mut left = places.len();
        for place in places {
            // All of it: a server, or what stands before it, may take the connection and never answer.
            let opening = self.open_once(place);
            match tokio::time::timeout_at(time.part(left).until(), opening).await {
                Ok(Err(PostgresError::Connect(text))) => why = text,
                Ok(opened) => return opened,
                Err(_) => {
                    self.hosts.was_silent(host);
                    why = "it did not answer in time".into();
                }
            }
            left -= 1;
        }
        Err(PostgresError::Connect(why))
    }

    /// One attempt, up to the first answer to a question.
    async fn open_once(&self, mut config: Config) -> Result<Opened, PostgresError> {
        let refused = |error: tokio_postgres::Error| PostgresError::Connect(words(&error));
        let name = format!("ramz {}", uniquely(self.named));
        config.application_name(&name);
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await.map_err(refused)?;
                drive(connection);
                client
            }
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
                drive(connection);
                client
            }
        };
        client.batch_execute(SESSION).await.map_err(refused)?;
        let about = client.query_one(ABOUT, &[]).await.map_err(refused)?;
        let setting = |at: usize| about.get::<_, &str>(at);
        if setting(0) == "off" {
            let why = "the server runs with fsync=off: it would lose what it has acknowledged";
            return Err(PostgresError::Unsafe(why));
        }
        if self.high_availability && setting(2).is_empty() {
            let why = "high availability is asked for, and the server has no synchronous standbys: set synchronous_standby_names, or high_availability = false";
            return Err(PostgresError::Unsafe(why));
        }
        // Said here in any case: a server that is weakened later does not weaken this connection.
        let commit = if setting(1) == "remote_apply" { SYNCED_AND_APPLIED } else { SYNCED };
        client.batch_execute(commit).await.map_err(refused)?;
        Ok(Opened { backend: Backend { pid: about.get(3), name }, client })
    }

    /// Whether what is read must be confirmed by a standby, and what is committed must have had one.
    pub(crate) fn is_highly_available(&self) -> bool {
        self.high_availability
    }
}

/// The settings as the connecting library has them.
pub(crate) fn read(of: &PostgresConfig) -> Result<Config, PostgresError> {
    let wrong = |why: &str| PostgresError::Config(why.into());
    // The parser's own words may hold parts of the URL, and with it a password that should not be there.
    let mut config: Config = of.url.parse().map_err(|_| PostgresError::Config(unread(&of.url)))?;
    if config.get_password().is_some() {
        return Err(wrong("the URL has a password in it: put it in a file, and name that"));
    }
    if config.get_hosts().is_empty() || config.get_dbname().is_none() || config.get_user().is_none() {
        return Err(wrong("the URL must name a host, a user and a database"));
    }
    if of.connections < 2 {
        return Err(wrong("at least two connections are needed: one commits, one reads"));
    }
    if of.high_availability && of.sharded {
        return Err(wrong(
            "of a distributed engine's servers nobody here knows whether they have standbys: high_availability is for one server and its standbys",
        ));
    }
    if let Some(password) = &of.password {
        config.password(password.as_slice());
    }
    config
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .tcp_user_timeout(UNACKNOWLEDGED_MAX)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_AGAIN)
        .keepalives_retries(KEEPALIVES);
    if of.ca.is_some() {
        config.ssl_mode(SslMode::Require);
    } else if config.get_ssl_mode() != SslMode::Disable {
        return Err(wrong(
            "the database is spoken to under TLS: give ca_file, or write ?sslmode=disable in the URL where the network between is trusted",
        ));
    }
    hosts(&config)?;
    Ok(config)
}

fn hosts(config: &Config) -> Result<Hosts, PostgresError> {
    Hosts::of(config).map_err(|why| PostgresError::Config(why.into()))
}

/// Why a URL is not read: its first parameter that does not fit, by its name alone, or else what a URL is.
fn unread(url: &str) -> String {
    let fits = |parameter: &str| format!("postgresql://host/database?{parameter}").parse::<Config>().is_ok();
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    // With an @ behind it the ? is a password's, and an & may be one's that is a parameter: any name may be a piece of it.
    let has_none = |all: &&str| !all.contains('@') && !all.contains("password");
    let parameters = url.split_once('?').map(|(_, parameters)| parameters).filter(has_none);
    let misfit = parameters.and_then(|all| all.split('&').find(|parameter| !fits(parameter)));
    match misfit.map(|parameter| parameter.split_once('=').map_or(parameter, |(name, _)| name)) {
        Some(name @ ("sslmode" | "sslrootcert")) => format!(
            "the URL's {name}: with ca_file TLS is required and the server's certificate verified, so leave {name} out; without it only sslmode=disable is taken"
        ),
        Some(name) if is_name(name) => {
            format!(
                "the URL's {name} is no parameter that is known here, or its value does not fit: {PARAMETERS}"
            )
        }
        _ => format!(
            "the URL is none of PostgreSQL's: write postgresql://user@host:5432/database; {PARAMETERS}"
        ),
    }
}

/// Runs a connection until it ends; why it ended, its client is told.
fn drive<C>(connection: C)
where
    C: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move { drop(connection.await) });
}

/// A name that no other connection has: its user's, and counted.
fn uniquely(named: [u8; 8]) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}-{}", u64::from_be_bytes(named), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn tls(pem: &[u8]) -> Result<rustls::ClientConfig, PostgresError> {
    let wrong = |why: String| PostgresError::Config(format!("ca_file: {why}"));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in it".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| wrong(error.to_string()))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> String {
        read(&PostgresConfig::new(url, [0; 8])).map_or_else(|why| why.to_string(), |_| String::new())
    }

    #[test]
    fn a_parameter_that_does_not_fit_is_named_and_what_it_says_is_not_repeated() {
        let at = |parameters: &str| told(&format!("postgresql://ramz@db:5432/mellat?{parameters}"));
        for parameters in
            ["sslmode=verify-full", "connect_timeout=3&sslmode=verify-ca", "sslrootcert=/etc/ca.pem"]
        {
            let said = at(parameters);
            assert!(said.contains("ca_file") && said.contains("verified"), "{said}");
            assert!(!said.contains("verify-") && !said.contains("/etc"), "{said}");
        }
        for (parameters, name) in [
            ("sslmode=disable&pool_size=4", "the URL's pool_size is"),
            ("sslmode=disable&connect_timeout=soon", "the URL's connect_timeout is"),
            ("channel_binding", "the URL's channel_binding is"),
        ] {
            assert!(at(parameters).contains(name), "{parameters}: {}", at(parameters));
        }
        assert_eq!(at("sslmode=disable&connect_timeout=3&load_balance_hosts=random"), "");
    }

    #[test]
    fn nothing_of_a_password_is_repeated() {
        for url in [
            "postgresql://ramz:hunter?secret=1@db:5432/mellat",
            "postgresql://ramz:secret@db:port/mellat?sslmode=disable",
            "postgresql://ramz@db:5432/mellat?password=hunter&secret",
            "postgresql://ramz@db:5432/mellat?Secret2=x",
            "secret",
        ] {
            let said = told(url);
            assert!(!said.is_empty() && !said.to_lowercase().contains("secret"), "{said}");
            assert!(!said.contains("db:5432"), "{said}");
        }
    }
}
