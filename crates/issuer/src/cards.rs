//! What the bank does with cards: add, change, unlock, look at. The door to it is `web::back_office`.

use std::sync::Arc;

use ramz_domain::card::{CardDetails, CardState, CardStatus, Command, UnlockedBy};
use ramz_domain::{CardId, Language, Pan, Phone, limits};
use ramz_keys::{IndexPurpose, Place};
use ramz_store::{Change, Head, Outcome, Sealed, Swap, Table};

use crate::engine::{CardColumns, Engine, EngineFault, Job, PAN_COLUMN, PHONE_COLUMN, Profile};
use crate::engine::{PROFILE_COLUMN, chain, index_key, row_body, row_card_id};

/// A card as the bank describes it.
#[derive(Clone, Debug)]
pub struct NewCard {
    /// Its number.
    pub pan: Pan,
    /// `YYMM`, as the card shows it.
    pub expiry: [u8; 4],
    /// The registered mobile.
    pub phone: Option<Phone>,
    /// The cardholder's language.
    pub language: Language,
    /// Whether it may pay.
    pub status: CardStatus,
    /// The bank's own words.
    pub profile: Profile,
}

/// What became of an addition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Added {
    /// It is there now.
    New(CardId),
    /// It was there already; nothing changed.
    Existing(CardId),
}

/// What changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct CardChange {
    /// `YYMM`.
    pub expiry: Option<[u8; 4]>,
    /// `Some(None)` takes the phone away.
    pub phone: Option<Option<Phone>>,
    /// The language.
    pub language: Option<Language>,
    /// The status.
    pub status: Option<CardStatus>,
    /// The bank's own words.
    pub profile: Option<Profile>,
}

/// Adds a card: first its place in the index, then the card. Cut off between the two, the same call goes on.
pub async fn add(engine: &Arc<Engine>, card: &NewCard) -> Result<Added, EngineFault> {
    let id = match engine.find(&card.pan).await? {
        Some(id) if engine.look(id).await?.is_some() => return Ok(Added::Existing(id)),
        Some(id) => id,
        None => claim(engine, &card.pan).await?,
    };
    let details = CardDetails {
        status: card.status,
        language: card.language,
        expiry: engine.expiry_tag(id, &card.expiry)?,
        has_phone: card.phone.is_some(),
    };
    let now = engine.clock.now();
    let (state, entry) = CardState::create(details, now);
    let (journal, head) = chain(engine.keys.as_ref(), id, Head::EMPTY, &[(now, entry)])?;
    let mut sealed = vec![seal(engine, id, PAN_COLUMN, Some(card.pan.expose().as_bytes()))?];
    let phone = card.phone.as_ref().map(|phone| phone.expose().as_bytes());
    sealed.push(seal(engine, id, PHONE_COLUMN, phone)?);
    sealed.push(seal_profile(engine, id, &card.profile)?);
    let swap = Swap {
        table: Table::Card,
        key: id.0.to_vec(),
        expected: None,
        body: row_body(&state)?,
        sealed,
        head,
        journal,
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    };
    Ok(match engine.committer.commit(Change::Swap(swap)).await? {
        Outcome::Won => Added::New(id),
        Outcome::Lost => Added::Existing(id),
    })
}

/// The index row of a PAN: ours, or that of whoever was first.
async fn claim(engine: &Arc<Engine>, pan: &Pan) -> Result<CardId, EngineFault> {
    let id = CardId::random(engine.entropy.as_ref());
    let tag = engine.keys.index(IndexPurpose::Pan, &[pan.expose().as_bytes()])?;
    let swap = Swap {
        table: Table::CardIndex,
        key: index_key(&tag),
        expected: None,
        body: id.0.to_vec(),
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    };
    match engine.committer.commit(Change::Swap(swap)).await? {
        Outcome::Won => Ok(id),
        Outcome::Lost => {
            let row =
                engine.store.read(Table::CardIndex, &index_key(&tag)).await?.ok_or(EngineFault::NoCard)?;
            row_card_id(&row.body)
        }
    }
}

/// Changes what is known of a card. A new phone ends the PINs that went to the old one. What the change leaves out is
/// what stands there when it is committed, also with two changes at once.
pub async fn change(engine: &Arc<Engine>, id: CardId, change: &CardChange) -> Result<(), EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        match change_once(engine, id, change).await {
            Err(EngineFault::Changed) => {}
            told => return told,
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

async fn change_once(engine: &Arc<Engine>, id: CardId, change: &CardChange) -> Result<(), EngineFault> {
    let Some((state, columns)) = engine.open(id).await? else { return Err(EngineFault::NoCard) };
    let phone_changed = change.phone.as_ref().is_some_and(|phone| *phone != columns.phone);
    let expiry = match &change.expiry {
        Some(expiry) => engine.expiry_tag(id, expiry)?,
        None => state.expiry(),
    };
    let details = CardDetails {
        status: change.status.unwrap_or(state.status()),
        language: change.language.unwrap_or(state.language()),
        expiry,
        has_phone: change.phone.as_ref().map_or(state.has_phone(), Option::is_some),
    };
    let mut sealed = Vec::new();
    if let Some(phone) = &change.phone {
        sealed.push(seal(engine, id, PHONE_COLUMN, phone.as_ref().map(|phone| phone.expose().as_bytes()))?);
    }
    if let Some(profile) = &change.profile {
        sealed.push(seal_profile(engine, id, profile)?);
    }
    let command = Command::Update { details, phone_changed };
    let made_from = Some(columns.version);
    engine.tell(id, Job { sealed, made_from, ..Job::from(command) }).await.map(|_| ())
}

/// Locks the card's dynamic PIN until it is unlocked.
pub async fn lock(engine: &Arc<Engine>, id: CardId) -> Result<(), EngineFault> {
    engine.tell(id, Command::Lock).await.map(|_| ())
}

/// Forgets the wrong PINs.
pub async fn unlock(engine: &Arc<Engine>, id: CardId) -> Result<(), EngineFault> {
    engine.tell(id, Command::Unlock { by: UnlockedBy::Bank }).await.map(|_| ())
}

/// A card's state and what is known of it.
pub async fn show(engine: &Engine, id: CardId) -> Result<Option<(CardState, CardColumns)>, EngineFault> {
    engine.open(id).await
}

fn seal(
    engine: &Engine,
    id: CardId,
    column: &'static str,
    clear: Option<&[u8]>,
) -> Result<Sealed, EngineFault> {
    let bytes = clear.map(|clear| engine.keys.seal(Place { row: &id.0, column }, clear)).transpose()?;
    Ok(Sealed { column, bytes })
}

fn seal_profile(engine: &Engine, id: CardId, profile: &Profile) -> Result<Sealed, EngineFault> {
    let clear = minicbor::to_vec(profile).map_err(|error| EngineFault::Row(error.to_string()))?;
    seal(engine, id, PROFILE_COLUMN, Some(&clear))
}
