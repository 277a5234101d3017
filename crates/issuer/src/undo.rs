//! Our own 0420: what the card host was asked and did not answer, and the switch was told 91 for, is undone by us.
//!
//! ```text
//!   91 and the outbox row: one swap ─▶ 0420 ─ no answer ─▶ back-off (in the row's lease) ─▶ 0421 … ─▶ 0430: journal, row gone
//! ```
//!
//! The row outlives this process and the host's outage; whichever node finds its lease over goes on. A host that was
//! given the message twice must undo once: both name the original by field 90 and have the same trace number.

use std::sync::Arc;
use std::time::Duration;

use minicbor::{Decode, Encode};
use ramz_domain::card::{Command, Mark};
use ramz_domain::{Moment, limits};
use ramz_iso8583::{Message, Mti};
use ramz_link::Link;
use ramz_store::Change;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use zeroize::{Zeroize, Zeroizing};

use crate::counts::Counts;
use crate::engine::{Dispatch, Engine, EngineFault, open_reversal};
use crate::inline::original_mark;

/// Fields that a reversal repeats of its original.
const REPEATED: [u8; 15] = [2, 3, 4, 12, 13, 18, 22, 25, 32, 33, 37, 41, 42, 49, 103];
/// Done; a duplicate of what was done.
const ACKNOWLEDGED: [&str; 2] = ["00", "94"];
/// The host does not find the original. That may still be on its way to it, so this is believed only after a while.
pub(crate) const NOT_FOUND: &str = "25";

/// Sends reversals until they are acknowledged.
pub struct Undo {
    engine: Arc<Engine>,
    host: Arc<Link>,
    counts: Arc<Counts>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What a reversal needs of its payment. Has a PAN: only ever sealed, wiped when dropped.
#[derive(Encode, Decode)]
struct Original {
    #[n(0)]
    fields: Vec<Field>,
    /// Field 90.
    #[n(1)]
    data: String,
}

#[derive(Encode, Decode)]
struct Field {
    #[n(0)]
    number: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    value: Vec<u8>,
}

impl Drop for Original {
    fn drop(&mut self) {
        self.fields.iter_mut().for_each(|field| field.value.zeroize());
        self.data.zeroize();
    }
}

/// What a reversal needs of a payment, to be sealed.
pub fn original(payment: &Message) -> Result<Zeroizing<Vec<u8>>, EngineFault> {
    let part = |field: u8| payment.get(field).unwrap_or_default();
    let data = format!(
        "{}{:0>6}{:0>10}{:0>11}{:0>11}",
        payment.mti().first(),
        part(11),
        part(7),
        part(32),
        part(33)
    );
    let field = |number: &u8| Some(Field { number: *number, value: payment.bytes(*number)?.to_vec() });
    let original = Original { fields: REPEATED.iter().filter_map(field).collect(), data };
    // Room for all of it: growing would leave copies behind.
    let mut clear = Zeroizing::new(Vec::with_capacity(2048));
    minicbor::encode(&original, &mut *clear).map_err(|error| EngineFault::Row(error.to_string()))?;
    Ok(clear)
}

impl Undo {
    /// Over the line to the card host.
    pub(crate) fn new(engine: Arc<Engine>, host: Arc<Link>, counts: Arc<Counts>) -> Arc<Undo> {
        let slots = Arc::new(Semaphore::new(limits::REVERSALS_IN_HAND));
        Arc::new(Undo { engine, host, counts, slots, tasks: TaskTracker::new() })
    }

    /// Asks the host once, beside what else happens; without an answer the row is put off. While as many as may are in
    /// hand, or the host is known to be away, it is put off at once.
    pub(crate) fn start(self: &Arc<Self>, dispatch: Dispatch, identity: Mark, sealed: Vec<u8>) {
        if dispatch.attempts == 1 {
            self.counts.reversal("committed");
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok().filter(|_| self.host.is_up());
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let asked = match &slot {
                Some(_) => this.ask(&dispatch, &sealed).await,
                None => Err(EngineFault::Row("the host cannot be asked now".into())),
            };
            let done = match asked {
                Ok((reversal, response_code)) => {
                    let undone = Command::Undone { identity, reversal, response_code };
                    this.acknowledged(&dispatch, undone).await
                }
                Err(why) => Err(why),
            };
            if let Err(why) = done {
                tracing::warn!(card = %dispatch.card, attempts = dispatch.attempts, %why, "a reversal stays due");
                this.put_off(&dispatch).await;
            }
            drop(slot);
        });
    }

    /// Waits for what is in hand: at shutdown.
    pub(crate) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Field 39 of an answer that says that nothing is left to undo.
    async fn ask(&self, dispatch: &Dispatch, sealed: &[u8]) -> Result<(Option<Mark>, String), EngineFault> {
        let clear = open_reversal(self.engine.keys.as_ref(), dispatch.card, dispatch.id, sealed)?;
        let original: Original = minicbor::decode(&clear)
            .map_err(|error| EngineFault::Row(format!("a sealed reversal does not read back: {error}")))?;
        let message = message(&original, dispatch, self.engine.clock.now());
        let reversal = original_mark(&message);
        match self.host.ask(message, limits::HOST_TIMEOUT).await {
            Ok(answer) => match answer.get(39) {
                Some(code) if acknowledges(code, dispatch, self.engine.clock.now()) => {
                    Ok((reversal, code.to_owned()))
                }
                code => Err(EngineFault::Row(format!("the host answered {}", code.unwrap_or("nothing")))),
            },
            Err(error) => Err(EngineFault::Row(error.to_string())),
        }
    }

