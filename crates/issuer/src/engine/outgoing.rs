//! What an outbox row says is to be done. Ids only; what a reversal needs of its payment, and a PIN request, is sealed and goes with the row.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use ramz_domain::card::{Mark, NotSent, Notice};
use ramz_domain::{CardId, ChallengeId, Phone};
use ramz_keys::{Keys, Place};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::EngineFault;

/// The associated data of a sealed reversal.
const REVERSAL_COLUMN: &str = "outbox.reversal";
/// The associated data of a sealed phone.
const OLD_PHONE_COLUMN: &str = "outbox.phone";
/// Bodies of the first release: a challenge's bare name, and after it the request's.
const BARE: usize = 16;
const BARE_WITH_REQUEST: usize = 32;

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) enum Outgoing {
    /// The SMS with this PIN, to the phone.
    #[n(0)]
    Pin {
        /// Its name.
        #[n(0)]
        challenge: ChallengeId,
        /// The request's, for the log.
        #[n(1)]
        request: Option<ByteArray<16>>,
    },
    /// Our own reversal, to the card host.
    #[n(1)]
    Reversal {
        /// Of which transaction.
        #[n(0)]
        identity: Mark,
        /// The parts of the payment that it repeats.
        #[cbor(n(1), with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
    /// The SMS with this notice, to the card's phone, or to the one that it had.
    #[n(2)]
    Notice {
        /// What it says.
        #[n(0)]
        notice: Notice,
        /// The phone that the card had, sealed.
        #[n(1)]
        old_phone: Option<ByteVec>,
    },
    /// Words of help, to a phone: its row owns them, not a card's.
    #[n(3)]
    Help {
        /// Why no PIN comes.
        #[n(0)]
        why: NotSent,
    },
    /// The card's work for a PIN request: an admission's row owns it, not a card's. Has the admission's id.
    #[n(4)]
    Request {
        /// The idempotency key, for the log.
        #[n(0)]
        asked: ByteArray<16>,
        /// The payer, if its asker tells them apart.
        #[n(1)]
        payer: Option<Mark>,
        /// The request.
        #[n(2)]
        sealed: ByteVec,
    },
}

impl Outgoing {
    pub(crate) fn pin(challenge: ChallengeId, request: Option<Uuid>) -> Outgoing {
        Outgoing::Pin { challenge, request: request.map(|request| ByteArray::from(request.into_bytes())) }
    }

    /// A reversal for the outbox row of this id: nowhere else does it open.
    pub(crate) fn reversal(
        keys: &dyn Keys,
        card: CardId,
        id: [u8; 16],
        identity: Mark,
        clear: &[u8],
    ) -> Result<Outgoing, EngineFault> {
        let sealed = keys.seal(Place { row: &row(card, id), column: REVERSAL_COLUMN }, clear)?;
        Ok(Outgoing::Reversal { identity, sealed })
    }

    /// A notice for the outbox row of this id; to the phone that the card had, if one is given.
    pub(crate) fn notice(
        keys: &dyn Keys,
        card: CardId,
        id: [u8; 16],
        notice: Notice,
        old_phone: Option<&Phone>,
    ) -> Result<Outgoing, EngineFault> {
        let row = row(card, id);
        let place = Place { row: &row, column: OLD_PHONE_COLUMN };
        let sealed = old_phone.map(|phone| keys.seal(place, phone.expose().as_bytes())).transpose()?;
        Ok(Outgoing::Notice { notice, old_phone: sealed.map(ByteVec::from) })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, EngineFault> {
        minicbor::to_vec(self).map_err(|error| EngineFault::Row(error.to_string()))
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Outgoing, EngineFault> {
        if let (BARE | BARE_WITH_REQUEST, Some((challenge, request))) =
            (body.len(), body.split_first_chunk::<BARE>())
        {
            return Ok(Outgoing::pin(ChallengeId(*challenge), Uuid::from_slice(request).ok()));
        }
        minicbor::decode(body).map_err(|error| EngineFault::Row(format!("an outbox row: {error}")))
    }
}

/// What was sealed for a reversal.
pub(crate) fn open_reversal(
    keys: &dyn Keys,
    card: CardId,
    id: [u8; 16],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EngineFault> {
    Ok(keys.open(Place { row: &row(card, id), column: REVERSAL_COLUMN }, sealed)?)
}

/// The phone that a card had.
pub(crate) fn open_old_phone(
    keys: &dyn Keys,
    card: CardId,
    id: [u8; 16],
    sealed: &[u8],
) -> Result<Option<Phone>, EngineFault> {
    let clear = keys.open(Place { row: &row(card, id), column: OLD_PHONE_COLUMN }, sealed)?;
    Ok(std::str::from_utf8(&clear).ok().and_then(|text| Phone::parse(text).ok()))
}

/// Card and row together: moved to another of either, it does not open.
fn row(card: CardId, id: [u8; 16]) -> [u8; 16] {
    Mark::of(&[&card.0, &id]).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_the_first_release_is_a_pin() {
        let bare = Outgoing::pin(ChallengeId([7; 16]), None);
        assert_eq!(Outgoing::decode(&[7; 16]).unwrap(), bare);
        let with_request = Outgoing::pin(ChallengeId([7; 16]), Some(Uuid::from_bytes([8; 16])));
        assert_eq!(Outgoing::decode(&[[7; 16], [8; 16]].concat()).unwrap(), with_request);
    }

    #[test]
    fn bodies_read_back_and_none_passes_for_a_bare_one() {
        let reversal = Outgoing::Reversal { identity: Mark([2; 16]), sealed: Vec::new() };
        let challenge = ChallengeId([1; 16]);
        let with_request = Outgoing::pin(challenge, Some(Uuid::from_bytes([3; 16])));
        let notice = Outgoing::Notice { notice: Notice::SmsOn, old_phone: None };
        let help = Outgoing::Help { why: NotSent::NoSuchCard };
        let request = Outgoing::Request { asked: [4; 16].into(), payer: None, sealed: Vec::new().into() };
        for outgoing in [Outgoing::pin(challenge, None), with_request, reversal, notice, help, request] {
            let body = outgoing.encode().unwrap();
            assert!(![BARE, BARE_WITH_REQUEST].contains(&body.len()));
            assert_eq!(Outgoing::decode(&body).unwrap(), outgoing);
        }
        assert!(Outgoing::decode(&[]).is_err() && Outgoing::decode(&[0xFF; 15]).is_err());
    }
}
