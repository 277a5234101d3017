//! A device with the app: its key, its owner's phone, the cards on it. One row, changed by compare-and-swap; what it says of cards is a
//! hint, and each card decides for itself.
//!
//! ```text
//!   activated ──▶ in use ──revoke──▶ revoked: its cards are taken off, one after the other ──▶ revoked, and no card left
//! ```

use minicbor::{Decode, Encode};

use crate::{CardId, Moment, TokenId, limits};

/// The format a row is written in.
const FORMAT: u8 = 1;

/// A device's row.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Device {
    #[n(0)]
    format: u8,
    /// Its public key: a point of P-256, uncompressed (SEC 1).
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// The phone of the card that it was activated with.
    #[n(2)]
    pub phone: PhoneTag,
    /// What its owner calls it.
    #[n(3)]
    pub name: String,
    /// When it was activated.
    #[n(4)]
    pub activated: Moment,
    /// The counter of its last write.
    #[n(5)]
    counter: u64,
    #[n(6)]
    cards: Vec<OnDevice>,
    #[n(7)]
    revoked: Option<Moment>,
}

/// The keyed hash of a phone's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PhoneTag {
    /// The index key's version.
    #[n(0)]
    pub version: u32,
    /// Half of it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: [u8; 16],
}

/// A card that may be on the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct OnDevice {
    /// Its reference there.
    #[n(0)]
    pub token: TokenId,
    /// The card.
    #[n(1)]
    pub card: CardId,
    /// When a request last began to put it there; `None`: under an earlier release.
    #[n(2)]
    since: Option<Moment>,
}

impl OnDevice {
    /// Whether a request that began to put it there may still be on its way: then it is there before the card says so.
    fn may_be_coming(&self, now: Moment) -> bool {
        self.since.is_some_and(|since| now.since(since) < limits::REVOKED_KEPT)
    }
}

/// A row that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a device's row cannot be read: {0}")]
pub struct DeviceError(String);

/// Why a card is not put on a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotLinked {
    /// It has as many as it may have.
    #[error("this device has {} cards, as many as it may have", limits::DEVICE_CARDS_MAX)]
    Full,
    /// It is revoked.
    #[error("this device is revoked")]
    Revoked,
    /// The reference is another card's.
    #[error("this reference is another card's")]
    OtherCard,
}

impl Device {
    /// A device that was just activated.
    pub fn new(key: Vec<u8>, phone: PhoneTag, name: String, now: Moment) -> Device {
        Device {
            format: FORMAT,
            key,
            phone,
            name,
            activated: now,
            counter: 0,
            cards: Vec::new(),
            revoked: None,
        }
    }

