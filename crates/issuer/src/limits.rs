//! What this node lets through for phone, payee, payer, IIN and asker. The card's own limit is in its row, in
//! `ramz_domain::card`.
//!
//! Of an asker the *rate* is limited, and it is told so (429). All else is silent: the 202 has long been given, and what is
//! too much is noted at the card and not sent. What is counted does not depend on the card, known or not.

use ramz_domain::card::{Mark, NotSent};
use ramz_domain::{Digest, Iin, Moment, Phone};
use ramz_keys::{IndexPurpose, KeyFault, Keys};

use crate::windows::{Rate, Windows};

/// The rates. Defaults and reasons are in `ramz_domain::limits`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rates {
    /// Requests of one asker.
    pub asker: Rate,
    /// SMS to one phone, for all its cards.
    pub phone: [Rate; 3],
    /// Alerts to one phone, for all its cards.
    pub alert: Rate,
    /// Requests of one payer, for all cards.
    pub payer: Rate,
    /// Requests for payments to one payee.
    pub payee: Rate,
    /// Requests for cards of one IIN.
    pub iin: Rate,
}

/// The rates and what has been taken of them.
#[derive(Debug)]
pub struct Limits {
    rates: Rates,
    windows: Windows,
}

impl Limits {
    /// Nothing taken yet.
    pub fn new(rates: Rates) -> Limits {
        Limits { rates, windows: Windows::default() }
    }

    /// One request of an asker; too many: in how many seconds the next one passes.
    pub(crate) fn asker(&self, name: &str, now: Moment) -> Result<(), u32> {
        let key = Digest::of(&[b"asker", name.as_bytes()]);
        self.windows.take(key, &[self.rates.asker], now).map_err(|until| {
            let seconds = until.since(now).as_millis().div_ceil(1000);
            u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
        })
    }

    /// One request for a PIN: why it is not to be sent, if it is not.
    pub(crate) fn request(
        &self,
        payer: Option<Mark>,
        payee: Digest,
        iin: Iin,
        now: Moment,
    ) -> Option<NotSent> {
        if let Some(Mark(payer)) = payer {
            let key = Digest::of(&[b"payer", &payer]);
            if self.windows.take(key, &[self.rates.payer], now).is_err() {
                return Some(NotSent::PayerLimit);
            }
        }
        if self.windows.take(Digest::of(&[b"payee", &payee.0]), &[self.rates.payee], now).is_err() {
            return Some(NotSent::PayeeLimit);
        }
        let iin = Digest::of(&[b"iin", iin.as_str().as_bytes()]);
        self.windows.take(iin, &[self.rates.iin], now).is_err().then_some(NotSent::IinLimit)
    }

    /// One SMS to a phone.
    pub(crate) fn phone(&self, keys: &dyn Keys, phone: &Phone, now: Moment) -> Result<bool, KeyFault> {
        Ok(self.windows.take(phone_key(keys, phone)?, &self.rates.phone, now).is_ok())
    }

    /// One alert to a phone.
    pub(crate) fn alert(&self, keys: &dyn Keys, phone: &Phone, now: Moment) -> Result<bool, KeyFault> {
        let Digest(phone) = phone_key(keys, phone)?;
        Ok(self.windows.take(Digest::of(&[b"alert", &phone]), &[self.rates.alert], now).is_ok())
    }

    /// Until when this node sends nothing to a phone, if it does not.
    pub(crate) fn phone_held_until(
        &self,
        keys: &dyn Keys,
        phone: &Phone,
        now: Moment,
    ) -> Result<Option<Moment>, KeyFault> {
        Ok(self.windows.held_until(phone_key(keys, phone)?, &self.rates.phone, now))
    }
}

/// Keyed also in memory: a dump of it is not to tell phones.
fn phone_key(keys: &dyn Keys, phone: &Phone) -> Result<Digest, KeyFault> {
    Ok(Digest(keys.index(IndexPurpose::Phone, &[phone.expose().as_bytes()])?.bytes))
}
