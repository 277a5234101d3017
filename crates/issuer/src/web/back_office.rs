//! The back office's door, on a port of its own: what a bank does with cards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Json, Router};
use ramz_api::back_office::{
    CARD, CARDS, CLOSE, CardBody, CardView, DEVICE, DeviceView, FIND, FIRST_PIN_OFF, LOCK, PHONE, PhoneBody,
    REISSUE, Reissue, ServicesView, StaticPinView, TriesView, UNLOCK, status_word,
};
use ramz_api::net::Peer;
use ramz_api::openapi;
use ramz_api::problem::{FieldError, Kind, Problem};
use ramz_api::serve::JsonBody;
use ramz_domain::card::{CardLimits, CardState, CardStatus, Purpose};
use ramz_domain::{CardId, DeviceId, Language, Moment, Phone, Rial};
use serde_json::json;

use super::{certified, fault};
use crate::cards::{self, Added, CardChange, NewCard};
use crate::devices;
use crate::engine::{By, Engine, EngineFault, Profile};
use crate::limits::Limits;

/// Clocks differ, and a branch may write a date without its time.
const CONSENT_AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// What browsers put on a request that a page makes, and programs do not.
const PAGES_SAY: [&str; 2] = ["origin", "sec-fetch-site"];

/// What the door needs.
pub struct BackOffice {
    /// The cards.
    pub engine: Arc<Engine>,
    /// What this node lets through.
    pub limits: Arc<Limits>,
    /// Certificates that may come in.
    pub operators: BTreeSet<String>,
    /// This bank's IINs.
    pub iins: BTreeSet<String>,
}

type Shared = State<Arc<BackOffice>>;

/// The routes.
pub fn routes(office: Arc<BackOffice>) -> Router {
    Router::new()
        .route(CARDS, post(add))
        .route(FIND, post(find))
        .route(CARD, get(show).put(change))
        .route(LOCK, post(lock))
        .route(UNLOCK, post(unlock))
        .route(CLOSE, post(close))
        .route(REISSUE, post(reissue))
        .route(PHONE, put(phone))
        .route(FIRST_PIN_OFF, post(first_pin_off))
        .route(DEVICE, delete(revoke))
        .merge(openapi::route(openapi::BACK_OFFICE).with_state(()))
        .layer(middleware::from_fn_with_state(Arc::clone(&office), only_operators))
        .with_state(office)
}

async fn only_operators(State(office): Shared, request: Request, next: Next) -> Response {
    let name = request.extensions().get::<Peer>().and_then(certified);
    // Of the path its pattern: somebody may have written a card's number where its id belongs.
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if !name.is_some_and(|name| office.operators.contains(name)) {
        tracing::warn!(name, path, "refused at the back office: no operator");
        return Problem::unknown_asker().into_response();
    }
    // A certificate in a browser signs whatever a page of somebody else's makes it send.
    if PAGES_SAY.iter().any(|header| request.headers().contains_key(*header)) {
        tracing::warn!(name, path, "refused at the back office: sent by a page");
        return Problem::new(Kind::NotAllowed, "The back office is not for pages in a browser.")
            .into_response();
    }
    next.run(request).await
}

/// Who asks, for the journal.
fn by(peer: &Peer) -> By {
    certified(peer).map(Arc::from)
}

async fn add(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let body = CardBody::parse_new(&body)?;
    let (Some(pan), Some(expiry)) = (body.pan, body.expiry) else {
        return Err(Problem::malformed(Vec::new()));
    };
    if !office.iins.contains(pan.iin().as_str()) {
        return Err(Problem::unknown_issuer());
    }
    office.may_be_consented(body.static_pin_consent)?;
    let card = NewCard {
        pan,
        expiry,
        phone: body.phone.flatten(),
        language: body.language.unwrap_or(Language::Persian),
        status: body.status.unwrap_or(CardStatus::Active),
        consent: body.static_pin_consent.flatten(),
        limits: CardLimits {
            sms_pin_max: body.sms_pin_max.flatten(),
            static_max: body.static_pin_max.flatten(),
        },
        profile: Profile {
            customer: cards::words(body.customer, None),
            product: cards::words(body.product, None),
        },
    };
    let added = cards::add(&office.engine, &card, by(&peer)).await.map_err(|f| office.problem(&f))?;
    match added {
        Added::New(id) => {
            tracing::info!(card = %id, operator = certified(&peer), "card added");
            Ok((StatusCode::CREATED, Json(json!({ "card": id.to_string() }))).into_response())
        }
        Added::Existing(id) => Err(Problem::already_exists(format!(
            "This card is there as {id}. Change it with PUT {CARDS}/{id}."
        ))),
    }
}

