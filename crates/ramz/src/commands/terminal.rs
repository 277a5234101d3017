//! `ramz terminal`: one terminal service at one bank, as an ATM would ask for it. For integrators, before there is an ATM.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use ramz_api::problem::FieldError;
use ramz_domain::{Clock, Entropy, Language};
use ramz_sim::terminal::{Answer, Patience, Service, Session, Terminal, Typed, Wanted, reason};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

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

#[derive(Debug, Subcommand)]
enum Wish {
    /// Activate the app: one half of the code is printed, the other comes by SMS (900000)
    ActivateApp,
    /// PINs by SMS
    #[command(subcommand)]
    Sms(Sms),
    /// The app
    #[command(subcommand)]
    App(App),
    /// The dynamic first PIN
    #[command(subcommand)]
    FirstPin(FirstPin),
    /// Unlock after wrong PINs (940000)
    Unlock,
    /// Devices with the app
    #[command(subcommand)]
    Devices(Devices),
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Sms {
    /// Show the registered mobile, masked (910000)
    Show,
    /// Confirm it and activate PINs by SMS (911000)
    On,
    /// Switch PINs by SMS off (921000)
    Off,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum App {
    /// Switch the app off (920000)
    Off,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum FirstPin {
    /// Make the first PIN dynamic (930000)
    On,
    /// Go back to the static one (931000)
    Off,
}

#[derive(Clone, Debug, Subcommand)]
enum Devices {
    /// List them (950000)
    List,
    /// Remove one (951000)
    Revoke {
        /// Its number in the list
        number: String,
    },
}

impl Wish {
    fn wanted(&self) -> anyhow::Result<Wanted> {
        let (service, choice) = match self {
            Wish::ActivateApp => (Service::ActivateApp, None),
            Wish::Sms(Sms::Show) => (Service::ShowPhone, None),
            Wish::Sms(Sms::On) => (Service::ActivateSms, None),
            Wish::Sms(Sms::Off) => (Service::SmsOff, None),
            Wish::App(App::Off) => (Service::AppOff, None),
            Wish::FirstPin(FirstPin::On) => (Service::FirstPinOn, None),
            Wish::FirstPin(FirstPin::Off) => (Service::FirstPinOff, None),
            Wish::Unlock => (Service::Unlock, None),
            Wish::Devices(Devices::List) => (Service::ListDevices, None),
            Wish::Devices(Devices::Revoke { number }) => (Service::RevokeDevice, Some(number.as_str())),
        };
        Wanted::new(service, choice).map_err(|error| anyhow::anyhow!("the device: {}", error.detail))
    }
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let wanted = options.wish.wanted()?;
    let config: TerminalConfig = Settings { config: options.config }.load()?.table("terminal")?;
    let identity = config.identity()?;
    let session = match options.card_file {
        Some(file) => read_card(&prompt::file(&file)?)?,
        None => ask_card()?,
    };
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
        (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let shutdown = CancellationToken::new();
    let way = terminal::way(&config, Vec::new(), &clock, &entropy, &shutdown)?;
    let link = Arc::clone(&way.link);
    let terminal = Terminal::new(identity, vec![way], Patience::default(), clock, entropy);
    let served = match timeout(UP_WITHIN, link.came_up()).await {
        Ok(()) => terminal.serve(&session, &wanted).await.map_err(anyhow::Error::from),
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
        say::line(as_json(&served).to_string());
    } else if let Ok(answer) = &served {
        show(answer);
    }
    let answer = served?;
    if !answer.is_done() {
        let why = reason(&answer.response_code, Language::English);
        let refusal = answer.refusal.as_ref().map_or(String::new(), |refusal| format!(" ({refusal})"));
        bail!("the bank answered {}: {why}{refusal}", answer.response_code);
    }
    Ok(())
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

fn as_json(served: &anyhow::Result<Answer>) -> serde_json::Value {
    let none = |why: &dyn std::fmt::Display| json!({ "response_code": null, "reason": why.to_string() });
    match served {
        Ok(answer) => match serde_json::to_value(answer) {
            Ok(mut told) => {
                told["reason"] = reason(&answer.response_code, Language::English).into();
                told
            }
            Err(error) => none(&error),
        },
        Err(error) => none(error),
    }
}

/// What a person at the machine would see and take along.
fn show(answer: &Answer) {
    let code = &answer.response_code;
    say::line(format!("answer        {code} {}", reason(code, Language::English)));
    for (name, text) in [
        ("screen", &answer.show),
        ("mobile", &answer.masked_phone),
        ("receipt", &answer.print),
        ("receipt half", &answer.receipt_half),
        ("refusal", &answer.refusal),
    ] {
        let lines = text.iter().flat_map(|text| text.lines()).enumerate();
        lines.for_each(|(n, line)| say::line(format!("{:<14}{line}", if n == 0 { name } else { "" })));
    }
}
