//! What a role keeps its rows in: the file with its schema and the room for it, or the database.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use ramz_domain::Entropy;
use ramz_issuer::Unfit;
use ramz_store::{Inspected, PostgresStore, Schema, Store, Table, inspect};

use super::Findings;
use super::files::now_s;
use crate::config::{Kept, KeysConfig, StoreConfig};
use crate::roles::{Whose, open_keys, open_store_as_it_is, whose};
use crate::system::SystemEntropy;

/// Less room for a store is worth a warning …
const ROOM_LOW: u64 = 1 << 30;
/// … and with less it stands still within hours.
const ROOM_NONE: u64 = 64 << 20;

/// Looks at it from outside. Whether it may be opened: a store is opened as the role opens it, which brings its schema up, and writes.
pub(super) async fn look(role: &str, config: &StoreConfig, findings: &mut Findings) -> bool {
    match config.kept() {
        Kept::File(path) => file(role, path, findings),
        Kept::Database(config) => database(role, config, findings).await,
    }
}

/// Whose rows a store has: the role's own table, and that of the other role that keeps a store.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    /// Cards.
    Issuer,
    /// Payments.
    Gateway,
}

impl Owner {
    fn tables(self) -> (Table, Table) {
        match self {
            Owner::Issuer => (Table::Card, Table::Payment),
            Owner::Gateway => (Table::Payment, Table::Card),
        }
    }

    fn rows(self) -> &'static str {
        match self {
            Owner::Issuer => "cards",
            Owner::Gateway => "payments",
        }
    }
}

/// Opens it as the role does, and looks whose rows it has. The store, if it has some of the role's own.
pub(super) async fn rows(
    role: &str,
    config: &StoreConfig,
    owner: Owner,
    findings: &mut Findings,
) -> Option<Arc<dyn Store>> {
    let what = format!("{role} store's rows");
    let store = match open_store_as_it_is(config, &SystemEntropy).await {
        Ok(store) => store,
        Err(error) => {
            let todo = "the role would not start: may its user write the file, and what lies beside it, .lock, -wal and -shm?";
            findings.bad(what, format!("{error:#}"), todo);
            return None;
        }
    };
    let (own, others) = owner.tables();
    match whose(&*store, own, others).await {
        Ok(Whose::Own) => {
            findings.good(what, format!("has {}", owner.rows()));
            return Some(store);
        }
        Ok(Whose::Nobodys) => findings.good(what, format!("has no {} yet", owner.rows())),
        Ok(Whose::Others) => findings.bad(
            what,
            format!("is another role's: its table {others} has rows, and {own} has none"),
            "name the right one in `store`: the role does not start on this one",
        ),
        Err(fault) => findings.bad(what, fault.to_string(), "the store did not answer: look at it"),
    }
    None
}

/// Whether an issuer's cards were written under its key file. Of keys that cannot be opened enough was said.
pub(super) async fn fits(role: &str, store: &dyn Store, keys: &KeysConfig, findings: &mut Findings) {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let Ok(keys) = open_keys(keys, &entropy) else { return };
    let what = format!("{role} store's keys");
    match ramz_issuer::keys_fit(store, &keys).await {
        Ok(()) => findings.good(what, "are those of the key file"),
        Err(unfit) => findings.bad(what, unfit.to_string(), not_fitting(&unfit)),
    }
}

/// What to do about keys that do not fit, or that nobody knows of whether they do.
fn not_fitting(unfit: &Unfit) -> &'static str {
    match unfit {
        Unfit::OtherKeys(_) => "use the store's own key file, in its newest copy",
        Unfit::Store(_) => {
            "the store did not answer: look at it, then ask again; nothing is known of the keys"
        }
    }
}

/// What to do about a file that is no store to start on.
fn unusable(error: &str) -> &'static str {
    // The store tells it in words only.
    if error.contains("were copied into") {
        "write that database's `url` into the configuration, or give it up and run `ramz store reopen`"
    } else {
        "look at the file, or take a copy"
    }
}

