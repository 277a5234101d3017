//! 0100 and 0200: spend the PIN, commit, ask the host, commit, answer. A host that is silent is silence, or 91 with a
//! reversal of our own in the same commit, as the bank chose.

use std::sync::Arc;

use ramz_domain::card::{Answer, Authorisation, Command, Mark, PinKind, Slot, StaticPolicy, StaticRule};
use ramz_domain::{CardId, Pan, Refusal, limits};
use ramz_iso8583::de48::{PIN_VERIFIED, PIN_VERIFIED_DYNAMIC, Tags};
use ramz_iso8583::{Message, Mti};
use ramz_link::Place;
use tokio::time::Instant;

use super::transaction;
use super::{Inline, OnSilence, Refused, pin_block, relayed, reply};
use crate::engine::{EngineFault, Found, Job, Presented};
use crate::undo;

/// The name of a card's turn for what may be the static PIN.
const STATIC: Mark = Mark([0; 16]);
/// What a host that keeps no answers says of a repeat: it is dealing with the first, or has dealt with it. Not what came of that.
const HAS_IT_ALREADY: [&str; 2] = ["09", "94"];

/// What the host is asked about.
struct Asked<'a> {
    card: CardId,
    identity: Mark,
    repeat: bool,
    pin: PinKind,
    pan: &'a Pan,
}

impl Inline {
    pub(super) async fn authorise(&self, request: Message, tags: Tags) -> Result<Message, Refused> {
        let pan = transaction::pan(&request)?;
        let slot = match transaction::slot(&request) {
            Ok(slot) => slot,
            Err(refused) => return self.in_part(&request, None, refused).await,
        };
        // What a repeat is about may have been approved: whatever fails now, only silence lets the switch reverse it.
        let again = request.mti().is_repeat();
        let card = self.engine.find(&pan).await.map_err(|fault| unless_repeated(again, fault))?;
        match (slot, card) {
            // A payment without a PIN is the host's matter; of a repeat the first may have had one.
            (Slot::First, Some(found)) if request.has(52) || again => {
                self.with_first_pin(request, tags, found, pan).await
            }
            (Slot::First, _) => self.pass_with_first_pin(request, &pan).await,
            (Slot::Second, None) => Err(Refused::No(Refusal::NoSuchCard)),
            (Slot::Second, Some(found)) => self.with_second_pin(request, tags, found, pan).await,
        }
    }

    /// The card was read: its first PIN is ours to check if it is dynamic. That is looked up freshly, for another node may have switched
    /// it a moment ago.
    async fn with_first_pin(
        &self,
        request: Message,
        tags: Tags,
        found: Found,
        pan: Pan,
    ) -> Result<Message, Refused> {
        let again = request.mti().is_repeat();
        let state = self.engine.look(found.card).await.map_err(|fault| unless_repeated(again, fault))?;
        let Some(state) = state.filter(|state| state.issue() == found.issue) else {
            return self.pass_with_first_pin(request, &pan).await;
        };
        let dynamic = state.first_pin_is_dynamic(&self.engine.policy);
        let read = transaction::with_first_pin(&request, self.engine.keys.as_ref());
        // What was answered here is answered here again, whatever was switched since.
        let command = |(authorisation, _): &(Authorisation, _)| Command::Authorise(authorisation.clone());
        let at = state.at(self.engine.clock.now());
        let known = read.as_ref().ok().is_some_and(|read| at.answer_given(&command(read)).is_some());
        if !known && (!dynamic || !request.has(52)) {
            return self.pass_with_first_pin(request, &pan).await;
        }
        // The first of it may have been approved by the host, before the first PIN became dynamic: a decline of ours would leave that
        // standing, now or when it is repeated once more.
        if again && !known {
            return Err(Refused::Silence);
        }
        let read = read?;
        if !request.has(52) {
            return self.in_part(&request, Some(&command(&read)), Refused::No(Refusal::NotPermitted)).await;
        }
        self.decide(request, tags, found, pan, read).await
    }

    /// The card was read: its first PIN is the host's matter. Its block goes on under the host's key.
    async fn pass_with_first_pin(&self, mut request: Message, pan: &Pan) -> Result<Message, Refused> {
        let again = request.mti().is_repeat();
        self.translate_pin(&mut request, pan).map_err(|fault| unless_repeated(again, fault))?;
        self.pass(&request).await
    }

