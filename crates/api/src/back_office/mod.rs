//! The back office's words: a card as the bank describes it, what is done to it, and how it is shown.
//!
//! PANs and phones come in bodies, never in a path; what is shown is masked. What a change leaves out stays.

mod body;
mod view;

use ramz_domain::CardId;
use ramz_domain::card::CardStatus;

pub use body::{CardBody, MEMBERS, PhoneBody, Reissue};
pub use view::{CardView, DeviceView, ServicesView, StaticPinView, TriesView};

/// `POST` adds a card.
pub const CARDS: &str = "/admin/v1/cards";
/// `POST { "pan" }` finds a card's id: a PAN is in no URL.
pub const FIND: &str = "/admin/v1/cards/find";
/// `GET` shows a card, `PUT` changes what the bank knows of it.
pub const CARD: &str = "/admin/v1/cards/{card}";
/// `POST` locks its dynamic PIN until it is unlocked.
pub const LOCK: &str = "/admin/v1/cards/{card}/lock";
/// `POST` unlocks it.
pub const UNLOCK: &str = "/admin/v1/cards/{card}/unlock";
/// `POST` ends the card for good.
pub const CLOSE: &str = "/admin/v1/cards/{card}/close";
/// `POST` gives the card a new number and expiry ([`Reissue`]).
pub const REISSUE: &str = "/admin/v1/cards/{card}/reissue";
/// `PUT` registers another mobile, or none ([`PhoneBody`]).
pub const PHONE: &str = "/admin/v1/cards/{card}/phone";
/// `POST` makes the static first PIN the one that counts again: the phone is lost.
pub const FIRST_PIN_OFF: &str = "/admin/v1/cards/{card}/first-pin/off";
/// `DELETE` takes a device away from the card.
pub const DEVICE: &str = "/admin/v1/cards/{card}/devices/{device}";

/// One of these paths for a card.
pub fn of_card(path: &str, card: CardId) -> String {
    path.replacen("{card}", &card.to_string(), 1)
}

/// The word for a status.
pub const fn status_word(status: CardStatus) -> &'static str {
    match status {
        CardStatus::Active => "active",
        CardStatus::Blocked => "blocked",
        CardStatus::Closed => "closed",
        CardStatus::HotListed => "hot_listed",
    }
}
