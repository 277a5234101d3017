//! Limits over many cards that this node keeps in memory: phone, payee, payer, IIN, asker.
//!
//! One bucket a key: it holds as many as a window allows, and fills again evenly while the window passes. Not durable, and
//! each node's own, on purpose: a row of its own would be one more write for every PIN. What holds over nodes and
//! restarts is the card's limit, in the card's row; these make it tighter where one node sees the whole picture.
//! With n nodes at most n times as much passes, and after a restart one window's worth anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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

/// When each bucket of a key is full again, in microseconds since the epoch. A key whose buckets are full is not kept.
type FullAt = [u64; RATES_MAX];

/// The buckets that are not full.
#[derive(Debug, Default)]
pub struct Windows(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<Key, FullAt>,
    cleaned: u64,
}

impl Windows {
    /// Takes one of each rate for a key, or none of any: then says when one would be there again.
    pub(crate) fn take(&self, key: Digest, rates: &[Rate], now: Moment) -> Result<(), Moment> {
        let (key, now) = (half(key), micros(now));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = buckets.refused_until(key, rates, now) {
            return Err(Moment::from_unix_ms(until.div_ceil(1000)));
        }
        buckets.add(key, rates, now);
        Ok(())
    }

    /// Until when a key's next one would be refused, if it would.
    pub(crate) fn held_until(&self, key: Digest, rates: &[Rate], now: Moment) -> Option<Moment> {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = buckets.refused_until(half(key), rates, micros(now));
        until.map(|until| Moment::from_unix_ms(until.div_ceil(1000)))
    }
}

impl Buckets {
    fn refused_until(&self, key: Key, rates: &[Rate], now: u64) -> Option<u64> {
        let known = self.full_at.get(&key)?;
        let refused = |(rate, full_at): (&Rate, &u64)| {
            let room_at = ((*full_at).max(now) + each(rate)).saturating_sub(window(rate));
            (room_at > now).then_some(room_at)
        };
        rates.iter().zip(known).filter_map(refused).max()
    }

    fn add(&mut self, key: Key, rates: &[Rate], now: u64) {
        if self.full_at.len() >= limits::WINDOWS_MAX && !self.full_at.contains_key(&key) {
            self.clean(now);
            if self.full_at.len() >= limits::WINDOWS_MAX {
                return;
            }
        }
        let known = self.full_at.entry(key).or_default();
        for (rate, full_at) in rates.iter().zip(known) {
            *full_at = (*full_at).max(now) + each(rate);
        }
    }

    /// Forgets what is full; at most once a second, for it looks at all of them.
    fn clean(&mut self, now: u64) {
        if now < self.cleaned + 1_000_000 {
            return;
        }
        self.cleaned = now;
        self.full_at.retain(|_, full_at| full_at.iter().any(|at| *at > now));
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

fn micros(now: Moment) -> u64 {
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