    /// DE52 under the host's key in place of the switch's.
    pub(super) fn translate_pin(&self, request: &mut Message, pan: &Pan) -> Result<(), EngineFault> {
        if let Some(block) = pin_block(request, &self.switch_zone) {
            let (from, to) = (&self.switch_zone.name, &self.host_zone);
            let block = self.engine.keys.translate_pin_block(&block, from, pan, &to.name, to.format)?;
            request.set(52, block.bytes.to_vec());
        }
        Ok(())
    }

    async fn with_second_pin(
        &self,
        request: Message,
        tags: Tags,
        found: Found,
        pan: Pan,
    ) -> Result<Message, Refused> {
        let read = transaction::authorisation(&request, &tags, self.engine.keys.as_ref());
        let (authorisation, fees) = match read {
            Ok(read) => read,
            // It says something else than a first that was decided on.
            Err(Refused::No(refusal)) => return Err(Refused::No(refusal)),
            Err(refused) => return self.in_part(&request, None, refused).await,
        };
        let refused = match transaction::expiry(&request) {
            _ if !request.has(52) => Refused::No(Refusal::NotPermitted),
            _ if fees > self.engine.policy.fees_max => Refused::No(Refusal::MoreThanAmount),
            Ok(expiry) => return self.decide(request, tags, found, pan, (authorisation, expiry)).await,
            Err(refused) => refused,
        };
        self.in_part(&request, Some(&Command::Authorise(authorisation)), refused).await
    }

    /// What cannot be decided on, because something is missing or garbled. Of a repeat the first may have been approved: a switch may keep
    /// no PIN block, or less than it was sent. It gets the answer given before, and none while there is none; by its identity alone where
    /// what it asks for cannot be read.
    pub(super) async fn in_part(
        &self,
        request: &Message,
        command: Option<&Command>,
        refused: Refused,
    ) -> Result<Message, Refused> {
        let again = repeats_what_is_decided(request);
        let (true, Ok(pan), Ok(identity)) =
            (again, transaction::pan(request), transaction::identity(request))
        else {
            return Err(refused);
        };
        let refused = match refused {
            Refused::Fault(fault) => unless_repeated(again, fault),
            refused => refused,
        };
        let found = self.engine.find(&pan).await.map_err(|fault| unless_repeated(again, fault))?;
        let Some(Found { card, .. }) = found else { return Err(refused) };
        let _held = self.in_flight.enter(card, identity).await;
        let state = self.engine.look(card).await.map_err(|fault| unless_repeated(again, fault))?;
        let Some(at) = state.map(|state| state.at(self.engine.clock.now())) else { return Err(refused) };
        let given = command.map_or_else(|| at.answer_given_to(identity), |command| at.answer_given(command));
        match given {
            Some(Answer::Again(answer)) => reply::again(request, &answer),
            Some(Answer::Refused(refusal)) => Err(Refused::No(refusal)),
            // In doubt, and no message to ask the host with.
            Some(_) => Err(Refused::Silence),
            None => Err(refused),
        }
    }

