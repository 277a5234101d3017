//! The text that an outbox row is for: made at sending, from what card and phone are then.

use std::sync::Arc;

use ramz_domain::card::{Activation, CardState, Challenge, NotSent, Notice, Policy, Texted, ToSend};
use ramz_domain::{CardId, ChallengeId, Language, Phone, Pin};
use ramz_keys::{PinSource, Place};
use ramz_sms::port::{Outgoing as Sms, SmsText};
use ramz_sms::texts::{Notice as Words, PinText, TextedPin, notice_text, pin_text, texted_pin_text};
use ramz_store::Table;

use super::{BankName, Outbox, What};
use crate::engine::{CardColumns, Dispatch, EngineFault, open_old_phone};
use crate::phones::NUMBER_COLUMN;

/// How long a code is good, as its text says.
const ACTIVATION_MINUTES: u32 = 10;
/// Digits of each half of an activation code.
const ACTIVATION_DIGITS: u8 = 8;

impl Outbox {
    /// The text and its number; `None` if it is of no use any more.
    pub(super) async fn make(
        &self,
        dispatch: &Dispatch,
        what: &What,
        attempt: u32,
    ) -> Result<Option<Sms>, EngineFault> {
        if self.engine.clock.now() >= dispatch.expires {
            return Ok(None);
        }
        match what {
            What::Pin(challenge) => self.pin(dispatch, *challenge, attempt).await,
            What::Notice(notice, None) => self.notice(dispatch, *notice, None).await,
            What::Notice(notice, Some(sealed)) => {
                let old = open_old_phone(self.engine.keys.as_ref(), dispatch.card, dispatch.id, sealed)?;
                self.notice(dispatch, *notice, old).await
            }
            What::Help(why) => self.help(dispatch, *why).await,
        }
    }

    /// A PIN that was not spent and did not run out. At once after it was committed the row is as this node left it; later
    /// another node may have changed card and phone, and the row is read.
    async fn pin(
        &self,
        dispatch: &Dispatch,
        challenge: ChallengeId,
        attempt: u32,
    ) -> Result<Option<Sms>, EngineFault> {
        let card = dispatch.card;
        let known = if attempt == 0 && dispatch.attempts == 1 {
            self.engine.addressee(card, challenge).await?
        } else {
            self.engine.open(card).await?.map(|(state, columns)| (Arc::new(state), columns.phone))
        };
        let Some((state, phone)) = known else { return Ok(None) };
        let Some(to_send) = state.to_send(challenge, self.engine.clock.now()) else { return Ok(None) };
        let Some(phone) = phone else { return Ok(None) };
        let text = match to_send {
            ToSend::Bound(challenge) => self.bound(card, &state, challenge)?,
            ToSend::Texted(texted) => self.texted(card, &state, texted).await?,
        };
        Ok(Some(Sms { to: phone, text, not_after: to_send.expires() }))
    }

    fn bound(&self, card: CardId, state: &CardState, challenge: &Challenge) -> Result<SmsText, EngineFault> {
        let pin = self.pin_of(card, ToSend::Bound(challenge))?;
        let language = state.language();
        let text = PinText {
            bank: self.bank_name.in_language(language),
            kind: challenge.kind,
            payee: challenge.payee_name.as_ref().map_or("", |name| name.as_str()),
            amount: challenge.amount,
            pin: &pin,
            expires: challenge.expires,
            origin: challenge.origin.as_deref(),
        };
        Ok(pin_text(language, &text))
    }

    async fn texted(&self, card: CardId, state: &CardState, texted: &Texted) -> Result<SmsText, EngineFault> {
        let pin = self.pin_of(card, ToSend::Texted(texted))?;
        let columns = self.engine.open(card).await?.map(|(_, columns)| columns);
        let text = TextedPin {
            bank: self.bank_name.in_language(state.language()),
            card: &columns.as_ref().map_or(String::new(), last_four),
            ceiling: texted.ceiling,
            pin: &pin,
            expires: texted.expires,
        };
        Ok(texted_pin_text(state.language(), &text))
    }

    fn pin_of(&self, card: CardId, to_send: ToSend<'_>) -> Result<Pin, EngineFault> {
        let candidate = to_send.candidate();
        Ok(self.engine.keys.pin(&PinSource {
            version: candidate.key_version,
            digits: candidate.digits,
            card,
            challenge: candidate.id,
            payment: candidate.payment,
        })?)
    }

    async fn notice(
        &self,
        dispatch: &Dispatch,
        notice: Notice,
        old_phone: Option<Phone>,
    ) -> Result<Option<Sms>, EngineFault> {
        let card = dispatch.card;
        let Some((state, columns)) = self.engine.open(card).await? else { return Ok(None) };
        let ending = last_four(&columns);
        let Some(to) = old_phone.or(columns.phone) else { return Ok(None) };
        let code = match notice {
            Notice::AppCode(id) => match state.services().activation.filter(|begun| begun.id == id) {
                Some(begun) => Some(self.activation_code(card, begun)?),
                // Another one was begun, or it was switched off.
                None => return Ok(None),
            },
            _ => None,
        };
        let words = self.bank_name.words(notice, &ending, code.as_ref(), &self.engine.policy);
        let bank = self.bank_name.in_language(state.language());
        let text = notice_text(state.language(), bank, &words);
        Ok(Some(Sms { to, text, not_after: dispatch.expires }))
    }

