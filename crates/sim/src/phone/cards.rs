//! Cards: put on the phone and taken off, and what their codes may do. What the bank tells of a card is taken over.

use axum::http::Method;
use ramz_api::app::{
    AddCard, CARD, CARDS, CEILING, CHECK, CardsView, Ceiling, Check, Control, FIRST_PIN, RESYNC, Resync,
    SECOND_PIN, SealedSeed, Slot, Switch, TokenView, of_card, seed_associated,
};
use ramz_api::problem::Kind;
use ramz_domain::{Pan, Pin, TokenId, limits};
use ramz_keys::seal_seed;
use zeroize::Zeroizing;

use super::activating::point_of;
use super::asking::read;
use super::state::{Kept, Pending};
use super::{Phone, PhoneError};

impl Phone {
    /// Puts a card on the phone, with a fresh seed. Once the minutes after the activation are over it is proved by a control code
    /// of a card that is there. A repeat after a lost answer has the reference and the seed of before: the bank then has one card,
    /// whichever arrived.
    ///
    /// # Errors
    /// [`PhoneError::NoControl`], [`PhoneError::CodeUsed`], [`PhoneError::TooManyPending`]; the bank's problems; no answer: then add
    /// it again.
    pub async fn add_card(&mut self, pan: &Pan, expiry: [u8; 4]) -> Result<TokenView, PhoneError> {
        let until = self.state.activated()?.add_cards_until;
        let (reference, begun_now) = self.begin(pan, expiry)?;
        // What the bank may have already it is told again, which proves nothing anew.
        let free = !begun_now || self.bank_time() < until;
        let mut added = self.prove_and_add(reference, pan, expiry, !free).await;
        if free && is(&added, Kind::ControlCode) {
            // By the bank's clock the minutes are over.
            added = self.prove_and_add(reference, pan, expiry, true).await;
        }
        match &added {
            Ok(view) => self.settle(reference, view),
            // There was no other request, and what came of this one is known; or the bank has the card by another reference.
            Err(error) if begun_now && was_not_done(error) || is(&added, Kind::TokenExists) => {
                self.state.pending.retain(|pending| pending.reference != reference);
            }
            Err(_) => return added,
        }
        self.kept()?;
        added
    }

    /// The cards as the bank has them, and the key that seeds are sealed to from now on. Those that it has no more are taken off the phone; one whose
    /// addition was not answered, and that it has, is put on it, and one that this phone has no seed of is taken off at the bank.
    ///
    /// # Errors
    /// The bank's problems; no answer.
    pub async fn cards(&mut self) -> Result<CardsView, PhoneError> {
        let asked = self.clock.now();
        let answer = self.send(Method::GET, CARDS, Zeroizing::default()).await?;
        let mut view: CardsView = read(&answer, "the question for cards")?;
        self.learn_time(asked, view.now_ms);
        // Another since a rotation; the bank may give the old one up.
        let key = view.receive_key.as_ref();
        let key =
            key.map(|key| point_of(key).ok_or(PhoneError::Answer("the question for cards"))).transpose()?;
        if let (Some((version, point)), Some(activated)) = (key, &mut self.state.activated) {
            (activated.receive_version, activated.receive_key) = (version, point);
        }
        let mut there = Vec::new();
        for card in &view.cards {
            let reference =
                TokenId::parse(&card.reference).ok_or(PhoneError::Answer("the question for cards"))?;
            self.settle(reference, card);
            there.push(reference);
        }
        self.state.cards.retain(|card| there.contains(&card.reference));
        // What was not answered is answered by this: the bank has it, or it has not.
        self.state.pending.clear();
        self.kept()?;
        // Or it comes to the bank only now: a card without a seed here is of no use, and would stand in the way of its next addition.
        let strays: Vec<TokenId> =
            there.into_iter().filter(|there| self.state.card(*there).is_err()).collect();
        for stray in strays {
            self.take_off(stray).await?;
            view.cards.retain(|card| card.reference != stray.to_string());
        }
        Ok(view)
    }

    /// Sets what one PIN of a slot may pay: a step of the card's table, 0 for no ceiling. Raising it takes a control code.
    ///
    /// # Errors
    /// [`PhoneError::NoStep`], [`PhoneError::CodeUsed`]; the bank's problems; no answer.
    pub async fn set_ceiling(
        &mut self,
        reference: TokenId,
        slot: Slot,
        ceiling: u8,
    ) -> Result<TokenView, PhoneError> {
        self.state.card(reference)?.has_step(ceiling)?;
        let body = |control_code| Ceiling { slot, ceiling, control_code }.to_json();
        // Whether it is higher the bank knows; a request without a code uses none up, and counts for nothing.
        let lowered = self.change(Method::PUT, CEILING, reference, body(None)).await;
        if !is(&lowered, Kind::ControlCode) {
            return lowered;
        }
        let code = self.take_control(reference)?;
        self.change(Method::PUT, CEILING, reference, body(Some(code))).await
    }

    /// Makes the first PIN the app's, or the static one again. Either takes a control code.
    ///
    /// # Errors
    /// [`PhoneError::CodeUsed`]; the bank's problems; no answer.
    pub async fn first_pin(&mut self, reference: TokenId, on: bool) -> Result<TokenView, PhoneError> {
        let control_code = Some(self.take_control(reference)?);
        self.change(Method::PUT, FIRST_PIN, reference, Switch { on, control_code }.to_json()).await
    }

