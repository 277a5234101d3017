//! `[issuer.sms]`: the way to the operators. One bind is written flat; more are a list, in order of preference, and each says
//! only what differs from the flat settings.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ramz_domain::limits;
use ramz_sms::smpp::SmppConfig;
use serde::Deserialize;
use zeroize::Zeroizing;

/// `[issuer.sms]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmsConfig {
    pub(crate) address: String,
    pub(crate) system_id: String,
    pub(crate) password_file: PathBuf,
    pub(crate) sender: String,
    pub(crate) window: usize,
    pub(crate) rate_per_s: u32,
    pub(crate) receipts: bool,
    pub(crate) binds: Vec<BindConfig>,
}

/// One of `issuer.sms.binds`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindConfig {
    pub(crate) address: String,
    pub(crate) name: Option<String>,
    pub(crate) system_id: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) window: Option<usize>,
    pub(crate) rate_per_s: Option<u32>,
}

impl SmsConfig {
    /// The binds in order of preference. `read` reads a password file.
    pub(crate) fn binds(
        &self,
        service: &str,
        read: impl Fn(&PathBuf) -> anyhow::Result<Zeroizing<String>>,
    ) -> anyhow::Result<Vec<SmppConfig>> {
        let flat = BindConfig {
            address: self.address.clone(),
            name: None,
            system_id: None,
            password_file: None,
            window: None,
            rate_per_s: None,
        };
        let each = if self.binds.is_empty() { vec![&flat] } else { self.binds.iter().collect() };
        anyhow::ensure!(
            each.len() <= limits::SMPP_BINDS_MAX,
            "issuer.sms.binds: at most {} binds, there are {}",
            limits::SMPP_BINDS_MAX,
            each.len()
        );
        let mut binds: Vec<SmppConfig> = Vec::new();
        for bind in each {
            let window = bind.window.unwrap_or(self.window);
            anyhow::ensure!(
                (1..=limits::SMPP_WINDOW_MAX).contains(&window),
                "issuer.sms: window must be from 1 to {}, {window} is not",
                limits::SMPP_WINDOW_MAX
            );
            let password = read(bind.password_file.as_ref().unwrap_or(&self.password_file))?;
            let system_id = bind.system_id.as_ref().unwrap_or(&self.system_id);
            let mut config = SmppConfig::new(service, &bind.address, system_id, password, &self.sender)
                .with_context(|| format!("issuer.sms, bind to {:?}", bind.address))?;
            config.window = window;
            config.rate_per_s = NonZeroU32::new(bind.rate_per_s.unwrap_or(self.rate_per_s));
            config.receipts = self.receipts;
            config.bind = bind.name.clone().unwrap_or_else(|| bind.address.clone());
            // Two binds to one SMSC are usual, and their metrics are to be told apart.
            let same = binds.iter().filter(|other| other.bind == config.bind).count();
            anyhow::ensure!(
                same == 0 || bind.name.is_none(),
                "issuer.sms.binds: two are called {:?}",
                config.bind
            );
            if bind.name.is_none() {
                let before =
                    self.binds.iter().take(binds.len()).filter(|other| other.address == bind.address);
                match before.count() {
                    0 => {}
                    before => config.bind = format!("{} ({})", bind.address, before + 1),
                }
            }
            binds.push(config);
        }
        Ok(binds)
    }

    /// Where it binds.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        if self.binds.is_empty() {
            return vec![&self.address];
        }
        self.binds.iter().map(|bind| bind.address.as_str()).collect()
    }

    /// The password files it reads, each once.
    pub(crate) fn password_files(&self) -> BTreeSet<&Path> {
        if self.binds.is_empty() {
            return [self.password_file.as_path()].into();
        }
        self.binds
            .iter()
            .map(|bind| bind.password_file.as_ref().unwrap_or(&self.password_file).as_path())
            .collect()
    }

    /// What can be said without the password files.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.binds("check", |_| Ok(Zeroizing::default())).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, IssuerConfig};

    fn binds(sms: &str) -> anyhow::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ramz.toml");
        std::fs::write(&path, format!("[issuer.sms]\n{sms}"))?;
        let issuer: IssuerConfig = Config::load(Some(&path))?.table("issuer")?;
        let shown = |bind: &SmppConfig| {
            format!("{} {} {}", bind.bind, bind.window, bind.rate_per_s.map_or(0, NonZeroU32::get))
        };
        let binds = issuer.sms.binds("bank", |file| Ok(file.display().to_string().into()))?;
        Ok(binds.iter().map(shown).collect())
    }

    #[test]
    fn one_bind_is_written_flat_and_more_say_what_differs() {
        let password = "password_file = \"pw\"\n";
        let found = binds(&format!("{password}address = \"a:1\"\nrate_per_s = 50\n")).unwrap();
        assert_eq!(found, ["a:1 16 50"]);
        let list = "window = 32\nbinds = [{ address = \"a:1\" }, { address = \"a:1\" }, \
                    { name = \"b\", address = \"b:1\", window = 64, rate_per_s = 9, password_file = \"p\" }]\n";
        assert_eq!(binds(&format!("{password}{list}")).unwrap(), ["a:1 32 0", "a:1 (2) 32 0", "b 64 9"]);
    }

    #[test]
    fn what_cannot_be_bound_is_refused_by_name() {
        for (sms, names) in [
            ("window = 0\n", "window"),
            ("window = 1025\n", "window"),
            ("binds = [{ address = \"a\" }]\n", "bind to \"a\""),
            ("binds = [{ address = \"a:1\", windw = 1 }]\n", "windw"),
            ("binds = [{ system_id = \"x\" }]\n", "address"),
            ("binds = [{ address = \"a:1\", name = \"x\" }, { address = \"b:1\", name = \"x\" }]\n", "\"x\""),
        ] {
            let error = binds(&format!("password_file = \"pw\"\n{sms}")).unwrap_err();
            assert!(format!("{error:#}").contains(names), "{sms}: {error:#}");
        }
        let nine: String = (1..=9).map(|n| format!("{{ address = \"a:{n}\" }}, ")).collect();
        let error = binds(&format!("password_file = \"pw\"\nbinds = [{nine}]\n")).unwrap_err();
        assert!(error.to_string().contains("at most 8"), "{error:#}");
    }
}