/// Whether the database is there, takes writes, keeps what it acknowledges, and has a schema for this release.
async fn database(role: &str, config: &StoreConfig, findings: &mut Findings) -> bool {
    let what = format!("{role} store");
    let looked = match config.database(&SystemEntropy) {
        Ok(config) => PostgresStore::look(&config).await.map_err(|error| error.to_string()),
        Err(error) => Err(format!("{error:#}")),
    };
    match looked {
        Ok(Schema { found, known }) if found >= known => {
            findings.good(what, format!("PostgreSQL: schema {found}, this release's is {known}"));
            return true;
        }
        Ok(Schema { found, known }) => {
            let found = format!("PostgreSQL: schema {found}, this release needs {known}");
            findings.warn(
                what,
                found,
                "run `ramz store migrate`, or let the next start do it (migrate = true)",
            );
        }
        Err(error) => findings.bad(what, error, "look at the address, the servers, and what the user may do"),
    }
    false
}

/// The store's file, its schema, and the room for it.
fn file(role: &str, path: &Path, findings: &mut Findings) -> bool {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = written_s(path);
    let mut opens = schema(role, path, folder, findings);
    if written.is_some_and(|written| written > now_s() + 60) {
        findings.bad(
            "clock",
            format!("is behind the last write of {}", path.display()),
            "set it: locks and PINs would last too long",
        );
        // Opening it moves the log into the file, at the time of this clock: then nothing would tell any more.
        opens = false;
    }
    room(role, folder, findings);
    opens
}

/// When it was last written: the log beside it is, until it is moved into the file.
fn written_s(path: &Path) -> Option<i64> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let changed = |file: &Path| std::fs::metadata(file).ok().map(|data| data.mtime());
    changed(path).max(changed(Path::new(&log)))
}

/// What the file is; whether it is a store of this release that nobody has open.
fn schema(role: &str, path: &Path, folder: &Path, findings: &mut Findings) -> bool {
    let (what, shown) = (format!("{role} store"), path.display());
    match inspect(path) {
        Ok(Inspected::Store { found, known }) if found == known => {
            findings.good(&what, format!("{shown}: schema {found}, this release's"));
            return true;
        }
        Ok(Inspected::Store { found, known }) if found > known => {
            let found = format!("{shown}: schema {found}, this release knows {known}");
            findings.bad(&what, found, "run the newer release, or use the copy from before it");
        }
        Ok(Inspected::Store { found, known }) => {
            let found = format!("{shown}: schema {found}; the next start brings it to {known}");
            findings.warn(&what, found, "keep a copy before that start");
        }
        Ok(Inspected::InUse { holder }) => {
            findings.warn(&what, format!("{shown}: open in {holder}"), "well, if that is this role, running");
        }
        Ok(Inspected::Missing) if writable(folder) => {
            findings.good(&what, format!("{shown}: is made at the first start"));
        }
        Ok(Inspected::Missing) => {
            let found = format!("{shown}: its folder is missing, or not writable for this user");
            findings.bad(&what, found, "make the folder, the role's user its owner");
        }
        Err(error) => findings.bad(&what, format!("{shown}: {error}"), unusable(&error)),
    }
    false
}

/// The room for it.
fn room(role: &str, folder: &Path, findings: &mut Findings) {
    let what = format!("{role} disk");
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MiB free in {}", free >> 20, folder.display());
            match free {
                ..ROOM_NONE => findings.bad(what, found, "make room: without it nothing is answered"),
                ROOM_NONE..ROOM_LOW => findings.warn(what, found, "make room"),
                _ => findings.good(what, found),
            }
        }
        Err(error) => findings.bad(what, format!("{}: {error}", folder.display()), "make the folder"),
    }
}

fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_does_not_answer_says_nothing_of_its_keys() {
        let away = Unfit::Store(ramz_store::StoreFault::Unavailable("reading: time-out".into()));
        assert!(not_fitting(&away).contains("did not answer") && !not_fitting(&away).contains("key file"));
        assert!(not_fitting(&Unfit::OtherKeys(5)).contains("own key file"));
    }
}