    /// Lets this phone's codes pay on the web, which takes a control code, or not.
    ///
    /// # Errors
    /// [`PhoneError::CodeUsed`]; the bank's problems; no answer.
    pub async fn second_pin(&mut self, reference: TokenId, on: bool) -> Result<TokenView, PhoneError> {
        let control_code = if on { Some(self.take_control(reference)?) } else { None };
        self.change(Method::PUT, SECOND_PIN, reference, Switch { on, control_code }.to_json()).await
    }

    /// Has a control code checked, and nothing else done: whether seed and clock are those that the bank knows.
    ///
    /// # Errors
    /// [`PhoneError::CodeUsed`]; the bank's problems; no answer.
    pub async fn check(&mut self, reference: TokenId) -> Result<(), PhoneError> {
        let control_code = self.take_control(reference)?;
        let body = Check { control_code }.to_json();
        self.send(Method::POST, &of_card(CHECK, reference), body).await.map(drop)
    }

    /// Tells the bank what the phone's clock shows, by the control codes of the minute before and of this one. Nobody has to wait for
    /// a second code: it is a function of time, and the phone computes both at once.
    ///
    /// # Errors
    /// [`PhoneError::CodeUsed`] if one of the two was used; the bank's problems; no answer.
    pub async fn resync(&mut self, reference: TokenId) -> Result<TokenView, PhoneError> {
        let codes: [Pin; 2] = self.take_controls(reference)?;
        self.change(Method::POST, RESYNC, reference, Resync { codes }.to_json()).await
    }

    /// Takes a card off the phone, at the bank first. That the bank has it no more is as good.
    ///
    /// # Errors
    /// [`PhoneError::NoCard`]; the bank's problems; no answer: then the card is still on the phone.
    pub async fn remove(&mut self, reference: TokenId) -> Result<(), PhoneError> {
        self.state.card(reference)?;
        self.take_off(reference).await?;
        self.state.cards.retain(|card| card.reference != reference);
        self.kept()
    }

    /// At the bank. That it has the card no more is as good.
    async fn take_off(&mut self, reference: TokenId) -> Result<(), PhoneError> {
        let removed = self.send(Method::DELETE, &of_card(CARD, reference), Zeroizing::default()).await;
        if !is(&removed, Kind::NotFound) {
            removed?;
        }
        Ok(())
    }

    /// The addition of this card that has no answer yet, or a new one; and whether it is new.
    fn begin(&mut self, pan: &Pan, expiry: [u8; 4]) -> Result<(TokenId, bool), PhoneError> {
        if let Some(pending) = self.state.pending.iter().find(|pending| pending.is_of(pan, expiry)) {
            return Ok((pending.reference, false));
        }
        if self.state.pending.len() >= limits::DEVICE_CARDS_MAX {
            return Err(PhoneError::TooManyPending);
        }
        let pending = Pending::new(pan, expiry, self.entropy.as_ref());
        let reference = pending.reference;
        self.state.pending.push(pending);
        Ok((reference, true))
    }

    async fn prove_and_add(
        &mut self,
        reference: TokenId,
        pan: &Pan,
        expiry: [u8; 4],
        proved: bool,
    ) -> Result<TokenView, PhoneError> {
        let control = if proved { Some(self.any_control()?) } else { None };
        self.add(reference, pan, expiry, control).await
    }

    async fn add(
        &mut self,
        reference: TokenId,
        pan: &Pan,
        expiry: [u8; 4],
        control: Option<Control>,
    ) -> Result<TokenView, PhoneError> {
        let activated = self.state.activated()?;
        let associated = seed_associated(activated.device, reference);
        let pending = self.state.pending.iter().find(|pending| pending.reference == reference);
        let seed = &pending.ok_or(PhoneError::NoCard)?.seed.0;
        let sealed = seal_seed(&activated.receive_key()?, seed, &associated, self.entropy.as_ref())?;
        let seed = SealedSeed { key: sealed.version, enc: sealed.enc, ciphertext: sealed.ciphertext };
        let body = AddCard { reference, pan: pan.clone(), expiry, seed, control }.to_json();
        let answer = self.send(Method::POST, CARDS, body).await?;
        read(&answer, "the addition of the card")
    }

    /// A control code of a card that has one for this minute.
    fn any_control(&mut self) -> Result<Control, PhoneError> {
        let cards: Vec<TokenId> = self.state.cards.iter().map(|card| card.reference).collect();
        let mut why = PhoneError::NoControl;
        for card in cards {
            match self.take_control(card) {
                Ok(code) => return Ok(Control { card, code }),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Takes over what the bank says of a card; puts it on the phone if it was asked for.
    fn settle(&mut self, reference: TokenId, view: &TokenView) {
        if let Ok(card) = self.state.card_mut(reference) {
            card.learn(view);
        }
        let added = self.state.pending.iter().position(|pending| pending.reference == reference);
        if let Some(at) = added {
            let Pending { seed, .. } = self.state.pending.remove(at);
            self.state.cards.push(Kept::new(reference, seed, view));
        }
    }

    async fn change(
        &mut self,
        method: Method,
        path: &str,
        reference: TokenId,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<TokenView, PhoneError> {
        self.state.card(reference)?;
        let answer = self.send(method, &of_card(path, reference), body).await?;
        let view = read(&answer, "the change")?;
        self.settle(reference, &view);
        self.kept()?;
        Ok(view)
    }
}

fn is<T>(told: &Result<T, PhoneError>, kind: Kind) -> bool {
    matches!(told, Err(PhoneError::Problem(problem)) if problem.kind == kind)
}

/// Whether it is certain that the bank did nothing: it said no, or was not asked.
fn was_not_done(error: &PhoneError) -> bool {
    match error {
        PhoneError::Problem(no) => no.kind.code() < 500,
        PhoneError::NoControl | PhoneError::CodeUsed { .. } => true,
        _ => false,
    }
}