    /// Reads a row's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Device, DeviceError> {
        let device: Device = minicbor::decode(bytes).map_err(|error| DeviceError(error.to_string()))?;
        if device.format > FORMAT {
            return Err(DeviceError(format!("format {} is of a newer release", device.format)));
        }
        Ok(device)
    }

    /// The row's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, DeviceError> {
        minicbor::to_vec(self).map_err(|error| DeviceError(error.to_string()))
    }

    /// Cards that may be on it.
    pub fn cards(&self) -> &[OnDevice] {
        &self.cards
    }

    /// The card of a reference.
    pub fn card(&self, token: TokenId) -> Option<CardId> {
        self.cards.iter().find(|known| known.token == token).map(|known| known.card)
    }

    /// Whether it may do nothing any more.
    pub fn is_revoked(&self) -> bool {
        self.revoked.is_some()
    }

    /// Whether a first card may be added without a control code: its holder has just been at the terminal.
    pub fn is_fresh(&self, now: Moment) -> bool {
        now.since(self.activated) < limits::CARDS_ADDED_WITHIN
    }

    /// Takes a write's counter: each is larger than the one before, so that what was sent once is not done twice, on any node.
    pub fn take(&mut self, counter: u64) -> bool {
        let larger = counter > self.counter;
        self.counter = self.counter.max(counter);
        larger
    }

    /// A card is about to be on it. False if that was known.
    pub fn link(&mut self, token: TokenId, card: CardId, now: Moment) -> Result<bool, NotLinked> {
        let (revoked, full) = (self.is_revoked(), self.cards.len() >= limits::DEVICE_CARDS_MAX);
        match self.cards.iter_mut().find(|known| known.token == token) {
            _ if revoked => Err(NotLinked::Revoked),
            Some(known) if known.card == card => {
                if !known.may_be_coming(now) {
                    known.since = Some(now);
                }
                Ok(false)
            }
            Some(_) => Err(NotLinked::OtherCard),
            None if full => Err(NotLinked::Full),
            None => {
                self.cards.push(OnDevice { token, card, since: Some(now) });
                Ok(true)
            }
        }
    }

    /// Cards of which no request is on its way: what is not on these by now does not come either.
    pub fn settled(&self, now: Moment) -> impl Iterator<Item = &OnDevice> {
        self.cards.iter().filter(move |known| !known.may_be_coming(now))
    }

    /// These are there no more; one that was put there anew meanwhile stays.
    pub fn forget(&mut self, gone: &[OnDevice]) {
        self.cards.retain(|known| !gone.contains(known));
    }

    /// It is there no more. False if that was known.
    pub fn unlink(&mut self, token: TokenId) -> bool {
        let before = self.cards.len();
        self.cards.retain(|known| known.token != token);
        self.cards.len() < before
    }

    /// It may do nothing from now on. False if that was known.
    pub fn revoke(&mut self, now: Moment) -> bool {
        if self.is_revoked() {
            return false;
        }
        self.revoked = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        let phone = PhoneTag { version: 1, bytes: [1; 16] };
        Device::new(vec![4; 65], phone, "گوشی من".into(), Moment::from_unix_ms(1000))
    }

    /// So many seconds after its activation.
    fn at(s: u64) -> Moment {
        Moment::from_unix_ms(1000 + s * 1000)
    }

    #[test]
    fn a_counter_is_taken_once() {
        let mut device = device();
        assert!(device.take(1) && !device.take(1) && device.take(7) && !device.take(3) && !device.take(0));
        assert_eq!(Device::decode(&device.encode().unwrap()).unwrap(), device);
    }

    #[test]
    fn a_reference_is_one_cards_and_sixteen_are_all() {
        let mut device = device();
        let id = |n: u8| (TokenId([n; 16]), CardId([n; 16]));
        for n in 0..16 {
            assert_eq!(device.link(id(n).0, id(n).1, at(0)), Ok(true));
            assert_eq!(device.link(id(n).0, id(n).1, at(0)), Ok(false));
        }
        assert_eq!(device.link(id(16).0, id(16).1, at(0)), Err(NotLinked::Full));
        assert_eq!(device.link(id(3).0, id(4).1, at(0)), Err(NotLinked::OtherCard));
        assert!(device.unlink(id(3).0) && !device.unlink(id(3).0));
        assert_eq!(device.link(id(16).0, id(16).1, at(0)), Ok(true));
    }

    /// Whoever revokes the device goes by what stands here: a card that may still be coming must not be forgotten.
    #[test]
    fn what_may_still_be_coming_is_not_settled() {
        let mut device = device();
        let id = |n: u8| (TokenId([n; 16]), CardId([n; 16]));
        for n in 0..2 {
            device.link(id(n).0, id(n).1, at(0)).unwrap();
        }
        assert_eq!(device.settled(at(3599)).count(), 0);
        let seen: Vec<OnDevice> = device.settled(at(3600)).copied().collect();
        assert_eq!(seen.len(), 2);
        // One of them is asked for once more before it is forgotten.
        device.link(id(1).0, id(1).1, at(3600)).unwrap();
        device.forget(&seen);
        assert_eq!((device.card(id(0).0), device.card(id(1).0)), (None, Some(id(1).1)));
    }

    /// Its cards as an array of two, without an instant.
    #[test]
    fn a_row_of_the_release_before_reads_and_its_cards_are_settled() {
        #[derive(Encode)]
        struct Before(#[n(0)] TokenId, #[n(1)] CardId);
        let before = minicbor::to_vec(Before(TokenId([1; 16]), CardId([2; 16]))).unwrap();
        let read: OnDevice = minicbor::decode(&before).unwrap();
        assert_eq!(read, OnDevice { token: TokenId([1; 16]), card: CardId([2; 16]), since: None });
        assert!(!read.may_be_coming(at(0)));
        #[derive(Decode)]
        struct There(#[n(0)] TokenId, #[n(1)] CardId);
        let today = minicbor::to_vec(OnDevice { since: Some(at(0)), ..read }).unwrap();
        let There(token, card) = minicbor::decode(&today).unwrap();
        assert_eq!((token, card), (read.token, read.card), "and one of today reads there");
    }

    #[test]
    fn a_revoked_device_takes_no_card() {
        let mut device = device();
        assert!(device.revoke(Moment::from_unix_ms(2000)) && !device.revoke(Moment::from_unix_ms(3000)));
        assert_eq!(device.link(TokenId([1; 16]), CardId([1; 16]), at(2)), Err(NotLinked::Revoked));
    }

    #[test]
    fn it_is_fresh_for_ten_minutes() {
        assert!(device().is_fresh(at(599)) && !device().is_fresh(at(600)));
    }
}