    /// What presents a PIN of ours: spent, asked of the host, answered.
    async fn decide(
        &self,
        request: Message,
        tags: Tags,
        Found { card, issue }: Found,
        pan: Pan,
        (authorisation, expiry): (Authorisation, [u8; 4]),
    ) -> Result<Message, Refused> {
        let Some(pin_block) = pin_block(&request, &self.switch_zone) else {
            return Err(Refused::Format(52, "a PIN block"));
        };
        let slot = authorisation.slot;
        let (identity, sent) = (authorisation.identity, authorisation.transmitted);
        let _held = self.in_flight.enter(card, identity).await;
        let command = Command::Authorise(authorisation);
        let again = request.mti().is_repeat();
        // One at a time with a PIN that may be the static one: each claims a try until the host has answered, and a few small
        // payments at once must not lock the card. Whoever waits here is decided when its turn comes.
        let takes_static = match slot {
            Slot::First => false,
            Slot::Second => self.takes_static(card).await.map_err(|fault| unless_repeated(again, fault))?,
        };
        let _static = if takes_static {
            let turn = self.in_flight.enter_if_few(card, STATIC, limits::STATIC_WAITING_MAX).await;
            Some(turn.ok_or_else(|| unless_repeated(again, EngineFault::Busy))?)
        } else {
            None
        };
        // Asked last: whoever waited for its turn may have waited for a host that went away. Kept while the commit takes its time, so
        // that what is spent in it is asked about.
        let Some(place) = self.host.place() else {
            return self.while_host_is_not_asked(&request, card, (identity, sent), &command).await;
        };
        let presented =
            Presented { pan: pan.clone(), expiry, pin_block, zone: self.switch_zone.name.clone() };
        let job = Job { presented: Some(presented), issue: Some(issue), ..Job::from(command) };
        match self.engine.tell(card, job).await.map_err(|fault| unless_repeated(again, fault))? {
            Answer::AskHost { repeat, transmitted, pin } => {
                let request = first_sent(request, transmitted);
                let asked = Asked { card, identity, repeat, pin, pan: &pan };
                let answer = self.ask_host(request, tags, asked, place).await;
                answer.map(|answer| sent_when(answer, sent))
            }
            Answer::Again(answer) => reply::again(&request, &answer),
            Answer::Refused(refusal) => Err(Refused::No(refusal)),
            // Switched off this very moment.
            Answer::NotDynamic => {
                drop(place);
                self.pass_with_first_pin(request, &pan).await
            }
            other => {
                Err(Refused::Fault(EngineFault::Row(format!("an authorisation was answered {other:?}"))))
            }
        }
    }

    /// Nothing is spent while the host cannot be asked, or has more to do than it gets done; what was answered before is answered again.
    async fn while_host_is_not_asked(
        &self,
        request: &Message,
        card: CardId,
        (identity, sent): (Mark, Option<u64>),
        command: &Command,
    ) -> Result<Message, Refused> {
        let again = request.mti().is_repeat();
        let state = self.engine.look(card).await.map_err(|fault| unless_repeated(again, fault))?;
        let state = state.ok_or(EngineFault::NoCard)?;
        match state.at(self.engine.clock.now()).answer_given(command) {
            Some(Answer::Again(answer)) => reply::again(request, &answer),
            Some(Answer::Refused(refusal)) => Err(Refused::No(refusal)),
            // Asked before, answer not known: only the host or a reversal can tell.
            Some(Answer::AskHost { transmitted, .. }) => {
                let payment = first_sent(request.clone(), transmitted);
                let answer = self.no_answer(&payment, card, identity).await;
                answer.map(|answer| sent_when(answer, sent))
            }
            // The first of it may be on its way at another node, whose host answers.
            _ if again => Err(Refused::Silence),
            _ => Err(Refused::No(Refusal::IssuerInoperative)),
        }
    }

    /// The PIN is spent and that is durable. The host's answer is made durable before it is relayed.
    async fn ask_host(
        &self,
        request: Message,
        tags: Tags,
        Asked { card, identity, repeat, pin, pan }: Asked<'_>,
        place: Place,
    ) -> Result<Message, Refused> {
        let asked_as = request.clone();
        let answer = match self.for_the_host(request, tags, repeat, pin, pan) {
            Ok(request) => {
                let asked = Instant::now();
                let answer = place.ask(request, limits::HOST_TIMEOUT).await;
                self.engine.counts.host_took(asked.elapsed());
                match answer {
                    Ok(answer) => relayed(answer)?,
                    // Asked, perhaps approved: only a reversal can tell.
                    Err(error) if repeat || error.was_sent() => {
                        return self.no_answer(&asked_as, card, identity).await;
                    }
                    // Not one byte left, now or before: this is an answer, and a repeat gets it too.
                    Err(_) => reply::refusal(&asked_as, Refusal::IssuerInoperative),
                }
            }
            Err(_) if repeat => return self.no_answer(&asked_as, card, identity).await,
            // Ours to answer for: what the decision took is given back with it.
            Err(fault) => {
                tracing::error!(%card, %fault, "a PIN block could not go on to the card host");
                reply::refusal(&asked_as, Refusal::Malfunction)
            }
        };
        let Some(noted) = reply::kept(&asked_as, &answer) else {
            tracing::error!("the card host answered without a response code");
            return self.no_answer(&asked_as, card, identity).await;
        };
        if repeat && HAS_IT_ALREADY.contains(&noted.response_code.as_str()) {
            let code = noted.response_code.as_str();
            tracing::warn!(%card, code, "the card host does not say what became of a payment");
            return self.no_answer(&asked_as, card, identity).await;
        }
        let mut job = Job::from(Command::HostAnswered { identity, answer: noted });
        if self.on_silence == OnSilence::Reverse {
            // Should another node have given up on it: the answer came late, and is reversed after it came.
            job.reversal = undo::original(&asked_as).ok();
        }
        match Arc::clone(&self.engine).tell(card, job).await {
            Ok(Answer::Done) => Ok(answer),
            // Another node gave up on it meanwhile: what was answered there is the answer.
            Ok(Answer::Again(answer)) => reply::again(&asked_as, &answer),
            // Reversed meanwhile: an approval must not follow the answer to its reversal.
            Ok(_) => Err(Refused::Silence),
            // The host approved and we cannot keep it: as if it had said nothing.
            Err(fault) => {
                tracing::error!(%card, %fault, "a host's answer could not be kept");
                self.no_answer(&asked_as, card, identity).await
            }
        }
    }

