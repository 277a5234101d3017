//! `ramz cards`: the back office's client, for one card at a time. Many at once are [`import`]'s.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ramz_api::back_office::{CardBody, CardView};
use ramz_domain::{CardId, Pan};
use zeroize::Zeroizing;

use super::{Settings, import, prompt, say};
use crate::client::BackOffice;
use crate::config::OperatorConfig;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Cards,
}

#[derive(Debug, Subcommand)]
enum Cards {
    /// Add a card, described as JSON: pan, expiry (YYMM), phone, language, status, customer, product
    Add {
        #[command(flatten)]
        settings: Settings,
        /// A file with the card as JSON; `-` reads standard input. Without it, the card is asked for
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Add many cards from a CSV or JSON Lines file; killed, it goes on where it stopped
    Import(import::Options),
    /// Show a card: state, never secrets
    Show(Which),
    /// Lock a card's dynamic PIN until it is unlocked
    Lock(Which),
    /// Unlock a card's dynamic PIN
    Unlock(Which),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    settings: Settings,
    /// The card's id; without it, the card number is asked for
    card: Option<String>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Cards::Add { settings, file } => {
            let office = office(&settings)?;
            let card = match file {
                Some(file) => read_card(&file)?,
                None => ask_card()?,
            };
            let id = office.add(&card).await?;
            say::line(format!("card {id} added"));
        }
        Cards::Import(options) => import::run(options).await?,
        Cards::Show(which) => {
            let office = office(&which.settings)?;
            let id = which.find(&office).await?;
            show(&office.show(id).await?);
        }
        Cards::Lock(which) => {
            let office = office(&which.settings)?;
            let id = which.find(&office).await?;
            show(&office.lock(id).await?);
        }
        Cards::Unlock(which) => {
            let office = office(&which.settings)?;
            let id = which.find(&office).await?;
            show(&office.unlock(id).await?);
        }
    }
    Ok(())
}

impl Which {
    async fn find(&self, office: &BackOffice) -> anyhow::Result<CardId> {
        if let Some(card) = &self.card {
            // A number typed by mistake must not stay in the shell's history unnoticed, nor be repeated here.
            return CardId::parse(card)
                .context("a card id is 32 hexadecimal digits; leave it out to be asked for the card number");
        }
        let pan = ask_pan()?;
        let found = office.find(&pan).await?;
        found.with_context(|| format!("no card {} at this issuer", pan.masked()))
    }
}

fn office(settings: &Settings) -> anyhow::Result<BackOffice> {
    let config: OperatorConfig = settings.load()?.table("operator")?;
    BackOffice::new(&config)
}

fn read_card(file: &std::path::Path) -> anyhow::Result<CardBody> {
    let bytes = prompt::file(file)?;
    CardBody::parse_new(&bytes).map_err(|problem| {
        let errors: Vec<String> =
            problem.errors.iter().map(|e| format!("\n  {}: {}", e.pointer, e.detail)).collect();
        anyhow::anyhow!("the card is malformed{}", errors.concat())
    })
}

fn ask_card() -> anyhow::Result<CardBody> {
    let pan = ask_pan()?;
    let mut json = serde_json::Map::new();
    for (member, question) in [
        ("expiry", "Expiry as the card shows it (YYMM): "),
        ("phone", "Mobile number (empty: none): "),
        ("language", "Language, fa or en (empty: fa): "),
    ] {
        let answer = prompt::line(question)?;
        if !answer.is_empty() {
            json.insert(member.to_owned(), answer.as_str().into());
        }
    }
    json.insert("pan".to_owned(), pan.expose().into());
    let bytes = Zeroizing::new(serde_json::Value::Object(json).to_string().into_bytes());
    CardBody::parse_new(&bytes).map_err(|problem| {
        let errors: Vec<String> =
            problem.errors.iter().map(|e| format!("{}: {}", e.pointer, e.detail)).collect();
        anyhow::anyhow!("{}", errors.join("; "))
    })
}

fn ask_pan() -> anyhow::Result<Pan> {
    Ok(Pan::parse_typed(&prompt::secret("Card number")?)?)
}

fn show(card: &CardView) {
    let none = || "none".to_owned();
    say::line(format!("card        {}", card.card));
    say::line(format!("number      {}", card.pan));
    say::line(format!("phone       {}", card.phone.clone().unwrap_or_else(none)));
    say::line(format!("status      {}", card.status));
    say::line(format!("language    {}", card.language));
    let locked = match (card.locked, &card.locked_until) {
        (false, _) => "no".to_owned(),
        (true, Some(until)) => format!("until {until}"),
        (true, None) => "until it is unlocked".to_owned(),
    };
    say::line(format!("locked      {locked}"));
    say::line(format!("wrong PINs  {} in a row", card.failures));
    say::line(format!("open PINs   {}", card.open_pins));
}
