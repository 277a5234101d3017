//! Every bound of the system in one place: queues, lists, bodies, retries, waits. Each says why it is what it is.

use std::time::Duration;

/// Payment pages accept four digits and more.
pub const PIN_DIGITS_MIN: usize = 4;
/// ISO 9564 PIN blocks hold at most twelve.
pub const PIN_DIGITS_MAX: usize = 12;

/// One a payee; a fourth payee's request is not sent rather than evict one that a payer is about to use.
pub const OPEN_CHALLENGES_MAX: usize = 3;
/// Spent, burnt, replaced and expired PINs a card remembers, to answer 55 without counting them.
pub const STALE_CHALLENGES_MAX: usize = 8;
/// How long they are remembered.
pub const STALE_KEPT: Duration = Duration::from_secs(600);
/// Answers a card remembers, so that a repeat gets the same one.
pub const ANSWERS_MAX: usize = 32;
/// Reversals without an original that a card remembers, apart from its answers: they cannot keep a cardholder from paying.
pub const TOMBSTONES_MAX: usize = 8;
/// Wrong PINs in a row after which only an ATM or the bank unlocks; a policy may say fewer.
pub const FAILURES_MAX: u32 = 20;
/// How long an answer is kept at least. With [`ANSWERS_MAX`] answers younger than this, a new transaction is 65.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(600);
/// Wrong expiries one door (acquirer and terminal) may present for a card in [`EXPIRY_FAILURES_WINDOW`].
pub const EXPIRY_FAILURES_PER_DOOR: usize = 5;
/// Wrong expiries all doors together may present.
pub const EXPIRY_FAILURES_MAX: usize = 32;
/// The window of both.
pub const EXPIRY_FAILURES_WINDOW: Duration = Duration::from_secs(600);
/// A card row's encoded state.
pub const CARD_BYTES_MAX: usize = 16 * 1024;

/// Characters of a payee's name.
pub const PAYEE_NAME_CHARS_MAX: usize = 30;
/// Characters of an origin, as in DNS.
pub const ORIGIN_CHARS_MAX: usize = 253;

/// A JSON request body: a PIN request has at most about 1 KiB.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// Requests a role works on at once; more wait in the kernel's queue.
pub const HTTP_CONNECTIONS_MAX: usize = 4096;
/// A TLS handshake or request head that takes longer is cut.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How often certificate files are looked at: a renewal is in use within seconds, and costs three stats a look.
pub const TLS_LOOK_EVERY: Duration = Duration::from_secs(2);
/// A role that is told to stop has this long to answer what it has read: three times what a card host may take.
pub const STOP_WITHIN: Duration = Duration::from_secs(30);
/// A router waits this long for a bank, then 503.
pub const BANK_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests a router holds open to one bank: a slow bank fills this, and nobody else's.
pub const BANK_IN_FLIGHT_MAX: usize = 256;

/// An ISO 8583 message.
pub const ISO_MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Transactions in flight on one link; beyond it, 91.
pub const LINK_IN_FLIGHT_MAX: usize = 1024;
/// A card host that has not answered by then stays unanswered: the switch reverses.
pub const HOST_TIMEOUT: Duration = Duration::from_secs(10);
/// A link without traffic is tried with an echo this often.
pub const LINK_ECHO_EVERY: Duration = Duration::from_secs(20);
/// Reconnecting waits this long at first, doubling …
pub const RECONNECT_FIRST: Duration = Duration::from_millis(200);
/// … up to this, with jitter.
pub const RECONNECT_LAST: Duration = Duration::from_secs(10);

/// Changes waiting for one group commit.
pub const COMMIT_QUEUE_MAX: usize = 4096;
/// Changes one transaction takes.
pub const COMMIT_BATCH_MAX: usize = 256;
/// Commands waiting for one card.
pub const CARD_QUEUE_MAX: usize = 128;
/// A swap that is lost this often in a row is a fault: something else is writing the row in a loop.
pub const SWAP_ATTEMPTS_MAX: usize = 32;

/// How long an admission record answers repeats.
pub const ADMISSION_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Card work that runs beside the answers.
pub const ADMISSION_WORK_MAX: usize = 1024;
/// A node that leads an outbox row or admission works on it this long before another may.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often the sweeper looks for work that its owner left.
pub const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Rows the sweeper takes at once.
pub const SWEEP_ROWS: usize = 256;

/// Submitted and unanswered SMS on one bind.
pub const SMPP_WINDOW: usize = 16;
/// Attempts to hand one SMS to the operator while its PIN is good.
pub const SMS_ATTEMPTS_MAX: u32 = 5;
