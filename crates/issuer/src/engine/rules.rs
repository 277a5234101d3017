//! The seam between the engine and the card's state machine.
//!
//! There is one set of rules, [`TheRules`]. The seam exists so that the tests can put broken rules in their place and
//! prove that they would be caught.

use ramz_domain::card::{Candidate, CardAt, CodeRange, Command, Decided, Evidence, Policy};

/// The two steps of a decision.
pub trait Rules: Send + Sync + 'static {
    /// What a presented PIN is to be compared with.
    fn candidates(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<Candidate>;

    /// Which codes of the app it is to be compared with.
    fn codes(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<CodeRange> {
        card.codes(command, expiry_matches, policy)
    }

    /// What is decided.
    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided;
}

/// The rules of `ramz_domain::card`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TheRules;

impl Rules for TheRules {
    fn candidates(
        &self,
        card: &CardAt,
        command: &Command,
        expiry_matches: bool,
        policy: &Policy,
    ) -> Vec<Candidate> {
        card.candidates(command, expiry_matches, policy)
    }

    fn decide(&self, card: CardAt, command: &Command, evidence: &Evidence, policy: &Policy) -> Decided {
        card.decide(command, evidence, policy)
    }
}
