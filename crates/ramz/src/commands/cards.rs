//! `ramz cards`: the back office's client, for one card at a time. Many at once are [`import`]'s.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ramz_api::back_office::{CardBody, PhoneBody, Reissue};
use ramz_api::problem::Problem;
use ramz_domain::card::CardStatus;
use ramz_domain::{CardId, DeviceId, Pan, Phone};
use zeroize::Zeroizing;

use super::{Settings, card_view, import, prompt, say};
use crate::client::BackOffice;
use crate::config::OperatorConfig;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Cards,
}

#[derive(Debug, Subcommand)]
enum Cards {
    /// Add a card
    ///
    /// Its members, as JSON: pan, expiry (YYMM), phone, language, status, customer, product, static_pin_consent,
    /// sms_pin_max, static_pin_max. Only the first two are needed.
    Add {
        #[command(flatten)]
        settings: Settings,
        /// A file with the card as JSON; `-` reads standard input. Without it, the card is asked for
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Add or change many cards from a CSV or JSON Lines file; killed, it goes on where it stopped
    Import(import::Options),
    /// Show a card: state, never secrets
    Show(Which),
    /// Lock a card's dynamic PIN until it is unlocked
    Lock(Which),
    /// Unlock a card's dynamic PIN
    Unlock(Which),
    /// Change what a file says of a card; what it leaves out stays
    ///
    /// Members as of `add`, without pan, as JSON; an empty text takes away what need not be there. A card that was hot-listed is used again
    /// with {"status":"active"}.
    Change {
        #[command(flatten)]
        which: Which,
        /// A file with the members as JSON; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// Register another mobile for a card: open PINs are over, and what was switched on with the old one is off
    Phone {
        #[command(flatten)]
        which: Which,
        /// A file with the mobile as JSON: phone; `-` reads standard input. Without it, it is asked for
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Take the mobile away, and register none
        #[arg(long, conflicts_with = "file")]
        none: bool,
    },
    /// Give a card a new number and expiry; its id, phone and services stay
    Reissue {
        #[command(flatten)]
        which: Which,
        /// A file with the new card as JSON: pan, expiry; `-` reads standard input. Without it, they are asked for
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Make the static first PIN the one that counts again: the phone is lost
    FirstPinOff(Which),
    /// Take a device away, with all its cards: the phone is lost, and `show` has told both ids
    RevokeDevice {
        #[command(flatten)]
        settings: Settings,
        /// The id of a card that is on the device
        card: String,
        /// The device's id
        device: String,
    },
    /// Refuse a card that is lost or stolen
    HotList(Which),
    /// End a card for good: nothing makes it active again
    Close(Which),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    settings: Settings,
    /// The card's id; without it, the card number is asked for
    card: Option<String>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let told = match options.command {
        Cards::Import(options) => return import::run(options).await,
        Cards::Add { settings, file } => return add(&settings, file.as_deref()).await,
        Cards::Show(which) => {
            let (office, id) = which.find().await?;
            office.show(id).await?
        }
        Cards::Lock(which) => {
            let (office, id) = which.find().await?;
            office.lock(id).await?
        }
        Cards::Unlock(which) => {
            let (office, id) = which.find().await?;
            office.unlock(id).await?
        }
        Cards::Change { which, file } => {
            let (office, id) = which.find().await?;
            office.change(id, &CardBody::parse_change(&prompt::file(&file)?).map_err(malformed)?).await?
        }
        Cards::Phone { which, file, none } => {
            let (office, id) = which.find().await?;
            let phone = match file {
                Some(file) => PhoneBody::parse(&prompt::file(&file)?).map_err(malformed)?,
                None if none => PhoneBody { phone: None },
                None => PhoneBody { phone: Some(ask_phone()?) },
            };
            office.phone(id, &phone).await?
        }
        Cards::Reissue { which, file } => {
            let (office, id) = which.find().await?;
            let new = match file {
                Some(file) => Reissue::parse(&prompt::file(&file)?).map_err(malformed)?,
                None => ask_reissue()?,
            };
            office.reissue(id, &new).await?
        }
        Cards::FirstPinOff(which) => {
            let (office, id) = which.find().await?;
            office.first_pin_off(id).await?
        }
        Cards::RevokeDevice { settings, card, device } => {
            let (office, id) = Which { settings, card: Some(card) }.find().await?;
            let device = DeviceId::parse(&device)
                .context("a device's id is 32 hexadecimal digits; `ramz cards show` tells it")?;
            office.revoke_device(id, device).await?
        }
        Cards::HotList(which) => {
            let (office, id) = which.find().await?;
            let status = Some(CardStatus::HotListed);
            office.change(id, &CardBody { status, ..CardBody::default() }).await?
        }
        Cards::Close(which) => {
            let (office, id) = which.find().await?;
            office.close(id).await?
        }
    };
    for line in card_view::lines(&told) {
        say::line(line);
    }
    Ok(())
}

impl Which {
    async fn find(&self) -> anyhow::Result<(BackOffice, CardId)> {
        let office = office(&self.settings)?;
        if let Some(card) = &self.card {
            // A number typed by mistake must not stay in the shell's history unnoticed, nor be repeated here.
            let id = CardId::parse(card).context(
                "a card id is 32 hexadecimal digits; leave it out to be asked for the card number",
            )?;
            return Ok((office, id));
        }
        let pan = ask_pan("Card number")?;
        let found = office.find(&pan).await?;
        let id = found.with_context(|| format!("no card {} at this issuer", pan.masked()))?;
        Ok((office, id))
    }
}

fn office(settings: &Settings) -> anyhow::Result<BackOffice> {
    let config: OperatorConfig = settings.load()?.table("operator")?;
    BackOffice::new(&config)
}

async fn add(settings: &Settings, file: Option<&Path>) -> anyhow::Result<()> {
    let office = office(settings)?;
    let card = match file {
        Some(file) => CardBody::parse_new(&prompt::file(file)?).map_err(malformed)?,
        None => ask_card()?,
    };
    let id = office.add(&card).await?;
    say::line(format!("card {id} added"));
    Ok(())
}

/// What is wrong with a file, or with what was typed, place by place.
fn malformed(problem: Problem) -> anyhow::Error {
    let errors = problem.errors.iter().map(|e| format!("\n  {}: {}", e.pointer, e.detail));
    anyhow::anyhow!("the card is malformed{}", errors.collect::<String>())
}

fn ask_card() -> anyhow::Result<CardBody> {
    let pan = ask_pan("Card number")?;
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
    CardBody::parse_new(&bytes).map_err(malformed)
}

fn ask_reissue() -> anyhow::Result<Reissue> {
    let pan = ask_pan("New card number")?;
    let expiry = prompt::line("Expiry as the new card shows it (YYMM): ")?;
    let json = serde_json::json!({ "pan": pan.expose(), "expiry": expiry.as_str() });
    Reissue::parse(&Zeroizing::new(json.to_string().into_bytes())).map_err(malformed)
}

/// An answer is needed: a script that says nothing must not take a phone away.
fn ask_phone() -> anyhow::Result<Phone> {
    let typed = prompt::line("New mobile number: ")?;
    anyhow::ensure!(!typed.is_empty(), "no mobile number was given; --none takes the one that is there away");
    Ok(Phone::parse(&typed)?)
}

fn ask_pan(what: &str) -> anyhow::Result<Pan> {
    Ok(Pan::parse_typed(&prompt::secret(what)?)?)
}
