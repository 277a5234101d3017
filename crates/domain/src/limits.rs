//! Every bound of the system in one place: queues, lists, bodies, retries, waits. Each says why it is what it is.

use std::time::Duration;

use crate::PaymentKind;

/// Payment pages accept four digits and more.
pub const PIN_DIGITS_MIN: usize = 4;
/// ISO 9564 PIN blocks hold at most twelve.
pub const PIN_DIGITS_MAX: usize = 12;

/// A fourth request is not sent rather than evict a PIN that a payer is about to use.
pub const OPEN_CHALLENGES_MAX: usize = 3;
/// Of them, one door's: whoever asks at one place leaves room for the card's holder at another.
pub const OPEN_CHALLENGES_PER_DOOR: usize = 2;
/// SMS with unspent PINs to one card in two minutes: two payments, each sent three times …
pub const CARD_SENDS_IN_2_MIN: u32 = 6;
/// … in an hour: an evening of shopping with pages that fail; a door that asks for the first time passes …
pub const CARD_SENDS_IN_HOUR: u32 = 15;
/// … and in a day: what a phone may at worst be bothered with for each of its cards.
pub const CARD_SENDS_IN_DAY: u32 = 40;
/// The most that a policy may allow in a day, and a card's row remembers.
pub const CARD_SENDS_MAX: usize = 80;
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
/// Payments with the static PIN that a card remembers for 24 hours. With as many, the static PIN is over until one is forgotten.
pub const STATIC_AMOUNTS_MAX: usize = 64;
/// What a static second PIN may pay in 24 hours, or each time, at most: the central bank's rule, 100,000 toman.
pub const STATIC_MAX_RIAL: u64 = 1_000_000;
/// What a static PIN may pay for unless a bank says otherwise. Money to another card and questions about the balance need a
/// dynamic one.
pub const STATIC_KINDS: [PaymentKind; 3] = [PaymentKind::Purchase, PaymentKind::Bill, PaymentKind::TopUp];
/// What one texted PIN may pay at most, unless a bank says otherwise, in rial.
pub const SMS_PIN_MAX_RIAL: u64 = 10_000_000;
/// Characters of a product's name.
pub const PRODUCT_CHARS_MAX: usize = 32;
/// Devices that were activated with a card lately, as its row remembers them.
pub const ACTIVATED_DEVICES_MAX: usize = 4;
/// References that were taken off a card, as its row remembers them for as long as a revoked device.
pub const GONE_TOKENS_MAX: usize = 4;
/// Revoked devices that a card remembers, against what was on its way when they were revoked …
pub const REVOKED_DEVICES_MAX: usize = 8;
/// … and for how long: longer than any request may take.
pub const REVOKED_KEPT: Duration = Duration::from_secs(3600);
/// The table of ceilings for app codes, unless a bank says otherwise, in rial: small change, a shopping bag, rent, a day's most.
pub const APP_CEILINGS_RIAL: [u64; 4] = [1_000_000, 5_000_000, 20_000_000, 100_000_000];
/// Minutes to either side whose codes are good: typing takes time, and clocks tick differently.
pub const TOKEN_WINDOW_STEPS: u64 = 1;
/// Minutes that a token's clock may be learned to be off. No more than the window is wide: whoever types codes late teaches this, and the
/// code of the present minute, by a clock that was right all along, must stay good.
pub const TOKEN_DRIFT_STEPS_MAX: i64 = 1;
/// Minutes beyond the window in which a code is still known as one: to tell a wrong clock from a wrong code.
pub const TOKEN_FAR_STEPS: u64 = 10;
/// Codes of wrong minutes that a token remembers as used up: locks let through fewer.
pub const TOKEN_FAR_MAX: usize = 8;
/// Minutes to either side in which two codes in a row are looked for: a clock that is set by hand is within half an hour.
pub const TOKEN_RESYNC_STEPS: u64 = 30;
/// A card row's encoded state: with every list full, and each entry as long as it may be.
pub const CARD_BYTES_MAX: usize = 17 * 1024;

