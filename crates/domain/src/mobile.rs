//! A mobile: the cards it is registered for, and the texts that came from it. One row, changed by compare-and-swap, like a
//! card's; but what it says of cards is a hint, and each card decides for itself.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::card::Mark;
use crate::{AdmissionId, CardId, Moment, limits};

/// The format a row is written in.
const FORMAT: u8 = 1;

/// A mobile's row.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Mobile {
    #[n(0)]
    format: u8,
    #[n(1)]
    cards: Vec<CardId>,
    /// Texts of the last day, oldest first.
    #[n(2)]
    texts: Vec<Text>,
    /// Texts that are not answered yet.
    #[n(3)]
    waiting: Vec<Waiting>,
    /// When it was last told that it texts too often.
    #[n(4)]
    told: Option<Moment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Text {
    #[n(0)]
    mark: Mark,
    #[n(1)]
    at: Moment,
}

/// A text that is taken and not answered yet.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Waiting {
    /// What its answer is known by.
    #[n(0)]
    pub admission: AdmissionId,
    /// When it came.
    #[n(1)]
    pub at: Moment,
    /// The digits, sealed.
    #[n(2)]
    pub asked: ByteVec,
}

/// What becomes of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It is to be worked on.
    New,
    /// It was heard before: nothing happens.
    Repeated,
    /// The phone texts too often, and is told so.
    TooOften,
    /// The same, and it was told before.
    Unheard,
}

/// A row that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a phone's row cannot be read: {0}")]
pub struct MobileError(String);

/// The phone is registered for as many cards as it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this phone is registered for {} cards, as many as may be", limits::PHONE_CARDS_MAX)]
pub struct Full;

impl Default for Mobile {
    fn default() -> Mobile {
        Mobile { format: FORMAT, cards: Vec::new(), texts: Vec::new(), waiting: Vec::new(), told: None }
    }
}

