//! An activation of the app, as the half of its code on the receipt finds it: how often the other half was tried, and which device had
//! it in the end. A half that no receipt has gets a row of the same kind, so that nobody can tell it from a wrong other half.

use minicbor::{Decode, Encode};

use crate::{ActivationId, CardId, DeviceId, Moment, limits};

/// The format a row is written in.
const FORMAT: u8 = 1;

/// The row.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ActivationRow {
    #[n(0)]
    format: u8,
    /// The card at the terminal; none: no receipt has this half.
    #[n(1)]
    card: Option<CardId>,
    /// What both halves are made from.
    #[n(2)]
    id: ActivationId,
    /// Since when.
    #[n(3)]
    at: Moment,
    /// Wrong other halves.
    #[n(4)]
    tries: u8,
    /// Who had the right one.
    #[n(5)]
    device: Option<DeviceId>,
}

/// What became of a try. All but the first two look the same from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tried {
    /// The device is activated.
    Granted,
    /// It was before, by this very device.
    Again,
    /// No.
    No,
}

/// A row that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an activation's row cannot be read: {0}")]
pub struct ActivationError(String);

impl ActivationRow {
    /// Of a receipt that was printed.
    pub fn begun(card: CardId, id: ActivationId, now: Moment) -> ActivationRow {
        ActivationRow { format: FORMAT, card: Some(card), id, at: now, tries: 0, device: None }
    }

    /// Of a half that no receipt has.
    pub fn unknown(id: ActivationId, now: Moment) -> ActivationRow {
        ActivationRow { format: FORMAT, card: None, id, at: now, tries: 0, device: None }
    }

    /// Reads a row's bytes.
    pub fn decode(bytes: &[u8]) -> Result<ActivationRow, ActivationError> {
        let row: ActivationRow =
            minicbor::decode(bytes).map_err(|error| ActivationError(error.to_string()))?;
        if row.format > FORMAT {
            return Err(ActivationError(format!("format {} is of a newer release", row.format)));
        }
        Ok(row)
    }

    /// The row's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, ActivationError> {
        minicbor::to_vec(self).map_err(|error| ActivationError(error.to_string()))
    }

    /// Card and activation, if a receipt has this half.
    pub fn of(&self) -> Option<(CardId, ActivationId)> {
        self.card.map(|card| (card, self.id))
    }

    /// When it is of no use any more.
    pub fn ends(&self) -> Moment {
        self.at.plus(limits::ACTIVATION_VALID)
    }

    /// Whether another activation may have its place: it is over, or was none.
    pub fn may_be_replaced(&self, now: Moment) -> bool {
        self.card.is_none() || now >= self.ends()
    }

    /// Whether the other half is to be looked at: in time, and not tried too often. A device that had it may ask again.
    fn is_open(&self, now: Moment) -> bool {
        now < self.ends() && usize::from(self.tries) < limits::ACTIVATION_TRIES
    }

    /// The other half was presented. `matched`: it is the right one, and the card says that this activation is its latest.
    pub fn try_code(&mut self, matched: bool, device: DeviceId, now: Moment) -> Tried {
        if !self.is_open(now) {
            return Tried::No;
        }
        match self.device {
            None if matched && self.card.is_some() => {
                self.device = Some(device);
                Tried::Granted
            }
            Some(known) if matched && known == device => Tried::Again,
            _ => {
                self.tries += 1;
                Tried::No
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId([1; 16]);

    fn at(s: u64) -> Moment {
        Moment::from_unix_ms(1_700_000_000_000 + s * 1000)
    }

    fn begun() -> ActivationRow {
        ActivationRow::begun(CardId([7; 16]), ActivationId([8; 16]), at(0))
    }

    #[test]
    fn one_device_has_it_and_may_ask_again() {
        let mut row = begun();
        assert_eq!(row.try_code(true, DEVICE, at(599)), Tried::Granted);
        row = ActivationRow::decode(&row.encode().unwrap()).unwrap();
        assert_eq!(row.try_code(true, DEVICE, at(599)), Tried::Again);
        assert_eq!(row.try_code(true, DeviceId([2; 16]), at(599)), Tried::No);
        assert_eq!(row.try_code(true, DEVICE, at(600)), Tried::No, "ten minutes");
    }

    #[test]
    fn three_tries_and_none_after_the_end() {
        let mut row = begun();
        for _ in 0..2 {
            assert_eq!(row.try_code(false, DEVICE, at(1)), Tried::No);
        }
        assert_eq!(row.clone().try_code(true, DEVICE, at(1)), Tried::Granted, "the third");
        assert_eq!(row.try_code(false, DEVICE, at(1)), Tried::No);
        assert_eq!(row.try_code(true, DEVICE, at(1)), Tried::No);
        assert_eq!(begun().try_code(true, DEVICE, at(600)), Tried::No);
    }

    #[test]
    fn what_no_receipt_has_is_never_granted_and_counts_alike() {
        let mut row = ActivationRow::unknown(ActivationId([8; 16]), at(0));
        for _ in 0..4 {
            assert_eq!(row.try_code(true, DEVICE, at(1)), Tried::No);
        }
        let mut wrong = begun();
        for _ in 0..4 {
            wrong.try_code(false, DEVICE, at(1));
        }
        assert_eq!(row.tries, wrong.tries);
        assert!(
            row.may_be_replaced(at(1)) && !wrong.may_be_replaced(at(1)) && wrong.may_be_replaced(at(600))
        );
    }
}