/// SMS to one phone in two minutes, for all its cards together: two cards' worth …
pub const PHONE_SENDS_IN_2_MIN: u32 = 12;
/// … in an hour: one every ninety seconds …
pub const PHONE_SENDS_IN_HOUR: u32 = 40;
/// … and in a day. These count at one node, spent or not.
pub const PHONE_SENDS_IN_DAY: u32 = 120;
/// Cards that may have one phone: what a change of the phone must reach, one after the other.
pub const PHONE_CARDS_MAX: usize = 16;
/// PIN requests of one payer (as its asker tells payers apart) in an hour, for all cards: a family's evening.
pub const PAYER_REQUESTS_IN_HOUR: u32 = 30;
/// PIN requests for one payee in an hour: two a second, all hour long.
pub const PAYEE_REQUESTS_IN_HOUR: u32 = 7200;
/// PIN requests for one IIN in a second: what an operator's line takes with some reserve.
pub const IIN_REQUESTS_PER_S: u32 = 500;
/// PIN requests of one asker in a second at this bank; a router has a rate of its own before.
pub const ASKER_REQUESTS_PER_S: u32 = 500;
/// Phones, payees, payers, IINs and askers that a node limits at once: some 20 MB. A phone is kept for twelve minutes after
/// one SMS, so this is 350 SMS a second to ever other phones. More pass.
pub const WINDOWS_MAX: usize = 262_144;
/// How often nodes that share a store tell each other what they let through.
pub const NODES_TELL_EVERY: Duration = Duration::from_secs(1);
/// Keys of which a node tells in one go; what is more is told in the next.
pub const NODES_TELL_KEYS: usize = 512;
/// Goes that a node's row keeps: who was away for so many seconds has missed some.
pub const NODES_TELLS_KEPT: usize = 8;
/// Nodes that one hears; more are not known to any bank.
pub const NODES_MAX: usize = 64;
/// A node that has said nothing for so long is none any more.
pub const NODE_KEPT: Duration = Duration::from_secs(60);
/// A node whose clock is further off the store's is not ready, and decides nothing: PINs and locks live by both.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(2);
/// How often a node asks a shared store what time it is.
pub const CLOCKS_COMPARED_EVERY: Duration = Duration::from_secs(1);
/// An answer that took longer does not say what time it is.
pub const CLOCK_ANSWER_MAX: Duration = Duration::from_millis(500);
/// A store that reads no row within this is not ready.
pub const READY_WITHIN: Duration = Duration::from_secs(2);
/// What an asker may call a payer: at least as much as 96 bits in Base64 …
pub const PAYER_CHARS_MIN: usize = 16;
/// … and at most a hash in hexadecimal digits.
pub const PAYER_CHARS_MAX: usize = 64;

/// The same text from a phone again within this is its operator's repeated delivery, not a second wish …
pub const TEXT_REPEATED_WITHIN: Duration = Duration::from_secs(30);
/// … or within this, if the text carries its phone's own reference number.
pub const TEXT_REFERENCE_WITHIN: Duration = Duration::from_secs(600);
/// Texts of one phone that are answered in ten minutes: a PIN each minute …
pub const TEXTS_IN_10_MIN: usize = 10;
/// … and in a day, which is also what its row remembers.
pub const TEXTS_IN_DAY: usize = 60;
/// A text that nobody has worked on by then is answered no more: its sender has sent another.
pub const TEXT_ANSWERED_WITHIN: Duration = Duration::from_secs(120);
/// Wrong halves of an activation code, for one half that found it.
pub const ACTIVATION_TRIES: usize = 3;
/// Wrong tries at activation codes from one IPv6 network in an hour: a family's typing errors. What was right does not count.
pub const ADDRESS_ACTIVATIONS_IN_HOUR: u32 = 30;
/// Wrong tries in a second, all addresses together: a bank's busiest branches. In ten minutes that is 30,000 guesses, far too few at two halves
/// that are both unknown. Where one is known, the receipt's has [`ACTIVATION_TRIES`], and the one by SMS [`SMS_HALF_TRIES`].
pub const ACTIVATIONS_PER_S: u32 = 50;
/// Tries with one half by SMS, while an activation is good. Whoever has read it guesses at the receipt's, and each guess is another row with
/// tries of its own: all that those have in common is this half. Nobody mistypes a receipt so often.
pub const SMS_HALF_TRIES: u32 = 10;
/// Cards are added to a device without a control code this long after its activation: who did that is still there.
pub const CARDS_ADDED_WITHIN: Duration = Duration::from_secs(600);
/// Cards on one device: what its revocation must reach, one after the other.
pub const DEVICE_CARDS_MAX: usize = 16;
/// Time steps of one token that a presented code is compared with: its drift, the window, and ample room.
pub const CODE_TIME_STEPS_MAX: u64 = 64;
/// An activation code of the app is good this long.
pub const ACTIVATION_VALID: Duration = Duration::from_secs(600);
/// Devices that may compute one card's PINs: each multiplies what a guess may hit.
pub const CARD_DEVICES_MAX: usize = 2;
/// Characters of a device's name: what a line on a phone shows.
pub const DEVICE_NAME_CHARS_MAX: usize = 32;
/// Steps of a bank's table of ceilings: each is one more code that a guess may hit.
pub const CEILING_STEPS_MAX: u8 = 4;
/// A device's proof of a request: a signed one has about 600 bytes.
pub const PROOF_BYTES_MAX: usize = 4096;
/// A proof is good this long before and after the instant that it tells: phones' clocks are off by seconds, and a proof that was
/// read somewhere is of no use for long.
pub const PROOF_SKEW: Duration = Duration::from_secs(120);
/// Words of help are of use this long …
pub const HELP_KEPT: Duration = Duration::from_secs(300);
/// … and an alert this long: a phone that is off at night shall have it in the morning.
pub const ALERT_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Alerts to one phone in a day, apart from all else that is sent to it: nobody fills this with requests for PINs.
pub const ALERTS_IN_DAY: u32 = 40;

