//! Limits over many cards that this node keeps in memory: phone, payee, payer, IIN, asker.
//!
//! One bucket a key: it holds as many as a window allows, and fills again evenly while the window passes. Not durable, on
//! purpose: a row of its own would be one more write for every PIN. What holds exactly over nodes and restarts is the card's limit,
//! in the card's row. Nodes that share a store tell each other what they took (`nodes`), once a bucket is a quarter empty; so
//! of n nodes each may let through that quarter, and a moment's worth, more than all of them should. After a restart it
//! is one window's worth anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use minicbor::{Decode, Encode};
use ramz_domain::{Digest, Moment, limits};

/// So many within so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// At most.
    pub most: u32,
    /// Within.
    pub within: Duration,
}

/// Rates that one key may have: a phone's three windows.
const RATES_MAX: usize = 3;

/// Half of a digest: enough to tell keys apart, and half the memory.
type Key = [u8; 16];

/// A bucket of which this part is taken is one that other nodes hear of.
const TOLD_FROM: u64 = 4;

/// Microseconds by which one who took the time may be late. Other nodes may have taken a whole window beside ours.
const LATE: u64 = 30_000_000;

/// When each bucket of a key is full again, in microseconds since the epoch. A key whose buckets are full is not kept.
type FullAt = [u64; RATES_MAX];

/// The buckets that are not full.
#[derive(Debug, Default)]
pub struct Windows(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<Key, FullAt>,
    cleaned: u64,
    /// What was taken here and not told to the other nodes yet; nothing, if there are none.
    untold: Option<HashMap<Key, Untold>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Untold {
    micros: FullAt,
    worth_it: bool,
}

/// What one node took of a key's buckets: how much later each is full again, in microseconds.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Taken {
    #[cbor(n(0), with = "minicbor::bytes")]
    key: Key,
    #[n(1)]
    micros: FullAt,
}

impl Windows {
    /// Windows of a node that has others beside it.
    pub(crate) fn shared() -> Windows {
        Windows(Mutex::new(Buckets { untold: Some(HashMap::new()), ..Buckets::default() }))
    }

    /// What the other nodes should hear, of at most so many keys; it counts as told.
    pub(crate) fn untold(&self, most: usize) -> Vec<Taken> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(untold) = &mut buckets.untold else { return Vec::new() };
        let keys: Vec<Key> =
            untold.iter().filter(|(_, untold)| untold.worth_it).map(|(key, _)| *key).take(most).collect();
        let told = |key| untold.remove(&key).map(|Untold { micros, .. }| Taken { key, micros });
        keys.into_iter().filter_map(told).collect()
    }

    /// What another node took.
    pub(crate) fn told(&self, taken: &[Taken], now: Moment) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Taken { key, micros } in taken {
            buckets.add(*key, *micros, micros_of(now));
        }
    }

    /// Takes one of each rate for a key, or none of any: then says when one would be there again. With more keys in use than are
    /// remembered, a new one has no limit.
    pub(crate) fn take(&self, key: Digest, rates: &[Rate], now: Moment) -> Result<(), Moment> {
        self.take_one(key, rates, now, false)
    }

    /// The same for a key that is remembered in any case, if need be in place of another. For few keys, which nobody can make up.
    pub(crate) fn take_for_sure(&self, key: Digest, rates: &[Rate], now: Moment) -> Result<(), Moment> {
        self.take_one(key, rates, now, true)
    }

    fn take_one(&self, key: Digest, rates: &[Rate], now: Moment, sure: bool) -> Result<(), Moment> {
        let (key, now) = (half(key), micros_of(now));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.mend(key, rates, now);
        if sure {
            buckets.make_room(key, now);
        }
        if let Some(until) = buckets.refused_until(key, rates, now) {
            return Err(Moment::from_unix_ms(until.div_ceil(1000)));
        }
        buckets.take(key, rates, now);
        Ok(())
    }

    /// Gives back one of each rate that a key took. What other nodes have been told of it meanwhile stays taken there.
    pub(crate) fn give_back(&self, key: Digest, rates: &[Rate]) {
        let key = half(key);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { full_at, untold, .. } = &mut *buckets;
        let untold = untold.as_mut().and_then(|untold| untold.get_mut(&key));
        let taken = [full_at.get_mut(&key), untold.map(|untold| &mut untold.micros)];
        for micros in taken.into_iter().flatten() {
            for (micros, rate) in micros.iter_mut().zip(rates) {
                *micros = micros.saturating_sub(each(rate));
            }
        }
    }

    /// Until when a key's next one would be refused, if it would.
    pub(crate) fn held_until(&self, key: Digest, rates: &[Rate], now: Moment) -> Option<Moment> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.mend(half(key), rates, micros_of(now));
        let until = buckets.refused_until(half(key), rates, micros_of(now));
        until.map(|until| Moment::from_unix_ms(until.div_ceil(1000)))
    }
}