async fn find(State(office): Shared, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let pan = CardBody::parse_find(&body)?;
    let found = cards::find(&office.engine, &pan).await.map_err(|f| office.problem(&f))?;
    let none = || Problem::no_such("No card here has this number now. Check it, or add the card.");
    let id = found.ok_or_else(none)?;
    Ok(Json(json!({ "card": id.to_string() })).into_response())
}

async fn show(State(office): Shared, Path(card): Path<String>) -> Result<Json<CardView>, Problem> {
    office.view(card_id(&card)?).await.map(Json)
}

async fn change(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    let body = CardBody::parse_change(&body)?;
    office.may_be_consented(body.static_pin_consent)?;
    let change = CardChange {
        expiry: body.expiry,
        phone: body.phone,
        language: body.language,
        status: body.status,
        consent: body.static_pin_consent,
        sms_pin_max: body.sms_pin_max,
        static_max: body.static_pin_max,
        customer: body.customer,
        product: body.product,
    };
    office.done(&peer, id, cards::change(&office.engine, id, &change, by(&peer)).await, "card changed").await
}

async fn lock(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    office.done(&peer, id, cards::lock(&office.engine, id, by(&peer)).await, "card locked").await
}

async fn unlock(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    office.done(&peer, id, cards::unlock(&office.engine, id, by(&peer)).await, "card unlocked").await
}

async fn close(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
) -> Result<Json<CardView>, Problem> {
    let change = CardChange { status: Some(CardStatus::Closed), ..CardChange::default() };
    office.change(&peer, &card, &change, "card closed").await
}

