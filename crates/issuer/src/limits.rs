//! What the nodes let through for phone, payee, payer, IIN and asker. The card's own limit is in its row, in
//! `ramz_domain::card`.
//!
//! Of an asker the *rate* is limited, and it is told so (429). All else is silent: the 202 has long been given, and what is
//! too much is noted at the card and not sent. What is counted does not depend on the card, known or not.

use std::net::IpAddr;

use ramz_api::address;
use ramz_domain::card::{Mark, NotSent};
use ramz_domain::{DeviceId, Digest, Iin, Moment, Phone, Pin, limits};
use ramz_keys::{IndexPurpose, KeyFault, Keys};

use crate::windows::{Rate, Taken, Windows};

/// A family's cards, each with a typing error.
const CARDS_OF_A_DEVICE: Rate = Rate { most: 32, within: std::time::Duration::from_secs(3600) };

/// Two a second for a minute: an app that starts reads, and a person taps.
const REQUESTS_OF_A_DEVICE: Rate = Rate { most: 120, within: std::time::Duration::from_secs(60) };
/// Addresses of one network, as far as their tries count together.
const AROUND: u32 = 10;
/// An IPv4 address has as many tries as so many IPv6 networks. A carrier puts thousands of phones behind one, and of those that activate in
/// an hour some mistype; an IPv6 network is one household's, or one phone's. Nobody guesses by it: what bounds guesses counts for each code
/// and for all addresses together, and of the latter a whole neighbourhood of 256 has a sixtieth.
const BEHIND_AN_IPV4: u32 = 10;

/// One half of an activation code: guesses at the other.
const SMS_HALF: Rate = Rate { most: limits::SMS_HALF_TRIES, within: limits::ACTIVATION_VALID };

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
    /// Wrong tries at activation codes from one IPv6 network; an IPv4 address has ten times as many.
    pub activation_address: Rate,
    /// Wrong tries at activation codes from all of them.
    pub activation: Rate,
}

/// Of a try's places, so many are the address's; the rest bounds guesses wherever they come from.
const ADDRESSES: usize = 2;

/// One try at an activation code, as it was taken.
#[derive(Debug)]
pub(crate) struct Try([(Digest, Rate); 4]);

/// The rates and what has been taken of them.
#[derive(Debug)]
pub struct Limits {
    rates: Rates,
    windows: Windows,
    /// The app's door is open to everybody: what is counted there must not crowd out the others.
    app: Windows,
}

impl Limits {
    /// Nothing taken yet. `shared`: other nodes have the same cards.
    pub fn new(rates: Rates, shared: bool) -> Limits {
        let windows = if shared { Windows::shared } else { Windows::default };
        Limits { rates, windows: windows(), app: windows() }
    }

    /// What other nodes should hear of, and have not: of all, and of the app's door.
    pub(crate) fn untold(&self) -> [Vec<Taken>; 2] {
        [&self.windows, &self.app].map(|windows| windows.untold(limits::NODES_TELL_KEYS))
    }

    /// What another node took.
    pub(crate) fn told(&self, [all, app]: &[Vec<Taken>; 2], now: Moment) {
        self.windows.told(all, now);
        self.app.told(app, now);
    }

    /// One request of an asker; too many: in how many seconds the next one passes.
    pub(crate) fn asker(&self, name: &str, now: Moment) -> Result<(), u32> {
        let key = Digest::of(&[b"asker", name.as_bytes()]);
        self.windows.take(key, &[self.rates.asker], now).map_err(|until| seconds(until, now))
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

    /// One try at an activation code; too many: in how many seconds the next one passes. An address takes its own first, then its
    /// surroundings theirs: one that is over its part takes nothing of the others'. From wherever it comes, the half by SMS has its own.
    pub(crate) fn activation(
        &self,
        keys: &dyn Keys,
        from: IpAddr,
        sms: &Pin,
        now: Moment,
    ) -> Result<Result<Try, u32>, KeyFault> {
        let mut own = self.rates.activation_address;
        if from.is_ipv4() {
            own.most = own.most.saturating_mul(BEHIND_AN_IPV4);
        }
        let around = Rate { most: own.most.saturating_mul(AROUND), ..own };
        let tag = |place: String| keys.index(IndexPurpose::Payer, &[b"activation", place.as_bytes()]);
        let half = keys.index(IndexPurpose::Activation, &[b"half by SMS", sms.expose().as_bytes()])?;
        let places = [
            (Digest(tag(address::network(from))?.bytes), own),
            (Digest(tag(address::surroundings(from))?.bytes), around),
            (Digest::of(&[b"activations"]), self.rates.activation),
            // The last: what addresses have left bounds how many halves are remembered.
            (Digest(half.bytes), SMS_HALF),
        ];
        for (at, (key, rate)) in places.into_iter().enumerate() {
            // However many addresses somebody has, they crowd out neither the sum nor a half's own guesses.
            let of_an_address = at < ADDRESSES;
            let taken = if of_an_address {
                self.app.take(key, &[rate], now)
            } else {
                self.app.take_for_sure(key, &[rate], now)
            };
            if let Err(until) = taken {
                return Ok(Err(seconds(until, now)));
            }
        }
        Ok(Ok(Try(places)))
    }

    /// A try was right: only wrong ones count. They are taken first all the same, or many at once would all pass.
    pub(crate) fn was_right(&self, Try(places): Try) {
        for (key, rate) in places {
            self.app.give_back(key, &[rate]);
        }
    }

    /// One card that a device wants: who has a device must not try card numbers out.
    pub(crate) fn card_of(&self, device: DeviceId, now: Moment) -> Result<(), u32> {
        let key = Digest::of(&[b"card", &device.0]);
        self.app.take(key, &[CARDS_OF_A_DEVICE], now).map_err(|until| seconds(until, now))
    }

    /// One request of a device.
    pub(crate) fn request_of(&self, device: DeviceId, now: Moment) -> Result<(), u32> {
        let key = Digest::of(&[b"device", &device.0]);
        self.app.take(key, &[REQUESTS_OF_A_DEVICE], now).map_err(|until| seconds(until, now))
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

fn seconds(until: Moment, now: Moment) -> u32 {
    let seconds = until.since(now).as_millis().div_ceil(1000);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

/// Keyed also in memory: a dump of it is not to tell phones.
fn phone_key(keys: &dyn Keys, phone: &Phone) -> Result<Digest, KeyFault> {
    Ok(Digest(keys.index(IndexPurpose::Phone, &[phone.expose().as_bytes()])?.bytes))
}
