//! What was asked and answered, card by card, in the order in which it was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::card::{Answer, Book, Card, CardCall, Op};
use crate::linear::{Call, check};

/// A clock that never gives the same number twice.
#[derive(Clone, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// Everything that was done with every card.
pub(crate) struct History {
    ticks: Ticks,
    cards: Vec<Mutex<Vec<Option<CardCall>>>>,
}

/// Where a call stands, until it is answered.
#[derive(Clone, Copy)]
pub(crate) struct Called {
    card: usize,
    at: usize,
}

impl History {
    pub(crate) fn new(cards: usize) -> History {
        History { ticks: Ticks::default(), cards: (0..cards).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn call(&self, card: usize, op: Op) -> Called {
        let mut calls = self.cards[card].lock().unwrap();
        calls.push(Some(Call { op, called: self.ticks.next(), answered: None }));
        Called { card, at: calls.len() - 1 }
    }

    pub(crate) fn answer(&self, called: Called, answer: Answer) {
        let mut calls = self.cards[called.card].lock().unwrap();
        if let Some(call) = &mut calls[called.at] {
            call.answered = Some((self.ticks.next(), answer));
        }
    }

    /// It never left.
    pub(crate) fn never(&self, called: Called) {
        self.cards[called.card].lock().unwrap()[called.at] = None;
    }

    /// How many operations there were, and how many of them were never answered.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let calls = self.cards.iter().flat_map(|card| card.lock().unwrap().clone()).flatten();
        calls.fold((0, 0), |(all, open), call| (all + 1, open + usize::from(call.answered.is_none())))
    }

    /// Cards whose answers no order gives.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let told = |(card, calls): (usize, &Mutex<Vec<Option<CardCall>>>)| {
            let calls: Vec<CardCall> = calls.lock().unwrap().iter().flatten().cloned().collect();
            let wrong = check::<Card>(Book::default(), &calls).err()?;
            Some(format!("card {card}: {wrong}"))
        };
        self.cards.iter().enumerate().filter_map(told).collect()
    }
}
