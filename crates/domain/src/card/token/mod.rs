//! A token: one card on one device, which computes codes from a seed (RFC 6287). What its codes are good for, in which minutes, and up to
//! which amount. The seed itself is a sealed column beside the row.
//!
//! ```text
//!   code: question SCCC0000, time step of a minute      S: 1 first PIN, 2 second PIN, 9 control    CCC: step of the ceiling
//!
//!   steps    … far … │ center-1  center  center+1 │ … far …         center = now + what the token's clock is off
//!                    └──── these are good ────────┘   and only above the mark: the last step that was accepted in this slot
//! ```
//!
//! Control codes are good around `now + what two of them in a row have shown`: what was learned from payments is for payments.
//!
//! The mark stands in the card's row, as everything that decides: a code is accepted once, whoever asks and wherever. A code that is
//! right for another minute pays nothing; its step is used up all the same, because the answer tells that it was one.

mod app;
mod present;

use std::ops::RangeInclusive;
use std::time::Duration;

use minicbor::{Decode, Encode};

pub use app::{AppCommand, NewToken};
pub(super) use app::{Gone, Revoked};

use super::{CardState, Mark, Policy};
use crate::{DeviceId, Moment, Rial, TokenId, limits};

/// A time step: a whole minute since the Unix epoch.
pub type Step = u64;

/// Which PIN of a card.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Slot {
    /// The card is read: cash machine, shop.
    #[n(0)]
    First,
    /// Its number is typed: the web.
    #[n(1)]
    Second,
}

/// What a code was computed for: the first digit of its question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    /// To pay or draw money where the card is read.
    #[n(0)]
    FirstPin,
    /// To pay where its number is typed.
    #[n(1)]
    SecondPin,
    /// To prove the app PIN to the bank. It never pays.
    #[n(2)]
    Control,
}

impl Purpose {
    /// The digit in the question.
    pub const fn digit(self) -> u8 {
        match self {
            Purpose::FirstPin => 1,
            Purpose::SecondPin => 2,
            Purpose::Control => 9,
        }
    }
}

impl From<Slot> for Purpose {
    fn from(slot: Slot) -> Purpose {
        match slot {
            Slot::First => Purpose::FirstPin,
            Slot::Second => Purpose::SecondPin,
        }
    }
}

impl Slot {
    /// The word in JSON and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Slot::First => "first",
            Slot::Second => "second",
        }
    }
}

/// What a bank allows the app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppPolicy {
    /// Whether the app can be had at all.
    pub offered: bool,
    /// Digits of a code: 7 or 8.
    pub digits: u8,
    /// The published table: the amount of each step of the ceiling, from step 1. Step 0 is none.
    pub ceilings: Vec<Rial>,
    /// What a token may pay at most in its first 24 hours; zero: as later.
    pub first_day_max: Rial,
}

impl Default for AppPolicy {
    fn default() -> AppPolicy {
        AppPolicy {
            offered: true,
            digits: 7,
            ceilings: limits::APP_CEILINGS_RIAL.iter().filter_map(|rial| Rial::new(*rial).ok()).collect(),
            first_day_max: Rial::ZERO,
        }
    }
}

/// One card on one device.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Token {
    /// Its reference, made on the phone.
    #[n(0)]
    pub id: TokenId,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// Which of the card's seed columns is its own.
    #[n(2)]
    pub column: u8,
    /// The keyed mark of its seed.
    #[n(3)]
    pub seed: Mark,
    /// When it was added.
    #[n(4)]
    pub added: Moment,
    /// The last accepted step of each purpose.
    #[n(5)]
    marks: Marks,
    /// How far its clock is off.
    #[n(6)]
    clock: TokenClock,
    /// Whether its codes pay on the web.
    #[n(7)]
    pub second_pin: bool,
    /// Step of the ceiling for the first PIN; 0: none.
    #[n(8)]
    first_ceiling: u8,
    /// The same for the second.
    #[n(9)]
    second_ceiling: u8,
    /// Codes that were told to be of a wrong minute, and are used up: those whose minute may still come.
    #[n(10)]
    far: Vec<Far>,
    /// Its last code was of a wrong minute: whether one to come.
    #[n(11)]
    fast: Option<bool>,
}

/// High-water marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct Marks {
    #[n(0)]
    first: Step,
    #[n(1)]
    second: Step,
    #[n(2)]
    control: Step,
}

