//! `/app/cards`: put a card on the device, see how it stands, change what its codes may do.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ramz_api::app::{
    AddCard, CardsView, Ceiling, Check, Control, Resync, Slot as SlotWord, Switch, TokenView, seed_associated,
};
use ramz_api::problem::{FieldError, Kind, Problem};
use ramz_domain::card::{Answer, AppCommand, CardState, CardStatus, Command, Mark, NewToken, Slot};
use ramz_domain::device::NotLinked;
use ramz_domain::{CardId, Pin, Refusal, TokenId, limits};
use ramz_keys::{KeyFault, Place, Received, TakenSeed};
use ramz_store::Sealed;
use subtle::ConstantTimeEq as _;

use super::signed::Signed;
use super::{AppDoor, CODES, Shared};
use crate::devices::{self, Known};
use crate::engine::{CardColumns, EngineFault, Found, Job, SEED_COLUMNS};

pub(super) async fn list(State(door): Shared, signed: Signed) -> Result<Json<CardsView>, Problem> {
    let mut cards = Vec::new();
    for on in signed.known.device.cards() {
        let view = door.view(on.card, on.token, signed.known.id).await.map_err(|f| door.problem(&f))?;
        cards.extend(view);
    }
    let receive_key = Some(door.receive_key().map_err(|f| door.problem(&f))?);
    Ok(Json(CardsView { now_ms: door.engine.clock.now().unix_ms(), receive_key, cards }))
}

