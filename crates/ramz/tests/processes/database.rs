//! What a bank's roles keep their rows in: a file each, or with `RAMZ_TEST_STORE=postgres` a schema each on one PostgreSQL server of
//! the test's own. So every test of this harness is one of both stores.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::types::Value;
use serde_json::json;

use super::server::Server;

/// One server for all banks of a test's process.
static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start_with(&["max_connections=400"]));

/// What a bank's rows are in.
pub(crate) enum Kept {
    /// Files in this folder.
    Files(PathBuf),
    /// Schemas whose names begin so, one for each role or bank.
    Database(String),
}

impl Kept {
    /// As the environment says.
    pub(crate) fn as_told(folder: &Path) -> Kept {
        match std::env::var("RAMZ_TEST_STORE").as_deref() {
            Ok("postgres") => Kept::database(folder),
            Ok(other) if other != "sqlite" => panic!("RAMZ_TEST_STORE is sqlite or postgres, not {other}"),
            _ => Kept::files(folder),
        }
    }

    /// Files, whatever the environment says: for what is about files.
    pub(crate) fn files(folder: &Path) -> Kept {
        Kept::Files(folder.to_owned())
    }

    /// A database, whatever the environment says.
    pub(crate) fn database(_: &Path) -> Kept {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("bank{}_", NEXT.fetch_add(1, Ordering::Relaxed));
        for of in ["issuer", "gateway", "mellat", "melli"] {
            SERVER.schema(&format!("{name}{of}"));
        }
        Kept::Database(name)
    }

    /// A database's address, with `{}` for whose schema is meant, as `ramz lab` takes it.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Kept::Files(_) => None,
            Kept::Database(name) => Some(SERVER.url(&format!("&options=-csearch_path%3D{name}{{}}"))),
        }
    }

    /// A role's `store` table.
    pub(crate) fn settings(&self, role: &str) -> serde_json::Value {
        match self {
            Kept::Files(folder) => json!({ "path": folder.join(format!("{role}.db")) }),
            Kept::Database(_) => json!({ "url": self.url().unwrap().replace("{}", role) }),
        }
    }

    /// Bytes, given in hexadecimal, as a statement has them.
    pub(crate) fn bytes(&self, hex: &str) -> String {
        match self {
            Kept::Files(_) => format!("x'{hex}'"),
            Kept::Database(_) => format!("decode('{hex}', 'hex')"),
        }
    }

    /// What gives a column of bytes in hexadecimal.
    pub(crate) fn hex(&self, column: &str) -> String {
        match self {
            Kept::Files(_) => format!("hex({column})"),
            Kept::Database(_) => format!("encode({column}, 'hex')"),
        }
    }

    /// The table that new entries of the journal are in.
    pub(crate) fn journal(&self) -> &'static str {
        match self {
            Kept::Files(_) => "journal",
            Kept::Database(_) => "journal_in_line",
        }
    }

    /// Runs a statement on a role's rows: the first column of its first row.
    pub(crate) fn sql(&self, role: &str, sql: &str) -> String {
        match self {
            Kept::Files(folder) => {
                let file = rusqlite::Connection::open(folder.join(format!("{role}.db"))).unwrap();
                let mut statement = file.prepare(sql).unwrap();
                let mut rows = statement.query([]).unwrap();
                let first = rows.next().unwrap().map(|row| row.get::<_, Value>(0).unwrap());
                match first {
                    Some(Value::Text(text)) => text,
                    Some(Value::Integer(number)) => number.to_string(),
                    None => String::new(),
                    other => panic!("ask for text or a number: {other:?}"),
                }
            }
            Kept::Database(name) => SERVER.sql("ramz", &format!("SET search_path = {name}{role}; {sql}")),
        }
    }
}