/// How many minutes a token's clock is ahead (positive) or behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct TokenClock {
    /// As two codes in a row have shown.
    #[n(0)]
    resynced: i64,
    /// As was learned since with accepted codes: a minute at most.
    #[n(1)]
    learned: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Far {
    #[n(0)]
    purpose: Purpose,
    #[n(1)]
    step: Step,
}

/// What a token's clock looks like from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockHint {
    /// As it should.
    Right,
    /// It is behind: its last code was of a minute long gone.
    Slow,
    /// It is ahead.
    Fast,
}

/// Codes of one token to compare with: every ceiling from 0 at every step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeRange {
    /// The token.
    pub token: TokenId,
    /// Its seed's column.
    pub column: u8,
    /// What for.
    pub purpose: Purpose,
    /// Digits of a code.
    pub digits: u8,
    /// The highest step of the ceiling.
    pub ceilings: u8,
    /// The minutes.
    pub steps: RangeInclusive<Step>,
}

/// A code that was presented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeFound {
    /// Whose.
    pub token: TokenId,
    /// What for.
    pub purpose: Purpose,
    /// Of which minute.
    pub step: Step,
    /// With which ceiling.
    pub ceiling: u8,
}

/// The minute of an instant.
pub fn step_at(now: Moment) -> Step {
    now.unix_ms() / 60_000
}

/// A minute, and those around it.
fn near(center: Step) -> RangeInclusive<Step> {
    center.saturating_sub(limits::TOKEN_WINDOW_STEPS)..=center + limits::TOKEN_WINDOW_STEPS
}

impl Marks {
    fn of(self, purpose: Purpose) -> Step {
        match purpose {
            Purpose::FirstPin => self.first,
            Purpose::SecondPin => self.second,
            Purpose::Control => self.control,
        }
    }
}

impl TokenClock {
    /// The learned part as an earlier release may have left it is cut to what is learned now.
    fn offset(self) -> i64 {
        let most = limits::TOKEN_DRIFT_STEPS_MAX;
        self.resynced + self.learned.clamp(-most, most)
    }

    /// One minute towards what was seen.
    fn learn(&mut self, seen: i64) {
        let most = limits::TOKEN_DRIFT_STEPS_MAX;
        let towards = (seen - self.offset()).signum();
        self.learned = (self.offset() - self.resynced + towards).clamp(-most, most);
    }
}

impl Token {
    fn mark(&self, purpose: Purpose) -> Step {
        self.marks.of(purpose)
    }

    /// The step is used up, and so is every one before it.
    fn raise_mark(&mut self, purpose: Purpose, step: Step) {
        let mark = match purpose {
            Purpose::FirstPin => &mut self.marks.first,
            Purpose::SecondPin => &mut self.marks.second,
            Purpose::Control => &mut self.marks.control,
        };
        *mark = step.max(*mark);
    }

    /// The minute that it should show now.
    fn center(&self, now: Moment) -> Step {
        step_at(now).saturating_add_signed(self.clock.offset())
    }

    /// The minutes whose codes are good.
    fn window(&self, now: Moment) -> RangeInclusive<Step> {
        near(self.center(now))
    }

    /// The minutes whose control codes are good. An app sends them as it computes them: from codes that people type late nothing is learned
    /// of these. They are as many as a payment's, and no fewer would do: on its way a code may pass the end of its minute, and a
    /// clock that is a little ahead sends one before its minute has begun.
    fn control_window(&self, now: Moment) -> RangeInclusive<Step> {
        near(step_at(now).saturating_add_signed(self.clock.resynced))
    }

    /// Those around, whose codes tell that a clock is off.
    fn around(&self, now: Moment) -> [RangeInclusive<Step>; 2] {
        let (near, far) = (self.window(now), limits::TOKEN_FAR_STEPS);
        [near.start().saturating_sub(far)..=near.start().saturating_sub(1), near.end() + 1..=near.end() + far]
    }

    fn is_fresh(&self, purpose: Purpose, step: Step) -> bool {
        step > self.mark(purpose) && !self.far.contains(&Far { purpose, step })
    }

    /// Its code of this step was right.
    fn accept(&mut self, purpose: Purpose, step: Step, now: Moment) {
        self.raise_mark(purpose, step);
        let seen = i64::try_from(step).unwrap_or(i64::MAX) - i64::try_from(step_at(now)).unwrap_or(i64::MAX);
        self.clock.learn(seen);
        self.fast = None;
        // Below the mark nothing is good anyway.
        let marks = self.marks;
        self.far.retain(|far| far.step > marks.of(far.purpose));
    }

