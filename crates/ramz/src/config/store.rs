//! `[….store]`: one file, or a PostgreSQL database.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ramz_domain::Entropy;
use ramz_domain::ambient::random_bytes;
use ramz_store::{PostgresConfig, PostgresStore};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::system::files::read_secret;

/// `[….store]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreConfig {
    path: PathBuf,
    url: String,
    password_file: PathBuf,
    ca_file: PathBuf,
    connections: usize,
    migrate: bool,
    sharded: bool,
    high_availability: bool,
}

/// What a store is kept in.
pub(crate) enum Kept<'c> {
    /// One SQLite file.
    File(&'c Path),
    /// A PostgreSQL database.
    Database(&'c StoreConfig),
}

impl StoreConfig {
    /// What it is kept in: the database, if its address is written.
    pub(crate) fn kept(&self) -> Kept<'_> {
        if self.url.is_empty() { Kept::File(&self.path) } else { Kept::Database(self) }
    }

    /// The file, for a command that needs one.
    pub(crate) fn file(&self) -> &Path {
        &self.path
    }

    /// The same, in another file. Of a database it changes nothing.
    pub(crate) fn set_file(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// The database as the store takes it; reads the files that are named. Its connections are named at random.
    pub(crate) fn database(&self, entropy: &dyn Entropy) -> anyhow::Result<PostgresConfig> {
        anyhow::ensure!(!self.url.is_empty(), "store: url is empty: there is no database");
        let password = if self.password_file.as_os_str().is_empty() {
            None
        } else {
            Some(Zeroizing::new(read_secret(&self.password_file)?.as_bytes().to_vec()))
        };
        let ca = if self.ca_file.as_os_str().is_empty() {
            None
        } else {
            let shown = self.ca_file.display();
            Some(
                std::fs::read(&self.ca_file)
                    .with_context(|| format!("store: cannot read ca_file {shown}"))?,
            )
        };
        Ok(PostgresConfig { password, ca, named: random_bytes(entropy), ..self.without_files() })
    }

    fn without_files(&self) -> PostgresConfig {
        PostgresConfig {
            url: self.url.clone(),
            password: None,
            ca: None,
            connections: self.connections,
            migrate: self.migrate,
            sharded: self.sharded,
            high_availability: self.high_availability,
            named: [0; 8],
        }
    }

    /// The same, and its schema is left alone.
    pub(crate) fn as_it_is(&self) -> StoreConfig {
        StoreConfig { migrate: false, ..self.clone() }
    }

    /// What is wrong with it, as far as it shows without files and network.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.url.is_empty() {
            let ha = self.high_availability || self.sharded;
            return if ha {
                Err("high_availability and sharded are of a database: write its url".into())
            } else {
                Ok(())
            };
        }
        let mut config = self.without_files();
        // What is in it shows when it is read; here only that one is named.
        config.ca = (!self.ca_file.as_os_str().is_empty()).then(Vec::new);
        PostgresStore::check(&config)
            .map_err(|error| error.to_string().trim_start_matches("store: ").to_owned())
    }
}
