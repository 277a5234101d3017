//! The lab's data folder: secrets are made once and kept, so that a folder given with `--data` goes on where it was.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use ramz_domain::Entropy;
use ramz_domain::ambient::random_bytes;
use ramz_keys::{Argon2Params, KeyRing, ZoneCipher, ZoneKey};
use zeroize::Zeroizing;

use super::pinned::BANKS;
use crate::system::files::{read_secret, write_private};

/// A folder with the lab's secrets in it.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder; what is missing is made.
    pub(crate) fn open(path: PathBuf, entropy: &dyn Entropy) -> anyhow::Result<Folder> {
        fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let folder = Folder { path: path.canonicalize()? };
        for name in ["passphrase", "api-key"] {
            folder.secret_or(name, || hex::encode(random_bytes::<16>(entropy)))?;
        }
        folder.secret_or("smpp-password", || hex::encode(random_bytes::<4>(entropy)))?;
        for bank in &BANKS {
            for zone in ["switch", "host"] {
                folder.secret_or(&format!("{}-{zone}-zone", bank.id), || {
                    hex::encode(random_bytes::<16>(entropy))
                })?;
            }
        }
        for bank in &BANKS {
            folder.key_file(&format!("{}.keys", bank.id), entropy, |ring| {
                for zone in ["switch", "host"] {
                    ring.add_zone(zone, folder.zone(bank.id, zone)?)?;
                }
                Ok(())
            })?;
        }
        // Whoever sends PIN blocks to the banks.
        for name in ["gateway.keys", "terminal.keys"] {
            folder.key_file(name, entropy, |ring| {
                for bank in &BANKS {
                    ring.add_zone(bank.id, folder.zone(bank.id, "switch")?)?;
                }
                Ok(())
            })?;
        }
        Ok(folder)
    }

    /// A file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A secret of one line.
    pub(crate) fn secret(&self, name: &str) -> anyhow::Result<Zeroizing<String>> {
        read_secret(&self.file(name))
    }

    fn secret_or(&self, name: &str, make: impl FnOnce() -> String) -> anyhow::Result<()> {
        let path = self.file(name);
        if path.exists() { Ok(()) } else { write_private(&path, make().as_bytes()) }
    }

    fn zone(&self, bank: &str, zone: &str) -> anyhow::Result<ZoneKey> {
        let key = Zeroizing::new(hex::decode(self.secret(&format!("{bank}-{zone}-zone"))?.as_bytes())?);
        Ok(ZoneKey::new(ZoneCipher::Tdea, &key)?)
    }

    /// A key file; the lab's passphrase lies beside it, so stretching it hard would protect nothing.
    fn key_file(
        &self,
        name: &str,
        entropy: &dyn Entropy,
        fill: impl FnOnce(&mut KeyRing) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.file(name);
        if path.exists() {
            return Ok(());
        }
        let mut ring = KeyRing::generate(entropy);
        fill(&mut ring)?;
        let passphrase = self.secret("passphrase")?;
        let sealed = ring.seal(passphrase.as_bytes(), Argon2Params::FOR_TESTS, entropy)?;
        write_private(&path, &sealed)
    }
}
