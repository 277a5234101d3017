//! What the keys say of what was presented: expiry first, and a PIN only if there is something to compare it with.

use ramz_domain::CardId;
use ramz_domain::card::{CardAt, CodeFound, CodeRange, Command, Evidence};
use ramz_keys::{CodeMatch, CodeSource, IndexPurpose, PinSource, Place, Sources};
use ramz_store::Sealed;
use subtle::ConstantTimeEq as _;

use super::row::SEED_COLUMNS;
use super::{Engine, EngineFault, Job, Presented};

/// A card's sealed columns, while commands fold: what an earlier one has changed counts.
pub(super) struct Columns<'a> {
    pub(super) stored: &'a [(String, Vec<u8>)],
    pub(super) folded: &'a [Sealed],
}

impl Columns<'_> {
    fn seed(&self, column: u8) -> Result<(&'static str, &[u8]), EngineFault> {
        let lost = || EngineFault::Row(format!("seed column {column} is empty"));
        let name = *SEED_COLUMNS.get(usize::from(column)).ok_or_else(lost)?;
        let folded = self.folded.iter().find(|sealed| sealed.column == name);
        let stored = || self.stored.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes);
        let bytes = match folded {
            Some(sealed) => sealed.bytes.as_ref(),
            None => stored(),
        };
        bytes.map(|bytes| (name, bytes.as_slice())).ok_or_else(lost)
    }
}

impl Engine {
    /// What a command's PIN, expiry and codes come to.
    pub(super) fn evidence(
        &self,
        card: CardId,
        at: &CardAt,
        job: &Job,
        columns: &Columns<'_>,
    ) -> Result<Evidence, EngineFault> {
        match (&job.command, &job.presented) {
            (Command::Authorise(_) | Command::Prove { .. }, Some(presented)) => {
                self.of_a_pin_block(card, at, job, presented, columns)
            }
            (Command::App(_), _) => self.of_control_codes(card, at, job, columns),
            _ => Ok(Evidence::default()),
        }
    }

    fn of_a_pin_block(
        &self,
        card: CardId,
        at: &CardAt,
        job: &Job,
        presented: &Presented,
        columns: &Columns<'_>,
    ) -> Result<Evidence, EngineFault> {
        let Presented { pan, expiry, pin_block, zone } = presented;
        let stored = at.state().expiry();
        let tag = self.keys.index_at(stored.version, IndexPurpose::Expiry, &[&card.0, expiry])?;
        let expiry_matches = bool::from(tag.bytes.ct_eq(&stored.bytes));
        let (command, policy) = (&job.command, &self.policy);
        let candidates = self.rules.candidates(at, command, expiry_matches, policy);
        let ranges = self.rules.codes(at, command, expiry_matches, policy);
        // Where the static PIN may be tried the block must open before anything is taken: a garbled one is no try.
        let static_next = || at.static_may_be_tried(command, expiry_matches, policy);
        if candidates.is_empty() && ranges.is_empty() && !static_next() {
            return Ok(Evidence { expiry_matches, ..Evidence::default() });
        }
        let pins: Vec<PinSource> = candidates
            .iter()
            .map(|c| PinSource {
                version: c.key_version,
                digits: c.digits,
                card,
                challenge: c.id,
                payment: c.payment,
            })
            .collect();
        let matches = |pins: &[PinSource], ranges: &[CodeRange]| {
            let codes = sources(&card, ranges, columns)?;
            let matches =
                self.keys.pin_block_matches(pin_block, zone, pan, &Sources { pins, codes: &codes })?;
            Ok::<_, EngineFault>((matches.pins, found(ranges, &matches.codes)))
        };
        let (pins, codes) = matches(&pins, &ranges)?;
        let matched: Vec<_> = pins.into_iter().filter_map(|at| candidates.get(at)).map(|c| c.id).collect();
        // Only what was wrong anyway is looked at for longer.
        let far = if matched.is_empty() && codes.is_empty() && !ranges.is_empty() {
            matches(&[], &at.far_codes(command, expiry_matches, policy))?.1
        } else {
            Vec::new()
        };
        Ok(Evidence { expiry_matches, matched, codes, far, ..Evidence::default() })
    }

    fn of_control_codes(
        &self,
        card: CardId,
        at: &CardAt,
        job: &Job,
        columns: &Columns<'_>,
    ) -> Result<Evidence, EngineFault> {
        let ranges = self.rules.codes(at, &job.command, true, &self.policy);
        let of = |position: usize| match job.codes.get(position) {
            Some(code) if !ranges.is_empty() => {
                let matches = self.keys.code_matches(code, &sources(&card, &ranges, columns)?)?;
                Ok(found(&ranges, &matches))
            }
            _ => Ok::<_, EngineFault>(Vec::new()),
        };
        let (codes, next, presented) = (of(0)?, of(1)?, !job.codes.is_empty());
        Ok(Evidence { codes, next, presented, ..Evidence::default() })
    }
}

fn sources<'a>(
    card: &'a CardId,
    ranges: &[CodeRange],
    columns: &'a Columns<'a>,
) -> Result<Vec<CodeSource<'a>>, EngineFault> {
    let each = |range: &CodeRange| {
        let (column, sealed) = columns.seed(range.column)?;
        Ok(CodeSource {
            place: Place { row: &card.0, column },
            sealed,
            owner: range.token.0,
            digits: range.digits,
            purpose: range.purpose.digit(),
            ceilings: range.ceilings,
            first_step: *range.steps.start(),
            last_step: *range.steps.end(),
        })
    };
    ranges.iter().map(each).collect()
}

fn found(ranges: &[CodeRange], matches: &[CodeMatch]) -> Vec<CodeFound> {
    let each = |one: &CodeMatch| {
        let range = ranges.get(one.source)?;
        Some(CodeFound { token: range.token, purpose: range.purpose, step: one.step, ceiling: one.ceiling })
    };
    matches.iter().filter_map(each).collect()
}
