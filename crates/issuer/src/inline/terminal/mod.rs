//! 0600: what a cardholder switches at an ATM or a branch's cashless terminal. The first PIN comes first: nothing is shown,
//! and nothing said of the card, before it was right.
//!
//! ```text
//!   0600 ─▶ card read? service known? ─▶ first PIN: dynamic? ─▶ card: right code? ─▶ card: switch ─committed─▶ 0610
//!                                                   └─ static ─▶ host: 0100, balance ─00─▶ the same
//!                                                                                  └─ else: its code, and nothing happens
//! ```
//! Unlocking, and going back to the static first PIN, take the static one too: a lost or locked phone is no dead end.

mod words;

use ramz_domain::card::{Answer, CardState, Command, Mark, Service, Slot, UnlockedBy};
use ramz_domain::{ActivationId, Pan, Phone, Refusal, Rial, limits};
use ramz_iso8583::de48::{self, APP_ADDRESS, CHOICE, MASKED_PHONE, PRINT, RECEIPT_CODE, REFUSAL, SHOW, Tags};
use ramz_iso8583::{Message, Mti};

use super::transaction;
use super::{Inline, Refused, pin_block, reply};
use crate::engine::{CardColumns, EngineFault, Found, Job, Presented};
use crate::{devices, phones};
pub use words::BankAtTerminal;
use words::Words;

/// A balance inquiry, the least that a host checks a first PIN for.
const BALANCE: &str = "310000";
/// Fields of the terminal's message that the host is shown.
const SHOWN_TO_THE_HOST: [u8; 13] = [2, 7, 11, 12, 13, 14, 18, 22, 32, 35, 37, 41, 42];

/// The services of the menu, by DE3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Switch(Service),
    ShowPhone,
    Unlock,
    Devices,
    RevokeDevice,
}

impl Wish {
    fn read(code: &str) -> Option<Wish> {
        Some(match code {
            "900000" => Wish::Switch(Service::AppOn),
            "910000" => Wish::ShowPhone,
            "911000" => Wish::Switch(Service::SmsOn),
            "920000" => Wish::Switch(Service::AppOff),
            "921000" => Wish::Switch(Service::SmsOff),
            "930000" => Wish::Switch(Service::FirstPinOn),
            "931000" => Wish::Switch(Service::FirstPinOff),
            "940000" => Wish::Unlock,
            "950000" => Wish::Devices,
            "951000" => Wish::RevokeDevice,
            _ => return None,
        })
    }
}

/// The card at the terminal.
struct AtTerminal {
    found: Found,
    state: CardState,
    columns: CardColumns,
    /// What a begun activation is named by: a repeated message begins none anew.
    transaction: Mark,
}

impl Inline {
    pub(super) async fn serve(&self, request: &Message) -> Result<Message, Refused> {
        let answer = self.served(request).await;
        let code = match &answer {
            Ok(answer) => answer.get(39).unwrap_or(""),
            Err(Refused::No(refusal)) => refusal.response_code(),
            Err(Refused::Format(..)) => Refusal::FormatError.response_code(),
            Err(_) => Refusal::Malfunction.response_code(),
        };
        self.counts.served(code);
        answer
    }

    async fn served(&self, request: &Message) -> Result<Message, Refused> {
        let code = transaction::required(request, 3, "the service")?;
        let wish = Wish::read(code).ok_or(Refused::No(Refusal::InvalidTransaction))?;
        let pan = transaction::pan(request)?;
        if transaction::slot(request)? != Slot::First {
            return Err(Refused::No(Refusal::NotPermitted));
        }
        transaction::is_one_card(request)?;
        if !request.has(52) {
            return Err(Refused::Format(52, "the first PIN"));
        }
        let transaction = transaction::identity(request)?;
        let found = self.engine.find(&pan).await?.ok_or(Refused::No(Refusal::NoSuchCard))?;
        if !self.proves_first_pin(request, wish, found, &pan).await?
            && let Some(refused) = self.first_pin(request, &pan).await?
        {
            return Ok(refused);
        }
        for _ in 0..limits::SWAP_ATTEMPTS_MAX {
            match self.do_as_wished(request, wish, found, transaction).await {
                // Its row is another by now, perhaps its phone.
                Err(Refused::Fault(EngineFault::Changed)) => {}
                served => return served,
            }
        }
        Err(Refused::Fault(EngineFault::Contended(limits::SWAP_ATTEMPTS_MAX)))
    }