pub(super) async fn add(State(door): Shared, signed: Signed) -> Result<Response, Problem> {
    let asked = AddCard::parse(&signed.body)?;
    let (known, now) = (&signed.known, door.engine.clock.now());
    door.limits.card_of(known.id, now).map_err(Problem::too_many_requests)?;
    // A repeat proves nothing anew: what it asks for is there. Asked before anything is said of the card.
    let there = match known.device.card(asked.reference) {
        Some(card) => door.has(card, asked.reference, known).await.map_err(|f| door.problem(&f))?,
        None => false,
    };
    if !there && !known.device.is_fresh(now) {
        let Control { card: by, code } =
            asked.control.clone().ok_or_else(|| Problem::control_code_missing("/control"))?;
        door.tell(known, by, AppCommand::Check(by), vec![code], "/control/code").await?;
    }
    let found = door.card_of(known, &asked).await.map_err(|f| door.problem(&f))?;
    let Found { card, issue } = found.ok_or_else(Problem::card_not_accepted)?;
    door.link(known, asked.reference, card).await?;
    // What was there a moment ago and is not any more was taken off meanwhile: only a repeat may do without a code.
    let told = door.put(known, &asked, card, issue, !there).await;
    if !matches!(told, Ok(None)) {
        door.unlink_unless_there(known, asked.reference, card).await?;
    }
    match told? {
        None => {}
        Some(Refusal::DeviceRevoked) => return Err(door.taken_off(known.id, card).await),
        Some(why) => return Err(door.refused(card, why, "/control").await),
    }
    // The hint may have gone with a removal that came between; and whoever revoked the device then did not know of the card.
    match door.link(known, asked.reference, card).await {
        Err(problem) if problem.kind == Kind::NoSuchDevice => {
            let revoke = Command::App(AppCommand::Revoke(known.id));
            door.engine.tell(card, revoke).await.map_err(|f| door.problem(&f))?;
            return Err(problem);
        }
        // The card is there; should the hint not be, the same request again makes it.
        linked => linked?,
    }
    tracing::info!(%card, device = %known.id, "card put on a device");
    let view = door.shown(known, asked.reference, card).await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

pub(super) async fn remove(
    State(door): Shared,
    Path(reference): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let reference = token_id(&reference)?;
    let card = signed.known.device.card(reference).ok_or_else(Problem::not_found)?;
    let there = door.has(card, reference, &signed.known).await.map_err(|f| door.problem(&f))?;
    // A hint without a card behind it goes too.
    if there {
        door.tell(&signed.known, reference, AppCommand::Remove(reference), Vec::new(), "").await?;
    }
    door.unlink_unless_there(&signed.known, reference, card).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn ceiling(
    State(door): Shared,
    Path(reference): Path<String>,
    signed: Signed,
) -> Result<Json<TokenView>, Problem> {
    let reference = token_id(&reference)?;
    let Ceiling { slot, ceiling, control_code } = Ceiling::parse(&signed.body)?;
    let slot = match slot {
        SlotWord::First => Slot::First,
        SlotWord::Second => Slot::Second,
    };
    door.changed(&signed.known, reference, AppCommand::Ceiling(reference, slot, ceiling), control_code).await
}

pub(super) async fn first_pin(
    State(door): Shared,
    Path(reference): Path<String>,
    signed: Signed,
) -> Result<Json<TokenView>, Problem> {
    let reference = token_id(&reference)?;
    let Switch { on, control_code } = Switch::parse(&signed.body)?;
    door.changed(&signed.known, reference, AppCommand::FirstPin(reference, on), control_code).await
}

pub(super) async fn second_pin(
    State(door): Shared,
    Path(reference): Path<String>,
    signed: Signed,
) -> Result<Json<TokenView>, Problem> {
    let reference = token_id(&reference)?;
    let Switch { on, control_code } = Switch::parse(&signed.body)?;
    door.changed(&signed.known, reference, AppCommand::SecondPin(reference, on), control_code).await
}

pub(super) async fn check(
    State(door): Shared,
    Path(reference): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let reference = token_id(&reference)?;
    let Check { control_code } = Check::parse(&signed.body)?;
    let command = AppCommand::Check(reference);
    door.tell(&signed.known, reference, command, vec![control_code], "/control_code").await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn resync(
    State(door): Shared,
    Path(reference): Path<String>,
    signed: Signed,
) -> Result<Json<TokenView>, Problem> {
    let reference = token_id(&reference)?;
    let Resync { codes } = Resync::parse(&signed.body)?;
    let card =
        door.tell(&signed.known, reference, AppCommand::Resync(reference), codes.into(), CODES).await?;
    door.shown(&signed.known, reference, card).await.map(Json)
}

fn token_id(text: &str) -> Result<TokenId, Problem> {
    TokenId::parse(text).ok_or_else(Problem::not_found)
}

impl AppDoor {
    /// The card that a device may have: of its phone, with this expiry, and in use. What does not fit is not told.
    async fn card_of(&self, known: &Known, asked: &AddCard) -> Result<Option<Found>, EngineFault> {
        let Some(found) = self.engine.find(&asked.pan).await? else { return Ok(None) };
        let Some((state, columns)) = self.engine.open(found.card).await? else { return Ok(None) };
        let fits = self.fits(known, asked, found, &state, &columns)?;
        Ok(fits.then_some(found))
    }

    fn fits(
        &self,
        known: &Known,
        asked: &AddCard,
        found: Found,
        state: &CardState,
        columns: &CardColumns,
    ) -> Result<bool, EngineFault> {
        let keys = self.engine.keys.as_ref();
        let stored = state.expiry();
        let tag = self.engine.keys.index_at(
            stored.version,
            ramz_keys::IndexPurpose::Expiry,
            &[&found.card.0, &asked.expiry],
        )?;
        let expiry = bool::from(tag.bytes.ct_eq(&stored.bytes));
        let phone = match &columns.phone {
            Some(phone) => devices::is_phone_of(keys, &known.device, phone)?,
            None => false,
        };
        Ok(expiry && phone && state.issue() == found.issue && state.status() == CardStatus::Active)
    }

    /// Whether the card is on the device: what the device's row says of it is a hint.
    pub(super) async fn has(&self, card: CardId, token: TokenId, known: &Known) -> Result<bool, EngineFault> {
        let state = self.engine.look(card).await?;
        Ok(state.is_some_and(|state| state.token(token).is_some_and(|token| token.device == known.id)))
    }

    /// The hint in the device's row comes first: whoever revokes the device then knows of the card.
    async fn link(&self, known: &Known, token: TokenId, card: CardId) -> Result<(), Problem> {
        let link = async || {
            let now = self.engine.clock.now();
            devices::change(&self.engine, known.id, |row| row.link(token, card, now)).await
        };
        let mut linked = link().await.map_err(|f| self.problem(&f))?;
        if let Some((Err(NotLinked::Full), row)) = &linked {
            self.forget_gone(row).await.map_err(|f| self.problem(&f))?;
            linked = link().await.map_err(|f| self.problem(&f))?;
        }
        match linked {
            Some((Ok(_), _)) => Ok(()),
            Some((Err(NotLinked::Full), _)) => Err(Problem::already_exists(format!(
                "This device has {} cards, as many as it may have: remove one.",
                limits::DEVICE_CARDS_MAX
            ))),
            Some((Err(NotLinked::OtherCard), _)) => Err(Problem::token_exists()),
            Some((Err(NotLinked::Revoked), _)) | None => Err(Problem::no_such_device()),
        }
    }

    /// Takes the hints of cards that were taken off elsewhere out of a full row: at a terminal or at the bank the card is told, and the
    /// device is not. Of a card that may be on its way the hint stays.
    async fn forget_gone(&self, full: &Known) -> Result<(), EngineFault> {
        let mut gone = Vec::new();
        for on in full.device.settled(self.engine.clock.now()) {
            if !self.has(on.card, on.token, full).await? {
                gone.push(*on);
            }
        }
        devices::change(&self.engine, full.id, |row| row.forget(&gone)).await.map(|_| ())
    }

    /// Takes the hint out of the device's row, if the card is really not on it: whoever revokes the device goes by the hints.
    async fn unlink_unless_there(&self, known: &Known, token: TokenId, card: CardId) -> Result<(), Problem> {
        if self.has(card, token, known).await.map_err(|f| self.problem(&f))? {
            return Ok(());
        }
        let unlinked = devices::change(&self.engine, known.id, |row| row.unlink(token)).await;
        unlinked.map_err(|f| self.problem(&f))?;
        // The same request, twice at once: the other may have put it there meanwhile, and found its hint in place.
        if self.has(card, token, known).await.map_err(|f| self.problem(&f))? {
            self.link(known, token, card).await?;
        }
        Ok(())
    }

    /// Puts the card on the device; why not, if not. Made from one row, whose free column the seed goes into.
    async fn put(
        &self,
        known: &Known,
        asked: &AddCard,
        card: CardId,
        issue: u32,
        may_be_new: bool,
    ) -> Result<Option<Refusal>, Problem> {
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            let opened = self.engine.open(card).await.map_err(|f| self.problem(&f))?;
            let (state, columns) = opened.ok_or_else(Problem::card_not_accepted)?;
            // Its phone may be another by now.
            let found = Found { card, issue };
            if !self.fits(known, asked, found, &state, &columns).map_err(|f| self.problem(&f))? {
                return Ok(Some(Refusal::NotPermitted));
            }
            let there = state.token(asked.reference).map(|token| token.column);
            if there.is_none() && !may_be_new {
                return Ok(Some(Refusal::ControlCode));
            }
            let Some(column) = there.or_else(|| state.free_seed_column()) else {
                return Ok(Some(Refusal::DeviceLimit));
            };
            let (seed, column_name) = self.take_seed(known, asked, card, column)?;
            let new = NewToken { id: asked.reference, device: known.id, column, seed: Mark(seed.mark) };
            let job = Job {
                sealed: vec![Sealed { column: column_name, bytes: Some(seed.sealed) }],
                made_from: Some(columns.version),
                issue: Some(issue),
                ..Job::from(Command::App(AppCommand::Add(new)))
            };
            match self.engine.tell(card, job).await {
                Ok(Answer::Done) => return Ok(None),
                Ok(Answer::Refused(why)) => return Ok(Some(why)),
                Ok(other) => return Err(self.problem(&unexpected(&other))),
                Err(EngineFault::Changed) => {}
                Err(failure) => return Err(self.problem(&failure)),
            }
        }
        Err(self.problem(&EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX)))
    }

    fn take_seed(
        &self,
        known: &Known,
        asked: &AddCard,
        card: CardId,
        column: u8,
    ) -> Result<(TakenSeed, &'static str), Problem> {
        let name = SEED_COLUMNS.get(usize::from(column)).copied();
        let name = name.ok_or_else(|| self.problem(&EngineFault::Row("no such seed column".into())))?;
        let received = Received {
            version: asked.seed.key,
            enc: &asked.seed.enc,
            ciphertext: &asked.seed.ciphertext,
            associated: &seed_associated(known.id, asked.reference),
        };
        let place = Place { row: &card.0, column: name };
        match self.engine.keys.take_seed(&received, place, &asked.reference.0) {
            Ok(taken) => Ok((taken, name)),
            Err(KeyFault::NotReceived(_)) => Err(Problem::malformed(vec![FieldError::new(
                "/seed",
                "write a seed that is sealed to the receive key that GET /app/cards shows, for this device and reference",
            )])),
            Err(failure) => Err(self.problem(&failure.into())),
        }
    }

    /// Tells a card of the device something. Says which card; pointer: where the control code stands.
    async fn tell(
        &self,
        known: &Known,
        reference: TokenId,
        command: AppCommand,
        codes: Vec<Pin>,
        pointer: &str,
    ) -> Result<CardId, Problem> {
        let card = known.device.card(reference).ok_or_else(Problem::not_found)?;
        if !self.has(card, reference, known).await.map_err(|f| self.problem(&f))? {
            return Err(Problem::not_found());
        }
        let job = Job { codes, ..Job::from(Command::App(command)) };
        match self.engine.tell(card, job).await {
            Ok(Answer::Done) => Ok(card),
            Ok(Answer::Refused(why)) => Err(self.refused(card, why, pointer).await),
            Ok(other) => Err(self.problem(&unexpected(&other))),
            Err(failure) => Err(self.problem(&failure)),
        }
    }

    async fn changed(
        &self,
        known: &Known,
        reference: TokenId,
        command: AppCommand,
        code: Option<Pin>,
    ) -> Result<Json<TokenView>, Problem> {
        let codes = code.into_iter().collect();
        let card = self.tell(known, reference, command, codes, "/control_code").await?;
        self.shown(known, reference, card).await.map(Json)
    }

    async fn shown(&self, known: &Known, reference: TokenId, card: CardId) -> Result<TokenView, Problem> {
        let view = self.view(card, reference, known.id).await.map_err(|f| self.problem(&f))?;
        view.ok_or_else(Problem::not_found)
    }
}

fn unexpected(answer: &Answer) -> EngineFault {
    EngineFault::Row(format!("a command of the app was answered {answer:?}"))
}
