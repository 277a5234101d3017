//! What a cardholder does in the app: add the card to the device, take it off, set ceilings, switch. What a thief would want needs a
//! control code, which proves the app PIN; wrong ones count by themselves.

use minicbor::{Decode, Encode};

use super::{CodeFound, CodeRange, Marks, Purpose, Slot, Step, Token, TokenClock, step_at};
use crate::card::{
    Answer, CardState, CardStatus, Decided, Entry, Evidence, Mark, Notice, Policy, Service, unchanged,
};
use crate::{DeviceId, Moment, Refusal, TokenId, limits};

/// A card for a device. The sealed seed goes with the job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewToken {
    /// Its reference, made on the phone.
    pub id: TokenId,
    /// The device.
    pub device: DeviceId,
    /// The free column that its seed goes into.
    pub column: u8,
    /// The keyed mark of its seed.
    pub seed: Mark,
}

/// What the app asks of a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppCommand {
    /// Put it on a device. That its holder may is proved elsewhere: by a fresh activation, or another card's control code.
    Add(NewToken),
    /// Take it off.
    Remove(TokenId),
    /// Take it off a device that is revoked, now and for whatever was on its way.
    Revoke(DeviceId),
    /// A device was activated with it, and may be about to take it.
    Activated(DeviceId),
    /// Prove the app PIN.
    Check(TokenId),
    /// Set the ceiling of a slot. Raising it needs a control code.
    Ceiling(TokenId, Slot, u8),
    /// Switch the dynamic first PIN. Both ways need a control code.
    FirstPin(TokenId, bool),
    /// Switch the codes for the web. On needs a control code.
    SecondPin(TokenId, bool),
    /// Two control codes in a row tell what the clock shows. It never pays.
    Resync(TokenId),
}

/// A device that was revoked: what was on its way must not come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(in crate::card) struct Revoked {
    #[n(0)]
    pub(super) device: DeviceId,
    #[n(1)]
    pub(in crate::card) at: Moment,
}

/// A reference that was taken off: what was on its way under it must not come back, nor its used codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(in crate::card) struct Gone {
    #[n(0)]
    token: TokenId,
    #[n(1)]
    pub(in crate::card) at: Moment,
}

impl AppCommand {
    /// The token that it is about, if it must be there already.
    fn token(&self) -> Option<TokenId> {
        match *self {
            AppCommand::Add(_) | AppCommand::Revoke(_) | AppCommand::Activated(_) => None,
            AppCommand::Remove(token)
            | AppCommand::Check(token)
            | AppCommand::Ceiling(token, ..)
            | AppCommand::FirstPin(token, _)
            | AppCommand::SecondPin(token, _)
            | AppCommand::Resync(token) => Some(token),
        }
    }
}

/// A ceiling as a height: none is the highest.
fn height(ceiling: u8) -> u16 {
    if ceiling == 0 { u16::MAX } else { u16::from(ceiling) }
}

impl CardState {
    /// Whether the app must show a control code for this.
    pub fn needs_control(&self, command: &AppCommand) -> bool {
        match *command {
            AppCommand::Add(_) | AppCommand::Remove(_) => false,
            AppCommand::Revoke(_) | AppCommand::Activated(_) => false,
            AppCommand::Check(_) | AppCommand::FirstPin(..) | AppCommand::Resync(_) => true,
            AppCommand::SecondPin(_, on) => on,
            AppCommand::Ceiling(id, slot, ceiling) => {
                self.token(id).is_some_and(|token| height(ceiling) > height(token.ceiling(slot)))
            }
        }
    }

    pub(super) fn control_codes(&self, command: &AppCommand, policy: &Policy, now: Moment) -> Vec<CodeRange> {
        let token = command.token().and_then(|id| self.token(id));
        let Some(token) = token.filter(|_| self.needs_control(command)) else { return Vec::new() };
        if self.locked_for(Purpose::Control, policy, now).is_some() {
            return Vec::new();
        }
        let steps = match command {
            AppCommand::Resync(_) => {
                let (now, most) = (step_at(now), limits::TOKEN_RESYNC_STEPS);
                now.saturating_sub(most)..=now + most
            }
            _ => token.control_window(now),
        };
        vec![token.range(Purpose::Control, policy, steps)]
    }

