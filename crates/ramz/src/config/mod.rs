//! Configuration: the defaults that are compiled in, with one file laid over them. Unknown keys are refused.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::system::tls::TlsConfig;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("../../ramz.default.toml");

/// A configuration, not yet read by a role.
pub(crate) struct Config(Table);

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
    pub(crate) metrics: String,
}

/// `[issuer.sms]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmsConfig {
    pub(crate) address: String,
    pub(crate) system_id: String,
    pub(crate) password_file: PathBuf,
    pub(crate) sender: String,
}

/// `[….store]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreConfig {
    pub(crate) path: PathBuf,
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
        if let Some(path) = path {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let over: Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
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
        Ok(Config(table))
    }

    /// One table, read.
    pub(crate) fn table<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        let table = self.0.get(name).cloned().unwrap_or_else(|| Value::Table(Table::new()));
        table.try_into().map_err(|error: toml::de::Error| {
            // One line: what is wrong, then where.
            let words: Vec<String> = error.to_string().lines().map(|line| line.trim().to_owned()).collect();
            anyhow::anyhow!("configuration, table [{name}]: {}", words.join(", ").trim_end_matches(", "))
        })
    }

    /// All tables, read: what `config check` does.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.table::<LogConfig>("log")?;
        let issuer = self.table::<IssuerConfig>("issuer")?;
        issuer.bank.policy.policy(&issuer.bank.limits)?;
        issuer.bank.limits.rates()?;
        self.table::<RouterConfig>("router")?;
        self.table::<GatewayConfig>("gateway")?;
        self.table::<OperatorConfig>("operator").map(|_| ())
    }

    /// The whole, as TOML. There are no secrets in a configuration.
    pub(crate) fn show(&self) -> anyhow::Result<String> {
        Ok(toml::to_string_pretty(&self.0)?)
    }
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

    fn over(text: &str) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ramz.toml");
        std::fs::write(&path, text)?;
        Config::load(Some(&path))
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        Config::load(None).unwrap().check().unwrap();
    }

    #[test]
    fn a_file_says_only_what_differs() {
        let config = over("[issuer.bank]\niins = [\"610433\"]\n[issuer.bank.policy]\ndigits = 8\n").unwrap();
        let issuer: IssuerConfig = config.table("issuer").unwrap();
        assert_eq!((issuer.bank.policy.digits, issuer.bank.policy.valid_for_s), (8, 120));
        assert_eq!(issuer.bank.iins, ["610433"]);
    }

    #[test]
    fn what_is_unknown_or_unsafe_is_refused_by_name() {
        for (text, names) in [
            ("[isuer]\n", "isuer"),
            ("[issuer.bank.policy]\ndigit = 7\n", "digit"),
            ("[issuer.sms]\npassword = \"x\"\n", "password"),
            ("[issuer.bank.policy]\ndigits = 5\n", "1e-5"),
            ("[issuer.bank.policy]\nlock_first_s = 60\n", "lock_first"),
            ("[router\n", "TOML"),
            ("[gateway.page]\nmerchants = [{ id = 1 }]\n", "gateway"),
        ] {
            let error = over(text).and_then(|config| config.check()).unwrap_err();
            assert!(format!("{error:#}").contains(names), "{text}: {error:#}");
        }
    }
}
