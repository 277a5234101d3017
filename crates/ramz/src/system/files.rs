//! Files: written whole or not at all, secrets readable by their owner only, and changed by one command at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zeroize::Zeroizing;

/// Writes a file that only its owner reads: beside it first, flushed, then moved into place. One that is there is written where it
/// really is, and keeps owner, group and mode.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = real(path).and_then(|path| put(&path, bytes, |beside| fs::rename(beside, &path)));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The same for a file that must not be there yet: whatever is, also since a moment ago, stays.
pub(crate) fn make_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let publish = |beside: &Path| {
        fs::hard_link(beside, path)?;
        fs::remove_file(beside)
    };
    put(path, bytes, publish).with_context(|| format!("cannot make {}", path.display()))
}

/// Writes it beside its place, and lets `publish` move it there.
fn put(path: &Path, bytes: &[u8], publish: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let beside = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        if let Ok(there) = fs::metadata(path) {
            let ours = file.metadata()?;
            if (ours.uid(), ours.gid()) != (there.uid(), there.gid()) {
                fchown(&file, Some(there.uid()), Some(there.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(there.mode() & 0o777))?;
        }
        file.sync_all()?;
        publish(&beside)?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| _ = fs::remove_file(&beside))
}

/// Where a file really is: links are followed, and one that leads nowhere is an error. A file that is not there yet is where it is named.
fn real(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            Ok(path.to_owned())
        }
        found => found,
    }
}

/// A file that this command alone changes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for it. It is a file beside the other, which is replaced with every change; two names of one file meet at one lock.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Lock> {
        let take = || -> io::Result<Lock> {
            let mut lock = real(path)?.into_os_string();
            lock.push(".lock");
            let lock = PathBuf::from(lock);
            loop {
                let file =
                    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock)?;
                file.lock()?;
                let (ours, there) = (file.metadata()?, fs::metadata(&lock));
                // Who had it before has taken it away, and the next one makes another.
                if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                    return Ok(Lock { file, path: lock });
                }
            }
        };
        take().with_context(|| format!("cannot lock {}", path.display()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held: who waits for it finds out that it is gone. Left behind, another user could not open it.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// The first line of a file that holds one secret.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text =
        Zeroizing::new(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?);
    let secret = text.lines().next().unwrap_or("").trim();
    anyhow::ensure!(!secret.is_empty(), "{} holds no secret in its first line", path.display());
    Ok(Zeroizing::new(secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_private_file_is_whole_and_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_private(&path, b"one\n").unwrap();
        write_private(&path, b"two\n").unwrap();
        assert_eq!(read_secret(&path).unwrap().as_str(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_written_where_it_is_and_keeps_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write_private(&real, b"one\n").unwrap();
        symlink(&real, &link).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        // Only root can give a file away: for others it stays their own.
        _ = std::os::unix::fs::chown(&real, Some(4711), Some(4712));
        let whose = |path: &Path| {
            let data = fs::metadata(path).unwrap();
            (data.uid(), data.gid(), data.mode() & 0o777)
        };
        let before = whose(&real);
        write_private(&link, b"two\n").unwrap();
        assert_eq!((read_secret(&real).unwrap().as_str(), whose(&real)), ("two", before));
        assert!(link.symlink_metadata().unwrap().is_symlink());
        // Where it leads to is away, a disk that is not mounted perhaps.
        fs::remove_file(&real).unwrap();
        assert!(write_private(&link, b"three\n").is_err() && link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        make_private(&path, b"one\n").unwrap();
        assert!(make_private(&path, b"two\n").is_err());
        assert_eq!(read_secret(&path).unwrap().as_str(), "one");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_at_a_time_has_the_lock_and_none_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "").unwrap();
        symlink(&path, &link).unwrap();
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for name in [&path, &link, &path, &link] {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lock = Lock::of(name).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
