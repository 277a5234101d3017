//! The file that a phone is kept in: sealed under a passphrase, its owner's alone, written whole or not at all. One command has it
//! at a time: two would take the same counter.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ramz_keys::{Argon2Params, envelope};
use ramz_sim::phone::{Keep, NotKept, PhoneState};
use zeroize::Zeroizing;

use crate::commands::prompt;
use crate::system::SystemEntropy;
use crate::system::files::{read_secret, write_private};

/// What the first byte says. A key file's is another.
const FORMAT: u8 = 0x54;

/// A store that this command alone has.
pub(super) struct Store {
    path: PathBuf,
    passphrase: Zeroizing<String>,
    /// Held until the command ends.
    _lock: Lock,
}

/// The lock of a store: a file beside it, which stays. The store itself is replaced with every write.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, and makes the store's folder if there is none.
    pub(super) fn take(store: &Path) -> anyhow::Result<Lock> {
        let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let mut path = OsString::from(store);
        path.push(".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot make {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "{} is in use by another `ramz token`: wait until that has ended",
                store.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

impl Store {
    pub(super) fn new(path: PathBuf, passphrase: Zeroizing<String>, lock: Lock) -> Store {
        Store { path, passphrase, _lock: lock }
    }

    fn write(&self, state: &PhoneState) -> anyhow::Result<()> {
        let clear = state.encode();
        let (passphrase, costs) = (self.passphrase.as_bytes(), Argon2Params::STRONG);
        let sealed = envelope::seal(FORMAT, &clear, passphrase, costs, &SystemEntropy);
        write_private(&self.path, &sealed.map_err(|error| anyhow::anyhow!("the store {error}"))?)
    }
}

impl Keep for Store {
    fn keep(&mut self, state: &PhoneState) -> Result<(), NotKept> {
        self.write(state).map_err(|error| NotKept(format!("{error:#}")))
    }
}

/// Reads a store.
pub(super) fn open(path: &Path, passphrase: &str) -> anyhow::Result<PhoneState> {
    let file = fs::read(path)
        .with_context(|| format!("cannot read {}: `ramz token activate` makes one", path.display()))?;
    let clear = envelope::open(FORMAT, &file, passphrase.as_bytes())
        .map_err(|error| anyhow::anyhow!("the store {} {error}", path.display()))?;
    PhoneState::decode(&clear).with_context(|| path.display().to_string())
}

/// Where a store is if nobody says otherwise (XDG Base Directory Specification).
pub(super) fn usual_path() -> anyhow::Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")));
    let data =
        data.context("neither XDG_DATA_HOME nor HOME says where the store is: name it with --store")?;
    Ok(data.join("ramz/token"))
}

/// The passphrase, from a file or a prompt.
pub(super) fn passphrase(file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    match file {
        Some(file) => read_secret(file),
        None => prompt::secret("Passphrase of the store"),
    }
}

/// That of a store to be made: typed twice, for a mistake would lock its owner out.
pub(super) fn new_passphrase(file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    let Some(file) = file else {
        let passphrase = prompt::secret("Passphrase for the new store")?;
        anyhow::ensure!(!passphrase.is_empty(), "the passphrase is empty");
        anyhow::ensure!(prompt::secret("Once more")? == passphrase, "the two passphrases differ");
        return Ok(passphrase);
    };
    read_secret(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn store(folder: &Path) -> (PathBuf, Store) {
        let path = folder.join("deep/er/token");
        let lock = Lock::take(&path).unwrap();
        (path.clone(), Store::new(path, Zeroizing::new("open sesame".into()), lock))
    }

    #[test]
    fn a_store_opens_under_its_passphrase_only_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut store) = store(folder.path());
        let state = PhoneState::new("http://localhost:8723", &SystemEntropy);
        store.keep(&state).unwrap();
        assert_eq!(*open(&path, "open sesame").unwrap().encode(), *state.encode());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        for wrong in ["open barley", ""] {
            let error = format!("{:#}", open(&path, wrong).unwrap_err());
            assert!(error.contains("passphrase"), "{error}");
        }
        let file = fs::read(&path).unwrap();
        let secret = &state.encode()[..];
        assert!(!file.windows(16).any(|window| secret.windows(16).any(|clear| clear == window)));
    }

    #[test]
    fn an_altered_store_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut store) = store(folder.path());
        store.keep(&PhoneState::new("http://localhost:8723", &SystemEntropy)).unwrap();
        let file = fs::read(&path).unwrap();
        for (at, expect) in [(0, "format"), (20, "altered"), (file.len() - 1, "altered")] {
            let mut altered = file.clone();
            altered[at] ^= 1;
            fs::write(&path, &altered).unwrap();
            let error = format!("{:#}", open(&path, "open sesame").unwrap_err());
            assert!(error.contains(expect), "{at}: {error}");
        }
        fs::write(&path, &file[..file.len() - 1]).unwrap();
        assert!(format!("{:#}", open(&path, "open sesame").unwrap_err()).contains("cut off"));
        let none = format!("{:#}", open(&folder.path().join("none"), "open sesame").unwrap_err());
        assert!(none.contains("ramz token activate"), "{none}");
    }

    #[test]
    fn of_two_commands_one_has_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let (path, store) = store(folder.path());
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(error.contains("in use by another"), "{error}");
        drop(store);
        Lock::take(&path).unwrap();
    }
}
