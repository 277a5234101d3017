//! One bank of the lab: SMSC and card host, the issuer before them, and its cards.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use ramz_api::back_office::{CardBody, PhoneBody};
use ramz_api::net::Door;
use ramz_api::problem::Kind;
use ramz_domain::card::CardStatus;
use ramz_domain::{CardId, Moment, Pin, Rial};
use ramz_issuer::Running;
use ramz_link::{Names, Shape};
use ramz_sim::handsets::Handsets;
use ramz_sim::host::{Account, AccountState, CardHost};
use ramz_sim::portal::{CardNow, Cards};
use ramz_sim::smsc::{self, Smsc};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::cards::{self, LabCard, LabState};
use super::folder::Folder;
use super::measured;
use super::pinned::{BANKS, BankPort, PinnedBank, Ports};
use crate::client::{BackOffice, Sent, words};
use crate::config::{Config, IssuerConfig, OperatorConfig};
use crate::roles::{self, Surroundings, open_keys};
use crate::system::tcp::TcpDoor;

/// Cards added at the same time.
const ADD_AT_ONCE: usize = 64;

/// A bank that runs.
pub(crate) struct Bank {
    pinned: &'static PinnedBank,
    number: usize,
    /// What its switch speaks.
    layout: String,
    cards: Vec<(LabCard, CardId)>,
    pub(crate) host: Arc<CardHost>,
    pub(crate) smsc: Arc<Smsc>,
    issuer: Arc<Running>,
}

/// What stands around a bank's issuer: the operator's SMSC and the card host.
pub(crate) struct Neighbours {
    pub(crate) host: Arc<CardHost>,
    pub(crate) smsc: Arc<Smsc>,
}