    pub(in crate::card) fn app(
        self,
        command: &AppCommand,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        match *command {
            AppCommand::Add(new) => self.add_token(new, policy, now),
            AppCommand::Revoke(device) => self.revoke(device, now),
            AppCommand::Activated(device) => self.activated(device),
            AppCommand::Remove(token) => {
                let removed = self.remove_tokens(|known| known.id == token, now);
                removed.unwrap_or_else(|_| unchanged(Answer::Refused(Refusal::NoDevice)))
            }
            AppCommand::Resync(token) => self.resync(token, evidence, policy, now),
            _ => self.with_control(command, evidence, policy, now),
        }
    }

    fn add_token(mut self, new: NewToken, policy: &Policy, now: Moment) -> Decided {
        let NewToken { id, device, column, seed } = new;
        let refused = match self.token(id) {
            // Told again, after an answer that was lost.
            Some(known) if known.device == device && known.seed == seed => return unchanged(Answer::Done),
            Some(_) => Some(Refusal::OtherSeed),
            None => self.refuse_token(device, policy).or(self.is_gone(id).then_some(Refusal::OtherSeed)),
        };
        let taken = self.free_seed_column() != Some(column);
        if let Some(why) = refused.or(taken.then_some(Refusal::OtherSeed)) {
            return unchanged(Answer::Refused(why));
        }
        self.tokens.push(Token {
            id,
            device,
            column,
            seed,
            added: now,
            marks: Marks::default(),
            clock: TokenClock::default(),
            second_pin: true,
            first_ceiling: 0,
            second_ceiling: 0,
            far: Vec::new(),
            fast: None,
        });
        self.told(vec![Entry::TokenAdded { token: id, device }], Notice::CardOnDevice)
    }

    fn is_gone(&self, id: TokenId) -> bool {
        self.gone.iter().any(|gone| gone.token == id)
    }

    fn refuse_token(&self, device: DeviceId, policy: &Policy) -> Option<Refusal> {
        match () {
            () if !policy.app.offered => Some(Refusal::NotOffered),
            () if self.status() != CardStatus::Active => Some(Refusal::NotPermitted),
            () if !self.has_phone => Some(Refusal::NoPhone),
            () if self.revoked.iter().any(|revoked| revoked.device == device) => Some(Refusal::DeviceRevoked),
            // Once on each device: another seed for it would be a way around its count of wrong codes.
            () if self.tokens.iter().any(|token| token.device == device) => Some(Refusal::OtherSeed),
            () if self.tokens.len() >= limits::CARD_DEVICES_MAX => Some(Refusal::DeviceLimit),
            () => None,
        }
    }

    /// Also of a card that is not on the device: it may be on its way there.
    fn revoke(mut self, device: DeviceId, now: Moment) -> Decided {
        self.note_revoked(device, now);
        self.remove_tokens(|token| token.device == device, now)
            .unwrap_or_else(|card| card.writes(Answer::Done, Vec::new()))
    }

    /// That it was on its way here must bring it nothing.
    fn note_revoked(&mut self, device: DeviceId, now: Moment) {
        self.activated.retain(|activated| *activated != device);
        self.revoked.retain(|revoked| revoked.device != device);
        if self.revoked.len() >= limits::REVOKED_DEVICES_MAX {
            self.revoked.remove(0);
        }
        self.revoked.push(Revoked { device, at: now });
    }

    /// Remembered, so that whoever takes the app off the card takes it from this device too, though no card is on it yet.
    fn activated(mut self, device: DeviceId) -> Decided {
        if self.activated.contains(&device) {
            return unchanged(Answer::Done);
        }
        if self.activated.len() >= limits::ACTIVATED_DEVICES_MAX {
            self.activated.remove(0);
        }
        self.activated.push(device);
        self.writes(Answer::Done, vec![Entry::DeviceActivated { device }])
    }

    /// The app ends for this card: on the devices that it is on, and on those that were about to take it.
    pub(in crate::card) fn end_app(&mut self, now: Moment) -> Vec<Entry> {
        let mut devices: Vec<_> = self.tokens.iter().map(|token| token.device).collect();
        devices.extend_from_slice(&self.activated);
        devices.into_iter().for_each(|device| self.note_revoked(device, now));
        self.drop_tokens(|_| true, now)
    }

