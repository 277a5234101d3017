//! The app's door (HTTPS and JSON): the app itself, as a page; a device is activated, is given cards, says what their codes may do.
//!
//! Every request of the API but three is proved to be a device's (`signed`); a write's counter is taken in the device's row before anything else
//! happens, so that what was sent once is not done twice, on whatever node. What a code is worth the card's row says.

mod activations;
mod cards;
mod devices;
mod page;
mod signed;
mod told;
mod view;
mod whence;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use ramz_api::app::{
    ACTIVATIONS, BANK, BankView, CARD, CARDS, CEILING, CHECK, DEVICE, DEVICES, FIRST_PIN, RESYNC, SECOND_PIN,
    TIME, TimeView,
};
use ramz_api::openapi;
use ramz_api::problem::{FieldError, Problem};
use ramz_api::tap::SharedTap;
use ramz_domain::Refusal;
use ramz_domain::card::Purpose;
use ramz_domain::{CardId, DeviceId, Moment};

use crate::counts::Counts;
use crate::engine::{Engine, EngineFault};
use crate::limits::Limits;
use crate::web::fault;
pub(crate) use whence::Whence;

/// Where two codes in a row stand in a body.
const CODES: &str = "/codes";

/// What the door needs.
pub(crate) struct AppDoor {
    /// What decides.
    pub(crate) engine: Arc<Engine>,
    /// What this node lets through.
    pub(crate) limits: Arc<Limits>,
    /// What was answered.
    pub(crate) counts: Arc<Counts>,
    /// Where phones reach it.
    pub(crate) public_url: String,
    /// Where requests are from.
    pub(crate) whence: Whence,
    /// Whose it is.
    pub(crate) bank: BankView,
    /// Origins that may show the app in a frame.
    pub(crate) framed_by: Vec<String>,
    /// Who watches.
    pub(crate) tap: SharedTap,
}

type Shared = State<Arc<AppDoor>>;

/// The routes.
pub(crate) fn routes(door: Arc<AppDoor>) -> Router {
    let page = page::routes(&door.bank, &door.framed_by);
    let (tap, name) = (Arc::clone(&door.tap), format!("bank {}", door.bank.id));
    Router::new()
        .route(BANK, get(bank))
        .route(TIME, get(time))
        .route(ACTIVATIONS, post(activations::activate))
        .route(CARDS, get(cards::list).post(cards::add))
        .route(CARD, axum::routing::delete(cards::remove))
        .route(CEILING, put(cards::ceiling))
        .route(FIRST_PIN, put(cards::first_pin))
        .route(SECOND_PIN, put(cards::second_pin))
        .route(CHECK, post(cards::check))
        .route(RESYNC, post(cards::resync))
        .route(DEVICES, get(devices::list))
        .route(DEVICE, put(devices::rename).delete(devices::revoke))
        .merge(openapi::route(openapi::APP).with_state(()))
        .with_state(door)
        .layer(middleware::map_response(page::headers::of_an_answer))
        .layer(middleware::from_fn(move |request, next| {
            told::told(Arc::clone(&tap), name.clone(), request, next)
        }))
        .merge(page)
}

async fn bank(State(door): Shared) -> Json<BankView> {
    Json(door.bank.clone())
}

async fn time(State(door): Shared) -> Json<TimeView> {
    Json(TimeView { now_ms: door.engine.clock.now().unix_ms() })
}

impl AppDoor {
    fn problem(&self, failure: &EngineFault) -> Problem {
        match failure {
            EngineFault::NoCard => Problem::card_not_accepted(),
            failure => fault(self.engine.entropy.as_ref(), failure),
        }
    }

    /// What a card's refusal is told as. `pointer`: where the control code stands in the body.
    async fn refused(&self, card: CardId, why: Refusal, pointer: &str) -> Problem {
        match why {
            // Two codes are told as two, whatever is wrong with them.
            Refusal::StalePin if pointer == CODES => Problem::no_consecutive_codes(),
            Refusal::WrongPin | Refusal::StalePin => Problem::control_code_wrong(pointer),
            Refusal::ControlCode => Problem::control_code_missing(pointer),
            Refusal::TriesExceeded => Problem::control_locked(self.control_locked_for_s(card).await),
            Refusal::NoConsecutive => Problem::no_consecutive_codes(),
            Refusal::OtherSeed => self.other_seed(card).await,
            Refusal::DeviceLimit => Problem::device_limit(),
            Refusal::NoDevice => Problem::not_found(),
            Refusal::InvalidTransaction => {
                let detail = "write a step of the table that the card's answer shows";
                Problem::malformed(vec![FieldError::new("/ceiling", detail)])
            }
            _ => Problem::card_not_accepted(),
        }
    }

    /// Of a card that is on no device it can only be the reference. Else it is on this one: phones make a fresh reference for each card.
    async fn other_seed(&self, card: CardId) -> Problem {
        match self.engine.look(card).await.ok().flatten() {
            Some(state) if !state.tokens().is_empty() => Problem::card_on_device(),
            _ => Problem::token_exists(),
        }
    }

    /// A card refused the device as one that it was taken off. Whether the device is gone its own row says: that one card's app was
    /// switched off is no reason to erase a phone that has others.
    async fn taken_off(&self, device: DeviceId, card: CardId) -> Problem {
        match crate::devices::find(&self.engine, device).await {
            Ok(Some(known)) if !known.device.is_revoked() => {}
            Ok(_) => return Problem::no_such_device(),
            Err(failure) => return self.problem(&failure),
        }
        let state = self.engine.look(card).await.ok().flatten();
        let until = state.and_then(|state| state.refuses_until(device));
        Problem::card_taken_off(until.map_or(1, |until| self.seconds_until(until)))
    }

    /// Seconds until control codes are looked at again; `None`: until the card is unlocked.
    async fn control_locked_for_s(&self, card: CardId) -> Option<u32> {
        let now: Moment = self.engine.clock.now();
        let state = self.engine.look(card).await.ok().flatten()?;
        let until = state.locked_for(Purpose::Control, &self.engine.policy, now)??;
        Some(self.seconds_until(until))
    }

    /// For `Retry-After`: never zero, and not a moment too early.
    fn seconds_until(&self, until: Moment) -> u32 {
        let ms = until.since(self.engine.clock.now()).as_millis();
        u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }
}