    /// The first PIN was right.
    async fn do_as_wished(
        &self,
        request: &Message,
        wish: Wish,
        found: Found,
        transaction: Mark,
    ) -> Result<Message, Refused> {
        let known = self.engine.open(found.card).await?;
        let (state, columns) =
            known.filter(|(state, _)| state.issue() == found.issue).ok_or(EngineFault::NoCard)?;
        let card = AtTerminal { found, state, columns, transaction };
        let words = Words { bank: &self.bank, language: card.state.language() };
        let told = match wish {
            Wish::Switch(service) => self.switch(&card, service, words).await?,
            Wish::ShowPhone => self.show_phone(&card, words),
            Wish::Unlock => {
                self.tell(&card, Command::Unlock { by: UnlockedBy::Terminal }).await?;
                Ok(shown(words.unlocked()))
            }
            Wish::Devices => Ok(shown(self.devices(&card, words).await?)),
            Wish::RevokeDevice => self.revoke_device(request, &card, words).await?,
        };
        Ok(match told {
            Ok(tags) => reply::with_tags(request, "00", &tags),
            Err(why) => {
                let mut tags = shown(words.refused(why));
                tags.set(REFUSAL, why.code());
                reply::with_tags(request, why.response_code(), &tags)
            }
        })
    }

    /// Whether a dynamic first PIN was right, now or when this was asked before. False: the host is to be asked.
    async fn proves_first_pin(
        &self,
        request: &Message,
        wish: Wish,
        found: Found,
        pan: &Pan,
    ) -> Result<bool, Refused> {
        let state = self.engine.look(found.card).await?.ok_or(EngineFault::NoCard)?;
        let dynamic = state.first_pin_is_dynamic(&self.engine.policy);
        let static_too = matches!(wish, Wish::Unlock | Wish::Switch(Service::FirstPinOff));
        let read = transaction::of_a_service(request, self.engine.keys.as_ref());
        // What was answered here is answered here again, whatever it has switched: the code that proved it is no static PIN.
        let at = state.at(self.engine.clock.now());
        let known = read.as_ref().ok().is_some_and(|(authorisation, _)| {
            at.answer_given(&Command::Authorise(authorisation.clone())).is_some()
        });
        // A service whose first switched it on was proved by the static PIN. That is no code, and no guess at one.
        let switched = request.mti().is_repeat() && wish == Wish::Switch(Service::FirstPinOn);
        if !known && (!dynamic || switched) {
            return Ok(false);
        }
        let (authorisation, expiry) = match read {
            // Without an expiry no code is compared; but the host knows the static one.
            Err(Refused::Format(14, _)) if static_too => return Ok(false),
            read => read?,
        };
        let pin_block = pin_block(request, &self.switch_zone).ok_or(Refused::Format(52, "the first PIN"))?;
        let zone = self.switch_zone.name.clone();
        let presented = Some(Presented { pan: pan.clone(), expiry, pin_block, zone });
        let command = Command::Prove { authorisation, static_too };
        let job = Job { presented, issue: Some(found.issue), ..Job::from(command) };
        match self.engine.tell(found.card, job).await? {
            Answer::Done => Ok(true),
            Answer::NotDynamic => Ok(false),
            Answer::Refused(why) => Err(Refused::No(why)),
            other => Err(EngineFault::Row(format!("a first PIN was answered {other:?}")).into()),
        }
    }

    /// Each under the number that it is removed by, which stays its own while others come and go.
    async fn devices(&self, card: &AtTerminal, words: Words<'_>) -> Result<String, EngineFault> {
        let mut listed = Vec::new();
        for token in card.state.tokens() {
            let known = devices::find(&self.engine, token.device).await?;
            let name = known.map_or_else(String::new, |known| known.device.name);
            listed.push((token.column + 1, name));
        }
        listed.sort_unstable();
        Ok(words.devices(&listed))
    }

    async fn revoke_device(
        &self,
        request: &Message,
        card: &AtTerminal,
        words: Words<'_>,
    ) -> Result<Result<Tags, Refusal>, Refused> {
        let tags = de48::of(request).map_err(|_| Refused::Format(48, "tagged values"))?;
        let choice = tags.get(CHOICE).and_then(|choice| choice.trim().parse::<u8>().ok());
        let token = card.state.tokens().iter().find(|token| Some(token.column + 1) == choice);
        let Some(token) = token else {
            // Of a repeat the first may have removed it.
            let again = request.mti().is_repeat() && choice.is_some();
            return Ok(if again { Ok(shown(words.device_removed())) } else { Err(Refusal::NoDevice) });
        };
        devices::revoke_from(&self.engine, card.found.card, token.device, None).await?;
        Ok(Ok(shown(words.device_removed())))
    }

