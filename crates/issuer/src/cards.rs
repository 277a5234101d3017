//! What the bank does with cards: add, change, unlock, look at. The door to it is `web::back_office`.

use std::sync::Arc;

use ramz_domain::ambient::random_bytes;
use ramz_domain::card::{CardDetails, CardLimits, CardState, CardStatus, Command, Service, UnlockedBy};
use ramz_domain::{ActivationId, CardId, Language, Moment, Pan, Phone, Rial, limits};
use ramz_keys::{IndexPurpose, Place};
use ramz_store::{Change, Head, Outcome, Sealed, Swap, Table};

use crate::engine::{
    By, CardColumns, Engine, EngineFault, Found, Job, JournalRecord, PAN_COLUMN, PHONE_COLUMN, Profile,
};
use crate::engine::{PROFILE_COLUMN, chain, index_body, index_key, row_body, row_found};
use crate::phones;

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
    /// Since when its holder accepts the risk of a static second PIN.
    pub consent: Option<Moment>,
    /// Limits of its own.
    pub limits: CardLimits,
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
    /// `Some(None)` takes the consent to a static second PIN away.
    pub consent: Option<Option<Moment>>,
    /// `Some(None)` takes its own limit for texted PINs away.
    pub sms_pin_max: Option<Option<Rial>>,
    /// The same for static PINs.
    pub static_max: Option<Option<Rial>>,
    /// The customer's number at the bank; an empty one takes it away.
    pub customer: Option<String>,
    /// The product; an empty one takes it away.
    pub product: Option<String>,
}

/// The card that has this number now; by one that it had before it is not found. A number may have its place and no card yet.
pub(crate) async fn find(engine: &Engine, pan: &Pan) -> Result<Option<CardId>, EngineFault> {
    let Some(Found { card, issue }) = engine.find(pan).await? else { return Ok(None) };
    let state = engine.look(card).await?;
    Ok(state.is_none_or(|state| state.issue() == issue).then_some(card))
}