impl Buckets {
    /// No bucket is full so late, unless the clock went back: it must not be empty for as long as the clock went.
    fn mend(&mut self, key: Key, rates: &[Rate], now: u64) {
        let Some(full_at) = self.full_at.get_mut(&key) else { return };
        for (full_at, rate) in full_at.iter_mut().zip(rates) {
            let empty = now + window(rate);
            if *full_at > empty + window(rate).max(LATE) {
                *full_at = empty;
            }
        }
    }

    /// Any other key goes, if there is no room.
    fn make_room(&mut self, key: Key, now: u64) {
        if self.full_at.len() < limits::WINDOWS_MAX || self.full_at.contains_key(&key) {
            return;
        }
        self.clean(now);
        if self.full_at.len() >= limits::WINDOWS_MAX
            && let Some(other) = self.full_at.keys().next().copied()
        {
            self.full_at.remove(&other);
        }
    }

    fn refused_until(&self, key: Key, rates: &[Rate], now: u64) -> Option<u64> {
        let known = self.full_at.get(&key)?;
        let refused = |(rate, full_at): (&Rate, &u64)| {
            let room_at = ((*full_at).max(now) + each(rate)).saturating_sub(window(rate));
            (room_at > now).then_some(room_at)
        };
        rates.iter().zip(known).filter_map(refused).max()
    }

    /// One of each rate.
    fn take(&mut self, key: Key, rates: &[Rate], now: u64) {
        let mut micros = FullAt::default();
        for (rate, micros) in rates.iter().zip(&mut micros) {
            *micros = each(rate);
        }
        let Some(full_at) = self.add(key, micros, now) else { return };
        let Some(untold) = &mut self.untold else { return };
        if untold.len() >= limits::WINDOWS_MAX {
            untold.retain(|_, untold| untold.worth_it);
        }
        let mine = untold.entry(key).or_default();
        for (all, micros) in mine.micros.iter_mut().zip(micros) {
            *all += micros;
        }
        let emptied = |(rate, full_at): (&Rate, u64)| (full_at - now) * TOLD_FROM >= window(rate);
        mine.worth_it |= rates.iter().zip(full_at).any(emptied);
    }

    /// So much of each bucket. `None`: more keys are in use than are remembered.
    fn add(&mut self, key: Key, micros: FullAt, now: u64) -> Option<FullAt> {
        if self.full_at.len() >= limits::WINDOWS_MAX && !self.full_at.contains_key(&key) {
            self.clean(now);
            if self.full_at.len() >= limits::WINDOWS_MAX {
                return None;
            }
        }
        let known = self.full_at.entry(key).or_default();
        for (micros, full_at) in micros.into_iter().zip(known.iter_mut()).filter(|(micros, _)| *micros > 0) {
            *full_at = (*full_at).max(now) + micros;
        }
        Some(*known)
    }

    /// Forgets what is full; at most once a second, for it looks at all of them.
    fn clean(&mut self, now: u64) {
        if now < self.cleaned + 1_000_000 && self.cleaned < now + LATE {
            return;
        }
        self.cleaned = now;
        self.full_at.retain(|_, full_at| full_at.iter().any(|at| *at > now));
        if let Some(untold) = &mut self.untold {
            untold.retain(|key, _| self.full_at.contains_key(key));
        }
        if self.full_at.len() >= limits::WINDOWS_MAX {
            tracing::warn!("more keys are being limited than are remembered; new ones pass");
        }
    }
}

fn half(key: Digest) -> Key {
    let mut half = [0; 16];
    half.copy_from_slice(&key.0[..16]);
    half
}

fn micros_of(now: Moment) -> u64 {
    now.unix_ms().saturating_mul(1000)
}

fn window(rate: &Rate) -> u64 {
    u64::try_from(rate.within.as_micros()).unwrap_or(u64::MAX)
}