    /// Asks the host whether the first PIN is right; what is to be answered if it is not.
    async fn first_pin(&self, request: &Message, pan: &Pan) -> Result<Option<Message>, Refused> {
        let mut asked = Message::new(Mti::AUTHORISATION);
        for field in SHOWN_TO_THE_HOST {
            if let Some(value) = request.bytes(field) {
                asked.set(field, value);
            }
        }
        asked.set(3, BALANCE);
        // A host gives a repeat the answer given before, without a look at the PIN: this is one only if it asks for the same with the
        // same PIN.
        asked.set(11, trace_number(request));
        asked.set(4, Rial::ZERO.de4());
        asked.set(49, ramz_domain::RIAL_NUMERIC_CODE);
        asked.set(52, request.bytes(52).unwrap_or_default());
        self.translate_pin(&mut asked, pan)?;
        // Nothing moves by a balance inquiry, so its silence needs no reversal.
        let answer = self.host.ask(asked, limits::HOST_TIMEOUT).await;
        let answer = answer.map_err(|_| Refused::No(Refusal::IssuerInoperative))?;
        match answer.get(39) {
            Some("00") => Ok(None),
            Some(code) => {
                let words = Words { bank: &self.bank, language: ramz_domain::Language::Persian };
                Ok(Some(reply::with_tags(request, code, &shown(words.first_pin(code)))))
            }
            None => Err(Refused::No(Refusal::IssuerInoperative)),
        }
    }

    async fn switch(
        &self,
        card: &AtTerminal,
        service: Service,
        words: Words<'_>,
    ) -> Result<Result<Tags, Refusal>, Refused> {
        let engine = &self.engine;
        let Mark(transaction) = Mark::of(&[b"activation", &card.found.card.0, &card.transaction.0]);
        let (fresh, key_version) = (ActivationId(transaction), engine.keys.pin_version());
        if let (Service::SmsOn, Some(phone)) = (service, &card.columns.phone) {
            // A card that was added before phones had rows of their own.
            match phones::link(engine, phone, card.found.card).await {
                Err(EngineFault::PhoneFull(_)) => return Ok(Err(Refusal::NotPermitted)),
                linked => linked?,
            }
        }
        match self.tell(card, Command::Switch { service, fresh, key_version }).await? {
            Answer::Done => {}
            Answer::Refused(why) => return Ok(Err(why)),
            other => return Err(EngineFault::Row(format!("a switch was answered {other:?}")).into()),
        }
        let masked = card.columns.phone.as_ref().map(Phone::shown_to_its_holder).unwrap_or_default();
        let mut tags = shown(words.switched(service, &masked));
        if service == Service::AppOn {
            // As the card has it: a repeat's is the one that was begun first.
            let state = engine.look(card.found.card).await?.ok_or(EngineFault::NoCard)?;
            let begun = state.services().activation.filter(|begun| begun.id == fresh);
            let Some(begun) = begun else { return Ok(Err(Refusal::NotPermitted)) };
            let half = devices::begin(engine, card.found.card, begun).await?;
            tags.set(PRINT, words.receipt(half.expose()));
            tags.set(RECEIPT_CODE, half.expose());
            if !self.bank.app_address.is_empty() {
                tags.set(APP_ADDRESS, self.bank.app_address.as_str());
            }
        }
        Ok(Ok(tags))
    }

    fn show_phone(&self, card: &AtTerminal, words: Words<'_>) -> Result<Tags, Refusal> {
        if card.state.texted_ceiling(&self.engine.policy) == Rial::ZERO {
            return Err(Refusal::NotOffered);
        }
        let phone = card.columns.phone.as_ref().ok_or(Refusal::NoPhone)?.shown_to_its_holder();
        let mut tags = shown(words.confirm_phone(&phone));
        tags.set(MASKED_PHONE, phone);
        Ok(tags)
    }

    /// Made from the row that the phone on the screen was read from: a phone that changes meanwhile is not the one that was shown.
    async fn tell(&self, card: &AtTerminal, command: Command) -> Result<Answer, EngineFault> {
        let (issue, made_from) = (Some(card.found.issue), Some(card.columns.version));
        self.engine.tell(card.found.card, Job { issue, made_from, ..Job::from(command) }).await
    }
}

/// A trace number of our own, of all that the message asks for.
fn trace_number(request: &Message) -> String {
    let parts = [2, 3, 11, 12, 13, 32, 41, 52].map(|field| request.bytes(field).unwrap_or_default());
    let Mark([a, b, c, d, ..]) = Mark::of(&parts);
    format!("{:06}", u32::from_be_bytes([a, b, c, d]) % 999_999 + 1)
}

fn shown(text: String) -> Tags {
    let mut tags = Tags::new();
    tags.set(SHOW, text);
    tags
}