    /// A dynamic PIN is verified and goes no further; what may be the static one goes on under the host's key.
    fn for_the_host(
        &self,
        mut request: Message,
        mut tags: Tags,
        repeat: bool,
        pin: PinKind,
        pan: &Pan,
    ) -> Result<Message, EngineFault> {
        match pin {
            PinKind::Dynamic => {
                request.remove(52);
                tags.set(PIN_VERIFIED, PIN_VERIFIED_DYNAMIC);
                let fits = tags.put_into(&mut request);
                fits.map_err(|_| EngineFault::Row("the tags do not fit field 48".into()))?;
            }
            PinKind::Static => self.translate_pin(&mut request, pan)?,
        }
        if repeat {
            request.set_mti(request.mti().repeat());
        }
        Ok(request)
    }

    /// Whether the card may use a static PIN at all.
    async fn takes_static(&self, card: CardId) -> Result<bool, EngineFault> {
        let StaticPolicy { rule, exempt, .. } = &self.engine.policy.static_pin;
        if *rule == StaticRule::Never && exempt.is_empty() {
            return Ok(false);
        }
        self.engine.may_use_static(card).await
    }

    /// What the host did is not known. Silence, and the switch reverses; or, if the bank wants it so, 91, with our own reversal
    /// durable before it is said. Should even that not be kept: silence.
    async fn no_answer(&self, payment: &Message, card: CardId, identity: Mark) -> Result<Message, Refused> {
        if self.on_silence == OnSilence::Silence {
            return Err(Refused::Silence);
        }
        // Whatever fails from here on: never an answer that could pass for a decline.
        let Ok(reversal) = undo::original(payment) else { return Err(Refused::Silence) };
        let reversal = Some(reversal);
        let job = Job { reversal, ..Job::from(Command::GiveUp { identity }) };
        match self.engine.tell(card, job).await {
            Ok(Answer::Again(answer)) => reply::again(payment, &answer),
            Ok(_) => Err(Refused::Silence),
            Err(fault) => {
                tracing::error!(%card, %fault, "a reversal of our own could not be kept");
                Err(Refused::Silence)
            }
        }
    }
}

/// As its first message was sent: the card host sees one transmission time however often it is asked, and our own reversal names
/// that one, whichever of the messages reached the host.
fn first_sent(mut payment: Message, transmitted: Option<u64>) -> Message {
    if let Some(first) = transmitted {
        payment.set(7, format!("{first:010}"));
    }
    payment
}

/// The answer to the message in hand.
fn sent_when(mut answer: Message, transmitted: Option<u64>) -> Message {
    if let Some(sent) = transmitted
        && answer.has(7)
    {
        answer.set(7, format!("{sent:010}"));
    }
    answer
}

fn repeats_what_is_decided(request: &Message) -> bool {
    let mti = request.mti();
    mti.is_repeat() && matches!(mti.first(), Mti::AUTHORISATION | Mti::FINANCIAL)
}

fn unless_repeated(again: bool, fault: EngineFault) -> Refused {
    match fault {
        EngineFault::PinBlock(_) => fault.into(),
        fault if again => {
            tracing::error!(%fault, "a repeated authorisation failed");
            Refused::Silence
        }
        fault => fault.into(),
    }
}
