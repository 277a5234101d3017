//! The present connection of a link, who finds room on it, and why it ended.
//!
//! ```text
//!   0 ─────────── payments, in flight or with a place kept ─────────── 896 ─ reversals ─ 1024
//! ```
//! What is given up on but not yet passed by the writer counts as well: a queue that does not move is no room.

use std::io;

use ramz_api::tap::Fact;
use ramz_domain::limits;
use tokio::sync::mpsc;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::flights::{AskError, Flights};
use crate::frame::FrameError;
use crate::{GARBLED_IN_A_ROW_MAX, WRITE_TIMEOUT};

/// Network messages (echo, sign-on, and answers to the other side's) that may wait for the writer beside transactions.
const NETWORK_IN_FLIGHT_MAX: usize = 64;
/// Frames that may wait for the writer.
pub(crate) const QUEUE_MAX: usize = limits::LINK_IN_FLIGHT_MAX + NETWORK_IN_FLIGHT_MAX;

#[derive(Default)]
pub(crate) struct State {
    /// The id of the last request that was taken in. Never reused, also not on another connection.
    pub(crate) last_id: u64,
    /// Places that are kept for requests yet to come. Not the line's: who keeps one over its end asks on the next.
    pub(crate) kept: usize,
    pub(crate) line: Option<Line>,
}

impl State {
    /// Open, and a payment leaves the last places free.
    pub(crate) fn takes_payment(&self) -> bool {
        self.has_less_than(limits::LINK_IN_FLIGHT_MAX - limits::LINK_ROOM_KEPT)
    }

    /// Open, and not full.
    pub(crate) fn takes_reversal(&self) -> bool {
        self.has_less_than(limits::LINK_IN_FLIGHT_MAX)
    }

    /// A message of the link's own leaves every kept place its way to the writer.
    pub(crate) fn takes_network(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.queue.capacity() > self.kept)
    }

    /// Nothing is in flight, and nobody keeps a place to ask in.
    pub(crate) fn is_calm(&self) -> bool {
        self.line.as_ref().is_none_or(|line| line.flights.len() == 0 && self.kept == 0)
    }

    fn has_less_than(&self, most: usize) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_open() && line.taken() + self.kept < most)
    }
}

/// The present connection.
pub(crate) struct Line {
    pub(crate) flights: Flights,
    pub(crate) queue: mpsc::Sender<Outgoing>,
    /// The other side answered.
    pub(crate) ready: bool,
    /// When the other side signed off, if nobody signed on again: it takes no transactions, whatever else it answers.
    pub(crate) signed_off: Option<Instant>,
    /// When an answer to something of ours was last received: what the other side says unasked does not tell whether it reads.
    pub(crate) heard: Instant,
}

impl Line {
    /// Transactions are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.ready && self.signed_off.is_none()
    }

    /// Places that are not free, whether for want of an answer or of a writer that gets to them.
    fn taken(&self) -> usize {
        self.flights.len().max(QUEUE_MAX - self.queue.capacity())
    }
}

/// A frame for the writer.
pub(crate) struct Outgoing {
    /// The flight to claim before writing; `None` for an answer of ours.
    pub(crate) flight: Option<u64>,
    pub(crate) frame: Zeroizing<Vec<u8>>,
    pub(crate) fact: Option<Fact>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("cannot connect: {0}")]
    NotConnected(io::Error),
    #[error("the other side closed the connection")]
    ByPeer,
    #[error("reading: {0}")]
    Reading(#[from] FrameError),
    #[error("writing: {0}")]
    Writing(io::Error),
    #[error("the other side took nothing for {WRITE_TIMEOUT:?}")]
    NothingTaken,
    #[error("{GARBLED_IN_A_ROW_MAX} unreadable messages in a row: does the other side speak another layout?")]
    Garbled,
    #[error("{0}: {1}")]
    Unanswered(&'static str, AskError),
    #[error("{0} refused with response code {1:?}")]
    Refused(&'static str, String),
    #[error("the other side signed off and did not sign on again")]
    SignedOff,
    #[error("shut down")]
    ShutDown,
}
