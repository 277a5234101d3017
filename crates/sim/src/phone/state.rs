//! What a phone must not forget, as one value: its device key, the seeds of its cards, and the counter of its last write. Bytes in
//! and out; where they are kept, and sealed, is the keeper's matter.

use std::convert::Infallible;
use std::fmt;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};
use ramz_api::app::{Signer, Slot, SlotView, TokenView};
use ramz_domain::ambient::random_bytes;
use ramz_domain::card::step_at;
use ramz_domain::{DeviceId, Entropy, Moment, Pan, TokenId};
use ramz_keys::ReceiveKey;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::PhoneError;

/// The format a state is written in.
const FORMAT: u8 = 1;

/// 32 secret bytes. Wiped when dropped.
#[derive(Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Secret(
    #[cbor(n(0), encode_with = "encode_secret", decode_with = "decode_secret")] pub(super) Zeroizing<[u8; 32]>,
);

/// A phone's state. `Debug` shows the device and how many cards there are.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct PhoneState {
    #[n(0)]
    format: u8,
    #[n(1)]
    url: String,
    #[n(2)]
    secret: Secret,
    #[n(3)]
    counter: u64,
    /// What the bank's clock is ahead of the phone's.
    #[n(4)]
    offset_ms: i64,
    #[n(5)]
    pub(super) activated: Option<Activated>,
    #[n(6)]
    pub(super) cards: Vec<Kept>,
    #[n(7)]
    pub(super) pending: Vec<Pending>,
}

/// What an activation has given.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Activated {
    /// The device's id.
    #[n(0)]
    pub device: DeviceId,
    /// The version of the key that seeds are sealed to …
    #[n(1)]
    pub(super) receive_version: u32,
    /// … and the key, an uncompressed point.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) receive_key: Vec<u8>,
    /// The bank's id.
    #[n(3)]
    pub bank: String,
    /// Its name in Persian.
    #[n(4)]
    pub name_fa: String,
    /// Its name in English.
    #[n(5)]
    pub name_en: String,
    /// Until when, by the bank's clock, cards are added without a control code.
    #[n(6)]
    pub add_cards_until: Moment,
}

/// A card on the phone.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct Kept {
    /// Its reference.
    #[n(0)]
    pub reference: TokenId,
    #[n(1)]
    pub(super) seed: Secret,
    /// The last four digits of the card number.
    #[n(2)]
    pub ending: String,
    /// Digits of a code.
    #[n(3)]
    pub digits: u8,
    /// What a code of each step may pay, in rial: the first is of step 1.
    #[n(4)]
    pub ceilings: Vec<u64>,
    /// The first PIN, as the bank last told.
    #[n(5)]
    pub first: SlotTold,
    /// The second PIN, as the bank last told.
    #[n(6)]
    pub second: SlotTold,
    /// The minute of the last control code that was sent.
    #[n(7)]
    pub(super) control_used: u64,
}

/// One of a card's PINs, as the bank last told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct SlotTold {
    /// Whether it is the app's.
    #[n(0)]
    pub on: bool,
    /// The step up to which it pays; 0: no ceiling.
    #[n(1)]
    pub ceiling: u8,
}

/// A card that was asked for, and that the bank has not answered for.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct Pending {
    #[n(0)]
    pub(super) reference: TokenId,
    #[n(1)]
    pub(super) seed: Secret,
    /// Which card: its number and expiry hashed with the seed, so that only whoever has the seed can look for it.
    #[cbor(n(2), with = "minicbor::bytes")]
    of: [u8; 16],
}

/// Bytes that are no state.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StateError {
    /// They cannot be read, or are not whole.
    #[error("the phone's state cannot be read: {0}")]
    Unreadable(String),
    /// Written by a newer release.
    #[error("the phone's state has format {0}: a newer release wrote it")]
    Format(u8),
}

impl PhoneState {
    /// A phone that is not activated, with a fresh key. `url`: the bank's app door, `https://app.bank.example`.
    pub fn new(url: &str, entropy: &dyn Entropy) -> PhoneState {
        let mut secret = Zeroizing::new(random_bytes(entropy));
        // Of random numbers one in four billion is no key. Ends also where the randomness is a test's and always the same.
        while Signer::from_secret(&secret).is_none() {
            secret = Zeroizing::new(Sha256::digest(secret.as_slice()).into());
        }
        PhoneState {
            format: FORMAT,
            url: url.trim_end_matches('/').to_owned(),
            secret: Secret(secret),
            counter: 0,
            offset_ms: 0,
            activated: None,
            cards: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`StateError`]; it repeats nothing of what is in there.
    pub fn decode(bytes: &[u8]) -> Result<PhoneState, StateError> {
        let state: PhoneState =
            minicbor::decode(bytes).map_err(|error| StateError::Unreadable(error.to_string()))?;
        if state.format > FORMAT {
            return Err(StateError::Format(state.format));
        }
        if Signer::from_secret(&state.secret.0).is_none() {
            return Err(StateError::Unreadable("its device key is none".into()));
        }
        Ok(state)
    }

    /// As bytes, the secrets in the clear: to be sealed. Wiped when dropped.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut length = Counter(0);
        // Neither a count nor a vector refuses to be written to.
        let _ = minicbor::encode(self, &mut length);
        // The whole room at once: a vector that grows would leave copies of seeds behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let _ = minicbor::encode(self, &mut *bytes);
        bytes
    }

