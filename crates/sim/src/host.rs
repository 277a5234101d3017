//! The card host: balances and static PINs, behind the issuer, over ISO 8583.
//!
//! It trusts the issuer in front of it as a bank's core would: field 48 tag 02 = `D` says that a dynamic PIN was verified, and
//! nothing is asked again. What a request *does* is decided at once and once; the [controls](CardHost::hold) only delay,
//! lose or cut off the answers, so that tests can make every kind of bad day. Not here: persistence. A host starts afresh.

mod cut;
mod ledger;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ramz_api::net::{Door, Peer};
use ramz_api::tap::SharedTap;
use ramz_domain::{Pan, Pin, Rial};
use ramz_iso8583::{Layout, Message, MtiClass};
use ramz_keys::{Keys, PinBlockFormat};
use ramz_link::{Answer, Names, listen};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use cut::CutDoor;
use ledger::Ledger;
pub use ledger::{ACCOUNTS_MAX, Asked, HostFull};

/// A card's account as the host knows it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The card.
    pub pan: Pan,
    /// What is there to spend.
    pub balance: Rial,
    /// The static PIN for terminals (card present), if there is one.
    pub first_pin: Option<Pin>,
    /// The static PIN for the web (card not present), if there is one.
    pub second_pin: Option<Pin>,
    /// Whether it may be used.
    pub state: AccountState,
}

/// Whether an account may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountState {
    /// It may.
    Open,
    /// Every transaction is refused with 57.
    Closed,
}

/// One bank's core system: accounts by PAN, in memory. Shared: the portal reads balances, tests turn the controls.
pub struct CardHost {
    keys: Arc<dyn Keys>,
    zone: Zone,
    ledger: Mutex<Ledger>,
    held: watch::Sender<bool>,
    overtaken: watch::Sender<Option<u32>>,
    silent: AtomicU32,
    latency_ms: AtomicU64,
    connections: Mutex<CancellationToken>,
}

/// What PIN blocks come under.
struct Zone {
    name: String,
    format: PinBlockFormat,
}

impl CardHost {
    /// A host without accounts. PIN blocks come to it under the zone key of that name, in format 0.
    pub fn new(keys: Arc<dyn Keys>, zone: impl Into<String>) -> Arc<CardHost> {
        CardHost::reading(keys, zone, PinBlockFormat::Iso0)
    }

    /// The same, with PIN blocks of another format of a TDEA zone: 0 or 3.
    pub fn reading(keys: Arc<dyn Keys>, zone: impl Into<String>, format: PinBlockFormat) -> Arc<CardHost> {
        Arc::new(CardHost {
            keys,
            zone: Zone { name: zone.into(), format },
            ledger: Mutex::default(),
            held: watch::Sender::new(false),
            overtaken: watch::Sender::new(None),
            silent: AtomicU32::new(0),
            latency_ms: AtomicU64::new(0),
            connections: Mutex::default(),
        })
    }

    /// Opens an account, or replaces the one of the same card.
    ///
    /// # Errors
    /// There are [`ACCOUNTS_MAX`] already.
    pub fn open(&self, account: Account) -> Result<(), HostFull> {
        self.ledger().open(account)
    }

    /// What a card has to spend; `None` if the host does not know it.
    pub fn balance(&self, pan: &Pan) -> Option<Rial> {
        self.ledger().balance(pan)
    }

    /// Answers at a door until `shutdown` is cancelled and what is in flight is answered ([`listen`]).
    pub async fn run(
        self: Arc<Self>,
        door: Arc<dyn Door>,
        layout: Arc<Layout>,
        header: Vec<u8>,
        tap: SharedTap,
        names: Names,
        shutdown: CancellationToken,
    ) {
        let door = Arc::new(CutDoor::new(door, Arc::clone(&self)));
        listen(door, layout, header, self, tap, names, shutdown).await;
    }

    /// From now on requests are decided, but answers wait for [`release`](Self::release).
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// From now on requests are not even looked at before [`release`](Self::release), and reversals overtake them.
    pub fn let_reversals_overtake(&self) {
        self.overtaken.send_replace(Some(0));
    }

    /// How many requests wait for that.
    pub fn overtaken(&self) -> u32 {
        self.overtaken.borrow().unwrap_or(0)
    }

    /// Lets what waits go, and what comes later pass.
    pub fn release(&self) {
        self.held.send_replace(false);
        self.overtaken.send_replace(None);
    }

    /// From now on a reversal of what it does not know is answered 25, and forgotten: its original is decided as any other.
    pub fn forget_reversals_of_nothing(&self) {
        self.ledger().forget_reversals_of_nothing();
    }

    /// From now on a purchase of more is approved in part: 10, and that amount in field 4.
    pub fn approve_at_most(&self, amount: Rial) {
        self.ledger().approve_at_most(amount);
    }

    /// From now on a repeat of what it knows is answered so, as by a host that keeps no answers: 94, or 09. `None`: with the first
    /// one's answer, as ever.
    pub fn say_of_repeats(&self, code: Option<&'static str>) {
        self.ledger().say_of_repeats(code);
    }

    /// It has lost what it did: it finds no transaction of before.
    pub fn forget_everything(&self) {
        self.ledger().forget_everything();
    }

    /// The next `n` requests are decided, but never answered. Sign-on and echo are answered still.
    pub fn silence_next(&self, n: u32) {
        self.silent.store(n, Ordering::SeqCst);
    }

    /// Every answer takes so long, from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Cuts all present connections off. New ones are taken.
    pub fn drop_connections(&self) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *connections).cancel();
    }

    /// How often the transaction that a request belongs to came, and what it did. The request may be its first, a repeat, or a
    /// reversal that names it.
    pub fn asked(&self, request: &Message) -> Asked {
        self.ledger().asked(request)
    }

    /// The same, of all transactions since the host started.
    pub fn asked_in_all(&self) -> Asked {
        self.ledger().asked_in_all()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Every change under this lock is whole before anything that could panic.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancelled when the connections that are there now are to be cut off.
    fn connections(&self) -> CancellationToken {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Answer for CardHost {
    async fn answer(&self, request: Message, _: &Peer) -> Option<Message> {
        if request.mti().class() != MtiClass::Reversal {
            self.overtaken.send_if_modified(|waiting| {
                *waiting = waiting.map(|many| many + 1);
                false
            });
            // The sender lives as long as the host.
            let _ = self.overtaken.subscribe().wait_for(Option::is_none).await;
        }
        let answer = self.ledger().decide(&request, &*self.keys, &self.zone);
        let spare = |left: u32| left.checked_sub(1);
        if self.silent.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spare).is_ok() {
            return None;
        }
        let latency = self.latency_ms.load(Ordering::SeqCst);
        if latency > 0 {
            sleep(Duration::from_millis(latency)).await;
        }
        // The sender lives as long as the host.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        Some(answer)
    }
}