    /// The card as it was if there are none.
    fn remove_tokens(
        mut self,
        which: impl Fn(&Token) -> bool,
        now: Moment,
    ) -> Result<Decided, Box<CardState>> {
        let entries = self.drop_tokens(which, now);
        if entries.is_empty() {
            return Err(Box::new(self));
        }
        let first_pin_ended = entries.iter().any(|entry| matches!(entry, Entry::Switched { .. }));
        let mut decided = self.told(entries, Notice::CardOffDevice);
        decided.notices.extend(first_pin_ended.then_some(Notice::FirstPinOff));
        Ok(decided)
    }

    /// With the last one goes the dynamic first PIN: nothing would compute it.
    fn drop_tokens(&mut self, which: impl Fn(&Token) -> bool, now: Moment) -> Vec<Entry> {
        let gone: Vec<_> = self.tokens.extract_if(.., |token| which(token)).collect();
        let mut entries = Vec::new();
        for Token { id, device, .. } in gone {
            if self.gone.len() >= limits::GONE_TOKENS_MAX {
                self.gone.remove(0);
            }
            self.gone.push(Gone { token: id, at: now });
            entries.push(Entry::TokenRemoved { token: id, device });
        }
        if !entries.is_empty() && self.tokens.is_empty() && self.services.first_pin {
            // Its count stays: a lock that the bank has set is not undone by whoever takes the card off a phone.
            self.services.first_pin = false;
            entries.push(Entry::Switched { service: Service::FirstPinOff });
        }
        entries
    }