    /// Where the bank's app door is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same phone with the door elsewhere: its certificate's name or its port has changed.
    pub fn set_url(&mut self, url: &str) {
        self.url = url.trim_end_matches('/').to_owned();
    }

    /// What the activation has given.
    ///
    /// # Errors
    /// [`PhoneError::NotActivated`].
    pub fn activated(&self) -> Result<&Activated, PhoneError> {
        self.activated.as_ref().ok_or(PhoneError::NotActivated)
    }

    /// The cards on the phone, in the order they were added.
    pub fn cards(&self) -> &[Kept] {
        &self.cards
    }

    /// One of them.
    ///
    /// # Errors
    /// [`PhoneError::NoCard`].
    pub fn card(&self, reference: TokenId) -> Result<&Kept, PhoneError> {
        self.cards.iter().find(|card| card.reference == reference).ok_or(PhoneError::NoCard)
    }

    /// The number of the last write.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// The bank's time when the phone's clock shows `now`.
    pub fn bank_time(&self, now: Moment) -> Moment {
        Moment::from_unix_ms(now.unix_ms().saturating_add_signed(self.offset_ms))
    }

    /// The phone's clock showed `now` when the bank's showed `bank_ms`.
    pub(super) fn learn_time(&mut self, now: Moment, bank_ms: u64) {
        let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        self.offset_ms = ms(bank_ms) - ms(now.unix_ms());
        // Control codes of minutes to come were sent by a clock that was ahead, and the bank took none of them.
        let step = step_at(Moment::from_unix_ms(bank_ms));
        self.cards.iter_mut().for_each(|card| card.control_used = card.control_used.min(step));
    }

    pub(super) fn next_counter(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// What requests are signed with. That it is a key was seen to when the state was made or read.
    pub(super) fn signer(&self) -> Result<Signer, PhoneError> {
        Signer::from_secret(&self.secret.0).ok_or(PhoneError::NotActivated)
    }

    pub(super) fn card_mut(&mut self, reference: TokenId) -> Result<&mut Kept, PhoneError> {
        self.cards.iter_mut().find(|card| card.reference == reference).ok_or(PhoneError::NoCard)
    }
}

impl Activated {
    pub(super) fn receive_key(&self) -> Result<ReceiveKey, PhoneError> {
        let public = self.receive_key.as_slice().try_into();
        let public = public.map_err(|_| PhoneError::Answer("the activation"))?;
        Ok(ReceiveKey { version: self.receive_version, public })
    }
}

impl Kept {
    pub(super) fn new(reference: TokenId, seed: Secret, view: &TokenView) -> Kept {
        let mut card = Kept {
            reference,
            seed,
            ending: String::new(),
            digits: 0,
            ceilings: Vec::new(),
            first: SlotTold::default(),
            second: SlotTold::default(),
            control_used: 0,
        };
        card.learn(view);
        card
    }

    /// Takes over what the bank tells.
    pub(super) fn learn(&mut self, view: &TokenView) {
        let told = |slot: &SlotView| SlotTold { on: slot.on, ceiling: slot.ceiling };
        self.ending.clone_from(&view.card_ending);
        self.ceilings.clone_from(&view.ceilings);
        self.digits = view.digits;
        (self.first, self.second) = (told(&view.first), told(&view.second));
    }

    /// One of its PINs.
    pub fn slot(&self, slot: Slot) -> SlotTold {
        match slot {
            Slot::First => self.first,
            Slot::Second => self.second,
        }
    }
}

impl Pending {
    pub(super) fn new(pan: &Pan, expiry: [u8; 4], entropy: &dyn Entropy) -> Pending {
        let reference = TokenId::random(entropy);
        let seed = Secret(Zeroizing::new(random_bytes(entropy)));
        let of = hash(&seed, pan, expiry);
        Pending { reference, seed, of }
    }

    pub(super) fn is_of(&self, pan: &Pan, expiry: [u8; 4]) -> bool {
        self.of == hash(&self.seed, pan, expiry)
    }
}

fn hash(seed: &Secret, pan: &Pan, expiry: [u8; 4]) -> [u8; 16] {
    let hash = Sha256::new().chain_update(b"ramz-phone-card-1").chain_update(seed.0.as_slice());
    let hash = hash.chain_update(expiry).chain_update(pan.expose()).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for PhoneState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.activated {
            Some(activated) => write!(f, "PhoneState({}, {} cards)", activated.device, self.cards.len()),
            None => f.write_str("PhoneState(not activated)"),
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.reference)
    }
}

fn encode_secret<C, W: Write>(
    secret: &Zeroizing<[u8; 32]>,
    e: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    e.bytes(secret.as_slice())?.ok()
}

fn decode_secret<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Zeroizing<[u8; 32]>, DecodeError> {
    let bytes = d.bytes()?;
    let mut secret = Zeroizing::new([0; 32]);
    if bytes.len() != secret.len() {
        return Err(DecodeError::message("a secret has 32 bytes"));
    }
    secret.copy_from_slice(bytes);
    Ok(secret)
}

/// Counts what is written to it.
struct Counter(usize);

impl Write for Counter {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        Ok(())
    }
}