/// How long one takes to come back.
fn each(rate: &Rate) -> u64 {
    window(rate) / u64::from(rate.most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_A_MINUTE: Rate = Rate { most: 3, within: Duration::from_secs(60) };
    const FIVE_AN_HOUR: Rate = Rate { most: 5, within: Duration::from_secs(3600) };

    fn second(s: u64) -> Moment {
        Moment::from_unix_ms(1_700_000_000_000 + s * 1000)
    }

    fn key(name: &str) -> Digest {
        Digest::of(&[name.as_bytes()])
    }

    #[test]
    fn a_window_lets_so_many_through_and_fills_evenly() {
        let windows = Windows::default();
        let take = |s| windows.take(key("a"), &[THREE_A_MINUTE], second(s)).map_err(|until| until.unix_ms());
        assert_eq!([take(0), take(0), take(1)], [Ok(()); 3]);
        assert_eq!(take(2), Err(second(20).unix_ms()), "a third of the window after the first");
        assert_eq!(windows.held_until(key("a"), &[THREE_A_MINUTE], second(2)), Some(second(20)));
        assert_eq!((take(20), take(21).is_err()), (Ok(()), true));
        assert_eq!(windows.take(key("b"), &[THREE_A_MINUTE], second(2)), Ok(()), "another key's is its own");
        assert_eq!(windows.held_until(key("a"), &[THREE_A_MINUTE], second(3600)), None);
    }

    #[test]
    fn what_is_given_back_was_not_taken_here_or_elsewhere() {
        let (here, there) = (Windows::shared(), Windows::default());
        let take = |at: &Windows, s| at.take(key("a"), &[THREE_A_MINUTE], second(s)).is_ok();
        for s in 0..9 {
            assert!(take(&here, s));
            here.give_back(key("a"), &[THREE_A_MINUTE]);
        }
        assert_eq!((0..9).filter(|_| take(&here, 9)).count(), 3);
        here.give_back(key("a"), &[THREE_A_MINUTE]);
        there.told(&here.untold(9), second(9));
        assert_eq!((0..9).filter(|_| take(&there, 9)).count(), 1, "two are taken");
        here.give_back(key("never seen"), &[THREE_A_MINUTE]);
    }

    #[test]
    fn what_one_window_refuses_counts_in_none() {
        let windows = Windows::default();
        let rates = [THREE_A_MINUTE, FIVE_AN_HOUR];
        let passed = (0..600).filter(|s| windows.take(key("a"), &rates, second(*s)).is_ok()).count();
        assert_eq!(passed, 5);
        assert_eq!(windows.take(key("a"), &rates, second(720)), Ok(()));
    }

    #[test]
    fn many_at_once_all_count() {
        let windows = Windows::default();
        let passed = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let taken = windows.take(key("a"), &[FIVE_AN_HOUR], second(0)).is_ok();
                        passed.fetch_add(usize::from(taken), std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 5);
    }

    #[test]
    fn what_another_node_took_counts_once_it_is_worth_telling() {
        let (here, there) = (Windows::shared(), Windows::shared());
        let take = |at: &Windows, s| at.take(key("a"), &[FIVE_AN_HOUR], second(s)).is_ok();
        assert!(take(&here, 0));
        assert!(here.untold(9).is_empty(), "a fifth is not worth it");
        assert!(take(&here, 0));
        let told = here.untold(9);
        assert_eq!((told.len(), here.untold(9).len()), (1, 0), "all of it, and once");
        there.told(&told, second(1));
        assert_eq!((0..9).filter(|_| take(&there, 1)).count(), 3);
        here.told(&there.untold(9), second(1));
        assert!(!take(&here, 2));
        assert_eq!(Windows::default().untold(9), Vec::new(), "a node alone keeps nothing to tell");
    }

    #[test]
    fn a_clock_that_goes_back_empties_no_bucket_for_longer_than_its_window() {
        let windows = Windows::default();
        let take = |s| windows.take(key("a"), &[THREE_A_MINUTE, FIVE_AN_HOUR], second(s));
        assert_eq!(take(7200), Ok(()));
        assert_eq!(windows.take(key("b"), &[THREE_A_MINUTE], second(7200)), Ok(()));
        assert_eq!(windows.held_until(key("b"), &[THREE_A_MINUTE], second(0)), Some(second(20)));
        assert_eq!(
            take(0),
            Err(second(720)),
            "one of five comes after a fifth of the hour, and not after two"
        );
        assert_eq!((take(720), take(721).is_err()), (Ok(()), true));
        // Who took the time a little earlier empties nothing, and fills nothing.
        let late = |s| windows.take(key("c"), &[THREE_A_MINUTE], second(s)).is_ok();
        assert_eq!(
            [late(9000), late(9000), late(8990), late(8990), late(9000)],
            [true, true, false, false, true]
        );
    }

    #[test]
    fn a_key_that_must_hold_is_remembered_in_any_case() {
        let windows = Windows::default();
        for n in 0..limits::WINDOWS_MAX {
            assert_eq!(windows.take(key(&n.to_string()), &[THREE_A_MINUTE], second(0)), Ok(()));
        }
        let taken = |sure| {
            let take = if sure { Windows::take_for_sure } else { Windows::take };
            (0..9).filter(|_| take(&windows, key("new"), &[THREE_A_MINUTE], second(0)).is_ok()).count()
        };
        assert_eq!((taken(false), taken(true)), (9, 3));
        assert_eq!(windows.0.lock().unwrap().full_at.len(), limits::WINDOWS_MAX);
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_are_forgotten() {
        let windows = Windows::default();
        let take = |n: usize, s| windows.take(key(&n.to_string()), &[THREE_A_MINUTE], second(s));
        for n in 0..limits::WINDOWS_MAX + 10 {
            assert_eq!(take(n, 0), Ok(()));
        }
        assert_eq!(windows.0.lock().unwrap().full_at.len(), limits::WINDOWS_MAX);
        assert_eq!(
            (0..3).filter(|_| take(0, 0).is_ok()).count(),
            2,
            "those that are known are limited still"
        );
        take(limits::WINDOWS_MAX + 20, 100).unwrap();
        assert_eq!(windows.0.lock().unwrap().full_at.len(), 1, "all but the last were full again");
    }
}
