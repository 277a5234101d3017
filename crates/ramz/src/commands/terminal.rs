//! `ramz terminal`: one terminal service or one payment at one bank, as an ATM or a POS terminal would ask for it. For
//! integrators, before there is one.

mod told;
mod wish;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ramz_api::problem::FieldError;
use ramz_domain::{Clock, Entropy};
use ramz_sim::terminal::{Patience, Session, Terminal, Typed};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::told::{Told, as_json};
use self::wish::{Asking, Wish};
use super::{Settings, prompt, say};
use crate::config::TerminalConfig;
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;
use crate::terminal;

/// How long the connection and the sign-on may take.
const UP_WITHIN: Duration = Duration::from_secs(5);
/// How long the sign-off may take. Nobody waits for it.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A TOML file with a table [terminal]: the bank's address and layout, zone and key file, the machine's numbers
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The card as JSON, {"pan", "expiry" (YYMM, may be left out), "pin"}; `-` reads standard input
    #[arg(long, value_name = "FILE", global = true)]
    card_file: Option<PathBuf>,
    /// The answer as JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    wish: Wish,
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let config: TerminalConfig = Settings { config: options.config }.load()?.table("terminal")?;
    let identity = config.identity()?;
    let asking = options.wish.asking(identity.machine)?;
    if let Asking::Payment(_) = asking {
        config.takes_payments()?;
    }
    let card = options.card_file.map(|file| read_card(&prompt::file(&file)?)).transpose()?;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
        (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let shutdown = CancellationToken::new();
    let way = terminal::way(&config, Vec::new(), &clock, &entropy, &shutdown)?;
    let link = Arc::clone(&way.link);
    let terminal = Terminal::new(identity, vec![way], Patience::default(), clock, entropy);
    let told = match timeout(UP_WITHIN, link.came_up()).await {
        // Nobody is asked for a PIN before all else is there: settings, keys, and the bank.
        Ok(()) => match card.map_or_else(ask_card, Ok) {
            Ok(session) => ask(&terminal, &session, &asking).await,
            Err(error) => Err(error),
        },
        Err(_) => {
            let address = &config.address;
            let tried = if config.sign_on { "a connection and a sign-on" } else { "a connection" };
            Err(anyhow::anyhow!("the bank does not answer: {address} does not take {tried}"))
        }
    };
    shutdown.cancel();
    // A link that was never up has nobody to sign off from.
    drop(timeout(CLOSED_WITHIN, link.closed()).await);
    if options.json {
        say::line(as_json(&told).to_string());
    } else if let Ok(told) = &told {
        told.show();
    }
    told?.done()
}

async fn ask(terminal: &Terminal, session: &Session, asking: &Asking) -> anyhow::Result<Told> {
    Ok(match asking {
        Asking::Service(wanted) => Told::Service(terminal.serve(session, wanted).await?),
        Asking::Payment(paying) => Told::Payment(terminal.pay(session, *paying).await?),
    })
}

fn read_card(bytes: &[u8]) -> anyhow::Result<Session> {
    // What the parser says of a card may quote it: only the place is told.
    let typed: Typed = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow::anyhow!(
            "the card file is no card: write {{\"pan\": \"…\", \"expiry\": \"YYMM\", \"pin\": \"…\"}}; \
             line {line}, column {column} does not fit"
        )
    })?;
    Session::read(&typed).map_err(|errors| wrong(&errors))
}

fn ask_card() -> anyhow::Result<Session> {
    let pan = prompt::secret("Card number")?;
    let expiry = prompt::line("Expiry as the card shows it (YYMM, empty: not sent): ")?;
    let expiry = Some(expiry.as_str()).filter(|expiry| !expiry.is_empty());
    let pin = prompt::secret("First PIN")?;
    Session::read(&Typed::new(&pan, expiry, &pin)).map_err(|errors| wrong(&errors))
}

fn wrong(errors: &[FieldError]) -> anyhow::Error {
    let each: Vec<String> =
        errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
    anyhow::anyhow!("the card cannot be used: {}", each.join("; "))
}