    /// The journal first: should the row not go, the host is asked once more, which changes nothing there.
    async fn acknowledged(&self, dispatch: &Dispatch, undone: Command) -> Result<(), EngineFault> {
        self.engine.tell(dispatch.card, undone).await?;
        let settle = Change::Settle { owner: dispatch.card.0.to_vec(), id: dispatch.id };
        self.engine.committer.commit(settle).await?;
        self.counts.reversal("acknowledged");
        Ok(())
    }

    async fn put_off(&self, dispatch: &Dispatch) {
        let until = self.engine.clock.now().plus(again_after(dispatch.attempts));
        let lease = Change::Lease {
            owner: dispatch.card.0.to_vec(),
            id: dispatch.id,
            expected: dispatch.leased_until,
            until,
        };
        // Lost: another node has it. A fault: its lease ends by itself.
        if let Err(fault) = self.engine.committer.commit(lease).await {
            tracing::warn!(card = %dispatch.card, %fault, "a reversal could not be put off");
        }
    }
}

fn acknowledges(code: &str, dispatch: &Dispatch, now: Moment) -> bool {
    let decided = dispatch.expires.minus(limits::REVERSAL_KEPT);
    let long_ago = now.since(decided) >= limits::REVERSAL_NOT_FOUND_AFTER;
    ACKNOWLEDGED.contains(&code) || (code == NOT_FOUND && long_ago)
}

/// 0420 at first, 0421 after that; trace number and original the same each time.
fn message(original: &Original, dispatch: &Dispatch, now: Moment) -> Message {
    let first = Mti::REVERSAL_ADVICE;
    let mut message = Message::new(if dispatch.attempts > 1 { first.repeat() } else { first });
    for Field { number, value } in &original.fields {
        message.set(*number, value.as_slice());
    }
    // RFC 3339 has all digits of field 7, MMDDhhmmss in UTC.
    let digits: String = now.rfc3339().chars().filter(char::is_ascii_digit).skip(4).collect();
    message.set(7, digits);
    message.set(11, trace_number(dispatch.id));
    message.set(90, original.data.as_str());
    message
}

/// From what is random of the row's name, which is its end: the same in every repeat, on every node.
fn trace_number(id: [u8; 16]) -> String {
    let [.., a, b, c, d] = id;
    format!("{:06}", u32::from_be_bytes([a, b, c, d]) % 999_999 + 1)
}

fn again_after(attempts: u32) -> Duration {
    // Each attempt takes two leases: the one it is asked under, and the one it is put off by.
    let doubled =
        2u32.checked_pow(attempts / 2).and_then(|times| limits::REVERSAL_AGAIN_FIRST.checked_mul(times));
    doubled.unwrap_or(limits::REVERSAL_AGAIN_LAST).min(limits::REVERSAL_AGAIN_LAST)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ramz_domain::ambient::name_in_order;
    use ramz_domain::{CardId, Entropy};

    use super::*;

    /// As little random as can be told apart.
    struct Filled(u8);

    impl Entropy for Filled {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn payment() -> Message {
        let mut payment = Message::new(Mti::FINANCIAL.repeat());
        for (field, value) in [
            (2, "6104337000000016"),
            (3, "000000"),
            (4, "000001250000"),
            (7, "1124015244"),
            (11, "000007"),
            (32, "581672061"),
            (37, "406100000001"),
            (41, "14033212"),
            (52, "12345678"),
        ] {
            payment.set(field, value);
        }
        payment
    }

    #[test]
    fn a_reversal_names_its_original_and_has_no_pin() {
        let original: Original = minicbor::decode(&original(&payment()).unwrap()).unwrap();
        let dispatch = |attempts| Dispatch {
            card: CardId([1; 16]),
            id: [0xFF; 16],
            body: Vec::new(),
            expires: Moment::default(),
            leased_until: Moment::default(),
            attempts,
        };
        let now = Moment::from_unix_ms(1_709_238_700_000);
        let (first, second) = (message(&original, &dispatch(1), now), message(&original, &dispatch(3), now));
        assert_eq!((first.mti().as_str(), second.mti().as_str()), ("0420", "0421"));
        assert_eq!(first.get(90), Some("0200000007112401524400581672061\u{30}0000000000"));
        assert_eq!(first.get(7), Some("0229203140"));
        assert_eq!((first.get(11), second.get(11)), (Some("971590"), Some("971590")));
        assert!(first.get(2).is_some() && !first.has(52) && !first.has(48));
    }

    /// A host that knows a message by its trace number and time would take one for a repeat of the other.
    #[test]
    fn reversals_of_one_moment_have_numbers_of_their_own() {
        let now = Moment::from_unix_ms(1_709_238_700_000);
        let numbers: HashSet<_> = (0..99).map(|n| trace_number(name_in_order(now, &Filled(n)))).collect();
        assert_eq!(numbers.len(), 99);
    }

    #[test]
    fn not_found_is_believed_only_after_a_while() {
        let decided = Moment::from_unix_ms(1_709_238_700_000);
        let dispatch = Dispatch {
            card: CardId([1; 16]),
            id: [1; 16],
            body: Vec::new(),
            expires: decided.plus(limits::REVERSAL_KEPT),
            leased_until: decided,
            attempts: 1,
        };
        let after = |code, s| acknowledges(code, &dispatch, decided.plus(Duration::from_secs(s)));
        assert!(
            after("00", 0) && after("94", 0) && !after("25", 599) && after("25", 600) && !after("96", 9999)
        );
    }

    #[test]
    fn it_waits_longer_each_time_and_never_longer_than_a_minute() {
        let waits: Vec<u64> = [1, 3, 5, 7, 9, 11, 99].map(|n| again_after(n).as_secs()).to_vec();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
    }
}