/// Characters of a payee's name.
pub const PAYEE_NAME_CHARS_MAX: usize = 30;
/// Characters of an origin, as in DNS.
pub const ORIGIN_CHARS_MAX: usize = 253;

/// A JSON request body: a PIN request has at most about 1 KiB.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// Connections that a role's HTTP door holds open at once; more wait in the kernel's queue.
pub const HTTP_CONNECTIONS_MAX: usize = 4096;
/// A TLS handshake or request head that takes longer is cut.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer of which nothing is read for so long is cut with its connection: it would hold its place for ever.
pub const HTTP_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often certificate files are looked at: a renewal is in use within seconds, and costs three stats a look.
pub const TLS_LOOK_EVERY: Duration = Duration::from_secs(2);
/// A role that is told to stop has this long to answer what it has read: three times what a card host may take.
pub const STOP_WITHIN: Duration = Duration::from_secs(30);
/// A router waits this long for a bank, then 503. Also the longest deadline that a router or an issuer believes.
pub const BANK_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that is not there by then will not be: a black hole is noticed before the whole time of a call is gone.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Kept of a deadline for the answer's own way back, so that the asker reads it and does not give up just before.
pub const DEADLINE_WAY_BACK: Duration = Duration::from_millis(100);
/// A bank that had this long and did not answer has failed; a time-out of less tells of a hasty asker, not of the bank.
pub const BANK_TIME_FAIR: Duration = Duration::from_secs(2);
/// Requests a router holds open to one bank: a slow bank fills this, and nobody else's.
pub const BANK_IN_FLIGHT_MAX: usize = 256;
/// Requests a router works on at once, for all banks, unless it is told otherwise: what comes beyond it is turned away at
/// once, not after a time-out. Half of what may connect, so that whoever is turned away still finds a door that answers.
pub const ROUTER_IN_FLIGHT_MAX: usize = HTTP_CONNECTIONS_MAX / 2;
/// Failures in a row after which a bank is not asked for a while: a few may be a restart, these are an outage.
pub const BREAKER_IN_A_ROW: u32 = 5;
/// Half of the requests failing within this span …
pub const BREAKER_WINDOW: Duration = Duration::from_secs(10);
/// … of at least so many cuts a bank off as well, though some answers come through.
pub const BREAKER_WINDOW_REQUESTS: u32 = 20;
/// How long a bank that was cut off is left alone at first, doubling with each probe that fails …
pub const BREAKER_OPEN_FIRST: Duration = Duration::from_secs(5);
/// … up to this: a bank that is back is not kept waiting longer.
pub const BREAKER_OPEN_LAST: Duration = Duration::from_secs(60);
/// A retry waits up to this, and half of it at least: a restart takes longer, a connection that broke does not.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_millis(100);
/// So many requests earn one retry: in an outage retries add a tenth to the load, not as much again.
pub const REQUESTS_PER_RETRY: u32 = 10;
/// Retries that a quiet time saves up.
pub const RETRIES_SAVED_MAX: u32 = 10;
/// A file with the directory of banks: all of Iran's are about 40 KiB.
pub const DIRECTORY_BYTES_MAX: u64 = 1024 * 1024;
/// How often it is looked whether that file has changed.
pub const DIRECTORY_LOOK_EVERY: Duration = Duration::from_secs(1);

