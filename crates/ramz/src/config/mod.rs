//! Configuration: the defaults that are compiled in, with one file laid over them. Unknown keys are refused.

mod check;
mod show;
mod sms;
mod store;
mod terminal;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub(crate) use check::Remarks;
pub(crate) use store::{Kept, StoreConfig};
pub(crate) use terminal::TerminalConfig;

use crate::system::tls::TlsConfig;
use sms::SmsConfig;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("../../ramz.default.toml");

/// A table that no file needs to have: each of its settings has a default that anybody can use.
const OF_ALL: &str = "log";

/// A configuration, not yet read by a role.
pub(crate) struct Config {
    table: Table,
    /// The file that was laid over the defaults, if one was.
    over: Option<Over>,
}

/// A file's path, and the tables that it has.
struct Over {
    path: PathBuf,
    tables: Vec<String>,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogConfig {
    pub(crate) filter: String,
}

/// `[issuer]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerConfig {
    pub(crate) listen: IssuerListen,
    pub(crate) tls: TlsConfig,
    pub(crate) store: StoreConfig,
    pub(crate) keys: KeysConfig,
    pub(crate) sms: SmsConfig,
    pub(crate) bank: ramz_issuer::Config,
}

/// `[issuer.listen]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerListen {
    pub(crate) api: String,
    pub(crate) switch: String,
    pub(crate) admin: String,
    pub(crate) app: String,
    pub(crate) metrics: String,
}

/// `[….keys]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysConfig {
    pub(crate) file: PathBuf,
    pub(crate) passphrase_file: PathBuf,
}

/// `[router]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouterConfig {
    pub(crate) listen: RouterListen,
    pub(crate) tls: TlsConfig,
    pub(crate) harim: ramz_router::Config,
}

/// `[router.listen]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouterListen {
    pub(crate) api: String,
    pub(crate) directory: String,
    pub(crate) metrics: String,
}

/// `[gateway]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayConfig {
    pub(crate) listen: GatewayListen,
    pub(crate) tls: TlsConfig,
    pub(crate) store: StoreConfig,
    pub(crate) keys: KeysConfig,
    pub(crate) page: ramz_gateway::Config,
}

/// `[gateway.listen]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayListen {
    pub(crate) page: String,
    pub(crate) metrics: String,
}

/// `[operator]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorConfig {
    pub(crate) url: String,
    pub(crate) tls: TlsConfig,
}

impl Config {
    /// The defaults, with a file laid over them.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Config> {
        let mut table = defaults()?;
        let mut laid = None;
        if let Some(path) = path {
            let over = read(path)?;
            laid = Some(Over { path: path.to_owned(), tables: over.keys().cloned().collect() });
            for key in over.keys() {
                let known: Vec<&str> = table.keys().map(String::as_str).collect();
                let known = known.join(", ");
                anyhow::ensure!(
                    table.contains_key(key),
                    "{}: unknown table [{key}]; there are {known}",
                    path.display()
                );
            }
            lay_over(&mut table, over);
        }
        Ok(Config { table, over: laid })
    }

    /// One table, read. A file that says nothing of it is another command's: the defaults would be blamed for what nobody wrote.
    pub(crate) fn table<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        if let Some(Over { path, tables }) = &self.over
            && name != OF_ALL
            && !tables.iter().any(|table| table == name)
        {
            let path = path.display();
            let there = if tables.is_empty() { "nothing".to_owned() } else { tables.join(", ") };
            anyhow::bail!("{path} has no table [{name}]; it has: {there}");
        }
        let table = self.table.get(name).and_then(Value::as_table).cloned().unwrap_or_default();
        read_table(table).map_err(|why| anyhow::anyhow!("configuration, table [{name}]: {why}"))
    }

    /// All that is to be said of a file, or of the defaults.
    pub(crate) fn check(path: Option<&Path>) -> anyhow::Result<Remarks> {
        let over = path.map_or_else(|| Ok(Table::new()), read)?;
        Ok(check::look(&defaults()?, &over))
    }

    /// The tables that a file says something about.
    pub(crate) fn tables(path: &Path) -> anyhow::Result<Vec<String>> {
        Ok(read(path)?.keys().cloned().collect())
    }

    /// The whole, as TOML, the defaults marked. There are no secrets in a configuration.
    pub(crate) fn show(&self) -> anyhow::Result<String> {
        Ok(show::text(&self.table, &defaults()?))
    }
}

fn read(path: &Path) -> anyhow::Result<Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is no TOML", path.display()))
}

/// A table's values, or in one line what is wrong, then where.
fn read_table<T: DeserializeOwned>(table: Table) -> Result<T, String> {
    Value::Table(table).try_into().map_err(|error: toml::de::Error| {
        let words: Vec<String> = error.to_string().lines().map(|line| line.trim().to_owned()).collect();
        words.join(", ").trim_end_matches(", ").to_owned()
    })
}

