//! Teeth of codes that a phone computes: each scenario fails over rules that are broken on purpose.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use ramz_domain::card::{
    Answer, AppCommand, Candidate, CardAt, CodeFound, CodeRange, Command, Decided, Evidence, Mark, NewToken,
    Policy, Purpose, Step,
};
use ramz_domain::{Rial, TokenId};
use ramz_issuer::engine::{Rules, TheRules};

use crate::teeth::{caught, under};
use crate::{app, codes};

#[tokio::test]
async fn a_mark_outside_the_row_is_caught() {
    caught(
        under(MarkOutsideTheRow::default()),
        codes::of_64_tries_on_two_nodes_one_pays,
        "approved, and debited",
    )
    .await;
}

#[tokio::test]
async fn a_resync_that_pays_is_caught() {
    caught(under(ResyncPays), codes::a_clock_that_is_ten_minutes_off_is_told_so, "refused").await;
}

#[tokio::test]
async fn a_lower_step_that_is_accepted_is_caught() {
    caught(under(NoCeilings), codes::a_lower_ceiling_is_61_and_used_up, "above the code's ceiling").await;
}

#[tokio::test]
async fn a_control_code_that_pays_is_caught() {
    caught(under(ControlPays), codes::a_control_code_never_pays, "on the web").await;
}

#[tokio::test]
async fn a_seed_that_is_overwritten_is_caught() {
    caught(under(OverwritesSeeds), app::a_seed_is_never_overwritten, "changes nothing").await;
}

/// What it is compared with, and nothing broken about it.
fn candidates(card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
    TheRules.candidates(card, command, expiry, policy)
}

/// Keeps the last step beside the rows, and writes it down when the host has approved; the one in the row it makes of no account.
/// The first approval is not looked at before the other node has one, whatever the machine is busy with.
#[derive(Default)]
struct MarkOutsideTheRow {
    beside: Mutex<Beside>,
    both_answered: Condvar,
}

#[derive(Default)]
struct Beside {
    marks: HashMap<TokenId, Step>,
    asked: HashMap<Mark, CodeFound>,
    answered: HashSet<Mark>,
    later: Step,
}

impl Rules for MarkOutsideTheRow {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut own = self.beside.lock().unwrap();
        let mut evidence = evidence.clone();
        match command {
            Command::Authorise(asked) => {
                evidence
                    .codes
                    .retain(|found| own.marks.get(&found.token).is_none_or(|mark| found.step > *mark));
                let found = evidence.codes.first().copied();
                // Later than any step that the row has seen.
                own.later += 1;
                let later = (1 << 40) + own.later;
                evidence.codes.iter_mut().for_each(|found| found.step = later);
                let decided = TheRules.decide(card, command, &evidence, policy);
                if let (Answer::AskHost { .. }, Some(found)) = (&decided.answer, found) {
                    own.asked.insert(asked.identity, found);
                }
                decided
            }
            Command::HostAnswered { identity, .. } => {
                own.answered.insert(*identity);
                self.both_answered.notify_all();
                // Bounded: if all that a card remembers was asked for in one commit, there is no other.
                let limit = Duration::from_secs(5);
                let waited = self.both_answered.wait_timeout_while(own, limit, |own| own.answered.len() < 2);
                own = waited.unwrap().0;
                if let Some(found) = own.asked.remove(identity) {
                    own.marks.insert(found.token, found.step);
                }
                TheRules.decide(card, command, &evidence, policy)
            }
            _ => TheRules.decide(card, command, &evidence, policy),
        }
    }
}

/// Takes a code of another minute as it would two in a row: and has it pay.
struct ResyncPays;

impl Rules for ResyncPays {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut evidence = evidence.clone();
        evidence.codes.append(&mut evidence.far);
        TheRules.decide(card, command, &evidence, policy)
    }
}

/// A code is a code, whatever its ceiling.
struct NoCeilings;

impl Rules for NoCeilings {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut policy = policy.clone();
        policy.app.ceilings.iter_mut().for_each(|amount| *amount = Rial::new(999_999_999_999).unwrap());
        TheRules.decide(card, command, evidence, &policy)
    }
}

/// Compares with control codes as well, and takes one for what is asked.
struct ControlPays;

impl Rules for ControlPays {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        candidates(card, command, expiry, policy)
    }

    fn codes(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<CodeRange> {
        let mut ranges = TheRules.codes(card, command, expiry, policy);
        let control =
            |range: &CodeRange| CodeRange { purpose: Purpose::Control, ceilings: 0, ..range.clone() };
        ranges.extend(ranges.iter().map(control).collect::<Vec<_>>());
        ranges
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let mut evidence = evidence.clone();
        if let Command::Authorise(asked) = command {
            evidence.codes.iter_mut().for_each(|found| found.purpose = asked.slot.into());
        }
        TheRules.decide(card, command, &evidence, policy)
    }
}

/// Takes every seed for one that it has not seen: what is sealed with the command goes into the column.
struct OverwritesSeeds;

impl Rules for OverwritesSeeds {
    fn candidates(&self, card: &CardAt, command: &Command, expiry: bool, policy: &Policy) -> Vec<Candidate> {
        candidates(card, command, expiry, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        let there = |new: &NewToken| card.state().token(new.id).is_some();
        let overwrites = matches!(command, Command::App(AppCommand::Add(new)) if there(new));
        let state = card.state().clone();
        let mut decided = TheRules.decide(card, command, evidence, policy);
        if overwrites {
            (decided.next, decided.answer) = (Some(state), Answer::Done);
        }
        decided
    }
}
