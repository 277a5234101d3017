//! Codes, computed without a network (OCRA, RFC 6287; suite `OCRA-1:HOTP-SHA256-7:QN08-T1M`, or `-8` where the bank has eight digits).
//!
//! The question `SCCC0000` says what a code is for: S = 1 first PIN, 2 second PIN, 9 control; CCC = the step of the ceiling. The
//! rest is the seed and the minute: a code is a function of time only, and that of another minute can be computed now.

use ramz_api::app::Slot;
use ramz_domain::card::{Purpose, step_at};
use ramz_domain::oath::{Inputs, Suite, shown};
use ramz_domain::{Moment, Pin, TokenId};

use super::state::{Kept, PhoneState, Secret};
use super::{Phone, PhoneError};

/// Milliseconds of a time step.
const STEP_MS: u64 = 60_000;

/// A code and how long the phone shows it. The bank takes it a minute longer.
#[derive(Clone, Debug)]
pub struct Code {
    /// The digits.
    pub pin: Pin,
    /// The end of its minute, by the bank's clock as far as it is known.
    pub until: Moment,
    /// Whole seconds until then, at least 1.
    pub left_s: u64,
}

impl PhoneState {
    /// The code for one PIN of a card, good for amounts up to a step of its table (0: as far as the slot's own ceiling goes). `now`
    /// is what the phone's clock shows.
    ///
    /// # Errors
    /// [`PhoneError::NoCard`], [`PhoneError::NoStep`].
    pub fn code(&self, reference: TokenId, slot: Slot, ceiling: u8, now: Moment) -> Result<Code, PhoneError> {
        let card = self.card(reference)?;
        card.has_step(ceiling)?;
        let purpose = match slot {
            Slot::First => Purpose::FirstPin,
            Slot::Second => Purpose::SecondPin,
        };
        self.code_for(card, purpose, ceiling, now)
    }

    /// A control code. It never pays, and each is good once: what the phone itself sends uses it up.
    ///
    /// # Errors
    /// [`PhoneError::NoCard`].
    pub fn control_code(&self, reference: TokenId, now: Moment) -> Result<Code, PhoneError> {
        self.code_for(self.card(reference)?, Purpose::Control, 0, now)
    }

    fn code_for(&self, card: &Kept, purpose: Purpose, ceiling: u8, now: Moment) -> Result<Code, PhoneError> {
        let bank = self.bank_time(now);
        let step = step_at(bank);
        let until = Moment::from_unix_ms((step + 1) * STEP_MS);
        let left_s = until.unix_ms().saturating_sub(bank.unix_ms()).div_ceil(1000);
        Ok(Code { pin: card.computed(purpose, ceiling, step)?, until, left_s })
    }
}

impl Kept {
    pub(super) fn has_step(&self, step: u8) -> Result<(), PhoneError> {
        let most = self.ceilings.len();
        if usize::from(step) <= most { Ok(()) } else { Err(PhoneError::NoStep { step, most }) }
    }

    fn computed(&self, purpose: Purpose, ceiling: u8, step: u64) -> Result<Pin, PhoneError> {
        computed(&self.seed, self.digits, purpose, ceiling, step)
            .ok_or(PhoneError::Answer("the addition of the card"))
    }
}

/// `None` if the bank has told digits that no suite of ours has.
fn computed(seed: &Secret, digits: u8, purpose: Purpose, ceiling: u8, step: u64) -> Option<Pin> {
    if !(7..=8).contains(&digits) {
        return None;
    }
    let suite = Suite::parse(&format!("OCRA-1:HOTP-SHA256-{digits}:QN08-T1M")).ok()?;
    let question = format!("{}{ceiling:03}0000", purpose.digit());
    let inputs = Inputs { question: &question, ..Inputs::default() };
    let asked = suite.keyed(seed.0.as_slice()).asked(&inputs).ok()?;
    Pin::parse(&shown(asked.at(step), digits)).ok()
}

impl Phone {
    /// As [`PhoneState::code`].
    ///
    /// # Errors
    /// The same.
    pub fn code(&self, reference: TokenId, slot: Slot, ceiling: u8, now: Moment) -> Result<Code, PhoneError> {
        self.state.code(reference, slot, ceiling, now)
    }

    /// As [`PhoneState::control_code`].
    ///
    /// # Errors
    /// The same.
    pub fn control_code(&self, reference: TokenId, now: Moment) -> Result<Code, PhoneError> {
        self.state.control_code(reference, now)
    }

    /// This minute's control code of a card, used up from now on.
    pub(super) fn take_control(&mut self, reference: TokenId) -> Result<Pin, PhoneError> {
        let [code] = self.take_controls(reference)?;
        Ok(code)
    }

    /// Control codes of as many minutes in a row, the last of them this one; all used up from now on.
    ///
    /// The bank takes the last one for what the phone's clock shows. A later minute's could be computed as well, and would tell the
    /// bank that the clock is ahead.
    pub(super) fn take_controls<const N: usize>(
        &mut self,
        reference: TokenId,
    ) -> Result<[Pin; N], PhoneError> {
        let now = self.bank_time();
        let card = self.state.card_mut(reference)?;
        let (last, back) = (step_at(now), N as u64 - 1);
        let good_from = card.control_used + 1 + back;
        if last < good_from {
            let again_in_ms = (good_from * STEP_MS).saturating_sub(now.unix_ms());
            return Err(PhoneError::CodeUsed { again_in_s: again_in_ms.div_ceil(1000) });
        }
        let mut codes = Vec::with_capacity(N);
        for step in last - back..=last {
            codes.push(card.computed(Purpose::Control, 0, step)?);
        }
        card.control_used = last;
        codes.try_into().map_err(|_| PhoneError::NoCard)
    }
}