fn defaults() -> anyhow::Result<Table> {
    DEFAULTS.parse().context("the defaults that are compiled in")
}

/// Tables are merged, everything else is replaced.
fn lay_over(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => lay_over(base, over),
            (_, value) => _ = base.insert(key, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(text: &str) -> (anyhow::Result<Config>, anyhow::Result<Remarks>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ramz.toml");
        std::fs::write(&path, text).unwrap();
        (Config::load(Some(&path)), Config::check(Some(&path)))
    }

    #[test]
    fn a_layout_file_is_read_and_what_is_wrong_in_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ours.toml");
        let checked = |layout: &str| {
            std::fs::write(&file, layout).unwrap();
            let text = format!("[issuer.bank.switch]\nlayout = {file:?}\npin_block_format = 4\n");
            let errors = over(&text).1.unwrap().errors;
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(checked("name = \"ours\"\nlike = \"bcd\"\n[fields]\n52 = \"b 128\"\n"), "");
        let said = checked("name = \"ours\"\nlike = \"bcd\"\n[fields]\n52 = \"b sixteen\"\n");
        for part in ["issuer: switch: layout file", "ours.toml: field 52", "a size from 1", "b sixteen"] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let remarks = Config::check(None).unwrap();
        assert!(remarks.errors.is_empty() && remarks.warnings.is_empty(), "{remarks:?}");
    }

    #[test]
    fn a_file_says_only_what_differs() {
        let (config, _) = over("[issuer.bank]\niins = [\"610433\"]\n[issuer.bank.policy]\ndigits = 8\n");
        let issuer: IssuerConfig = config.unwrap().table("issuer").unwrap();
        assert_eq!((issuer.bank.policy.digits, issuer.bank.policy.valid_for_s), (8, 120));
        assert_eq!(issuer.bank.iins, ["610433"]);
    }

    #[test]
    fn a_file_without_the_table_that_is_asked_for_is_another_commands() {
        let (config, _) = over("[issuer.bank]\niins = [\"610433\"]\n[router]\n[log]\n");
        let config = config.unwrap();
        assert!(
            config.table::<IssuerConfig>("issuer").is_ok() && config.table::<RouterConfig>("router").is_ok()
        );
        let told = config.table::<OperatorConfig>("operator").unwrap_err().to_string();
        assert!(told.ends_with("ramz.toml has no table [operator]; it has: issuer, log, router"), "{told}");
        let (config, _) = over("");
        let config = config.unwrap();
        let told = config.table::<OperatorConfig>("operator").unwrap_err().to_string();
        assert!(told.ends_with("it has: nothing") && config.table::<LogConfig>("log").is_ok(), "{told}");
        assert!(Config::load(None).unwrap().table::<OperatorConfig>("operator").is_ok());
    }

    #[test]
    fn what_is_unknown_or_unsafe_is_refused_by_name() {
        for (text, names) in [
            ("[isuer]\n", "isuer"),
            ("[issuer.bank.policy]\ndigit = 7\n", "digit"),
            ("[issuer.sms]\npassword = \"x\"\n", "password"),
            ("[issuer.bank.policy]\ndigits = 5\n", "1e-5"),
            ("[issuer.bank.policy]\nlock_first_s = 60\n", "lock_first"),
            ("[issuer.bank]\niins = [\"61043\"]\n", "61043"),
            ("[issuer.bank.switch]\nlayout = \"ebcdic\"\n", "ebcdic"),
            ("[issuer.bank.host]\nlayout = \"no/such.toml\"\n", "host: layout file no/such.toml"),
            ("[issuer.bank.host]\nheader = \"6\"\n", "header \"6\""),
            ("[issuer.bank.switch]\npin_block_format = 1\n", "0, 3 (TDEA) or 4 (AES)"),
            ("[issuer.bank.switch]\npin_block_format = 4\n", "PIN blocks of format 4: field 52"),
            (
                "[gateway.page]\nlinks = [{ name = \"a\", iins = [], address = \"switch:8721\", layout = \"b.toml\", zone = \"a\" }]\n",
                "layout file b.toml",
            ),
            ("[gateway.page]\nmerchants = [{ id = 1 }]\n", "gateway"),
            ("[terminal]\nmachine = \"kiosk\"\n", "machine: write atm, cashless or pos"),
            ("[terminal]\nterminal = \"123456789\"\n", "terminal: write 1 to 8"),
            ("[terminal]\npin_block_format = 4\n", "PIN blocks of format 4: field 52"),
            ("[terminal]\npin = \"1234\"\n", "unknown field `pin`"),
        ] {
            let (_, remarks) = over(text);
            let errors = remarks.unwrap().errors;
            assert!(errors.len() == 1 && errors[0].to_string().contains(names), "{text}: {errors:?}");
        }
        assert!(format!("{:#}", over("[router\n").1.unwrap_err()).contains("TOML"));
    }
}
