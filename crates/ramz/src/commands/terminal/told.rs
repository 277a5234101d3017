//! What a bank answered, on standard output: for a person, or as JSON for a program.

use std::fmt::Display;
use std::io::IsTerminal as _;

use anyhow::bail;
use ramz_domain::{Language, Rial};
use ramz_sim::terminal::{Answer, Paid, Reversal, half_blocks, reason};
use serde_json::{Value, json};

use crate::commands::say;

/// An answer of either kind.
pub(super) enum Told {
    Service(Answer),
    Payment(Paid),
}

impl Told {
    /// Writes it.
    pub(super) fn show(&self) {
        match self {
            Told::Service(answer) => show(answer),
            Told::Payment(paid) => show_payment(paid),
        }
    }

    /// Why it is not 00.
    pub(super) fn done(&self) -> anyhow::Result<()> {
        let (code, refusal) = match self {
            Told::Service(answer) => (Some(answer.response_code.as_str()), answer.refusal.as_deref()),
            Told::Payment(paid) => (paid.response_code.as_deref(), paid.refusal.as_deref()),
        };
        let refusal = refusal.map_or(String::new(), |refusal| format!(" ({refusal})"));
        match (code, self) {
            (Some("00"), _) => Ok(()),
            (Some(code), _) => {
                bail!("the bank answered {code}: {}{refusal}", reason(code, Language::English))
            }
            (None, Told::Payment(paid)) => bail!(silence(paid)),
            (None, Told::Service(_)) => bail!("the bank does not answer"),
        }
    }
}

/// What a payment without an answer comes to. The process ends, and with it the reversals.
fn silence(paid: &Paid) -> String {
    let rrn = &paid.rrn;
    match paid.reversal {
        None => "the bank does not answer; nothing was taken".into(),
        Some(Reversal::Acknowledged) => {
            format!("no clear answer from the bank; the payment {rrn} is reversed, and nothing was taken")
        }
        Some(Reversal::Pending) => format!(
            "no clear answer from the bank, nor one to the reversal of the payment {rrn}: it may have taken {} rial; \
             nobody tells it again after this, so tell the bank",
            paid.amount
        ),
    }
}

/// As JSON; without an answer, why.
pub(super) fn as_json(told: &anyhow::Result<Told>) -> Value {
    let none = |why: &dyn Display| json!({ "response_code": null, "reason": why.to_string() });
    let read = match told {
        Ok(Told::Service(answer)) => serde_json::to_value(answer).map(|mut told| {
            told["reason"] = reason(&answer.response_code, Language::English).into();
            told
        }),
        Ok(Told::Payment(paid)) => serde_json::to_value(paid),
        Err(error) => return none(error),
    };
    read.unwrap_or_else(|error| none(&error))
}

/// What a person at the machine would see and take along.
fn show(answer: &Answer) {
    let code = &answer.response_code;
    line("answer", &format!("{code} {}", reason(code, Language::English)));
    for (name, text) in [
        ("screen", &answer.show),
        ("mobile", &answer.masked_phone),
        ("receipt", &answer.print),
        ("receipt half", &answer.receipt_half),
        ("app", &answer.app_address),
        ("refusal", &answer.refusal),
    ] {
        lines(name, text.as_deref());
    }
    // A file or another program has nothing of a picture.
    if std::io::stdout().is_terminal() {
        half_blocks(answer.qr.as_deref().unwrap_or_default()).iter().for_each(say::line);
    }
}

fn show_payment(paid: &Paid) {
    let code = paid.response_code.as_deref().map_or(String::new(), |code| format!("{code} "));
    line("answer", &format!("{code}{}", paid.reason));
    lines("screen", paid.show.as_deref());
    if paid.amount > 0 {
        line("amount", &rial(i64::try_from(paid.amount).unwrap_or(i64::MAX)));
    }
    lines("balance", paid.balance.map(rial).as_deref());
    line("reference", &paid.rrn);
    lines("refusal", paid.refusal.as_deref());
}

fn rial(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let grouped =
        Rial::new(amount.unsigned_abs()).map_or(amount.unsigned_abs().to_string(), Rial::with_commas);
    format!("{sign}{grouped} rial")
}

fn line(name: &str, text: &str) {
    lines(name, Some(text));
}

fn lines(name: &str, text: Option<&str>) {
    let lines = text.iter().flat_map(|text| text.lines()).enumerate();
    lines.for_each(|(n, line)| say::line(format!("{:<14}{line}", if n == 0 { name } else { "" })));
}
