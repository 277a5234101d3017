//! A card on a device, as its holder sees it.

use ramz_api::app::{
    ClockHint as Hint, ClockView, ControlView, RefusalView, Slot as SlotWord, SlotView, TokenView,
};
use ramz_domain::card::{ClockHint, Entry, Purpose, Slot, Token};
use ramz_domain::{CardId, Moment, Refusal, Rial};

use super::AppDoor;
use crate::engine::{CardColumns, EngineFault, JournalRecord};

/// Journal entries that are looked through for refusals.
const LOOKED_THROUGH: usize = 64;
/// Refusals that are shown.
const SHOWN: usize = 8;

impl AppDoor {
    /// The card under this reference; `None` if it is not on this device (any more).
    pub(super) async fn view(
        &self,
        card: CardId,
        token: ramz_domain::TokenId,
        device: ramz_domain::DeviceId,
    ) -> Result<Option<TokenView>, EngineFault> {
        let Some((state, columns)) = self.engine.open(card).await? else { return Ok(None) };
        let Some(token) = state.token(token).filter(|token| token.device == device).cloned() else {
            return Ok(None);
        };
        let (policy, now) = (&self.engine.policy, self.engine.clock.now());
        let locked = |purpose| state.locked_for(purpose, policy, now);
        let slot = |slot: Slot, on| {
            let locked = locked(Purpose::from(slot));
            SlotView {
                on,
                ceiling: token.ceiling(slot),
                locked: locked.is_some(),
                locked_until: locked.flatten().map(Moment::rfc3339),
            }
        };
        let control = locked(Purpose::Control);
        Ok(Some(TokenView {
            reference: token.id.to_string(),
            card_ending: columns.pan.as_ref().map_or(String::new(), |pan| pan.last_four().to_owned()),
            bank: self.bank.id.clone(),
            digits: policy.app.digits,
            ceilings: policy.app.ceilings.iter().copied().map(Rial::get).collect(),
            first: slot(Slot::First, state.first_pin_is_dynamic(policy)),
            second: slot(Slot::Second, token.second_pin),
            control: ControlView {
                locked: control.is_some(),
                locked_until: control.flatten().map(Moment::rfc3339),
            },
            clock: clock(&token),
            added: token.added.rfc3339(),
            first_day_max: token.first_day_max(policy, now).map(Rial::get),
            refusals: self.refusals(card, &columns, state.language(), token.added).await?,
        }))
    }

    /// The latest first; none from before the card was on the device.
    async fn refusals(
        &self,
        card: CardId,
        columns: &CardColumns,
        language: ramz_domain::Language,
        since: Moment,
    ) -> Result<Vec<RefusalView>, EngineFault> {
        let after = columns.entries.saturating_sub(LOOKED_THROUGH as u64);
        let entries = self.engine.store.journal(&card.0, after, LOOKED_THROUGH).await?;
        let mut shown = Vec::new();
        for entry in entries.iter().rev() {
            // One of a release to come hides no other, and least of all whether what was asked for is done.
            let Ok(JournalRecord { at, entry, .. }) = JournalRecord::read(&entry.entry) else { continue };
            let (why, slot) = match entry {
                Entry::Refused { why, slot, .. } => (why, slot.map(word)),
                Entry::ControlRefused { why, .. } => (why, None),
                _ => continue,
            };
            if at < since || shown.len() >= SHOWN {
                break;
            }
            shown.push(refusal(at, slot, why, language));
        }
        Ok(shown)
    }
}

fn refusal(at: Moment, slot: Option<SlotWord>, why: Refusal, language: ramz_domain::Language) -> RefusalView {
    RefusalView { at: at.rfc3339(), slot, why: why.code().to_owned(), text: why.text(language).to_owned() }
}

fn word(slot: Slot) -> SlotWord {
    match slot {
        Slot::First => SlotWord::First,
        Slot::Second => SlotWord::Second,
    }
}

fn clock(token: &Token) -> ClockView {
    let hint = match token.clock_hint() {
        ClockHint::Right => Hint::Ok,
        ClockHint::Slow => Hint::Slow,
        ClockHint::Fast => Hint::Fast,
    };
    ClockView { drift_steps: token.drift_steps(), control_steps: token.control_steps(), hint }
}
