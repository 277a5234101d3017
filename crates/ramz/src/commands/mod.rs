//! The command line. PANs, PINs and passphrases come from a prompt or a file, never from arguments.

mod card_view;
mod cards;
mod configuration;
mod doctor;
mod import;
mod journal;
mod keys;
mod lab;
mod load;
mod prompt;
mod role;
pub(crate) mod say;
mod store;
mod terminal;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, LogConfig};
use crate::system::log;

/// Dynamic PINs for bank cards: issue them, carry them to the cardholder, spend them exactly once.
#[derive(Debug, Parser)]
#[command(name = "ramz", version, arg_required_else_help = true)]
pub(crate) struct Ramz {
    #[command(subcommand)]
    command: Command,
}

/// Where the settings are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Settings {
    /// A TOML file that says what differs from the defaults (`ramz config show`)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    fn load(&self) -> anyhow::Result<Config> {
        Config::load(self.config.as_deref())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole system in one process, with banks, shop and phones, in the browser
    Lab(lab::Options),
    /// A bank's service: PIN requests, card authorisation, back office
    Issuer(Settings),
    /// Harim: from payment pages to the card's bank
    Router(Settings),
    /// A payment page and its merchant API
    Gateway(Settings),
    /// A bank's cards, at its back office: add, show, change, lock, close; many from a file
    Cards(cards::Options),
    /// Ask a bank as an ATM or a POS terminal would: activate app or SMS, unlock, devices; withdraw, balance, pay
    ///
    /// Card number, expiry and first PIN are asked for, or read from a file: they are no arguments, which would stay in the
    /// shell's history. What the screen shows and the receipt prints goes to standard output. The exit code is 0 if the bank
    /// answered 00, and else 1, with the reason on standard error.
    Terminal(terminal::Options),
    /// The Ramznegar app from the command line: compute PINs offline, and say what they may pay
    ///
    /// Card numbers, both halves of the activation code and the store's passphrase are asked for, or read from a file: they are no
    /// arguments, which would stay in the shell's history. What the app must not forget is kept in one sealed file.
    Token(token::Options),
    /// Make and change a key file
    Keys(keys::Options),
    /// Check a card's journal
    Journal(journal::Options),
    /// Bring a database's schema up, or move a store from a file into a database
    Store(store::Options),
    /// Check or show the configuration
    Config(configuration::Options),
    /// Look whether a role can run here: files, keys, certificates, ports, neighbours; and what to do if not
    Doctor(doctor::Options),
    /// Measure a running lab: PIN requests and authorisations from this process, in a closed loop
    Load(load::Options),
}

/// Runs a command to its end.
pub(crate) fn run(ramz: Ramz) -> anyhow::Result<()> {
    let filter = match &ramz.command {
        Command::Issuer(settings) | Command::Router(settings) | Command::Gateway(settings) => {
            settings.load()?.table::<LogConfig>("log")?.filter
        }
        Command::Lab(options) => options.log_filter(),
        _ => "warn".to_owned(),
    };
    // Dropped last: what the end of the rest says is written too.
    let _log = log::start(&filter)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(ramz.command, Command::Load(_)) {
        runtime.worker_threads(load::threads());
    }
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        match ramz.command {
            Command::Lab(options) => lab::run(options).await,
            Command::Issuer(settings) => role::issuer(&settings.load()?).await,
            Command::Router(settings) => role::router(&settings.load()?).await,
            Command::Gateway(settings) => role::gateway(&settings.load()?).await,
            Command::Cards(options) => cards::run(options).await,
            Command::Terminal(options) => terminal::run(options).await,
            Command::Token(options) => token::run(options).await,
            Command::Keys(options) => keys::run(options),
            Command::Journal(options) => journal::run(options).await,
            Command::Store(options) => store::run(options).await,
            Command::Config(options) => configuration::run(&options),
            Command::Doctor(options) => doctor::run(options).await,
            Command::Load(options) => load::run(options).await,
        }
    })
}
