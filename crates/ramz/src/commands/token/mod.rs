//! `ramz token`: the Ramznegar app from a command line. For tests, for integrators, and for whoever would rather have no app.
//!
//! What a phone is, is in `ramz_sim::phone`; here are the words, the file that it is kept in (`store`), and the way to the bank
//! (`door`). Card numbers, halves of codes and passphrases come from a prompt or a file.

mod choice;
mod door;
mod store;
mod told;
mod typed;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use ramz_api::app::Slot;
use ramz_domain::{Clock as _, DeviceId, TokenId};
use ramz_sim::phone::{Phone, PhoneState};

use self::store::{Lock, Store};
use self::told::words;
use super::say;
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where the phone is kept, sealed [default: ramz/token in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "FILE", global = true)]
    store: Option<PathBuf>,
    /// A file whose first line is the store's passphrase; without it, the passphrase is asked for
    #[arg(long, value_name = "FILE", global = true)]
    passphrase_file: Option<PathBuf>,
    /// PEM: the authority of the bank's certificate, if it is none that this system trusts (it has a bundle for that, such
    /// as Debian's ca-certificates; none is built in)
    #[arg(long, value_name = "FILE", global = true)]
    ca_file: Option<PathBuf>,
    #[command(subcommand)]
    wish: Wish,
}