    /// The half that comes by SMS.
    fn activation_code(&self, card: CardId, begun: Activation) -> Result<Pin, EngineFault> {
        activation_code(self.engine.keys.as_ref(), card, begun, Activation::by_sms())
    }

    /// To a phone that texted, in Persian: which card it meant is not known.
    async fn help(&self, dispatch: &Dispatch, why: NotSent) -> Result<Option<Sms>, EngineFault> {
        let key = dispatch.card.0;
        let Some(row) = self.engine.store.read(Table::Phone, &key).await? else { return Ok(None) };
        let sealed = row.sealed.iter().find(|(column, _)| column == NUMBER_COLUMN);
        let Some((_, sealed)) = sealed else { return Ok(None) };
        let clear = self.engine.keys.open(Place { row: &key, column: NUMBER_COLUMN }, sealed)?;
        let Some(to) = std::str::from_utf8(&clear).ok().and_then(|text| Phone::parse(text).ok()) else {
            return Ok(None);
        };
        let language = Language::Persian;
        let words = self.bank_name.help(why, "");
        let text = notice_text(language, self.bank_name.in_language(language), &words);
        Ok(Some(Sms { to, text, not_after: dispatch.expires }))
    }
}

/// One half of an activation's code.
pub(crate) fn activation_code(
    keys: &dyn ramz_keys::Keys,
    card: CardId,
    begun: Activation,
    half: ramz_domain::Digest,
) -> Result<Pin, EngineFault> {
    Ok(keys.pin(&PinSource {
        version: begun.key_version,
        digits: ACTIVATION_DIGITS,
        card,
        challenge: ChallengeId(begun.id.0),
        payment: half,
    })?)
}

fn last_four(columns: &CardColumns) -> String {
    columns.pan.as_ref().map_or(String::new(), |pan| pan.last_four().to_owned())
}

impl BankName {
    pub(super) fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Persian => &self.fa,
            Language::English => &self.en,
        }
    }

    fn words<'a>(
        &'a self,
        notice: Notice,
        card: &'a str,
        code: Option<&'a Pin>,
        policy: &Policy,
    ) -> Words<'a> {
        match notice {
            Notice::SmsOn => {
                let seconds = policy.valid_for.as_secs();
                Words::SmsActivated { card, short_code: &self.short_code, seconds }
            }
            Notice::SmsOff => Words::SmsDeactivated { card },
            Notice::AppCode(_) => Words::AppActivationCode {
                card,
                code: code.map_or("", |code| code.expose()),
                minutes: ACTIVATION_MINUTES,
                address: Some(self.app_address.as_str()).filter(|address| !address.is_empty()),
            },
            Notice::AppOff => Words::AppDeactivated { card },
            Notice::FirstPinOn => Words::FirstPinOn { card },
            Notice::FirstPinOff => Words::FirstPinOff { card },
            Notice::Locked(until) => Words::Locked { card, until },
            Notice::Unlocked => Words::Unlocked { card },
            Notice::PhoneIsNew => Words::PhoneChangedNew { card },
            Notice::PhoneWasOld => Words::PhoneChangedOld { card },
            Notice::Reissued => Words::CardReissued { card },
            Notice::CardOnDevice => Words::CardOnDevice { card },
            Notice::CardOffDevice => Words::CardOffDevice { card },
            Notice::Ceiling(_, step) => {
                let max = usize::from(step).checked_sub(1).and_then(|at| policy.app.ceilings.get(at));
                Words::Ceiling { card, max: max.copied() }
            }
            Notice::SecondPinOn => Words::SecondPinOn { card },
            Notice::SecondPinOff => Words::SecondPinOff { card },
            Notice::FirstPinLocked(until) => Words::FirstPinLocked { card, until },
            Notice::AppLocked => Words::AppLocked { card },
            Notice::Help(why) => self.help(why, card),
        }
    }

    fn help<'a>(&'a self, why: NotSent, card: &'a str) -> Words<'a> {
        match why {
            NotSent::NotActivated | NotSent::NoPhone => Words::HelpNotActivated { card },
            NotSent::NotOffered => Words::HelpNotOffered,
            NotSent::Locked => Words::HelpLocked { card },
            NotSent::NotActive => Words::HelpCardInactive { card },
            NotSent::NoSuchCard => Words::HelpNoSuchCard,
            NotSent::Ambiguous => Words::HelpSixDigits,
            NotSent::NoDigits => Words::HelpFormat { short_code: &self.short_code },
            _ => Words::HelpTooOften { minutes: 10 },
        }
    }
}
