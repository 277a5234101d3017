//! Teeth of what is switched at a terminal, texted, and paid with the static PIN.

use std::collections::HashMap;
use std::sync::Mutex;

use ramz_domain::Rial;
use ramz_domain::card::{
    Answer, Candidate, CardAt, Command, Decided, Evidence, HostAnswer, Mark, PinKind, Policy, StaticRule,
};
use ramz_issuer::engine::{Rules, TheRules};

use crate::bank::{Bank, Build, Node, tried};
use crate::teeth::{caught, under};
use crate::{static_pin, texting};

#[tokio::test]
async fn a_static_total_outside_the_row_is_caught() {
    let build = under(TotalOutsideTheRow::default()).with_static_pins();
    caught(build, static_pin::two_nodes_share_one_total, "approved, and debited").await;
}

#[tokio::test]
async fn an_amount_given_back_on_a_time_out_is_caught() {
    let whole = tried(Build::default().with_static_pins(), static_pin::a_time_out_gives_nothing_back).await;
    assert_eq!(whole, Ok(()));
    let build = under(GivesBackOnSilence::default()).with_static_pins();
    caught(build, static_pin::a_time_out_gives_nothing_back, "the rest is 100,000").await;
}

#[tokio::test]
async fn a_repeated_delivery_that_is_answered_twice_is_caught() {
    let scenario = async |bank: &Bank, node: Node| {
        bank.keys.take_each_text_for_another();
        texting::a_repeated_delivery_is_answered_once(bank, node).await
    };
    caught(Build::default(), scenario, "SMS to the phone").await;
}

#[tokio::test]
async fn an_old_phone_that_is_served_is_caught() {
    caught(under(KeepsTheOldPhone), texting::the_old_phone_is_not_served, "the old phone's PIN").await;
}

/// Keeps the total beside the rows, and adds to it what the host has approved.
#[derive(Default)]
struct TotalOutsideTheRow(Mutex<(u64, HashMap<Mark, u64>)>);

impl Rules for TotalOutsideTheRow {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        TheRules.candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut policy = policy.clone();
        if let StaticRule::Total24h(limit) = policy.static_pin.rule {
            let left = limit.get().saturating_sub(self.0.lock().unwrap().0);
            policy.static_pin.rule = StaticRule::PerPayment(Rial::new(left).unwrap());
        }
        let decided = TheRules.decide(card, command, evidence, &policy);
        let mut total = self.0.lock().unwrap();
        match command {
            Command::Authorise(asked) if matches!(decided.answer, Answer::AskHost { .. }) => {
                total.1.insert(asked.identity, asked.amount.get());
            }
            Command::HostAnswered { identity, answer } if answer.response_code == "00" => {
                total.0 += total.1.remove(identity).unwrap_or(0);
            }
            _ => {}
        }
        decided
    }
}

/// Takes a host that is silent for one that declined.
#[derive(Default)]
struct GivesBackOnSilence(Mutex<Option<Mark>>);

impl Rules for GivesBackOnSilence {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        TheRules.candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let Command::Authorise(authorisation) = command else {
            return TheRules.decide(card, command, evidence, policy);
        };
        let mut silent = self.0.lock().unwrap();
        let now = card.now();
        let before = silent.take().map(|identity| {
            let answer = HostAnswer::of("91");
            TheRules.decide(card.clone(), &Command::HostAnswered { identity, answer }, evidence, policy)
        });
        let card = before.and_then(|decided| decided.next).map_or(card, |state| state.at(now));
        let decided = TheRules.decide(card, command, evidence, policy);
        if matches!(decided.answer, Answer::AskHost { pin: PinKind::Static, .. }) {
            *silent = Some(authorisation.identity);
        }
        decided
    }
}

/// Forgets that a new phone ends what the old one had.
struct KeepsTheOldPhone;

impl Rules for KeepsTheOldPhone {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        TheRules.candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut command = command.clone();
        if let Command::Update { phone_changed, .. } = &mut command {
            *phone_changed = false;
        }
        TheRules.decide(card, &command, evidence, policy)
    }
}