#[derive(Debug, Subcommand)]
enum Wish {
    /// Make this a device of the bank, with the half of the code on the receipt and the half by SMS
    Activate {
        /// The bank's app door: https://…, or http://localhost:…
        #[arg(long, value_name = "URL")]
        bank: String,
        /// What the device is called in lists
        #[arg(long)]
        name: String,
        /// Both halves as JSON, {"receipt_code", "sms_code"}; `-` reads standard input. Without it, they are asked for
        #[arg(long, value_name = "FILE")]
        codes_file: Option<PathBuf>,
    },
    /// Put a card on it
    Add {
        /// The card as JSON, {"pan", "expiry" (YYMM)}; `-` reads standard input. Without it, it is asked for
        #[arg(long, value_name = "FILE")]
        card_file: Option<PathBuf>,
    },
    /// Show the cards as the bank has them: PINs, ceilings, locks, clock, what was refused
    List {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Compute a PIN; needs no network
    Code {
        #[command(flatten)]
        which: Which,
        /// For the web (second), or where the card is read (first)
        #[arg(long, default_value = "second")]
        slot: SlotWord,
        /// What it may pay at most: an amount of the card's table in rial, or its step [default: as the slot's own ceiling]
        #[arg(long, value_name = "RIAL|STEP")]
        ceiling: Option<String>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Set what a PIN may pay at most, whatever its own ceiling
    Ceiling {
        #[command(flatten)]
        which: Which,
        /// Which PIN
        #[arg(long)]
        slot: SlotWord,
        /// An amount of the card's table in rial, its step, or none
        #[arg(long, value_name = "RIAL|STEP|none")]
        to: String,
    },
    /// Make the first PIN this device's, or the static one again
    FirstPin {
        #[command(flatten)]
        which: Which,
        on: Switched,
    },
    /// Let this device's codes pay on the web, or not
    SecondPin {
        #[command(flatten)]
        which: Which,
        on: Switched,
    },
    /// Ask the bank whether a control code is right, and nothing else
    Check(Which),
    /// Tell the bank what this clock shows, by two control codes
    Resync(Which),
    /// Take a card off this device
    Remove(Which),
    /// The devices that the cards are on
    Devices {
        #[command(subcommand)]
        wish: Option<Devices>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Devices {
    /// Give a device another name
    Rename {
        /// Its id in the list; `this` for this one
        device: String,
        /// The name
        name: String,
    },
    /// Take a device away, with its cards
    Revoke {
        /// Its id in the list; `this` for this one
        device: String,
    },
}

/// Which card; needed where there are several.
#[derive(Debug, Args)]
struct Which {
    /// The last four digits of the card number, or the card's reference
    #[arg(long, value_name = "ENDING|REFERENCE")]
    card: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SlotWord {
    First,
    Second,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switched {
    On,
    Off,
}

impl From<SlotWord> for Slot {
    fn from(word: SlotWord) -> Slot {
        match word {
            SlotWord::First => Slot::First,
            SlotWord::Second => Slot::Second,
        }
    }
}

impl Switched {
    fn is_on(self) -> bool {
        matches!(self, Switched::On)
    }
}

impl Options {
    fn store(&self) -> anyhow::Result<PathBuf> {
        match &self.store {
            Some(path) => Ok(path.clone()),
            None => store::usual_path(),
        }
    }

    /// The phone in the store, which no other command has meanwhile, with the bank's time.
    async fn phone(&self) -> anyhow::Result<Phone> {
        let path = self.store()?;
        let lock = Lock::take(&path)?;
        let passphrase = store::passphrase(self.passphrase_file.as_deref())?;
        let state = store::open(&path, &passphrase)?;
        state.activated().map_err(words)?;
        let mut phone = self.with(state, Store::new(path, passphrase, lock))?;
        phone.sync_time().await.map_err(words)?;
        Ok(phone)
    }

    fn with(&self, state: PhoneState, store: Store) -> anyhow::Result<Phone> {
        let way = door::way(state.url(), self.ca_file.as_deref())?;
        Ok(Phone::new(state, Arc::new(way), Box::new(store), Arc::new(SystemClock), Arc::new(SystemEntropy)))
    }

    async fn activate(&self, bank: &str, name: &str, codes: Option<&std::path::Path>) -> anyhow::Result<()> {
        let path = self.store()?;
        let lock = Lock::take(&path)?;
        let (state, passphrase) = if path.exists() {
            let passphrase = store::passphrase(self.passphrase_file.as_deref())?;
            let mut state = store::open(&path, &passphrase)?;
            let again = || {
                format!(
                    "{} is a device already; if the bank has taken it away, delete the file. Another bank's goes into another --store",
                    path.display()
                )
            };
            anyhow::ensure!(state.activated().is_err(), again());
            state.set_url(bank);
            (state, passphrase)
        } else {
            let passphrase = store::new_passphrase(self.passphrase_file.as_deref())?;
            (PhoneState::new(bank, &SystemEntropy), passphrase)
        };
        let mut phone = self.with(state, Store::new(path, passphrase, lock))?;
        let (receipt, sms) = typed::halves(codes)?;
        let activated = phone.activate(&receipt, &sms, name).await.map_err(words)?;
        say::line(format!("device {} activated at {}", activated.device, activated.name_en));
        say::line(format!(
            "cards can be added without a control code until {}",
            activated.add_cards_until.rfc3339()
        ));
        Ok(())
    }

    /// No network, no lock: the store's file is whole at any time.
    fn code(&self, which: &Which, slot: Slot, ceiling: Option<&str>, json: bool) -> anyhow::Result<()> {
        let path = self.store()?;
        let passphrase = store::passphrase(self.passphrase_file.as_deref())?;
        let state = store::open(&path, &passphrase)?;
        state.activated().map_err(words)?;
        let card = state.card(which.of(&state)?).map_err(words)?;
        let step = ceiling.map_or(Ok(0), |text| choice::step(text, &card.ceilings))?;
        let code = state.code(card.reference, slot, step, SystemClock.now()).map_err(words)?;
        if json {
            say::line(told::code_json(&code, step, card).to_string());
            return Ok(());
        }
        told::code_lines(&code, step, slot, card).iter().for_each(say::line);
        if !card.slot(slot).on {
            let word = slot.code();
            say::note(&format!(
                "the {word} PIN was not this device's when the bank was last asked: ramz token {word}-pin on"
            ));
        }
        Ok(())
    }
}

impl Which {
    fn of(&self, state: &PhoneState) -> anyhow::Result<TokenId> {
        choice::card(self.card.as_deref(), state.cards())
    }
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    match &options.wish {
        Wish::Activate { bank, name, codes_file } => {
            options.activate(bank, name, codes_file.as_deref()).await
        }
        Wish::Code { which, slot, ceiling, json } => {
            options.code(which, (*slot).into(), ceiling.as_deref(), *json)
        }
        Wish::Devices { wish, json } => devices(&mut options.phone().await?, wish.as_ref(), *json).await,
        Wish::List { json } => {
            let cards = options.phone().await?.cards().await.map_err(words)?;
            if *json {
                say::line(serde_json::to_string(&cards)?);
            } else {
                told::cards(&cards).iter().for_each(say::line);
            }
            Ok(())
        }
        Wish::Add { card_file } => {
            let mut phone = options.phone().await?;
            let (pan, expiry) = typed::card(card_file.as_deref())?;
            let view = phone.add_card(&pan, expiry).await.map_err(words)?;
            told::card(&view).iter().for_each(say::line);
            Ok(())
        }
        wish => change(&mut options.phone().await?, wish).await,
    }
}

/// What is done to one card.
async fn change(phone: &mut Phone, wish: &Wish) -> anyhow::Result<()> {
    let view = match wish {
        Wish::Ceiling { which, slot, to } => {
            let card = phone.state().card(which.of(phone.state())?).map_err(words)?;
            let (reference, step) = (card.reference, choice::step(to, &card.ceilings)?);
            phone.set_ceiling(reference, (*slot).into(), step).await
        }
        Wish::FirstPin { which, on } => {
            let card = which.of(phone.state())?;
            phone.first_pin(card, on.is_on()).await
        }
        Wish::SecondPin { which, on } => {
            let card = which.of(phone.state())?;
            phone.second_pin(card, on.is_on()).await
        }
        Wish::Resync(which) => {
            let card = which.of(phone.state())?;
            phone.resync(card).await
        }
        Wish::Check(which) => {
            let card = which.of(phone.state())?;
            phone.check(card).await.map_err(words)?;
            say::line("the control code was right");
            return Ok(());
        }
        Wish::Remove(which) => {
            let card = which.of(phone.state())?;
            phone.remove(card).await.map_err(words)?;
            say::line(format!("card {card} is off this device"));
            return Ok(());
        }
        _ => anyhow::bail!("this changes no card"),
    };
    told::card(&view.map_err(words)?).iter().for_each(say::line);
    Ok(())
}

async fn devices(phone: &mut Phone, wish: Option<&Devices>, json: bool) -> anyhow::Result<()> {
    let this = phone.state().activated().map_err(words)?.device;
    let named = |text: &str| match text {
        "this" => Ok(this),
        text => DeviceId::parse(text).context("a device is 32 hexadecimal digits, as in the list, or `this`"),
    };
    match wish {
        None => {
            let view = phone.devices().await.map_err(words)?;
            if json {
                say::line(serde_json::to_string(&view)?);
            } else {
                view.devices.iter().map(told::device).for_each(say::line);
            }
        }
        Some(Devices::Rename { device, name }) => {
            let view = phone.rename(named(device)?, name).await.map_err(words)?;
            say::line(told::device(&view));
        }
        Some(Devices::Revoke { device }) => {
            let device = named(device)?;
            phone.revoke(device).await.map_err(words)?;
            say::line(format!("device {device} is revoked, and its cards are off it"));
            if device == this {
                say::note("this was this one: nothing that it computes is good any more; delete its store");
            }
        }
    }
    Ok(())
}