/// Starts an issuer's neighbours where its configuration looks for them.
pub(crate) async fn neighbours(
    folder: &Folder,
    ports: &Ports,
    number: usize,
    config: &IssuerConfig,
    handsets: &Arc<Handsets>,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Neighbours> {
    let pinned = &BANKS[number];
    let account = smsc::Account {
        system_id: pinned.id.to_owned(),
        password: folder.secret("smpp-password")?,
        name: format!("bank {}", pinned.id),
        short_code: pinned.short_code.to_owned(),
    };
    let (clock, tap) = (Arc::clone(&around.clock), Arc::clone(&around.tap));
    let door = door(ports.bank(number, BankPort::Smpp)).await?;
    let (accounts, handsets) = (vec![account], Arc::clone(handsets));
    let smsc = Smsc::start(door, accounts, handsets, clock, tap, shutdown.child_token());
    let keys = Arc::new(open_keys(&config.keys, &around.entropy)?);
    let host = CardHost::new(keys, config.bank.host.zone.clone());
    let door = self::door(ports.bank(number, BankPort::Host)).await?;
    let spoken = &config.bank.host;
    let Shape { layout, header, .. } = Shape::read(&spoken.layout, &spoken.header)?;
    let names = Names { ours: "card host".into(), theirs: format!("bank {}", pinned.id) };
    // The issuer's own tap sees both directions of this wire.
    let silent = Arc::new(ramz_api::tap::NoTap);
    tokio::spawn(Arc::clone(&host).run(door, layout, header, silent, names, shutdown.child_token()));
    Ok(Neighbours { host, smsc })
}

/// An issuer's configuration, as written into the folder.
pub(crate) fn issuer_config(folder: &Folder, number: usize) -> anyhow::Result<IssuerConfig> {
    Config::load(Some(&folder.file(&format!("{}.toml", BANKS[number].id))))?.table("issuer")
}

/// Starts a bank and adds its cards through the back office.
pub(crate) async fn start(
    folder: &Folder,
    ports: &Ports,
    number: usize,
    handsets: &Arc<Handsets>,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Bank> {
    let pinned = &BANKS[number];
    let config = issuer_config(folder, number)?;
    let Neighbours { host, smsc } =
        neighbours(folder, ports, number, &config, handsets, around, shutdown).await?;
    let lab_cards = cards::of(pinned, number)?;
    for card in &lab_cards {
        host.open(Account {
            pan: card.pan.clone(),
            balance: card.balance,
            first_pin: Some(Pin::parse(card.static_first_pin)?),
            second_pin: Some(Pin::parse(card.static_second_pin)?),
            state: AccountState::Open,
        })?;
    }
    let issuer = Arc::new(roles::issuer::start(&config, around, shutdown).await?);
    let office = back_office(folder, pinned)?;
    let mut cards = Vec::new();
    for card in lab_cards {
        let added =
            add(&office, &card, pinned).await.with_context(|| format!("card {}", card.pan.masked()))?;
        let Some(id) = added else { continue };
        // Its phone comes last: nobody is told that it was locked.
        if card.state == LabState::Locked {
            office.lock(id).await?;
            office.phone(id, &PhoneBody { phone: card.phone.clone() }).await?;
        }
        cards.push((card, id));
    }
    let layout = config.bank.switch.layout;
    Ok(Bank { pinned, number, layout, cards, host, smsc, issuer })
}

async fn door(port: u16) -> anyhow::Result<Arc<dyn Door>> {
    Ok(Arc::new(TcpDoor::bind(&format!("127.0.0.1:{port}")).await?))
}

fn back_office(folder: &Folder, pinned: &PinnedBank) -> anyhow::Result<BackOffice> {
    let file = folder.file(&format!("{}-operator.toml", pinned.id));
    let operator: OperatorConfig = Config::load(Some(&file))?.table("operator")?;
    BackOffice::new(&operator)
}

/// A card that is there already, from an earlier run with the same folder, stays as it is. None: it was given another number
/// in that run, and the lab has no account for that one.
async fn add(office: &BackOffice, card: &LabCard, bank: &PinnedBank) -> anyhow::Result<Option<CardId>> {
    if let Some(id) = office.find(&card.pan).await? {
        return Ok(Some(id));
    }
    let expiry = card.expiry.as_bytes().try_into().context("an expiry has four digits")?;
    // Long ago, whatever the lab's clock says.
    let consented = Moment::default();
    let body = CardBody {
        pan: Some(card.pan.clone()),
        expiry: Some(expiry),
        phone: Some(card.phone.clone().filter(|_| card.state != LabState::Locked)),
        language: Some(card.language),
        status: Some(CardStatus::Active),
        product: Some(format!("{} lab", bank.id)),
        static_pin_consent: card.static_pin.then_some(Some(consented)),
        ..CardBody::default()
    };
    match office.try_add(&body).await? {
        Sent::Refused(problem) if problem.kind == Kind::AlreadyExists => {
            tracing::warn!(bank = bank.id, "a card of the lab has another number now, and is left out");
            Ok(None)
        }
        Sent::Refused(problem) => anyhow::bail!(words(&problem)),
        Sent::NotNow(why) => Err(why),
        Sent::Added | Sent::Changed | Sent::Existing => office.find(&card.pan).await,
    }
}

/// Adds cards for measuring, in the host and at the issuer; those that are there stay.
pub(crate) async fn add_measured(
    folder: &Folder,
    number: usize,
    host: &CardHost,
    count: usize,
) -> anyhow::Result<()> {
    anyhow::ensure!(count <= measured::MAX, "at most {} measured cards", measured::MAX);
    let office = Arc::new(back_office(folder, &BANKS[number])?);
    let numbers: Vec<usize> = (0..count).collect();
    for batch in numbers.chunks(ADD_AT_ONCE) {
        let mut adding = JoinSet::new();
        for number in batch {
            let (pan, phone) = measured::card(*number)?;
            host.open(Account {
                pan: pan.clone(),
                balance: Rial::new(100_000_000_000)?,
                first_pin: None,
                second_pin: None,
                state: AccountState::Open,
            })?;
            let body = CardBody {
                pan: Some(pan.clone()),
                expiry: measured::EXPIRY.as_bytes().try_into().ok(),
                phone: Some(Some(phone)),
                ..CardBody::default()
            };
            let office = Arc::clone(&office);
            adding.spawn(async move {
                match office.find(&pan).await? {
                    Some(_) => anyhow::Ok(()),
                    None => office.add(&body).await.map(|_| ()),
                }
            });
        }
        while let Some(added) = adding.join_next().await {
            added??;
        }
    }
    Ok(())
}

impl Bank {
    pub(crate) fn id(&self) -> &'static str {
        self.pinned.id
    }

    /// Waits until the card host is signed on and the SMSC bound.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        let until = Instant::now() + super::READY_WITHIN;
        while !(self.issuer.host.is_up() && self.smsc.bound() > 0) {
            anyhow::ensure!(Instant::now() < until, "the links to card host and SMSC are not up");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(crate) async fn stopped(&self) {
        self.issuer.stopped().await;
    }

    /// Its entry in `lab.json`.
    pub(crate) fn json(&self, ports: &Ports, folder: &Folder) -> anyhow::Result<Value> {
        let PinnedBank { id, name_fa, name_en, short_code, iins, .. } = self.pinned;
        let port = |of| ports.bank(self.number, of);
        Ok(json!({
            "id": id,
            "name": name_fa,
            "name_en": name_en,
            "iins": iins,
            "api": format!("https://localhost:{}", port(BankPort::Api)),
            "admin": format!("https://localhost:{}", port(BankPort::Admin)),
            "app": format!("http://localhost:{}", port(BankPort::App)),
            "short_code": short_code,
            "metrics": format!("http://localhost:{}", port(BankPort::Metrics)),
            "iso8583": { "address": format!("localhost:{}", port(BankPort::Switch)), "layout": self.layout, "header": "" },
            "smpp": {
                "address": format!("localhost:{}", port(BankPort::Smpp)),
                "system_id": id,
                "password": folder.secret("smpp-password")?.as_str(),
            },
            "zone": {
                "id": "switch",
                "cipher": "tdea",
                "key": folder.secret(&format!("{id}-switch-zone"))?.as_str(),
                "pin_block_format": 0,
            },
        }))
    }

    /// Its cards' entries in `lab.json`.
    pub(crate) fn cards_json(&self) -> Vec<Value> {
        let each = |(card, id): &(LabCard, CardId)| {
            json!({
                "bank": self.pinned.id,
                "card": id.to_string(),
                "pan": card.pan.expose(),
                "expiry": card.expiry,
                "cvv2": card.cvv2,
                "static_first_pin": card.static_first_pin,
                "static_second_pin": card.static_second_pin,
                "phone": card.phone.as_ref().map(|phone| format!("0{}", &phone.expose()[2..])),
                "balance": card.balance.get(),
                "state": card.state.word(card.phone.as_ref()),
                "static_pin_consent": card.static_pin,
            })
        };
        self.cards.iter().map(each).collect()
    }

    /// What the portal needs to tell balances and states as they are now.
    pub(crate) fn watched(&self) -> Watched {
        let cards =
            self.cards.iter().map(|(card, id)| (card.pan.clone(), *id, card.phone.is_some())).collect();
        Watched { cards, host: Arc::clone(&self.host), issuer: Arc::clone(&self.issuer) }
    }
}

/// A bank's cards as they are now.
pub(crate) struct Watched {
    cards: Vec<(ramz_domain::Pan, CardId, bool)>,
    host: Arc<CardHost>,
    issuer: Arc<Running>,
}

/// All banks' cards as they are now.
pub(crate) struct AllCards(pub(crate) Vec<Watched>);

#[async_trait]
impl Cards for AllCards {
    async fn now(&self) -> Vec<CardNow> {
        let mut now = Vec::new();
        for bank in &self.0 {
            for (pan, id, has_phone) in &bank.cards {
                let balance = bank.host.balance(pan).map_or(0, |balance| balance.get());
                let locked = bank.issuer.locked(*id).await;
                let state = match (locked, has_phone) {
                    (true, _) => "locked",
                    (false, false) => "no phone",
                    (false, true) => "active",
                };
                now.push(CardNow { pan: pan.expose().to_owned(), balance, state: state.to_owned() });
            }
        }
        now
    }
}
