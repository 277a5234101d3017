//! `ramz keys`: makes and changes a key file. Keys never go to standard output; zone keys come from files.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use ramz_keys::{Argon2Params, KeyRing, Purpose, ZoneCipher, ZoneKey};
use zeroize::Zeroizing;

use super::say;
use crate::system::SystemEntropy;
use crate::system::files::{Lock, make_private, read_secret, write_private};

/// A passphrase for a new key file has so many characters at least. Stretching it costs who guesses a fraction of a second each, which
/// saves no short one. A file that is there opens under whatever it was made with.
const PASSPHRASE_MIN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Keys,
}

#[derive(Debug, Args)]
struct KeyFile {
    /// The key file
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// A file whose first line is the passphrase: for a new key file, 20 characters at least
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Make a key file with fresh keys
    Init(KeyFile),
    /// Show purposes, versions, zones and check values; never keys
    Show(KeyFile),
    /// Add a fresh key of a purpose: new things are made under it, older ones stay readable
    Rotate {
        #[command(flatten)]
        key_file: KeyFile,
        /// index, data, pin, journal or receive
        purpose: String,
    },
    /// Add or replace a zone PIN key
    Zone {
        #[command(flatten)]
        key_file: KeyFile,
        /// The zone's name, as in the configuration
        name: String,
        /// The cipher
        #[arg(long)]
        cipher: Cipher,
        /// A file whose first line is the key in hexadecimal
        #[arg(long, value_name = "FILE")]
        key_file_hex: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cipher {
    /// PIN block formats 0 and 3: triple DES
    #[value(alias = "3des", alias = "tdes")]
    Tdea,
    /// PIN block format 4
    Aes,
}

impl KeyFile {
    fn open(&self) -> anyhow::Result<KeyRing> {
        let bytes =
            std::fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        KeyRing::open(&bytes, read_secret(&self.passphrase_file)?.as_bytes())
            .context(self.file.display().to_string())
    }

    fn sealed(&self, ring: &KeyRing) -> anyhow::Result<Vec<u8>> {
        let passphrase = read_secret(&self.passphrase_file)?;
        Ok(ring.seal(passphrase.as_bytes(), Argon2Params::STRONG, &SystemEntropy)?)
    }

    /// Makes the file, with fresh keys.
    fn make(&self) -> anyhow::Result<()> {
        let _lock = Lock::of(&self.file)?;
        anyhow::ensure!(
            self.file.symlink_metadata().is_err(),
            "{} is there already: its keys protect data, it is not replaced",
            self.file.display()
        );
        let passphrase = read_secret(&self.passphrase_file)?;
        anyhow::ensure!(
            passphrase.chars().count() >= PASSPHRASE_MIN,
            "the passphrase in {} is too short: {PASSPHRASE_MIN} characters at least, as `openssl rand -base64 32` makes them",
            self.passphrase_file.display()
        );
        make_private(&self.file, &self.sealed(&KeyRing::generate(&SystemEntropy))?)
    }

    /// Changes what is in the file. Of two commands at once the second one changes what the first one wrote.
    fn change<T>(&self, change: impl FnOnce(&mut KeyRing) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let _lock = Lock::of(&self.file)?;
        let mut ring = self.open()?;
        let told = change(&mut ring)?;
        write_private(&self.file, &self.sealed(&ring)?)?;
        Ok(told)
    }
}

pub(super) fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Keys::Init(key_file) => {
            key_file.make()?;
            let path = key_file.file.display();
            say::line(format!("{path} made; keep a copy of it and its passphrase apart from the store"));
        }
        Keys::Show(key_file) => show(&key_file.open()?),
        Keys::Rotate { key_file, purpose } => {
            let purpose =
                Purpose::parse(&purpose).context("a purpose is index, data, pin, journal or receive")?;
            let version = key_file.change(|ring| Ok(ring.rotate(purpose, &SystemEntropy)))?;
            say::line(format!("{} key version {version} added; restart the role to use it", purpose.word()));
        }
        Keys::Zone { key_file, name, cipher, key_file_hex } => {
            let hex = read_secret(&key_file_hex)?;
            let key = Zeroizing::new(hex::decode(hex.as_bytes()).context("a zone key is hexadecimal")?);
            let cipher = match cipher {
                Cipher::Tdea => ZoneCipher::Tdea,
                Cipher::Aes => ZoneCipher::Aes,
            };
            let key = ZoneKey::new(cipher, &key)?;
            let check_value = hex::encode_upper(key.check_value());
            let was_there = key_file.change(|ring| {
                let was_there = ring.view().zones.iter().any(|(zone, ..)| *zone == name);
                ring.add_zone(&name, key)?;
                Ok(was_there)
            })?;
            let done = if was_there { "replaced" } else { "added" };
            let hint = if was_there { "; restart the role to use it" } else { "" };
            say::line(format!("zone {name} {done}, check value {check_value}{hint}"));
        }
    }
    Ok(())
}

fn show(ring: &KeyRing) {
    let view = ring.view();
    for (purpose, versions) in view.purposes {
        let versions: Vec<String> = versions.iter().map(u32::to_string).collect();
        let versions = if versions.is_empty() { "none".into() } else { versions.join(", ") };
        say::line(format!("{purpose:<8} versions {versions}"));
    }
    for (name, cipher, check_value) in view.zones {
        say::line(format!("zone     {name} {cipher:?} check value {}", hex::encode_upper(check_value)));
    }
}
