//! What the bank and the phone say, for a person or for a program.

use ramz_api::app::{CardsView, ClockHint, DeviceView, Slot, SlotView, TokenView};
use ramz_sim::phone::{Code, Kept, PhoneError};
use serde_json::{Value, json};

use super::choice::{amount, grouped};
use crate::client;

/// An error, with everything that the bank's problem says.
pub(super) fn words(error: PhoneError) -> anyhow::Error {
    match error {
        PhoneError::Problem(problem) => anyhow::anyhow!(client::words(&problem)),
        error => error.into(),
    }
}

/// `ceiling` is the step, `ceiling_rial` its amount; of no ceiling 0 and null.
pub(super) fn code_json(code: &Code, step: u8, card: &Kept) -> Value {
    json!({
        "code": code.pin.expose(),
        "valid_until": code.until.rfc3339(),
        "ceiling": step,
        "ceiling_rial": amount(step, &card.ceilings),
    })
}

/// The digits in two groups, and what they are good for.
pub(super) fn code_lines(code: &Code, step: u8, slot: Slot, card: &Kept) -> [String; 2] {
    let digits = code.pin.expose();
    let (front, back) = digits.split_at(digits.len() / 2);
    let (slot, ending) = (slot.code(), &card.ending);
    let ceiling =
        amount(step, &card.ceilings).map_or(String::new(), |rial| format!(", up to {} rial", grouped(rial)));
    [
        format!("{front} {back}"),
        format!("{slot} PIN of …{ending}{ceiling}; the next one in {} s", code.left_s),
    ]
}

/// All cards.
pub(super) fn cards(view: &CardsView) -> Vec<String> {
    if view.cards.is_empty() {
        return vec!["no card is on this device: ramz token add".to_owned()];
    }
    view.cards.iter().flat_map(card).collect()
}

/// A card.
pub(super) fn card(view: &TokenView) -> Vec<String> {
    let mut lines = vec![
        line("card", &format!("…{}  {}", view.card_ending, view.reference)),
        line("first PIN", &slot(&view.first, &view.ceilings)),
        line("second PIN", &slot(&view.second, &view.ceilings)),
    ];
    if view.control.locked {
        lines.push(line("control codes", &locked(view.control.locked_until.as_deref())));
    }
    if let Some(most) = view.first_day_max {
        lines.push(line("first day", &format!("{} rial at most", grouped(most))));
    }
    let steps: Vec<String> =
        (1u8..).zip(&view.ceilings).map(|(n, rial)| format!("{n}: {}", grouped(*rial))).collect();
    lines.push(line("ceilings", &steps.join("  ")));
    let (drift, hint) = (view.clock.drift_steps, view.clock.hint);
    if hint != ClockHint::Ok || drift != 0 {
        let what = match hint {
            ClockHint::Ok => "",
            ClockHint::Slow => "behind: ",
            ClockHint::Fast => "ahead: ",
        };
        lines.push(line("clock", &format!("{what}{drift:+} min as the bank knows; ramz token resync")));
    }
    for refusal in &view.refusals {
        lines.push(line("refused", &format!("{}  {} ({})", refusal.at, refusal.text, refusal.why)));
    }
    lines
}

/// A device.
pub(super) fn device(view: &DeviceView) -> String {
    let this = if view.this { "  (this one)" } else { "" };
    format!("{}  {}  {} cards, activated {}{this}", view.device, view.name, view.cards, view.activated)
}

fn slot(view: &SlotView, table: &[u64]) -> String {
    if !view.on {
        return "not this app's".to_owned();
    }
    let ceiling = match amount(view.ceiling, table) {
        Some(rial) => format!("up to {} rial", grouped(rial)),
        None => "no ceiling".to_owned(),
    };
    let locked =
        if view.locked { format!("; {}", locked(view.locked_until.as_deref())) } else { String::new() };
    format!("this app's, {ceiling}{locked}")
}

fn locked(until: Option<&str>) -> String {
    match until {
        Some(until) => format!("locked until {until}"),
        None => "locked until an ATM or the bank unlocks it".to_owned(),
    }
}

fn line(name: &str, text: &str) -> String {
    format!("{name:<14}{text}")
}