impl Mobile {
    /// Reads a row's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Mobile, MobileError> {
        let mobile: Mobile = minicbor::decode(bytes).map_err(|error| MobileError(error.to_string()))?;
        if mobile.format > FORMAT {
            return Err(MobileError(format!("format {} is of a newer release", mobile.format)));
        }
        Ok(mobile)
    }

    /// The row's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, MobileError> {
        minicbor::to_vec(self).map_err(|error| MobileError(error.to_string()))
    }

    /// Cards that may be this phone's.
    pub fn cards(&self) -> &[CardId] {
        &self.cards
    }

    /// Texts that are not answered yet.
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// A card has this phone now. False if that was known.
    pub fn link(&mut self, card: CardId) -> Result<bool, Full> {
        if self.cards.contains(&card) {
            return Ok(false);
        }
        if self.cards.len() >= limits::PHONE_CARDS_MAX {
            return Err(Full);
        }
        self.cards.push(card);
        Ok(true)
    }

    /// A card has it no more. False if that was known.
    pub fn unlink(&mut self, card: CardId) -> bool {
        let before = self.cards.len();
        self.cards.retain(|known| *known != card);
        self.cards.len() < before
    }

    /// A text came. `repeated_within`: the same one within this is a repeated delivery.
    pub fn hear(&mut self, mark: Mark, repeated_within: std::time::Duration, waiting: Waiting) -> Heard {
        let now = waiting.at;
        let day = std::time::Duration::from_secs(24 * 3600);
        // A clock that went back must not make every text a repeated one for as long as it went.
        for at in self.texts.iter_mut().map(|text| &mut text.at).chain(&mut self.told) {
            *at = now.min(*at);
        }
        self.texts.retain(|text| now.since(text.at) < day);
        if self.texts.iter().any(|text| text.mark == mark && now.since(text.at) < repeated_within) {
            return Heard::Repeated;
        }
        let ten_minutes = std::time::Duration::from_secs(600);
        let lately = self.texts.iter().filter(|text| now.since(text.at) < ten_minutes).count();
        if lately >= limits::TEXTS_IN_10_MIN || self.texts.len() >= limits::TEXTS_IN_DAY {
            if self.told.is_some_and(|told| now.since(told) < ten_minutes) {
                return Heard::Unheard;
            }
            self.told = Some(now);
            return Heard::TooOften;
        }
        self.texts.push(Text { mark, at: now });
        self.waiting.push(waiting);
        Heard::New
    }

    /// A text is answered. False if it was before.
    pub fn answered(&mut self, admission: AdmissionId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.admission != admission);
        self.waiting.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(s: u64) -> Moment {
        Moment::from_unix_ms(1_700_000_000_000 + s * 1000)
    }

    fn text(mobile: &mut Mobile, digits: &str, s: u64) -> Heard {
        let admission = AdmissionId(Mark::of(&[digits.as_bytes(), &s.to_be_bytes()]).0);
        let waiting = Waiting { admission, at: at(s), asked: Vec::new().into() };
        let mark = Mark::of(&[digits.as_bytes()]);
        let heard = mobile.hear(mark, limits::TEXT_REPEATED_WITHIN, waiting);
        *mobile = Mobile::decode(&Mobile::encode(mobile).unwrap()).unwrap();
        heard
    }

    #[test]
    fn a_repeated_delivery_is_heard_once_and_a_second_wish_twice() {
        let mut mobile = Mobile::default();
        assert_eq!(text(&mut mobile, "1234", 0), Heard::New);
        assert_eq!(text(&mut mobile, "1234", 29), Heard::Repeated);
        assert_eq!(text(&mut mobile, "5678", 29), Heard::New);
        assert_eq!(text(&mut mobile, "1234", 30), Heard::New);
        assert_eq!(mobile.waiting().len(), 3);
        let first = mobile.waiting()[0].admission;
        assert!(mobile.answered(first) && !mobile.answered(first));
        assert_eq!(mobile.waiting().len(), 2);
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_text_a_repeated_one() {
        let mut mobile = Mobile::default();
        assert_eq!(text(&mut mobile, "1234", 7200), Heard::New);
        assert_eq!(text(&mut mobile, "1234", 0), Heard::Repeated, "it cannot be told apart");
        assert_eq!(text(&mut mobile, "1234", 31), Heard::New);
    }

    #[test]
    fn too_often_is_said_once_in_ten_minutes() {
        let mut mobile = Mobile::default();
        for n in 0..10 {
            assert_eq!(text(&mut mobile, "1234", n * 31), Heard::New, "{n}");
        }
        assert_eq!(text(&mut mobile, "1234", 311), Heard::TooOften);
        assert_eq!(text(&mut mobile, "1234", 312), Heard::Unheard);
        assert_eq!(text(&mut mobile, "1234", 600), Heard::New, "the first is ten minutes old");
        assert_eq!(mobile.waiting().len(), 11);
    }

    #[test]
    fn a_day_has_sixty() {
        let mut mobile = Mobile::default();
        let heard: Vec<_> = (0..61).map(|n| text(&mut mobile, "1234", n * 601)).collect();
        assert!(heard[..60].iter().all(|heard| *heard == Heard::New));
        assert_eq!(heard[60], Heard::TooOften);
        let day = Duration::from_secs(24 * 3600).as_secs();
        assert_eq!(text(&mut mobile, "1234", day), Heard::New);
    }

    #[test]
    fn sixteen_cards_and_no_more() {
        let mut mobile = Mobile::default();
        for n in 0..16 {
            assert_eq!(mobile.link(CardId([n; 16])), Ok(true));
            assert_eq!(mobile.link(CardId([n; 16])), Ok(false));
        }
        assert_eq!(mobile.link(CardId([16; 16])), Err(Full));
        assert!(mobile.unlink(CardId([3; 16])) && !mobile.unlink(CardId([3; 16])));
        assert_eq!(mobile.link(CardId([16; 16])), Ok(true));
    }
}
