//! How many SMS one card may be sent: a limit that its row holds, exact over nodes and restarts.
//!
//! Counted are SMS whose PIN was **not** spent. Who spends a PIN has the phone and wanted the SMS; what anybody can do who
//! knows the card's number is counted until it is a day old. No door gets more than its part: a door is one payer, or the
//! payee where the asker does not tell payers apart. Why it is so and not otherwise: decision 4.
//!
//! Phone, payee, payer and IIN over many cards are not here: no row of one card knows them.

use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{Answer, CardState, Decided, Entry, Mark, NotSent, Policy, PolicyError, unchanged};
use crate::{ChallengeId, Moment, limits};

const TWO_MINUTES: Duration = Duration::from_secs(120);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// SMS with unspent PINs that one card may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SendLimits {
    /// In two minutes.
    pub in_2_min: u32,
    /// In an hour. A door that has none among them passes.
    pub in_hour: u32,
    /// In a day.
    pub in_day: u32,
}

/// One SMS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Sending {
    #[n(0)]
    at: Moment,
    #[n(1)]
    door: Mark,
    #[n(2)]
    challenge: ChallengeId,
}

impl Default for SendLimits {
    fn default() -> SendLimits {
        SendLimits {
            in_2_min: limits::CARD_SENDS_IN_2_MIN,
            in_hour: limits::CARD_SENDS_IN_HOUR,
            in_day: limits::CARD_SENDS_IN_DAY,
        }
    }
}

impl SendLimits {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let SendLimits { in_2_min, in_hour, in_day } = *self;
        let ascending = 2 <= in_2_min && in_2_min <= in_hour && in_hour <= in_day;
        if ascending && usize::try_from(in_day).is_ok_and(|day| day <= limits::CARD_SENDS_MAX) {
            return Ok(());
        }
        Err(PolicyError::Range("a card's SMS: 2 <= in two minutes <= in an hour <= in a day <= 80"))
    }

    /// Each window: how long, how many, and the part of them that is one door's.
    fn windows(&self) -> [(Duration, usize, usize); 3] {
        let window = |span, most: u32, doors: usize| {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            (span, most, most.div_ceil(doors))
        };
        // The longer a window holds somebody up, the more doors must be needed to fill it.
        [window(TWO_MINUTES, self.in_2_min, 2), window(HOUR, self.in_hour, 3), window(DAY, self.in_day, 4)]
    }
}

impl CardState {
    /// SMS of the last day whose PINs were not spent.
    pub fn unspent_sends(&self, now: Moment) -> usize {
        self.sends.iter().filter(|sending| now.since(sending.at) < DAY).count()
    }

    /// Until when the card's own limits keep back what is asked for now, if they do.
    pub fn sends_held_until(&self, policy: &Policy, now: Moment) -> Option<Moment> {
        let held = |(span, most, _): (Duration, usize, usize)| {
            let within: Vec<_> = self.sends.iter().filter(|sending| now.since(sending.at) < span).collect();
            let excess = within.len().checked_sub(most)?;
            within.get(excess).map(|oldest| oldest.at.plus(span))
        };
        policy.sends.windows().into_iter().filter_map(held).max()
    }

    /// Whether one more SMS would be too many, for the card or for this door.
    pub(super) fn sends_refused(&self, door: Mark, policy: &Policy, now: Moment) -> Option<NotSent> {
        for (span, most, part) in policy.sends.windows() {
            let within = self.sends.iter().filter(|sending| now.since(sending.at) < span);
            let (mut all, mut mine) = (0, 0);
            for sending in within {
                all += 1;
                mine += usize::from(sending.door == door);
            }
            if mine >= part {
                return Some(NotSent::DoorLimit);
            }
            let clean = span == HOUR && mine == 0;
            if all >= most && !clean {
                return Some(NotSent::CardLimit);
            }
        }
        None
    }

    /// Whether this door has its share of the PINs that may be open.
    pub(super) fn door_is_full(&self, door: Mark) -> bool {
        let mine = self.open.iter().filter(|challenge| challenge.door == Some(door)).count();
        mine >= limits::OPEN_CHALLENGES_PER_DOOR
    }

    pub(super) fn note_send(&mut self, challenge: ChallengeId, door: Mark, now: Moment) {
        if self.sends.len() >= limits::CARD_SENDS_MAX {
            self.sends.remove(0);
        }
        self.sends.push(Sending { at: now, door, challenge });
    }

    /// Who spent the PIN has the phone: its SMS were wanted.
    pub(super) fn give_back_sends(&mut self, challenge: ChallengeId) {
        self.sends.retain(|sending| sending.challenge != challenge);
    }

    pub(super) fn forget_sends(&mut self, now: Moment) {
        self.sends.retain(|sending| now.since(sending.at) < DAY);
    }

    /// An SMS that was decided and not handed over. If none with this PIN was, nobody knows it: it is over.
    pub(super) fn withhold(mut self, challenge: ChallengeId, why: NotSent, now: Moment) -> Decided {
        if let Some(texted) = self.texted.as_ref().filter(|texted| texted.id == challenge) {
            let admission = texted.admission;
            self.retire_texted(now);
            return self.writes(Answer::Done, vec![Entry::PinNotSent { why, admission }]);
        }
        let Some(open) = self.open.iter().find(|open| open.id == challenge) else {
            return unchanged(Answer::NotAwaited);
        };
        let Some(admission) = open.admissions.last().copied() else {
            return unchanged(Answer::NotAwaited);
        };
        if open.admissions.len() == 1 {
            self.retire_open(challenge, now);
        }
        if let Some(at) = self.sends.iter().rposition(|sending| sending.challenge == challenge) {
            self.sends.remove(at);
        }
        self.writes(Answer::Done, vec![Entry::PinNotSent { why, admission }])
    }
}
