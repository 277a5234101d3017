//! The back office's door, on a port of its own: add, show, change, lock and unlock cards.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use ramz_api::back_office::{CARDS, CardBody, CardView, FIND, status_word};
use ramz_api::net::Peer;
use ramz_api::openapi;
use ramz_api::problem::Problem;
use ramz_api::serve::JsonBody;
use ramz_domain::card::CardStatus;
use ramz_domain::{CardId, Language, Moment, Phone};
use serde_json::json;

use super::{certified, fault};
use crate::cards::{self, Added, CardChange, NewCard};
use crate::engine::{Engine, EngineFault, Profile};
use crate::limits::Limits;

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
    let card = format!("{CARDS}/{{card}}");
    Router::new()
        .route(CARDS, post(add))
        .route(FIND, post(find))
        .route(&card, get(show).put(change))
        .route(&format!("{card}/lock"), post(lock))
        .route(&format!("{card}/unlock"), post(unlock))
        .merge(openapi::route(openapi::BACK_OFFICE).with_state(()))
        .layer(middleware::from_fn_with_state(Arc::clone(&office), only_operators))
        .with_state(office)
}

async fn only_operators(State(office): Shared, request: Request, next: Next) -> Response {
    let name = request.extensions().get::<Peer>().and_then(certified);
    if name.is_some_and(|name| office.operators.contains(name)) {
        next.run(request).await
    } else {
        Problem::unknown_asker().into_response()
    }
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
    let card = NewCard {
        pan,
        expiry,
        phone: body.phone.flatten(),
        language: body.language.unwrap_or(Language::Persian),
        status: body.status.unwrap_or(CardStatus::Active),
        consent: None,
        limits: ramz_domain::card::CardLimits::default(),
        profile: Profile { customer: body.customer, product: body.product },
    };
    let added = cards::add(&office.engine, &card).await.map_err(|f| office.problem(&f))?;
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
    let id = office.engine.find(&pan).await.map_err(|f| office.problem(&f))?;
    let found = id.ok_or_else(Problem::not_found)?;
    Ok(Json(json!({ "card": found.card.to_string() })).into_response())
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
    let known = cards::show(&office.engine, id).await.map_err(|f| office.problem(&f))?;
    let (_, columns) = known.ok_or_else(Problem::not_found)?;
    let profile = (body.customer.is_some() || body.product.is_some()).then(|| Profile {
        customer: body.customer.or(columns.profile.customer),
        product: body.product.or(columns.profile.product),
    });
    let change = CardChange {
        expiry: body.expiry,
        phone: body.phone,
        language: body.language,
        status: body.status,
        consent: None,
        limits: None,
        profile,
    };
    cards::change(&office.engine, id, &change).await.map_err(|f| office.problem(&f))?;
    tracing::info!(card = %id, operator = certified(&peer), "card changed");
    office.view(id).await.map(Json)
}

async fn lock(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    cards::lock(&office.engine, id).await.map_err(|f| office.problem(&f))?;
    tracing::info!(card = %id, operator = certified(&peer), "card locked");
    office.view(id).await.map(Json)
}

async fn unlock(
    State(office): Shared,
    Extension(peer): Extension<Peer>,
    Path(card): Path<String>,
) -> Result<Json<CardView>, Problem> {
    let id = card_id(&card)?;
    cards::unlock(&office.engine, id).await.map_err(|f| office.problem(&f))?;
    tracing::info!(card = %id, operator = certified(&peer), "card unlocked");
    office.view(id).await.map(Json)
}

impl BackOffice {
    async fn view(&self, id: CardId) -> Result<CardView, Problem> {
        let known = cards::show(&self.engine, id).await.map_err(|f| self.problem(&f))?;
        let (state, columns) = known.ok_or_else(Problem::not_found)?;
        let at = state.at(self.engine.clock.now());
        let locked = state.locked(&self.engine.policy, at.now());
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
            failures: state.failures(),
            locked: locked.is_some(),
            locked_until: locked.flatten().map(|until| until.rfc3339()),
            open_pins: state.open(at.now()).count(),
            unspent_sms: state.unspent_sends(at.now()),
            sms_held_until: held.map(Moment::rfc3339),
            phone_held_until: phone_held.map(Moment::rfc3339),
        })
    }

    fn problem(&self, failure: &EngineFault) -> Problem {
        match failure {
            EngineFault::NoCard => Problem::not_found(),
            failure => fault(self.engine.entropy.as_ref(), failure),
        }
    }
}

fn card_id(text: &str) -> Result<CardId, Problem> {
    CardId::parse(text).ok_or_else(Problem::not_found)
}