/// An ISO 8583 message.
pub const ISO_MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// A layout file: the shipped ones have 3 KiB.
pub const LAYOUT_FILE_BYTES_MAX: u64 = 64 * 1024;
/// A header between length and message: a TPDU has 5 bytes, the longest known about 40.
pub const LINK_HEADER_BYTES_MAX: usize = 64;
/// Transactions in flight on one link; beyond it, 91.
pub const LINK_IN_FLIGHT_MAX: usize = 1024;
/// Of these, what only reversals get: with less room no payment is begun, and no PIN is spent for it.
pub const LINK_ROOM_KEPT: usize = LINK_IN_FLIGHT_MAX / 8;
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
pub const COMMIT_BATCH_MAX: usize = 512;
/// How long a database is waited for: a connection to it, and each of its answers. Who waits longer has been given up by his own caller.
pub const STORE_WAIT_MAX: Duration = Duration::from_secs(5);
/// Commands waiting for one card.
pub const CARD_QUEUE_MAX: usize = 128;
/// Payments that wait for one card's turn at the static PIN: a quarter of what one connection of the switch may have in flight.
pub const STATIC_WAITING_MAX: usize = LINK_IN_FLIGHT_MAX / 4;
/// Card rows, and places of cards in the index, that a node keeps in memory: at about 2 KiB each some 32 MiB.
pub const CARDS_KEPT_MAX: usize = 16 * 1024;
/// A swap that is lost this often in a row is a fault: something else is writing the row in a loop.
pub const SWAP_ATTEMPTS_MAX: usize = 32;

/// How long an admission record answers repeats.
pub const ADMISSION_KEPT: Duration = Duration::from_secs(24 * 3600);
/// A card's work begins this long after its request is recorded: the answer is written by then, on an idle bank too.
pub const CARD_WORK_AFTER: Duration = Duration::from_millis(4);
/// And up to so much later: what the work takes from others' answers says little of whose it is.
pub const CARD_WORK_SPREAD: Duration = Duration::from_millis(24);
/// Card work that runs beside the answers.
pub const ADMISSION_WORK_MAX: usize = 1024;
/// A node that leads an outbox row works on it this long before another may.
pub const LEASE: Duration = Duration::from_secs(15);
/// A reversal of our own that got no answer goes out again after this long, doubling …
pub const REVERSAL_AGAIN_FIRST: Duration = Duration::from_secs(2);
/// … up to this.
pub const REVERSAL_AGAIN_LAST: Duration = Duration::from_secs(60);
/// An outbox row must say until when it is of use. A reversal is until it is acknowledged: this is only a date to write down.
pub const REVERSAL_KEPT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// A host that does not find what we reverse is believed after this long: the original may be on its way to it still.
pub const REVERSAL_NOT_FOUND_AFTER: Duration = Duration::from_secs(600);
/// Reversals of our own that are asked at once: a host that comes back is not met by all of them together.
pub const REVERSALS_IN_HAND: usize = 32;
/// How often the sweeper looks for work that its owner left.
pub const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Rows the sweeper takes at once.
pub const SWEEP_ROWS: usize = 256;
/// Rows the sweeper looks through for a reversal behind texts that no node can send.
pub const SWEEP_ROWS_MAX: usize = SWEEP_ROWS * 256;

/// Submitted and unanswered SMS on one bind, unless its operator allows more.
pub const SMPP_WINDOW: usize = 16;
/// The widest window that may be configured: what a node must be able to hold unanswered.
pub const SMPP_WINDOW_MAX: usize = 1024;
/// Binds of one issuer node: two operators or centres with a few sessions each.
pub const SMPP_BINDS_MAX: usize = 8;
/// Bytes of submit_sm gathered into one write: about a hundred, and a good part of a socket's buffer.
pub const SMPP_WRITE_BYTES: usize = 32 * 1024;
/// Receipts that wait to be looked at. More are dropped and counted: an entry is missing then, a payment waits for nothing.
pub const RECEIPTS_QUEUED_MAX: usize = 1024;
/// Short messages whose receipts a node waits for: some minutes' worth at hundreds a second. The oldest goes first.
pub const RECEIPTS_AWAITED_MAX: usize = 65_536;
/// Receipts that may be ahead of the answer to their own submit_sm. The oldest goes first.
pub const RECEIPTS_AHEAD_MAX: usize = 256;
/// Receipts that are written to journals at once: few, so that they are guests among a commit's payments.
pub const RECEIPT_WORK_MAX: usize = 16;
/// A receipt of an SMS that arrived waits so long for something else to be written for its card: longer than most people take to
/// read a PIN and type it.
pub const RECEIPT_WAITS: Duration = Duration::from_secs(20);
/// What waits for its card's next turn, on one node.
pub const LATER_MAX: usize = 65_536;
/// Attempts to hand one SMS to the operator while its PIN is good.
pub const SMS_ATTEMPTS_MAX: u32 = 5;
