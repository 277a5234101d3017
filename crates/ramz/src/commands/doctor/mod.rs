//! `ramz doctor`: can this role run here, and if not, what is to be done.
//!
//! Everything is looked at: no port is kept, no store made or migrated. A store that nobody has open is opened for a moment as its
//! role opens it, which takes its lock and moves its log into the file; no row changes. Peers are reached over TCP and TLS; a bind or a
//! sign-on, which the other side may take for the role itself, only with `--connect`.

mod files;
mod peers;
mod store;

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::files::Shown;
use self::peers::Asked;
use self::store::Owner;
use super::say;
use crate::config::{Config, GatewayConfig, IssuerConfig, OperatorConfig, RouterConfig, TerminalConfig};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The role's settings; the roles that it has a table for are looked at
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Look at this role only
    role: Option<Role>,
    /// Also bind to the SMSC and sign on at the card host, as the role does: stop the role first
    #[arg(long)]
    connect: bool,
    /// Findings as JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Role {
    Issuer,
    Router,
    Gateway,
    Operator,
    Terminal,
}

impl Role {
    const ALL: [(Role, &'static str); 5] = [
        (Role::Issuer, "issuer"),
        (Role::Router, "router"),
        (Role::Gateway, "gateway"),
        (Role::Operator, "operator"),
        (Role::Terminal, "terminal"),
    ];

    fn word(self) -> &'static str {
        Role::ALL.iter().find(|(role, _)| *role == self).map_or("", |(_, word)| word)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    /// It runs, and somebody should look.
    Warning,
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Finding {
    verdict: Verdict,
    /// What was looked at.
    what: String,
    /// What was found.
    found: String,
    /// What to do next, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

/// All that was looked at, in order.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.add(Verdict::Good, what.into(), found.into(), None);
    }

    fn warn(&mut self, what: impl Into<String>, found: impl Into<String>, todo: &str) {
        self.add(Verdict::Warning, what.into(), found.into(), Some(todo.to_owned()));
    }

    fn bad(&mut self, what: impl Into<String>, found: impl Into<String>, todo: &str) {
        self.add(Verdict::Bad, what.into(), found.into(), Some(todo.to_owned()));
    }

    fn add(&mut self, verdict: Verdict, what: String, found: String, todo: Option<String>) {
        self.0.push(Finding { verdict, what, found, todo });
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let findings = look(&options).await?;
    let (bad, warnings) = (findings.count(Verdict::Bad), findings.count(Verdict::Warning));
    if options.json {
        let json = serde_json::json!({ "findings": findings.0, "bad": bad, "warnings": warnings });
        say::line(serde_json::to_string_pretty(&json)?);
    } else {
        say::line(table(&findings.0, std::io::stdout().is_terminal()));
        say::line(format!("{} good, {warnings} to look at, {bad} bad", findings.count(Verdict::Good)));
    }
    anyhow::ensure!(bad == 0, "{bad} of {} things are not as they must be", findings.0.len());
    Ok(())
}

async fn look(options: &Options) -> anyhow::Result<Findings> {
    let path = &options.config;
    let mut findings = Findings::default();
    let remarks = Config::check(Some(path))?;
    let file = path.display().to_string();
    for error in &remarks.errors {
        findings.bad(&file, error.to_string(), "mend the file; `ramz config show` has every setting");
    }
    for warning in &remarks.warnings {
        findings.warn(&file, warning.to_string(), "leave it only if it is meant");
    }
    if !remarks.errors.is_empty() {
        return Ok(findings);
    }
    findings.good(&file, "is a configuration");
    files::clock(&mut findings);
    let config = Config::load(Some(path))?;
    let tables = Config::tables(path)?;
    let meant = |role: Role| match options.role {
        Some(only) => only == role,
        None => tables.iter().any(|table| table == role.word()),
    };
    let roles: Vec<Role> = Role::ALL.map(|(role, _)| role).into_iter().filter(|role| meant(*role)).collect();
    anyhow::ensure!(
        !roles.is_empty(),
        "{file} has a table of no role: there are issuer, router, gateway, operator and terminal"
    );
    for role in roles {
        one(role, &config, options.connect, &mut findings).await.with_context(|| role.word().to_owned())?;
    }
    Ok(findings)
}

async fn router(word: &str, config: &RouterConfig, findings: &mut Findings) {
    let tls = files::tls(word, Shown::Both, &config.tls, findings);
    let listen = &config.listen;
    peers::ports(word, &[&listen.api, &listen.directory, &listen.metrics], findings).await;
    files::directory(word, &config.harim, findings);
    for bank in &config.harim.banks {
        let name = format!("bank {}", bank.id);
        peers::secured(word, &name, &bank.url, Asked::Pin, tls.as_ref(), findings).await;
    }
}

async fn one(role: Role, config: &Config, connect: bool, findings: &mut Findings) -> anyhow::Result<()> {
    let word = role.word();
    match role {
        Role::Issuer => {
            let config: IssuerConfig = config.table(word)?;
            let listen = &config.listen;
            files::tls(word, Shown::Door, &config.tls, findings);
            let bank = &config.bank;
            let mut zones = vec![
                (bank.switch.zone.as_str(), bank.switch.pin_block_format),
                (bank.host.zone.as_str(), bank.host.pin_block_format),
            ];
            zones.extend(bank.verifiers.iter().map(|one| (one.zone.as_str(), one.pin_block_format)));
            files::keys(word, &config.keys, &zones, !listen.app.is_empty(), findings);
            for file in config.sms.password_files() {
                files::secret(word, "SMPP password", file, findings);
            }
            if store::look(word, &config.store, findings).await
                && let Some(store) = store::rows(word, &config.store, Owner::Issuer, findings).await
            {
                store::fits(word, store.as_ref(), &config.keys, findings).await;
            }
            peers::ports(
                word,
                &[&listen.api, &listen.switch, &listen.admin, &listen.app, &listen.metrics],
                findings,
            )
            .await;
            peers::plain(word, "card host", &bank.host.address, findings).await;
            for address in config.sms.addresses() {
                peers::plain(word, "SMSC", address, findings).await;
            }
            if connect {
                peers::bind(&config, findings).await;
                peers::sign_on(&config, findings).await;
            }
        }
        Role::Router => router(word, &config.table(word)?, findings).await,
        Role::Gateway => {
            let config: GatewayConfig = config.table(word)?;
            let tls = files::tls(word, Shown::Client, &config.tls, findings);
            let links = &config.page.links;
            let zones: Vec<(&str, u8)> =
                links.iter().map(|link| (link.zone.as_str(), link.pin_block_format)).collect();
            files::keys(word, &config.keys, &zones, false, findings);
            for merchant in &config.page.merchants {
                if let Some(file) = &merchant.api_key_file {
                    files::secret(word, &format!("API key of {}", merchant.id), file, findings);
                }
            }
            if store::look(word, &config.store, findings).await {
                store::rows(word, &config.store, Owner::Gateway, findings).await;
            }
            peers::ports(word, &[&config.listen.page, &config.listen.metrics], findings).await;
            peers::secured(word, "router", &config.page.router, Asked::Pin, tls.as_ref(), findings).await;
            for link in links {
                peers::plain(word, &link.name, &link.address, findings).await;
            }
        }
        Role::Operator => {
            let config: OperatorConfig = config.table(word)?;
            let tls = files::tls(word, Shown::Client, &config.tls, findings);
            peers::secured(word, "back office", &config.url, Asked::Resources, tls.as_ref(), findings).await;
        }
        Role::Terminal => {
            let config: TerminalConfig = config.table(word)?;
            files::keys(
                word,
                &config.keys,
                &[(config.zone.as_str(), config.pin_block_format)],
                false,
                findings,
            );
            peers::plain(word, "bank", &config.address, findings).await;
        }
    }
    Ok(())
}

/// A line for each finding, and under it what to do.
fn table(findings: &[Finding], colours: bool) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { verdict, what, found, todo } in findings {
        let (mark, colour) = match verdict {
            Verdict::Good => ('✓', 32),
            Verdict::Warning => ('!', 33),
            Verdict::Bad => ('✗', 31),
        };
        let mark = if colours { format!("\u{1b}[{colour}m{mark}\u{1b}[0m") } else { mark.to_string() };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{mark} {what:<width$}  {found}");
        if let Some(todo) = todo {
            let _ = writeln!(text, "  {:<width$}  → {todo}", "");
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up_and_says_what_to_do() {
        let mut findings = Findings::default();
        findings.good("a store", "opens");
        findings.bad("key", "missing", "make one");
        assert_eq!(table(&findings.0, false), "✓ a store  opens\n✗ key      missing\n           → make one");
    }
}
