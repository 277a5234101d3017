//! The operator's SMSC: an SMPP 3.4 server that delivers to handsets.
//!
//! It does what an ESME can tell from outside: binds with a password, submits with concatenation and validity, receipts,
//! texts from phones, and bad days of every kind (`moods`). A text goes to the handsets and nowhere else: no log, no tap.
//! Deliberately not here: storing and retrying by itself (a handset is always on, and a text that a bank does not take is
//! delivered again when a test says so), `data_sm`, `submit_multi`, queries, SMPP 5.
//!
//! ```text
//!   open ── bind_* with the right password ──▶ bound ── unbind, a broken frame, drop_connections() ──▶ closed
//!    └── anything but a bind: ESME_RINVBNDSTS; no bind in 10 s: closed
//! ```

mod connection;
mod deliver;
mod moods;
mod submit;
mod texts;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use ramz_api::{net::Door, tap::SharedTap};
use ramz_domain::Clock;
use ramz_sms::{coding::concat::Reassembly, smpp::pdu::FrameError};
use rusmpp::CommandStatus;
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::handsets::Handsets;

pub use moods::ReceiptIds;
pub use texts::TextError;

/// Connections at once; another one is closed.
const CONNECTIONS_MAX: usize = 64;
/// Texts of which not all parts have come.
const UNFINISHED_MAX: usize = 256;
/// After an error of the door, such as too many open files.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A bank that may bind.
#[derive(Clone)]
pub struct Account {
    /// `system_id`, at most 15 characters.
    pub system_id: String,
    /// `password`, at most 8 characters.
    pub password: Zeroizing<String>,
    /// What the bank's service is called in traces: `bank mellat`.
    pub name: String,
    /// The short code whose texts go to this bank; empty for none.
    pub short_code: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("system_id", &self.system_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An SMSC. See the module.
pub struct Smsc {
    accounts: Vec<Account>,
    handsets: Arc<Handsets>,
    clock: Arc<dyn Clock>,
    tap: SharedTap,
    state: Mutex<State>,
    unfinished: Mutex<Reassembly<submit::Sender>>,
    last_message: AtomicU64,
    submits: AtomicU64,
    binds_seen: AtomicU64,
    binds_refused: AtomicU64,
}

#[derive(Default)]
struct State {
    connections: BTreeMap<u64, Line>,
    last_connection: u64,
    moods: moods::Moods,
    texts: texts::Texts,
}

type Bytes = Zeroizing<Vec<u8>>;

/// A connection as others see it.
#[derive(Clone)]
struct Line {
    /// Whose, once bound.
    bound: Option<Bound>,
    to_write: mpsc::Sender<Bytes>,
    closed: CancellationToken,
    /// Half-open: nothing is said any more.
    silent: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
struct Bound {
    account: usize,
    sends: bool,
    receives: bool,
}

impl Line {
    /// Queues a PDU. A peer that does not read loses its connection.
    fn put(&self, bytes: Bytes) {
        if self.silent.load(Ordering::SeqCst) {
            return;
        }
        if self.to_write.try_send(bytes).is_err() {
            self.closed.cancel();
        }
    }
}

impl Smsc {
    /// Serves the door until `shutdown`. Must be called within a tokio runtime.
    pub fn start(
        door: Arc<dyn Door>,
        accounts: Vec<Account>,
        handsets: Arc<Handsets>,
        clock: Arc<dyn Clock>,
        tap: SharedTap,
        shutdown: CancellationToken,
    ) -> Arc<Smsc> {
        let smsc = Arc::new(Smsc {
            accounts,
            handsets,
            clock,
            tap,
            state: Mutex::default(),
            unfinished: Mutex::new(Reassembly::new(UNFINISHED_MAX)),
            last_message: AtomicU64::new(0),
            submits: AtomicU64::new(0),
            binds_seen: AtomicU64::new(0),
            binds_refused: AtomicU64::new(0),
        });
        tokio::spawn(smsc.clone().serve(door, shutdown));
        smsc
    }

    async fn serve(self: Arc<Smsc>, door: Arc<dyn Door>, shutdown: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                accepted = door.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().converse(stream, shutdown.child_token()));
                }
                Err(error) => {
                    tracing::warn!(door = %door.address(), %error, "the SMSC cannot accept; trying again");
                    sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
    }

    /// How many submit_sm have come, whatever was answered.
    pub fn submits_seen(&self) -> u64 {
        self.submits.load(Ordering::SeqCst)
    }

    /// How many connections are bound.
    pub fn bound(&self) -> usize {
        self.state().connections.values().filter(|line| line.bound.is_some()).count()
    }

    /// How many binds were let in, in all.
    pub fn binds_seen(&self) -> u64 {
        self.binds_seen.load(Ordering::SeqCst)
    }

    /// How many binds were refused for a wrong id or password.
    pub fn binds_refused(&self) -> u64 {
        self.binds_refused.load(Ordering::SeqCst)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn message_id(&self) -> u64 {
        self.last_message.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A sequence number for a request of ours.
    fn sequence(&self) -> u32 {
        u32::try_from(self.message_id() & 0x3FFF_FFFF).unwrap_or(1).max(1)
    }
}

/// What a frame that cannot be cut means to the peer, if it is still worth telling.
fn broken(error: &FrameError) -> Option<CommandStatus> {
    match error {
        FrameError::Length(_) => Some(CommandStatus::EsmeRinvcmdlen),
        FrameError::Io(_) => None,
    }
}