    /// Its code of this step was right, by a clock that is off.
    fn use_up_far(&mut self, purpose: Purpose, step: Step, fast: bool) {
        self.fast = Some(fast);
        // More than may be told between two locks.
        if self.far.len() >= limits::TOKEN_FAR_MAX {
            self.far.remove(0);
        }
        self.far.push(Far { purpose, step });
    }

    /// The step of its ceiling for a slot; 0: none.
    pub fn ceiling(&self, slot: Slot) -> u8 {
        match slot {
            Slot::First => self.first_ceiling,
            Slot::Second => self.second_ceiling,
        }
    }

    /// How many minutes its clock is ahead, as far as that is known.
    pub fn drift_steps(&self) -> i64 {
        self.clock.offset()
    }

    /// The same for its control codes: as two in a row have shown.
    pub fn control_steps(&self) -> i64 {
        self.clock.resynced
    }

    /// What is to be said of its clock.
    pub fn clock_hint(&self) -> ClockHint {
        match self.fast {
            None => ClockHint::Right,
            Some(true) => ClockHint::Fast,
            Some(false) => ClockHint::Slow,
        }
    }

    /// What it may pay at most now, whatever its codes say; `None`: any amount.
    pub fn first_day_max(&self, policy: &Policy, now: Moment) -> Option<Rial> {
        let young = now.since(self.added) < Duration::from_secs(24 * 3600);
        Some(policy.app.first_day_max).filter(|max| young && *max != Rial::ZERO)
    }

    /// The largest amount that a code with this ceiling may pay; `None`: any.
    fn largest(&self, slot: Slot, ceiling: u8, policy: &Policy, now: Moment) -> Option<Rial> {
        let table = &policy.app.ceilings;
        let of_step = |step: u8| usize::from(step).checked_sub(1).map(|at| table.get(at).copied());
        // Of a table that became shorter: such a code pays nothing, and such a ceiling is the highest that there is.
        let of_code = of_step(ceiling).map(|amount| amount.unwrap_or(Rial::ZERO));
        let own =
            of_step(self.ceiling(slot)).map(|amount| amount.or(table.last().copied()).unwrap_or(Rial::ZERO));
        let all = [of_code, own, self.first_day_max(policy, now)];
        all.into_iter().flatten().min()
    }

    fn range(&self, purpose: Purpose, policy: &Policy, steps: RangeInclusive<Step>) -> CodeRange {
        CodeRange {
            token: self.id,
            column: self.column,
            purpose,
            digits: policy.app.digits,
            // All that a code may name: phones may have read a longer table.
            ceilings: if purpose == Purpose::Control { 0 } else { limits::CEILING_STEPS_MAX },
            steps,
        }
    }
}

impl CardState {
    /// The card on devices.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// One of them.
    pub fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.iter().find(|token| token.id == id)
    }

    /// Whether its first PIN is dynamic: switched on, and something computes it.
    pub fn first_pin_is_dynamic(&self, policy: &Policy) -> bool {
        self.services.first_pin && self.has_codes_for(Slot::First, policy)
    }

    /// Devices that were activated with it lately: they may be about to take it.
    pub fn activated_devices(&self) -> &[DeviceId] {
        &self.activated
    }

    /// Until when it does not take a device that it was taken off; `None`: it has not been, or not lately.
    pub fn refuses_until(&self, device: DeviceId) -> Option<Moment> {
        let revoked = self.revoked.iter().find(|revoked| revoked.device == device)?;
        Some(revoked.at.plus(limits::REVOKED_KEPT))
    }

    /// A seed column that no token uses.
    pub fn free_seed_column(&self) -> Option<u8> {
        let most = u8::try_from(limits::CARD_DEVICES_MAX).unwrap_or(u8::MAX);
        (0..most).find(|column| self.tokens.iter().all(|token| token.column != *column))
    }

    fn token_mut(&mut self, id: TokenId) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.id == id)
    }

    /// Tokens whose codes count in a slot. At a bank that has switched the app off none does: its guess budget does not count them.
    fn tokens_for(&self, slot: Slot, policy: &Policy) -> impl Iterator<Item = &Token> {
        let offered = policy.app.offered;
        let on = move |token: &&Token| match slot {
            Slot::First => offered && self.services.first_pin,
            Slot::Second => offered && token.second_pin,
        };
        self.tokens.iter().filter(on)
    }

    /// Whether some token's codes count in a slot: something that could be guessed.
    pub(super) fn has_codes_for(&self, slot: Slot, policy: &Policy) -> bool {
        self.tokens_for(slot, policy).next().is_some()
    }
}
