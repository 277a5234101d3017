//! The directory that is in use, and the file that may replace it while the router runs.
//!
//! The file is looked at once in a while. One that cannot be used is refused: the directory before it stays, the error is
//! logged once and told to operators until the file is mended. Requests that are in hand keep the directory they began with.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use ramz_domain::limits;
use tokio::{fs, io::AsyncReadExt as _, time};
use tokio_util::sync::CancellationToken;

use crate::{StartError, directory::Directory};

/// The directory in use.
pub(crate) struct Current {
    directory: RwLock<Arc<Directory>>,
    fault: Mutex<Option<String>>,
    /// How often another file took its place.
    pub(crate) replaced: AtomicU64,
    /// How often a file was refused.
    pub(crate) refused: AtomicU64,
}

impl Current {
    pub(crate) fn new(directory: Directory) -> Current {
        Current {
            directory: RwLock::new(Arc::new(directory)),
            fault: Mutex::default(),
            replaced: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The directory as it is now.
    pub(crate) fn get(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the file as it lies there is not in use; `None` if it is.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, read: Result<Directory, String>) {
        let fault = match read {
            Ok(directory) => {
                tracing::info!(banks = directory.banks().len(), "another directory of banks is in use");
                *self.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
                self.replaced.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(fault) => {
                tracing::error!(%fault, "the directory of banks is refused; the one before stays in use");
                self.refused.fetch_add(1, Ordering::Relaxed);
                Some(fault)
            }
        };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// The file, as it was when it was last read.
pub(crate) struct File {
    path: PathBuf,
    seen: Option<Stamp>,
    /// Banks that there are ways to: a directory without one of them is refused, as at the start.
    needed: Vec<String>,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// A file that was put in another's place is another one, though it be as long and of the same instant.
    inode: u64,
}

impl File {
    /// Reads it for the first time.
    pub(crate) async fn open(path: PathBuf, needed: Vec<String>) -> Result<(File, Directory), StartError> {
        let seen = stamp(&path).await;
        let bytes = match read(&path).await {
            Ok(bytes) => bytes,
            Err(source) => return Err(StartError::DirectoryFile { path, source }),
        };
        let directory = Directory::parse(&bytes)?;
        Ok((File { path, seen, needed }, directory))
    }

    /// Looks at it until the shutdown.
    pub(crate) async fn follow(mut self, current: Arc<Current>, shutdown: CancellationToken) {
        let mut ticks = time::interval(limits::DIRECTORY_LOOK_EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let looking = async {
            loop {
                ticks.tick().await;
                self.look(&current).await;
            }
        };
        shutdown.run_until_cancelled(looking).await;
    }

    /// Reads it if it has changed. A file that was refused is not read again until it changes.
    async fn look(&mut self, current: &Current) {
        let stamp = stamp(&self.path).await;
        if stamp == self.seen {
            return;
        }
        self.seen = stamp;
        current.replace(self.take().await);
    }

    async fn take(&self) -> Result<Directory, String> {
        let path = self.path.display();
        let bytes = read(&self.path).await.map_err(|error| format!("cannot read {path}: {error}"))?;
        let directory = Directory::parse(&bytes).map_err(|error| format!("{path}: {error}"))?;
        match self.needed.iter().find(|id| directory.bank(id).is_none()) {
            Some(id) => Err(format!("{path}: bank {id} is missing, and there is a way to it")),
            None => Ok(directory),
        }
    }
}

async fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).await.ok()?;
    Some(Stamp { modified: found.modified().ok(), bytes: found.len(), inode: found.ino() })
}

async fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path).await?.take(limits::DIRECTORY_BYTES_MAX + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > limits::DIRECTORY_BYTES_MAX {
        let words = format!("it has more than {} bytes", limits::DIRECTORY_BYTES_MAX);
        return Err(std::io::Error::other(words));
    }
    Ok(bytes)
}
