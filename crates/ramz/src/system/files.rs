//! Files: written whole or not at all, secrets readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use zeroize::Zeroizing;

/// Writes a file that only its owner reads: beside it first, flushed, then moved into place.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let name = path.file_name().context("a file needs a name")?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let beside = folder.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    write()
        .inspect_err(|_| _ = fs::remove_file(&beside))
        .with_context(|| format!("cannot write {}", path.display()))
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
    use std::os::unix::fs::PermissionsExt as _;

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
}
