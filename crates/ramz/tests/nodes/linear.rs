//! Whether a recorded history is linearizable: whether there is one order of its operations, each at an instant between its call and its
//! answer, in which a sequential model would have given the answers that were given (Wing and Gong 1993, with Lowe's memory of what was
//! tried in vain). An operation that was never answered may have happened at any time after its call, or not at all.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// What a thing does if one asks after the other.
pub(crate) trait Model {
    type Op: Clone + Debug;
    type Answer: Clone + Debug;
    type State: Clone + Eq + Hash;

    /// The states that may follow if this operation is given this answer; none if it must not be. Without an answer: whatever may follow
    /// from it.
    fn step(state: &Self::State, op: &Self::Op, answer: Option<&Self::Answer>) -> Vec<Self::State>;
}

/// One operation, with when it was called and answered by a clock that never gives the same number twice.
#[derive(Clone, Debug)]
pub(crate) struct Call<O, A> {
    pub(crate) op: O,
    pub(crate) called: u64,
    pub(crate) answered: Option<(u64, A)>,
}

/// What was tried, and how far it went.
struct Search<'h, M: Model> {
    history: &'h [Call<M::Op, M::Answer>],
    tried: HashSet<(Vec<u64>, M::State)>,
    /// The most answered operations that any order had, and which one would have been the next.
    longest: usize,
    stuck: Vec<usize>,
}

/// Holds a history against a model.
///
/// # Errors
/// The operations that no order accounts for, in words.
pub(crate) fn check<M: Model>(start: M::State, history: &[Call<M::Op, M::Answer>]) -> Result<(), String> {
    let mut search: Search<'_, M> = Search { history, tried: HashSet::new(), longest: 0, stuck: Vec::new() };
    let mut done = vec![0u64; history.len().div_ceil(64)];
    if search.goes_on(&start, &mut done, 0) {
        return Ok(());
    }
    let stuck: Vec<String> = search.stuck.iter().map(|at| format!("{:?}", history[*at])).collect();
    let mut told = history.to_vec();
    told.sort_by_key(|call| call.called);
    let told: Vec<String> = told.iter().map(|call| format!("{call:?}")).collect();
    Err(format!(
        "no order gives these answers; none can go on with:\n  {}\nof:\n  {}",
        stuck.join("\n  "),
        told.join("\n  ")
    ))
}

impl<M: Model> Search<'_, M> {
    fn goes_on(&mut self, state: &M::State, done: &mut Vec<u64>, answered: usize) -> bool {
        let is_done = |done: &[u64], at: usize| done[at / 64] >> (at % 64) & 1 == 1;
        let open: Vec<usize> = (0..self.history.len()).filter(|at| !is_done(done, *at)).collect();
        // Whatever was answered first must come before all that was called later.
        let first_answer =
            open.iter().filter_map(|at| self.history[*at].answered.as_ref().map(|(when, _)| *when)).min();
        let Some(first_answer) = first_answer else { return true };
        let next: Vec<usize> =
            open.into_iter().filter(|at| self.history[*at].called < first_answer).collect();
        if answered >= self.longest {
            (self.longest, self.stuck) = (answered, next.clone());
        }
        if !self.tried.insert((done.clone(), state.clone())) {
            return false;
        }
        for at in next {
            let call = &self.history[at];
            let answer = call.answered.as_ref().map(|(_, answer)| answer);
            for after in M::step(state, &call.op, answer) {
                // What was not answered and changes nothing may as well not have happened.
                if answer.is_none() && after == *state {
                    continue;
                }
                done[at / 64] |= 1 << (at % 64);
                if self.goes_on(&after, done, answered + usize::from(answer.is_some())) {
                    return true;
                }
                done[at / 64] &= !(1 << (at % 64));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place that holds a number.
    struct Place;

    #[derive(Clone, Debug)]
    enum Op {
        Read,
        Write(u8),
    }

    impl Model for Place {
        type Op = Op;
        type Answer = u8;
        type State = u8;

        fn step(state: &u8, op: &Op, answer: Option<&u8>) -> Vec<u8> {
            match op {
                Op::Read if answer.is_none_or(|answer| answer == state) => vec![*state],
                Op::Read => Vec::new(),
                Op::Write(number) => vec![*number],
            }
        }
    }

    /// Operations as `(op, called, answered, answer)`; answered at 0: never.
    fn told(calls: &[(Op, u64, u64, u8)]) -> bool {
        let call = |(op, called, answered, answer): &(Op, u64, u64, u8)| Call {
            op: op.clone(),
            called: *called,
            answered: (*answered > 0).then_some((*answered, *answer)),
        };
        check::<Place>(0, &calls.iter().map(call).collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn what_happens_one_after_the_other_is_held_to_its_order() {
        assert!(told(&[(Op::Write(1), 1, 2, 0), (Op::Read, 3, 4, 1)]));
        assert!(!told(&[(Op::Write(1), 1, 2, 0), (Op::Read, 3, 4, 0)]), "a stale read");
        assert!(!told(&[(Op::Read, 1, 2, 1), (Op::Write(1), 3, 4, 0)]), "a read from the future");
    }

    #[test]
    fn what_overlaps_may_be_in_either_order_and_in_one_only() {
        assert!(told(&[(Op::Write(1), 1, 4, 0), (Op::Read, 2, 3, 1)]));
        assert!(told(&[(Op::Write(1), 1, 4, 0), (Op::Read, 2, 3, 0)]));
        let back = [(Op::Write(1), 1, 9, 0), (Op::Read, 2, 3, 1), (Op::Read, 4, 5, 0)];
        assert!(!told(&back), "it was seen, and is gone again");
    }

    #[test]
    fn what_was_not_answered_may_have_happened_late_or_never() {
        assert!(told(&[(Op::Write(1), 1, 0, 0), (Op::Read, 2, 3, 0), (Op::Read, 4, 5, 1)]));
        assert!(told(&[(Op::Write(1), 1, 0, 0), (Op::Read, 2, 3, 0)]));
        let back = [(Op::Write(1), 1, 0, 0), (Op::Read, 2, 3, 1), (Op::Read, 4, 5, 0)];
        assert!(!told(&back), "it happened once");
        assert!(!told(&[(Op::Read, 2, 3, 1), (Op::Write(1), 4, 0, 0)]), "before it was called");
    }
}