/// Adds a card: first its place in the index, then its phone's hint, then the card. Cut off between, the same call goes on.
///
/// # Errors
/// [`EngineFault::Taken`] if the number was a card's before.
pub(crate) async fn add(engine: &Arc<Engine>, card: &NewCard, by: By) -> Result<Added, EngineFault> {
    let found = match engine.find(&card.pan).await? {
        Some(found) => found,
        None => {
            let fresh = Found { card: CardId::random(engine.entropy.as_ref()), issue: 0 };
            claim(engine, &card.pan, fresh).await?
        }
    };
    let id = found.card;
    match engine.look(id).await? {
        // One that a card had, or is about to get: who adds it has another card in mind.
        Some(state) if state.issue() != found.issue => return Err(EngineFault::Taken),
        Some(_) => return Ok(Added::Existing(id)),
        None => {}
    }
    if let Some(phone) = &card.phone {
        phones::link(engine, phone, id).await?;
    }
    let details = CardDetails {
        status: card.status,
        language: card.language,
        expiry: engine.expiry_tag(id, &card.expiry)?,
        has_phone: card.phone.is_some(),
        product: card.profile.product.clone(),
        consent: card.consent,
        limits: card.limits,
    };
    let now = engine.clock.now();
    let (state, entry) = CardState::create(details, now);
    let record = JournalRecord { at: now, entry, by: by.as_deref().map(str::to_owned) };
    let (journal, head) = chain(engine.keys.as_ref(), id, Head::EMPTY, &[record])?;
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
async fn claim(engine: &Arc<Engine>, pan: &Pan, found: Found) -> Result<Found, EngineFault> {
    let tag = engine.keys.index(IndexPurpose::Pan, &[pan.expose().as_bytes()])?;
    let swap = Swap {
        table: Table::CardIndex,
        key: index_key(&tag),
        expected: None,
        body: index_body(found),
        sealed: Vec::new(),
        head: Head::EMPTY,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    };
    match engine.committer.commit(Change::Swap(swap)).await? {
        Outcome::Won => Ok(found),
        Outcome::Lost => {
            let row =
                engine.store.read(Table::CardIndex, &index_key(&tag)).await?.ok_or(EngineFault::NoCard)?;
            row_found(&row.body)
        }
    }
}

/// Changes what is known of a card. A new phone ends the PINs that went to the old one, and what was switched on with it. What the
/// change leaves out is what stands there when it is committed, also with two changes at once.
pub(crate) async fn change(
    engine: &Arc<Engine>,
    id: CardId,
    change: &CardChange,
    by: By,
) -> Result<(), EngineFault> {
    let mut left = None;
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        match change_once(engine, id, change, by.clone(), &mut left).await {
            Err(EngineFault::Changed) => {}
            told => {
                // Only a hint is left if this is cut off: the card says whose it is.
                if let (Ok(()), Some(phone)) = (&told, left) {
                    unlink_unless_its_own(engine, &phone, id).await?;
                }
                return told;
            }
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// Another change may have given the card its old phone back meanwhile, and found the hint still there.
async fn unlink_unless_its_own(engine: &Arc<Engine>, phone: &Phone, id: CardId) -> Result<(), EngineFault> {
    let has_it = async || {
        let opened = engine.open(id).await?;
        Ok::<_, EngineFault>(opened.is_some_and(|(_, columns)| columns.phone.as_ref() == Some(phone)))
    };
    if has_it().await? {
        return Ok(());
    }
    phones::unlink(engine, phone, id).await?;
    if has_it().await? {
        phones::link(engine, phone, id).await?;
    }
    Ok(())
}

/// `left`: the phone that the card had, also if an earlier round took it away without anybody's knowing.
async fn change_once(
    engine: &Arc<Engine>,
    id: CardId,
    change: &CardChange,
    by: By,
    left: &mut Option<Phone>,
) -> Result<(), EngineFault> {
    let Some((state, columns)) = engine.open(id).await? else { return Err(EngineFault::NoCard) };
    // Closed is for good: what would open it again must not be told as done.
    if state.status() == CardStatus::Closed && change.status.is_some_and(|to| to != CardStatus::Closed) {
        return Err(EngineFault::Closed);
    }
    let phone_changed = change.phone.as_ref().is_some_and(|phone| *phone != columns.phone);
    let expiry = match &change.expiry {
        Some(expiry) => engine.expiry_tag(id, expiry)?,
        None => state.expiry(),
    };
    let new_phone = change.phone.as_ref().filter(|_| phone_changed).and_then(Option::as_ref);
    if let Some(phone) = new_phone {
        phones::link(engine, phone, id).await?;
    }
    let known = columns.profile.clone();
    let profile = Profile {
        customer: words(change.customer.clone(), known.customer.clone()),
        product: words(change.product.clone(), known.product.clone()),
    };
    let details = CardDetails {
        status: change.status.unwrap_or(state.status()),
        language: change.language.unwrap_or(state.language()),
        expiry,
        has_phone: change.phone.as_ref().map_or(state.has_phone(), Option::is_some),
        product: profile.product.clone(),
        consent: change.consent.unwrap_or(state.static_consent()),
        limits: CardLimits {
            sms_pin_max: change.sms_pin_max.unwrap_or(state.limits().sms_pin_max),
            static_max: change.static_max.unwrap_or(state.limits().static_max),
        },
    };
    let mut sealed = Vec::new();
    if let Some(phone) = &change.phone {
        sealed.push(seal(engine, id, PHONE_COLUMN, phone.as_ref().map(|phone| phone.expose().as_bytes()))?);
    }
    if profile != known {
        sealed.push(seal_profile(engine, id, &profile)?);
    }
    let command = Command::Update { details, phone_changed };
    let old_phone = columns.phone.filter(|_| phone_changed);
    if old_phone.is_some() {
        left.clone_from(&old_phone);
    }
    let job = Job { sealed, made_from: Some(columns.version), old_phone, by, ..Job::from(command) };
    engine.tell(id, job).await.map(|_| ())
}

/// The bank's own words: what is left out stays, an empty text takes away.
pub(crate) fn words(given: Option<String>, known: Option<String>) -> Option<String> {
    given.or(known).filter(|words| !words.is_empty())
}

/// Gives a card a new number and expiry; the old number finds it no more, except for reversals.
///
/// # Errors
/// [`EngineFault::Taken`] if the number is another card's, or was this one's first; [`EngineFault::Closed`].
pub(crate) async fn reissue(
    engine: &Arc<Engine>,
    id: CardId,
    pan: &Pan,
    expiry: &[u8; 4],
    by: By,
) -> Result<(), EngineFault> {
    for _ in 0..limits::SWAP_ATTEMPTS_MAX {
        let Some((state, columns)) = engine.open(id).await? else { return Err(EngineFault::NoCard) };
        // Before a number is taken that could be no other card's afterwards.
        if state.status() == CardStatus::Closed {
            return Err(EngineFault::Closed);
        }
        let issue = match engine.find(pan).await? {
            Some(found) if found.card != id => return Err(EngineFault::Taken),
            // The number that it has: told again after an outcome that nobody knew, and nothing is left to do.
            Some(found) if found.issue == state.issue() && columns.pan.as_ref() == Some(pan) => found.issue,
            Some(found) if found.issue == 0 => return Err(EngineFault::Taken),
            Some(found) => found.issue,
            None => {
                // Random, so that a number which was claimed and never committed stays nobody's.
                let issue = u32::from_be_bytes(random_bytes(engine.entropy.as_ref())).max(1);
                let claimed = claim(engine, pan, Found { card: id, issue }).await?;
                if claimed.card != id {
                    return Err(EngineFault::Taken);
                }
                claimed.issue
            }
        };
        let command = Command::Reissue { expiry: engine.expiry_tag(id, expiry)?, issue };
        let sealed = vec![seal(engine, id, PAN_COLUMN, Some(pan.expose().as_bytes()))?];
        let made_from = Some(columns.version);
        let job = Job { sealed, made_from, by: by.clone(), ..Job::from(command) };
        match engine.tell(id, job).await {
            Err(EngineFault::Changed) => {}
            told => return told.map(|_| ()),
        }
    }
    Err(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX))
}

/// The first PIN is the static one again: a phone was lost.
pub(crate) async fn first_pin_off(engine: &Arc<Engine>, id: CardId, by: By) -> Result<(), EngineFault> {
    let fresh = ActivationId([0; 16]);
    let command = Command::Switch { service: Service::FirstPinOff, fresh, key_version: 0 };
    engine.tell(id, Job { by, ..Job::from(command) }).await.map(|_| ())
}

/// Locks the card's dynamic PIN until it is unlocked.
pub(crate) async fn lock(engine: &Arc<Engine>, id: CardId, by: By) -> Result<(), EngineFault> {
    engine.tell(id, Job { by, ..Job::from(Command::Lock) }).await.map(|_| ())
}

/// Forgets the wrong PINs.
pub(crate) async fn unlock(engine: &Arc<Engine>, id: CardId, by: By) -> Result<(), EngineFault> {
    engine.tell(id, Job { by, ..Job::from(Command::Unlock { by: UnlockedBy::Bank }) }).await.map(|_| ())
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