    /// What needs a control code, and what only might have.
    fn with_control(
        mut self,
        command: &AppCommand,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Decided {
        let Some(id) = command.token().filter(|id| self.token(*id).is_some()) else {
            return unchanged(Answer::Refused(Refusal::NoDevice));
        };
        if let Some(why) = self.refuse_change(command, policy) {
            return unchanged(Answer::Refused(why));
        }
        let mut entries = Vec::new();
        if self.needs_control(command) {
            match self.control(id, evidence, policy, now) {
                Ok(used) => entries.push(used),
                Err((why, None)) => return unchanged(Answer::Refused(why)),
                Err((why, Some(counted))) => return self.wrong_control(why, counted),
            }
        }
        let notice = self.change(command, id, &mut entries);
        if entries.is_empty() {
            return unchanged(Answer::Done);
        }
        let mut decided = self.writes(Answer::Done, entries);
        decided.notices.extend(notice);
        decided
    }

    fn refuse_change(&self, command: &AppCommand, policy: &Policy) -> Option<Refusal> {
        match *command {
            AppCommand::FirstPin(_, true) if self.status() != CardStatus::Active => {
                Some(Refusal::NotPermitted)
            }
            AppCommand::FirstPin(_, true) if !self.has_phone => Some(Refusal::NoPhone),
            AppCommand::Ceiling(_, _, ceiling) if usize::from(ceiling) > policy.app.ceilings.len() => {
                Some(Refusal::InvalidTransaction)
            }
            _ => None,
        }
    }

    fn change(&mut self, command: &AppCommand, id: TokenId, entries: &mut Vec<Entry>) -> Option<Notice> {
        match *command {
            AppCommand::Ceiling(_, slot, ceiling) => {
                let token = self.token_mut(id)?;
                let own = match slot {
                    Slot::First => &mut token.first_ceiling,
                    Slot::Second => &mut token.second_ceiling,
                };
                if std::mem::replace(own, ceiling) == ceiling {
                    return None;
                }
                entries.push(Entry::CeilingSet { token: id, slot, ceiling });
                Some(Notice::Ceiling(slot, ceiling))
            }
            AppCommand::FirstPin(_, on) => {
                if std::mem::replace(&mut self.services.first_pin, on) == on {
                    return None;
                }
                self.first_tries.forget();
                let (service, notice) = if on {
                    (Service::FirstPinOn, Notice::FirstPinOn)
                } else {
                    (Service::FirstPinOff, Notice::FirstPinOff)
                };
                entries.push(Entry::Switched { service });
                Some(notice)
            }
            AppCommand::SecondPin(_, on) => {
                let token = self.token_mut(id)?;
                if std::mem::replace(&mut token.second_pin, on) == on {
                    return None;
                }
                entries.push(Entry::SecondPinSwitched { token: id, on });
                Some(if on { Notice::SecondPinOn } else { Notice::SecondPinOff })
            }
            _ => None,
        }
    }

    /// Uses a control code up. Without one: why not, and the entry if it counts.
    fn control(
        &mut self,
        id: TokenId,
        evidence: &Evidence,
        policy: &Policy,
        now: Moment,
    ) -> Result<Entry, (Refusal, Option<Entry>)> {
        if self.locked_for(Purpose::Control, policy, now).is_some() {
            return Err((Refusal::TriesExceeded, None));
        }
        if !evidence.presented {
            return Err((Refusal::ControlCode, None));
        }
        let is_control = |found: &&CodeFound| found.token == id && found.purpose == Purpose::Control;
        let found: Vec<_> = evidence.codes.iter().filter(is_control).collect();
        let Some(token) = self.token_mut(id) else { return Err((Refusal::NoDevice, None)) };
        let fresh = found.iter().find(|found| token.is_fresh(Purpose::Control, found.step));
        match fresh {
            Some(found) => {
                token.accept(Purpose::Control, found.step, now);
                self.control_tries.forget();
                Ok(Entry::ControlUsed { token: id, step: found.step })
            }
            None if !found.is_empty() => Err((Refusal::StalePin, None)),
            None => Err(self.count_control(id, Refusal::WrongPin, policy, now)),
        }
    }

    fn count_control(
        &mut self,
        token: TokenId,
        why: Refusal,
        policy: &Policy,
        now: Moment,
    ) -> (Refusal, Option<Entry>) {
        let locks = self.control_tries.fail(policy, now).is_some();
        let why = if locks { Refusal::TriesExceeded } else { why };
        (why, Some(Entry::ControlRefused { token, why, failures: self.control_tries.failures }))
    }

    fn wrong_control(self, why: Refusal, counted: Entry) -> Decided {
        let mut decided = self.writes(Answer::Refused(why), vec![counted]);
        decided.notices.extend((why == Refusal::TriesExceeded).then_some(Notice::AppLocked));
        decided
    }

    /// Two codes of minutes that follow each other, neither used before.
    fn resync(mut self, id: TokenId, evidence: &Evidence, policy: &Policy, now: Moment) -> Decided {
        if self.token(id).is_none() {
            return unchanged(Answer::Refused(Refusal::NoDevice));
        }
        if self.locked_for(Purpose::Control, policy, now).is_some() {
            return unchanged(Answer::Refused(Refusal::TriesExceeded));
        }
        let last = self.consecutive(id, evidence);
        if last.is_some_and(|last| !self.is_fresh_pair(id, last)) {
            // Right, and used: told again after an answer that was lost, or of a clock that was set back. No guess.
            return unchanged(Answer::Refused(Refusal::StalePin));
        }
        let Some(last) = last else {
            let (why, counted) = self.count_control(id, Refusal::NoConsecutive, policy, now);
            return match counted {
                Some(counted) => self.wrong_control(why, counted),
                None => unchanged(Answer::Refused(why)),
            };
        };
        let offset =
            i64::try_from(last).unwrap_or(i64::MAX) - i64::try_from(step_at(now)).unwrap_or(i64::MAX);
        if let Some(token) = self.token_mut(id) {
            token.raise_mark(Purpose::Control, last);
            token.clock = TokenClock { resynced: offset, learned: 0 };
            token.fast = None;
        }
        self.control_tries.forget();
        self.writes(Answer::Done, vec![Entry::Resynced { token: id, offset }])
    }

    /// The second one's step.
    fn consecutive(&self, id: TokenId, evidence: &Evidence) -> Option<Step> {
        let token = self.token(id)?;
        let steps = |found: &[CodeFound]| {
            let mine = |found: &&CodeFound| found.token == token.id && found.purpose == Purpose::Control;
            found.iter().filter(mine).map(|found| found.step).collect::<Vec<_>>()
        };
        let first = steps(&evidence.codes);
        steps(&evidence.next).into_iter().find(|step| first.contains(&(step - 1)))
    }

    /// Neither was used.
    fn is_fresh_pair(&self, id: TokenId, last: Step) -> bool {
        self.token(id).is_some_and(|token| last - 1 > token.mark(Purpose::Control))
    }

    fn told(self, entries: Vec<Entry>, notice: Notice) -> Decided {
        let mut decided = self.writes(Answer::Done, entries);
        decided.notices.push(notice);
        decided
    }
}