async fn phone(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<CardView>, Problem> {
    let PhoneBody { phone } = PhoneBody::parse(&body)?;
    let change = CardChange { phone: Some(phone), ..CardChange::default() };
    office.change(&peer, &card, &change, "phone changed").await
}

async fn reissue(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    let Reissue { pan, expiry } = Reissue::parse(&body)?;
    if !office.iins.contains(pan.iin().as_str()) {
        return Err(Problem::unknown_issuer());
    }
    let told = cards::reissue(&office.engine, id, &pan, &expiry, by(&peer)).await;
    office.done(&peer, id, told, "card reissued").await
}

async fn first_pin_off(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    let told = cards::first_pin_off(&office.engine, id, by(&peer)).await;
    office.done(&peer, id, told, "dynamic first PIN switched off").await
}

/// The whole device, with all its cards: it was lost, not the card.
async fn revoke(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path((card, device)): Path<(String, String)>,
) -> Result<Json<CardView>, Problem> {
    let (id, device) = (card_id(&card)?, DeviceId::parse(&device).ok_or_else(no_such_device)?);
    let known = cards::show(&office.engine, id).await.map_err(|f| office.problem(&f))?;
    let (state, _) = known.ok_or_else(no_such_card)?;
    // One that was revoked before may be told so again, and the call that was cut off goes on.
    let found = devices::find(&office.engine, device).await.map_err(|f| office.problem(&f))?;
    let of_this_card = |known: &devices::Known| {
        known.device.is_revoked()
            || state.activated_devices().contains(&device)
            || state.tokens().iter().any(|token| token.device == device)
    };
    found.filter(of_this_card).ok_or_else(no_such_device)?;
    let told = devices::revoke_from(&office.engine, id, device, by(&peer)).await;
    office.done(&peer, id, told, "device revoked").await
}

impl BackOffice {
    /// Nobody has accepted a risk tomorrow.
    fn may_be_consented(&self, consent: Option<Option<Moment>>) -> Result<(), Problem> {
        let latest = self.engine.clock.now().plus(CONSENT_AHEAD_MAX);
        if consent.flatten().is_some_and(|since| since > latest) {
            let error = FieldError::new("/static_pin_consent", "write when it was given: not later than now");
            return Err(Problem::malformed(vec![error]));
        }
        Ok(())
    }

    async fn change(
        &self,
        peer: &Peer,
        card: &str,
        change: &CardChange,
        what: &str,
    ) -> Result<Json<CardView>, Problem> {
        let id = card_id(card)?;
        self.done(peer, id, cards::change(&self.engine, id, change, by(peer)).await, what).await
    }

    /// The card as it is now, if what was to be done was. Who did it stands in the card's journal, and in the log.
    async fn done(
        &self,
        peer: &Peer,
        id: CardId,
        told: Result<(), EngineFault>,
        what: &str,
    ) -> Result<Json<CardView>, Problem> {
        told.map_err(|f| self.problem(&f))?;
        tracing::info!(card = %id, operator = certified(peer), "{what}");
        self.view(id).await.map(Json)
    }

    async fn devices(&self, state: &CardState) -> Result<Vec<DeviceView>, EngineFault> {
        let mut listed = Vec::new();
        for token in state.tokens() {
            let known = devices::find(&self.engine, token.device).await?;
            let name = known.map_or_else(String::new, |known| known.device.name);
            listed.push(DeviceView { id: token.device.to_string(), name, since: token.added.rfc3339() });
        }
        // Those that were activated with it and have not taken it yet.
        for id in state.activated_devices() {
            let taken = state.tokens().iter().any(|token| token.device == *id);
            let known =
                devices::find(&self.engine, *id).await?.filter(|known| !taken && !known.device.is_revoked());
            listed.extend(known.map(|known| DeviceView {
                id: id.to_string(),
                name: known.device.name,
                since: known.device.activated.rfc3339(),
            }));
        }
        Ok(listed)
    }

    fn services(state: &CardState) -> ServicesView {
        let services = state.services();
        ServicesView {
            sms: services.sms,
            first_pin: services.first_pin,
            app_activation: services.activation.map(|begun| begun.at.rfc3339()),
        }
    }

    fn tries(&self, state: &CardState, purpose: Purpose, now: Moment) -> TriesView {
        let locked = state.locked_for(purpose, &self.engine.policy, now);
        TriesView {
            failures: state.failures_of(purpose),
            locked: locked.is_some(),
            locked_until: locked.flatten().map(Moment::rfc3339),
            locked_by_bank: state.locked_by_bank(purpose),
        }
    }

    async fn view(&self, id: CardId) -> Result<CardView, Problem> {
        let known = cards::show(&self.engine, id).await.map_err(|f| self.problem(&f))?;
        let (state, columns) = known.ok_or_else(no_such_card)?;
        let at = state.at(self.engine.clock.now());
        let tries = |purpose| self.tries(&state, purpose, at.now());
        let TriesView { failures, locked, locked_until, locked_by_bank } = tries(Purpose::SecondPin);
        let keys = self.engine.keys.as_ref();
        let phone_held = |phone: &Phone| self.limits.phone_held_until(keys, phone, at.now());
        let phone_held = columns.phone.as_ref().map(phone_held).transpose();
        let phone_held = phone_held.map_err(|f| self.problem(&f.into()))?.flatten();
        let held = state.sends_held_until(&self.engine.policy, at.now());
        Ok(CardView {
            card: id.to_string(),
            pan: columns.pan.map_or(String::new(), |pan| pan.masked()),
            phone: columns.phone.map(|phone| phone.masked()),
            status: status_word(state.status()).to_owned(),
            language: state.language().code().to_owned(),
            customer: columns.profile.customer,
            product: columns.profile.product,
            failures,
            locked,
            locked_until,
            locked_by_bank,
            first_pin_tries: Some(tries(Purpose::FirstPin)),
            control_tries: Some(tries(Purpose::Control)),
            open_pins: state.open(at.now()).count(),
            unspent_sms: state.unspent_sends(at.now()),
            sms_held_until: held.map(Moment::rfc3339),
            phone_held_until: phone_held.map(Moment::rfc3339),
            services: BackOffice::services(&state),
            devices: self.devices(&state).await.map_err(|f| self.problem(&f))?,
            static_pin: StaticPinView {
                consent: state.static_consent().map(Moment::rfc3339),
                used_24h: state.static_total(at.now()),
                max: state.limits().static_max.map(Rial::get),
            },
            sms_pin_max: state.limits().sms_pin_max.map(Rial::get),
        })
    }

    fn problem(&self, failure: &EngineFault) -> Problem {
        match failure {
            EngineFault::NoCard => no_such_card(),
            EngineFault::PhoneFull(_) => Problem::phone_full(),
            EngineFault::Closed => Problem::card_closed(),
            EngineFault::Taken => Problem::number_taken(),
            failure => fault(self.engine.entropy.as_ref(), failure),
        }
    }
}

fn card_id(text: &str) -> Result<CardId, Problem> {
    CardId::parse(text).ok_or_else(no_such_card)
}

/// The path is right: whoever mistyped the id is not sent to look for another path.
fn no_such_card() -> Problem {
    Problem::no_such(format!(
        "No card here has this id. Check it: POST {FIND} tells a card's id by its number."
    ))
}

fn no_such_device() -> Problem {
    Problem::no_such(format!(
        "This card has no such device here. Check its id: GET {CARD} lists the card's devices."
    ))
}
